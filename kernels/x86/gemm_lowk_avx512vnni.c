/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q2K and LF_W_Q3K x LF_LHS_I8B16 for AVX-512 VNNI: the factors of 256 k become floats once
 * for all rows; quants are separated in registers, or once for many tiles. */
#include "kernels/x86/zmm_vnni.h"

/* ---- Quants ---- */

/* (v >> n) & mask; n is a constant. */
LF_INLINE __m512i field(__m512i v, const unsigned n, char mask)
{
    return _mm512_and_si512(n != 0 ? _mm512_srli_epi32(v, n) : v, _mm512_set1_epi8(mask));
}

/* Group g of a block of Q3_K, quant + 4. */
LF_INLINE __m512i q3k_quants(const __m512i l[3], const size_t g)
{
    if (g < 6) {
        return field(l[g / 2], g % 2 * 4, 7);
    }
    const __m512i top = _mm512_set1_epi8((char)0x88);
    const __m512i bit0 = _mm512_and_si512(l[0], top);
    const __m512i bit1 = _mm512_and_si512(l[1], top);
    const __m512i bit2 = _mm512_and_si512(l[2], top);
    const __m512i both = _mm512_ternarylogic_epi32(
        _mm512_srli_epi32(bit0, 3), _mm512_srli_epi32(bit1, 2), _mm512_srli_epi32(bit2, 1), 0xFE);
    return field(both, g == 6 ? 0 : 4, 7);
}

/* Group g of a block, unsigned; `bits`, 2 or 3, is the number of lines of a block, too. */
LF_INLINE __m512i lowk_quants(const int bits, const __m512i *l, const size_t g)
{
    return bits == 3 ? q3k_quants(l, g) : field(l[g / 4], g % 4 * 2, 3);
}

/* ---- Factors ---- */

/* Scales and minimums / 32 of 16 k. */
typedef struct factors {
    __m512 scale, minimum;
} factors;

/* What makes the factors of 256 k of Q2_K: d, dmin / 32, and 0 to 15 as floats. */
typedef struct q2k_head {
    __m512 d, dmin, numbers;
} q2k_head;

LF_INLINE q2k_head q2k_load_head(const uint8_t *super)
{
    const __m512 dmin = _mm512_mul_ps(lf_load_f16x16(super + 32), _mm512_set1_ps(1.0f / 32));
    return (q2k_head){lf_load_f16x16(super), dmin,
                      _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)};
}

/* A permutation, which looks at 4 bits of an index, replaces a mask and a conversion. */
LF_INLINE factors q2k_factors(const q2k_head *head, const uint8_t *bytes)
{
    const __m512i both = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *)(const void *)bytes));
    const __m512 scale = _mm512_permutexvar_ps(both, head->numbers);
    const __m512 minimum = _mm512_permutexvar_ps(_mm512_srli_epi32(both, 4), head->numbers);
    return (factors){_mm512_mul_ps(scale, head->d), _mm512_mul_ps(minimum, head->dmin)};
}

/* The scales of the 16 k with number i in 256 k of Q3_K, whose zero point is 32. */
LF_INLINE __m512 q3k_scale(const lf_vnni_factors *f, __m512 d, const size_t i)
{
    return _mm512_mul_ps(lf_vnni_factor(f, i, 32), d);
}

/* ---- Packed panels ---- */

/* v[i] = LF_MAGIC_BITS without a zero point (2 bits), LF_MAGIC_BITS - 4 * sum (3 bits). x:
 * LF_MAGIC_BITS - 32 * sum. */
LF_INLINE void start(const int bits, const size_t m, const uint32_t *x, __m512i *v)
{
    const __m512i magic = _mm512_set1_epi32(LF_MAGIC_BITS - (bits == 3 ? LF_MAGIC_BITS / 8 : 0));
#define F(i)                                                                                       \
    v[i] = bits == 2                                                                               \
               ? magic                                                                             \
               : _mm512_add_epi32(                                                                 \
                     magic, _mm512_srli_epi32(_mm512_set1_epi32((int32_t)x[(i)*LF_X_DWORDS]), 3));
    LF_EACH_ROW(m, F)
#undef F
}

/* Half a block. l: the lines of the block. */
LF_INLINE void half_block(const int bits, const size_t m, const uint32_t *x, const size_t half,
                          const __m512i *l, factors f, __m512 *acc)
{
    const uint32_t *init = x + LF_X16_INIT6_LO + half;
    const uint32_t *xs = x + LF_X16_SCALE_LO + 2 * half;
    __m512i v[12];
    start(bits, m, init, v);
    for (size_t g = 4 * half; g < 4 * half + 4; g++) {
        lf_vnni_dot(m, x + LF_X_QUANTS + g, LF_X_DWORDS, lowk_quants(bits, l, g), v);
    }
    lf_vnni_finish(m, xs, v, f.scale, acc);
    if (bits == 2) {
        lf_vnni_minimum16(m, init, xs, f.minimum, acc);
    }
}

