/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tiles of the integer kernels for arm64. One row is computed as the panel is read, with its sums
 * in registers. For more rows a panel is unpacked to int8, a chunk of 256 k at a time, which stays
 * in the first level cache; each subtile of rows then goes through the chunk, 8 columns at a time,
 * with its sums in registers. A panel that many tiles use is unpacked once for all of them.
 *
 * A file defines before it includes this header
 *
 * void neon_multiply(kind, m, blocks, x, stride, unpacked, acc): adds the products of m rows with
 * `blocks` unpacked blocks of the kind to acc; a row's blocks are `stride` dwords apart.
 *
 * void neon_unpack(bits, quants, out): a block's quants, stored as `bits` says, in the order that
 * neon_multiply reads.
 *
 * void neon_store(m, acc, columns, c, c_stride): writes the results.
 */
#ifndef LF_KERNELS_ARM_NEON_TILES_H
#define LF_KERNELS_ARM_NEON_TILES_H

#include "kernels/arm/neon.h"

/* An unpacked block is lines of 16 floats, the factors, and then 512 bytes of int8 quants. */
enum { NEON_CHUNK = 8, NEON_MOST_LINES = 4, NEON_MOST_BYTES = NEON_MOST_LINES * 64 + LF_Q8_QUANTS };

LF_INLINE size_t neon_unpacked_block(const size_t lines)
{
    return lines * 64 + LF_Q8_QUANTS;
}

/* Takes the blocks of a panel in order. */
typedef struct neon_sink {
    int kind;
    size_t m;
    const uint32_t *x; /* the rows' block of the chunk's first block */
    size_t stride;     /* dwords from a row's block to its next */
    uint8_t *chunk, *to;
    size_t n, most; /* blocks of the chunk; most 0: all go to `to` */
    float32x4_t *acc;
} neon_sink;

static inline void neon_flush(neon_sink *sink)
{
    if (sink->n > 0) {
        neon_multiply(sink->kind, sink->m, sink->n, sink->x, sink->stride, sink->chunk, sink->acc);
    }
    sink->n = 0;
    sink->to = sink->chunk;
}

/* Unpacks a block with `lines` lines of factors; x: the rows' block. */
LF_INLINE void neon_put(neon_sink *sink, const size_t lines, const int bits, const uint32_t *x,
                        const uint8_t *quants, const float32x4_t *factors)
{
    float *head = (float *)(void *)sink->to;
    for (size_t i = 0; i < 4 * lines; i++) {
        vst1q_f32(head + 4 * i, factors[i]);
    }
    neon_unpack(bits, quants, sink->to + 64 * lines);
    sink->to += neon_unpacked_block(lines);
    if (sink->most == 0) {
        return;
    }
    if (sink->n == 0) {
        sink->x = x;
    }
    if (++sink->n == sink->most) {
        neon_flush(sink);
    }
}

LF_INLINE void neon_clear(float32x4_t acc[4 * LF_NEON_MR])
{
    for (size_t i = 0; i < 4 * LF_NEON_MR; i++) {
        acc[i] = vdupq_n_f32(0.0f);
    }
}

/* Defines from panel(distances, one, m, k, x, panel, acc, sink), which multiplies one row or fills
 * the sink, a lf_gemm_fn <tag>_gemm. `dwords` are those of an LHS block. */
#define LF_NEON_GEMM(tag, format, panel, dwords)                                                   \
    static void tag##_single(size_t n, size_t k, const void *tile, const uint8_t *p, float *c,     \
                             lf_distances distances)                                               \
    {                                                                                              \
        for (size_t n0 = 0; n0 < n; n0 += LF_NR, p += lf_panel_bytes_##tag(k)) {                   \
            float32x4_t acc[4] = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f),         \
                                  vdupq_n_f32(0.0f)};                                              \
            panel(distances, true, 1, k, tile, p, acc, NULL);                                      \
            lf_neon_store_row(acc, n - n0, c + n0);                                                \
        }                                                                                          \
    }                                                                                              \
    static void tag##_gemm(size_t m, size_t n, size_t k, const void *tile, const void *panels,     \
                           float *c, size_t c_stride, lf_prefetch_policy policy)                   \
    {                                                                                              \
        const uint8_t *p = panels;                                                                 \
        const lf_distances distances = lf_prefetch_distances(policy);                              \
        if (m == 1) {                                                                              \
            tag##_single(n, k, tile, p, c, distances);                                             \
            return;                                                                                \
        }                                                                                          \
        _Alignas(64) uint8_t chunk[NEON_CHUNK * NEON_MOST_BYTES];                                  \
        float32x4_t acc[4 * LF_NEON_MR];                                                           \
        neon_sink sink = {.kind = format,                                                          \
                          .m = m,                                                                  \
                          .stride = m * (dwords),                                                  \
                          .chunk = chunk,                                                          \
                          .to = chunk,                                                             \
                          .most = NEON_CHUNK,                                                      \
                          .acc = acc};                                                             \
        for (size_t n0 = 0; n0 < n; n0 += LF_NR, p += lf_panel_bytes_##tag(k)) {                   \
            neon_clear(acc);                                                                       \
            panel(distances, false, m, k, tile, p, acc, &sink);                                    \
            neon_flush(&sink);                                                                     \
            neon_store(m, acc, n - n0, c + n0, c_stride);                                          \
        }                                                                                          \
    }

