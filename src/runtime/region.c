/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the taking of pieces. */
#include "runtime/region.h"

/* A share's word: first piece, end, and whether pieces are taken in runs. Whoever takes some knows
 * nothing else of the region before. */
static const uint64_t RUNS = (uint64_t)1 << 63;

static uint64_t range_of(uint64_t begin, uint64_t end)
{
    return begin | end << 32;
}

void lf_region_clear(lf_region *region, uint32_t threads)
{
    region->threads = threads;
    for (uint32_t thread = 0; thread < threads; thread++) {
        atomic_init(&region->shares[thread].left, 0);
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
    uint64_t pieces = lf_region_chunks(n, grain);
    for (uint32_t thread = 0; thread < region->threads; thread++) {
        uint64_t left =
            range_of(pieces * thread / region->threads, pieces * (thread + 1) / region->threads);
        left |= grain == LF_GUIDED ? RUNS : 0;
        atomic_store_explicit(&region->shares[thread].left, left, memory_order_release);
    }
}

/* Takes the first piece of a share, or the last; in runs a fourth of what is left, so that a stream
 * of memory is seldom broken off, and yet all threads end together. Returns how many it took. */
static size_t take(lf_range *from, bool last, size_t *piece)
{
    uint64_t left = atomic_load_explicit(&from->left, memory_order_relaxed);
    for (;;) {
        uint64_t runs = left & RUNS;
        uint64_t begin = left & UINT32_MAX;
        uint64_t end = (left ^ runs) >> 32;
        if (begin >= end) {
            return 0;
        }
        uint64_t n = runs != 0 ? (end - begin + 3) / 4 : 1;
        *piece = (size_t)(last ? end - n : begin);
        uint64_t rest = runs | (last ? range_of(begin, end - n) : range_of(begin + n, end));
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
        lf_range *from = &region->shares[(thread + i) % region->threads];
        size_t piece = 0;
        for (size_t n; (n = take(from, i > 0, &piece)) > 0; done += n) {
            size_t begin = piece * region->grain;
            size_t most = n * region->grain;
            size_t end = region->n - begin < most ? region->n : begin + most;
            region->body(region->ctx, thread, begin, end);
        }
    }
    return done;
}
