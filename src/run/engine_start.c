/* SPDX-License-Identifier: Apache-2.0 */
/* Implements what gives sequences of an engine memory and takes it: starting, parking. */
#include "run/engine_internal.h"
#include "run/sequence.h"

/* Pages that a sequence may need soon. */
enum { SPARE_PAGES = 2 };

/* ---- Room ---- */

/* Pages that only this sequence has, about: forks share those of the prompt. */
static uint64_t own_pages(const lf_choice *c)
{
    if (c->session == NULL) {
        return 0;
    }
    uint32_t shared = c->index > 0 ? c->request->n_prompt / LF_ATTN_BLOCK : 0;
    uint32_t pages = lf_pages_for(c->session->state.length);
    return (pages > shared ? pages - shared : 0) + SPARE_PAGES;
}

bool lf_choice_fits(const lfm2_engine *engine, const lf_choice *waiting)
{
    const lf_kv_pool *pool = &engine->model->kv_pool;
    uint64_t budget = atomic_load(&pool->budget);
    uint64_t pages = 0;
    bool alone = true;
    bool preempts = false;
    for (const lf_request *r = engine->requests; r != NULL; r = r->next) {
        for (uint32_t i = 0; i < r->n_choices; i++) {
            const lf_choice *c = &r->choices[i];
            pages += own_pages(c);
            alone = alone && c->session == NULL;
            preempts = preempts || (c->session != NULL && r->priority > waiting->request->priority);
        }
    }
    if (alone) {
        return true;
    }
    if (engine->scarce) {
        return false;
    }
    if (preempts || budget == UINT64_MAX) {
        return true;
    }
    /* What caches hold can be evicted, unless sequences share it. */
    uint64_t used = atomic_load(&pool->used);
    uint64_t cached = atomic_load(&pool->cached);
    uint64_t others = used > cached ? used - cached : 0;
    uint64_t ours = pages * engine->page_bytes;
    uint64_t need = (lf_pages_for(waiting->n) + SPARE_PAGES) * (uint64_t)engine->page_bytes;
    uint64_t fixed = others > ours ? others : ours;
    return fixed <= budget && need <= budget - fixed;
}

/* ---- Start ---- */

/* Notes the session that computes outside of the pass, so that its request can be cancelled. */
static void set_starting(lfm2_engine *engine, lf_choice *c)
{
    pthread_mutex_lock(&engine->lock);
    engine->starting = c;
    if (c != NULL && atomic_load(&c->request->cancel) != 0) {
        atomic_store(&c->session->cancel, 1);
    }
    pthread_mutex_unlock(&engine->lock);
}

/* Starts from the base of the request: keeps what it has in common with the prompt. Logits are
 * needed after the last token. */
static int32_t use_base(lf_choice *c, uint32_t *n_reused)
{
    lfm2_session *s = c->session;
    uint32_t same = 0;
    uint32_t most = s->state.length < c->n ? s->state.length : c->n;
    while (same < most) {
        int32_t id = 0;
        lf_state_ids(&s->state, same, 1, &id);
        if (id != c->tokens[same]) {
            break;
        }
        same++;
    }
    if (same == c->n && (same < s->state.length || !s->has_logits)) {
        same--;
    }
    LF_TRY(lf_session_rewind(s, same));
    *n_reused = same;
    return LFM2_OK;
}

/* Gives the session the beginning that need not be computed. */
static int32_t fill(lfm2_engine *engine, lf_choice *c, bool from_base, uint32_t *n_reused)
{
    if (from_base) {
        return use_base(c, n_reused);
    }
    if (engine->cache == NULL || (c->request->flags & LFM2_REQUEST_NO_CACHE) != 0) {
        return LFM2_OK;
    }
    return lf_prefix_cache_start(engine->cache, c->session, c->tokens, c->n, n_reused);
}

/* Makes the session. */
static int32_t open_session(lfm2_engine *engine, lf_choice *c, uint32_t *n_reused)
{
    lf_request *r = c->request;
    bool from_base = r->base != NULL && c->index == 0;
    if (from_base) {
        c->session = r->base;
        r->base = NULL;
    } else {
        lfm2_session_options options = engine->sessions;
        options.cache_scope = r->scope;
        LF_TRY(lf_session_create(engine->model, &options, &c->session));
    }
    set_starting(engine, c);
    int32_t status = fill(engine, c, from_base, n_reused);
    set_starting(engine, NULL);
    lf_session_take_cancel(c->session);
    if (status == LFM2_OK && !r->started) {
        status = lf_stream_prompt(c->stream, c->tokens, r->n_prompt);
    }
    return status;
}

/* Notes that the request has left the queue. */
static int32_t leave_queue(lfm2_engine *engine, lf_request *r, uint32_t n_reused)
{
    r->started = true;
    r->n_cached = n_reused;
    engine->counted.cached_tokens += n_reused;
    pthread_mutex_lock(&engine->lock);
    engine->n_waiting--;
    pthread_mutex_unlock(&engine->lock);
    return lf_event_start(engine, r);
}

bool lf_choice_start(lfm2_engine *engine, lf_choice *c)
{
    lf_request *r = c->request;
    uint32_t n_reused = 0;
    int32_t status = open_session(engine, c, &n_reused);
    if (status == LFM2_OK && !r->started) {
        status = leave_queue(engine, r, n_reused);
    }
    if (status != LFM2_OK) {
        lf_request_end(engine, r, status);
        return false;
    }
    c->state = LF_CHOICE_COMPUTING;
    c->parked = false;
    return true;
}

/* ---- Parking ---- */

void lf_choice_park(lfm2_engine *engine, lf_choice *c)
{
    lf_choice_store(engine, c);
    lf_session_free(c->session);
    c->session = NULL;
    c->state = LF_CHOICE_WAITING;
    c->parked = true;
    engine->counted.n_parks++;
}

static lf_claim claim_of(const lf_choice *c)
{
    return (lf_claim){.priority = c->request->priority, .id = c->request->id, .index = c->index};
}

/* Frees what a request in the queue would start from, that of the last one first. */
static bool drop_base(lfm2_engine *engine)
{
    lf_request *last = NULL;
    for (lf_request *r = engine->requests; r != NULL; r = r->next) {
        last = r->base != NULL ? r : last;
    }
    if (last == NULL) {
        return false;
    }
    lf_session_free(last->base);
    last->base = NULL;
    last->n_expected = last->n_prompt;
    return true;
}

void lf_engine_relieve(lfm2_engine *engine, lf_choice *failed, int32_t status)
{
    if (drop_base(engine)) {
        return;
    }
    lf_choice *last = NULL;
    uint32_t n = 0;
    for (lf_request *r = engine->requests; r != NULL; r = r->next) {
        for (uint32_t i = 0; i < r->n_choices; i++) {
            lf_choice *c = &r->choices[i];
            if (c->session == NULL || c->state == LF_CHOICE_CLOSING) {
                continue;
            }
            n++;
            lf_claim of_c = claim_of(c);
            lf_claim of_last = last == NULL ? of_c : claim_of(last);
            last = last == NULL || lf_policy_parks(&of_c, &of_last) ? c : last;
        }
    }
    if (n <= 1) {
        lf_request_end(engine, failed->request, status);
    } else {
        /* The budget does not tell when the system has memory again. What is parked would start in
         * the next step and take what the others lack. */
        engine->scarce = engine->scarce || status == LFM2_E_MEMORY;
        lf_choice_park(engine, last);
    }
}
