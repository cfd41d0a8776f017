/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q4K and LF_W_Q5K x LF_LHS_I8B32, LF_W_Q6K x LF_LHS_I8B16 for AVX-512 VNNI: the factors of
 * 256 k become floats once for all rows; the bits of quants are joined in registers. */
#include "kernels/x86/zmm_vnni.h"

/* v << n, or v >> -n. The caller masks away the bits that cross a byte. */
LF_INLINE __m512i shift(__m512i v, const int n)
{
    return n > 0 ? _mm512_slli_epi32(v, (unsigned)n)
                 : (n < 0 ? _mm512_srli_epi32(v, (unsigned)-n) : v);
}

/* (nibbles & 15) | (upper & mask) */
LF_INLINE __m512i join(__m512i nibbles, __m512i upper, char mask)
{
    return _mm512_ternarylogic_epi32(nibbles, _mm512_set1_epi8(15),
                                     _mm512_and_si512(upper, _mm512_set1_epi8(mask)), 0xEA);
}

/* Quants of group g of a block, `bits` wide, unsigned. */
LF_INLINE __m512i k_quants(const int bits, const uint8_t *quants, const size_t g)
{
    const __m512i nibbles = shift(_mm512_load_si512(quants + g % 4 * 64), g < 4 ? 0 : -4);
    if (bits == 4) {
        return _mm512_and_si512(nibbles, _mm512_set1_epi8(15));
    }
    if (bits == 5) {
        return join(nibbles, shift(_mm512_load_si512(quants + LF_Q4_QUANTS), 4 - (int)g), 16);
    }
    return join(nibbles,
                shift(_mm512_load_si512(quants + LF_Q4_QUANTS + g / 4 * 64), 4 - 2 * (int)(g % 4)),
                48);
}

/* Group g of a block. x: the rows' blocks. Calls are written out: shifts must be constants. */
LF_INLINE void k_dot(const int bits, const size_t m, const uint32_t *x, const uint8_t *quants,
                     const size_t g, __m512i *v)
{
    lf_vnni_dot(m, x + LF_X_QUANTS + g, LF_X_DWORDS, k_quants(bits, quants, g), v);
}

/* ---- Q4_K, Q5_K ---- */

/* Scales of the eight blocks of 256 k, then their minimums. */
LF_INLINE void k_factors(const uint8_t *super, float (*out)[LF_NR])
{
    const __m512i low = _mm512_set1_epi32(63);
    const __m512 d = lf_load_f16x16(super), dmin = lf_load_f16x16(super + 32);
    __m512i top = _mm512_setzero_si512();
    for (size_t line = 0; line < 3; line++) {
        __m512i dwords = _mm512_load_si512(super + 64 + line * 64);
        top = _mm512_or_si512(top, _mm512_sllv_epi32(_mm512_srli_epi32(dwords, 30),
                                                     _mm512_set1_epi32(2 * (int)line)));
        for (size_t i = line * 5; i < line * 5 + 5; i++) {
            const __m512 f = _mm512_cvtepi32_ps(_mm512_and_si512(dwords, low));
            _mm512_store_ps(out[i], _mm512_mul_ps(f, i < 8 ? d : dmin));
            dwords = _mm512_srli_epi32(dwords, 6);
        }
    }
    _mm512_store_ps(out[15], _mm512_mul_ps(_mm512_cvtepi32_ps(top), dmin));
}

