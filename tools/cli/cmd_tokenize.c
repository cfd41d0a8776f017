/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 tokenize: converts text to token ids. */
#include "cli/commands.h"
#include "cli/options/model_options.h"
#include "cli/support/json.h"
#include "cli/support/model_open.h"
#include "cli/support/token_ids.h"

typedef struct tokenize_options {
    model_options model;
    const char *prompt, *file;
    bool special, no_bos, ids, pieces, json;
} tokenize_options;

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .letter = 'p',
     .name = "prompt",
     .arg = "TEXT",
     .help = "text to tokenize",
     .offset = offsetof(tokenize_options, prompt)},
    {.type = OPT_TEXT,
     .letter = 'f',
     .name = "file",
     .arg = "FILE",
     .help = "read the text from FILE; - = standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(tokenize_options, file)},
    {.type = OPT_FLAG,
     .name = "special",
     .help = "recognize control tokens in the text",
     .offset = offsetof(tokenize_options, special)},
    {.type = OPT_FLAG,
     .name = "no-bos",
     .help = "do not add the BOS token (with --special, a text that begins with it gets no second "
             "one)",
     .offset = offsetof(tokenize_options, no_bos)},
    {.type = OPT_FLAG,
     .name = "ids",
     .help = "print the ids on one line, comma-separated",
     .offset = offsetof(tokenize_options, ids)},
    {.type = OPT_FLAG,
     .name = "pieces",
     .help = "print the text of each token on its own line, as a JSON string",
     .offset = offsetof(tokenize_options, pieces)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object",
     .offset = offsetof(tokenize_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Text", specs, 0, NULL},
    MODEL_FILE_GROUP(tokenize_options, model),
    MODEL_MERGES_GROUP(tokenize_options, model),
};

static int print_tokens(const tokenize_options *opts, const lfm2_model *model, const id_list *ids)
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

static int print(const tokenize_options *opts, const lfm2_model *model, const id_list *ids)
{
    if (opts->ids) {
        ids_print(ids);
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
    tokenize_options opts = {0};
    int code = options_parse(self, argc, argv, &opts, NULL);
    if (code != PARSED) {
        return code;
    }
    if (opts.ids + opts.pieces + opts.json > 1) {
        return fail_usage(self->name, "--ids, --pieces and --json cannot be combined");
    }
    text_buffer text = {0};
    id_list ids = {0};
    open_model opened = {0};
    code = text_input(self->name, opts.prompt, opts.file,
                      "no text: give it with -p, in a file (-f FILE) or through a pipe", &text);
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_TOKENIZER, &opened);
    }
    if (code == EXIT_OK) {
        uint32_t flags =
            (opts.no_bos ? 0U : LFM2_TOKENIZE_BOS) | (opts.special ? LFM2_TOKENIZE_SPECIAL : 0U);
        code = ids_of_document(opened.model, &text, flags, false, &ids);
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
    .also = "encode",
    .summary = "Convert text to token ids.",
    .synopsis = "[-m PATH] [-p TEXT | -f FILE] [OPTION]...",
    .details =
        "Prints a line for each token: its id, a tab, and its text as a JSON string. A newline "
        "at the end of the text is part of the text. The weights of the model are not loaded.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .run = run,
};
