/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_I8G, LF_W_IQ3S and LF_W_T4 x LF_LHS_I8B32 for AVX-512 VNNI: quant + 128 is the unsigned
 * operand of vpdpbusd; the sums start with -128 * sum of the LHS quants. Panels of IQ3_S and T4
 * become panels of I8G, in registers or once for many tiles. */
#include "kernels/x86/zmm_vnni.h"

LF_INLINE void i8g_block(const size_t m, const uint32_t *x, const uint8_t *quants, __m512 scale,
                         __m512 *acc)
{
    __m512i v[12];
    lf_vnni_start(m, x + LF_X_INIT8, v);
    lf_vnni_dot_bytes(m, x + LF_X_QUANTS, LF_X_DWORDS, quants, v);
    lf_vnni_finish(m, x + LF_X_SCALE, v, scale, acc);
}

LF_INLINE void i8g_tile(const bool has_mins, const size_t m, size_t n, size_t k, const void *tile,
                        const void *panels, float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const size_t head = has_mins ? 128 : 64; /* bytes of the scales and minimums of a block */
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t b = 0; b < k / 32; b++) {
            lf_prefetch_panel(distances, p, head + LF_Q8_QUANTS);
            lf_prefetch_sparse(distances, p);
            i8g_block(m, x, p + head, _mm512_load_ps(p), acc);
            if (has_mins) {
                lf_vnni_minimum(m, x + LF_X_SUM, _mm512_load_ps(p + 64), acc);
            }
            x += LF_X_DWORDS * m;
            p += head + LF_Q8_QUANTS;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

#define i8g_plain_tile(...) i8g_tile(false, __VA_ARGS__)
#define i8g_mins_tile(...)  i8g_tile(true, __VA_ARGS__)
LF_GEMM_BY_ROWS(12, i8g_gemm, i8g_plain_tile)
LF_GEMM_BY_ROWS(12, i8gm_gemm, i8g_mins_tile)

/* ---- LF_W_IQ3S ---- */

/* The codebook, 32 vectors in a register. */
typedef struct codebook {
    __m512i words[16];
} codebook;

LF_INLINE codebook iq3s_codebook(void)
{
    codebook t;
    for (size_t i = 0; i < 16; i++) {
        t.words[i] = _mm512_loadu_si512(lf_iq3s_fields + 32 * i);
    }
    return t;
}

/* 32 vectors by their positions. Eight permutations of 64 words and seven choices among them take
 * two thirds of the time of gathers. */
LF_INLINE __m512i iq3s_vectors(const codebook *t, __m512i at)
{
    const __mmask32 bit6 = _mm512_test_epi16_mask(at, _mm512_set1_epi16(64));
    const __mmask32 bit7 = _mm512_test_epi16_mask(at, _mm512_set1_epi16(128));
    const __mmask32 bit8 = _mm512_test_epi16_mask(at, _mm512_set1_epi16(256));
    __m512i v[8];
#define LOOK(i) v[i] = _mm512_permutex2var_epi16(t->words[2 * (i)], at, t->words[2 * (i) + 1]);
    LOOK(0)
    LOOK(1)
    LOOK(2)
    LOOK(3)
    LOOK(4)
    LOOK(5)
    LOOK(6)
    LOOK(7)
#undef LOOK
    const __m512i low = _mm512_mask_blend_epi16(bit7, _mm512_mask_blend_epi16(bit6, v[0], v[1]),
                                                _mm512_mask_blend_epi16(bit6, v[2], v[3]));
    const __m512i high = _mm512_mask_blend_epi16(bit7, _mm512_mask_blend_epi16(bit6, v[4], v[5]),
                                                 _mm512_mask_blend_epi16(bit6, v[6], v[7]));
    return _mm512_mask_blend_epi16(bit8, low, high);
}

/* Quants + 128 of one group from its vectors: 4 fields of 3 bits become bytes, those 129 to 143;
 * the negative is 256 minus that. */
LF_INLINE __m512i iq3s_quants(__m256i vectors, const uint8_t *signs)
{
    const __m512i values = _mm512_broadcast_i32x4(
        _mm_setr_epi8(-127, -125, -123, -121, -119, -117, -115, -113, 0, 0, 0, 0, 0, 0, 0, 0));
    __m512i w = _mm512_cvtepu16_epi32(vectors);
    w = _mm512_ternarylogic_epi32(w, _mm512_slli_epi32(w, 10), _mm512_set1_epi32(0x003F003F), 0xA8);
    w = _mm512_ternarylogic_epi32(w, _mm512_slli_epi32(w, 5), _mm512_set1_epi32(0x07070707), 0xA8);
    w = _mm512_shuffle_epi8(values, w);
    uint64_t mask;
    memcpy(&mask, signs, sizeof mask);
    return _mm512_mask_sub_epi8(w, mask, _mm512_setzero_si512(), w);
}

/* Quants + 128 of groups g and g + 1 of block b. high: the ninth bits of the block, twice. */
LF_INLINE void iq3s_pair(const codebook *t, const uint8_t *super, size_t b, const size_t g,
                         __m512i high, __m512i w[2])
{
    const size_t group = b * 8 + g;
    const __m512i low = _mm512_cvtepu8_epi16(
        _mm256_loadu_si256((const __m256i *)(const void *)(super + LF_IQ3S_INDEX + group * LF_NR)));
    const __m512i shifts =
        _mm512_inserti64x4(_mm512_set1_epi16((short)(8 - g)), _mm256_set1_epi16((short)(7 - g)), 1);
    const __m512i at = _mm512_ternarylogic_epi32(low, _mm512_sllv_epi16(high, shifts),
                                                 _mm512_set1_epi16(256), 0xF8);
    const __m512i vectors = iq3s_vectors(t, at);
    const uint8_t *signs = super + LF_IQ3S_SIGNS + group * 8;
    w[0] = iq3s_quants(_mm512_castsi512_si256(vectors), signs);
    w[1] = iq3s_quants(_mm512_extracti64x4_epi64(vectors, 1), signs + 8);
}

LF_INLINE __m512i iq3s_high(const uint8_t *super, size_t b)
{
    return _mm512_cvtepu8_epi16(_mm256_broadcastsi128_si256(
        _mm_load_si128((const __m128i *)(const void *)(super + LF_IQ3S_HIGH + b * LF_NR))));
}

/* The scales of block b: (2 * scale + 1) * d. */
LF_INLINE __m512 iq3s_scales(const uint8_t *super, size_t b, __m512 d)
{
    const __m512i all = _mm512_load_si512(super);
    const __m512i scale = _mm512_and_si512(_mm512_srlv_epi32(all, _mm512_set1_epi32((int)(4 * b))),
                                           _mm512_set1_epi32(15));
    const __m512i odd = _mm512_add_epi32(_mm512_add_epi32(scale, scale), _mm512_set1_epi32(1));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(odd), d);
}

