/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LF_W_Q8 x LF_A_I8X2B32 and LF_W_I8G x LF_A_I8B32 for AVX-512 VNNI: codes + 128 are the
 * unsigned operand of vpdpbusd, the sums start at -128 * sum of the activation codes. */
#include "kernels/x86/vnni512.h"

enum { AHEAD = 4608 }; /* bytes; prefetch distance within the stream of panels */

/* v[i] += groups of 4 k first .. first + n - 1 of a block. */
LF_INLINE void q8_dot(const size_t m, const uint32_t *x, const uint8_t *codes, size_t first,
                      size_t n, __m512i *v)
{
    for (size_t g = first; g < first + n; g++) {
        lf_vnni_dot(m, x + (LF_X_CODES + g) * m, _mm512_load_si512(codes + g * 64), v);
    }
}

LF_INLINE void prefetch(const uint8_t *p, size_t bytes)
{
    for (size_t line = 0; line < bytes; line += 64) {
        _mm_prefetch((const char *)p + AHEAD + line, _MM_HINT_T0);
    }
}

/* ---- LF_W_Q8 -----------------------------------------------------------------------------------
 */

LF_INLINE void q8_block(const size_t m, const uint32_t *x, const uint8_t *codes, __m512 scale,
                        __m512 *acc)
{
    __m512i v[12];
    lf_vnni_start(m, x + LF_X_INIT8 * m, v);
    q8_dot(m, x, codes, 0, 8, v);
    lf_vnni_finish(m, x, v, scale, acc);
}

/* The same block of weights times both activation blocks of LF_A_I8X2B32. */
LF_INLINE void q8_pair(const size_t m, const uint32_t *x, const uint8_t *codes, __m512 scale,
                       __m512 *acc)
{
    q8_block(m, x, codes, scale, acc);
    q8_block(m, x + LF_X_DWORDS * m, codes, scale, acc);
}

LF_INLINE void q8_run(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                      float *c, size_t c_stride)
{
    const uint8_t *super = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t s = 0; s < k / 64; s++) {
            prefetch(super, LF_Q8_SUPER);
            q8_pair(m, x, super + 64, lf_load_half16(super), acc);
            x += 2 * LF_X_DWORDS * m;
            q8_pair(m, x, super + 64 + LF_Q8_CODES, lf_load_half16(super + 32), acc);
            x += 2 * LF_X_DWORDS * m;
            super += LF_Q8_SUPER;
        }
        if (k % 64 != 0) {
            q8_pair(m, x, super + 64, lf_load_half16(super), acc);
            super += 64 + LF_Q8_CODES;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

LF_GEMM_ROWS(12, q8_gemm, q8_run)

/* ---- LF_W_I8G ----------------------------------------------------------------------------------
 */

/* Where the sums of a group of weights start: of a whole block, of its first or second half. The
 * last is INIT8 - INIT8_LO + LF_MAGIC_BITS, so that all sums end as LF_MAGIC_BITS + sum. */
enum { WHOLE, FIRST, SECOND };

LF_INLINE void start_group(const int part, const size_t m, const uint32_t *x, __m512i *v)
{
    if (part == SECOND) {
        const __m512i magic = _mm512_set1_epi32(LF_MAGIC_BITS);
        const uint32_t *whole = x + LF_X_INIT8 * m;
        const uint32_t *low = x + LF_X_INIT8_LO * m;
#define F(i)                                                                                       \
    v[i] = _mm512_add_epi32(_mm512_sub_epi32(_mm512_set1_epi32((int32_t)whole[i]),                 \
                                             _mm512_set1_epi32((int32_t)low[i])),                  \
                            magic);
        LF_EACH_ROW(m, F)
#undef F
    } else {
        lf_vnni_start(m, x + (part == FIRST ? LF_X_INIT8_LO : LF_X_INIT8) * m, v);
    }
}

LF_INLINE void i8g_group(const int part, const size_t m, const uint32_t *x, const uint8_t *codes,
                         const uint8_t *scales, const uint8_t *mins, __m512 *acc)
{
    __m512i v[12];
    start_group(part, m, x, v);
    q8_dot(m, x, codes, part == SECOND ? 4 : 0, part == WHOLE ? 8 : 4, v);
    lf_vnni_finish(m, x, v, _mm512_load_ps(scales), acc);
    if (mins != NULL) {
        start_group(part, m, x, v); /* -128 * sum of the activation codes */
        lf_vnni_finish(m, x, v, _mm512_load_ps(mins), acc);
    }
}

LF_INLINE void i8g_run(const size_t group, const bool has_mins, const size_t m, size_t n, size_t k,
                       const void *tile, const void *panels, float *c, size_t c_stride)
{
    const size_t floats =
        32 / group * 64; /* bytes of the scales, and of the minimums, of a block */
    const size_t head = has_mins ? 2 * floats : floats;
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        __m512 acc[12];
        lf_vnni_clear(m, acc);
        for (size_t b = 0; b < k / 32; b++) {
            prefetch(p, head + LF_Q8_CODES);
            const uint8_t *mins = has_mins ? p + floats : NULL;
            if (group == 32) {
                i8g_group(WHOLE, m, x, p + head, p, mins, acc);
            } else {
                i8g_group(FIRST, m, x, p + head, p, mins, acc);
                i8g_group(SECOND, m, x, p + head, p + 64, has_mins ? mins + 64 : NULL, acc);
            }
            x += LF_X_DWORDS * m;
            p += head + LF_Q8_CODES;
        }
        lf_vnni_store(m, acc, n - n0, c + n0, c_stride);
    }
}

