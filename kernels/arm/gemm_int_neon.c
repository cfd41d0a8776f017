/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernels but LF_W_Q8 for NEON without dot products: products of bytes with sums in 16
 * bits over as many groups as fit, then in 32 bits. Products with quants of 4, 5 and 6 bits are at
 * most 15, 31 and 63 times 127, those with int8 128 times 127. */
#include "kernels/arm/neon.h"

#define neon_unpack lf_neon_unpack
#define neon_store  lf_neon_store

/* Unpacked quants that were 2, 3, 4 or 5, and 6 bits wide. */
enum { SMALL = 16, SIX_BITS = 17 };

/* Groups whose sums fit 16 bits. */
LF_INLINE size_t groups_per_sum(const int bits)
{
    return bits == LF_SIGNED ? 2 : (bits == 6 || bits == SIX_BITS ? 4 : 8);
}

/* v = or += products of group g of nq quads of m rows: those of the first two columns of a quad, 4
 * k each, in one register, those of the other two in the next. */
LF_INLINE void group_products(const int bits, const bool starts, const size_t nq, const size_t m,
                              const uint32_t *x, const uint8_t *quants, const size_t g,
                              int16x8_t *v)
{
    int8x16_t w[4];
#define Q(q) w[q] = lf_neon_quants(bits, quants, g, q);
    LF_QUADS(nq, Q)
#undef Q
#define Q(q)                                                                                       \
    if (starts) {                                                                                  \
        vi[2 * (q)] = vmull_s8(vget_low_s8(w[q]), vget_low_s8(a));                                 \
        vi[2 * (q) + 1] = vmull_high_s8(w[q], a);                                                  \
    } else {                                                                                       \
        vi[2 * (q)] = vmlal_s8(vi[2 * (q)], vget_low_s8(w[q]), vget_low_s8(a));                    \
        vi[2 * (q) + 1] = vmlal_high_s8(vi[2 * (q) + 1], w[q], a);                                 \
    }
#define F(i)                                                                                       \
    {                                                                                              \
        int16x8_t *vi = v + 2 * nq * (i);                                                          \
        const int32_t *dword = (const int32_t *)(const void *)(x + (i)*LF_X_DWORDS + g);           \
        const int8x16_t a = vreinterpretq_s8_s32(vld1q_dup_s32(dword));                            \
        LF_QUADS(nq, Q)                                                                            \
    }
    LF_FEW_ROWS(m, F)
#undef F
#undef Q
}

/* s = or += the sums of pairs in v. */
LF_INLINE void fold(const bool starts, const size_t nq, const size_t m, const int16x8_t *v,
                    int32x4_t *s)
{
#define Q(q)                                                                                       \
    to[2 * (q)] = starts ? vpaddlq_s16(from[2 * (q)]) : vpadalq_s16(to[2 * (q)], from[2 * (q)]);   \
    to[2 * (q) + 1] =                                                                              \
        starts ? vpaddlq_s16(from[2 * (q) + 1]) : vpadalq_s16(to[2 * (q) + 1], from[2 * (q) + 1]);
#define F(i)                                                                                       \
    {                                                                                              \
        const int16x8_t *from = v + 2 * nq * (i);                                                  \
        int32x4_t *to = s + 2 * nq * (i);                                                          \
        LF_QUADS(nq, Q)                                                                            \
    }
    LF_FEW_ROWS(m, F)
#undef F
#undef Q
}

LF_INLINE void neon_sums(const int bits, const bool eighth, const size_t nq, const size_t m,
                         const uint32_t *x, const int init, const uint8_t *quants,
                         const size_t first, const size_t end, int32x4_t *s)
{
    int16x8_t v[16];
    int32x4_t twos[16];
    const size_t per_sum = groups_per_sum(bits);
#define G(g)                                                                                       \
    if ((g) >= first && (g) < end) {                                                               \
        group_products(bits, (g) % per_sum == 0 || (g) == first, nq, m, x + LF_X_QUANTS, quants,   \
                       g, v);                                                                      \
        if ((g) % per_sum == per_sum - 1 || (g) + 1 == end) {                                      \
            fold((g) < first + per_sum, nq, m, v, twos);                                           \
        }                                                                                          \
    }
    LF_EACH_GROUP(G)
#undef G
    lf_neon_start(eighth, nq, m, x, init, s);
#define Q(q) to[q] = vaddq_s32(to[q], vpaddq_s32(from[2 * (q)], from[2 * (q) + 1]));
#define F(i)                                                                                       \
    {                                                                                              \
        const int32x4_t *from = twos + 2 * nq * (i);                                               \
        int32x4_t *to = s + nq * (i);                                                              \
        LF_QUADS(nq, Q)                                                                            \
    }
    LF_FEW_ROWS(m, F)
#undef F
#undef Q
}

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc);

/* The width of quants matters here. */
#define NEON_KIND(format) ((format) == NEON_Q5K ? NEON_Q4K : (format))
#include "kernels/arm/neon_gemm_int.h"

#define EACH_KIND(F)                                                                               \
    F(NEON_Q4, SMALL)                                                                              \
    F(NEON_Q2K, SMALL)                                                                             \
    F(NEON_Q3K, SMALL)                                                                             \
    F(NEON_Q4K, SMALL)                                                                             \
    F(NEON_Q6K, SIX_BITS)                                                                          \
    F(NEON_I8G, LF_SIGNED)                                                                         \
    F(NEON_I8GM, LF_SIGNED) F(NEON_I8G16, LF_SIGNED) F(NEON_I8G16M, LF_SIGNED)
EACH_KIND(NEON_SUBTILES)

#define BY_ROWS(kind, bits) NEON_BY_ROWS(kind)
static neon_subtile *const subtiles[][4] = {EACH_KIND(BY_ROWS)};

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc)
{
    const size_t most = kind < NEON_I8G ? 4 : 2; /* int8 needs more registers */
    neon_subtiles(subtiles[kind], most, m, blocks, x, stride, LF_X_DWORDS, unpacked, acc);
}

LF_NEON_INT_ENTRIES(neon, LF_CPU_NEON)
