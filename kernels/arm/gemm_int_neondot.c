/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernels but LF_W_Q8 for dot products. */
#include "kernels/arm/neon_dot.h"
#include "kernels/arm/neon_formats.h"

#define NEON_STORE lf_neon_store

NEON_EACH_KIND(NEON_SUBTILES_4)

#define BY_ROWS(format) [format] = NEON_BY_ROWS_4(format),
static lf_neon_subtile *const subtiles[][4] = {NEON_EACH_KIND(BY_ROWS)};

LF_INLINE void neon_large(const int format, const int bits, size_t m, const uint32_t *x,
                          const uint8_t *quants, const float32x4_t *factors, float32x4_t *acc)
{
    uint8_t bytes[LF_Q8_QUANTS];
    if (bits != LF_SIGNED) {
        lf_neon_unpack(bits, quants, bytes);
        quants = bytes;
    }
    lf_neon_subtiles(subtiles[neon_kind(format)], 4, m, LF_X_DWORDS, x, quants, factors, acc);
}

#include "kernels/arm/neon_gemm_int.h"

LF_NEON_INT_ENTRIES(neondot, LF_CPU_DOTPROD)
