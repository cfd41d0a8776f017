/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of requests and responses that OpenAI's endpoints share. */
#include "serve/openai.h"

#include "serve/reply.h"
#include "serve/sessions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Requests ---- */

void openai_sampling(fields *f, job_request *request)
{
    lfm2_sampler_options *s = &request->sampler;
    int64_t seed = 0, top_k = s->top_k, last_n = s->penalty_last_n;
    field_float(f, "temperature", 0, 1e6, &s->temperature);
    field_float(f, "top_p", 0, 1, &s->top_p);
    s->top_p = s->top_p > 0 ? s->top_p : 1e-9f; /* 0 = the most likely token alone */
    field_float(f, "min_p", 0, 1, &s->min_p);
    field_i64(f, "top_k", -1, INT32_MAX, &top_k);
    s->top_k = top_k > 0 ? (int32_t)top_k : 0;
    field_float(f, "frequency_penalty", -2, 2, &s->frequency_penalty);
    field_float(f, "presence_penalty", -2, 2, &s->presence_penalty);
    field_float(f, "repetition_penalty", 1e-3, 1e3, &s->repetition_penalty);
    field_float(f, "repeat_penalty", 1e-3, 1e3, &s->repetition_penalty);
    field_i64(f, "repeat_last_n", -1, 1 << 24, &last_n);
    s->penalty_last_n = (int32_t)last_n;
    if (field(f, "seed") != NULL) {
        field_i64(f, "seed", INT64_MIN, INT64_MAX, &seed);
        s->seed = (uint64_t)seed;
    }
}

/* A limit of tokens; -1 = none. */
static void read_max_tokens(fields *f, const char *name, job_request *request)
{
    int64_t n = 0;
    if (field(f, name) == NULL) {
        return;
    }
    field_i64(f, name, -1, UINT32_MAX, &n);
    if (n == 0) {
        field_fail(f, name, "must be at least 1");
    }
    request->max_tokens = n > 0 ? (uint32_t)n : 0;
    request->max_tokens_given = true;
}

void openai_limits(fields *f, job_request *request)
{
    int64_t priority = 0;
    bool cache = true;
    read_max_tokens(f, "max_tokens", request);
    read_max_tokens(f, "max_completion_tokens", request);
    field_u32(f, "n", 1, 128, &request->n_choices);
    field_strings(f, "stop", 16, &request->stop, &request->n_stop);
    for (uint32_t i = 0; i < request->n_stop && !f->failed; i++) {
        size_t len = strlen(request->stop[i]);
        if (len == 0 || len > 65536) {
            field_fail(f, "stop",
                       "must not have strings that are empty or longer than 65536 bytes");
        }
    }
    field_i64(f, "priority", 0, INT32_MAX, &priority); /* nobody goes before others */
    request->priority = (int32_t)priority;
    field_u32(f, "deadline_ms", 0, UINT32_MAX, &request->deadline_ms);
    field_bool(f, "ignore_eos", &request->ignore_eos);
    field_bool(f, "cache_prompt", &cache);
    request->no_cache = !cache;
    field_string(f, "session", &request->session, NULL);
    if (request->session != NULL && !session_name_valid(request->session)) {
        field_fail(f, "session",
                   "must have 1 to %d letters, digits, '_', '-' and '.', and not begin with '.'",
                   MAX_SESSION_NAME);
    }
    if (request->session != NULL && request->n_choices > 1) {
        field_fail(f, "n", "must be 1 with a session");
    }
    field_bool(f, "stream", &request->stream);
}

/* An id written as the key of an object. Returns false if it is none. */
static bool parse_id(const lf_json *member, int64_t *id)
{
    *id = 0;
    for (size_t i = 0; i < member->key_len; i++) {
        char c = member->key[i];
        if (c < '0' || c > '9' || *id > INT32_MAX) {
            return false;
        }
        *id = *id * 10 + (c - '0');
    }
    return member->key_len > 0;
}

/* A member of an object, or a pair [id, bias] as llama-server also takes them. Returns false after
 * an error. */
