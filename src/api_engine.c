/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the functions of lfm2.h for engines: checks arguments and calls run/. */
#include "api.h"

#include "run/engine.h"

static const lfm2_engine_options engine_defaults = {
    .size = sizeof engine_defaults, .step_ms = 300, .decode_share = 0.4f};

void lfm2_engine_options_init(lfm2_engine_options *options, size_t size)
{
    lf_api_init(options, size, &engine_defaults, sizeof engine_defaults);
}

int32_t lfm2_engine_create(lfm2_model *model, const lfm2_engine_options *options, lfm2_engine **out)
{
    if (model == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : "out");
    }
    lfm2_engine_options o = engine_defaults;
    LF_TRY(lf_api_read("options", options, LF_API_FIRST(lfm2_engine_options, notify_user), &o,
                       sizeof o));
    LF_TRY(lf_api_flags(o.flags, LFM2_ENGINE_THREAD | LFM2_ENGINE_NO_CACHE, "flags"));
    LF_TRY(lf_model_need_full(model));
    LF_TRY(lf_model_need_text(model));
    return lf_engine_create(model, &o, out);
}

void lfm2_engine_free(lfm2_engine *engine)
{
    lf_engine_free(engine);
}

/* ---- Requests ---- */

static const lfm2_request_options request_defaults = {.size = sizeof request_defaults};

void lfm2_request_options_init(lfm2_request_options *options, size_t size)
{
    lf_api_init(options, size, &request_defaults, sizeof request_defaults);
}

static int32_t check_request(const lfm2_request_options *o)
{
    const uint32_t known = LFM2_REQUEST_IGNORE_EOS | LFM2_REQUEST_SPECIAL | LFM2_REQUEST_LOGPROBS |
                           LFM2_REQUEST_DRAFT | LFM2_REQUEST_NO_CACHE | LFM2_REQUEST_KEEP |
                           LFM2_REQUEST_PROGRESS;
    LF_TRY(lf_api_flags(o->flags, known, "flags"));
    const char *null = o->prompt == NULL                            ? "prompt"
                       : o->stop_ids == NULL && o->n_stop_ids > 0   ? "stop_ids"
                       : o->draft_ids == NULL && o->n_draft_ids > 0 ? "draft_ids"
                                                                    : NULL;
    return null == NULL ? LFM2_OK : lf_api_null(null);
}

int32_t lfm2_engine_submit(lfm2_engine *engine, const lfm2_request_options *request, uint64_t *id)
{
    if (engine == NULL || request == NULL || id == NULL) {
        return lf_api_null(engine == NULL ? "engine" : request == NULL ? "request" : "id");
    }
    lfm2_request_options o = request_defaults;
    lfm2_sampler_options sampler;
    lfm2_chat_parser_options parser;
    LF_TRY(lf_api_read("request", request, LF_API_FIRST(lfm2_request_options, user), &o, sizeof o));
    LF_TRY(check_request(&o));
    LF_TRY(lf_api_sampler_options(lf_engine_model(engine), o.sampler, &sampler));
    o.sampler = &sampler;
    if (o.parser != NULL) {
        LF_TRY(lf_api_parser_options(o.parser, &parser));
        o.parser = &parser;
    }
    return lf_engine_submit(engine, &o, id);
}

int32_t lfm2_engine_cancel(lfm2_engine *engine, uint64_t id)
{
    return engine == NULL ? lf_api_null("engine") : lf_engine_cancel(engine, id);
}

int32_t lfm2_engine_step(lfm2_engine *engine, uint32_t *n_left)
{
    uint32_t n = 0;
    if (engine == NULL) {
        return lf_api_null("engine");
    }
    LF_TRY(lf_engine_step(engine, &n));
    if (n_left != NULL) {
        *n_left = n;
    }
    return LFM2_OK;
}

/* ---- Events ---- */

int32_t lfm2_engine_next(lfm2_engine *engine, lfm2_engine_event *event)
{
    lfm2_engine_event e;
    if (engine == NULL) {
        return lf_api_null("engine");
    }
    LF_TRY(lf_api_check_result(event, "event"));
    LF_TRY(lf_engine_next(engine, &e));
    return lf_api_write(&e, sizeof e, event, "event");
}

int32_t lfm2_engine_wait(lfm2_engine *engine, uint32_t milliseconds, lfm2_engine_event *event)
{
    lfm2_engine_event e;
    if (engine == NULL) {
        return lf_api_null("engine");
    }
    LF_TRY(lf_api_check_result(event, "event"));
    LF_TRY(lf_engine_wait(engine, milliseconds, &e));
    return lf_api_write(&e, sizeof e, event, "event");
}

int32_t lfm2_engine_take_session(lfm2_engine *engine, uint64_t id, lfm2_session **out)
{
    if (engine == NULL || out == NULL) {
        return lf_api_null(engine == NULL ? "engine" : "out");
    }
    return lf_engine_take_session(engine, id, out);
}

/* ---- Information ---- */

int32_t lfm2_engine_get_stats(lfm2_engine *engine, lfm2_engine_stats *stats)
{
    lfm2_engine_stats s;
    if (engine == NULL) {
        return lf_api_null("engine");
    }
    LF_TRY(lf_api_check_result(stats, "stats"));
    LF_TRY(lf_engine_stats(engine, &s));
    return lf_api_write(&s, sizeof s, stats, "stats");
}

lfm2_cache *lfm2_engine_cache(lfm2_engine *engine)
{
    return engine == NULL ? NULL : lf_engine_cache(engine);
}
