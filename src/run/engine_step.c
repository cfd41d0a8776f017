/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the step of an engine: ends, the rows of generating sequences, a slice of prompts, the
 * pass, and what follows it. */
#include "run/engine_internal.h"

#include "common/os.h"
#include "run/step.h"

/* Seconds that a start takes if it computes something. */
static const double LONG_START = 0.002;

/* The items of a step. */
typedef struct plan {
    uint32_t n_items;
    uint32_t decode_rows, prompt_rows;
    uint32_t guess_rows; /* those of decode_rows in items with guesses */
} plan;

/* ---- What ends before the step ---- */

/* Takes the requests that have come. */
static void take_incoming(lfm2_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    lf_request **end = &engine->requests;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = engine->incoming;
    engine->incoming = NULL;
    engine->last_incoming = NULL;
    pthread_mutex_unlock(&engine->lock);
}

static void end_late(lfm2_engine *engine, lf_request *r)
{
    for (uint32_t i = 0; i < r->n_choices && !r->ended; i++) {
        lf_choice *c = &r->choices[i];
        if (c->state != LF_CHOICE_DONE) {
            c->finish = c->finish != 0 ? c->finish : LFM2_FINISH_DEADLINE;
            lf_choice_finish(engine, c);
        }
    }
}

static void end_some(lfm2_engine *engine)
{
    for (lf_request *r = engine->requests; r != NULL; r = r->next) {
        if (r->ended) {
            continue;
        }
        if (atomic_load(&r->cancel) != 0) {
            lf_request_end(
                engine, r,
                lf_fail(LFM2_E_CANCELLED, "engine.cancelled", "the request was cancelled"));
        } else if (r->deadline != 0 && engine->now >= r->deadline) {
            end_late(engine, r);
        }
    }
}

/* ---- Counts ---- */

static bool is_running(const lf_choice *c)
{
    return c->state == LF_CHOICE_COMPUTING || c->state == LF_CHOICE_READY ||
           c->state == LF_CHOICE_CLOSING;
}

static bool is_generating(const lf_choice *c)
{
    return c->state == LF_CHOICE_READY || c->state == LF_CHOICE_CLOSING;
}

static uint32_t count(const lfm2_engine *engine, bool (*is_counted)(const lf_choice *c))
{
    uint32_t n = 0;
    for (const lf_request *r = engine->requests; r != NULL; r = r->next) {
        for (uint32_t i = 0; i < r->n_choices; i++) {
            n += is_counted(&r->choices[i]);
        }
    }
    return n;
}

/* Lets held choices generate, the oldest first. */
static void release_held(lfm2_engine *engine)
{
    uint32_t n = count(engine, is_running);
    for (lf_request *r = engine->requests; r != NULL; r = r->next) {
        for (uint32_t i = 0; i < r->n_choices && n < engine->options.max_running; i++) {
            lf_choice *c = &r->choices[i];
            if (c->state == LF_CHOICE_HELD) {
                c->state = LF_CHOICE_READY;
                lf_choice_choose(engine, c);
                n += is_running(c);
            }
        }
    }
}

/* ---- The plan ---- */

static void add_item(lfm2_engine *engine, plan *p, lf_choice *c, uint32_t n)
{
    lf_logits wanted =
        n == lf_choice_lacks(c) && c->state != LF_CHOICE_CLOSING ? LF_LOGITS_LAST : LF_LOGITS_NONE;
    lf_item *item = &engine->workspace->pass.items[p->n_items];
    *item = lf_step_item(c->session, c->tokens + lf_choice_computed(c), n, wanted, NULL);
    item->cancel = &c->request->cancel;
    engine->of_items[p->n_items++] = c;
}

/* Adds guesses of what follows the token that the choice lacks. Returns the rows; 0: none. */
static uint32_t add_guesses(lfm2_engine *engine, plan *p, lf_choice *c, uint32_t n_generating)
{
    lf_item *item = &engine->workspace->pass.items[p->n_items];
    if (c->state != LF_CHOICE_READY || c->draft == NULL ||
        !lf_choice_guess(engine, c, n_generating, p->guess_rows, item)) {
        return 0;
    }
    item->cancel = &c->request->cancel;
    engine->of_items[p->n_items++] = c;
    p->guess_rows += item->n;
    return item->n;
}

