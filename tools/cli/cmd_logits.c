/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 logits: writes the logits after each token of a list, to compare implementations. */
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/options/model_options.h"
#include "cli/options/session_options.h"
#include "cli/support/interrupt.h"
#include "cli/support/json.h"
#include "cli/support/model_open.h"
#include "cli/support/outfile.h"
#include "cli/support/progress.h"
#include "cli/support/token_ids.h"

#include <stdlib.h>
#include <string.h>

typedef struct logits_options {
    model_options model;
    session_options session;
    const char *ids, *ids_file, *out;
    uint32_t step;
    bool json;
} logits_options;

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .name = "ids",
     .arg = "LIST",
     .help = "token ids, separated by commas or white space",
     .offset = offsetof(logits_options, ids)},
    {.type = OPT_TEXT,
     .name = "ids-file",
     .arg = "FILE",
     .help = "read the ids from FILE; - = standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(logits_options, ids_file)},
    {.type = OPT_TEXT,
     .letter = 'o',
     .name = "output",
     .arg = "FILE",
     .help = "output file",
     .offset = offsetof(logits_options, out)},
    {.type = OPT_U32,
     .name = "step",
     .arg = "K",
     .help = "number of tokens in one call of the library",
     .default_text = "64",
     .offset = offsetof(logits_options, step),
     .min = 1,
     .max = 1 << 20},
    {.type = OPT_U32,
     .letter = 'c',
     .name = "ctx",
     .aliases = "--ctx-size",
     .arg = "N",
     .help = "context size in tokens",
     .default_text = "the number of ids",
     .offset = offsetof(logits_options, session) + offsetof(session_options, n_ctx),
     .min = 1,
     .max = INT32_MAX,
     .specials = ctx_specials},
    {.type = OPT_U32,
     .name = "chunk",
     .aliases = "-ub --ubatch-size",
     .arg = "N",
     .help = "maximum number of tokens in one pass; 0 = the default",
     .default_text = "512",
     .offset = offsetof(logits_options, session) + offsetof(session_options, n_chunk),
     .max = INT32_MAX},
    {.type = OPT_CHOICE,
     .name = "kv",
     .arg = "TYPE",
     .help = "data type of the KV cache",
     .default_text = "f32",
     .offset = offsetof(logits_options, session) + offsetof(session_options, kv),
     .choices = kv_choices},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print a summary as one JSON object",
     .offset = offsetof(logits_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Input and output", specs, 0, NULL},
    MODEL_GROUPS(logits_options, model),
    COMPAT_GROUP,
};

static int evaluate(const logits_options *opts, lfm2_session *session, const id_list *ids,
                    uint32_t n_vocab, outfile *file)
{
    size_t step = opts->step < ids->n ? opts->step : ids->n;
    float *rows = calloc(step, n_vocab * sizeof *rows);
    if (rows == NULL) {
        return fail("cli.memory", "out of memory for the logits of %zu tokens", step);
    }
    progress bar;
    progress_begin(&bar, "computing");
    int code = EXIT_OK;
    for (size_t i = 0; i < ids->n && code == EXIT_OK; i += step) {
        size_t n = ids->n - i < step ? ids->n - i : step;
        code = interrupt_code(interrupt_status(lfm2_session_eval(session, ids->data + i, n, rows)));
        if (code == EXIT_OK) {
            code = outfile_write(file, rows, n * n_vocab * sizeof *rows);
        }
        progress_update(&bar, (double)(i + n) / (double)ids->n);
    }
    progress_end(&bar);
    free(rows);
    return code;
}

static int write_logits(logits_options *opts, const open_model *opened, const id_list *ids)
{
    lfm2_model_info info = {.size = sizeof info};
    lfm2_session *session = NULL;
    outfile file = {0};
    if (opts->session.n_ctx == 0) {
        opts->session.n_ctx = (uint32_t)(ids->n < INT32_MAX ? ids->n : INT32_MAX);
    }
    int code = lfm2_model_get_info(opened->model, &info) == LFM2_OK ? EXIT_OK : fail_library();
    if (code == EXIT_OK) {
        code = session_open(&opts->session, opened->model, &session);
    }
    if (code == EXIT_OK) {
        code = outfile_open(opts->out, &file);
    }
    if (code == EXIT_OK) {
        interrupt_begin(session);
        code = evaluate(opts, session, ids, info.n_vocab, &file);
        if (code == EXIT_OK) {
            code = outfile_commit(&file);
        }
        outfile_discard(&file);
        interrupt_end();
    }
    if (code == EXIT_OK && opts->json) {
        out_printf("{\"file\":");
        json_string(opts->out, strlen(opts->out));
        out_printf(",\"n_tokens\":%zu,\"n_vocab\":%u}\n", ids->n, info.n_vocab);
    }
    lfm2_session_free(session);
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    logits_options opts = {.step = 64, .session.kv = LFM2_KV_F32};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code != PARSED) {
        return code;
    }
    if (opts.out == NULL) {
        return fail_usage(self->name, "no output file: use -o FILE");
    }
    id_list ids = {0};
    open_model opened = {0};
    code = ids_input(self->name, opts.ids, opts.ids_file, &ids);
    if (code == EXIT_OK && ids.n == 0) {
        code = fail("cli.ids", "the list of token ids is empty");
    }
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_FULL, &opened);
    }
    if (code == EXIT_OK) {
        code = write_logits(&opts, &opened, &ids);
    }
    ids_free(&ids);
    model_close(&opened);
    return code;
}

const command cmd_logits = {
    .name = "logits",
    .summary = "Write the logits after each token of a list to a file.",
    .synopsis = "[MODEL] [--ids LIST | --ids-file FILE] -o FILE [OPTION]...",
    .details = "FILE receives 32-bit little-endian floats: for each id, the n_vocab logits of the "
               "next token. No BOS is added. The KV cache is f32 and as large as the list, unless "
               "--kv or -c is given.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
