/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 perplexity: measures how well a model predicts a text, and how it differs from another. */
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/options/model_options.h"
#include "cli/options/session_options.h"
#include "cli/support/divergence.h"
#include "cli/support/interrupt.h"
#include "cli/support/logprob_file.h"
#include "cli/support/messages.h"
#include "cli/support/progress.h"
#include "cli/support/scored_chat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WINDOW = 512 };

typedef struct perplexity_options {
    model_options model;
    session_options session; /* n_ctx is the window size; 0 = not given */
    template_options chat_template;
    const char *file, *messages, *save, *base;
    uint32_t save_type, windows;
    bool special, json;
} perplexity_options;

static const opt_choice save_choices[] = {
    {"f32", LOGPROB_F32, NULL}, {"f16", LOGPROB_F16, NULL}, {NULL, 0, NULL}};

static const opt_special all_windows[] = {{-1, 0, "all"}, {0, 0, "all"}, {0, 0, NULL}};

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .letter = 'f',
     .name = "file",
     .arg = "FILE",
     .help = "read the text from FILE; - = standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(perplexity_options, file)},
    {.type = OPT_TEXT,
     .name = "messages",
     .arg = "FILE",
     .help = "score the answers in the conversations of FILE, one on each line: a JSON array of "
             "messages, or an object with \"messages\" and maybe \"tools\"; - = standard input",
     .offset = offsetof(perplexity_options, messages)},
    {.type = OPT_U32,
     .letter = 'c',
     .name = "ctx",
     .aliases = "--ctx-size",
     .arg = "N",
     .help = "window size in tokens; with --messages, the context size",
     .default_text = "512; with --messages 4096, or the context length of the model if that is "
                     "smaller",
     .offset = offsetof(perplexity_options, session) + offsetof(session_options, n_ctx),
     .min = 4,
     .max = 1 << 20},
    {.type = OPT_U32,
     .name = "windows",
     .aliases = "--chunks",
     .arg = "N",
     .help = "use the first N windows only",
     .default_text = "-1",
     .offset = offsetof(perplexity_options, windows),
     .min = 1,
     .max = 1 << 20,
     .specials = all_windows},
    {.type = OPT_TEXT,
     .name = "save-logits",
     .arg = "FILE",
     .help = "save the log-probabilities, as a reference for --kl-base",
     .offset = offsetof(perplexity_options, save)},
    {.type = OPT_CHOICE,
     .name = "save-type",
     .arg = "TYPE",
     .help = "data type of the saved log-probabilities",
     .default_text = "f32",
     .offset = offsetof(perplexity_options, save_type),
     .choices = save_choices},
    {.type = OPT_TEXT,
     .name = "kl-base",
     .arg = "FILE",
     .help = "compare with the log-probabilities in FILE, on the same text and windows",
     .offset = offsetof(perplexity_options, base)},
    {.type = OPT_FLAG,
     .name = "special",
     .help = "recognize control tokens in the text",
     .offset = offsetof(perplexity_options, special)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object",
     .offset = offsetof(perplexity_options, json)},
    {.type = OPT_END},
};

static const opt_spec llama_files[] = {
    {.type = OPT_REFUSED,
     .aliases = "--kl-divergence --kl-divergence-base --save-all-logits",
     .help =
         "lfm2 has a different file format: --save-logits FILE writes it, --kl-base FILE reads it"},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Text and output", specs, 0, NULL},
    TEMPLATE_GROUP(perplexity_options, chat_template),
    SESSION_MEMORY_GROUPS(perplexity_options, session),
    MODEL_GROUPS(perplexity_options, model),
    MODEL_MERGES_GROUP(perplexity_options, model),
    {NULL, llama_files, 0, NULL},
    COMPAT_GROUP,
};

