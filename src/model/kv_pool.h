/* SPDX-License-Identifier: Apache-2.0 */
/* The memory for keys and values of a model's sessions: pages with reference counts, a budget, and
 * the caches that give pages back when it is used up. */
#ifndef LF_MODEL_KV_POOL_H
#define LF_MODEL_KV_POOL_H

#include "common/alloc.h"
#include "common/lock.h"
#include "kernels/kernels.h"

#include <stdatomic.h>

/* What keeps pages that no session needs. */
typedef struct lf_kv_cache {
    struct lf_kv_cache *next;
    uint64_t budget; /* bytes that it may have, including memory that is not in pages */
    /* Releases pages, the least useful first, until at most `most` bytes of the pool are used or
     * until it holds no page of which it has the only reference. Returns whether it released any.
     * Called with the lock of the pool. */
    bool (*release)(struct lf_kv_cache *cache, uint64_t most);
} lf_kv_cache;

struct lf_kv_extent;

/* One budget for the pages of all KV types. Any thread may call the functions below at any time,
 * also in the child of a fork. */
typedef struct lf_kv_pool {
    const lf_alloc *alloc;
    atomic_uint_fast64_t budget;          /* bytes; UINT64_MAX: no limit */
    atomic_uint_fast64_t used;            /* bytes of the pages with references */
    lf_lock spare_lock;                   /* of `spare` and of what is in its extents; taken last */
    _Atomic(struct lf_kv_extent *) spare; /* the extents with pages without references */
    lf_lock lock;                         /* of `caches` and of all that they hold */
    lf_kv_cache *caches;
    atomic_uint_fast64_t cache_budget; /* the sum of theirs; UINT64_MAX: no limit */
    atomic_uint_fast64_t cached;       /* bytes of the pages that the caches hold */
} lf_kv_pool;

/* LF_ATTN_BLOCK positions of a sequence: their token ids, and one KV block of K and one of V for
 * each KV head of each attention layer (lf_state_k, lf_state_v). The holder of the only reference
 * may write. The memory is not cleared. */
typedef struct lf_kv_page {
    uint8_t *data;
    struct lf_kv_extent *extent;
    struct lf_kv_page *next; /* of the extent's pages without references */
    atomic_uint_fast32_t refs;
    int32_t ids[LF_ATTN_BLOCK];
} lf_kv_page;

/* `alloc` must outlive the pool. */
void lf_kv_pool_init(lf_kv_pool *pool, const lf_alloc *alloc, uint64_t budget);

/* Stores n pages of page_bytes bytes in pages[0..n), each with one reference. They are allocated in
 * extents of several pages, so that large ones get huge pages of memory. An extent is freed with
 * its last page; until then, its pages without references are taken first. All or none. If the
 * budget is used up, caches release pages. The caller does not have the lock. Errors: LIMIT (the
 * budget), MEMORY. */
int32_t lf_kv_take(lf_kv_pool *pool, size_t page_bytes, uint32_t n, lf_kv_page **pages);

void lf_kv_retain(lf_kv_page *page);
void lf_kv_release(lf_kv_page *page);

/* Whether the budget has room for `bytes` more. */
bool lf_kv_fits(const lf_kv_pool *pool, uint64_t bytes);

/* Whether the caller holds the only reference. */
bool lf_kv_is_own(const lf_kv_page *page);

/* Add and remove a cache. False if the lock is lost (lf_lock_take); then nothing changes. */
bool lf_kv_add_cache(lf_kv_pool *pool, lf_kv_cache *cache);
bool lf_kv_remove_cache(lf_kv_pool *pool, lf_kv_cache *cache);

/* The caller has the lock. */
void lf_kv_set_cache_budget(lf_kv_pool *pool, lf_kv_cache *cache, uint64_t budget);

#endif /* LF_MODEL_KV_POOL_H */
