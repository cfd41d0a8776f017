/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the functions of lfm2.h for samplers and generation: checks arguments and
 * calls run/. */
#include "api.h"

#include "run/generate.h"
#include "run/stream.h"

/* ---- Sampler ---- */

/* From the model card of LFM2-8B-A1B. */
static const lfm2_sampler_options sampler_defaults = {.size = sizeof sampler_defaults,
                                                      .temperature = 0.3f,
                                                      .top_p = 1.0f,
                                                      .min_p = 0.15f,
                                                      .repetition_penalty = 1.05f,
                                                      .penalty_last_n = -1};

static lfm2_sampler_options defaults_of(const lfm2_model *model)
{
    lfm2_sampler_options o = sampler_defaults;
    if (model != NULL) {
        const lf_sampling *s = &model->source->sampling;
        o.temperature = s->temperature;
        o.top_k = s->top_k;
        o.top_p = s->top_p;
        o.min_p = s->min_p;
        o.repetition_penalty = s->repetition_penalty;
        o.penalty_last_n = s->penalty_last_n;
    }
    return o;
}

void lfm2_sampler_options_init(lfm2_sampler_options *options, size_t size, const lfm2_model *model)
{
    lfm2_sampler_options o = defaults_of(model);
    lf_api_init(options, size, &o, sizeof o);
}

int32_t lf_api_sampler_options(const lfm2_model *model, const lfm2_sampler_options *given,
                               lfm2_sampler_options *out)
{
    *out = defaults_of(model);
    return lf_api_read("options", given, LF_API_FIRST(lfm2_sampler_options, n_bias), out,
                       sizeof *out);
}

int32_t lfm2_sampler_create(const lfm2_model *model, const lfm2_sampler_options *options,
                            lfm2_sampler **out)
{
    if (model == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : "out");
    }
    lfm2_sampler_options o;
    LF_TRY(lf_api_sampler_options(model, options, &o));
    return lf_sampler_create(model->runtime, model->source->hparams.n_vocab, &o, out);
}

void lfm2_sampler_free(lfm2_sampler *sampler)
{
    lf_sampler_free(sampler);
}

int32_t lfm2_sampler_clone(const lfm2_sampler *sampler, lfm2_sampler **out)
{
    if (sampler == NULL || out == NULL) {
        return lf_api_null(sampler == NULL ? "sampler" : "out");
    }
    return lf_sampler_clone(sampler, out);
}

int32_t lfm2_sampler_configure(lfm2_sampler *sampler, const lfm2_sampler_options *options)
{
    if (sampler == NULL || options == NULL) {
        return lf_api_null(sampler == NULL ? "sampler" : "options");
    }
    lfm2_sampler_options o = sampler_defaults;
    LF_TRY(
        lf_api_read("options", options, LF_API_FIRST(lfm2_sampler_options, n_bias), &o, sizeof o));
    return lf_sampler_configure(sampler, &o);
}

void lfm2_sampler_reset(lfm2_sampler *sampler)
{
    if (sampler != NULL) {
        lf_sampler_reset(sampler);
    }
}

int32_t lfm2_sampler_accept(lfm2_sampler *sampler, int32_t id)
{
    if (sampler == NULL) {
        return lf_api_null("sampler");
    }
    if (id < 0 || (uint32_t)id >= sampler->n_vocab) {
        return lf_fail(LFM2_E_ARGUMENT, "sampler.token", "id is %d; allowed: 0 to %u", id,
                       sampler->n_vocab - 1);
    }
    lf_sampler_accept(sampler, id);
    return LFM2_OK;
}

/* Fails unless there are as many logits as the model has tokens. */
static int32_t check_n_vocab(size_t n_vocab, uint32_t expected)
{
    if (n_vocab != expected) {
        return lf_fail(LFM2_E_ARGUMENT, "sampler.n_vocab", "n_vocab is %zu; the model has %u",
                       n_vocab, expected);
    }
    return LFM2_OK;
}

int32_t lfm2_sampler_sample(lfm2_sampler *sampler, const float *logits, size_t n_vocab, int32_t *id)
{
    if (sampler == NULL || logits == NULL || id == NULL) {
        return lf_api_null(sampler == NULL ? "sampler" : logits == NULL ? "logits" : "id");
    }
    LF_TRY(check_n_vocab(n_vocab, sampler->n_vocab));
    return lf_sampler_sample(sampler, logits, id);
}

/* ---- Generation ---- */

static const lfm2_generate_options generate_defaults = {.size = sizeof generate_defaults};

void lfm2_generate_options_init(lfm2_generate_options *options, size_t size)
{
    lf_api_init(options, size, &generate_defaults, sizeof generate_defaults);
}

