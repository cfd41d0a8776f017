/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 synth: writes a model of a given shape with random weights. */
#include "cli/commands.h"
#include "cli/options/model_options.h"
#include "cli/support/conversion.h"
#include "cli/support/json.h"
#include "cli/support/model_open.h"
#include "cli/support/outfile.h"
#include "cli/support/progress.h"

#include <string.h>

typedef struct synth_options {
    model_options model;
    const char *shape;
    uint32_t type;
    uint64_t seed;
    bool json;
} synth_options;

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .name = "shape",
     .arg = "NAME",
     .help = "shape of the model: tiny, lfm2-350m, lfm2-700m, lfm2-1.2b, lfm2-2.6b, lfm2-8b-a1b, "
             "lfm2-24b-a2b, lfm2.5-230m, lfm2.5-2.6b, lfm2.5-8b-a1b",
     .default_text = "tiny",
     .offset = offsetof(synth_options, shape)},
    {.type = OPT_CHOICE,
     .name = "type",
     .arg = "TYPE",
     .help = "type of the weights",
     .default_text = "q4_0",
     .offset = offsetof(synth_options, type),
     .choices = preset_choices},
    {.type = OPT_U64,
     .name = "seed",
     .arg = "S",
     .help = "seed of the random weights: the same seed gives the same file",
     .default_text = "0",
     .offset = offsetof(synth_options, seed)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print a summary as one JSON object",
     .offset = offsetof(synth_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Output", specs, 0, NULL},
    {"Output", model_thread_specs, offsetof(synth_options, model), NULL},
};

static int run(const command *self, int argc, char **argv)
{
    synth_options opts = {.shape = "tiny", .type = PRESET_Q4_0};
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
        conversion_begin(&options, opts.type, &bar, "writing");
        int32_t status = lfm2_synthesize(runtime, opts.shape, opts.seed, args.items[0], &options);
        code = conversion_end(&bar, status, args.items[0], opts.type, opts.json);
    }
    lfm2_runtime_free(runtime);
    return code;
}

const command cmd_synth = {
    .name = "synth",
    .summary = "Write a model with random weights, for tests and benchmarks.",
    .synopsis = "OUT [--shape NAME] [--type TYPE] [OPTION]...",
    .details =
        "The model is valid: it has a working tokenizer and, except for tiny, the sizes of the "
        "published model. Its answers are meaningless.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
