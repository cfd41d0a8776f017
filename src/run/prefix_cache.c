/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the prefix cache: the tree under the lock of the KV pool, and starting sessions. */
#include "run/prefix_cache.h"

#include "run/sequence.h"

#include <string.h>

/* ---- Create, free ---- */

static bool release_pages(lf_kv_cache *of_pool, uint64_t most)
{
    lfm2_cache *cache = (lfm2_cache *)of_pool;
    return lf_prefix_release(&cache->tree, most);
}

/* Without a number: a part of the KV budget, or all memory if that has no limit. */
static uint64_t budget_of(const lfm2_model *model, uint64_t ram_bytes)
{
    uint64_t kv = atomic_load(&model->kv_pool.budget);
    return ram_bytes != 0 ? ram_bytes : kv == UINT64_MAX ? kv : kv / 4;
}

static uint64_t disk_budget_of(uint64_t disk_bytes)
{
    return disk_bytes != 0 ? disk_bytes : (uint64_t)4 << 30;
}

static int32_t open_folder(lfm2_cache *cache, lfm2_model *model, const lfm2_cache_options *options)
{
    return options->folder == NULL
               ? LFM2_OK
               : lf_prefix_disk_create(model, options->folder, disk_budget_of(options->disk_bytes),
                                       &cache->disk);
}

int32_t lf_prefix_cache_create(lfm2_model *model, const lfm2_cache_options *options,
                               lfm2_cache **out)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lfm2_cache), "prefix cache", &p));
    lfm2_cache *cache = p;
    cache->of_pool.release = release_pages;
    cache->of_pool.budget = budget_of(model, options->ram_bytes);
    lf_prefix_init(&cache->tree, alloc, &model->kv_pool);
    int32_t status = open_folder(cache, model, options);
    if (status == LFM2_OK && !lf_kv_add_cache(&model->kv_pool, &cache->of_pool)) {
        status = lf_fail(LFM2_E_STATE, "cache.forked",
                         "the caches of this model cannot be used: another thread used one while "
                         "this process was forked");
    }
    if (status != LFM2_OK) {
        lf_prefix_disk_free(cache->disk);
        lf_free(alloc, p, 1, sizeof *cache);
        return status;
    }
    cache->model = lf_model_retain(model);
    *out = cache;
    return LFM2_OK;
}

void lf_prefix_cache_free(lfm2_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    lfm2_model *model = cache->model;
    if (lf_kv_remove_cache(&model->kv_pool, &cache->of_pool)) {
        lf_prefix_free(&cache->tree); /* else it may be half changed */
    }
    lf_prefix_disk_free(cache->disk);
    lf_free(&model->runtime->alloc, cache, 1, sizeof *cache);
    lf_model_free(model);
}

/* ---- Insert ---- */

static int32_t check_model(const lfm2_cache *cache, const lfm2_session *session)
{
    return session->model == cache->model
               ? LFM2_OK
               : lf_fail(LFM2_E_ARGUMENT, "cache.model",
                         "the session and the cache have different models");
}

int32_t lf_prefix_cache_insert(lfm2_cache *cache, lfm2_session *session, uint32_t n)
{
    LF_TRY(check_model(cache, session));
    uint32_t length = lf_session_length(session);
    if (n > length) {
        return lf_fail(LFM2_E_ARGUMENT, "session.range", "%u tokens; the session has %u tokens", n,
                       length);
    }
    uint32_t computed = session->state.length;
    n = n == 0 || n > computed ? computed : n;
    lf_lock *lock = &cache->model->kv_pool.lock;
    if (n == 0 || !lf_lock_take(lock)) {
        return LFM2_OK;
    }
    int32_t status = lf_prefix_insert(&cache->tree, &session->state, n,
                                      session->has_logits ? session->logits : NULL);
    lf_prefix_shrink(&cache->tree, cache->of_pool.budget);
    lf_lock_give(lock);
    return status;
}

int32_t lf_prefix_cache_save(lfm2_cache *cache, const lfm2_session *session)
{
    LF_TRY(check_model(cache, session));
    if (cache->disk == NULL) {
        return lf_fail(LFM2_E_STATE, "cache.folder", "the cache has no folder");
    }
    return lf_prefix_disk_save(cache->disk, session);
}

/* ---- Start ---- */