#define i8g16_run(...)  i8g_run(16, false, __VA_ARGS__)
#define i8g16m_run(...) i8g_run(16, true, __VA_ARGS__)
#define i8g32_run(...)  i8g_run(32, false, __VA_ARGS__)
#define i8g32m_run(...) i8g_run(32, true, __VA_ARGS__)
LF_GEMM_ROWS(12, i8g16_gemm, i8g16_run)
LF_GEMM_ROWS(12, i8g16m_gemm, i8g16m_run)
LF_GEMM_ROWS(12, i8g32_gemm, i8g32_run)
LF_GEMM_ROWS(12, i8g32m_gemm, i8g32m_run)

/* ---- Rows of the table -------------------------------------------------------------------------
 */

#define ROW(in, in_format, format, tag, size, has_mins, packer)                                    \
    {                                                                                              \
        .name = #in "_f32_" #tag "_gemm_12x16c4__avx512vnni", .isa = "avx512vnni",                 \
        .by = LF_BY_LFM2, .needs = LF_CPU_AVX512VNNI, .weights = format, .acts = in_format,        \
        .group = size, .mins = has_mins, .mr = 12, .nr = LF_NR, .k_multiple = 32, .exact = true,   \
        .panel_bytes = lf_panel_bytes_##tag, .pack = packer, .stored = format == LF_W_Q8,          \
        .fn = tag##_gemm                                                                           \
    }

const lf_gemm lf_gemms_q8_avx512vnni[LF_GEMMS_Q8] = {
    ROW(i8x2b32, LF_A_I8X2B32, LF_W_Q8, q8, 0, false, lf_pack_q8),
    ROW(i8b32, LF_A_I8B32, LF_W_I8G, i8g16, 16, false, lf_pack_i8g),
    ROW(i8b32, LF_A_I8B32, LF_W_I8G, i8g16m, 16, true, lf_pack_i8g),
    ROW(i8b32, LF_A_I8B32, LF_W_I8G, i8g32, 32, false, lf_pack_i8g),
    ROW(i8b32, LF_A_I8B32, LF_W_I8G, i8g32m, 32, true, lf_pack_i8g),
};
