/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the generation loop: steps of a session and of a stream, callbacks, the result. */
#include "run/generate.h"

#include "common/os.h"
#include "run/stream.h"

typedef struct run {
    lfm2_session *session;
    lfm2_stream *stream;
    const lfm2_generate_options *options;
    int32_t finish; /* 0 while running */
} run;

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
                                  .n_top = step->n_top};
    return o->callback(o->callback_user, &token) != 0;
}

/* Chooses one token, appends it as the pending token and reports it. */
static int32_t one_token(run *r, lfm2_generate_result *result)
{
    const float *logits = NULL;
    LF_TRY(lf_session_logits(r->session, &logits));
    lfm2_stream_step step;
    LF_TRY(lf_stream_sample(r->stream, logits, &step));
    if (!lf_session_add_later(r->session, step.id)) {
        result->excluded_id = step.id;
    }
    result->n_generated = step.n_generated;
    r->finish = step.finish;
    if (r->finish == LFM2_FINISH_STOP_TOKEN) {
        result->stop_id = step.id;
        return LFM2_OK;
    }
    bool stop = report(r->options, &step);
    if (stop && (r->finish == 0 || r->finish == LFM2_FINISH_LENGTH)) {
        r->finish = LFM2_FINISH_CALLBACK;
    }
    if (r->finish == 0 && result->excluded_id >= 0) {
        r->finish = LFM2_FINISH_CONTEXT;
    }
    return LFM2_OK;
}

/* Reports the held-back text, which is final now. */
static void flush(run *r)
{
    if (r->finish == LFM2_FINISH_CALLBACK) {
        return;
    }
    lfm2_stream_step step;
    lf_stream_flush(r->stream, &step);
    if (step.len > 0) {
        report(r->options, &step);
    }
}

/* Appends the prompt to the session. The stream gets the tokens that were appended, also if the
 * call ends before the last chunk. */
static int32_t append_prompt(run *r, const int32_t *prompt, size_t n, lfm2_generate_result *result)
{
    if (n == 0) {
        return LFM2_OK;
    }
    uint32_t before = lf_session_length(r->session);
    int32_t status = lf_session_append(r->session, prompt, n, NULL);
    result->n_prompt = lf_session_length(r->session) - before;
    LF_TRY(lf_stream_prompt(r->stream, prompt, result->n_prompt));
    return status;
}

static int32_t loop(run *r, const int32_t *prompt, size_t n_prompt, lfm2_generate_result *result)
{
    double start = lf_os_seconds();
    int32_t status = append_prompt(r, prompt, n_prompt, result);
    double first = start;
    while (status == LFM2_OK && r->finish == 0) {
        status = one_token(r, result);
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
    if (r->finish == LFM2_FINISH_CALLBACK) {
        return lf_fail(LFM2_E_STOPPED, "generate.stopped",
                       "the callback stopped the generation; tokens generated: %u",
                       result->n_generated);
    }
    return status;
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
        .n_top = options->n_top};
    run r = {.session = session, .options = options};
    LF_TRY(lf_stream_create(session->model, sampler, &so, &r.stream));
    int32_t status = LFM2_OK;
    if (n_prompt == 0 && lf_session_length(session) == 0) {
        status = lf_fail(LFM2_E_ARGUMENT, "generate.prompt",
                         "the session and the prompt are both empty");
    } else {
        *result = (lfm2_generate_result){.size = result->size, .stop_id = -1, .excluded_id = -1};
        status = loop(&r, prompt, n_prompt, result);
    }
    lf_stream_free(r.stream);
    return status;
}
