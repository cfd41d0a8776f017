/* SPDX-License-Identifier: Apache-2.0 */
/* The panels of the integer kernels for arm64, except those of LF_W_Q8, and the kernels' entries.
 * The including file defines what neon_tiles.h and neon_blocks.h require, and NEON_KIND(format),
 * the kind of a format's unpacked blocks. */
#ifndef LF_KERNELS_ARM_NEON_GEMM_INT_H
#define LF_KERNELS_ARM_NEON_GEMM_INT_H

#include "kernels/arm/neon_blocks.h"

/* One block: multiplies it with one row, or unpacks it. */
LF_INLINE void neon_rows(const int format, const int bits, const bool one, const uint32_t *x,
                         const uint8_t *quants, const float32x4_t *factors, float32x4_t *acc,
                         neon_sink *sink)
{
    if (one) {
        neon_block(format, bits, 4, 1, x, quants, factors, acc);
    } else {
        neon_put(sink, neon_lines(format), bits, x, quants, factors);
    }
}

/* ---- LF_W_Q4 ---- */

LF_INLINE void q4_rows(const bool one, const uint32_t *x, const uint8_t *quants,
                       const uint8_t *halves, float32x4_t *acc, neon_sink *sink)
{
    float32x4_t scales[4];
    lf_neon_f16x16(halves, scales);
    neon_rows(NEON_Q4, 4, one, x, quants, scales, acc, sink);
}

LF_INLINE void q4_panel(lf_distances distances, const bool one, size_t m, size_t k,
                        const uint32_t *x, const uint8_t *p, float32x4_t *acc, neon_sink *sink)
{
    for (size_t s = 0; s < k / 64; s++) {
        lf_prefetch_panel(distances, p, LF_Q4_SUPER);
        lf_prefetch_sparse(distances, p);
        q4_rows(one, x, p + 64, p, acc, sink);
        x += LF_X_DWORDS * m;
        q4_rows(one, x, p + 64 + LF_Q4_QUANTS, p + 32, acc, sink);
        x += LF_X_DWORDS * m;
        p += LF_Q4_SUPER;
    }
    if (k % 64 != 0) {
        q4_rows(one, x, p + 64, p, acc, sink);
    }
}

/* ---- LF_W_I8G, LF_W_I8G16 ---- */

LF_INLINE void i8g_panel(const int format, lf_distances distances, const bool one, size_t m,
                         size_t k, const uint32_t *x, const uint8_t *p, float32x4_t *acc,
                         neon_sink *sink)
{
    const size_t lines = neon_lines(format);
    const size_t head = lines * LF_NR * sizeof(float);
    for (size_t b = 0; b < k / 32; b++) {
        float32x4_t factors[16];
        lf_prefetch_panel(distances, p, head + LF_Q8_QUANTS);
        lf_prefetch_sparse(distances, p);
        lf_neon_load16(p, factors);
        if (lines > 1) {
            lf_neon_load16(p + 64, factors + 4);
        }
        if (lines > 2) {
            lf_neon_load16(p + 128, factors + 8);
            lf_neon_load16(p + 192, factors + 12);
        }
        neon_rows(format, LF_SIGNED, one, x, p + head, factors, acc, sink);
        x += LF_X_DWORDS * m;
        p += head + LF_Q8_QUANTS;
    }
}

/* ---- LF_W_Q4K, LF_W_Q5K, LF_W_Q6K ---- */

