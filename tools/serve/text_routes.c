/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/tokenize, /v1/detokenize, /v1/render: what a text or a conversation is to the model. */
#include "serve/openai.h"
#include "serve/prompt.h"
#include "serve/reply.h"
#include "serve/routes.h"

#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

static bool take_memory(fields *f, size_t count, size_t item, void **out)
{
    if (lf_arena_new(f->x->arena, count, item, "the response", out) != LFM2_OK) {
        field_fail_memory(f);
        return false;
    }
    return true;
}

/* ---- Tokenize ---- */

/* Longer texts would stop all streams while they are tokenized. */
enum { MAX_TEXT = 1 << 20 };

/* The bytes of a token: as text if they are UTF-8, else as numbers. */
static void write_piece(json_out *out, const char *key, const char *bytes, size_t len)
{
    if (lf_utf8_valid(bytes, len)) {
        out_text(out, key, bytes, len);
        return;
    }
    out_array(out, key);
    for (size_t i = 0; i < len; i++) {
        out_u64(out, NULL, (uint8_t)bytes[i]);
    }
    out_end_array(out);
}

static void write_tokens(json_out *out, const api *a, const int32_t *ids, size_t n, bool pieces)
{
    out_object(out, NULL);
    out_array(out, "tokens");
    for (size_t i = 0; i < n; i++) {
        const char *bytes = NULL;
        size_t len = 0;
        if (!pieces) {
            out_i64(out, NULL, ids[i]);
            continue;
        }
        openai_token(a, ids[i], &bytes, &len);
        out_object(out, NULL);
        out_i64(out, "id", ids[i]);
        write_piece(out, "piece", bytes, len);
        out_end_object(out);
    }
    out_end_array(out);
    out_u64(out, "count", n);
    out_u64(out, "max_model_len", api_context(a));
    out_end_object(out);
}

/* The text of "content" (llama-server) or "prompt" (vLLM). */
static const char *read_text(fields *f, size_t *len)
{
    const char *text = NULL;
    field_string(f, "content", &text, len);
    if (text == NULL) {
        field_string(f, "prompt", &text, len);
    }
    if (text == NULL && !f->failed) {
        field_fail(f, "content", "is required");
    }
    return text;
}

void handle_tokenize(api *a, exchange *x, const char *argument)
{
    (void)argument;
    fields f;
    bool bos = false, special = true, pieces = false;
    size_t len = 0, n = 0;
    void *ids = NULL;
    if (!fields_open(&f, x)) {
        return;
    }
    const char *text = read_text(&f, &len);
    field_bool(&f, "add_special", &bos);
    field_bool(&f, "parse_special", &special);
    field_bool(&f, "with_pieces", &pieces);
    if (len > MAX_TEXT) {
        field_fail(&f, "content", "must have at most %d bytes, not %zu", MAX_TEXT, len);
    }
    if (f.failed || !take_memory(&f, len + 16, sizeof(int32_t), &ids)) {
        return;
    }
    uint32_t flags =
        (bos ? (uint32_t)LFM2_TOKENIZE_BOS : 0) | (special ? (uint32_t)LFM2_TOKENIZE_SPECIAL : 0);
    int32_t status = lfm2_tokenize(api_model(a), text, len, flags, ids, len + 16, &n);
    if (status != LFM2_OK) {
        reply_failure(x, status);
        return;
    }
    json_out out = {0};
    write_tokens(&out, a, ids, n, pieces);
    reply_json(x, 200, &out);
    json_out_free(&out);
}

/* ---- Detokenize ---- */

bool openai_ids(const api *a, fields *f, const char *name, const lf_json *array, int32_t **out)
{
    lfm2_model_info info = {.size = sizeof info};
    void *memory = NULL;
    size_t i = 0;
    if (lfm2_model_get_info(api_model(a), &info) != LFM2_OK ||
        !take_memory(f, (size_t)array->count + 1, sizeof(int32_t), &memory)) {
        return false;
    }
    int32_t *ids = memory;
    for (const lf_json *t = array->child; t != NULL; t = t->next) {
        uint64_t id = 0;
        if (!lf_json_u64(t, &id) || id >= info.n_vocab) {
            field_fail(f, name, "must have token ids from 0 to %u only", info.n_vocab - 1);
            return false;
        }
        ids[i++] = (int32_t)id;
    }
    *out = ids;
    return true;
}

