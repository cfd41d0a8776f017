/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/completions. */
#include "serve/openai.h"
#include "serve/reply.h"
#include "serve/routes.h"

#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

/* A text completion without a limit is short, as OpenAI has it. */
enum { MAX_PROMPTS = 128, DEFAULT_TOKENS = 16 };

typedef struct text_choice {
    json_out text; /* of a whole response */
    /* What "logprobs" lists: elements that are not sent yet. */
    json_out tokens, logprobs, top, offsets;
    uint64_t offset; /* in characters, of the next token */
    int32_t finish;
} text_choice;

typedef struct text_state {
    job_request request;
    bool include_usage, echo;
    json_out out;
    text_choice *choices;
    const job_prompt *prompts;
} text_state;

/* ---- Request ---- */

static bool read_prompt(api *a, fields *f, const lf_json *value, job_prompt *out)
{
    int32_t *ids = NULL;
    if (value->kind == LF_JSON_STRING) {
        *out = (job_prompt){.text = value->text, .text_len = value->len};
        return true;
    }
    if (value->kind != LF_JSON_ARRAY || value->child == NULL) {
        field_fail(f, "prompt", "must be a string, an array of token ids, or an array of these");
        return false;
    }
    if (!openai_ids(a, f, "prompt", value, &ids)) {
        return false;
    }
    *out = (job_prompt){.ids = ids, .n_ids = value->count};
    return true;
}

/* One prompt, or several of one kind or mixed. */
static void read_prompts(api *a, fields *f, text_state *s)
{
    job_request *request = &s->request;
    const lf_json *value = field(f, "prompt");
    if (value == NULL) {
        field_fail(f, "prompt", "is required");
        return;
    }
    bool many = value->kind == LF_JSON_ARRAY && value->child != NULL &&
                value->child->kind != LF_JSON_NUMBER;
    uint32_t n = many ? value->count : 1, i = 0;
    void *memory = NULL;
    if (n > MAX_PROMPTS) {
        field_fail(f, "prompt", "must have at most %d prompts, not %u", MAX_PROMPTS, n);
        return;
    }
    if (lf_arena_new(f->x->arena, n, sizeof(job_prompt), "prompts", &memory) != LFM2_OK) {
        field_fail_memory(f);
        return;
    }
    job_prompt *prompts = memory;
    for (const lf_json *p = many ? value->child : value; i < n; p = p->next, i++) {
        if (!read_prompt(a, f, p, &prompts[i])) {
            return;
        }
    }
    s->prompts = prompts;
    request->text = prompts[0].text;
    request->text_len = prompts[0].text_len;
    request->ids = prompts[0].ids;
    request->n_ids = prompts[0].n_ids;
    request->more = prompts + 1;
    request->n_more = n - 1;
    if (n > 1 && request->session != NULL) {
        field_fail(f, "prompt", "must be one prompt with a session");
    }
}

static void read_request(api *a, fields *f, text_state *s)
{
    job_request *request = &s->request;
    openai_sampling(f, request);
    openai_limits(f, request);
    openai_logit_bias(a, f, request);
    openai_stream_options(f, &s->include_usage);
    openai_constraint(f, request);
    read_prompts(a, f, s);
    if (field(f, "logprobs") != NULL) {
        request->logprobs = true;
        field_u32(f, "logprobs", 0, 20, &request->n_top);
    }
    uint32_t best_of = request->n_choices;
    field_u32(f, "best_of", 1, 128, &best_of);
    if (best_of != request->n_choices) {
        field_fail(f, "best_of", "must be equal to n");
    }
    field_bool(f, "echo", &s->echo);
    if (s->echo && request->logprobs) {
        field_fail(f, "echo", "cannot be combined with logprobs");
    }
    const lf_json *suffix = field(f, "suffix");
    if (suffix != NULL && !(suffix->kind == LF_JSON_STRING && suffix->len == 0)) {
        field_fail(f, "suffix", "is not supported: this model does not fill in");
    }
}

/* ---- Log-probabilities ---- */

static uint64_t count_characters(const char *text, size_t len)
{
    uint64_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += ((uint8_t)text[i] & 0xC0) != 0x80 ? 1 : 0;
    }
    return n;
}

enum { TOKEN_TEXT = 512 };