/* The state of a measurement. */
typedef struct measure {
    const perplexity_options *opts;
    lfm2_session *session;
    logprob_header shape; /* of the windows; its type is that of the saved values */
    const int32_t *ids;
    outfile save;
    bool saving;
    logprob_reader base;
    bool comparing;
    /* With --messages: the windows are conversations of different lengths. */
    chat_format format;
    text_buffer tools;
    scored_chat chat;
    progress bar;
    float *logits;    /* [step][n_vocab] */
    float *logprobs;  /* [n_vocab] */
    float *base_row;  /* [n_vocab] */
    double nll, nll2; /* sums over the scored tokens */
    double base_nll;
    uint64_t n;      /* scored tokens */
    double *kl;      /* divergence of each scored token: [windows * rows] */
    uint64_t n_same; /* scored tokens where both models predict the same most likely token */
} measure;

enum { EVAL_STEP = 64 };

/* Scores one row of logits against `next`, the token of the text. */
static int score(measure *m, const float *logits, int32_t next)
{
    uint32_t n_vocab = m->shape.n_vocab;
    int code = EXIT_OK;
    log_softmax(logits, m->logprobs, n_vocab);
    double nll = -(double)m->logprobs[next];
    m->nll += nll;
    m->nll2 += nll * nll;
    if (m->saving) {
        code = logprob_write_row(&m->save, &m->shape, m->logprobs);
    }
    if (m->comparing && code == EXIT_OK) {
        code = logprob_read_row(&m->base, m->base_row);
        if (code == EXIT_OK) {
            m->base_nll -= (double)m->base_row[next];
            m->kl[m->n] = divergence(m->base_row, m->logprobs, n_vocab);
            m->n_same += argmax(m->base_row, n_vocab) == argmax(m->logprobs, n_vocab);
        }
    }
    m->n++;
    return code;
}

static int run_window(measure *m, const int32_t *ids)
{
    uint32_t n_ctx = m->shape.n_ctx;
    uint32_t first = n_ctx / 2;
    int32_t status = lfm2_session_reset(m->session);
    if (status == LFM2_OK) {
        status = interrupt_status(lfm2_session_prefill(m->session, ids, first));
    }
    int code = interrupt_code(status);
    for (uint32_t at = first; at + 1 < n_ctx && code == EXIT_OK;) {
        uint32_t n = n_ctx - 1 - at < EVAL_STEP ? n_ctx - 1 - at : EVAL_STEP;
        code =
            interrupt_code(interrupt_status(lfm2_session_eval(m->session, ids + at, n, m->logits)));
        for (uint32_t i = 0; i < n && code == EXIT_OK; i++) {
            code = score(m, m->logits + (size_t)i * m->shape.n_vocab, ids[at + i + 1]);
        }
        at += n;
    }
    return code;
}

static int run_windows(measure *m)
{
    progress bar;
    progress_begin(&bar, "measuring");
    int code = EXIT_OK;
    for (uint32_t w = 0; w < m->shape.n_windows && code == EXIT_OK; w++) {
        code = run_window(m, m->ids + (size_t)w * m->shape.n_ctx);
        progress_update(&bar, (w + 1.0) / m->shape.n_windows);
        if (code == EXIT_OK && m->opts->model.verbose) {
            notice("window %u of %u: perplexity %.4f so far", w + 1, m->shape.n_windows,
                   exp(m->nll / (double)m->n));
        }
    }
    progress_end(&bar);
    return code;
}

/* ---- Conversations -------------------------------------------------------------------------- */

/* Scores the answers of m->chat. */
static int run_chat(measure *m)
{
    const id_list *ids = &m->chat.ids;
    const char *answers = m->chat.answers.data;
    size_t first = 1; /* the first token of an answer */
    while (first < ids->n && answers[first] == 0) {
        first++;
    }
    int32_t status = lfm2_session_reset(m->session);
    if (status == LFM2_OK && first < ids->n && first > 1) {
        status = interrupt_status(lfm2_session_prefill(m->session, ids->data, first - 1));
    }
    int code = interrupt_code(status);
    for (size_t at = first - 1; at + 1 < ids->n && code == EXIT_OK;) {
        uint32_t n = ids->n - 1 - at < EVAL_STEP ? (uint32_t)(ids->n - 1 - at) : EVAL_STEP;
        code = interrupt_code(
            interrupt_status(lfm2_session_eval(m->session, ids->data + at, n, m->logits)));
        for (uint32_t i = 0; i < n && code == EXIT_OK; i++) {
            if (answers[at + i + 1] != 0) {
                code = score(m, m->logits + (size_t)i * m->shape.n_vocab, ids->data[at + i + 1]);
            }
        }
        at += n;
    }
    return code;
}