/* The rows of generating sequences. */
static void add_decoding(lfm2_engine *engine, plan *p)
{
    uint32_t more = LF_ENGINE_FORCED_ROWS;
    uint32_t n_generating = count(engine, is_generating);
    for (lf_request *r = engine->requests; r != NULL; r = r->next) {
        for (uint32_t i = 0; i < r->n_choices; i++) {
            lf_choice *c = &r->choices[i];
            if (!is_generating(c)) {
                continue;
            }
            uint32_t n = lf_choice_lacks(c) - (c->state == LF_CHOICE_CLOSING);
            uint32_t guessed = n == 1 ? add_guesses(engine, p, c, n_generating) : 0;
            p->decode_rows += guessed;
            if (guessed > 0) {
                continue;
            }
            n = n < 1 + more ? n : 1 + more;
            more -= n - 1;
            add_item(engine, p, c, n);
            p->decode_rows += n;
        }
    }
}

static bool is_planned(const lfm2_engine *engine, const plan *p, const lf_choice *c)
{
    for (uint32_t i = 0; i < p->n_items; i++) {
        if (engine->of_items[i] == c) {
            return true;
        }
    }
    return false;
}

static lf_claim claim_of(const lfm2_engine *engine, const lf_choice *c)
{
    const lf_request *r = c->request;
    return (lf_claim){.priority = r->priority,
                      .n_left = r->started ? lf_choice_lacks(c) : r->n_expected,
                      .waited = engine->now - r->submitted,
                      .id = r->id,
                      .index = c->index};
}

/* The choice whose tokens are computed next, or NULL. `may_start`: also one without a session. */
static lf_choice *next_claim(lfm2_engine *engine, const plan *p, bool may_start)
{
    lf_choice *best = NULL;
    lf_claim of_best = {0};
    for (lf_request *r = engine->requests; r != NULL; r = r->next) {
        for (uint32_t i = 0; i < r->n_choices; i++) {
            lf_choice *c = &r->choices[i];
            if ((c->state != LF_CHOICE_COMPUTING || is_planned(engine, p, c)) &&
                (c->state != LF_CHOICE_WAITING || !may_start)) {
                continue;
            }
            lf_claim claim = claim_of(engine, c);
            if (best == NULL || lf_policy_before(&engine->policy, &claim, &of_best)) {
                best = c;
                of_best = claim;
            }
        }
    }
    return best;
}

/* ---- After the pass ---- */

/* The prompt of a request, or what a parked choice had, is computed. */
static void prompt_done(lfm2_engine *engine, lf_choice *c)
{
    c->state = LF_CHOICE_READY;
    lf_choice_store(engine, c);
    if (c->index == 0 && c->n == c->request->n_prompt) {
        int32_t status = lf_request_fork(engine, c->request);
        if (status != LFM2_OK) {
            lf_request_end(engine, c->request, status);
            return;
        }
    }
    lf_choice_choose(engine, c);
}

/* Starts a choice. If that computes something, generating sequences wait for it, and what is left
 * of the slice is decided again. */
static bool start(lfm2_engine *engine, const plan *p, lf_choice *c, uint32_t *slice)
{
    double begin = lf_os_seconds();
    bool started = lf_choice_start(engine, c);
    double seconds = lf_os_seconds() - begin;
    if (p->decode_rows > 0 && seconds > LONG_START) {
        lf_policy_note_wait(&engine->policy, p->decode_rows, seconds);
        uint32_t now = lf_policy_slice(&engine->policy, p->decode_rows);
        *slice = now < *slice ? now : *slice;
    }
    return started;
}

/* Adds up to `slice` tokens of prompts. One that the cache has completely begins to generate. */
static void add_prompts(lfm2_engine *engine, plan *p, uint32_t slice)
{
    bool may_start = true;
    uint32_t n_running = count(engine, is_running);
    while (p->prompt_rows < slice) {
        may_start = may_start && n_running < engine->options.max_running;
        lf_choice *c = next_claim(engine, p, may_start);
        if (c == NULL) {
            return;
        }
        if (c->state == LF_CHOICE_WAITING) {
            if (!lf_choice_fits(engine, c)) {
                may_start = false;
                continue;
            }
            if (!start(engine, p, c, &slice)) {
                continue;
            }
            n_running++;
        }
        if (p->prompt_rows >= slice) { /* it was decided again */
            return;
        }
        uint32_t n = lf_choice_lacks(c);
        if (n == 0) {
            prompt_done(engine, c);
            continue;
        }
        uint32_t left = slice - p->prompt_rows;
        n = n < left ? n : left;
        add_item(engine, p, c, n);
        p->prompt_rows += n;
    }
}

