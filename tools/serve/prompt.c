/* SPDX-License-Identifier: Apache-2.0 */
/* Makes token ids of conversations and texts. */
#include "serve/prompt.h"

#include "serve/reply.h"
#include "serve/state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void id_list_free(id_list *list)
{
    free(list->ids);
    *list = (id_list){0};
}

bool id_list_reserve(id_list *list, size_t n)
{
    if (n <= list->capacity) {
        return true;
    }
    int32_t *ids = n <= SIZE_MAX / sizeof *ids ? realloc(list->ids, n * sizeof *ids) : NULL;
    if (ids == NULL) {
        return false;
    }
    list->ids = ids;
    list->capacity = n;
    return true;
}

static bool out_of_memory(exchange *x)
{
    reply_failure_text(x, LFM2_E_MEMORY, NULL, "", "out of memory");
    return false;
}

void prompt_chat_options(const api *a, const job_request *request, lfm2_chat_options *options,
                         lfm2_time *now)
{
    lfm2_chat_options_init(options, sizeof *options);
    options->tools = request->tools;
    options->tools_len = request->tools_len;
    options->template_args = request->template_args;
    options->template_args_len = request->template_args_len;
    options->flags =
        request->continue_last || request->no_opening ? 0 : LFM2_CHAT_GENERATION_PROMPT;
    if (a->chat.parts == 0) {
        options->flags |= LFM2_CHAT_JOIN_PARTS;
    }
    time_t seconds = time(NULL);
    struct tm local;
    if (localtime_r(&seconds, &local) != NULL) {
        *now = (lfm2_time){.size = sizeof *now,
                           .year = local.tm_year + 1900,
                           .month = local.tm_mon + 1,
                           .day = local.tm_mday,
                           .hour = local.tm_hour,
                           .minute = local.tm_min,
                           .second = local.tm_sec < 60 ? local.tm_sec : 59};
        options->now = now;
    }
}

/* The answer that is continued ends with an end of its turn, and perhaps a newline: removes both.
 */
static void reopen_last(const api *a, id_list *ids)
{
    size_t n = ids->n;
    while (n > 0 && !lfm2_token_is_end(a->model, ids->ids[n - 1])) {
        n--;
    }
    ids->n = n > 0 ? n - 1 : ids->n;
}

/* The field whose value made rendering fail. */
static const char *param_of(int32_t status)
{
    const char *code = lfm2_last_error_code();
    if (status == LFM2_E_MEMORY || status == LFM2_E_STATE) {
        return NULL;
    }
    return strcmp(code, "chat.tools") == 0           ? "tools"
           : strcmp(code, "chat.template_args") == 0 ? "chat_template_kwargs"
                                                     : "messages";
}

/* ---- Prompts that are far too long ---- */

/* Tokenizing megabytes would stop all streams, only to say that they do not fit. So of a text with
 * more bytes than this for each token of the context, the beginning is tokenized first. Texts with
 * longer tokens exist, such as blanks: they are tokenized as a whole. */
enum { LONG_BYTES = 16, CUT_SLACK = 16 };

static bool is_long(const api *a, size_t len)
{
    return len / LONG_BYTES > a->n_ctx;
}

/* The number of tokens that a text has at least, from its first bytes. */
static size_t least_tokens(const api *a, const char *text, size_t len)
{
    size_t n = 0, most = (size_t)a->n_ctx * LONG_BYTES;
    if (len <= most) {
        (void)lfm2_tokenize(a->model, text, len, 0, NULL, 0, &n);
        return n;
    }
    /* The cut can divide a token. */
    (void)lfm2_tokenize(a->model, text, most, 0, NULL, 0, &n);
    return n > CUT_SLACK ? n - CUT_SLACK : 0;
}

static bool refuse_long(const api *a, exchange *x, const char *param, size_t n)
{
    if (n <= a->n_ctx) {
        return false;
    }
    reply_error(x, 400, "invalid_request_error", param, "context_length_exceeded",
                "the prompt has more than %zu tokens; the context has %u", n, a->n_ctx);
    return true;
}

