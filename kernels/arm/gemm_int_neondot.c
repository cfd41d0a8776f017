/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernels but LF_W_Q8 for dot products. */
#include "kernels/arm/neon_dot.h"
#include "kernels/arm/neon_formats.h"

enum { NEON_FIXED_ROWS = 4 };
#define NEON_STORE lf_neon_store

LF_INLINE void neon_large(const int format, const int bits, size_t m, const uint32_t *x,
                          const uint8_t *quants, const float32x4_t *factors, float32x4_t *acc)
{
    uint8_t bytes[LF_Q8_QUANTS];
    if (bits != LF_SIGNED) {
        lf_neon_unpack(bits, quants, bytes);
        quants = bytes;
    }
    LF_NEON_SUBTILES(4, m, LF_X_DWORDS, neon_block, x, acc, format, LF_SIGNED, quants, factors)
}

#include "kernels/arm/neon_gemm_int.h"

LF_NEON_INT_ENTRIES(neondot, LF_CPU_DOTPROD)
