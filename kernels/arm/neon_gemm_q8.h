/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of LF_W_Q8 for arm64. Before it includes this header, a file defines for its
 * instruction set NEON_STORE and
 *
 * void q8_one(x, quants, scales, acc) and void q8_large(m, x, quants, scales, acc): a block of 32 k
 * of one row, and of more rows.
 */
#ifndef LF_KERNELS_ARM_NEON_GEMM_Q8_H
#define LF_KERNELS_ARM_NEON_GEMM_Q8_H

#include "kernels/arm/neon.h"

LF_INLINE void q8_rows(const bool one, size_t m, const uint32_t *x, const uint8_t *quants,
                       const uint8_t *halves, float32x4_t *acc)
{
    float32x4_t scales[4];
    lf_neon_f16x16(halves, scales);
    if (one) {
        q8_one(x, quants, scales, acc);
    } else {
        q8_large(m, x, quants, scales, acc);
    }
}

LF_INLINE void q8_panel(lf_distances distances, const bool one, size_t m, size_t k,
                        const uint32_t *x, const uint8_t *p, float32x4_t *acc)
{
    for (size_t s = 0; s < k / 64; s++) {
        lf_prefetch_panel(distances, p, LF_Q8_SUPER);
        lf_prefetch_sparse(distances, p);
        q8_rows(one, m, x, p + 64, p, acc);
        x += LF_X2_DWORDS * m;
        q8_rows(one, m, x, p + 64 + LF_Q8_QUANTS, p + 32, acc);
        x += LF_X2_DWORDS * m;
        p += LF_Q8_SUPER;
    }
    if (k % 64 != 0) {
        q8_rows(one, m, x, p + 64, p, acc);
    }
}

LF_NEON_GEMM(q8_gemm, q8_panel, lf_panel_bytes_q8)

#endif /* LF_KERNELS_ARM_NEON_GEMM_Q8_H */
