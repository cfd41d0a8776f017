/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 quantize: writes a model with other weight types. */
#include "cli/commands.h"
#include "cli/options/model_options.h"
#include "cli/support/conversion.h"
#include "cli/support/json.h"
#include "cli/support/model_open.h"
#include "cli/support/outfile.h"
#include "cli/support/progress.h"

#include <string.h>

typedef struct quantize_options {
    model_options model;
    uint32_t type;
    bool allow_requantize, json;
    const char *imatrix;
    opt_texts tensor_types;
} quantize_options;

static const opt_spec specs[] = {
    {.type = OPT_CHOICE,
     .name = "type",
     .arg = "TYPE",
     .help = "type of the weights",
     .default_text = "q4_0",
     .offset = offsetof(quantize_options, type),
     .choices = preset_choices},
    {.type = OPT_TEXT,
     .name = "imatrix",
     .arg = "FILE",
     .help = "weight errors by an importance matrix, as lfm2 imatrix and llama-imatrix write it",
     .offset = offsetof(quantize_options, imatrix)},
    {.type = OPT_TEXTS,
     .name = "tensor-type",
     .arg = "REGEX=TYPE",
     .help =
         "type of the tensors whose name REGEX matches; may be repeated, the first match counts",
     .offset = offsetof(quantize_options, tensor_types)},
    {.type = OPT_FLAG,
     .name = "allow-requantize",
     .help = "convert weights that are already quantized, which rounds them twice",
     .offset = offsetof(quantize_options, allow_requantize)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print a summary as one JSON object",
     .offset = offsetof(quantize_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Output", specs, 0, NULL},
    {"Output", model_thread_specs, offsetof(quantize_options, model), NULL},
};

static int run(const command *self, int argc, char **argv)
{
    quantize_options opts = {.type = PRESET_Q4_0};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code != PARSED) {
        return code;
    }
    lfm2_runtime *runtime = NULL;
    uint32_t unused = 0;
    if (args.n == 2 && choice_find(preset_choices, args.items[1], strlen(args.items[1]), &unused)) {
        return fail_usage(
            self->name,
            "'%s' is a type, so the output file is missing: usage: lfm2 quantize IN OUT "
            "TYPE",
            args.items[1]);
    }
    code = args.n > 2 ? preset_parse(self, args.items[2], &opts.type) : EXIT_OK;
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
        conversion_begin(&options, opts.type, &bar, "quantizing");
        options.imatrix = opts.imatrix;
        options.tensor_types = opts.tensor_types.items;
        options.n_tensor_types = opts.tensor_types.n;
        options.flags = opts.allow_requantize ? LFM2_CONVERT_REQUANTIZE : 0U;
        int32_t status = lfm2_quantize(runtime, args.items[0], args.items[1], &options);
        code = conversion_end(&bar, status, args.items[1], opts.type, opts.json);
    }
    lfm2_runtime_free(runtime);
    return code;
}

const command cmd_quantize = {
    .name = "quantize",
    .summary = "Convert a model to other weight types.",
    .synopsis = "IN OUT [TYPE | --type TYPE] [OPTION]...",
    .details =
        "IN is a GGUF file or a Hugging Face folder, OUT a GGUF file. Weights in F32, F16 or "
        "BF16 can be converted to any type. Weights that are already quantized keep their type "
        "or become f32, unless --allow-requantize is given. If writing fails, no incomplete "
        "file is left.\n\n"
        "REGEX matches some part of a tensor's name, such as 'ffn_down' or "
        "'blk\\.[0-3]\\.attn_(k|v)'. The syntax is that of llama-quantize (ECMAScript) without "
        "look-ahead and back references; upper-case letters match as lower-case ones. TYPE is a "
        "type of GGUF: q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, q4_1, q4_0, iq4_nl, iq4_xs, q3_k, "
        "q2_k, f16, bf16 or f32. Norms, routers and convolution kernels stay f32.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .min_args = 2,
    .max_args = 3,
    .run = run,
};