LF_INLINE void k_panel(const int format, lf_distances distances, const bool one, size_t m, size_t k,
                       const uint32_t *x, const uint8_t *panel, float32x4_t *acc, neon_sink *sink)
{
    const int bits = format == NEON_Q4K ? 4 : (format == NEON_Q5K ? 5 : 6);
    const size_t step = (size_t)bits * 64;
    const uint8_t *p = panel;
    if (format == NEON_Q6K) {
        p += lf_panel_bytes_q6k(k) - k / 256 * LF_Q6K_SUPER;
    }
    for (size_t s = 0; s < k / 256; s++) {
        float32x4_t factors[8][4 * 2];
        lf_prefetch_panel(distances, p, LF_K_HEAD);
        lf_prefetch_sparse(distances, p);
        if (format == NEON_Q6K) {
            neon_q6k_factors(p, panel + s * 32, factors);
        } else {
            neon_k_factors(p, factors);
        }
        p += LF_K_HEAD;
        for (size_t b = 0; b < 8; b++) {
            lf_prefetch_panel(distances, p, step);
            neon_rows(format, bits, one, x, p, factors[b], acc, sink);
            x += LF_X_DWORDS * m;
            p += step;
        }
    }
}

/* ---- LF_W_Q2K, LF_W_Q3K ---- */

LF_INLINE void lowk_panel(const int format, lf_distances distances, const bool one, size_t m,
                          size_t k, const uint32_t *x, const uint8_t *panel, float32x4_t *acc,
                          neon_sink *sink)
{
    const bool two = format == NEON_Q2K;
    const size_t head = two ? LF_Q2K_HEAD : LF_Q3K_HEAD;
    const size_t step = two ? LF_Q2K_QUANTS : LF_Q3K_QUANTS;
    const uint8_t *p = two ? panel : panel + (lf_panel_bytes_q3k(k) - k / 256 * LF_Q3K_SUPER);
    for (size_t s = 0; s < k / 256; s++) {
        float32x4_t factors[8][16];
        lf_prefetch_panel(distances, p, head);
        lf_prefetch_sparse(distances, p);
        if (two) {
            neon_q2k_factors(p, factors);
        } else {
            neon_q3k_factors(p, panel + s * 32, factors);
        }
        p += head;
        for (size_t b = 0; b < 8; b++) {
            lf_prefetch_panel(distances, p, step);
            neon_rows(format, two ? 2 : 3, one, x, p, factors[b], acc, sink);
            x += LF_X_DWORDS * m;
            p += step;
        }
    }
}

/* ---- LF_W_IQ3S: each block becomes one of LF_W_I8G ---- */

LF_INLINE void iq3s_panel(lf_distances distances, const bool one, size_t m, size_t k,
                          const uint32_t *x, const uint8_t *panel, float32x4_t *acc,
                          neon_sink *sink)
{
    const uint8_t *p = panel + (lf_panel_bytes_iq3s(k) - k / 256 * LF_IQ3S_SUPER);
    for (size_t s = 0; s < k / 256; s++, p += LF_IQ3S_SUPER) {
        lf_prefetch_sparse(distances, p);
        for (size_t b = 0; b < 8; b++, x += LF_X_DWORDS * m) {
            uint8_t quants[LF_Q8_QUANTS];
            float32x4_t scales[4];
            lf_prefetch_panel(distances, p + b * (LF_IQ3S_SUPER / 8), LF_IQ3S_SUPER / 8);
            neon_iq3s_scales(p, b, panel + s * 32, scales);
            for (size_t g = 0; g < 8; g++) {
                neon_iq3s_group(p, b, g, quants + g * 64);
            }
            neon_rows(NEON_I8G, LF_SIGNED, one, x, quants, scales, acc, sink);
        }
    }
}

/* ---- LF_W_T4, LF_W_T4G16: each block becomes one of LF_W_I8G or LF_W_I8G16 ---- */

