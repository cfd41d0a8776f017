/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the pages of keys and values: extents, reference counts, the budget. */
#include "model/kv_pool.h"

/* The pages of an extent have at most this many bytes, unless it has a single page. */
enum { EXTENT_BYTES = 8 << 20 };

typedef struct lf_kv_extent {
    lf_kv_pool *pool;
    struct lf_kv_extent *previous, *next; /* in the pool's list, if it has spare pages */
    lf_kv_page *spare;                    /* pages without references */
    uint8_t *data;                        /* [n][page_bytes] */
    size_t page_bytes;
    uint32_t n;
    atomic_uint_fast32_t live; /* pages with references */
    lf_kv_page pages[];
} lf_kv_extent;

void lf_kv_pool_init(lf_kv_pool *pool, const lf_alloc *alloc, uint64_t budget)
{
    *pool = (lf_kv_pool){.alloc = alloc};
    atomic_init(&pool->budget, budget);
}

static size_t header_bytes(uint32_t n)
{
    return sizeof(lf_kv_extent) + n * sizeof(lf_kv_page);
}

static bool fits(const lf_kv_pool *pool, uint64_t used, uint64_t bytes)
{
    uint64_t budget = atomic_load(&pool->budget);
    return used <= budget && bytes <= budget - used;
}

bool lf_kv_fits(const lf_kv_pool *pool, uint64_t bytes)
{
    return fits(pool, atomic_load(&pool->used), bytes);
}

/* Has the caches release pages until at most `most` bytes are used; false if that frees nothing. */
static bool reclaim(lf_kv_pool *pool, uint64_t most)
{
    if (!lf_lock_take(&pool->lock)) {
        return false;
    }
    bool any = false;
    for (lf_kv_cache *c = pool->caches; c != NULL && atomic_load(&pool->used) > most; c = c->next) {
        any = c->release(c, most) || any;
    }
    lf_lock_give(&pool->lock);
    return any;
}

static int32_t fail_budget(const lf_kv_pool *pool, uint64_t used, uint64_t bytes)
{
    return lf_fail(LFM2_E_LIMIT, "kv.budget",
                   "the KV memory is used up: %llu bytes are needed; %llu of the budget of %llu "
                   "bytes are in use",
                   (unsigned long long)bytes, (unsigned long long)used,
                   (unsigned long long)atomic_load(&pool->budget));
}

/* Counts bytes as used if the budget permits. */
static int32_t charge(lf_kv_pool *pool, uint64_t bytes)
{
    uint_fast64_t used = atomic_load(&pool->used);
    for (;;) {
        if (!fits(pool, used, bytes)) {
            uint64_t budget = atomic_load(&pool->budget);
            if (bytes > budget || !reclaim(pool, budget - bytes)) {
                return fail_budget(pool, used, bytes);
            }
            used = atomic_load(&pool->used);
        } else if (atomic_compare_exchange_weak(&pool->used, &used, used + bytes)) {
            return LFM2_OK;
        }
    }
}

/* The bytes are already counted. */
static int32_t new_extent(lf_kv_pool *pool, size_t page_bytes, uint32_t n, lf_kv_page **pages)
{
    void *header = NULL;
    void *data = NULL;
    LF_TRY(lf_new(pool->alloc, header_bytes(n), 1, "KV pages", &header));
    int32_t status = lf_new(pool->alloc, n, page_bytes, "KV pages", &data);
    if (status != LFM2_OK) {
        lf_free(pool->alloc, header, header_bytes(n), 1);
        return status;
    }
    lf_kv_extent *extent = header;
    extent->pool = pool;
    extent->spare = NULL;
    extent->data = data;
    extent->page_bytes = page_bytes;
    extent->n = n;
    atomic_init(&extent->live, n);
    for (uint32_t i = 0; i < n; i++) {
        lf_kv_page *page = &extent->pages[i];
        page->data = extent->data + i * page_bytes;
        page->extent = extent;
        atomic_init(&page->refs, 1);
        pages[i] = page;
    }
    return LFM2_OK;
}

static void free_extent(lf_kv_extent *extent)
{
    const lf_alloc *alloc = extent->pool->alloc;
    lf_free(alloc, extent->data, extent->n, extent->page_bytes);
    lf_free(alloc, extent, header_bytes(extent->n), 1);
}

/* ---- Spare pages; the caller has their lock ---- */

static void link_extent(lf_kv_extent *extent)
{
    lf_kv_pool *pool = extent->pool;
    extent->previous = NULL;
    extent->next = atomic_load(&pool->spare);
    if (extent->next != NULL) {
        extent->next->previous = extent;
    }
    atomic_store(&pool->spare, extent);
}

static void unlink_extent(lf_kv_extent *extent)
{
    if (extent->previous != NULL) {
        extent->previous->next = extent->next;
    } else {
        atomic_store(&extent->pool->spare, extent->next);
    }
    if (extent->next != NULL) {
        extent->next->previous = extent->previous;
    }
}

static void add_spare(lf_kv_page *page)
{
    lf_kv_extent *extent = page->extent;
    if (extent->spare == NULL) {
        link_extent(extent);
    }
    page->next = extent->spare;
    extent->spare = page;
}

