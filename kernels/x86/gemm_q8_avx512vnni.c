/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LF_W_Q8 x LF_LHS_I8X2B32 and LF_W_I8G x LF_LHS_I8B32 for AVX-512 VNNI: quants + 128 are the
 * unsigned operand of vpdpbusd, -128 * sum of the activation quants is added. */
#include "kernels/x86/vnni512.h"

/* v[i] += a block of weights times 8 dwords of quants from x on, of each row `stride` further. */
LF_INLINE void q8_dot(const size_t m, const uint32_t *x, const size_t stride, const uint8_t *quants,
                      __m512i *v)
{
    for (size_t g = 0; g < 8; g++) {
        lf_vnni_dot(m, x + g, stride, _mm512_load_si512(quants + g * 64), v);
    }
}

/* ---- LF_W_Q8 -----------------------------------------------------------------------------------
 */

/* The upper plane's sums, times 256, go on with the lower plane. */
LF_INLINE void q8_planes(const size_t m, const uint32_t *x, const uint8_t *quants, __m512 scale,
                         __m512 *acc)
{
    __m512i v[12];
#define F(i) v[i] = _mm512_setzero_si512();
    LF_EACH_ROW(m, F)
#undef F
    q8_dot(m, x + LF_X2_QUANTS, LF_X2_DWORDS, quants, v);
#define F(i)                                                                                       \
    v[i] = _mm512_add_epi32(_mm512_slli_epi32(v[i], 8),                                            \
                            _mm512_set1_epi32((int32_t)x[(i)*LF_X2_DWORDS + LF_X2_INIT]));
    LF_EACH_ROW(m, F)
#undef F
    q8_dot(m, x + LF_X2_QUANTS + 8, LF_X2_DWORDS, quants, v);
#define F(i)                                                                                       \
    acc[i] = _mm512_fmadd_ps(                                                                      \
        _mm512_mul_ps(_mm512_cvtepi32_ps(v[i]),                                                    \
                      _mm512_set1_ps(lf_load_f32(x + (i)*LF_X2_DWORDS + LF_X2_SCALE))),            \
        scale, acc[i]);
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void q8_run(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                      float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const lf_ahead ahead = lf_ahead_of(policy, m, LF_VNNI_SWIFT);
    const uint8_t *super = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 64; s++) {
            lf_prefetch(ahead, super, LF_Q8_SUPER);
            lf_prefetch_one(ahead, super);
            q8_planes(m, x, super + 64, lf_load_half16(super), acc);
            x += LF_X2_DWORDS * m;
            q8_planes(m, x, super + 64 + LF_Q8_QUANTS, lf_load_half16(super + 32), acc);
            x += LF_X2_DWORDS * m;
            super += LF_Q8_SUPER;
        }
        if (k % 64 != 0) {
            q8_planes(m, x, super + 64, lf_load_half16(super), acc);
            super += 64 + LF_Q8_QUANTS;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

LF_GEMM_ROWS(12, q8_gemm, q8_run)

/* ---- LF_W_I8G ----------------------------------------------------------------------------------
 */

LF_INLINE void i8g_block(const size_t m, const uint32_t *x, const uint8_t *quants, __m512 scale,
                         __m512 *acc)
{
    __m512i v[12];
    lf_vnni_start(m, x + LF_X_INIT8, v);
    q8_dot(m, x + LF_X_QUANTS, LF_X_DWORDS, quants, v);
    lf_vnni_finish(m, x + LF_X_SCALE, v, scale, acc);
}

LF_INLINE void i8g_run(const bool has_mins, const size_t m, size_t n, size_t k, const void *tile,
                       const void *panels, float *c, size_t c_stride, lf_prefetch_policy policy)
{
    const size_t head = has_mins ? 128 : 64; /* bytes of the scales and minimums of a block */
    const lf_ahead ahead = lf_ahead_of(policy, m, LF_VNNI_SWIFT);
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t b = 0; b < k / 32; b++) {
            lf_prefetch(ahead, p, head + LF_Q8_QUANTS);
            lf_prefetch_one(ahead, p);
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

#define i8g_plain(...) i8g_run(false, __VA_ARGS__)
#define i8g_mins(...)  i8g_run(true, __VA_ARGS__)
LF_GEMM_ROWS(12, i8g_gemm, i8g_plain)
LF_GEMM_ROWS(12, i8gm_gemm, i8g_mins)

/* ---- Rows of the table -------------------------------------------------------------------------
 */

#define ROW(in, in_format, format, tag, has_mins, packer)                                          \
    {                                                                                              \
        .name = #in "_f32_" #tag "_gemm_12x16c4__avx512vnni", .isa = "avx512vnni",                 \
        .by = LF_BY_LFM2, .needs = LF_CPU_AVX512VNNI, .weights = format, .lhs = in_format,         \
        .mins = has_mins, .mr = 12, .nr = LF_NR, .k_multiple = 32, .exact = true,                  \
        .panel_bytes = lf_panel_bytes_##tag, .pack = packer, .raw_blocks = format == LF_W_Q8,      \
        .fn = tag##_gemm                                                                           \
    }

const lf_gemm lf_gemms_q8_avx512vnni[LF_GEMMS_Q8] = {
    ROW(i8x2b32, LF_LHS_I8X2B32, LF_W_Q8, q8, false, lf_pack_q8),
    ROW(i8b32, LF_LHS_I8B32, LF_W_I8G, i8g, false, lf_pack_i8g),
    ROW(i8b32, LF_LHS_I8B32, LF_W_I8G, i8gm, true, lf_pack_i8g),
};
