/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the functions of lfm2.h for samplers and generation: checks arguments and
 * calls run/. */
#include "api.h"

#include "run/generate.h"

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

int32_t lfm2_sampler_create(const lfm2_model *model, const lfm2_sampler_options *options,
                            lfm2_sampler **out)
{
    if (model == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : "out");
    }
    lfm2_sampler_options o = defaults_of(model);
    LF_TRY(
        lf_api_read("options", options, LF_API_FIRST(lfm2_sampler_options, n_bias), &o, sizeof o));
    return lf_sampler_create(model->runtime, model->source->hparams.n_vocab, &o, out);
}

void lfm2_sampler_free(lfm2_sampler *sampler)
{
    lf_sampler_free(sampler);
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

int32_t lfm2_sampler_sample(lfm2_sampler *sampler, const float *logits, size_t n_vocab, int32_t *id)
{
    if (sampler == NULL || logits == NULL || id == NULL) {
        return lf_api_null(sampler == NULL ? "sampler" : logits == NULL ? "logits" : "id");
    }
    if (n_vocab != sampler->n_vocab) {
        return lf_fail(LFM2_E_ARGUMENT, "sampler.n_vocab", "n_vocab is %zu; the model has %u",
                       n_vocab, sampler->n_vocab);
    }
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
    LF_TRY(lf_api_flags(o.flags, LFM2_GENERATE_IGNORE_EOS | LFM2_GENERATE_SPECIAL, "flags"));
    LF_TRY(lf_api_flags(o.reserved, 0, "reserved"));
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