/* Replies and returns true if the messages of users, tools and the system alone do not fit. What
 * the assistant said may be left out by a template. */
static bool refuse_long_messages(const api *a, exchange *x, const job_request *request)
{
    const lf_json *messages = NULL;
    size_t n = 0;
    if (!is_long(a, request->messages_len) ||
        lf_json_parse(x->arena, "messages", LFM2_E_TEXT, request->messages, request->messages_len,
                      &messages) != LFM2_OK) {
        return false;
    }
    for (const lf_json *m = messages->child; m != NULL && n <= a->n_ctx; m = m->next) {
        const lf_json *content = lf_json_get(m, "content");
        if (content != NULL && content->kind == LF_JSON_STRING &&
            !lf_json_is_string(lf_json_get(m, "role"), "assistant")) {
            n += least_tokens(a, content->text, content->len);
        }
    }
    return refuse_long(a, x, "messages", n);
}

bool prompt_render(api *a, exchange *x, const job_request *request, id_list *out)
{
    lfm2_chat_options options;
    lfm2_time now;
    if (refuse_long_messages(a, x, request)) {
        return false;
    }
    prompt_chat_options(a, request, &options, &now);
    /* A token rarely has fewer than two bytes; if it does, the second call has enough room. */
    out->n = (request->messages_len + request->tools_len) / 2 + 1024;
    int32_t status = LFM2_E_BUFFER;
    for (int i = 0; i < 2 && status == LFM2_E_BUFFER; i++) {
        if (!id_list_reserve(out, out->n)) {
            return out_of_memory(x);
        }
        status = lfm2_chat_tokenize(a->model, request->messages, request->messages_len, &options,
                                    out->ids, out->capacity, &out->n);
    }
    if (status != LFM2_OK) {
        reply_failure_of(x, status, param_of(status));
        return false;
    }
    prompt_replay(a, x, request, &options, out);
    if (request->continue_last) {
        reopen_last(a, out);
    }
    return true;
}

/* Whether a text begins with the name of BOS, so that no other is added. */
static bool begins_with_bos(const api *a, const job_prompt *prompt)
{
    const char *bos = NULL;
    size_t len = 0;
    return a->info.bos_id >= 0 &&
           lfm2_token_get(a->model, a->info.bos_id, &bos, &len, NULL) == LFM2_OK && len > 0 &&
           prompt->text_len >= len && memcmp(prompt->text, bos, len) == 0;
}

bool prompt_tokenize(api *a, exchange *x, const job_prompt *prompt, bool as_prompt, id_list *out)
{
    if (prompt->ids != NULL) {
        if (!id_list_reserve(out, prompt->n_ids)) {
            return out_of_memory(x);
        }
        memcpy(out->ids, prompt->ids, prompt->n_ids * sizeof *prompt->ids);
        out->n = prompt->n_ids;
        return true;
    }
    if (as_prompt && is_long(a, prompt->text_len) &&
        refuse_long(a, x, "prompt", least_tokens(a, prompt->text, prompt->text_len))) {
        return false;
    }
    uint32_t flags = as_prompt ? (uint32_t)LFM2_TOKENIZE_SPECIAL : 0;
    if (as_prompt && !begins_with_bos(a, prompt)) {
        flags |= LFM2_TOKENIZE_BOS;
    }
    out->n = prompt->text_len / 2 + 64;
    int32_t status = LFM2_E_BUFFER;
    for (int i = 0; i < 2 && status == LFM2_E_BUFFER; i++) {
        if (!id_list_reserve(out, out->n)) {
            return out_of_memory(x);
        }
        status = lfm2_tokenize(a->model, prompt->text, prompt->text_len, flags, out->ids,
                               out->capacity, &out->n);
    }
    if (status != LFM2_OK) {
        reply_failure(x, status);
        return false;
    }
    return true;
}