static int run_line(void *user, const char *line, size_t len, size_t number, double done)
{
    measure *m = user;
    char name[512];
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    const lf_json *value = NULL;
    lf_arena_init(&arena, &alloc);
    snprintf(name, sizeof name, "%s: line %zu", m->opts->messages, number);
    int32_t status = lf_json_parse(&arena, name, LFM2_E_FORMAT, line, len, &value);
    int code = status == LFM2_OK ? EXIT_OK
                                 : fail(status == LFM2_E_MEMORY ? "cli.memory" : "cli.messages",
                                        "%s", lf_fail_text());
    if (code == EXIT_OK) {
        code = scored_chat_make(&m->format, name, value, &m->tools, &m->chat);
    }
    lf_arena_free(&arena);
    if (code == EXIT_OK && m->chat.ids.n > lfm2_session_capacity(m->session)) {
        code = fail("cli.context",
                    "%s: the conversation has %zu tokens, the context has space for %u: -c N sets "
                    "its size",
                    name, m->chat.ids.n, lfm2_session_capacity(m->session));
    }
    if (code == EXIT_OK) {
        code = run_chat(m);
        m->shape.n_windows++;
    }
    progress_update(&m->bar, done);
    return code;
}

static int run_chats(measure *m)
{
    text_buffer file = {0};
    int code = text_read(m->opts->messages, &file);
    if (code == EXIT_OK) {
        progress_begin(&m->bar, "measuring");
        code = for_each_line(&file, run_line, m);
        progress_end(&m->bar);
    }
    if (code == EXIT_OK && m->n == 0) {
        code = fail("cli.messages", "%s: the file has no answers to score", m->opts->messages);
    }
    text_free(&file);
    return code;
}

/* ---- Result --------------------------------------------------------------------------------- */

static void print_member(const char *key, double value)
{
    out_printf(",\"%s\":", key);
    json_number(value);
}

static void print(measure *m)
{
    double n = (double)m->n;
    double mean = m->nll / n;
    double variance = m->nll2 / n - mean * mean;
    double error = m->n > 1 && variance > 0 ? sqrt(variance / (n - 1)) : 0;
    bool json = m->opts->json;
    bool chats = m->opts->messages != NULL;
    if (json) {
        out_printf("{\"%s\":%u,\"n_ctx\":%u,\"n_scored\":%llu", chats ? "conversations" : "windows",
                   m->shape.n_windows, m->shape.n_ctx, (unsigned long long)m->n);
        print_member("perplexity", exp(mean));
        print_member("perplexity_error", exp(mean) * error);
    } else {
        out_printf("perplexity: %.4f +- %.4f (%llu token%s scored in %u %s%s", exp(mean),
                   exp(mean) * error, (unsigned long long)m->n, plural(m->n), m->shape.n_windows,
                   chats ? "conversation" : "window", plural(m->shape.n_windows));
        out_printf(chats ? ")\n" : " of %u)\n", m->shape.n_ctx);
    }
    if (m->comparing) {
        kl_result kl = kl_summary(m->kl, m->n, m->n_same);
        double base = exp(m->base_nll / n);
        if (json) {
            print_member("base_perplexity", base);
            print_member("kl_mean", kl.mean);
            print_member("kl_error", kl.error);
            print_member("kl_median", kl.median);
            print_member("kl_p99", kl.p99);
            print_member("kl_max", kl.max);
            print_member("same_top", kl.same);
        } else {
            out_printf("perplexity of the reference: %.4f\n"
                       "KL divergence: mean %.6g +- %.2g, median %.6g, 99th percentile %.6g, "
                       "maximum %.6g\n"
                       "same most likely token: %.3f %%\n",
                       base, kl.mean, kl.error, kl.median, kl.p99, kl.max, 100 * kl.same);
        }
    }
    if (json) {
        out_printf("}\n");
    }
}