/* Where the blocks of 256 k of a panel begin. */
LF_INLINE const uint8_t *iq3s_supers(size_t k, const uint8_t *panel)
{
    return panel + (lf_panel_bytes_iq3s(k) - k / 256 * LF_IQ3S_SUPER);
}

LF_INLINE void iq3s_tile(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                         float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const size_t panel_bytes = lf_panel_bytes_iq3s(k);
    const codebook t = iq3s_codebook();
    const uint8_t *halves = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR, halves += panel_bytes) {
        const uint32_t *x = tile;
        const uint8_t *p = iq3s_supers(k, halves);
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 256; s++, p += LF_IQ3S_SUPER) {
            const __m512 d = lf_load_f16x16(halves + s * 32);
            lf_prefetch_sparse(distances, p);
            for (size_t b = 0; b < 8; b++, x += LF_X_DWORDS * m) {
                const __m512i high = iq3s_high(p, b);
                __m512i v[12], w[2];
                lf_prefetch_panel(distances, p + b * (LF_IQ3S_SUPER / 8), LF_IQ3S_SUPER / 8);
                lf_vnni_start(m, x + LF_X_INIT8, v);
#define DOTS(g)                                                                                    \
    iq3s_pair(&t, p, b, g, high, w);                                                               \
    lf_vnni_dot(m, x + LF_X_QUANTS + (g), LF_X_DWORDS, w[0], v);                                   \
    lf_vnni_dot(m, x + LF_X_QUANTS + (g) + 1, LF_X_DWORDS, w[1], v);
                DOTS(0)
                DOTS(2)
                DOTS(4)
                DOTS(6)
#undef DOTS
                lf_vnni_finish(m, x + LF_X_SCALE, v, iq3s_scales(p, b, d), acc);
            }
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* To a panel of LF_W_I8G. */
static void iq3s_unpack(size_t k, const void *panel, void *unpacked)
{
    const codebook t = iq3s_codebook();
    const uint8_t *p = iq3s_supers(k, panel);
    uint8_t *out = unpacked;
    for (size_t s = 0; s < k / 256; s++, p += LF_IQ3S_SUPER) {
        const __m512 d = lf_load_f16x16((const uint8_t *)panel + s * 32);
        for (size_t b = 0; b < 8; b++, out += 64 + LF_Q8_QUANTS) {
            const __m512i high = iq3s_high(p, b);
            __m512i w[2];
            _mm512_store_ps(out, iq3s_scales(p, b, d));
#define STORE(g)                                                                                   \
    iq3s_pair(&t, p, b, g, high, w);                                                               \
    _mm512_store_si512(out + 64 + (g)*64, w[0]);                                                   \
    _mm512_store_si512(out + 128 + (g)*64, w[1]);
            STORE(0) STORE(2) STORE(4) STORE(6)
#undef STORE
        }
    }
}

LF_GEMM_BY_ROWS(12, iq3s_gemm, iq3s_tile)

/* ---- LF_W_T4 ---- */

LF_INLINE void t4_tile(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                       float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const __m512i table = _mm512_load_si512(p);
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        p += LF_T4_TABLE;
        for (size_t b = 0; b < k / 32; b++, p += LF_T4_BLOCK, x += LF_X_DWORDS * m) {
            __m512i v[12], l[4];
            lf_prefetch_panel(distances, p, LF_T4_BLOCK);
            if (b % 2 == 0) {
                lf_prefetch_sparse(distances, p);
            }
            lf_vnni_lines(m, p + 64, 4, l);
            lf_vnni_start(m, x + LF_X_INIT8, v);
            for (size_t g = 0; g < 8; g++) {
                lf_vnni_dot(m, x + LF_X_QUANTS + g, LF_X_DWORDS, lf_vnni_t4_quants(table, l, g), v);
            }
            lf_vnni_finish(m, x + LF_X_SCALE, v, _mm512_load_ps(p), acc);
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* To a panel of LF_W_I8G. */
static void t4_unpack(size_t k, const void *panel, void *unpacked)
{
    const lf_distances distances = lf_prefetch_distances(lf_prefetch_unpacking);
    const __m512i table = _mm512_load_si512(panel);
    const uint8_t *p = (const uint8_t *)panel + LF_T4_TABLE;
    uint8_t *out = unpacked;
    for (size_t b = 0; b < k / 32; b++, p += LF_T4_BLOCK, out += 64 + LF_Q8_QUANTS) {
        __m512i l[4];
        lf_prefetch_panel(distances, p, LF_T4_BLOCK);
        lf_vnni_lines(1, p + 64, 4, l);
        _mm512_store_ps(out, _mm512_load_ps(p));
        for (size_t g = 0; g < 8; g++) {
            _mm512_store_si512(out + 64 + g * 64, lf_vnni_t4_quants(table, l, g));
        }
    }
}

LF_GEMM_BY_ROWS(12, t4_gemm, t4_tile)

LF_VNNI_ENTRY(i8b32, LF_LHS_I8B32, LF_W_IQ3S, iq3s, iq3s, 256, .raw_blocks = true,
              .unpacked_bytes = lf_panel_bytes_i8g, .unpack = iq3s_unpack, .unpacked_fn = i8g_gemm)
LF_VNNI_ENTRY(i8b32, LF_LHS_I8B32, LF_W_T4, t4, t4, 32, .unpacked_bytes = lf_panel_bytes_i8g,
              .unpack = t4_unpack, .unpacked_fn = i8g_gemm)
LF_VNNI_ENTRY(i8b32, LF_LHS_I8B32, LF_W_I8G, i8g, i8g, 32, .mins = false)
LF_VNNI_ENTRY(i8b32, LF_LHS_I8B32, LF_W_I8G, i8gm, i8g, 32, .mins = true)
