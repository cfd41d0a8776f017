/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 detokenize: converts token ids to text. */
#include "cli/commands.h"
#include "cli/options/model_options.h"
#include "cli/support/json.h"
#include "cli/support/model_open.h"
#include "cli/support/token_ids.h"

typedef struct detokenize_options {
    model_options model;
    const char *ids, *ids_file;
    bool special, json;
} detokenize_options;

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .name = "ids",
     .arg = "LIST",
     .help = "token ids, separated by commas or white space",
     .offset = offsetof(detokenize_options, ids)},
    {.type = OPT_TEXT,
     .name = "ids-file",
     .arg = "FILE",
     .help = "read the ids from FILE; - = standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(detokenize_options, ids_file)},
    {.type = OPT_FLAG,
     .name = "special",
     .help = "print control tokens instead of skipping them",
     .offset = offsetof(detokenize_options, special)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object",
     .offset = offsetof(detokenize_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Input and output", specs, 0, NULL},
    MODEL_FILE_GROUP(detokenize_options, model),
};

static int run(const command *self, int argc, char **argv)
{
    detokenize_options opts = {0};
    int code = options_parse(self, argc, argv, &opts, NULL);
    if (code != PARSED) {
        return code;
    }
    text_buffer text = {0};
    id_list ids = {0};
    open_model opened = {0};
    code = ids_input(self->name, opts.ids, opts.ids_file, &ids);
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_TOKENIZER, &opened);
    }
    if (code == EXIT_OK) {
        uint32_t flags = opts.special ? LFM2_DETOKENIZE_SPECIAL : 0U;
        code = text_of_ids(opened.model, ids.data, ids.n, flags, &text);
    }
    if (code == EXIT_OK && opts.json) {
        out_printf("{\"n\":%zu,", ids.n);
        json_text_member("text", text.data, text.len);
        out_printf("}\n");
    } else if (code == EXIT_OK) {
        out_model_text(text.data, text.len);
    }
    ids_free(&ids);
    text_free(&text);
    model_close(&opened);
    return code;
}

const command cmd_detokenize = {
    .name = "detokenize",
    .also = "decode",
    .summary = "Convert token ids to text.",
    .synopsis = "[-m PATH] [--ids LIST | --ids-file FILE] [OPTION]...",
    .details =
        "Prints exactly the bytes of the tokens, without a newline at the end. The weights of "
        "the model are not loaded.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .run = run,
};