/* ---- Setup ---------------------------------------------------------------------------------- */

/* Divides the text into windows. Each starts with the BOS, if the model has one. */
static int make_windows(measure *m, const lfm2_model *model, id_list *ids)
{
    const perplexity_options *opts = m->opts;
    text_buffer text = {0};
    id_list bos = {0};
    int code = text_input("perplexity", NULL, opts->file,
                          "no text: give it in a file (-f FILE) or through a pipe", &text);
    if (code == EXIT_OK) {
        uint32_t flags = LFM2_TOKENIZE_BOS | (opts->special ? LFM2_TOKENIZE_SPECIAL : 0U);
        code = ids_of_document(model, &text, flags, false, ids);
    }
    if (code == EXIT_OK) {
        code = ids_of_text(model, "", 0, LFM2_TOKENIZE_BOS, &bos);
    }
    size_t windows = ids->n / m->shape.n_ctx;
    if (opts->windows > 0 && windows > opts->windows) {
        windows = opts->windows;
    }
    if (code == EXIT_OK && (windows == 0 || windows > 1 << 20)) {
        code =
            windows == 0
                ? fail("cli.text", "the text has %zu token%s, but a window (-c) needs %u", ids->n,
                       plural(ids->n), m->shape.n_ctx)
                : fail("cli.text", "the text has %zu windows; allowed: up to %d", windows, 1 << 20);
    }
    for (size_t w = 0; w < windows && bos.n == 1 && code == EXIT_OK; w++) {
        ids->data[w * m->shape.n_ctx] = bos.data[0];
    }
    m->shape.n_windows = (uint32_t)windows;
    m->ids = ids->data;
    ids_free(&bos);
    text_free(&text);
    return code;
}

/* Takes the windows from the reference. */
static int use_base(measure *m)
{
    uint32_t n_vocab = m->shape.n_vocab;
    int code = logprob_open(m->opts->base, &m->base);
    if (code != EXIT_OK) {
        return code;
    }
    m->shape = m->base.header;
    m->ids = m->base.ids;
    if (m->opts->windows > 0 && m->shape.n_windows > m->opts->windows) {
        m->shape.n_windows = m->opts->windows;
    }
    if (m->opts->session.n_ctx != 0 && m->opts->session.n_ctx != m->shape.n_ctx) {
        return fail("cli.kl.window",
                    "%s: the windows of the reference have %u tokens, but -c is %u", m->opts->base,
                    m->shape.n_ctx, m->opts->session.n_ctx);
    }
    if (m->shape.n_vocab != n_vocab) {
        return fail("cli.kl.vocab",
                    "%s: the vocabulary of the reference has %u tokens, that of the model %u",
                    m->opts->base, m->shape.n_vocab, n_vocab);
    }
    return EXIT_OK;
}

static int allocate(measure *m)
{
    size_t row = m->shape.n_vocab * sizeof(float);
    size_t rows = (size_t)m->shape.n_windows * logprob_rows(m->shape.n_ctx);
    m->logits = calloc(EVAL_STEP, row);
    m->logprobs = malloc(row);
    m->base_row = malloc(row);
    m->kl = m->comparing ? calloc(rows, sizeof *m->kl) : NULL;
    if (m->logits == NULL || m->logprobs == NULL || m->base_row == NULL ||
        (m->comparing && m->kl == NULL)) {
        return fail("cli.memory", "out of memory");
    }
    return EXIT_OK;
}

static int start_saving(measure *m)
{
    if (m->opts->save == NULL) {
        return EXIT_OK;
    }
    m->shape.type = m->opts->save_type;
    m->saving = true;
    int code = outfile_open(m->opts->save, &m->save);
    return code == EXIT_OK ? logprob_write_header(&m->save, &m->shape, m->ids) : code;
}

