/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 synth: a model of a given shape with random weights. */
#include "cli/support/json.h"
#include "cli/options/model_opts.h"
#include "cli/support/outfile.h"
#include "cli/support/progress.h"
#include "cli/support/weights.h"

#include <string.h>

typedef struct synth_opts {
    model_opts model;
    const char *shape;
    uint32_t type;
    uint64_t seed;
    bool json;
} synth_opts;

static const opt_spec specs[] = {
    {.kind = OPT_TEXT,
     .name = "shape",
     .arg = "NAME",
     .help = "tiny, lfm2-350m, lfm2-1.2b, lfm2-8b-a1b or lfm2-24b-a2b",
     .default_text = "tiny",
     .offset = offsetof(synth_opts, shape)},
    {.kind = OPT_CHOICE,
     .name = "type",
     .arg = "TYPE",
     .help = "type of the weights",
     .default_text = "q4_0",
     .offset = offsetof(synth_opts, type),
     .choices = weight_choices},
    {.kind = OPT_U64,
     .name = "seed",
     .arg = "S",
     .help = "the same seed gives the same file",
     .default_text = "0",
     .offset = offsetof(synth_opts, seed)},
    {.kind = OPT_FLAG,
     .name = "json",
     .help = "print a summary as one JSON object",
     .offset = offsetof(synth_opts, json)},
};

static const opt_group groups[] = {
    {"Output", specs, COUNT(specs), 0, NULL},
    {"Output", model_thread_specs, MODEL_THREAD_SPECS, offsetof(synth_opts, model), NULL},
};

static int run(const command *self, int argc, char **argv)
{
    synth_opts opts = {.shape = "tiny", .type = WEIGHTS_Q4_0};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code != PARSED) {
        return code;
    }
    lfm2_runtime *runtime = NULL;
    code = outfile_check(args.items[0]);
    if (code == EXIT_OK) {
        code = runtime_open(&opts.model, &runtime);
    }
    if (code == EXIT_OK) {
        lfm2_convert_options options;
        progress bar;
        weights_begin(&options, opts.type, &bar, "writing");
        int32_t status = lfm2_synthesize(runtime, opts.shape, opts.seed, args.items[0], &options);
        code = weights_end(&bar, status, args.items[0], opts.type, opts.json);
    }
    lfm2_runtime_free(runtime);
    return code;
}

const command cmd_synth = {
    .name = "synth",
    .summary = "Write a model with random weights, for tests and speed.",
    .synopsis = "OUT [--shape NAME] [--type TYPE] [--seed S] [-t N] [--json]",
    .details = "The model is valid in every respect, has a working tokenizer and the real sizes, "
               "and talks nonsense.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