LF_INLINE void t4_panel(const int format, lf_distances distances, const bool one, size_t m,
                        size_t k, const uint32_t *x, const uint8_t *p, float32x4_t *acc,
                        neon_sink *sink)
{
    const bool halves = format == NEON_I8G16;
    const uint8x16_t table = vsubq_u8(vld1q_u8(p), vdupq_n_u8(halves ? 32 : 128));
    p += LF_T4_TABLE;
    for (size_t b = 0; b < k / 32; b++, p += LF_T4_BLOCK) {
        uint8_t quants[LF_Q8_QUANTS];
        float32x4_t scales[4 * 2];
        lf_prefetch_panel(distances, p, LF_T4_BLOCK);
        if (b % 2 == 0) {
            lf_prefetch_sparse(distances, p);
        }
        if (halves) {
            lf_neon_f16x16(p, scales);
            lf_neon_f16x16(p + 32, scales + 4);
        } else {
            lf_neon_load16(p, scales);
        }
        neon_t4_quants(table, p + 64, quants);
        neon_rows(format, LF_SIGNED, one, x, quants, scales, acc, sink);
        x += LF_X_DWORDS * m;
    }
}

/* ---- Entries ---- */

#define t4_plain_panel(...)    t4_panel(NEON_I8G, __VA_ARGS__)
#define t4g16_panel(...)       t4_panel(NEON_I8G16, __VA_ARGS__)
#define i8g_plain_panel(...)   i8g_panel(NEON_I8G, __VA_ARGS__)
#define i8g_mins_panel(...)    i8g_panel(NEON_I8GM, __VA_ARGS__)
#define i8g16_plain_panel(...) i8g_panel(NEON_I8G16, __VA_ARGS__)
#define i8g16_mins_panel(...)  i8g_panel(NEON_I8G16M, __VA_ARGS__)
#define q2k_panel(...)         lowk_panel(NEON_Q2K, __VA_ARGS__)
#define q3k_panel(...)         lowk_panel(NEON_Q3K, __VA_ARGS__)
#define q4k_panel(...)         k_panel(NEON_Q4K, __VA_ARGS__)
#define q5k_panel(...)         k_panel(NEON_Q5K, __VA_ARGS__)
#define q6k_panel(...)         k_panel(NEON_Q6K, __VA_ARGS__)
LF_NEON_GEMM_UNPACKED(q4, NEON_KIND(NEON_Q4), q4_panel, neon_lines(NEON_Q4), LF_X_DWORDS)
LF_NEON_GEMM(i8g, NEON_KIND(NEON_I8G), i8g_plain_panel, LF_X_DWORDS)
LF_NEON_GEMM(i8gm, NEON_KIND(NEON_I8GM), i8g_mins_panel, LF_X_DWORDS)
LF_NEON_GEMM(i8g16, NEON_KIND(NEON_I8G16), i8g16_plain_panel, LF_X_DWORDS)
LF_NEON_GEMM(i8g16m, NEON_KIND(NEON_I8G16M), i8g16_mins_panel, LF_X_DWORDS)
LF_NEON_GEMM_UNPACKED(q2k, NEON_KIND(NEON_Q2K), q2k_panel, neon_lines(NEON_Q2K), LF_X_DWORDS)
LF_NEON_GEMM_UNPACKED(q3k, NEON_KIND(NEON_Q3K), q3k_panel, neon_lines(NEON_Q3K), LF_X_DWORDS)
LF_NEON_GEMM_UNPACKED(iq3s, NEON_KIND(NEON_I8G), iq3s_panel, neon_lines(NEON_I8G), LF_X_DWORDS)
LF_NEON_GEMM_UNPACKED(t4, NEON_KIND(NEON_I8G), t4_plain_panel, neon_lines(NEON_I8G), LF_X_DWORDS)
LF_NEON_GEMM_UNPACKED(t4g16, NEON_KIND(NEON_I8G16), t4g16_panel, neon_lines(NEON_I8G16),
                      LF_X_DWORDS)
LF_NEON_GEMM_UNPACKED(q4k, NEON_KIND(NEON_Q4K), q4k_panel, neon_lines(NEON_Q4K), LF_X_DWORDS)
LF_NEON_GEMM_UNPACKED(q5k, NEON_KIND(NEON_Q5K), q5k_panel, neon_lines(NEON_Q5K), LF_X_DWORDS)
LF_NEON_GEMM_UNPACKED(q6k, NEON_KIND(NEON_Q6K), q6k_panel, neon_lines(NEON_Q6K), LF_X_DWORDS)