/* Makes m->shape and the windows, or opens the format of the conversations. */
static int prepare(measure *m, open_model *opened, id_list *ids)
{
    const perplexity_options *opts = m->opts;
    lfm2_model_info info = {.size = sizeof info};
    if (lfm2_model_get_info(opened->model, &info) != LFM2_OK) {
        return fail_library();
    }
    m->shape = (logprob_header){.n_vocab = info.n_vocab, .n_ctx = opts->session.n_ctx};
    if (opts->messages != NULL) {
        return chat_format_open(&opts->chat_template, &m->tools, opened, opts->model.verbose,
                                &m->format);
    }
    if (m->shape.n_ctx == 0) {
        m->shape.n_ctx = DEFAULT_WINDOW;
    }
    return m->comparing ? use_base(m) : make_windows(m, opened->model, ids);
}

static int perform(measure *m, open_model *opened, id_list *ids)
{
    int code = prepare(m, opened, ids);
    if (code == EXIT_OK) {
        session_options session = m->opts->session;
        session.n_ctx = m->shape.n_ctx;
        code = session_open(&session, opened->model, &m->session);
    }
    if (code == EXIT_OK && m->opts->messages != NULL) {
        m->shape.n_ctx = lfm2_session_capacity(m->session);
    }
    if (code == EXIT_OK) {
        code = allocate(m);
    }
    if (code == EXIT_OK) {
        interrupt_begin(m->session);
        code = start_saving(m);
        if (code == EXIT_OK) {
            code = m->opts->messages != NULL ? run_chats(m) : run_windows(m);
        }
        if (code == EXIT_OK && m->saving) {
            code = outfile_commit(&m->save);
        }
        outfile_discard(&m->save);
        interrupt_end();
    }
    if (code == EXIT_OK) {
        print(m);
    }
    return code;
}

/* Checks which options were given together. */
static int check_options(const command *self, const perplexity_options *opts)
{
    if (opts->base != NULL && opts->file != NULL) {
        return fail_usage(self->name,
                          "-f cannot be combined with --kl-base, which contains the text");
    }
    if (opts->messages == NULL && template_options_given(&opts->chat_template)) {
        return fail_usage(self->name, "options of the chat template require --messages");
    }
    if (opts->messages != NULL && (opts->file != NULL || opts->special || opts->windows != 0 ||
                                   opts->save != NULL || opts->base != NULL)) {
        return fail_usage(self->name, "--messages cannot be combined with -f, --special, "
                                      "--windows, --save-logits and --kl-base");
    }
    return PARSED;
}

static int run(const command *self, int argc, char **argv)
{
    perplexity_options opts = {.windows = 0};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code == PARSED) {
        code = check_options(self, &opts);
    }
    if (code != PARSED) {
        return code;
    }
    measure m = {.opts = &opts, .comparing = opts.base != NULL};
    open_model opened = {0};
    id_list ids = {0};
    code = model_open(&opts.model, LFM2_LOAD_FULL, &opened);
    if (code == EXIT_OK) {
        code = perform(&m, &opened, &ids);
    }
    free(m.logits);
    free(m.logprobs);
    free(m.base_row);
    free(m.kl);
    logprob_close(&m.base);
    scored_chat_free(&m.chat);
    chat_format_close(&m.format);
    text_free(&m.tools);
    lfm2_session_free(m.session);
    ids_free(&ids);
    model_close(&opened);
    return code;
}

const command cmd_perplexity = {
    .name = "perplexity",
    .also = "ppl",
    .summary = "Measure how well a model predicts a text.",
    .synopsis = "[MODEL | -m PATH] [-f FILE | --messages FILE] [OPTION]...",
    .details =
        "The text is divided into windows of -c tokens. The BOS replaces the first token of "
        "each, and an incomplete window at the end is not used. Only the second half of a "
        "window is scored, so that every scored token has a context of at least half a window, "
        "as in llama-perplexity.\n\n"
        "With --messages, each conversation is rendered with the chat template and read from its "
        "start. The tokens of its answers are scored, up to the end of the turn: what the model "
        "would generate after the prompt for each. If the template changes an answer when the "
        "conversation continues (some drop the reasoning), only the tokens before the change are "
        "scored.\n\n"
        "--save-logits in one run and --kl-base in another measure the Kullback-Leibler "
        "divergence of the second from the first: mean, median, 99th percentile and maximum "
        "over the scored tokens, and how often both predict the same most likely token.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
