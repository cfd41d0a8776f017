/* SPDX-License-Identifier: Apache-2.0 */
/* Which prefetch policy kernels use: for each format and number of rows, the one that was fastest
 * in the passes so far. Threads, sessions and models of a runtime share what was measured. */
#ifndef LF_RUNTIME_PREFETCH_H
#define LF_RUNTIME_PREFETCH_H

#include "common/alloc.h"
#include "kernels/kernels.h"
#include "runtime/chooser.h"

#include <stdatomic.h>

/* Numbers of rows that share a choice: 1, 2, up to 4, up to 16, more. */
enum { LF_ROW_CLASSES = 5 };

static inline uint32_t lf_row_class(uint32_t rows)
{
    return rows <= 2 ? rows - 1 : rows <= 4 ? 2 : rows <= 16 ? 3 : 4;
}

/* What is read: panels of lf_wformat, or LF_PREFETCH_KV + KV blocks of lf_kv_type. */
enum { LF_PREFETCH_KV = LF_W_COUNT, LF_PREFETCH_FORMATS = LF_W_COUNT + LF_KV_COUNT };

typedef struct lf_prefetch_choice {
    /* Under lf_prefetch.measuring. */
    lf_chooser chooser;
    /* Read by all threads. */
    atomic_uint policy;        /* index in lf_prefetch_table */
    atomic_bool settled;       /* nothing is compared at present */
    atomic_int_least64_t rest; /* bytes until the next comparison */
    atomic_uint comparisons;   /* completed */
    atomic_uint rounds;        /* of the present or the last comparison */
    /* As in lf_chooser. Who reads a cost that is not 0 with acquire also reads its relative. */
    _Atomic float cost[LF_CANDIDATES], relative[LF_CANDIDATES];
} lf_prefetch_choice;

/* What a thread measured in a region. */
typedef struct lf_prefetch_meter {
    _Alignas(LF_ALIGN) uint64_t bytes[LF_ROW_CLASSES];
    uint64_t ns[LF_ROW_CLASSES];
} lf_prefetch_meter;

typedef struct lf_prefetch {
    uint32_t n_threads;
    lf_prefetch_rule rule;
    atomic_uint forced;        /* 1 + index of the policy to use always; 0: the measured one */
    atomic_bool measuring;     /* a caller measures; others use the choices of the moment */
    lf_prefetch_meter *meters; /* [n_threads] */
    lf_prefetch_choice choices[LF_PREFETCH_FORMATS][LF_ROW_CLASSES];
} lf_prefetch;

/* Errors: MEMORY. */
int32_t lf_prefetch_create(const lf_alloc *alloc, uint32_t n_threads, lf_prefetch_rule rule,
                           lf_prefetch **out);
void lf_prefetch_free(const lf_alloc *alloc, lf_prefetch *prefetch); /* NULL is allowed */

/* The index of the policy in use for work that is not measured. */
uint32_t lf_prefetch_policy_index(const lf_prefetch *prefetch, uint32_t format, uint32_t row_class);

/* That policy. */
lf_prefetch_policy lf_prefetch_now(const lf_prefetch *prefetch, uint32_t format, uint32_t rows);

/* The policies of a region of work. */
typedef struct lf_prefetch_region {
    const lf_prefetch *prefetch;
    uint32_t format;
    uint32_t measured;             /* mask of row classes; if not 0, threads call lf_prefetch_add */
    uint8_t index[LF_ROW_CLASSES]; /* of the policies that are measured */
} lf_prefetch_region;

/* Begins a region that reads bytes[c] bytes with the kernels of row class c; 0: none, or not to be
 * measured. Allocates nothing and never waits. */
void lf_prefetch_begin(lf_prefetch *prefetch, uint32_t format, const size_t bytes[LF_ROW_CLASSES],
                       lf_prefetch_region *region);

/* The policy that the region uses for `rows` rows. Any thread of the region may call it. */
static inline lf_prefetch_policy lf_prefetch_of(const lf_prefetch_region *region, uint32_t rows)
{
    const uint32_t row_class = lf_row_class(rows);
    return (region->measured >> row_class & 1) != 0
               ? lf_prefetch_table[region->index[row_class]].policy
               : lf_prefetch_now(region->prefetch, region->format, rows);
}

/* Adds the time in which a thread of the region read `bytes` bytes. */
static inline void lf_prefetch_add(const lf_prefetch_region *region, uint32_t thread,
                                   uint32_t row_class, size_t bytes, uint64_t ns)
{
    lf_prefetch_meter *meter = &region->prefetch->meters[thread];
    meter->bytes[row_class] += bytes;
    meter->ns[row_class] += ns;
}

/* Called after the region by the caller of lf_prefetch_begin. */
void lf_prefetch_end(lf_prefetch *prefetch, const lf_prefetch_region *region);

/* Uses one policy always; LF_PREFETCH_POLICIES: the measured ones. */
void lf_prefetch_force(lf_prefetch *prefetch, uint32_t policy);

#endif /* LF_RUNTIME_PREFETCH_H */
