/* SPDX-License-Identifier: Apache-2.0 */
/* Generates an answer: divides it into reasoning and content, and limits the reasoning. */
#include "cli/support/answer.h"
#include "cli/support/interrupt.h"

#include <string.h>

static void on_split(void *user, answer_channel channel, const char *text, size_t len)
{
    answer *a = user;
    if (channel == ANSWER_REASONING) {
        a->reasoned = true;
        a->last_byte = len > 0 ? text[len - 1] : 0;
    }
    if (a->on_text != NULL && a->on_text(a->user, channel, text, len) != 0) {
        a->stopped = true;
    }
}

static int32_t on_generated(void *user, const lfm2_generated_token *token)
{
    answer *a = user;
    bool reasoning = a->splitter.channel == ANSWER_REASONING;
    if (token->id >= 0) {
        a->code = ids_append(&a->ids, &token->id, 1);
        if (a->on_token != NULL && a->on_token(a->user, token) != 0) {
            a->stopped = true;
        }
    }
    if (a->format == NULL) {
        on_split(a, ANSWER_CONTENT, token->text, token->len);
    } else {
        reasoning_push(&a->splitter, token->id, token->text, token->len);
    }
    reasoning = a->format != NULL && a->splitter.channel == ANSWER_REASONING && reasoning;
    a->n_reasoning += reasoning && token->id >= 0;
    a->over = a->splitter.channel == ANSWER_REASONING && a->budget >= 0 &&
              a->n_reasoning >= (uint32_t)a->budget && token->id >= 0;
    return a->code != EXIT_OK || a->stopped || a->over ? 1 : 0;
}

/* Adds the result of a call that continues the answer. */
static void add_result(lfm2_generate_result *sum, const lfm2_generate_result *more)
{
    sum->finish = more->finish;
    sum->stop_id = more->stop_id;
    sum->excluded_id = more->excluded_id;
    sum->n_generated += more->n_generated;
    sum->n_drafted += more->n_drafted;
    sum->n_accepted += more->n_accepted;
    sum->n_forced += more->n_forced;
    sum->generate_seconds += more->prompt_seconds + more->generate_seconds;
}

static int open_parser(answer *a)
{
    const chat_format *format = a->format;
    lfm2_chat_parser_options o;
    lfm2_chat_parser_options_init(&o, sizeof o);
    o.id_prefix = a->call_prefix;
    o.flags = a->open.len > 0 ? LFM2_CHAT_PARSE_REASONING : 0U;
    const bool tools = format->tools != NULL && format->tools->len > 0;
    o.tools = tools ? format->tools->data : "[]"; /* the model knows none */
    o.tools_len = tools ? format->tools->len : 2;
    int32_t status = lfm2_chat_parser_create(format->model, &o, &a->parser);
    a->options.parser = a->parser;
    return status == LFM2_OK ? EXIT_OK : fail_library();
}

/* Each call of the library finishes the parser: the next one continues with the tokens so far. */
static int32_t begin_parser(answer *a)
{
    int32_t status = a->parser != NULL ? lfm2_chat_parser_reset(a->parser) : LFM2_OK;
    return a->parser != NULL && status == LFM2_OK
               ? lfm2_chat_parser_push(a->parser, a->ids.data, a->ids.n)
               : status;
}

/* Calls the library once; `first` for the prompt of the caller. */
static int generate_part(answer *a, const id_list *prompt, bool first)
{
    uint32_t before = lfm2_session_length(a->session);
    size_t done = 0;
    int32_t status = LFM2_OK;
    lfm2_generate_result result;
    lfm2_generate_options options = a->options;
    if (a->ids.n < options.n_draft_ids) {
        options.draft_ids += a->ids.n; /* what follows the tokens that the answer has */
        options.n_draft_ids -= a->ids.n;
    } else {
        options.n_draft_ids = 0;
    }
    do {
        result = (lfm2_generate_result){.size = sizeof result, .stop_id = -1};
        status = begin_parser(a);
        if (status == LFM2_OK) {
            status = lfm2_generate(a->session, a->sampler, prompt->data + done, prompt->n - done,
                                   &options, &result);
        }
        done = lfm2_session_length(a->session) - before;
        /* A Ctrl-C just after the last answer may have cancelled this one before it started. */
    } while (status == LFM2_E_CANCELLED && !interrupt_seen() && done < prompt->n);
    if (status != LFM2_OK && status != LFM2_E_STOPPED && status != LFM2_E_CANCELLED) {
        return a->code != EXIT_OK ? a->code : fail_library();
    }
    if (first) {
        a->result = result;
    } else {
        add_result(&a->result, &result);
    }
    return a->code;
}

