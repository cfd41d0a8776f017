/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the functions of lfm2.h for prefix caches: checks arguments and calls run/. */
#include "api.h"

#include "run/prefix_cache.h"

static const lfm2_cache_options cache_defaults = {.size = sizeof cache_defaults};

void lfm2_cache_options_init(lfm2_cache_options *options, size_t size)
{
    lf_api_init(options, size, &cache_defaults, sizeof cache_defaults);
}

int32_t lfm2_cache_create(lfm2_model *model, const lfm2_cache_options *options, lfm2_cache **out)
{
    if (model == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : "out");
    }
    lfm2_cache_options o = cache_defaults;
    LF_TRY(lf_api_read("options", options, LF_API_FIRST(lfm2_cache_options, disk_bytes), &o,
                       sizeof o));
    LF_TRY(lf_model_need_full(model));
    return lf_prefix_cache_create(model, &o, out);
}

void lfm2_cache_free(lfm2_cache *cache)
{
    lf_prefix_cache_free(cache);
}

int32_t lfm2_cache_insert(lfm2_cache *cache, lfm2_session *session, uint32_t n)
{
    if (cache == NULL || session == NULL) {
        return lf_api_null(cache == NULL ? "cache" : "session");
    }
    return lf_prefix_cache_insert(cache, session, n);
}

int32_t lfm2_cache_start(lfm2_cache *cache, lfm2_session *session, const int32_t *ids, size_t n,
                         uint32_t *n_reused)
{
    if (cache == NULL || session == NULL) {
        return lf_api_null(cache == NULL ? "cache" : "session");
    }
    if (ids == NULL || n_reused == NULL) {
        return lf_api_null(ids == NULL ? "ids" : "n_reused");
    }
    return lf_api_end_call(session, lf_prefix_cache_start(cache, session, ids, n, n_reused));
}

int32_t lfm2_cache_save(lfm2_cache *cache, const lfm2_session *session)
{
    if (cache == NULL || session == NULL) {
        return lf_api_null(cache == NULL ? "cache" : "session");
    }
    return lf_prefix_cache_save(cache, session);
}

int32_t lfm2_cache_set_budget(lfm2_cache *cache, uint64_t ram_bytes, uint64_t disk_bytes)
{
    if (cache == NULL) {
        return lf_api_null("cache");
    }
    return lf_prefix_cache_set_budget(cache, ram_bytes, disk_bytes);
}

int32_t lfm2_cache_clear(lfm2_cache *cache)
{
    if (cache == NULL) {
        return lf_api_null("cache");
    }
    lf_prefix_cache_clear(cache);
    return LFM2_OK;
}

int32_t lfm2_cache_get_usage(lfm2_cache *cache, lfm2_cache_usage *usage)
{
    if (cache == NULL) {
        return lf_api_null("cache");
    }
    LF_TRY(lf_api_check_result(usage, "usage"));
    lfm2_cache_usage u;
    lf_prefix_cache_usage(cache, &u);
    return lf_api_write(&u, sizeof u, usage, "usage");
}
