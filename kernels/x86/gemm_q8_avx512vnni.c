/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I8X2B32 for AVX-512 VNNI: quant + 128 is the unsigned operand of vpdpbusd;
 * -128 * sum of the LHS quants is added. */
#include "kernels/x86/zmm_vnni.h"

/* ---- LF_W_Q8 ---- */

/* The sums of the upper int8, times 256, are the start of the sums of the lower ones. */
LF_INLINE void q8_planes(const size_t m, const uint32_t *x, const uint8_t *quants, __m512 scale,
                         __m512 *acc)
{
    __m512i v[12];
#define F(i) v[i] = _mm512_setzero_si512();
    LF_EACH_ROW(m, F)
#undef F
    lf_vnni_dot_bytes(m, x + LF_X2_QUANTS, LF_X2_DWORDS, quants, v);
#define F(i)                                                                                       \
    v[i] = _mm512_add_epi32(_mm512_slli_epi32(v[i], 8),                                            \
                            _mm512_set1_epi32((int32_t)x[(i)*LF_X2_DWORDS + LF_X2_INIT]));
    LF_EACH_ROW(m, F)
#undef F
    lf_vnni_dot_bytes(m, x + LF_X2_QUANTS + 8, LF_X2_DWORDS, quants, v);
#define F(i)                                                                                       \
    acc[i] = _mm512_fmadd_ps(                                                                      \
        _mm512_mul_ps(_mm512_cvtepi32_ps(v[i]),                                                    \
                      _mm512_set1_ps(lf_load_f32(x + (i)*LF_X2_DWORDS + LF_X2_SCALE))),            \
        scale, acc[i]);
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void q8_tile(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                       float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *super = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 64; s++) {
            lf_prefetch_panel(distances, super, LF_Q8_SUPER);
            lf_prefetch_sparse(distances, super);
            q8_planes(m, x, super + 64, lf_load_f16x16(super), acc);
            x += LF_X2_DWORDS * m;
            q8_planes(m, x, super + 64 + LF_Q8_QUANTS, lf_load_f16x16(super + 32), acc);
            x += LF_X2_DWORDS * m;
            super += LF_Q8_SUPER;
        }
        if (k % 64 != 0) {
            q8_planes(m, x, super + 64, lf_load_f16x16(super), acc);
            super += 64 + LF_Q8_QUANTS;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

LF_GEMM_BY_ROWS(12, q8_gemm, q8_tile)

LF_VNNI_ENTRY(i8x2b32, LF_LHS_I8X2B32, LF_W_Q8, q8, q8, 32, .raw_blocks = true)
