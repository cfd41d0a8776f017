/* SPDX-License-Identifier: Apache-2.0 */
/* Implements requests of an engine: checking and copying them, their choices. */
#include "common/os.h"
#include "run/engine_internal.h"
#include "run/sequence.h"

#include <stdio.h>
#include <string.h>

enum { MOST_CHOICES = 128, PREFIX_BYTES = 288 };

static size_t request_bytes(uint32_t n_choices)
{
    return sizeof(lf_request) + n_choices * sizeof(lf_choice);
}

/* ---- Checks ---- */

static int32_t check(const lfm2_engine *engine, const lfm2_request_options *o)
{
    uint32_t n_vocab = engine->model->source->hparams.n_vocab;
    if (o->n_prompt == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "engine.prompt", "the prompt is empty");
    }
    if (o->n_prompt >= engine->options.n_ctx) {
        return lf_fail(LFM2_E_LIMIT, "engine.context",
                       "the prompt has %zu tokens and must leave room for one more; the context "
                       "has %u",
                       o->n_prompt, engine->options.n_ctx);
    }
    if (o->n_choices > MOST_CHOICES) {
        return lf_fail(LFM2_E_ARGUMENT, "engine.n_choices", "n_choices is %u; allowed: 0 to %d",
                       o->n_choices, MOST_CHOICES);
    }
    for (size_t i = 0; i < o->n_prompt; i++) {
        if (o->prompt[i] < 0 || (uint32_t)o->prompt[i] >= n_vocab) {
            return lf_fail(LFM2_E_ARGUMENT, "session.token",
                           "token %zu has id %d; allowed: 0 to %u", i, o->prompt[i], n_vocab - 1);
        }
    }
    const lfm2_session *base = o->session;
    if (base != NULL && base->model != engine->model) {
        return lf_fail(LFM2_E_ARGUMENT, "engine.session",
                       "the session and the engine have different models");
    }
    if (base != NULL && (int32_t)base->state.kv_type != engine->options.kv_type) {
        return lf_fail(LFM2_E_ARGUMENT, "engine.session",
                       "the session has KV type %d, the engine %d", (int)base->state.kv_type,
                       engine->options.kv_type);
    }
    return LFM2_OK;
}

/* ---- Base ---- */

/* The computed tokens that a session has in common with the prompt. */
static uint32_t common_tokens(const lfm2_session *session, const int32_t *prompt, uint32_t n)
{
    int32_t ids[LF_ATTN_BLOCK];
    uint32_t most = session->state.length < n ? session->state.length : n;
    uint32_t same = 0;
    while (same < most) {
        uint32_t step = most - same < LF_ATTN_BLOCK ? most - same : LF_ATTN_BLOCK;
        lf_state_ids(&session->state, same, step, ids);
        for (uint32_t i = 0; i < step; i++, same++) {
            if (ids[i] != prompt[same]) {
                return same;
            }
        }
    }
    return same;
}

/* Forks the session of the caller if it has more of the prompt than the cache. */
static int32_t choose_base(lfm2_engine *engine, const lfm2_request_options *o, lf_request *r)
{
    uint32_t cached = 0;
    if (engine->cache != NULL && (r->flags & LFM2_REQUEST_NO_CACHE) == 0) {
        cached = lf_prefix_cache_peek(engine->cache, (lf_kv_type)engine->options.kv_type, r->scope,
                                      o->prompt, r->n_prompt);
    }
    if (o->session != NULL) {
        uint32_t same = common_tokens(o->session, o->prompt, r->n_prompt);
        if (same > cached) {
            LF_TRY(lf_session_fork(o->session, &r->base));
            r->base->later = -1;
            r->base->state.n_ctx = engine->options.n_ctx;
            r->base->state.n_chunk = engine->sessions.n_chunk;
            r->base->state.scope = r->scope;
            cached = same;
        }
    }
    r->n_expected = r->n_prompt - cached;
    return LFM2_OK;
}

/* ---- Creation ---- */

static int32_t make_stream(lfm2_engine *engine, const lfm2_request_options *o, lf_choice *c)
{
    lfm2_sampler *sampler = NULL;
    lfm2_model *model = engine->model;
    LF_TRY(lf_sampler_create(model->runtime, model->source->hparams.n_vocab, o->sampler, &sampler));
    const lfm2_stream_options so = {
        .size = sizeof so,
        .max_tokens = o->max_tokens,
        .flags = ((o->flags & LFM2_REQUEST_IGNORE_EOS) != 0 ? LFM2_STREAM_IGNORE_EOS : 0u) |
                 ((o->flags & LFM2_REQUEST_SPECIAL) != 0 ? LFM2_STREAM_SPECIAL : 0u) |
                 ((o->flags & LFM2_REQUEST_LOGPROBS) != 0 ? LFM2_STREAM_LOGPROBS : 0u),
        .stop_ids = o->stop_ids,
        .n_stop_ids = o->n_stop_ids,
        .stop_strings = o->stop_strings,
        .n_stop_strings = o->n_stop_strings,
        .n_top = o->n_top,
        .constraint = o->constraint,
        .parser = c->parser};
    int32_t status = lf_stream_create(model, sampler, &so, &c->stream);
    lf_sampler_free(sampler); /* the stream has a reference */
    return status;
}

/* The parser of a choice, whose calls have ids of their own. A prefix that is too long is an error
 * of the first choice. */
