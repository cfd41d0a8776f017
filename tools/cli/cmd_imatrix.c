/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 imatrix: computes an importance matrix for lfm2 quantize. */
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/options/model_options.h"
#include "cli/support/interrupt.h"
#include "cli/support/json.h"
#include "cli/support/model_open.h"
#include "cli/support/outfile.h"
#include "cli/support/progress.h"
#include "cli/support/token_ids.h"

#include "lfm2_tools.h"

#include <string.h>

typedef struct imatrix_options {
    model_options model;
    const char *file, *out;
    uint32_t n_ctx, chunks;
    bool special, json;
} imatrix_options;

static const opt_special all_chunks[] = {{-1, 0, "all"}, {0, 0, "all"}, {0, 0, NULL}};

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .letter = 'f',
     .name = "file",
     .arg = "FILE",
     .help = "read the text from FILE; - = standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(imatrix_options, file)},
    {.type = OPT_TEXT,
     .letter = 'o',
     .name = "output",
     .aliases = "--output-file",
     .arg = "FILE",
     .help = "output file",
     .default_text = "imatrix.gguf",
     .offset = offsetof(imatrix_options, out)},
    {.type = OPT_U32,
     .letter = 'c',
     .name = "ctx",
     .aliases = "--ctx-size",
     .arg = "N",
     .help = "tokens of a chunk",
     .default_text = "512",
     .offset = offsetof(imatrix_options, n_ctx),
     .min = 16,
     .max = 1 << 20},
    {.type = OPT_U32,
     .name = "chunks",
     .arg = "N",
     .help = "use the first N chunks only",
     .default_text = "-1",
     .offset = offsetof(imatrix_options, chunks),
     .min = 1,
     .max = 1 << 30,
     .specials = all_chunks},
    {.type = OPT_FLAG,
     .name = "special",
     .aliases = "--parse-special",
     .help = "recognize control tokens in the text",
     .offset = offsetof(imatrix_options, special)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print a summary as one JSON object",
     .offset = offsetof(imatrix_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Text and output", specs, 0, NULL},
    MODEL_GROUPS(imatrix_options, model),
    MODEL_MERGES_GROUP(imatrix_options, model),
    COMPAT_GROUP,
};

static void print(const imatrix_options *opts, uint32_t n_chunks)
{
    if (opts->json) {
        out_printf("{\"file\":");
        json_string(opts->out, strlen(opts->out));
        out_printf(",\"chunks\":%u,\"n_ctx\":%u}\n", n_chunks, opts->n_ctx);
    } else {
        out_name(opts->out);
        out_printf(": %u chunk%s of %u tokens\n", n_chunks, plural(n_chunks), opts->n_ctx);
    }
}

static int compute(const imatrix_options *opts, lfm2_model *model, const id_list *ids)
{
    progress bar;
    uint32_t n_chunks = 0;
    lfm2_imatrix_options options;
    lfm2_imatrix_options_init(&options, sizeof options);
    options.n_ctx = opts->n_ctx;
    options.n_chunks = opts->chunks;
    options.dataset = opts->file;
    options.progress = progress_update;
    options.progress_user = &bar;
    progress_begin(&bar, "computing");
    interrupt_begin(NULL);
    int32_t status = lfm2_imatrix_compute(model, ids->data, ids->n, opts->out, &options, &n_chunks);
    interrupt_end();
    progress_end(&bar);
    if (status == LFM2_E_STOPPED && interrupt_seen()) {
        return interrupt_code(LFM2_E_CANCELLED);
    }
    if (status != LFM2_OK) {
        return fail_library();
    }
    print(opts, n_chunks);
    return EXIT_OK;
}

static int run(const command *self, int argc, char **argv)
{
    imatrix_options opts = {.n_ctx = 512, .out = "imatrix.gguf"};
    opt_args args = {.n = 0};
    open_model opened = {0};
    text_buffer text = {0};
    id_list ids = {0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code != PARSED) {
        return code;
    }
    code = outfile_check(opts.out);
    if (code == EXIT_OK) {
        code = text_input(self->name, NULL, opts.file,
                          "no text: give it in a file (-f FILE) or through a pipe", &text);
    }
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_FULL, &opened);
    }
    if (code == EXIT_OK) {
        uint32_t flags = LFM2_TOKENIZE_BOS | (opts.special ? LFM2_TOKENIZE_SPECIAL : 0U);
        code = ids_of_text(opened.model, text.data, text.len, flags, &ids);
    }
    if (code == EXIT_OK) {
        code = compute(&opts, opened.model, &ids);
    }
    ids_free(&ids);
    text_free(&text);
    model_close(&opened);
    return code;
}

const command cmd_imatrix = {
    .name = "imatrix",
    .summary = "Compute an importance matrix for quantize.",
    .synopsis = "[MODEL | -m PATH] -f FILE [OPTION]...",
    .details =
        "The model reads the text in chunks of -c tokens; the BOS replaces the first token of "
        "each, and an incomplete chunk at the end is not used. For each matrix of the layers, "
        "and each of its experts, the file holds the sums of the squares of its inputs and "
        "their number. lfm2 quantize --imatrix and llama-quantize --imatrix weight errors by "
        "them. The file has the form of llama-imatrix. Use a model with F16, BF16 or F32 "
        "weights, and text like that which the model will process: some hundred chunks are "
        "enough.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