/* Whether the budget ended the last call and the answer can continue. */
static bool continues(const answer *a, uint32_t max_tokens)
{
    return a->code == EXIT_OK && a->over && !a->stopped &&
           a->result.finish == LFM2_FINISH_CALLBACK && a->result.excluded_id < 0 &&
           (max_tokens == 0 || a->result.n_generated < max_tokens);
}

/* Makes the end of the reasoning the prompt of the next call. */
static int close_reasoning(answer *a, id_list *closing)
{
    closing->n = 0;
    a->over = false;
    int code = chat_format_close_reasoning(a->format, a->last_byte == '\n', closing);
    if (code == EXIT_OK) {
        code = ids_append(&a->ids, closing->data, closing->n);
    }
    for (size_t i = 0; i < closing->n && code == EXIT_OK; i++) {
        const char *text = "";
        size_t len = 0;
        if (lfm2_token_get(a->format->model, closing->data[i], &text, &len, NULL) != LFM2_OK) {
            return fail_library();
        }
        reasoning_push(&a->splitter, closing->data[i], text, len);
    }
    return code;
}

int answer_generate(answer *a, const id_list *prompt)
{
    const uint32_t max_tokens = a->options.max_tokens;
    const lfm2_chat_info *info = a->format != NULL ? &a->format->info : NULL;
    id_list closing = {0};
    a->options.callback = on_generated;
    a->options.callback_user = a;
    reasoning_begin(&a->splitter, info != NULL ? info->reasoning_start_id : -1,
                    info != NULL ? info->reasoning_end_id : -1, a->open.len > 0, on_split, a);
    a->last_byte = a->open.len > 0 ? a->open.text[a->open.len - 1] : 0;
    int code = a->format != NULL ? open_parser(a) : EXIT_OK;
    code = code == EXIT_OK ? generate_part(a, prompt, true) : code;
    while (code == EXIT_OK && continues(a, max_tokens)) {
        code = close_reasoning(a, &closing);
        uint32_t left = lfm2_session_capacity(a->session) - lfm2_session_length(a->session);
        if (code == EXIT_OK && closing.n >= left) {
            a->result.finish = LFM2_FINISH_CONTEXT;
            a->ids.n -= closing.n;
            break;
        }
        a->options.constraint = a->after_reasoning;
        a->options.max_tokens = max_tokens == 0 ? 0 : max_tokens - a->result.n_generated;
        code = code == EXIT_OK ? generate_part(a, &closing, false) : code;
    }
    if (code == EXIT_OK && a->over && !a->stopped && a->result.finish == LFM2_FINISH_CALLBACK) {
        a->result.finish = a->result.excluded_id >= 0 ? LFM2_FINISH_CONTEXT : LFM2_FINISH_LENGTH;
    }
    reasoning_end(&a->splitter);
    ids_free(&closing);
    return code;
}

int answer_constrain(answer *a, lfm2_model *model, const constraint_options *options,
                     const constraint_text *text, const reasoning_options *reasoning)
{
    const lfm2_chat_info *info = a->format != NULL ? &a->format->info : NULL;
    int32_t kind = LFM2_REASONING_NONE;
    if (a->open.len > 0) {
        kind = LFM2_REASONING_OPEN;
    } else if (info != NULL && info->reasoning_start_id >= 0 && reasoning->mode != REASONING_OFF) {
        kind = LFM2_REASONING_ALLOWED;
    }
    int code = constraint_open(model, options, text, kind, &a->constraint);
    if (code == EXIT_OK && kind != LFM2_REASONING_NONE && reasoning->budget >= 0) {
        code = constraint_open(model, options, text, LFM2_REASONING_NONE, &a->after_reasoning);
    }
    a->options.constraint = a->constraint;
    return code;
}

void answer_free(answer *a)
{
    ids_free(&a->ids);
    lfm2_chat_parser_free(a->parser);
    lfm2_constraint_free(a->constraint);
    lfm2_constraint_free(a->after_reasoning);
}
