/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the choice of prefetch policies: measures regions and publishes what is chosen. */
#include "runtime/prefetch.h"

#include <string.h>

_Static_assert((int)LF_PREFETCH_POLICIES <= (int)LF_CANDIDATES, "more policies than candidates");

/* ---- Life ---- */

/* The largest number of rows of a class that kernels with a start rule distinguish. */
static const uint32_t class_rows[LF_ROW_CLASSES] = {1, 2, 4, 16, 17};

static uint32_t policies_of(bool attention)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < LF_PREFETCH_POLICIES; i++) {
        mask |= !attention || lf_prefetch_table[i].attention ? 1u << i : 0;
    }
    return mask;
}

int32_t lf_prefetch_create(const lf_alloc *alloc, uint32_t n_threads, lf_prefetch_rule rule,
                           lf_prefetch **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_prefetch), "runtime", &p));
    lf_prefetch *prefetch = p;
    int32_t status = lf_new_zero(alloc, n_threads, sizeof(lf_prefetch_meter), "runtime", &p);
    if (status != LFM2_OK) {
        lf_free(alloc, prefetch, 1, sizeof *prefetch);
        return status;
    }
    prefetch->n_threads = n_threads;
    prefetch->rule = rule;
    prefetch->meters = p;
    for (uint32_t f = 0; f < LF_PREFETCH_FORMATS; f++) {
        bool attention = f >= LF_PREFETCH_KV;
        for (uint32_t c = 0; c < LF_ROW_CLASSES; c++) {
            lf_prefetch_choice *choice = &prefetch->choices[f][c];
            uint32_t start = attention ? lf_prefetch_start_attention()
                                       : lf_prefetch_start(rule, (lf_wformat)f, class_rows[c]);
            lf_chooser_init(&choice->chooser, policies_of(attention), start);
            atomic_init(&choice->policy, start);
        }
    }
    *out = prefetch;
    return LFM2_OK;
}

void lf_prefetch_free(const lf_alloc *alloc, lf_prefetch *prefetch)
{
    if (prefetch != NULL) {
        lf_free(alloc, prefetch->meters, prefetch->n_threads, sizeof(lf_prefetch_meter));
        lf_free(alloc, prefetch, 1, sizeof *prefetch);
    }
}

/* ---- Regions ---- */

uint32_t lf_prefetch_policy_index(const lf_prefetch *prefetch, uint32_t format, uint32_t row_class)
{
    uint32_t forced = atomic_load_explicit(&prefetch->forced, memory_order_relaxed);
    return forced != 0 ? forced - 1
                       : atomic_load_explicit(&prefetch->choices[format][row_class].policy,
                                              memory_order_relaxed);
}

lf_prefetch_policy lf_prefetch_now(const lf_prefetch *prefetch, uint32_t format, uint32_t rows)
{
    return lf_prefetch_table[lf_prefetch_policy_index(prefetch, format, lf_row_class(rows))].policy;
}

/* The classes that are to be measured: those that are being compared, and those whose next
 * comparison is due. */
static uint32_t due(lf_prefetch *prefetch, uint32_t format, const size_t bytes[LF_ROW_CLASSES])
{
    uint32_t mask = 0;
    for (uint32_t c = 0; c < LF_ROW_CLASSES; c++) {
        lf_prefetch_choice *choice = &prefetch->choices[format][c];
        if (lf_chooser_measures(bytes[c])) {
            bool settled = atomic_load_explicit(&choice->settled, memory_order_relaxed);
            int64_t work = (int64_t)bytes[c];
            mask |= !settled || atomic_fetch_sub_explicit(&choice->rest, work,
                                                          memory_order_relaxed) <= work
                        ? 1u << c
                        : 0;
        }
    }
    return mask;
}

void lf_prefetch_begin(lf_prefetch *prefetch, uint32_t format, const size_t bytes[LF_ROW_CLASSES],
                       lf_prefetch_region *region)
{
    region->prefetch = prefetch;
    region->format = format;
    region->measured = 0;
    if (atomic_load_explicit(&prefetch->forced, memory_order_relaxed) == 0) {
        region->measured = due(prefetch, format, bytes);
    }
    if (region->measured != 0 &&
        atomic_exchange_explicit(&prefetch->measuring, true, memory_order_acquire)) {
        region->measured = 0;
    }
    if (region->measured == 0) {
        return;
    }
    for (uint32_t c = 0; c < LF_ROW_CLASSES; c++) {
        lf_prefetch_choice *choice = &prefetch->choices[format][c];
        if ((region->measured >> c & 1) == 0) {
            continue;
        }
        if (choice->chooser.left == 0) {
            lf_chooser_repeat(&choice->chooser);
            atomic_store_explicit(&choice->settled, choice->chooser.left == 0,
                                  memory_order_relaxed);
        }
        region->index[c] = (uint8_t)lf_chooser_next(&choice->chooser, bytes[c]);
    }
    memset(prefetch->meters, 0, prefetch->n_threads * sizeof(lf_prefetch_meter));
}

static void publish(lf_prefetch_choice *choice)
{
    const lf_chooser *c = &choice->chooser;
    atomic_store_explicit(&choice->rounds, c->n_rounds, memory_order_relaxed);
    for (uint32_t i = 0; i < LF_CANDIDATES; i++) {
        atomic_store_explicit(&choice->relative[i], c->relative[i], memory_order_relaxed);
        atomic_store_explicit(&choice->cost[i], c->cost[i], memory_order_release);
    }
    if (c->left == 0) {
        uint64_t rest = c->rest < INT64_MAX ? c->rest : INT64_MAX;
        atomic_fetch_add_explicit(&choice->comparisons, 1, memory_order_relaxed);
        atomic_store_explicit(&choice->policy, c->best, memory_order_relaxed);
        atomic_store_explicit(&choice->rest, (int64_t)rest, memory_order_relaxed);
        atomic_store_explicit(&choice->settled, true, memory_order_relaxed);
    }
}

void lf_prefetch_end(lf_prefetch *prefetch, const lf_prefetch_region *region)
{
    if (region->measured == 0) {
        return;
    }
    for (uint32_t c = 0; c < LF_ROW_CLASSES; c++) {
        uint64_t bytes = 0, ns = 0;
        for (uint32_t thread = 0; thread < prefetch->n_threads; thread++) {
            bytes += prefetch->meters[thread].bytes[c];
            ns += prefetch->meters[thread].ns[c];
        }
        lf_prefetch_choice *choice = &prefetch->choices[region->format][c];
        if ((region->measured >> c & 1) != 0 && bytes > 0 && choice->chooser.left != 0) {
            lf_chooser_add(&choice->chooser, region->index[c], (size_t)bytes, ns);
            publish(choice);
        }
    }
    atomic_store_explicit(&prefetch->measuring, false, memory_order_release);
}

void lf_prefetch_force(lf_prefetch *prefetch, uint32_t policy)
{
    atomic_store_explicit(&prefetch->forced, policy < LF_PREFETCH_POLICIES ? policy + 1 : 0,
                          memory_order_relaxed);
}
