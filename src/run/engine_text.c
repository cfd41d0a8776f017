/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the texts of an engine: choosing tokens from logits, ends of texts and requests. */
#include "run/engine_internal.h"

#include "common/os.h"

/* ---- The cache ---- */

void lf_choice_store(lfm2_engine *engine, const lf_choice *c)
{
    if (engine->cache == NULL || (c->request->flags & LFM2_REQUEST_NO_CACHE) != 0 ||
        c->session == NULL || c->session->state.length == 0) {
        return;
    }
    lf_failure before;
    lf_fail_save(&before);
    if (lf_prefix_cache_insert(engine->cache, c->session, 0) != LFM2_OK) {
        lf_fail_restore(&before); /* a part may be stored; a cache may lack anything */
    }
}

/* ---- Ends ---- */

void lf_request_end(lfm2_engine *engine, lf_request *r, int32_t status)
{
    if (r->ended) {
        return;
    }
    r->ended = true;
    lf_event_end(engine, r, status);
    if (!r->started) {
        pthread_mutex_lock(&engine->lock);
        engine->n_waiting--;
        pthread_mutex_unlock(&engine->lock);
    }
    for (uint32_t i = 0; i < r->n_choices; i++) {
        if (r->choices[i].state == LF_CHOICE_COMPUTING) {
            lf_choice_store(engine, &r->choices[i]);
        }
        lf_choice_clear(engine, &r->choices[i]);
    }
    lf_session_free(r->base);
    r->base = NULL;
    *(status == LFM2_OK            ? &engine->counted.n_finished
      : status == LFM2_E_CANCELLED ? &engine->counted.n_cancelled
                                   : &engine->counted.n_failed) += 1;
}

/* Whether the session that is kept must compute more tokens first: all but the last, which can be
 * pending. */
static bool is_open(const lf_choice *c)
{
    return c->index == 0 && (c->request->flags & LFM2_REQUEST_KEEP) != 0 &&
           c->finish != LFM2_FINISH_DEADLINE && c->session != NULL && lf_choice_lacks(c) > 1;
}

/* Makes the session the application's to take. */
static void keep(lf_choice *c)
{
    lf_request *r = c->request;
    if (c->index != 0 || (r->flags & LFM2_REQUEST_KEEP) == 0 || c->session == NULL) {
        return;
    }
    r->kept = c->session;
    c->session = NULL;
    if (c->n > r->kept->state.length && c->n - r->kept->state.length == 1) {
        lf_session_add_later(r->kept, c->tokens[c->n - 1]); /* does nothing if it is full */
    }
}

static int32_t finish(lfm2_engine *engine, lf_choice *c)
{
    lfm2_stream_step rest = {.text = ""};
    if (c->stream != NULL) {
        lf_stream_flush(c->stream, &rest);
    }
    LF_TRY(lf_event_chats(engine, c));
    return lf_event_finish(engine, c, &rest);
}

void lf_choice_finish(lfm2_engine *engine, lf_choice *c)
{
    lf_request *r = c->request;
    if (is_open(c)) {
        c->state = LF_CHOICE_CLOSING;
        return;
    }
    lf_choice_store(engine, c);
    int32_t status = finish(engine, c);
    if (status != LFM2_OK) {
        lf_request_end(engine, r, status);
        return;
    }
    keep(c);
    lf_choice_clear(engine, c);
    r->n_open--;
    if (r->n_open == 0) {
        lf_request_end(engine, r, LFM2_OK);
    }
}

/* ---- Tokens ---- */

/* Reports a chosen token. */
static int32_t report(lfm2_engine *engine, lf_choice *c, const lfm2_stream_step *step)
{
    if (step->finish != LFM2_FINISH_STOP_TOKEN) {
        LF_TRY(lf_event_token(engine, c, step));
    }
    return lf_event_chats(engine, c);
}

/* Adds a chosen token to the sequence. */
static int32_t add(lfm2_engine *engine, lf_choice *c, const lfm2_stream_step *step)
{
    bool is_full = c->n >= engine->options.n_ctx;
    c->tokens[c->n++] = step->id;
    lf_choice_follow_draft(c, step->id);
    c->n_generated = step->n_generated;
    c->stop_string = step->stop_string;
    c->finish = step->finish != 0 ? step->finish : is_full ? LFM2_FINISH_CONTEXT : 0;
    if (c->finish == LFM2_FINISH_STOP_TOKEN) {
        c->stop_id = step->id;
    } else {
        engine->counted.generated_tokens++;
    }
    return report(engine, c, step);
}

int32_t lf_choice_choose_one(lfm2_engine *engine, lf_choice *c, const float *logits)
{
    lfm2_stream_step step;
    LF_TRY(lf_choice_reserve(engine, c, 1));
    LF_TRY(lf_stream_sample(c->stream, logits, &step));
    return add(engine, c, &step);
}

/* Takes the tokens that the constraint forces after a chosen one. */
static int32_t take_forced(lfm2_engine *engine, lf_choice *c)
{
    const int32_t *ids = NULL;
    size_t n = 0;
    while (c->finish == 0) {
        LF_TRY(lf_stream_forced(c->stream, &ids, &n));
        if (n == 0) {
            return LFM2_OK;
        }
        LF_TRY(lf_choice_choose_one(engine, c, NULL));
    }
    return LFM2_OK;
}

void lf_choice_choose(lfm2_engine *engine, lf_choice *c)
{
    bool drafts = c->draft != NULL;
    int32_t status = drafts ? lf_choice_choose_guessed(engine, c)
                            : lf_choice_choose_one(engine, c, c->session->logits->at);
    if (status == LFM2_OK) {
        status = take_forced(engine, c);
    }
    if (status != LFM2_OK) {
        lf_request_end(engine, c->request, status);
    } else if (c->finish != 0) {
        lf_choice_finish(engine, c);
    }
}