LF_INLINE void k_start(const size_t m, __m512i *v)
{
#define F(i) v[i] = _mm512_set1_epi32(LF_MAGIC_BITS);
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void k_tile(const int bits, const size_t m, size_t n, size_t k, const void *tile,
                      const void *panels, float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const size_t step = bits == 4 ? LF_Q4_QUANTS : LF_Q5K_QUANTS;
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 256; s++) {
            _Alignas(64) float factors[16][LF_NR];
            lf_prefetch_panel(distances, p, LF_K_HEAD);
            lf_prefetch_sparse(distances, p);
            k_factors(p, factors);
            p += LF_K_HEAD;
            for (size_t b = 0; b < 8; b++) {
                __m512i v[12];
                lf_prefetch_panel(distances, p, step);
                k_start(m, v);
                k_dot(bits, m, x, p, 0, v);
                k_dot(bits, m, x, p, 1, v);
                k_dot(bits, m, x, p, 2, v);
                k_dot(bits, m, x, p, 3, v);
                k_dot(bits, m, x, p, 4, v);
                k_dot(bits, m, x, p, 5, v);
                k_dot(bits, m, x, p, 6, v);
                k_dot(bits, m, x, p, 7, v);
                lf_vnni_finish(m, x + LF_X_SCALE, v, _mm512_load_ps(factors[b]), acc);
                lf_vnni_minimum(m, x + LF_X_SUM, _mm512_load_ps(factors[b + 8]), acc);
                x += LF_X_DWORDS * m;
                p += step;
            }
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* ---- Q6_K ---- */

LF_INLINE void q6k_scales(const uint8_t *super, __m512 d, float (*out)[LF_NR])
{
    for (size_t i = 0; i < 16; i++) {
        const __m512i s =
            _mm512_cvtepi8_epi32(_mm_load_si128((const __m128i *)(super + i * LF_NR)));
        _mm512_store_ps(out[i], _mm512_mul_ps(_mm512_cvtepi32_ps(s), d));
    }
}

/* Half a block: groups g .. g + 3. x: the rows' blocks; init and xs: the dwords with the start of
 * the sums and with the scale. */
LF_INLINE void q6k_half(const size_t m, const uint32_t *x, const size_t init, const size_t xs,
                        const uint8_t *quants, const size_t g, const float *scale, __m512 *acc)
{
    __m512i v[12];
    lf_vnni_start(m, x + init, v);
    k_dot(6, m, x, quants, g, v);
    k_dot(6, m, x, quants, g + 1, v);
    k_dot(6, m, x, quants, g + 2, v);
    k_dot(6, m, x, quants, g + 3, v);
    lf_vnni_finish(m, x + xs, v, _mm512_load_ps(scale), acc);
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
            _Alignas(64) float scales[16][LF_NR];
            lf_prefetch_panel(distances, p, LF_K_HEAD);
            lf_prefetch_sparse(distances, p);
            q6k_scales(p, lf_load_f16x16(halves + s * 32), scales);
            p += LF_K_HEAD;
            for (size_t b = 0; b < 8; b++) {
                lf_prefetch_panel(distances, p, LF_Q6K_QUANTS);
                q6k_half(m, x, LF_X16_INIT6_LO, LF_X16_SCALE_LO, p, 0, scales[2 * b], acc);
                q6k_half(m, x, LF_X16_INIT6_HI, LF_X16_SCALE_HI, p, 4, scales[2 * b + 1], acc);
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

LF_INLINE void unpack_block(const int bits, const uint8_t *quants, const float *first,
                            const float *second, uint8_t *out)
{
    _mm512_store_ps(out, _mm512_load_ps(first));
    _mm512_store_ps(out + 64, _mm512_load_ps(second));
    out += K_UNPACKED_HEAD;
    _mm512_store_si512(out, k_quants(bits, quants, 0));
    _mm512_store_si512(out + 64, k_quants(bits, quants, 1));
    _mm512_store_si512(out + 128, k_quants(bits, quants, 2));
    _mm512_store_si512(out + 192, k_quants(bits, quants, 3));
    _mm512_store_si512(out + 256, k_quants(bits, quants, 4));
    _mm512_store_si512(out + 320, k_quants(bits, quants, 5));
    _mm512_store_si512(out + 384, k_quants(bits, quants, 6));
    _mm512_store_si512(out + 448, k_quants(bits, quants, 7));
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
            unpack_block(bits, p, factors[b], factors[b + 8], out);
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
        _Alignas(64) float scales[16][LF_NR];
        q6k_scales(p, lf_load_f16x16(halves + s * 32), scales);
        p += LF_K_HEAD;
        for (size_t b = 0; b < 8; b++) {
            lf_prefetch_panel(distances, p, LF_Q6K_QUANTS);
            unpack_block(6, p, scales[2 * b], scales[2 * b + 1], out);
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
