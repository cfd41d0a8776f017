/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the generation loop: stop conditions, text assembly, log-probabilities, callbacks. */
#include "run/generate.h"

#include "common/elementary.h"
#include "common/os.h"
#include "common/utf8.h"
#include "text/utf8_stream.h"

#include <string.h>

enum { MAX_TOP = 64, MAX_STOP_STRING = 1 << 16, MAX_STOPS = 1 << 12 };

typedef struct run {
    lfm2_session *session;
    lfm2_sampler *sampler;
    const lfm2_generate_options *options;
    lf_utf8_stream utf8;
    char *text; /* characters not reported yet, 0-terminated */
    size_t text_len, text_size;
    int32_t top_ids[MAX_TOP];
    float top_logprobs[MAX_TOP];
    int32_t finish; /* 0 while running */
} run;

/* ---- Text ---- */

static int32_t reserve(run *r, size_t more)
{
    size_t need = r->text_len + more + 1;
    if (need <= r->text_size) {
        return LFM2_OK;
    }
    const lf_alloc *alloc = &r->session->model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new(alloc, need * 2, 1, "generated text", &p));
    if (r->text_len > 0) {
        memcpy(p, r->text, r->text_len);
    }
    lf_free(alloc, r->text, r->text_size, 1);
    r->text = p;
    r->text_size = need * 2;
    return LFM2_OK;
}

static int32_t add_token_text(run *r, int32_t id)
{
    const char *bytes = NULL;
    size_t len = 0;
    int32_t kind = 0;
    LF_TRY(lf_tokenizer_token(r->session->model->tokenizer, id, &bytes, &len, &kind));
    if (kind == LFM2_TOKEN_CONTROL && (r->options->flags & LFM2_GENERATE_SPECIAL) == 0) {
        return LFM2_OK;
    }
    LF_TRY(reserve(r, lf_utf8_push_bound(len)));
    r->text_len += lf_utf8_push(&r->utf8, bytes, len, r->text + r->text_len);
    return LFM2_OK;
}

/* Position of the first stop string in the text, or the length of the text. */
static size_t find_stop(const run *r)
{
    size_t first = r->text_len;
    for (size_t i = 0; i < r->options->n_stop_strings; i++) {
        const char *stop = r->options->stop_strings[i];
        size_t n = strlen(stop);
        for (size_t at = 0; at + n <= r->text_len && at < first; at++) {
            if (memcmp(r->text + at, stop, n) == 0) {
                first = at;
            }
        }
    }
    return first;
}

/* Length of the longest suffix of the text that is the beginning of a stop string. */
static size_t held_back(const run *r)
{
    size_t longest = 0;
    for (size_t i = 0; i < r->options->n_stop_strings; i++) {
        const char *stop = r->options->stop_strings[i];
        size_t n = strlen(stop) - 1;
        n = n < r->text_len ? n : r->text_len;
        while (n > longest && memcmp(r->text + r->text_len - n, stop, n) != 0) {
            n--;
        }
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* Passes the first `len` bytes of the text to the callback, with the token that made them final. */
static void report(run *r, int32_t id, size_t len, float logprob, size_t n_top)
{
    const lfm2_generate_options *o = r->options;
    int32_t stop = 0;
    if (o->callback != NULL && (len > 0 || id >= 0)) {
        char kept = r->text == NULL ? '\0' : r->text[len];
        if (r->text != NULL) {
            r->text[len] = '\0';
        }
        lfm2_generated_token token = {.size = sizeof token,
                                      .text = r->text == NULL ? "" : r->text,
                                      .len = len,
                                      .id = id,
                                      .logprob = logprob,
                                      .top_ids = r->top_ids,
                                      .top_logprobs = r->top_logprobs,
                                      .n_top = n_top};
        stop = o->callback(o->callback_user, &token);
        if (r->text != NULL) {
            r->text[len] = kept;
        }
    }
    if (len > 0) {
        memmove(r->text, r->text + len, r->text_len - len);
        r->text_len -= len;
    }
    if (stop != 0 && r->finish == 0) {
        r->finish = LFM2_FINISH_CALLBACK;
    }
}

/* ---- Log-probabilities of the raw logits ---- */

static float log_probabilities(run *r, const float *logits, int32_t id, size_t n_top)
{
    const lf_ops *ops = &r->session->model->runtime->kernels.ops;
    size_t n = r->sampler->n_vocab;
    float max = ops->max(n, logits);
    float log_sum = (float)lf_log_f64((double)ops->sum_exp(n, logits, max, NULL));
    size_t used = 0;
    for (size_t i = 0; i < n && n_top > 0; i++) {
        if (used == n_top && !(logits[i] > r->top_logprobs[used - 1])) {
            continue;
        }
        size_t at = used < n_top ? used++ : used - 1;
        for (; at > 0 && logits[i] > r->top_logprobs[at - 1]; at--) {
            r->top_ids[at] = r->top_ids[at - 1];
            r->top_logprobs[at] = r->top_logprobs[at - 1];
        }
        r->top_ids[at] = (int32_t)i;
        r->top_logprobs[at] = logits[i];
    }
    for (size_t i = 0; i < used; i++) {
        r->top_logprobs[i] = r->top_logprobs[i] - max - log_sum;
    }
    return logits[id] - max - log_sum;
}

/* ---- Loop ---- */

/* Stop strings are compared with whole characters, so they must be valid UTF-8. */
static bool is_stop_string(const char *text)
{
    size_t n = text == NULL ? 0 : strlen(text);
    size_t at = 0;
    for (size_t step = 1; at < n && step > 0; at += step) {
        step = lf_utf8_char(text + at, n - at);
    }
    return n > 0 && n <= MAX_STOP_STRING && at == n;
}

static int32_t check(const lfm2_session *session, const lfm2_sampler *sampler, size_t n_prompt,
                     const lfm2_generate_options *o)
{
    LF_TRY(lf_model_need_text(session->model));
    if (sampler->n_vocab != session->model->source->hparams.n_vocab) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.sampler",
                       "the sampler has a vocabulary of %u tokens, the model one of %u",
                       sampler->n_vocab, session->model->source->hparams.n_vocab);
    }
    if (n_prompt == 0 && lf_session_length(session) == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.prompt",
                       "the session and the prompt are both empty");
    }
    if (o->n_top > MAX_TOP) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.n_top", "n_top is %u; allowed: 0 to %d", o->n_top,
                       MAX_TOP);
    }
    if (o->n_stop_ids > 0 && o->stop_ids == NULL) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.stop",
                       "stop_ids is NULL although n_stop_ids is %zu", o->n_stop_ids);
    }
    if (o->n_stop_strings > 0 && o->stop_strings == NULL) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.stop",
                       "stop_strings is NULL although n_stop_strings is %zu", o->n_stop_strings);
    }
    if (o->n_stop_strings > MAX_STOPS) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.stop", "n_stop_strings is %zu; allowed: 0 to %d",
                       o->n_stop_strings, MAX_STOPS);
    }
    for (size_t i = 0; i < o->n_stop_strings; i++) {
        if (!is_stop_string(o->stop_strings[i])) {
            return lf_fail(LFM2_E_ARGUMENT, "generate.stop",
                           "stop_strings[%zu] is NULL, empty, not UTF-8 or longer than %d bytes", i,
                           MAX_STOP_STRING);
        }
    }
    return LFM2_OK;
}