static int32_t open_parser(const lfm2_engine *engine, const lfm2_chat_parser_options *options,
                           uint32_t index, lfm2_chat_parser **out)
{
    lfm2_chat_parser_options own = *options;
    char prefix[PREFIX_BYTES];
    if (index > 0) {
        const char *given = options->id_prefix != NULL ? options->id_prefix : "call_";
        snprintf(prefix, sizeof prefix, "%s%u_", given, index);
        own.id_prefix = prefix;
    }
    return lf_chat_parser_open(engine->model, &own, out);
}

static int32_t fill(lfm2_engine *engine, const lfm2_request_options *o, lf_request *r)
{
    lf_choice *first = &r->choices[0];
    first->state = LF_CHOICE_WAITING;
    LF_TRY(lf_choice_reserve(engine, first, r->n_prompt));
    memcpy(first->tokens, o->prompt, r->n_prompt * sizeof *o->prompt);
    first->n = r->n_prompt;
    for (uint32_t i = 0; i < r->n_choices && o->parser != NULL; i++) {
        LF_TRY(open_parser(engine, o->parser, i, &r->choices[i].parser));
    }
    LF_TRY(make_stream(engine, o, first));
    if ((o->flags & LFM2_REQUEST_DRAFT) != 0) {
        LF_TRY(lf_choice_add_draft(engine, first, o->draft_ids, o->n_draft_ids));
    }
    return choose_base(engine, o, r);
}

int32_t lf_request_create(lfm2_engine *engine, const lfm2_request_options *o, lf_request **out)
{
    LF_TRY(check(engine, o));
    uint32_t n_choices = o->n_choices == 0 ? 1 : o->n_choices;
    void *p = NULL;
    LF_TRY(lf_new_zero(lf_engine_alloc(engine), request_bytes(n_choices), 1, "request", &p));
    lf_request *r = p;
    r->user = o->user;
    atomic_init(&r->cancel, 0);
    r->flags = o->flags;
    r->priority = o->priority;
    r->scope = o->cache_scope;
    r->seed = o->sampler->seed;
    r->submitted = lf_os_seconds();
    r->deadline = o->deadline_ms == 0 ? 0 : r->submitted + (double)o->deadline_ms * 1e-3;
    r->max_tokens = o->max_tokens;
    r->n_prompt = (uint32_t)o->n_prompt;
    r->n_choices = n_choices;
    r->n_open = n_choices;
    for (uint32_t i = 0; i < n_choices; i++) {
        r->choices[i] = (lf_choice){.request = r, .index = i, .stop_id = -1, .stop_string = -1};
    }
    int32_t status = fill(engine, o, r);
    if (status != LFM2_OK) {
        lf_request_free(engine, r);
        return status;
    }
    *out = r;
    return LFM2_OK;
}

void lf_request_free(lfm2_engine *engine, lf_request *r)
{
    for (uint32_t i = 0; i < r->n_choices; i++) {
        lf_choice_clear(engine, &r->choices[i]);
    }
    lf_session_free(r->base);
    lf_session_free(r->kept);
    lf_free(lf_engine_alloc(engine), r, request_bytes(r->n_choices), 1);
}

/* ---- Choices ---- */

void lf_choice_clear(lfm2_engine *engine, lf_choice *c)
{
    if (c->session != NULL) { /* else the engine may not have the request yet */
        engine->scarce = false;
    }
    lf_session_free(c->session);
    lf_stream_free(c->stream);
    lf_chat_parser_close(c->parser);
    lf_choice_drop_draft(engine, c);
    lf_free(lf_engine_alloc(engine), c->tokens, c->size, sizeof *c->tokens);
    c->session = NULL;
    c->stream = NULL;
    c->parser = NULL;
    c->tokens = NULL;
    c->size = 0;
    c->state = LF_CHOICE_DONE;
}

int32_t lf_choice_reserve(lfm2_engine *engine, lf_choice *c, uint32_t more)
{
    enum { SPACE = 64 };
    if (more <= c->size - c->n) {
        return LFM2_OK;
    }
    uint32_t size = c->n + more + c->n / 2 + SPACE;
    void *p = NULL;
    LF_TRY(lf_new(lf_engine_alloc(engine), size, sizeof *c->tokens, "tokens of a request", &p));
    if (c->n > 0) {
        memcpy(p, c->tokens, c->n * sizeof *c->tokens);
    }
    lf_free(lf_engine_alloc(engine), c->tokens, c->size, sizeof *c->tokens);
    c->tokens = p;
    c->size = size;
    return LFM2_OK;
}

/* Makes a fork of the first choice with the seed of its index. What was made when the call fails is
 * freed with the request. */
static int32_t fork(lfm2_engine *engine, const lf_choice *first, lf_choice *c)
{
    LF_TRY(lf_choice_reserve(engine, c, first->n));
    memcpy(c->tokens, first->tokens, first->n * sizeof *c->tokens);
    c->n = first->n;
    LF_TRY(lf_stream_clone(first->stream, &c->stream));
    lf_stream_set_parser(c->stream, c->parser);
    lfm2_sampler *sampler = lf_stream_sampler(c->stream);
    lfm2_sampler_options options = sampler->options;
    options.seed = c->request->seed + c->index;
    LF_TRY(lf_sampler_configure(sampler, &options));
    LF_TRY(lf_session_fork(first->session, &c->session));
    c->state = LF_CHOICE_HELD;
    return LFM2_OK;
}

int32_t lf_request_fork(lfm2_engine *engine, lf_request *r)
{
    for (uint32_t i = 1; i < r->n_choices; i++) {
        if (r->choices[i].state == LF_CHOICE_UNBORN) {
            LF_TRY(fork(engine, &r->choices[0], &r->choices[i]));
        }
    }
    return LFM2_OK;
}
