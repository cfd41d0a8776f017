/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the generation loop: steps of a session and of a stream, callbacks, the result. */
#include "run/generate.h"

#include "common/os.h"
#include "run/chat_parser.h"
#include "run/draft.h"
#include "run/pace.h"
#include "run/sequence.h"
#include "run/stream.h"
#include "run/verify.h"

typedef struct run {
    lfm2_session *session;
    lfm2_stream *stream;
    const lfm2_generate_options *options;
    lfm2_generate_result *result;
    int32_t finish; /* 0 while running */
    bool drafts;    /* with LFM2_GENERATE_DRAFT, until their memory fails */
    bool batches;   /* forced tokens are computed together; until their memory fails */
    lf_draft draft;
    lf_pace pace;
    lf_verify pass;
} run;

/* ---- Tokens ---- */

/* Passes a step to the callback. Returns whether the callback asks to stop. */
static bool report(const lfm2_generate_options *o, const lfm2_stream_step *step)
{
    if (o->callback == NULL) {
        return false;
    }
    lfm2_generated_token token = {.size = sizeof token,
                                  .text = step->text,
                                  .len = step->len,
                                  .id = step->id,
                                  .logprob = step->logprob,
                                  .top_ids = step->top_ids,
                                  .top_logprobs = step->top_logprobs,
                                  .n_top = step->n_top,
                                  .forced = step->forced};
    return o->callback(o->callback_user, &token) != 0;
}

/* Whether memory for drafts or for forced tokens alone is lacking. Then `*enabled` ends and the
 * text goes on. */
static bool disables(bool *enabled, int32_t status, const lf_failure *before)
{
    if (status != LFM2_E_MEMORY && status != LFM2_E_LIMIT) {
        return false;
    }
    lf_fail_restore(before);
    *enabled = false;
    return true;
}

static int32_t choose(run *r, const float *logits, lfm2_stream_step *step)
{
    LF_TRY(lf_stream_sample(r->stream, logits, step));
    r->result->n_generated = step->n_generated;
    r->result->n_forced += step->forced;
    r->finish = step->finish;
    if (r->finish == LFM2_FINISH_STOP_TOKEN) {
        r->result->stop_id = step->id;
    }
    if (r->drafts) {
        lf_failure before;
        lf_fail_save(&before);
        disables(&r->drafts, lf_draft_follow(&r->draft, step->id), &before);
    }
    return LFM2_OK;
}

static void make_pending(run *r, int32_t id)
{
    if (!lf_session_add_later(r->session, id)) {
        r->result->excluded_id = id;
    }
}

/* Reports a chosen token. The callback and a full session can end the text. */
static void report_chosen(run *r, const lfm2_stream_step *step)
{
    if (r->finish == LFM2_FINISH_STOP_TOKEN) {
        return;
    }
    bool stop = report(r->options, step);
    if (stop && (r->finish == 0 || r->finish == LFM2_FINISH_LENGTH)) {
        r->finish = LFM2_FINISH_CALLBACK;
    }
    if (r->finish == 0 && r->result->excluded_id >= 0) {
        r->finish = LFM2_FINISH_CONTEXT;
    }
}

/* ---- Passes ---- */

/* What the next pass computes: the pending token, and tokens after it that are forced or guessed.
 */
typedef struct plan {
    int32_t ids[LF_PACE_MOST_ROWS]; /* the pending token, if there is one, then the others */
    lf_guess guess;                 /* empty if tokens are forced */
    uint32_t rows; /* the first of `ids`, which are computed; 1 also if nothing is pending */
    bool forced;   /* those after the first are forced: logits are needed after the last only */
} plan;

/* The most rows that a pass may have. */
static uint32_t most_rows(const run *r)
{
    const lfm2_session *s = r->session;
    uint32_t most = LF_PACE_MOST_ROWS;
    uint32_t space = s->state.n_ctx - s->state.length;
    uint32_t max_tokens = r->options->max_tokens;
    most = s->state.n_chunk < most ? s->state.n_chunk : most;
    most = space < most ? space : most;
    if (max_tokens != 0 && max_tokens - r->result->n_generated < most) {
        most = max_tokens - r->result->n_generated;
    }
    return most;
}

/* Adds the tokens that the constraint forces, as many as a pass may have. */
static int32_t plan_forced(run *r, plan *p, uint32_t most)
{
    const int32_t *ids = NULL;
    size_t n = 0;
    LF_TRY(lf_stream_forced(r->stream, &ids, &n));
    for (size_t i = 0; i < n && p->rows < most; i++) {
        p->ids[p->rows++] = ids[i];
    }
    p->forced = n > 0;
    return LFM2_OK;
}

