/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q4 x LF_LHS_I8B32 for AVX-512 VNNI: weights are the unsigned operand of vpdpbusd, one
 * int32 lane a column; LHS quants are broadcast from memory. */
#include "kernels/x86/zmm_vnni.h"

/* One block of 32 k. */
LF_INLINE void q4_block(const size_t m, const uint32_t *x, const uint8_t *quants, __m512 scale,
                        __m512 *acc)
{
    __m512i v[12];
    lf_vnni_start(m, x + LF_X_INIT4, v);
    lf_vnni_dot_nibbles(m, x + LF_X_QUANTS, quants, v);
    lf_vnni_finish(m, x + LF_X_SCALE, v, scale, acc);
}

LF_INLINE void q4_tile(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                       float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *super = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 64; s++) {
            lf_prefetch_panel(distances, super, LF_Q4_SUPER);
            lf_prefetch_sparse(distances, super);
            q4_block(m, x, super + 64, lf_load_f16x16(super), acc);
            x += LF_X_DWORDS * m;
            q4_block(m, x, super + 64 + LF_Q4_QUANTS, lf_load_f16x16(super + 32), acc);
            x += LF_X_DWORDS * m;
            super += LF_Q4_SUPER;
        }
        if (k % 64 != 0) {
            q4_block(m, x, super + 64, lf_load_f16x16(super), acc);
            super += 64 + LF_Q4_QUANTS;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

LF_GEMM_BY_ROWS(12, q4_gemm, q4_tile)

LF_VNNI_ENTRY(i8b32, LF_LHS_I8B32, LF_W_Q4, q4, q4, 32, .raw_blocks = true)
