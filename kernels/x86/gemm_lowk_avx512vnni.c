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
LF_INLINE __m512i q3k_quants(const uint8_t *quants, const size_t g)
{
    if (g < 6) {
        return field(_mm512_load_si512(quants + g / 2 * 64), g % 2 * 4, 7);
    }
    const __m512i top = _mm512_set1_epi8((char)0x88);
    const __m512i bit0 = _mm512_and_si512(_mm512_load_si512(quants), top);
    const __m512i bit1 = _mm512_and_si512(_mm512_load_si512(quants + 64), top);
    const __m512i bit2 = _mm512_and_si512(_mm512_load_si512(quants + 128), top);
    const __m512i both = _mm512_ternarylogic_epi32(
        _mm512_srli_epi32(bit0, 3), _mm512_srli_epi32(bit1, 2), _mm512_srli_epi32(bit2, 1), 0xFE);
    return field(both, g == 6 ? 0 : 4, 7);
}

/* Group g of a block, unsigned; `bits` is 2 or 3. */
LF_INLINE __m512i lowk_quants(const int bits, const uint8_t *quants, const size_t g)
{
    return bits == 3 ? q3k_quants(quants, g)
                     : field(_mm512_load_si512(quants + g / 4 * 64), g % 4 * 2, 3);
}

LF_INLINE void dot(const int bits, const size_t m, const uint32_t *x, const uint8_t *quants,
                   const size_t g, __m512i *v)
{
    lf_vnni_dot(m, x + LF_X_QUANTS + g, LF_X_DWORDS, lowk_quants(bits, quants, g), v);
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

/* 16 lines of scales of 16 k. halves: the d of 256 k. */
LF_INLINE void q3k_scales(const uint8_t *super, const uint8_t *halves, float (*out)[LF_NR])
{
    const __m512 d = lf_load_f16x16(halves);
    const __m512i low = _mm512_set1_epi32(63), zero = _mm512_set1_epi32(32);
    __m512i top = _mm512_setzero_si512();
    for (size_t line = 0; line < 3; line++) {
        __m512i dwords = _mm512_load_si512(super + line * 64);
        top = _mm512_or_si512(top, _mm512_sllv_epi32(_mm512_srli_epi32(dwords, 30),
                                                     _mm512_set1_epi32(2 * (int)line)));
        for (size_t i = line * 5; i < line * 5 + 5; i++) {
            const __m512i scale = _mm512_sub_epi32(_mm512_and_si512(dwords, low), zero);
            _mm512_store_ps(out[i], _mm512_mul_ps(_mm512_cvtepi32_ps(scale), d));
            dwords = _mm512_srli_epi32(dwords, 6);
        }
    }
    _mm512_store_ps(out[15], _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(top, zero)), d));
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

/* Half a block. */
LF_INLINE void half_block(const int bits, const size_t m, const uint32_t *x, const size_t half,
                          const uint8_t *quants, factors f, __m512 *acc)
{
    const uint32_t *init = x + LF_X16_INIT6_LO + half;
    const uint32_t *xs = x + LF_X16_SCALE_LO + 2 * half;
    __m512i v[12];
    start(bits, m, init, v);
    dot(bits, m, x, quants, 4 * half, v);
    dot(bits, m, x, quants, 4 * half + 1, v);
    dot(bits, m, x, quants, 4 * half + 2, v);
    dot(bits, m, x, quants, 4 * half + 3, v);
    lf_vnni_finish(m, xs, v, f.scale, acc);
    if (bits == 2) {
        lf_vnni_minimum16(m, init, xs, f.minimum, acc);
    }
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
                half_block(2, m, x, 0, p, q2k_factors(&head, bytes), acc);
                half_block(2, m, x, 1, p, q2k_factors(&head, bytes + LF_NR), acc);
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
            _Alignas(64) float scales[16][LF_NR];
            lf_prefetch_panel(distances, p, LF_Q3K_HEAD);
            lf_prefetch_sparse(distances, p);
            q3k_scales(p, halves + s * 32, scales);
            p += LF_Q3K_HEAD;
            for (size_t b = 0; b < 8; b++) {
                const factors lo = {.scale = _mm512_load_ps(scales[2 * b])};
                const factors hi = {.scale = _mm512_load_ps(scales[2 * b + 1])};
                lf_prefetch_panel(distances, p, LF_Q3K_QUANTS);
                half_block(3, m, x, 0, p, lo, acc);
                half_block(3, m, x, 1, p, hi, acc);
                x += LF_X_DWORDS * m;
                p += LF_Q3K_QUANTS;
            }
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

LF_INLINE void unpack_group(const int bits, const uint8_t *quants, const size_t g, uint8_t *out)
{
    const __m512i zero = _mm512_set1_epi8(bits == 2 ? 0 : 32 - 4);
    _mm512_store_si512(out + g * 64, _mm512_add_epi8(lowk_quants(bits, quants, g), zero));
}

LF_INLINE void unpack_block(const int bits, const uint8_t *quants, uint8_t *out)
{
    unpack_group(bits, quants, 0, out);
    unpack_group(bits, quants, 1, out);
    unpack_group(bits, quants, 2, out);
    unpack_group(bits, quants, 3, out);
    unpack_group(bits, quants, 4, out);
    unpack_group(bits, quants, 5, out);
    unpack_group(bits, quants, 6, out);
    unpack_group(bits, quants, 7, out);
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
