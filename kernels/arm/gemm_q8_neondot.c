/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I8X2B32 for dot products. */
#define neon_unpack lf_neon_unpack
#define neon_store  lf_neon_store

#include "kernels/arm/neon_dot_q8.h"

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc);

#include "kernels/arm/neon_gemm_q8.h"

LF_INLINE void block(const size_t m, const uint32_t *x, const uint8_t *quants,
                     const float32x4_t *scales, float32x4_t *acc)
{
    int32x4_t s[2 * 4];
    const uint32_t *upper = x + LF_X2_QUANTS, *lower = x + LF_X2_QUANTS + 8;
#define F(i) s[2 * (i)] = s[2 * (i) + 1] = vdupq_n_s32(0);
    LF_FEW_ROWS(m, F)
#undef F
    neon_dot_four(LF_SIGNED, 2, m, upper, LF_X2_DWORDS, quants, 0, s);
    neon_dot_four(LF_SIGNED, 2, m, upper, LF_X2_DWORDS, quants, 4, s);
#define F(i)                                                                                       \
    s[2 * (i)] = vshlq_n_s32(s[2 * (i)], 8);                                                       \
    s[2 * (i) + 1] = vshlq_n_s32(s[2 * (i) + 1], 8);
    LF_FEW_ROWS(m, F)
#undef F
    quants = neon_again(quants);
    neon_dot_four(LF_SIGNED, 2, m, lower, LF_X2_DWORDS, quants, 0, s);
    neon_dot_four(LF_SIGNED, 2, m, lower, LF_X2_DWORDS, quants, 4, s);
    lf_neon_finish_q8(2, m, x, s, scales, acc);
}

LF_INLINE void columns(const size_t m, size_t blocks, const uint32_t *x, size_t stride,
                       const uint8_t *unpacked, const size_t half, float32x4_t *out)
{
    float32x4_t acc[2 * 4];
    neon_load_acc(m, half, out, acc);
    for (; blocks > 0; blocks--, x += stride, unpacked += neon_unpacked_block(1)) {
        const float *head = (const float *)(const void *)(unpacked + 32 * half);
        const float32x4_t scales[2] = {vld1q_f32(head), vld1q_f32(head + 4)};
        block(m, x, unpacked + 64 + 32 * half, scales, acc);
    }
    neon_store_acc(m, half, acc, out);
}

#define SUBTILE(m)                                                                                 \
    static __attribute__((noinline)) void subtile_##m(size_t blocks, const uint32_t *x,            \
                                                      size_t stride, size_t row,                   \
                                                      const uint8_t *unpacked, float32x4_t *acc)   \
    {                                                                                              \
        (void)row; /* always LF_X2_DWORDS */                                                       \
        columns(m, blocks, x, stride, unpacked, 0, acc);                                           \
        columns(m, blocks, x, stride, unpacked, 1, acc);                                           \
    }
SUBTILE(1)
SUBTILE(2)
SUBTILE(3)
SUBTILE(4)

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc)
{
    static neon_subtile *const by_rows[] = {subtile_1, subtile_2, subtile_3, subtile_4};
    (void)kind;
    neon_subtiles(by_rows, 4, m, blocks, x, stride, LF_X2_DWORDS, unpacked, acc);
}

LF_NEON_Q8_ENTRY(i8x2b32, LF_LHS_I8X2B32, neon_q8_pack, LF_NEON_SIGNED_KR, neondot, LF_CPU_DOTPROD)
