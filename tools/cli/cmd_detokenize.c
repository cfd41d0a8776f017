/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 detokenize: token ids to text. */
#include "cli/support/json.h"
#include "cli/options/model_opts.h"
#include "cli/support/tokens.h"

typedef struct detokenize_opts {
    model_opts model;
    const char *ids, *ids_file;
    bool special, json;
} detokenize_opts;

static const opt_spec specs[] = {
    {.kind = OPT_TEXT,
     .name = "ids",
     .arg = "LIST",
     .help = "the ids, with commas or white space between",
     .offset = offsetof(detokenize_opts, ids)},
    {.kind = OPT_TEXT,
     .name = "ids-file",
     .arg = "FILE",
     .help = "read the ids from FILE; - is standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(detokenize_opts, ids_file)},
    {.kind = OPT_FLAG,
     .name = "special",
     .help = "write control tokens by name instead of skipping them",
     .offset = offsetof(detokenize_opts, special)},
    {.kind = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object",
     .offset = offsetof(detokenize_opts, json)},
};

static const opt_group groups[] = {
    {"Ids", specs, COUNT(specs), 0, NULL},
    MODEL_FILE_GROUP(detokenize_opts, model),
};

static int run(const command *self, int argc, char **argv)
{
    detokenize_opts opts = {0};
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
    .summary = "Turn token ids into text.",
    .synopsis = "[-m PATH] [--ids LIST | --ids-file FILE] [OPTION]...",
    .details = "Writes exactly the bytes of the tokens; nothing is added at the end. No weights "
               "are read.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .run = run,
};
