/* SPDX-License-Identifier: Apache-2.0 */
/* The memory for keys and values of a model's sessions: pages with reference counts and a budget.
 */
#ifndef LF_MODEL_KV_POOL_H
#define LF_MODEL_KV_POOL_H

#include "common/alloc.h"
#include "kernels/kernels.h"

#include <stdatomic.h>

/* One budget for the pages of all KV types. There is no lock: any thread may call the functions
 * below at any time, also in the child of a fork. */
typedef struct lf_kv_pool {
    const lf_alloc *alloc;
    atomic_uint_fast64_t budget; /* bytes; UINT64_MAX: no limit */
    atomic_uint_fast64_t used;   /* bytes of the extents that exist */
} lf_kv_pool;

struct lf_kv_extent;

/* LF_ATTN_BLOCK positions of a sequence: their token ids, and one KV block of K and one of V for
 * each KV head of each attention layer (lf_state_k, lf_state_v). The holder of the only reference
 * may write. The memory is not cleared. */
typedef struct lf_kv_page {
    uint8_t *data;
    struct lf_kv_extent *extent;
    atomic_uint_fast32_t refs;
    int32_t ids[LF_ATTN_BLOCK];
} lf_kv_page;

/* `alloc` must outlive the pool. */
void lf_kv_pool_init(lf_kv_pool *pool, const lf_alloc *alloc, uint64_t budget);

/* Stores n pages of page_bytes bytes in pages[0..n), each with one reference. They are allocated in
 * extents of several pages, so that large ones get huge pages of memory; an extent is freed with
 * its last page. All or none. Errors: LIMIT (the budget), MEMORY. */
int32_t lf_kv_take(lf_kv_pool *pool, size_t page_bytes, uint32_t n, lf_kv_page **pages);

void lf_kv_retain(lf_kv_page *page);
void lf_kv_release(lf_kv_page *page);

/* Whether the caller holds the only reference. */
bool lf_kv_is_own(const lf_kv_page *page);

#endif /* LF_MODEL_KV_POOL_H */
