/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 tokenize: text to token ids. */
#include "cli/support/json.h"
#include "cli/options/model_opts.h"
#include "cli/support/tokens.h"

typedef struct tokenize_opts {
    model_opts model;
    const char *prompt, *file;
    bool special, no_bos, ids, pieces, json;
} tokenize_opts;

static const opt_spec specs[] = {
    {.kind = OPT_TEXT,
     .letter = 'p',
     .name = "prompt",
     .arg = "TEXT",
     .help = "the text",
     .offset = offsetof(tokenize_opts, prompt)},
    {.kind = OPT_TEXT,
     .letter = 'f',
     .name = "file",
     .arg = "FILE",
     .help = "read the text from FILE; - is standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(tokenize_opts, file)},
    {.kind = OPT_FLAG,
     .name = "special",
     .help = "control tokens written out in the text become tokens",
     .offset = offsetof(tokenize_opts, special)},
    {.kind = OPT_FLAG,
     .name = "no-bos",
     .help = "no beginning-of-text token",
     .offset = offsetof(tokenize_opts, no_bos)},
    {.kind = OPT_FLAG,
     .name = "ids",
     .help = "print one line of ids with commas between",
     .offset = offsetof(tokenize_opts, ids)},
    {.kind = OPT_FLAG,
     .name = "pieces",
     .help = "print each token's text as a JSON string on a line of its own",
     .offset = offsetof(tokenize_opts, pieces)},
    {.kind = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object",
     .offset = offsetof(tokenize_opts, json)},
};

static const opt_group groups[] = {
    {"Text", specs, COUNT(specs), 0, NULL},
    MODEL_FILE_GROUP(tokenize_opts, model),
    MODEL_MERGES_GROUP(tokenize_opts, model),
};

static int print_tokens(const tokenize_opts *opts, const lfm2_model *model, const id_list *ids)
{
    for (size_t i = 0; i < ids->n; i++) {
        const char *bytes = "";
        size_t len = 0;
        if (lfm2_token_get(model, ids->data[i], &bytes, &len, NULL) != LFM2_OK) {
            return fail_library();
        }
        if (opts->json) {
            out_printf("%s{\"id\":%d,", i > 0 ? "," : "", (int)ids->data[i]);
            json_text_member("text", bytes, len);
            out_printf("}");
            continue;
        }
        if (!opts->pieces) {
            out_printf("%d\t", (int)ids->data[i]);
        }
        json_string(bytes, len);
        out_printf("\n");
    }
    return EXIT_OK;
}

static int print(const tokenize_opts *opts, const lfm2_model *model, const id_list *ids)
{
    if (opts->ids) {
        for (size_t i = 0; i < ids->n; i++) {
            out_printf("%s%d", i > 0 ? "," : "", (int)ids->data[i]);
        }
        out_printf("\n");
        return EXIT_OK;
    }
    if (opts->json) {
        out_printf("{\"n\":%zu,\"ids\":", ids->n);
        json_ids(ids->data, ids->n);
        out_printf(",\"tokens\":[");
    }
    int code = print_tokens(opts, model, ids);
    if (opts->json) {
        out_printf("]}\n");
    }
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    tokenize_opts opts = {0};
    int code = options_parse(self, argc, argv, &opts, NULL);
    if (code != PARSED) {
        return code;
    }
    if (opts.ids + opts.pieces + opts.json > 1) {
        return fail_usage(self->name, "--ids, --pieces and --json do not go together");
    }
    text_buffer text = {0};
    id_list ids = {0};
    open_model opened = {0};
    code = text_input(self->name, opts.prompt, opts.file, &text);
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_TOKENIZER, &opened);
    }
    if (code == EXIT_OK) {
        uint32_t flags =
            (opts.no_bos ? 0U : LFM2_TOKENIZE_BOS) | (opts.special ? LFM2_TOKENIZE_SPECIAL : 0U);
        code = ids_of_text(opened.model, text.data, text.len, flags, &ids);
    }
    if (code == EXIT_OK) {
        code = print(&opts, opened.model, &ids);
    }
    ids_free(&ids);
    text_free(&text);
    model_close(&opened);
    return code;
}

const command cmd_tokenize = {
    .name = "tokenize",
    .summary = "Turn text into token ids.",
    .synopsis = "[-m PATH] [-p TEXT | -f FILE] [OPTION]...",
    .details = "Prints a line for each token: its id, a tab, and its text as a JSON string. The "
               "text is taken as it\nis, a newline at its end included. No weights are read.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .run = run,
};
