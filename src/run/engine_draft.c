/* SPDX-License-Identifier: Apache-2.0 */
/* Implements drafts in an engine: guesses in the pass of all sequences, and choosing after it. */
#include "run/engine_internal.h"

/* Drafts pay while few sequences share a pass. */
enum { MOST_SEQUENCES = 3 };

static size_t history_floats(const lfm2_engine *engine)
{
    return lf_state_conv_floats(engine->model);
}

int32_t lf_choice_add_draft(lfm2_engine *engine, lf_choice *c, const int32_t *ids, size_t n)
{
    uint32_t n_vocab = engine->model->source->hparams.n_vocab;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab) {
            return lf_fail(LFM2_E_ARGUMENT, "generate.draft",
                           "draft_ids[%zu] is %d; allowed: 0 to %u", i, ids[i], n_vocab - 1);
        }
    }
    const lf_alloc *alloc = lf_engine_alloc(engine);
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_choice_draft), "draft", &p));
    lf_choice_draft *d = p;
    c->draft = d;
    lf_draft_init(&d->text, alloc);
    lf_pace_init(&d->pace);
    LF_TRY(lf_new(alloc, history_floats(engine), sizeof(float), "history of drafts", &p));
    d->history = p;
    LF_TRY(lf_draft_expect(&d->text, ids, n));
    return lf_draft_append(&d->text, c->tokens, c->n);
}

void lf_choice_drop_draft(lfm2_engine *engine, lf_choice *c)
{
    lf_choice_draft *d = c->draft;
    if (d == NULL) {
        return;
    }
    const lf_alloc *alloc = lf_engine_alloc(engine);
    lf_draft_free(&d->text);
    lf_free(alloc, d->history, history_floats(engine), sizeof(float));
    lf_free(alloc, d, 1, sizeof *d);
    c->draft = NULL;
}

void lf_choice_follow_draft(lf_choice *c, int32_t id)
{
    lf_choice_draft *d = c->draft;
    if (d == NULL || d->ended) {
        return;
    }
    lf_failure before;
    lf_fail_save(&before);
    if (lf_draft_follow(&d->text, id) != LFM2_OK) {
        lf_fail_restore(&before);
        d->ended = true;
    }
}

/* Gets the memory of passes with guesses. */
static bool has_memory(lfm2_engine *engine)
{
    lf_failure before;
    lf_fail_save(&before);
    if (engine->guesses.logits != NULL) {
        return true;
    }
    if (lf_verify_create(engine->model, LF_ENGINE_GUESS_ROWS, true, &engine->guesses) == LFM2_OK) {
        return true;
    }
    lf_verify_free(engine->model, &engine->guesses);
    lf_fail_restore(&before);
    return false;
}

/* The most rows of a choice that `used` rows of other guesses leave. */
static uint32_t most_rows(const lfm2_engine *engine, const lf_choice *c, uint32_t used)
{
    uint32_t most = LF_ENGINE_GUESS_ROWS - used;
    uint32_t space = engine->options.n_ctx - lf_choice_computed(c);
    most = space < most ? space : most;
    uint32_t max_tokens = c->request->max_tokens;
    uint32_t left = max_tokens == 0 ? most : max_tokens - c->n_generated;
    return left < most ? left : most;
}

/* What follows is no pass with guesses. */
static void forget_pass(lf_choice_draft *d)
{
    d->rows = 1;
    d->guess = (lf_guess){0};
}

bool lf_choice_guess(lfm2_engine *engine, lf_choice *c, uint32_t n_sequences, uint32_t used,
                     lf_item *item)
{
    lf_choice_draft *d = c->draft;
    forget_pass(d);
    uint32_t most = n_sequences <= MOST_SEQUENCES ? most_rows(engine, c, used) : 1;
    if (most <= 1 || d->ended) {
        return false;
    }
    d->ids[0] = c->tokens[c->n - 1];
    d->guess = lf_draft_propose(&d->text, d->ids + 1, most - 1);
    if (d->guess.n > 0) {
        d->rows = lf_pace_rows(&d->pace, d->guess.match, (uint32_t)d->guess.n + 1);
    }
    if (d->rows == 1 || !has_memory(engine)) {
        d->rows = 1;
        return false;
    }
    const lfm2_model *model = engine->model;
    size_t inputs = history_floats(engine) / (model->source->hparams.conv_kernel - 1);
    d->pass = (lf_verify){.rows = d->rows,
                          .logits = engine->guesses.logits +
                                    (size_t)used * model->source->hparams.n_vocab,
                          .gated = engine->guesses.gated + used * inputs,
                          .history = d->history};
    *item = lf_verify_item(&d->pass, c->session, d->ids, d->rows, true);
    c->n_drafted += d->rows - 1;
    engine->counted.drafted_tokens += d->rows - 1;
    return true;
}

int32_t lf_choice_choose_guessed(lfm2_engine *engine, lf_choice *c)
{
    lf_choice_draft *d = c->draft;
    uint32_t rows = d->rows;
    const float *logits = rows > 1 ? d->pass.logits : c->session->logits->at;
    size_t n_vocab = engine->model->source->hparams.n_vocab;
    int32_t status = LFM2_OK;
    uint32_t row = 0;
    for (;; row++) {
        status = lf_choice_choose_one(engine, c, logits + row * n_vocab);
        if (status != LFM2_OK || d->ended || row >= d->guess.n) {
            break;
        }
        bool right = c->tokens[c->n - 1] == d->ids[row + 1];
        lf_pace_outcome(&d->pace, d->guess.match, right);
        if (!right || row + 1 >= rows) {
            break;
        }
        c->n_accepted++;
        engine->counted.accepted_tokens++;
        if (c->finish != 0) {
            break;
        }
    }
    if (rows > 1) {
        lf_verify_keep(&d->pass, c->session, row + 1);
    }
    forget_pass(d);
    return status;
}

bool lf_choice_drop_guesses(lf_choice *c)
{
    lf_choice_draft *d = c->draft;
    if (d == NULL || d->rows <= 1) {
        return false;
    }
    d->ended = true;
    forget_pass(d);
    return true;
}
