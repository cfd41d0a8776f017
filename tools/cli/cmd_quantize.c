/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 quantize: a model file with other weight types. */
#include "cli/support/json.h"
#include "cli/options/model_opts.h"
#include "cli/support/outfile.h"
#include "cli/support/progress.h"
#include "cli/support/weights.h"

#include <string.h>

typedef struct quantize_opts {
    model_opts model;
    uint32_t type;
    bool allow_requantize, json;
} quantize_opts;

static const opt_spec specs[] = {
    {.kind = OPT_CHOICE,
     .name = "type",
     .arg = "TYPE",
     .help = "type of the weights",
     .default_text = "q4_0",
     .offset = offsetof(quantize_opts, type),
     .choices = weight_choices},
    {.kind = OPT_FLAG,
     .name = "allow-requantize",
     .help = "change the type of weights that are quantised already, which rounds them twice",
     .offset = offsetof(quantize_opts, allow_requantize)},
    {.kind = OPT_FLAG,
     .name = "json",
     .help = "print a summary as one JSON object",
     .offset = offsetof(quantize_opts, json)},
};

static const opt_group groups[] = {
    {"Output", specs, COUNT(specs), 0, NULL},
    {"Output", model_thread_specs, MODEL_THREAD_SPECS, offsetof(quantize_opts, model), NULL},
};

static int run(const command *self, int argc, char **argv)
{
    quantize_opts opts = {.type = WEIGHTS_Q4_0};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code != PARSED) {
        return code;
    }
    lfm2_runtime *runtime = NULL;
    uint32_t unused = 0;
    if (args.n == 2 && weights_find(args.items[1], &unused)) {
        return fail_usage(self->name, "'%s' is a type, and the output file is missing: IN OUT TYPE",
                          args.items[1]);
    }
    code = args.n > 2 ? weights_parse(self, args.items[2], &opts.type) : EXIT_OK;
    if (code == EXIT_OK) {
        code = model_check_path(args.items[0]);
    }
    if (code == EXIT_OK) {
        code = outfile_check(args.items[1]);
    }
    if (code == EXIT_OK) {
        code = runtime_open(&opts.model, &runtime);
    }
    if (code == EXIT_OK) {
        lfm2_convert_options options;
        progress bar;
        weights_begin(&options, opts.type, &bar, "quantizing");
        options.flags = opts.allow_requantize ? LFM2_CONVERT_REQUANTIZE : 0U;
        int32_t status = lfm2_quantize(runtime, args.items[0], args.items[1], &options);
        code = weights_end(&bar, status, args.items[1], opts.type, opts.json);
    }
    lfm2_runtime_free(runtime);
    return code;
}

const command cmd_quantize = {
    .name = "quantize",
    .summary = "Write a model with other weight types.",
    .synopsis = "IN OUT [TYPE | --type TYPE] [-t N] [--json]",
    .details = "IN is a GGUF file or a Hugging Face folder, OUT a GGUF file; it appears complete "
               "or not at all.\nWeights that are F32, F16 or BF16 in IN take any type; quantised "
               "ones stay as they are or become\nf32, unless --allow-requantize is given.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .min_args = 2,
    .max_args = 3,
    .run = run,
};