/* A token as a string that no other token has: its text, or its bytes as "bytes:\xe2\x80". */
static const char *token_text(const api *a, int32_t id, char out[TOKEN_TEXT])
{
    const char *text = NULL;
    size_t len = 0, n = 0;
    openai_token(a, id, &text, &len);
    if (len < TOKEN_TEXT && lf_utf8_valid(text, len) && memchr(text, '\0', len) == NULL) {
        memcpy(out, text, len);
        out[len] = '\0';
        return out;
    }
    n = (size_t)snprintf(out, TOKEN_TEXT, "bytes:");
    for (size_t i = 0; i < len && n + 5 < TOKEN_TEXT; i++) {
        n += (size_t)snprintf(out + n, TOKEN_TEXT - n, "\\x%02x", (unsigned)(uint8_t)text[i]);
    }
    return out;
}

static void add_token(job *j, text_choice *c, const lfm2_engine_event *e)
{
    char text[TOKEN_TEXT];
    if (!j->request->logprobs || e->id < 0) {
        return;
    }
    token_text(j->a, e->id, text);
    out_string(&c->tokens, NULL, text);
    out_number(&c->logprobs, NULL, openai_logprob(e->logprob));
    out_u64(&c->offsets, NULL, c->offset);
    c->offset += count_characters(text, strlen(text));
    out_object(&c->top, NULL);
    for (uint32_t i = 0; i < e->n_top; i++) {
        token_text(j->a, e->top_ids[i], text);
        out_number(&c->top, text, openai_logprob(e->top_logprobs[i]));
    }
    if (e->n_top == 0 && j->request->n_top > 0) { /* the constraint left no choice */
        out_number(&c->top, token_text(j->a, e->id, text), openai_logprob(e->logprob));
    }
    out_end_object(&c->top);
}

static void write_list(json_out *out, const char *key, json_out *elements)
{
    out_array(out, key);
    if (elements->len > 0) {
        out_json(out, NULL, elements->text, elements->len);
    }
    out_end_array(out);
    out->failed |= elements->failed;
    json_out_clear(elements);
}

/* "logprobs": what was added since the last time. */
static void write_logprobs(json_out *out, job *j, text_choice *c)
{
    if (!j->request->logprobs) {
        out_null(out, "logprobs");
        return;
    }
    out_object(out, "logprobs");
    write_list(out, "tokens", &c->tokens);
    write_list(out, "token_logprobs", &c->logprobs);
    if (j->request->n_top > 0) {
        write_list(out, "top_logprobs", &c->top);
    } else {
        out_null(out, "top_logprobs");
        json_out_clear(&c->top);
    }
    write_list(out, "text_offset", &c->offsets);
    out_end_object(out);
}

/* ---- Whole responses ---- */

static void free_state(job *j)
{
    text_state *s = j->user;
    for (uint32_t i = 0; i < j->n_choices; i++) {
        text_choice *c = &s->choices[i];
        json_out *all[] = {&c->text, &c->tokens, &c->logprobs, &c->top, &c->offsets};
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
            json_out_free(all[k]);
        }
    }
    json_out_free(&s->out);
}

static bool failed(job *j, const lfm2_engine_event *e)
{
    (void)e;
    free_state(j);
    return false;
}

/* The prompt of a choice as text, for `echo`. */
static void write_echo(json_out *out, job *j, uint32_t choice)
{
    text_state *s = j->user;
    const job_prompt *p = &s->prompts[choice / s->request.n_choices];
    if (p->ids == NULL) {
        out_text_add(out, p->text, p->text_len);
        return;
    }
    for (size_t i = 0; i < p->n_ids; i++) {
        const char *text = NULL;
        size_t len = 0;
        openai_token(j->a, p->ids[i], &text, &len);
        out_text_add(out, text, len);
    }
}

static void whole_start(job *j)
{
    text_state *s = j->user;
    for (uint32_t i = 0; i < j->n_choices; i++) {
        out_text_begin(&s->choices[i].text, NULL);
        if (s->echo) {
            write_echo(&s->choices[i].text, j, i);
        }
    }
}

static void whole_event(job *j, const lfm2_engine_event *e)
{
    text_state *s = j->user;
    text_choice *c = &s->choices[e->choice];
    if (e->kind == LFM2_EVENT_TOKEN) {
        add_token(j, c, e);
    }
    if (e->len > 0) {
        out_text_add(&c->text, e->text, e->len);
    }
    if (e->kind == LFM2_EVENT_FINISH) {
        c->finish = e->finish;
    }
}