int32_t lfm2_generate(lfm2_session *session, lfm2_sampler *sampler, const int32_t *prompt,
                      size_t n_prompt, const lfm2_generate_options *options,
                      lfm2_generate_result *result)
{
    if (session == NULL || sampler == NULL || (prompt == NULL && n_prompt > 0)) {
        return lf_api_null(session == NULL ? "session" : sampler == NULL ? "sampler" : "prompt");
    }
    lfm2_generate_options o = generate_defaults;
    LF_TRY(lf_api_read("options", options, LF_API_FIRST(lfm2_generate_options, reserved), &o,
                       sizeof o));
    const uint32_t known = LFM2_GENERATE_IGNORE_EOS | LFM2_GENERATE_SPECIAL | LFM2_GENERATE_DRAFT;
    LF_TRY(lf_api_flags(o.flags, known, "flags"));
    LF_TRY(lf_api_flags(o.reserved, 0, "reserved"));
    if (o.n_draft_ids > 0 && o.draft_ids == NULL) {
        return lf_api_null("draft_ids");
    }
    lfm2_generate_result r = {.size = sizeof r};
    if (result != NULL) { /* before anything is generated */
        LF_TRY(lf_api_check_result(result, "result"));
    }
    int32_t status =
        lf_api_end_call(session, lf_generate(session, sampler, prompt, n_prompt, &o, &r));
    bool has_result = status == LFM2_OK || status == LFM2_E_STOPPED || status == LFM2_E_CANCELLED;
    if (has_result && result != NULL) {
        lf_api_write(&r, sizeof r, result, "result");
    }
    return status;
}

/* ---- Stream ---- */

static const lfm2_stream_options stream_defaults = {.size = sizeof stream_defaults};

void lfm2_stream_options_init(lfm2_stream_options *options, size_t size)
{
    lf_api_init(options, size, &stream_defaults, sizeof stream_defaults);
}

int32_t lfm2_stream_create(lfm2_model *model, lfm2_sampler *sampler,
                           const lfm2_stream_options *options, lfm2_stream **out)
{
    if (model == NULL || sampler == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : sampler == NULL ? "sampler" : "out");
    }
    lfm2_stream_options o = stream_defaults;
    LF_TRY(
        lf_api_read("options", options, LF_API_FIRST(lfm2_stream_options, reserved), &o, sizeof o));
    const uint32_t known = LFM2_STREAM_IGNORE_EOS | LFM2_STREAM_SPECIAL | LFM2_STREAM_LOGPROBS;
    LF_TRY(lf_api_flags(o.flags, known, "flags"));
    LF_TRY(lf_api_flags(o.reserved, 0, "reserved"));
    return lf_stream_create(model, sampler, &o, out);
}

void lfm2_stream_free(lfm2_stream *stream)
{
    lf_stream_free(stream);
}

int32_t lfm2_stream_clone(const lfm2_stream *stream, lfm2_stream **out)
{
    if (stream == NULL || out == NULL) {
        return lf_api_null(stream == NULL ? "stream" : "out");
    }
    return lf_stream_clone(stream, out);
}

lfm2_sampler *lfm2_stream_sampler(const lfm2_stream *stream)
{
    return stream == NULL ? NULL : lf_stream_sampler(stream);
}

int32_t lfm2_stream_set_hook(lfm2_stream *stream,
                             int32_t (*hook)(void *user, float *logits, size_t n_vocab), void *user)
{
    if (stream == NULL) {
        return lf_api_null("stream");
    }
    lf_stream_set_hook(stream, hook, user);
    return LFM2_OK;
}

int32_t lfm2_stream_prompt(lfm2_stream *stream, const int32_t *ids, size_t n)
{
    if (stream == NULL || (ids == NULL && n > 0)) {
        return lf_api_null(stream == NULL ? "stream" : "ids");
    }
    return lf_stream_prompt(stream, ids, n);
}

int32_t lfm2_stream_sample(lfm2_stream *stream, const float *logits, size_t n_vocab,
                           lfm2_stream_step *step)
{
    if (stream == NULL || logits == NULL) {
        return lf_api_null(stream == NULL ? "stream" : "logits");
    }
    LF_TRY(check_n_vocab(n_vocab, lf_stream_n_vocab(stream)));
    LF_TRY(lf_api_check_result(step, "step"));
    lfm2_stream_step s;
    LF_TRY(lf_stream_sample(stream, logits, &s));
    return lf_api_write(&s, sizeof s, step, "step");
}

int32_t lfm2_stream_force(lfm2_stream *stream, int32_t id, const float *logits, size_t n_vocab,
                          lfm2_stream_step *step)
{
    if (stream == NULL) {
        return lf_api_null("stream");
    }
    if (logits != NULL) {
        LF_TRY(check_n_vocab(n_vocab, lf_stream_n_vocab(stream)));
    }
    LF_TRY(lf_api_check_result(step, "step"));
    lfm2_stream_step s;
    LF_TRY(lf_stream_force(stream, id, logits, &s));
    return lf_api_write(&s, sizeof s, step, "step");
}

int32_t lfm2_stream_forced(lfm2_stream *stream, int32_t *ids, size_t capacity, size_t *n)
{
    if (stream == NULL || n == NULL || (ids == NULL && capacity > 0)) {
        return lf_api_null(stream == NULL ? "stream" : n == NULL ? "n" : "ids");
    }
    const int32_t *forced = NULL;
    size_t n_forced = 0;
    LF_TRY(lf_stream_forced(stream, &forced, &n_forced));
    return lf_api_ids(forced, n_forced, ids, capacity, n);
}

int32_t lfm2_stream_flush(lfm2_stream *stream, lfm2_stream_step *step)
{
    if (stream == NULL) {
        return lf_api_null("stream");
    }
    LF_TRY(lf_api_check_result(step, "step"));
    lfm2_stream_step s;
    lf_stream_flush(stream, &s);
    return lf_api_write(&s, sizeof s, step, "step");
}