/* Packing of int8: as lf_pack_i8g and lf_pack_i8g16, then with the quants themselves. */
#define NEON_PACK(tag, packer, lines)                                                              \
    static void tag##_pack(size_t k, const lf_panel_source *source, void *panel)                   \
    {                                                                                              \
        packer(k, source, panel);                                                                  \
        lf_neon_sign_quants((uint8_t *)panel + 64 * (lines), k / 32, neon_unpacked_block(lines));  \
    }
NEON_PACK(i8g, lf_pack_i8g, 1)
NEON_PACK(i8gm, lf_pack_i8g, 2)
NEON_PACK(i8g16, lf_pack_i8g16, 2)
NEON_PACK(i8g16m, lf_pack_i8g16, 4)

/* Defines the entries of one instruction set. */
#define LF_NEON_INT_ENTRY(in, in_format, format, tag, packer, multiple, raw, arch, feature)        \
    LF_NEON_ENTRY(in, in_format, format, tag, lf_pack_##packer, multiple, arch, feature,           \
                  .raw_blocks = raw, LF_NEON_UNPACKED(tag))
#define LF_NEON_INT_ENTRIES(arch, feature)                                                         \
    LF_NEON_INT_ENTRY(i8b32, LF_LHS_I8B32, LF_W_Q4, q4, q4, 32, true, arch, feature)               \
    LF_NEON_ENTRY(i8b32, LF_LHS_I8B32, LF_W_I8G, i8g, i8g_pack, 32, arch, feature, .mins = false,  \
                  .kr = LF_NEON_SIGNED_KR)                                                         \
    LF_NEON_ENTRY(i8b32, LF_LHS_I8B32, LF_W_I8G, i8gm, i8gm_pack, 32, arch, feature, .mins = true, \
                  .kr = LF_NEON_SIGNED_KR)                                                         \
    LF_NEON_ENTRY(i8b16, LF_LHS_I8B16, LF_W_I8G16, i8g16, i8g16_pack, 32, arch, feature,           \
                  .mins = false, .kr = LF_NEON_SIGNED_KR)                                          \
    LF_NEON_ENTRY(i8b16, LF_LHS_I8B16, LF_W_I8G16, i8g16m, i8g16m_pack, 32, arch, feature,         \
                  .mins = true, .kr = LF_NEON_SIGNED_KR)                                           \
    LF_NEON_INT_ENTRY(i8b16, LF_LHS_I8B16, LF_W_Q2K, q2k, q2k, 256, true, arch, feature)           \
    LF_NEON_INT_ENTRY(i8b16, LF_LHS_I8B16, LF_W_Q3K, q3k, q3k, 256, true, arch, feature)           \
    LF_NEON_INT_ENTRY(i8b32, LF_LHS_I8B32, LF_W_IQ3S, iq3s, iq3s, 256, true, arch, feature)        \
    LF_NEON_INT_ENTRY(i8b32, LF_LHS_I8B32, LF_W_T4, t4, t4, 32, false, arch, feature)              \
    LF_NEON_INT_ENTRY(i8b16, LF_LHS_I8B16, LF_W_T4G16, t4g16, t4g16, 32, false, arch, feature)     \
    LF_NEON_INT_ENTRY(i8b32, LF_LHS_I8B32, LF_W_Q4K, q4k, q4k, 256, true, arch, feature)           \
    LF_NEON_INT_ENTRY(i8b32, LF_LHS_I8B32, LF_W_Q5K, q5k, q5k, 256, true, arch, feature)           \
    LF_NEON_INT_ENTRY(i8b16, LF_LHS_I8B16, LF_W_Q6K, q6k, q6k, 256, true, arch, feature)

#endif /* LF_KERNELS_ARM_NEON_GEMM_INT_H */
