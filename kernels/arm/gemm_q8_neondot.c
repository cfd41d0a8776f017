/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I8X2B32 for dot products. */
#include "kernels/arm/neon_dot_q8.h"

#define NEON_STORE lf_neon_store

#define SUBTILE(m)                                                                                 \
    static __attribute__((noinline)) void subtile_##m(                                             \
        const uint32_t *x, const uint8_t *quants, const float32x4_t *factors, float32x4_t *acc)    \
    {                                                                                              \
        neon_q8_block(m, x, quants, factors, acc);                                                 \
    }
SUBTILE(1)
SUBTILE(2)
SUBTILE(3)
SUBTILE(4)

static lf_neon_subtile *const subtiles[] = {subtile_1, subtile_2, subtile_3, subtile_4};

LF_INLINE void q8_large(size_t m, const uint32_t *x, const uint8_t *quants,
                        const float32x4_t *scales, float32x4_t *acc)
{
    uint8_t bytes[LF_Q8_QUANTS];
    lf_neon_unpack(LF_BYTES, quants, bytes);
    lf_neon_subtiles(subtiles, 4, m, LF_X2_DWORDS, x, bytes, scales, acc);
}

#include "kernels/arm/neon_gemm_q8.h"

LF_NEON_ENTRY(i8x2b32, LF_LHS_I8X2B32, LF_W_Q8, q8, q8, 32, neondot, LF_CPU_DOTPROD,
              .raw_blocks = true)
