/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_I8G16 and LF_W_T4G16 x LF_LHS_I8B16 for AVX-512 VNNI: quant + 128 is the unsigned operand of
 * vpdpbusd; the sums start with four times what the LHS has for the zero point of Q6_K, -32 * sum
 * of its quants.
 */
#include "kernels/x86/zmm_vnni.h"

/* v[i] = LF_MAGIC_BITS - 128 * sum of the quants. x: LF_MAGIC_BITS - 32 * sum. */
LF_INLINE void start(const size_t m, const uint32_t *x, __m512i *v)
{
    const __m512i three = _mm512_set1_epi32((int32_t)(3u * (uint32_t)LF_MAGIC_BITS));
#define F(i)                                                                                       \
    v[i] = _mm512_sub_epi32(_mm512_slli_epi32(_mm512_set1_epi32((int32_t)x[(i)*LF_X_DWORDS]), 2),  \
                            three);
    LF_EACH_ROW(m, F)
#undef F
}

/* Half a block. x: the rows' blocks; quants: 4 groups; factors: the line with the scales; with
 * minimums theirs is two lines further. */
LF_INLINE void half_block(const bool has_mins, const size_t m, const uint32_t *x, const size_t half,
                          const uint8_t *quants, const uint8_t *factors, __m512 *acc)
{
    const uint32_t *init = x + LF_X16_INIT6_LO + half;
    const uint32_t *scale = x + LF_X16_SCALE_LO + 2 * half;
    __m512i v[12];
    start(m, init, v);
    for (size_t g = 0; g < 4; g++) {
        lf_vnni_dot(m, x + LF_X_QUANTS + 4 * half + g, LF_X_DWORDS,
                    _mm512_load_si512(quants + g * 64), v);
    }
    lf_vnni_finish(m, scale, v, _mm512_load_ps(factors), acc);
    if (has_mins) {
        lf_vnni_minimum16(m, init, scale, _mm512_load_ps(factors + 128), acc);
    }
}

LF_INLINE void i8g16_tile(const bool has_mins, const size_t m, size_t n, size_t k, const void *tile,
                          const void *panels, float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const size_t head = has_mins ? 256 : 128; /* bytes of the scales and minimums of a block */
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t b = 0; b < k / 32; b++) {
            lf_prefetch_panel(distances, p, head + LF_Q8_QUANTS);
            lf_prefetch_sparse(distances, p);
            half_block(has_mins, m, x, 0, p + head, p, acc);
            half_block(has_mins, m, x, 1, p + head + 4 * 64, p + 64, acc);
            x += LF_X_DWORDS * m;
            p += head + LF_Q8_QUANTS;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

#define i8g16_plain_tile(...) i8g16_tile(false, __VA_ARGS__)
#define i8g16_mins_tile(...)  i8g16_tile(true, __VA_ARGS__)
LF_GEMM_BY_ROWS(12, i8g16_gemm, i8g16_plain_tile)
LF_GEMM_BY_ROWS(12, i8g16m_gemm, i8g16_mins_tile)

/* ---- LF_W_T4G16 ---- */

/* Half a block. table: quants + 32; l: the lines of the block. */
LF_INLINE void t4_half(const size_t m, const uint32_t *x, const size_t half, __m512i table,
                       const __m512i l[4], __m512 scale, __m512 *acc)
{
    __m512i v[12];
    lf_vnni_start(m, x + LF_X16_INIT6_LO + half, v);
    for (size_t g = 4 * half; g < 4 * half + 4; g++) {
        lf_vnni_dot(m, x + LF_X_QUANTS + g, LF_X_DWORDS, lf_vnni_t4_quants(table, l, g), v);
    }
    lf_vnni_finish(m, x + LF_X16_SCALE_LO + 2 * half, v, scale, acc);
}

LF_INLINE void t4g16_tile(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                          float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const __m512i table = _mm512_load_si512(p);
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        p += LF_T4_TABLE;
        for (size_t b = 0; b < k / 32; b++, p += LF_T4_BLOCK, x += LF_X_DWORDS * m) {
            __m512i l[4];
            lf_prefetch_panel(distances, p, LF_T4_BLOCK);
            if (b % 2 == 0) {
                lf_prefetch_sparse(distances, p);
            }
            lf_vnni_lines(m, p + 64, 4, l);
            t4_half(m, x, 0, table, l, lf_load_f16x16(p), acc);
            t4_half(m, x, 1, table, l, lf_load_f16x16(p + 32), acc);
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* To a panel of LF_W_I8G16. */
static void t4g16_unpack(size_t k, const void *panel, void *unpacked)
{
    const lf_distances distances = lf_prefetch_distances(lf_prefetch_unpacking);
    const __m512i table = _mm512_add_epi8(_mm512_load_si512(panel), _mm512_set1_epi8(128 - 32));
    const uint8_t *p = (const uint8_t *)panel + LF_T4_TABLE;
    uint8_t *out = unpacked;
    for (size_t b = 0; b < k / 32; b++, p += LF_T4_BLOCK, out += 128 + LF_Q8_QUANTS) {
        __m512i l[4];
        lf_prefetch_panel(distances, p, LF_T4_BLOCK);
        lf_vnni_lines(1, p + 64, 4, l);
        _mm512_store_ps(out, lf_load_f16x16(p));
        _mm512_store_ps(out + 64, lf_load_f16x16(p + 32));
        for (size_t g = 0; g < 8; g++) {
            _mm512_store_si512(out + 128 + g * 64, lf_vnni_t4_quants(table, l, g));
        }
    }
}

LF_GEMM_BY_ROWS(12, t4g16_gemm, t4g16_tile)

LF_VNNI_ENTRY(i8b16, LF_LHS_I8B16, LF_W_T4G16, t4g16, t4g16, 32,
              .unpacked_bytes = lf_panel_bytes_i8g16, .unpack = t4g16_unpack,
              .unpacked_fn = i8g16_gemm)
LF_VNNI_ENTRY(i8b16, LF_LHS_I8B16, LF_W_I8G16, i8g16, i8g16, 32, .mins = false)
LF_VNNI_ENTRY(i8b16, LF_LHS_I8B16, LF_W_I8G16, i8g16m, i8g16, 32, .mins = true)