/* What follows a pass for a choice whose tokens are computed. */
static void after_item(lfm2_engine *engine, lf_choice *c, uint32_t n)
{
    if (c->state == LF_CHOICE_COMPUTING) {
        engine->counted.prompt_tokens += n;
        if (lf_choice_lacks(c) == 0) {
            prompt_done(engine, c);
        } else if ((c->request->flags & LFM2_REQUEST_PROGRESS) != 0 &&
                   c->n == c->request->n_prompt) {
            int32_t status = lf_event_progress(engine, c->request);
            if (status != LFM2_OK) {
                lf_request_end(engine, c->request, status);
            }
        }
    } else if (c->state == LF_CHOICE_CLOSING && lf_choice_lacks(c) <= 1) {
        lf_choice_finish(engine, c);
    } else if (c->state == LF_CHOICE_READY && lf_choice_computed(c) >= c->n) {
        lf_choice_choose(engine, c);
    }
}

/* The pass failed for an item. Returns whether memory was lacking. */
static bool is_lack(lfm2_engine *engine, lf_choice *c, int32_t status)
{
    if (status == LFM2_E_MEMORY || status == LFM2_E_LIMIT) {
        return !lf_choice_drop_guesses(c);
    }
    if (status != LFM2_E_CANCELLED) { /* else the next step ends it */
        lf_request_end(engine, c->request, status);
    }
    return false;
}

/* Notes what passes with and without guesses cost. */
static void note_guesses(lfm2_engine *engine, const plan *p, double seconds)
{
    for (uint32_t i = 0; i < p->n_items && p->prompt_rows == 0; i++) {
        lf_choice_draft *d = engine->of_items[i]->draft;
        if (d != NULL && engine->workspace->pass.items[i].status == LFM2_OK) {
            lf_pace_cost(&d->pace, engine->workspace->pass.items[i].n, seconds);
        }
    }
}

static void run_pass(lfm2_engine *engine, const plan *p)
{
    lf_item *items = engine->workspace->pass.items;
    double begin = lf_os_seconds();
    lf_failure failure; /* of the pass: what follows may fail, too */
    if (lf_step(engine->model, engine->workspace, p->n_items, false) != LFM2_OK) {
        lf_fail_save(&failure);
    }
    note_guesses(engine, p, lf_os_seconds() - begin);
    lf_choice *lacking = NULL;
    int32_t lack = LFM2_OK;
    bool complete = true;
    for (uint32_t i = 0; i < p->n_items; i++) {
        lf_choice *c = engine->of_items[i];
        complete = complete && items[i].status == LFM2_OK;
        if (c->session != NULL) { /* else its request has ended meanwhile */
            lf_state_trim(&c->session->state);
        }
        if (items[i].status == LFM2_OK && c->session != NULL) {
            after_item(engine, c, items[i].n);
        } else if (items[i].status != LFM2_OK) {
            lf_fail_restore(&failure);
            bool lacks = is_lack(engine, c, items[i].status);
            lacking = lacks ? c : lacking;
            lack = lacks ? items[i].status : lack;
        }
    }
    if (lacking != NULL && !lacking->request->ended) {
        lf_fail_restore(&failure);
        lf_engine_relieve(engine, lacking, lack);
    }
    if (complete) {
        lf_policy_note(&engine->policy, p->decode_rows, p->prompt_rows, lf_os_seconds() - begin);
    }
}

/* ---- The step ---- */

/* Removes the items of requests that have ended since they were added. */
static void drop_ended(lfm2_engine *engine, plan *p)
{
    lf_item *items = engine->workspace->pass.items;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->n_items; i++) {
        if (engine->of_items[i]->session != NULL) {
            items[kept] = items[i];
            engine->of_items[kept++] = engine->of_items[i];
        }
    }
    p->n_items = kept;
}

void lf_engine_make_step(lfm2_engine *engine)
{
    plan p = {0};
    engine->now = lf_os_seconds();
    take_incoming(engine);
    end_some(engine);
    release_held(engine);
    add_decoding(engine, &p);
    add_prompts(engine, &p, lf_policy_slice(&engine->policy, p.decode_rows));
    drop_ended(engine, &p);
    lf_engine_publish(engine);
    if (p.n_items > 0) {
        run_pass(engine, &p);
        engine->counted.n_steps++;
        engine->counted.steps_by_rows[lf_policy_class(p.decode_rows)]++;
    }
    double seconds = lf_os_seconds() - engine->now;
    engine->counted.busy_seconds += seconds;
    if (seconds > engine->counted.longest_step) {
        engine->counted.longest_step = seconds;
    }
    lf_engine_publish(engine);
}