/* Moves pages of an extent to pages[0..n); returns how many there were. */
static uint32_t take_from(lf_kv_extent *extent, uint32_t n, lf_kv_page **pages)
{
    uint32_t taken = 0;
    for (; taken < n && extent->spare != NULL; taken++) {
        lf_kv_page *page = extent->spare;
        extent->spare = page->next;
        atomic_store_explicit(&page->refs, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&extent->live, 1, memory_order_relaxed);
        pages[taken] = page;
    }
    if (extent->spare == NULL) {
        unlink_extent(extent);
    }
    return taken;
}

/* ---- Pages ---- */

/* Stores up to n spare pages and returns how many. */
static uint32_t take_spare(lf_kv_pool *pool, size_t page_bytes, uint32_t n, lf_kv_page **pages)
{
    uint32_t taken = 0;
    if (atomic_load(&pool->spare) == NULL || !lf_lock_take(&pool->spare_lock)) {
        return 0;
    }
    for (lf_kv_extent *e = atomic_load(&pool->spare); e != NULL && taken < n;) {
        lf_kv_extent *next = e->next;
        if (e->page_bytes == page_bytes) {
            taken += take_from(e, n - taken, pages + taken);
        }
        e = next;
    }
    lf_lock_give(&pool->spare_lock);
    return taken;
}

/* The system has less memory than the budget: has the caches release as much as is lacking. Their
 * pages become spare ones, or memory that the system can give again. Keeps the failure. */
static bool replace(lf_kv_pool *pool, uint64_t lack)
{
    lf_failure failure;
    lf_fail_save(&failure);
    uint64_t used = atomic_load(&pool->used);
    bool any = reclaim(pool, used > lack ? used - lack : 0);
    lf_fail_restore(&failure);
    return any;
}

int32_t lf_kv_take(lf_kv_pool *pool, size_t page_bytes, uint32_t n, lf_kv_page **pages)
{
    uint64_t bytes = 0;
    if (!lf_mul_u64(n, page_bytes, &bytes)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "KV pages: %u x %zu bytes overflow", n,
                       page_bytes);
    }
    LF_TRY(charge(pool, bytes));
    size_t most = page_bytes == 0 ? n : EXTENT_BYTES / page_bytes;
    most = most > 0 ? most : 1;
    for (uint32_t done = take_spare(pool, page_bytes, n, pages); done < n;) {
        uint32_t step = n - done < most ? n - done : (uint32_t)most;
        int32_t status = new_extent(pool, page_bytes, step, pages + done);
        if (status != LFM2_OK) {
            uint64_t lack = (uint64_t)(n - done) * page_bytes;
            if (replace(pool, lack)) {
                done += take_spare(pool, page_bytes, n - done, pages + done);
                continue;
            }
            atomic_fetch_sub(&pool->used, lack);
            while (done > 0) {
                lf_kv_release(pages[--done]);
            }
            return status;
        }
        done += step;
    }
    return LFM2_OK;
}

void lf_kv_retain(lf_kv_page *page)
{
    atomic_fetch_add_explicit(&page->refs, 1, memory_order_relaxed);
}

/* If the lock is lost, pages do not become spare, but extents are still freed. */
void lf_kv_release(lf_kv_page *page)
{
    if (atomic_fetch_sub_explicit(&page->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    lf_kv_extent *extent = page->extent;
    lf_kv_pool *pool = extent->pool;
    size_t bytes = extent->page_bytes;
    bool locked = extent->n > 1 && lf_lock_take(&pool->spare_lock);
    bool last = atomic_fetch_sub_explicit(&extent->live, 1, memory_order_acq_rel) == 1;
    if (locked) {
        if (!last) {
            add_spare(page);
        } else if (extent->spare != NULL) {
            unlink_extent(extent);
        }
        lf_lock_give(&pool->spare_lock);
    }
    if (last) {
        free_extent(extent);
    }
    atomic_fetch_sub(&pool->used, bytes);
}

bool lf_kv_is_own(const lf_kv_page *page)
{
    return atomic_load_explicit(&page->refs, memory_order_acquire) == 1;
}

/* ---- Caches ---- */

static void add_budgets(lf_kv_pool *pool)
{
    uint64_t sum = 0;
    for (const lf_kv_cache *c = pool->caches; c != NULL; c = c->next) {
        sum = lf_add_u64(sum, c->budget, &sum) ? sum : UINT64_MAX;
    }
    atomic_store(&pool->cache_budget, sum);
}

bool lf_kv_add_cache(lf_kv_pool *pool, lf_kv_cache *cache)
{
    if (!lf_lock_take(&pool->lock)) {
        return false;
    }
    cache->next = pool->caches;
    pool->caches = cache;
    add_budgets(pool);
    lf_lock_give(&pool->lock);
    return true;
}

bool lf_kv_remove_cache(lf_kv_pool *pool, lf_kv_cache *cache)
{
    if (!lf_lock_take(&pool->lock)) {
        return false;
    }
    lf_kv_cache **at = &pool->caches;
    while (*at != cache) {
        at = &(*at)->next;
    }
    *at = cache->next;
    add_budgets(pool);
    lf_lock_give(&pool->lock);
    return true;
}

void lf_kv_set_cache_budget(lf_kv_pool *pool, lf_kv_cache *cache, uint64_t budget)
{
    cache->budget = budget;
    add_budgets(pool);
}