static bool is_stop_token(const run *r, int32_t id)
{
    for (size_t i = 0; i < r->options->n_stop_ids; i++) {
        if (r->options->stop_ids[i] == id) {
            return true;
        }
    }
    return (r->options->flags & LFM2_GENERATE_IGNORE_EOS) == 0 &&
           lf_tokenizer_is_end(r->session->model->tokenizer, id);
}

/* Samples one token, reports its text and checks the stop conditions. */
static int32_t one_token(run *r, lfm2_generate_result *result)
{
    const float *logits = NULL;
    LF_TRY(lf_session_logits(r->session, &logits));
    int32_t id = 0;
    LF_TRY(lf_sampler_sample(r->sampler, logits, &id));
    lf_sampler_accept(r->sampler, id);
    if (!lf_session_add_later(r->session, id)) {
        result->excluded_id = id;
    }
    if (is_stop_token(r, id)) {
        r->finish = LFM2_FINISH_STOP_TOKEN;
        result->stop_id = id;
        return LFM2_OK;
    }
    result->n_generated++;
    bool wants_logprobs = r->options->callback != NULL;
    size_t n_top =
        r->options->n_top < r->sampler->n_vocab ? r->options->n_top : r->sampler->n_vocab;
    float logprob = wants_logprobs ? log_probabilities(r, logits, id, n_top) : 0;
    LF_TRY(add_token_text(r, id));
    size_t stop = find_stop(r);
    if (stop < r->text_len) {
        r->text_len = stop;
        r->finish = LFM2_FINISH_STOP_STRING;
        report(r, id, stop, logprob, n_top);
        return LFM2_OK;
    }
    report(r, id, r->text_len - held_back(r), logprob, n_top);
    if (r->finish == 0 && r->options->max_tokens != 0 &&
        result->n_generated >= r->options->max_tokens) {
        r->finish = LFM2_FINISH_LENGTH;
    }
    if (r->finish == 0 && result->excluded_id >= 0) {
        r->finish = LFM2_FINISH_CONTEXT;
    }
    return LFM2_OK;
}

/* Reports the held-back text, which is final now. After a stop string there is none. */
static int32_t flush(run *r)
{
    if (r->finish == LFM2_FINISH_STOP_STRING || r->finish == LFM2_FINISH_CALLBACK) {
        return LFM2_OK;
    }
    LF_TRY(reserve(r, 4));
    r->text_len += lf_utf8_flush(&r->utf8, r->text + r->text_len);
    if (r->text_len > 0) {
        report(r, -1, r->text_len, 0, 0);
    }
    return LFM2_OK;
}

/* Appends the prompt to the session. The sampler accepts the tokens that were appended, also if the
 * call ends before the last chunk. */
static int32_t append_prompt(run *r, const int32_t *prompt, size_t n, lfm2_generate_result *result)
{
    if (n == 0) {
        return LFM2_OK;
    }
    uint32_t before = lf_session_length(r->session);
    int32_t status = lf_session_append(r->session, prompt, n, NULL);
    result->n_prompt = lf_session_length(r->session) - before;
    for (size_t i = 0; i < result->n_prompt; i++) {
        lf_sampler_accept(r->sampler, prompt[i]);
    }
    return status;
}

static int32_t loop(run *r, const int32_t *prompt, size_t n_prompt, lfm2_generate_result *result)
{
    double start = lf_os_seconds();
    int32_t status = append_prompt(r, prompt, n_prompt, result);
    double first = start;
    while (status == LFM2_OK && r->finish == 0) {
        status = one_token(r, result);
        if (result->n_generated <= 1 && first == start) {
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
    LF_TRY(flush(r));
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
    LF_TRY(check(session, sampler, n_prompt, options));
    run r = {.session = session, .sampler = sampler, .options = options};
    *result = (lfm2_generate_result){.size = result->size, .stop_id = -1, .excluded_id = -1};
    int32_t status = loop(&r, prompt, n_prompt, result);
    lf_free(&session->model->runtime->alloc, r.text, r.text_size, 1);
    return status;
}
