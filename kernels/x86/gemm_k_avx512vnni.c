/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q4K and LF_W_Q5K x LF_LHS_I8B32, LF_W_Q6K x LF_LHS_I8B16 for AVX-512 VNNI: quants and
 * factors are separated in registers, or once for many tiles. */
#include "kernels/x86/zmm_vnni.h"

/* ---- Quants ---- */

/* (a & mask) | (b & ~mask) */
LF_INLINE __m512i choose(char mask, __m512i a, __m512i b)
{
    return _mm512_ternarylogic_epi32(_mm512_set1_epi8(mask), a, b, 0xCA);
}

LF_INLINE __m512i low_bits(__m512i v, char mask)
{
    return _mm512_and_si512(v, _mm512_set1_epi8(mask));
}

/* Quants of group g of a block of Q5_K. */
LF_INLINE __m512i q5k_quants(const __m512i l[5], const size_t g)
{
    if (g < 5) {
        return low_bits(l[g], 31);
    }
    const __m512i upper = _mm512_srli_epi32(l[(g - 5) * 2], 3);
    const __m512i lower = g < 7 ? _mm512_srli_epi32(l[(g - 5) * 2 + 1], 6)
                                : choose(2, _mm512_srli_epi32(l[3], 4), _mm512_srli_epi32(l[1], 5));
    return low_bits(choose(28, upper, lower), 31);
}

/* Quants of group g of half a block of Q6_K. */
LF_INLINE __m512i q6k_quants(const __m512i l[3], const size_t g)
{
    if (g < 3) {
        return low_bits(l[g], 63);
    }
    const __m512i upper = choose(48, _mm512_srli_epi32(l[0], 2), _mm512_srli_epi32(l[1], 4));
    return low_bits(choose(60, upper, _mm512_srli_epi32(l[2], 6)), 63);
}

/* v[i] += a block of Q4_K or Q5_K times the rows' blocks at x. */
LF_INLINE void k_dot(const int bits, const size_t m, const uint32_t *x, const uint8_t *quants,
                     __m512i *v)
{
    if (bits == 4) {
        lf_vnni_dot_nibbles(m, x + LF_X_QUANTS, quants, v);
        return;
    }
    __m512i l[5];
    lf_vnni_lines(m, quants, 5, l);
    for (size_t g = 0; g < 8; g++) {
        lf_vnni_dot(m, x + LF_X_QUANTS + g, LF_X_DWORDS, q5k_quants(l, g), v);
    }
}

/* ---- Factors of Q4_K and Q5_K ---- */

typedef struct k_head {
    __m512 d, dmin;
    lf_vnni_factors factors;
} k_head;

LF_INLINE k_head k_load_head(const uint8_t *super)
{
    return (k_head){lf_load_f16x16(super), lf_load_f16x16(super + 32),
                    lf_vnni_load_factors(super + 64)};
}

/* Factor i of 256 k: the scale of block i or, from 8 on, the minimum of block i - 8. */
LF_INLINE __m512 k_factor(const k_head *h, const size_t i)
{
    return _mm512_mul_ps(lf_vnni_factor(&h->factors, i, 0), i < 8 ? h->d : h->dmin);
}

/* All of them. */
LF_INLINE void k_factors(const uint8_t *super, float (*out)[LF_NR])
{
    const k_head h = k_load_head(super);
#define F(i) _mm512_store_ps(out[i], k_factor(&h, i));
    LF_VNNI_EACH_FACTOR(F)
#undef F
}