/* The same with the functions for panels that are unpacked once for many tiles. `lines` are those
 * of an unpacked block. */
#define LF_NEON_GEMM_UNPACKED(tag, format, panel, lines, dwords)                                   \
    LF_NEON_GEMM(tag, format, panel, dwords)                                                       \
    static size_t tag##_unpacked_bytes(size_t k)                                                   \
    {                                                                                              \
        return k / 32 * neon_unpacked_block(lines);                                                \
    }                                                                                              \
    static void tag##_unpack(size_t k, const void *packed, void *unpacked)                         \
    {                                                                                              \
        neon_sink sink = {.to = unpacked};                                                         \
        panel(lf_prefetch_distances(lf_prefetch_unpacking), false, 0, k, packed, packed, NULL,     \
              &sink);                                                                              \
    }                                                                                              \
    static void tag##_unpacked(size_t m, size_t n, size_t k, const void *tile, const void *panels, \
                               float *c, size_t c_stride, lf_prefetch_policy policy)               \
    {                                                                                              \
        (void)policy; /* unpacked panels are in the second level cache */                          \
        const uint8_t *p = panels;                                                                 \
        for (size_t n0 = 0; n0 < n; n0 += LF_NR, p += tag##_unpacked_bytes(k)) {                   \
            float32x4_t acc[4 * LF_NEON_MR];                                                       \
            neon_clear(acc);                                                                       \
            neon_multiply(format, m, k / 32, tile, m * (dwords), p, acc);                          \
            neon_store(m, acc, n - n0, c + n0, c_stride);                                          \
        }                                                                                          \
    }

#define LF_NEON_UNPACKED(tag)                                                                      \
    .unpacked_bytes = tag##_unpacked_bytes, .unpack = tag##_unpack, .unpacked_fn = tag##_unpacked

/* ---- Subtiles of rows ---- */

/* A subtile of rows times unpacked blocks, as neon_multiply. row: dwords between rows. Functions of
 * their own, because gcc spills registers of large functions. */
typedef void neon_subtile(size_t blocks, const uint32_t *x, size_t stride, size_t row,
                          const uint8_t *unpacked, float32x4_t *acc);

/* All m rows in subtiles of nearly equal size, at most `most`. by_rows[n - 1] computes n rows. */
LF_INLINE void neon_subtiles(neon_subtile *const *by_rows, size_t most, size_t m, size_t blocks,
                             const uint32_t *x, size_t stride, const size_t row,
                             const uint8_t *unpacked, float32x4_t *acc)
{
    for (size_t i = 0, n; i < m; i += n) {
        const size_t tiles = (m - i + most - 1) / most;
        n = (m - i + tiles - 1) / tiles;
        by_rows[n - 1](blocks, x + i * row, stride, row, unpacked, acc + 4 * i);
    }
}

/* Rows' sums of 8 columns: quads 2 * half and the next. */
LF_INLINE void neon_load_acc(const size_t m, const size_t half, const float32x4_t *from,
                             float32x4_t *acc)
{
#define F(i)                                                                                       \
    acc[2 * (i)] = from[4 * (i) + 2 * half];                                                       \
    acc[2 * (i) + 1] = from[4 * (i) + 2 * half + 1];
    LF_FEW_ROWS(m, F)
#undef F
}

LF_INLINE void neon_store_acc(const size_t m, const size_t half, const float32x4_t *acc,
                              float32x4_t *to)
{
#define F(i)                                                                                       \
    to[4 * (i) + 2 * half] = acc[2 * (i)];                                                         \
    to[4 * (i) + 2 * half + 1] = acc[2 * (i) + 1];
    LF_FEW_ROWS(m, F)
#undef F
}

#endif /* LF_KERNELS_ARM_NEON_TILES_H */
