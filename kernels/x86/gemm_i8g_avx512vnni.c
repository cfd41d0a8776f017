/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_I8G x LF_LHS_I8B32 for AVX-512 VNNI: quant + 128 is the unsigned operand of vpdpbusd; the
 * sums start with -128 * sum of the LHS quants. */
#include "kernels/x86/zmm_vnni.h"

LF_INLINE void i8g_block(const size_t m, const uint32_t *x, const uint8_t *quants, __m512 scale,
                         __m512 *acc)
{
    __m512i v[12];
    lf_vnni_start(m, x + LF_X_INIT8, v);
    lf_vnni_dot_bytes(m, x + LF_X_QUANTS, LF_X_DWORDS, quants, v);
    lf_vnni_finish(m, x + LF_X_SCALE, v, scale, acc);
}

LF_INLINE void i8g_tile(const bool has_mins, const size_t m, size_t n, size_t k, const void *tile,
                        const void *panels, float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const size_t head = has_mins ? 128 : 64; /* bytes of the scales and minimums of a block */
    const lf_distances distances = lf_prefetch_distances(policy, m, LF_VNNI_SPARSE_ROWS);
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t b = 0; b < k / 32; b++) {
            lf_prefetch_panel(distances, p, head + LF_Q8_QUANTS);
            lf_prefetch_sparse(distances, p);
            i8g_block(m, x, p + head, _mm512_load_ps(p), acc);
            if (has_mins) {
                lf_vnni_minimum(m, x + LF_X_SUM, _mm512_load_ps(p + 64), acc);
            }
            x += LF_X_DWORDS * m;
            p += head + LF_Q8_QUANTS;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

#define i8g_plain_tile(...) i8g_tile(false, __VA_ARGS__)
#define i8g_mins_tile(...)  i8g_tile(true, __VA_ARGS__)
LF_GEMM_BY_ROWS(12, i8g_gemm, i8g_plain_tile)
LF_GEMM_BY_ROWS(12, i8gm_gemm, i8g_mins_tile)

LF_VNNI_ENTRY(i8b32, LF_LHS_I8B32, LF_W_I8G, i8g, i8g, 32, .mins = false)
LF_VNNI_ENTRY(i8b32, LF_LHS_I8B32, LF_W_I8G, i8gm, i8g, 32, .mins = true)
