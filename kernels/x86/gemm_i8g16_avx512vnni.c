/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_I8G16 x LF_LHS_I8B16 for AVX-512 VNNI: quant + 128 is the unsigned operand of vpdpbusd; the
 * sums start with four times what the LHS has for the zero point of Q6_K, -32 * sum of its quants.
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

LF_VNNI_ENTRY(i8b16, LF_LHS_I8B16, LF_W_I8G16, i8g16, i8g16, 32, .mins = false)
LF_VNNI_ENTRY(i8b16, LF_LHS_I8B16, LF_W_I8G16, i8g16m, i8g16, 32, .mins = true)