void handle_detokenize(api *a, exchange *x, const char *argument)
{
    (void)argument;
    fields f;
    int32_t *ids = NULL;
    void *text = NULL;
    size_t len = 0;
    if (!fields_open(&f, x)) {
        return;
    }
    const lf_json *tokens = field_array(&f, "tokens");
    if (tokens == NULL) {
        field_fail(&f, "tokens", "is required");
    }
    if (f.failed || !openai_ids(a, &f, "tokens", tokens, &ids)) {
        return;
    }
    size_t n = tokens->count;
    int32_t status = lfm2_detokenize(api_model(a), ids, n, LFM2_DETOKENIZE_SPECIAL, NULL, 0, &len);
    if (status == LFM2_E_BUFFER) {
        if (!take_memory(&f, len, 1, &text)) {
            return;
        }
        status = lfm2_detokenize(api_model(a), ids, n, LFM2_DETOKENIZE_SPECIAL, text, len, &len);
    }
    if (status != LFM2_OK) {
        reply_failure(x, status);
        return;
    }
    json_out out = {0};
    out_object(&out, NULL);
    out_text(&out, "content", text != NULL ? text : "", len);
    out_text(&out, "prompt", text != NULL ? text : "", len);
    out_end_object(&out);
    reply_json(x, 200, &out);
    json_out_free(&out);
}

/* ---- Render ---- */

static bool read_conversation(api *a, fields *f, exchange *x, job_request *request)
{
    if (!fields_open(f, x)) {
        return false;
    }
    job_request_init(a, x, request);
    chat_messages(f, request);
    chat_tools(f, request);
    chat_reasoning(a, f, request);
    return !f->failed;
}

void handle_input_tokens(api *a, exchange *x, const char *argument)
{
    (void)argument;
    fields f;
    job_request request;
    uint32_t n = 0;
    if (!read_conversation(a, &f, x, &request) || !job_count(a, x, &request, &n)) {
        return;
    }
    json_out out = {0};
    out_object(&out, NULL);
    out_string(&out, "object", "response.input_tokens");
    out_u64(&out, "input_tokens", n);
    out_end_object(&out);
    reply_json(x, 200, &out);
    json_out_free(&out);
}

void handle_render(api *a, exchange *x, const char *argument)
{
    (void)argument;
    fields f;
    job_request request;
    id_list ids = {0};
    bool with_ids = false;
    if (!read_conversation(a, &f, x, &request)) {
        return;
    }
    field_bool(&f, "tokens", &with_ids);
    if (f.failed || !prompt_render(a, x, &request, &ids)) {
        id_list_free(&ids);
        return;
    }
    size_t len = 0;
    json_out out = {0};
    char *text = NULL;
    int32_t status =
        lfm2_detokenize(api_model(a), ids.ids, ids.n, LFM2_DETOKENIZE_SPECIAL, NULL, 0, &len);
    text = malloc(len + 1);
    if (text != NULL && status == LFM2_E_BUFFER) {
        (void)lfm2_detokenize(api_model(a), ids.ids, ids.n, LFM2_DETOKENIZE_SPECIAL, text, len,
                              &len);
    }
    out_object(&out, NULL);
    out_text(&out, "prompt", text, text != NULL ? len : 0);
    out_u64(&out, "count", ids.n);
    if (with_ids) {
        out_array(&out, "tokens");
        for (size_t i = 0; i < ids.n; i++) {
            out_i64(&out, NULL, ids.ids[i]);
        }
        out_end_array(&out);
    }
    out_end_object(&out);
    out.failed |= text == NULL;
    reply_json(x, 200, &out);
    json_out_free(&out);
    free(text);
    id_list_free(&ids);
}