static int32_t make_plan(run *r, plan *p)
{
    p->guess = (lf_guess){0};
    p->rows = 1;
    p->forced = false;
    if ((!r->drafts && !r->batches) || r->session->later < 0) {
        return LFM2_OK;
    }
    uint32_t most = most_rows(r);
    p->ids[0] = r->session->later;
    if (r->batches) {
        LF_TRY(plan_forced(r, p, most));
    }
    if (r->drafts && !p->forced) {
        p->guess = lf_draft_propose(&r->draft, p->ids + 1, most - 1);
        if (p->guess.n > 0) {
            p->rows = lf_pace_rows(&r->pace, p->guess.match, (uint32_t)p->guess.n + 1);
        }
    }
    return LFM2_OK;
}

/* Computes the pass. *logits are those after each row, or after the last if tokens are forced. */
static int32_t compute(run *r, plan *p, const float **logits)
{
    if (p->rows > 1) {
        lf_failure before;
        lf_fail_save(&before);
        int32_t status = lf_verify_run(&r->pass, r->session, p->ids, p->rows, !p->forced);
        *logits = p->forced ? r->session->logits->at : r->pass.logits;
        if (!disables(p->forced ? &r->batches : &r->drafts, status, &before)) {
            return status;
        }
        p->rows = 1;
    }
    return lf_session_logits(r->session, logits);
}

/* Whether the token chosen after a row is the next one of the plan, and computed. */
static bool is_computed(run *r, const plan *p, uint32_t row, const lfm2_stream_step *step)
{
    if (p->forced) {
        return row + 1 < p->rows && step->id == p->ids[row + 1];
    }
    bool guessed = row < p->guess.n;
    bool right = guessed && step->id == p->ids[row + 1];
    if (guessed) {
        lf_pace_outcome(&r->pace, p->guess.match, right);
    }
    bool computed = right && row + 1 < p->rows;
    r->result->n_accepted += computed;
    return computed;
}

/* Chooses and reports tokens as long as they are those of the plan and computed, and one more.
 * Afterwards the last one is pending. */
static int32_t choose_tokens(run *r, const plan *p, const float *logits)
{
    size_t n_vocab = lf_stream_n_vocab(r->stream);
    for (uint32_t row = 0;; row++) {
        lfm2_stream_step step;
        int32_t status = choose(r, logits + (p->forced ? 0 : row * n_vocab), &step);
        bool computed = status == LFM2_OK && is_computed(r, p, row, &step);
        if (computed) {
            report_chosen(r, &step);
            if (r->finish == 0 && atomic_load(&r->session->cancel) == 0) {
                continue;
            }
        }
        if (p->rows > 1) {
            lf_verify_keep(&r->pass, r->session, row + 1);
        }
        LF_TRY(status);
        make_pending(r, step.id);
        if (!computed) {
            report_chosen(r, &step);
        }
        return LFM2_OK;
    }
}

/* Computes what is pending, then chooses and reports one token, or several after a guess. */
static int32_t some_tokens(run *r)
{
    plan p;
    LF_TRY(make_plan(r, &p));
    bool pending = r->session->later >= 0;
    double start = lf_os_seconds();
    const float *logits = NULL;
    LF_TRY(compute(r, &p, &logits));
    if (pending && !p.forced) {
        lf_pace_cost(&r->pace, p.rows, lf_os_seconds() - start);
    }
    r->result->n_drafted += p.forced ? 0 : p.rows - 1;
    return choose_tokens(r, &p, logits);
}

/* ---- Drafts ---- */

/* Adds the tokens of earlier turns to the text in which drafts are looked up. */
static int32_t remember_session(run *r)
{
    uint32_t length = lf_session_length(r->session);
    for (uint32_t first = 0; first < length;) {
        int32_t ids[256];
        uint32_t n = length - first < 256 ? length - first : 256;
        LF_TRY(lf_session_tokens(r->session, first, n, ids));
        LF_TRY(lf_draft_append(&r->draft, ids, n));
        first += n;
    }
    return LFM2_OK;
}

static int32_t begin_drafts(run *r, const int32_t *prompt, size_t n_prompt)
{
    const lfm2_generate_options *o = r->options;
    const lfm2_model *model = r->session->model;
    size_t n_vocab = lf_stream_n_vocab(r->stream);
    for (size_t i = 0; i < o->n_draft_ids; i++) {
        if (o->draft_ids[i] < 0 || (size_t)o->draft_ids[i] >= n_vocab) {
            return lf_fail(LFM2_E_ARGUMENT, "generate.draft",
                           "draft_ids[%zu] is %d; allowed: 0 to %zu", i, o->draft_ids[i],
                           n_vocab - 1);
        }
    }
    LF_TRY(lf_verify_create(model, LF_PACE_MOST_ROWS, true, &r->pass));
    LF_TRY(lf_draft_expect(&r->draft, o->draft_ids, o->n_draft_ids));
    LF_TRY(remember_session(r));
    return lf_draft_append(&r->draft, prompt, n_prompt);
}