static void whole_end(job *j)
{
    text_state *s = j->user;
    json_out *out = &s->out;
    out_object(out, NULL);
    openai_head(out, j, "cmpl-", "text_completion");
    out_array(out, "choices");
    for (uint32_t i = 0; i < j->n_choices; i++) {
        text_choice *c = &s->choices[i];
        out_text_end(&c->text);
        out_object(out, NULL);
        out_u64(out, "index", i);
        out_json(out, "text", c->text.text, c->text.len);
        out->failed |= c->text.failed;
        write_logprobs(out, j, c);
        out_string(out, "finish_reason", openai_finish(c->finish));
        out_end_object(out);
    }
    out_end_array(out);
    openai_usage(out, j, 0);
    out_end_object(out);
    json_out response = *out; /* the state is gone with the reply */
    *out = (json_out){0};
    free_state(j);
    reply_json(j->x, 200, &response);
    json_out_free(&response);
}

static const job_calls whole_calls = {
    .start = whole_start, .event = whole_event, .end = whole_end, .failed = failed};

/* ---- Streams ---- */

static json_out *begin_chunk(job *j, uint32_t choice)
{
    text_state *s = j->user;
    json_out *out = &s->out;
    openai_begin_chunk(out, j, "cmpl-", "text_completion", choice);
    out_text_begin(out, "text");
    return out;
}

static void send_chunk(job *j, text_choice *c, const char *finish)
{
    text_state *s = j->user;
    json_out *out = &s->out;
    out_text_end(out);
    write_logprobs(out, j, c);
    out_string(out, "finish_reason", finish);
    openai_end_chunk(out, j, s->include_usage);
}

static void stream_start(job *j)
{
    text_state *s = j->user;
    stream_raw(j->x, ": started\n\n");
    for (uint32_t i = 0; i < j->n_choices && s->echo; i++) {
        write_echo(begin_chunk(j, i), j, i);
        send_chunk(j, &s->choices[i], NULL);
    }
}

static void stream_one_event(job *j, const lfm2_engine_event *e)
{
    text_state *s = j->user;
    text_choice *c = &s->choices[e->choice];
    bool finish = e->kind == LFM2_EVENT_FINISH;
    if (e->kind == LFM2_EVENT_TOKEN) {
        add_token(j, c, e);
    }
    if (e->len > 0 || finish) {
        json_out *out = begin_chunk(j, e->choice);
        out_text_add(out, e->text, e->len);
        send_chunk(j, c, finish ? openai_finish(e->finish) : NULL);
    }
}

static void stream_last(job *j)
{
    text_state *s = j->user;
    if (s->include_usage) {
        json_out *out = &s->out;
        json_out_clear(out);
        out_object(out, NULL);
        openai_head(out, j, "cmpl-", "text_completion");
        out_array(out, "choices");
        out_end_array(out);
        openai_usage(out, j, 0);
        out_end_object(out);
        stream_event(j->x, NULL, out);
    }
    free_state(j);
    openai_done(j->x);
}

static const job_calls stream_calls = {
    .start = stream_start, .event = stream_one_event, .end = stream_last, .failed = failed};

/* ---- ---- */

void handle_completions(api *a, exchange *x, const char *argument)
{
    (void)argument;
    fields f;
    void *memory = NULL, *choices = NULL;
    if (!fields_open(&f, x) || !job_model(a, &f)) {
        return;
    }
    if (lf_arena_new(x->arena, 1, sizeof(text_state), "the request", &memory) != LFM2_OK) {
        field_fail_memory(&f);
        return;
    }
    text_state *s = memory;
    *s = (text_state){0};
    job_request_init(a, x, &s->request);
    if (s->request.max_tokens == 0) {
        s->request.max_tokens = DEFAULT_TOKENS;
    }
    read_request(a, &f, s);
    if (f.failed) {
        return;
    }
    size_t n = (size_t)s->request.n_choices * (1 + s->request.n_more);
    if (n > MAX_PROMPTS) {
        field_fail(&f, "n", "times the number of prompts must be at most %d", MAX_PROMPTS);
        return;
    }
    if (lf_arena_new(x->arena, n, sizeof(text_choice), "choices", &choices) != LFM2_OK) {
        field_fail_memory(&f);
        return;
    }
    s->choices = choices;
    memset(s->choices, 0, n * sizeof(text_choice));
    (void)job_start(a, x, &s->request, s->request.stream ? &stream_calls : &whole_calls, s);
}