static int32_t check_start(const lfm2_cache *cache, const lfm2_session *session, const int32_t *ids,
                           size_t n)
{
    LF_TRY(check_model(cache, session));
    if (lf_session_length(session) > 0) {
        return lf_fail(LFM2_E_STATE, "cache.session", "the session has %u tokens; it must be empty",
                       lf_session_length(session));
    }
    return lf_session_check_tokens(session, ids, n);
}

static void release(lfm2_cache *cache, lf_prefix_hit *hit)
{
    const lf_alloc *alloc = &cache->model->runtime->alloc;
    for (uint32_t i = 0; i < lf_pages_for(hit->length); i++) {
        lf_kv_release(hit->pages[i]);
    }
    lf_floats_release(alloc, hit->conv);
    lf_floats_release(alloc, hit->logits);
}

/* Computes the convolution history, and keeps it in the cache for the next session that continues
 * here. */
static int32_t warm_up(lfm2_cache *cache, lfm2_session *session, const int32_t *ids, uint32_t n)
{
    lf_floats *conv = NULL;
    LF_TRY(lf_session_warm_up(session, n, &conv));
    lf_lock *lock = &cache->model->kv_pool.lock;
    if (lf_lock_take(lock)) {
        lf_prefix_checkpoint(&cache->tree, lf_prefix_kind_of(&session->state), ids, n, conv);
        lf_prefix_shrink(&cache->tree, cache->of_pool.budget);
        lf_lock_give(lock);
    }
    lf_state_set_conv(cache->model, &session->state, conv);
    return LFM2_OK;
}

static void set_logits(lfm2_session *session, lf_floats *logits)
{
    const lf_alloc *alloc = &session->model->runtime->alloc;
    if (session->state.n_reserve > 0 && session->logits != NULL &&
        lf_floats_is_own(session->logits)) {
        memcpy(session->logits->at, logits->at, logits->n * sizeof(float));
        lf_floats_release(alloc, logits);
    } else {
        lf_floats_release(alloc, session->logits);
        session->logits = logits;
    }
    session->has_logits = true;
}

/* Gives the session what was found in the tree; all of it or nothing. */
static int32_t adopt(lfm2_cache *cache, lfm2_session *session, const int32_t *ids,
                     lf_prefix_hit *hit)
{
    lfm2_model *model = cache->model;
    int32_t status = lf_state_adopt(model, &session->state, hit->pages, hit->length, hit->conv);
    if (status != LFM2_OK) {
        release(cache, hit);
        return status;
    }
    if (hit->warm_up) {
        status = warm_up(cache, session, ids, hit->length);
    }
    if (status != LFM2_OK) {
        lf_state_reset(model, &session->state);
        return status;
    }
    if (hit->logits != NULL) {
        set_logits(session, hit->logits);
    }
    return LFM2_OK;
}

/* The same with what was read from a file; the tree gets it, too. */
static int32_t adopt_file(lfm2_cache *cache, lfm2_session *session, const int32_t *ids,
                          lf_disk_hit *hit)
{
    if (hit->warm_up) {
        int32_t status = warm_up(cache, session, ids, hit->length);
        if (status != LFM2_OK) {
            lf_state_reset(cache->model, &session->state);
            return status;
        }
    }
    lf_lock *lock = &cache->model->kv_pool.lock;
    int32_t status = LFM2_OK;
    if (session->state.n_reserve == 0 && lf_lock_take(lock)) {
        status = lf_prefix_insert(&cache->tree, &session->state, hit->length, hit->logits);
        lf_prefix_shrink(&cache->tree, cache->of_pool.budget);
        lf_lock_give(lock);
    }
    if (status != LFM2_OK) {
        lf_floats_release(&cache->model->runtime->alloc, hit->logits);
        lf_state_reset(cache->model, &session->state);
        return status;
    }
    if (hit->logits != NULL) {
        set_logits(session, hit->logits);
    }
    return LFM2_OK;
}

/* Starts the session from the tree, or from a file that has more tokens than it is worth. */
static int32_t start(lfm2_cache *cache, lfm2_session *session, const int32_t *ids, uint32_t n,
                     lf_prefix_hit *hit)
{
    uint32_t least = hit->length + lf_warm_up_tokens(cache->model);
    if (cache->disk != NULL && least < n && hit->logits == NULL) {
        lf_disk_hit file;
        int32_t status = lf_prefix_disk_read(cache->disk, session, ids, n, least, &file);
        if (status != LFM2_OK || file.length > 0) {
            release(cache, hit);
            hit->length = file.length;
            return status != LFM2_OK ? status : adopt_file(cache, session, ids, &file);
        }
    }
    return hit->length == 0 ? LFM2_OK : adopt(cache, session, ids, hit);
}