/* Takes the memory of passes of forced tokens, if there is any. */
static int32_t begin_batches(run *r)
{
    lf_failure before;
    lf_fail_save(&before);
    r->batches = true;
    int32_t status = lf_verify_create(r->session->model, LF_PACE_MOST_ROWS, false, &r->pass);
    return disables(&r->batches, status, &before) ? LFM2_OK : status;
}

/* ---- The text ---- */

/* Reports the held-back text, which is final now, unless the callback has ended the text. The chat
 * parser is finished in both cases. */
static void flush(run *r)
{
    const lfm2_chat_parser *parser = r->options->parser;
    if (r->finish != LFM2_FINISH_CALLBACK) {
        lfm2_stream_step step;
        lf_stream_flush(r->stream, &step);
        if (step.len > 0) {
            report(r->options, &step);
        }
    } else if (parser != NULL) {
        lf_chat_parser_end(parser->parser);
    }
}

/* Appends the prompt to the session. The stream gets the tokens that were appended, also if the
 * call ends before the last chunk. */
static int32_t append_prompt(run *r, const int32_t *prompt, size_t n)
{
    if (n == 0) {
        return LFM2_OK;
    }
    uint32_t before = lf_session_length(r->session);
    int32_t status = lf_session_append(r->session, prompt, n, NULL);
    r->result->n_prompt = lf_session_length(r->session) - before;
    LF_TRY(lf_stream_prompt(r->stream, prompt, r->result->n_prompt));
    return status;
}

static int32_t loop(run *r, const int32_t *prompt, size_t n_prompt)
{
    lfm2_generate_result *result = r->result;
    double start = lf_os_seconds();
    int32_t status = append_prompt(r, prompt, n_prompt);
    double first = start;
    while (status == LFM2_OK && r->finish == 0) {
        status = some_tokens(r);
        if (first == start) {
            first = lf_os_seconds();
        }
        if (r->finish == 0 && lf_session_take_cancel(r->session)) {
            status = lf_fail(LFM2_E_CANCELLED, "session.cancelled",
                             "generation was cancelled; tokens generated: %u", result->n_generated);
        }
    }
    if (status == LFM2_E_CANCELLED) {
        r->finish = LFM2_FINISH_CANCELLED;
    } else {
        LF_TRY(status);
    }
    result->prompt_seconds = first - start;
    result->generate_seconds = lf_os_seconds() - first;
    flush(r);
    result->finish = r->finish;
    if (r->options->parser != NULL) {
        LF_TRY(lf_chat_parser_failure(r->options->parser->parser));
    }
    if (r->finish == LFM2_FINISH_CALLBACK) {
        return lf_fail(LFM2_E_STOPPED, "generate.stopped",
                       "the callback stopped the generation; tokens generated: %u",
                       result->n_generated);
    }
    return status;
}

static int32_t generate(run *r, const int32_t *prompt, size_t n_prompt)
{
    if (n_prompt == 0 && lf_session_length(r->session) == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.prompt",
                       "the session and the prompt are both empty");
    }
    if (r->options->parser != NULL) {
        LF_TRY(lf_chat_parser_check(r->options->parser->parser));
    }
    if (r->drafts) {
        LF_TRY(begin_drafts(r, prompt, n_prompt));
        r->batches = r->options->constraint != NULL;
    } else if (r->options->constraint != NULL) {
        LF_TRY(begin_batches(r));
    }
    *r->result = (lfm2_generate_result){.size = r->result->size, .stop_id = -1, .excluded_id = -1};
    return loop(r, prompt, n_prompt);
}

int32_t lf_generate(lfm2_session *session, lfm2_sampler *sampler, const int32_t *prompt,
                    size_t n_prompt, const lfm2_generate_options *options,
                    lfm2_generate_result *result)
{
    const lfm2_stream_options so = {
        .size = sizeof so,
        .max_tokens = options->max_tokens,
        .flags = ((options->flags & LFM2_GENERATE_IGNORE_EOS) != 0 ? LFM2_STREAM_IGNORE_EOS : 0u) |
                 ((options->flags & LFM2_GENERATE_SPECIAL) != 0 ? LFM2_STREAM_SPECIAL : 0u) |
                 (options->callback != NULL ? LFM2_STREAM_LOGPROBS : 0u),
        .stop_ids = options->stop_ids,
        .n_stop_ids = options->n_stop_ids,
        .stop_strings = options->stop_strings,
        .n_stop_strings = options->n_stop_strings,
        .n_top = options->n_top,
        .constraint = options->constraint,
        .parser = options->parser};
    run r = {.session = session, .options = options, .result = result};
    r.drafts = (options->flags & LFM2_GENERATE_DRAFT) != 0;
    lf_draft_init(&r.draft, &session->model->runtime->alloc);
    lf_pace_init(&r.pace);
    LF_TRY(lf_stream_create(session->model, sampler, &so, &r.stream));
    int32_t status = generate(&r, prompt, n_prompt);
    lf_verify_free(session->model, &r.pass);
    lf_draft_free(&r.draft);
    lf_stream_free(r.stream);
    return status;
}
