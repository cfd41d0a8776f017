/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernels but LF_W_Q8 for dot products. */
#include "kernels/arm/neon_dot.h"

#define neon_unpack lf_neon_unpack
#define neon_store  lf_neon_store

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc);

#define NEON_KIND neon_kind
#include "kernels/arm/neon_gemm_int.h"

#define SUBTILES(kind) NEON_SUBTILES(kind, LF_SIGNED)
NEON_EACH_KIND(SUBTILES)

static neon_subtile *const subtiles[][4] = {NEON_EACH_KIND(NEON_BY_ROWS)};

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc)
{
    neon_subtiles(subtiles[kind], 4, m, blocks, x, stride, LF_X_DWORDS, unpacked, acc);
}

LF_NEON_INT_ENTRIES(neondot, LF_CPU_DOTPROD)
