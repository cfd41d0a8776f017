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

/* 16 lines of scales of 16 k; with 2 bits then as many of minimums / 32. halves: the d of 256 k. */
LF_INLINE void lowk_factors(const int bits, const uint8_t *super, const uint8_t *halves,
                            float (*out)[LF_NR])
{
    const __m512 d = lf_load_f16x16(halves);
    if (bits == 2) {
        const __m512 dmin = _mm512_mul_ps(lf_load_f16x16(super + 32), _mm512_set1_ps(1.0f / 32));
        for (size_t i = 0; i < 16; i++) {
            const __m512i both = _mm512_cvtepu8_epi32(
                _mm_load_si128((const __m128i *)(const void *)(super + 64 + i * LF_NR)));
            const __m512i scale = _mm512_and_si512(both, _mm512_set1_epi32(15));
            const __m512i minimum = _mm512_srli_epi32(both, 4);
            _mm512_store_ps(out[i], _mm512_mul_ps(_mm512_cvtepi32_ps(scale), d));
            _mm512_store_ps(out[16 + i], _mm512_mul_ps(_mm512_cvtepi32_ps(minimum), dmin));
        }
        return;
    }
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

/* Half a block. scale: its line of factors; with 2 bits the minimums are 16 lines further. */
LF_INLINE void half_block(const int bits, const size_t m, const uint32_t *x, const size_t half,
                          const uint8_t *quants, const float *scale, __m512 *acc)
{
    const uint32_t *init = x + LF_X16_INIT6_LO + half;
    const uint32_t *xs = x + LF_X16_SCALE_LO + 2 * half;
    __m512i v[12];
    start(bits, m, init, v);
    dot(bits, m, x, quants, 4 * half, v);
    dot(bits, m, x, quants, 4 * half + 1, v);
    dot(bits, m, x, quants, 4 * half + 2, v);
    dot(bits, m, x, quants, 4 * half + 3, v);
    lf_vnni_finish(m, xs, v, _mm512_load_ps(scale), acc);
    if (bits == 2) {
        lf_vnni_minimum16(m, init, xs, _mm512_load_ps(scale + 16 * LF_NR), acc);
    }
}

/* Where the blocks of 256 k of a panel begin. */
LF_INLINE const uint8_t *first_super(const int bits, size_t k, const uint8_t *panel)
{
    return bits == 2 ? panel : panel + (lf_panel_bytes_q3k(k) - k / 256 * LF_Q3K_SUPER);
}

LF_INLINE void lowk_tile(const int bits, const size_t m, size_t n, size_t k, const void *tile,
                         const void *panels, float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const size_t head = bits == 2 ? LF_Q2K_HEAD : LF_Q3K_HEAD;
    const size_t step = bits == 2 ? LF_Q2K_QUANTS : LF_Q3K_QUANTS;
    const size_t panel_bytes = bits == 2 ? lf_panel_bytes_q2k(k) : lf_panel_bytes_q3k(k);
    const lf_distances distances = lf_prefetch_distances(policy, m, LF_VNNI_SPARSE_ROWS);
    const uint8_t *panel = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR, panel += panel_bytes) {
        const uint32_t *x = tile;
        const uint8_t *p = first_super(bits, k, panel);
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 256; s++) {
            _Alignas(64) float factors[32][LF_NR];
            lf_prefetch_panel(distances, p, head);
            lf_prefetch_sparse(distances, p);
            lowk_factors(bits, p, bits == 2 ? p : panel + s * 32, factors);
            p += head;
            for (size_t b = 0; b < 8; b++) {
                lf_prefetch_panel(distances, p, step);
                half_block(bits, m, x, 0, p, factors[2 * b], acc);
                half_block(bits, m, x, 1, p, factors[2 * b + 1], acc);
                x += LF_X_DWORDS * m;
                p += step;
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
    const __m512i w = lowk_quants(bits, quants, g);
    const __m512i zero = _mm512_set1_epi8(bits == 2 ? 0 : 32 - 4);
    _mm512_store_si512(out + g * 64, _mm512_add_epi8(w, zero));
}

LF_INLINE void lowk_unpack(const int bits, size_t k, const void *panel, uint8_t *out)
{
    const size_t step = bits == 2 ? LF_Q2K_QUANTS : LF_Q3K_QUANTS;
    const lf_distances distances = lf_prefetch_distances(LF_PREFETCH_L2_L1, LF_VNNI_MR, 0);
    const uint8_t *p = first_super(bits, k, panel);
    for (size_t s = 0; s < k / 256; s++) {
        _Alignas(64) float factors[32][LF_NR];
        lowk_factors(bits, p, bits == 2 ? p : (const uint8_t *)panel + s * 32, factors);
        p += bits == 2 ? LF_Q2K_HEAD : LF_Q3K_HEAD;
        for (size_t b = 0; b < 8; b++, p += step) {
            lf_prefetch_panel(distances, p, step);
            for (size_t line = 0; line < (bits == 2 ? 4 : 2); line++, out += 64) {
                const float *factor = factors[line / 2 * 16 + 2 * b + line % 2];
                _mm512_store_ps(out, _mm512_load_ps(factor));
            }
            unpack_group(bits, p, 0, out);
            unpack_group(bits, p, 1, out);
            unpack_group(bits, p, 2, out);
            unpack_group(bits, p, 3, out);
            unpack_group(bits, p, 4, out);
            unpack_group(bits, p, 5, out);
            unpack_group(bits, p, 6, out);
            unpack_group(bits, p, 7, out);
            out += 8 * 64;
        }
    }
}

static void q2k_unpack(size_t k, const void *panel, void *unpacked)
{
    lowk_unpack(2, k, panel, unpacked);
}

static void q3k_unpack(size_t k, const void *panel, void *unpacked)
{
    lowk_unpack(3, k, panel, unpacked);
}

/* Half a block. factors: the lines of the block. */
LF_INLINE void unpacked_half(const int bits, const size_t m, const uint32_t *x, const size_t half,
                             const uint8_t *quants, const uint8_t *factors, __m512 *acc)
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
    lf_vnni_finish(m, xs, v, _mm512_load_ps(factors + half * 64), acc);
    if (bits == 2) {
        lf_vnni_minimum16(m, init, xs, _mm512_load_ps(factors + (2 + half) * 64), acc);
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

#define q2k_tile(...)          lowk_tile(2, __VA_ARGS__)
#define q3k_tile(...)          lowk_tile(3, __VA_ARGS__)
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
