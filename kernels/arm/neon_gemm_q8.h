/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of LF_W_Q8 for arm64. The including file defines what neon_tiles.h requires and
 *
 * void q8_one(x, quants, scales, acc): multiplies a block of 32 k with one row. Unpacked quants are
 * stored as in the panel. */
#ifndef LF_KERNELS_ARM_NEON_GEMM_Q8_H
#define LF_KERNELS_ARM_NEON_GEMM_Q8_H

#include "kernels/arm/neon_tiles.h"

LF_INLINE void q8_rows(const bool one, const uint32_t *x, const uint8_t *quants,
                       const uint8_t *halves, float32x4_t *acc, neon_sink *sink)
{
    float32x4_t scales[4];
    lf_neon_f16x16(halves, scales);
    if (one) {
        q8_one(x, quants, scales, acc);
    } else {
        neon_put(sink, 1, LF_SIGNED, x, quants, scales);
    }
}

LF_INLINE void q8_panel(lf_distances distances, const bool one, size_t m, size_t k,
                        const uint32_t *x, const uint8_t *p, float32x4_t *acc, neon_sink *sink)
{
    for (size_t s = 0; s < k / 64; s++) {
        lf_prefetch_panel(distances, p, LF_Q8_SUPER);
        lf_prefetch_sparse(distances, p);
        q8_rows(one, x, p + 64, p, acc, sink);
        x += LF_X2_DWORDS * m;
        q8_rows(one, x, p + 64 + LF_Q8_QUANTS, p + 32, acc, sink);
        x += LF_X2_DWORDS * m;
        p += LF_Q8_SUPER;
    }
    if (k % 64 != 0) {
        q8_rows(one, x, p + 64, p, acc, sink);
    }
}

LF_NEON_GEMM_UNPACKED(q8, 0, q8_panel, 1, LF_X2_DWORDS)

#define LF_NEON_Q8_ENTRY(in, format, packer, signed_kr, arch, feature)                             \
    LF_NEON_ENTRY(in, format, LF_W_Q8, q8, packer, 32, arch, feature, .raw_blocks = true,          \
                  .kr = signed_kr, LF_NEON_UNPACKED(q8))

#endif /* LF_KERNELS_ARM_NEON_GEMM_Q8_H */