uint32_t lf_prefix_cache_peek(lfm2_cache *cache, lf_kv_type kv_type, uint64_t scope,
                              const int32_t *ids, uint32_t n)
{
    uint32_t length = 0;
    lf_lock *lock = &cache->model->kv_pool.lock;
    if (lf_lock_take(lock)) {
        length = lf_prefix_length(&cache->tree, (lf_prefix_kind){kv_type, scope}, ids, n);
        lf_lock_give(lock);
    }
    return length;
}

int32_t lf_prefix_cache_start(lfm2_cache *cache, lfm2_session *session, const int32_t *ids,
                              size_t n_ids, uint32_t *n_reused)
{
    LF_TRY(check_start(cache, session, ids, n_ids));
    uint32_t n = (uint32_t)n_ids;
    lfm2_model *model = cache->model;
    const lf_alloc *alloc = &model->runtime->alloc;
    lf_prefix_hit hit = {0};
    void *pages = NULL;
    LF_TRY(lf_new(alloc, lf_pages_for(n), sizeof *hit.pages, "page table", &pages));
    hit.pages = pages;
    if (lf_lock_take(&model->kv_pool.lock)) {
        lf_prefix_find(&cache->tree, lf_prefix_kind_of(&session->state), ids, n,
                       lf_warm_up_tokens(model), &hit);
        lf_lock_give(&model->kv_pool.lock);
    }
    int32_t status = start(cache, session, ids, n, &hit);
    lf_free(alloc, pages, lf_pages_for(n), sizeof *hit.pages);
    LF_TRY(status);
    atomic_fetch_add(hit.length > 0 ? &cache->n_hits : &cache->n_misses, 1);
    atomic_fetch_add(&cache->n_asked, n);
    atomic_fetch_add(&cache->n_reused, hit.length);
    *n_reused = hit.length;
    return LFM2_OK;
}

/* ---- Budget, usage ---- */

int32_t lf_prefix_cache_set_budget(lfm2_cache *cache, uint64_t ram_bytes, uint64_t disk_bytes)
{
    uint64_t bytes = budget_of(cache->model, ram_bytes);
    lf_kv_pool *pool = &cache->model->kv_pool;
    if (lf_lock_take(&pool->lock)) {
        lf_kv_set_cache_budget(pool, &cache->of_pool, bytes);
        lf_prefix_shrink(&cache->tree, bytes);
        lf_lock_give(&pool->lock);
    }
    return cache->disk == NULL ? LFM2_OK
                               : lf_prefix_disk_set_budget(cache->disk, disk_budget_of(disk_bytes));
}

void lf_prefix_cache_clear(lfm2_cache *cache)
{
    lf_lock *lock = &cache->model->kv_pool.lock;
    if (lf_lock_take(lock)) {
        lf_prefix_shrink(&cache->tree, 0);
        lf_lock_give(lock);
    }
}

void lf_prefix_cache_usage(lfm2_cache *cache, lfm2_cache_usage *usage)
{
    *usage = (lfm2_cache_usage){.hits = atomic_load(&cache->n_hits),
                                .misses = atomic_load(&cache->n_misses),
                                .tokens_asked = atomic_load(&cache->n_asked),
                                .tokens_reused = atomic_load(&cache->n_reused)};
    lf_lock *lock = &cache->model->kv_pool.lock;
    if (lf_lock_take(lock)) {
        usage->ram_budget = cache->of_pool.budget;
        usage->ram_bytes = cache->tree.bytes;
        usage->pages = cache->tree.n_pages;
        usage->checkpoints = cache->tree.n_checkpoints;
        usage->pages_evicted = cache->tree.n_evicted;
        lf_lock_give(lock);
    }
    const lf_prefix_disk *disk = cache->disk;
    if (disk != NULL) {
        usage->disk_budget = atomic_load(&disk->budget);
        usage->disk_bytes = atomic_load(&disk->bytes);
        usage->files = atomic_load(&disk->n_files);
        usage->files_read = atomic_load(&disk->n_hits);
        usage->files_evicted = atomic_load(&disk->n_evicted);
        usage->files_bad = atomic_load(&disk->n_bad);
    }
}