static bool read_bias(fields *f, const lf_json *entry, bool pairs, uint32_t n_vocab, int32_t *id,
                      float *bias)
{
    int64_t n = -1;
    double value = 0;
    const lf_json *number = entry;
    bool known;
    if (pairs) {
        number = entry->kind == LF_JSON_ARRAY && entry->count == 2 ? entry->child->next : NULL;
        known = number != NULL && lf_json_i64(entry->child, &n);
    } else {
        known = parse_id(entry, &n);
    }
    if (!known || n < 0 || n >= n_vocab) {
        field_fail(f, "logit_bias", "must have token ids from 0 to %u", n_vocab - 1);
        return false;
    }
    if (pairs && number->kind == LF_JSON_FALSE) {
        value = -100;
    } else if (!lf_json_double(number, &value) || value < -100 || value > 100) {
        field_fail(f, "logit_bias", "must have values from -100 to 100");
        return false;
    }
    *id = (int32_t)n;
    *bias = value <= -100 ? -INFINITY : (float)value;
    return true;
}

void openai_logit_bias(api *a, fields *f, job_request *request)
{
    lfm2_model_info info = {.size = sizeof info};
    const lf_json *map = field(f, "logit_bias");
    if (map == NULL || lfm2_model_get_info(api_model(a), &info) != LFM2_OK) {
        return;
    }
    bool pairs = map->kind == LF_JSON_ARRAY;
    if (!pairs && map->kind != LF_JSON_OBJECT) {
        field_fail(f, "logit_bias", "must be an object, not %s", field_kind(map));
        return;
    }
    void *ids = NULL, *values = NULL;
    if (lf_arena_new(f->x->arena, map->count + 1, sizeof(int32_t), "logit_bias", &ids) != LFM2_OK ||
        lf_arena_new(f->x->arena, map->count + 1, sizeof(float), "logit_bias", &values) !=
            LFM2_OK) {
        field_fail_memory(f);
        return;
    }
    uint32_t i = 0;
    for (const lf_json *m = map->child; m != NULL; m = m->next, i++) {
        if (!read_bias(f, m, pairs, info.n_vocab, (int32_t *)ids + i, (float *)values + i)) {
            return;
        }
    }
    request->sampler.bias_ids = ids;
    request->sampler.bias_values = values;
    request->sampler.n_bias = map->count;
}

void openai_stream_options(fields *f, bool *include_usage)
{
    fields options;
    if (field_object(f, "stream_options", &options)) {
        field_bool(&options, "include_usage", include_usage);
    }
}

/* ---- Responses ---- */

void openai_usage(json_out *out, const job *j, uint32_t reasoning)
{
    out_object(out, "usage");
    out_u64(out, "prompt_tokens", j->n_prompt);
    out_u64(out, "completion_tokens", j->n_generated);
    out_u64(out, "total_tokens", (uint64_t)j->n_prompt + j->n_generated);
    out_object(out, "prompt_tokens_details");
    out_u64(out, "cached_tokens", j->n_cached);
    out_end_object(out);
    out_object(out, "completion_tokens_details");
    out_u64(out, "reasoning_tokens", reasoning);
    out_u64(out, "accepted_prediction_tokens", j->n_accepted);
    out_u64(out, "rejected_prediction_tokens", j->n_drafted - j->n_accepted);
    out_end_object(out);
    out_end_object(out);
}

void openai_head(json_out *out, const job *j, const char *prefix, const char *object)
{
    char id[64];
    snprintf(id, sizeof id, "%s%s", prefix, j->id);
    out_string(out, "id", id);
    out_string(out, "object", object);
    out_i64(out, "created", j->created);
    out_string(out, "model", api_model_name(j->a));
    out_string(out, "system_fingerprint", api_fingerprint(j->a));
}

void openai_begin_chunk(json_out *out, const job *j, const char *prefix, const char *object,
                        uint32_t choice)
{
    json_out_clear(out);
    out_object(out, NULL);
    openai_head(out, j, prefix, object);
    out_array(out, "choices");
    out_object(out, NULL);
    out_u64(out, "index", choice);
}

void openai_end_chunk(json_out *out, const job *j, bool usage)
{
    out_end_object(out);
    out_end_array(out);
    if (usage) {
        out_null(out, "usage");
    }
    out_end_object(out);
    stream_event(j->x, NULL, out);
}

const char *openai_finish(int32_t finish)
{
    return finish == LFM2_FINISH_STOP_TOKEN || finish == LFM2_FINISH_STOP_STRING ? "stop"
                                                                                 : "length";
}

double openai_logprob(float logprob)
{
    return logprob > -9999.0f ? (double)logprob : -9999.0;
}

void openai_token(const api *a, int32_t id, const char **text, size_t *len)
{
    *text = "";
    *len = 0;
    (void)lfm2_token_get(api_model(a), id, text, len, NULL);
}

void openai_done(exchange *x)
{
    stream_raw(x, "data: [DONE]\n\n");
    stream_end(x);
}
