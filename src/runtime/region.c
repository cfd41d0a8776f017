/* SPDX-License-Identifier: Apache-2.0 */
/* Implements taking chunks from ranges. */
#include "runtime/region.h"

/* A range is one word: first chunk, end, and a bit for guided scheduling. A late thread reads
 * nothing else before it has taken a chunk. */
static const uint64_t GUIDED = (uint64_t)1 << 63;

static uint64_t range_of(uint64_t begin, uint64_t end)
{
    return begin | end << 32;
}

void lf_region_clear(lf_region *region, uint32_t threads)
{
    region->threads = threads;
    for (uint32_t thread = 0; thread < threads; thread++) {
        atomic_init(&region->ranges[thread].left, 0);
    }
}

size_t lf_region_chunks(size_t n, size_t grain)
{
    return n == 0 || grain == LF_GUIDED ? n : (n - 1) / grain + 1;
}

void lf_region_open(lf_region *region, size_t n, size_t grain, lf_body body, void *ctx)
{
    region->body = body;
    region->ctx = ctx;
    region->n = n;
    region->grain = grain == LF_GUIDED ? 1 : grain;
    uint64_t chunks = lf_region_chunks(n, grain);
    for (uint32_t thread = 0; thread < region->threads; thread++) {
        uint64_t left =
            range_of(chunks * thread / region->threads, chunks * (thread + 1) / region->threads);
        left |= grain == LF_GUIDED ? GUIDED : 0;
        atomic_store_explicit(&region->ranges[thread].left, left, memory_order_release);
    }
}

/* Takes the first or the last chunk of a range; guided: the first or last quarter of what is left,
 * so that a stream of memory is rarely interrupted and all threads still end together. Returns how
 * many chunks it took; *chunk is the first of them. */
static size_t take(lf_range *from, bool last, size_t *chunk)
{
    uint64_t left = atomic_load_explicit(&from->left, memory_order_relaxed);
    for (;;) {
        uint64_t guided = left & GUIDED;
        uint64_t begin = left & UINT32_MAX;
        uint64_t end = (left ^ guided) >> 32;
        if (begin >= end) {
            return 0;
        }
        uint64_t n = guided != 0 ? (end - begin + 3) / 4 : 1;
        *chunk = (size_t)(last ? end - n : begin);
        uint64_t rest = guided | (last ? range_of(begin, end - n) : range_of(begin + n, end));
        if (atomic_compare_exchange_weak_explicit(&from->left, &left, rest, memory_order_acquire,
                                                  memory_order_relaxed)) {
            return (size_t)n;
        }
    }
}

size_t lf_region_run(lf_region *region, uint32_t thread)
{
    size_t done = 0;
    for (uint32_t i = 0; i < region->threads; i++) {
        lf_range *from = &region->ranges[(thread + i) % region->threads];
        size_t chunk = 0;
        for (size_t n; (n = take(from, i > 0, &chunk)) > 0; done += n) {
            size_t begin = chunk * region->grain;
            size_t most = n * region->grain;
            size_t end = region->n - begin < most ? region->n : begin + most;
            region->body(region->ctx, thread, begin, end);
        }
    }
    return done;
}