LF_INLINE void k_start(const size_t m, __m512i *v)
{
#define F(i) v[i] = _mm512_set1_epi32(LF_MAGIC_BITS);
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void k_block(const int bits, const size_t m, const uint32_t *x, const uint8_t *quants,
                       __m512 scale, __m512 minimum, __m512 *acc)
{
    __m512i v[12];
    k_start(m, v);
    k_dot(bits, m, x, quants, v);
    lf_vnni_finish(m, x + LF_X_SCALE, v, scale, acc);
    lf_vnni_minimum(m, x + LF_X_SUM, minimum, acc);
}

/* 256 k. Few rows take the factors from registers, more from memory. */
LF_INLINE void k_super(const int bits, lf_distances distances, const size_t m, const uint32_t *x,
                       const uint8_t *p, __m512 *acc)
{
    const size_t step = bits == 4 ? LF_Q4_QUANTS : LF_Q5K_QUANTS;
    const uint8_t *quants = p + LF_K_HEAD;
    lf_prefetch_panel(distances, p, LF_K_HEAD);
    lf_prefetch_sparse(distances, p);
    if (m <= LF_VNNI_FEW_ROWS) {
        const k_head h = k_load_head(p);
#define BLOCK(b)                                                                                   \
    lf_prefetch_panel(distances, quants + (b)*step, step);                                         \
    k_block(bits, m, x + (b)*LF_X_DWORDS * m, quants + (b)*step, k_factor(&h, b),                  \
            k_factor(&h, (b) + 8), acc);
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
    _Alignas(64) float factors[16][LF_NR];
    k_factors(p, factors);
    for (size_t b = 0; b < 8; b++) {
        lf_prefetch_panel(distances, quants, step);
        k_block(bits, m, x, quants, _mm512_load_ps(factors[b]), _mm512_load_ps(factors[b + 8]),
                acc);
        x += LF_X_DWORDS * m;
        quants += step;
    }
}

LF_INLINE void k_tile(const int bits, const size_t m, size_t n, size_t k, const void *tile,
                      const void *panels, float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 256; s++) {
            k_super(bits, distances, m, x, p, acc);
            x += 8 * LF_X_DWORDS * m;
            p += bits == 4 ? LF_Q4K_SUPER : LF_Q5K_SUPER;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* ---- Q6_K ---- */

/* The scales of 16 k. */
LF_INLINE __m512 q6k_scales(const uint8_t *bytes, __m512 d)
{
    const __m512i s = _mm512_cvtepi8_epi32(_mm_load_si128((const __m128i *)(const void *)bytes));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(s), d);
}

/* Half a block. x: the rows' blocks. */
LF_INLINE void q6k_half(const size_t m, const uint32_t *x, const size_t half, const uint8_t *quants,
                        __m512 scale, __m512 *acc)
{
    __m512i v[12], l[3];
    lf_vnni_lines(m, quants + half * 3 * 64, 3, l);
    lf_vnni_start(m, x + LF_X16_INIT6_LO + half, v);
    for (size_t g = 0; g < 4; g++) {
        lf_vnni_dot(m, x + LF_X_QUANTS + 4 * half + g, LF_X_DWORDS, q6k_quants(l, g), v);
    }
    lf_vnni_finish(m, x + LF_X16_SCALE_LO + 2 * half, v, scale, acc);
}

LF_INLINE void q6k_tile(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                        float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *halves = panels;
    const size_t panel_bytes = lf_panel_bytes_q6k(k);
    for (size_t n0 = 0; n0 < n; n0 += LF_NR, halves += panel_bytes) {
        const uint32_t *x = tile;
        const uint8_t *p = halves + (panel_bytes - k / 256 * LF_Q6K_SUPER);
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 256; s++) {
            const __m512 d = lf_load_f16x16(halves + s * 32);
            const uint8_t *scales = p;
            lf_prefetch_panel(distances, p, LF_K_HEAD);
            lf_prefetch_sparse(distances, p);
            p += LF_K_HEAD;
            for (size_t b = 0; b < 8; b++, scales += 2 * LF_NR) {
                lf_prefetch_panel(distances, p, LF_Q6K_QUANTS);
                q6k_half(m, x, 0, p, q6k_scales(scales, d), acc);
                q6k_half(m, x, 1, p, q6k_scales(scales + LF_NR, d), acc);
                x += LF_X_DWORDS * m;
                p += LF_Q6K_QUANTS;
            }
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* ---- Unpacked panels ----
 *
 * Per 32 k two lines of 16 floats (scale and minimum; for Q6_K the scales of both halves) and 8
 * groups of unsigned bytes, one quant each. */

enum { K_UNPACKED_HEAD = 2 * 64, K_UNPACKED = K_UNPACKED_HEAD + 8 * 64 };

static size_t k_unpacked_bytes(size_t k)
{
    return k / 32 * K_UNPACKED;
}

/* Quants of group g of a block, `bits` wide, unsigned. */
LF_INLINE __m512i k_quants(const int bits, const __m512i *l, const size_t g)
{
    if (bits == 4) {
        return low_bits(g < 4 ? l[g] : _mm512_srli_epi32(l[g - 4], 4), 15);
    }
    return bits == 5 ? q5k_quants(l, g) : q6k_quants(l + g / 4 * 3, g % 4);
}

LF_INLINE void unpack_block(const int bits, const uint8_t *quants, __m512 first, __m512 second,
                            uint8_t *out)
{
    __m512i l[6];
    lf_vnni_lines(1, quants, (size_t)bits, l);
    _mm512_store_ps(out, first);
    _mm512_store_ps(out + 64, second);
    out += K_UNPACKED_HEAD;
    for (size_t g = 0; g < 8; g++) {
        _mm512_store_si512(out + g * 64, k_quants(bits, l, g));
    }
}

LF_INLINE void k_unpack(const int bits, size_t k, const void *panel, void *unpacked)
{
    const size_t step = bits == 4 ? LF_Q4_QUANTS : LF_Q5K_QUANTS;
    const lf_distances distances = lf_prefetch_distances(lf_prefetch_unpacking);
    const uint8_t *p = panel;
    uint8_t *out = unpacked;
    for (size_t s = 0; s < k / 256; s++) {
        _Alignas(64) float factors[16][LF_NR];
        k_factors(p, factors);
        p += LF_K_HEAD;
        for (size_t b = 0; b < 8; b++) {
            lf_prefetch_panel(distances, p, step);
            unpack_block(bits, p, _mm512_load_ps(factors[b]), _mm512_load_ps(factors[b + 8]), out);
            p += step;
            out += K_UNPACKED;
        }
    }
}

static void q4k_unpack(size_t k, const void *panel, void *unpacked)
{
    k_unpack(4, k, panel, unpacked);
}

static void q5k_unpack(size_t k, const void *panel, void *unpacked)
{
    k_unpack(5, k, panel, unpacked);
}

static void q6k_unpack(size_t k, const void *panel, void *unpacked)
{
    const lf_distances distances = lf_prefetch_distances(lf_prefetch_unpacking);
    const uint8_t *halves = panel;
    const uint8_t *p = halves + (lf_panel_bytes_q6k(k) - k / 256 * LF_Q6K_SUPER);
    uint8_t *out = unpacked;
    for (size_t s = 0; s < k / 256; s++) {
        const __m512 d = lf_load_f16x16(halves + s * 32);
        const uint8_t *scales = p;
        p += LF_K_HEAD;
        for (size_t b = 0; b < 8; b++, scales += 2 * LF_NR) {
            lf_prefetch_panel(distances, p, LF_Q6K_QUANTS);
            unpack_block(6, p, q6k_scales(scales, d), q6k_scales(scales + LF_NR, d), out);
            p += LF_Q6K_QUANTS;
            out += K_UNPACKED;
        }
    }
}

LF_INLINE void unpacked_dots(const size_t m, const uint32_t *x, const uint8_t *quants,
                             const size_t first, const size_t end, __m512i *v)
{
    for (size_t g = first; g < end; g++) {
        lf_vnni_dot(m, x + LF_X_QUANTS + g, LF_X_DWORDS, _mm512_load_si512(quants + g * 64), v);
    }
}

LF_INLINE void k_unpacked_tile(const bool halves, const size_t m, size_t n, size_t k,
                               const void *tile, const void *panels, float *c, size_t c_stride,
                               lf_prefetch_policy policy)
{
    (void)policy; /* unpacked panels are in the second level cache */
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t b = 0; b < k / 32; b++, p += K_UNPACKED, x += LF_X_DWORDS * m) {
            const __m512 first = _mm512_load_ps(p), second = _mm512_load_ps(p + 64);
            __m512i v[12];
            if (halves) {
                lf_vnni_start(m, x + LF_X16_INIT6_LO, v);
                unpacked_dots(m, x, p + K_UNPACKED_HEAD, 0, 4, v);
                lf_vnni_finish(m, x + LF_X16_SCALE_LO, v, first, acc);
                lf_vnni_start(m, x + LF_X16_INIT6_HI, v);
                unpacked_dots(m, x, p + K_UNPACKED_HEAD, 4, 8, v);
                lf_vnni_finish(m, x + LF_X16_SCALE_HI, v, second, acc);
            } else {
                k_start(m, v);
                unpacked_dots(m, x, p + K_UNPACKED_HEAD, 0, 8, v);
                lf_vnni_finish(m, x + LF_X_SCALE, v, first, acc);
                lf_vnni_minimum(m, x + LF_X_SUM, second, acc);
            }
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

#define q4k_tile(...) k_tile(4, __VA_ARGS__)
#define q5k_tile(...) k_tile(5, __VA_ARGS__)
LF_GEMM_BY_ROWS(12, q4k_gemm, q4k_tile)
LF_GEMM_BY_ROWS(12, q5k_gemm, q5k_tile)
LF_GEMM_BY_ROWS(12, q6k_gemm, q6k_tile)

/* For many rows only. */
#define unpacked_mins_tile(...)   k_unpacked_tile(false, __VA_ARGS__)
#define unpacked_halves_tile(...) k_unpacked_tile(true, __VA_ARGS__)
LF_GEMM_BY_ROWS(12, unpacked_mins, unpacked_mins_tile)
LF_GEMM_BY_ROWS(12, unpacked_halves, unpacked_halves_tile)

/* `tile_fn` multiplies unpacked panels. */
#define UNPACKED(tag, tile_fn)                                                                     \
    .raw_blocks = true, .unpacked_bytes = k_unpacked_bytes, .unpack = tag##_unpack,                \
    .unpacked_fn = tile_fn

LF_VNNI_ENTRY(i8b32, LF_LHS_I8B32, LF_W_Q4K, q4k, q4k, 256, UNPACKED(q4k, unpacked_mins))
LF_VNNI_ENTRY(i8b32, LF_LHS_I8B32, LF_W_Q5K, q5k, q5k, 256, UNPACKED(q5k, unpacked_mins))
LF_VNNI_ENTRY(i8b16, LF_LHS_I8B16, LF_W_Q6K, q6k, q6k, 256, UNPACKED(q6k, unpacked_halves))