LF_INLINE void block(const int bits, const size_t m, const uint32_t *x, const uint8_t *quants,
                     factors lo, factors hi, __m512 *acc)
{
    __m512i l[3];
    lf_vnni_lines(m, quants, (size_t)bits, l);
    half_block(bits, m, x, 0, l, lo, acc);
    half_block(bits, m, x, 1, l, hi, acc);
}

LF_INLINE void q2k_tile(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                        float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 256; s++) {
            const q2k_head head = q2k_load_head(p);
            const uint8_t *bytes = p + 64;
            lf_prefetch_panel(distances, p, LF_Q2K_HEAD);
            lf_prefetch_sparse(distances, p);
            p += LF_Q2K_HEAD;
            for (size_t b = 0; b < 8; b++, bytes += 2 * LF_NR) {
                lf_prefetch_panel(distances, p, LF_Q2K_QUANTS);
                block(2, m, x, p, q2k_factors(&head, bytes), q2k_factors(&head, bytes + LF_NR),
                      acc);
                x += LF_X_DWORDS * m;
                p += LF_Q2K_QUANTS;
            }
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* Where the blocks of 256 k of a panel begin. */
LF_INLINE const uint8_t *q3k_supers(size_t k, const uint8_t *panel)
{
    return panel + (lf_panel_bytes_q3k(k) - k / 256 * LF_Q3K_SUPER);
}

/* All scales of 256 k. */
LF_INLINE void q3k_scales(const uint8_t *super, const uint8_t *halves, float (*out)[LF_NR])
{
    const lf_vnni_factors f = lf_vnni_load_factors(super);
    const __m512 d = lf_load_f16x16(halves);
#define F(i) _mm512_store_ps(out[i], q3k_scale(&f, d, i));
    LF_VNNI_EACH_FACTOR(F)
#undef F
}

/* 256 k. Few rows take the scales from registers, more from memory. */
LF_INLINE void q3k_super(lf_distances distances, const size_t m, const uint32_t *x,
                         const uint8_t *p, const uint8_t *halves, __m512 *acc)
{
    const uint8_t *quants = p + LF_Q3K_HEAD;
    lf_prefetch_panel(distances, p, LF_Q3K_HEAD);
    lf_prefetch_sparse(distances, p);
    if (m <= LF_VNNI_FEW_ROWS) {
        const lf_vnni_factors f = lf_vnni_load_factors(p);
        const __m512 d = lf_load_f16x16(halves);
#define BLOCK(b)                                                                                   \
    lf_prefetch_panel(distances, quants + (b)*LF_Q3K_QUANTS, LF_Q3K_QUANTS);                       \
    block(3, m, x + (b)*LF_X_DWORDS * m, quants + (b)*LF_Q3K_QUANTS,                               \
          (factors){.scale = q3k_scale(&f, d, 2 * (b))},                                           \
          (factors){.scale = q3k_scale(&f, d, 2 * (b) + 1)}, acc);
        BLOCK(0)
        BLOCK(1)
        BLOCK(2)
        BLOCK(3)
        BLOCK(4)
        BLOCK(5)
        BLOCK(6)
        BLOCK(7)
#undef BLOCK
        return;
    }
    _Alignas(64) float scales[16][LF_NR];
    q3k_scales(p, halves, scales);
    for (size_t b = 0; b < 8; b++) {
        lf_prefetch_panel(distances, quants, LF_Q3K_QUANTS);
        block(3, m, x, quants, (factors){.scale = _mm512_load_ps(scales[2 * b])},
              (factors){.scale = _mm512_load_ps(scales[2 * b + 1])}, acc);
        x += LF_X_DWORDS * m;
        quants += LF_Q3K_QUANTS;
    }
}

LF_INLINE void q3k_tile(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                        float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const size_t panel_bytes = lf_panel_bytes_q3k(k);
    const uint8_t *halves = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR, halves += panel_bytes) {
        const uint32_t *x = tile;
        const uint8_t *p = q3k_supers(k, halves);
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 256; s++) {
            q3k_super(distances, m, x, p, halves + s * 32, acc);
            x += 8 * LF_X_DWORDS * m;
            p += LF_Q3K_SUPER;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* ---- Unpacked panels ----
 *
 * Per 32 k two lines of 16 floats, the scales of both halves, with 2 bits then two of minimums /
 * 32, and 8 groups of bytes: quants with 2 bits, quant + 32 with 3. */

enum { Q2K_UNPACKED = 4 * 64 + 8 * 64, Q3K_UNPACKED = 2 * 64 + 8 * 64 };

static size_t q2k_unpacked_bytes(size_t k)
{
    return k / 32 * Q2K_UNPACKED;
}

static size_t q3k_unpacked_bytes(size_t k)
{
    return k / 32 * Q3K_UNPACKED;
}

LF_INLINE void unpack_block(const int bits, const uint8_t *quants, uint8_t *out)
{
    const __m512i zero = _mm512_set1_epi8(bits == 2 ? 0 : 32 - 4);
    __m512i l[3];
    lf_vnni_lines(1, quants, (size_t)bits, l);
    for (size_t g = 0; g < 8; g++) {
        _mm512_store_si512(out + g * 64, _mm512_add_epi8(lowk_quants(bits, l, g), zero));
    }
}

static void q2k_unpack(size_t k, const void *panel, void *unpacked)
{
    const lf_distances distances = lf_prefetch_distances(lf_prefetch_unpacking);
    const uint8_t *p = panel;
    uint8_t *out = unpacked;
    for (size_t s = 0; s < k / 256; s++) {
        const q2k_head head = q2k_load_head(p);
        const uint8_t *bytes = p + 64;
        p += LF_Q2K_HEAD;
        for (size_t b = 0; b < 8; b++, bytes += 2 * LF_NR) {
            const factors lo = q2k_factors(&head, bytes);
            const factors hi = q2k_factors(&head, bytes + LF_NR);
            lf_prefetch_panel(distances, p, LF_Q2K_QUANTS);
            _mm512_store_ps(out, lo.scale);
            _mm512_store_ps(out + 64, hi.scale);
            _mm512_store_ps(out + 128, lo.minimum);
            _mm512_store_ps(out + 192, hi.minimum);
            unpack_block(2, p, out + 4 * 64);
            p += LF_Q2K_QUANTS;
            out += Q2K_UNPACKED;
        }
    }
}

static void q3k_unpack(size_t k, const void *panel, void *unpacked)
{
    const lf_distances distances = lf_prefetch_distances(lf_prefetch_unpacking);
    const uint8_t *p = q3k_supers(k, panel);
    uint8_t *out = unpacked;
    for (size_t s = 0; s < k / 256; s++) {
        _Alignas(64) float scales[16][LF_NR];
        q3k_scales(p, (const uint8_t *)panel + s * 32, scales);
        p += LF_Q3K_HEAD;
        for (size_t b = 0; b < 8; b++) {
            lf_prefetch_panel(distances, p, LF_Q3K_QUANTS);
            _mm512_store_ps(out, _mm512_load_ps(scales[2 * b]));
            _mm512_store_ps(out + 64, _mm512_load_ps(scales[2 * b + 1]));
            unpack_block(3, p, out + 2 * 64);
            p += LF_Q3K_QUANTS;
            out += Q3K_UNPACKED;
        }
    }
}

/* Half a block. lines: the factors of the block. */
LF_INLINE void unpacked_half(const int bits, const size_t m, const uint32_t *x, const size_t half,
                             const uint8_t *quants, const uint8_t *lines, __m512 *acc)
{
    const uint32_t *init = x + LF_X16_INIT6_LO + half;
    const uint32_t *xs = x + LF_X16_SCALE_LO + 2 * half;
    __m512i v[12];
    if (bits == 2) {
        start(bits, m, init, v);
    } else {
        lf_vnni_start(m, init, v);
    }
    for (size_t g = 4 * half; g < 4 * half + 4; g++) {
        lf_vnni_dot(m, x + LF_X_QUANTS + g, LF_X_DWORDS, _mm512_load_si512(quants + g * 64), v);
    }
    lf_vnni_finish(m, xs, v, _mm512_load_ps(lines + half * 64), acc);
    if (bits == 2) {
        lf_vnni_minimum16(m, init, xs, _mm512_load_ps(lines + (2 + half) * 64), acc);
    }
}

LF_INLINE void unpacked_tile(const int bits, const size_t m, size_t n, size_t k, const void *tile,
                             const void *panels, float *c, size_t c_stride,
                             lf_prefetch_policy policy)
{
    (void)policy; /* unpacked panels are in the second level cache */
    const size_t head = bits == 2 ? 4 * 64 : 2 * 64;
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t b = 0; b < k / 32; b++) {
            unpacked_half(bits, m, x, 0, p + head, p, acc);
            unpacked_half(bits, m, x, 1, p + head, p, acc);
            x += LF_X_DWORDS * m;
            p += head + 8 * 64;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

#define q2k_unpacked_tile(...) unpacked_tile(2, __VA_ARGS__)
#define q3k_unpacked_tile(...) unpacked_tile(3, __VA_ARGS__)
LF_GEMM_BY_ROWS(12, q2k_gemm, q2k_tile)
LF_GEMM_BY_ROWS(12, q3k_gemm, q3k_tile)
LF_GEMM_BY_ROWS(12, q2k_unpacked, q2k_unpacked_tile)
LF_GEMM_BY_ROWS(12, q3k_unpacked, q3k_unpacked_tile)

#define UNPACKED(tag)                                                                              \
    .raw_blocks = true, .unpacked_bytes = tag##_unpacked_bytes, .unpack = tag##_unpack,            \
    .unpacked_fn = tag##_unpacked

LF_VNNI_ENTRY(i8b16, LF_LHS_I8B16, LF_W_Q2K, q2k, q2k, 256, UNPACKED(q2k))
LF_VNNI_ENTRY(i8b16, LF_LHS_I8B16, LF_W_Q3K, q3k, q3k, 256, UNPACKED(q3k))
