/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that the AVX-512 VNNI kernels share. */
#ifndef LF_KERNELS_X86_ZMM_VNNI_H
#define LF_KERNELS_X86_ZMM_VNNI_H

#include "kernels/lhs_layout.h"
#include "kernels/panel_layout.h"
#include "kernels/tables.h"
#include "kernels/vector/prefetch.h"

#include <immintrin.h>

enum { LF_VNNI_MR = 12 }; /* rows of a full tile */

/* With up to this many rows, loads limit a kernel: lines of quants and factors then stay in
 * registers. */
enum { LF_VNNI_FEW_ROWS = 4 };

/* In the functions below, x points to a dword of the first row's block; the blocks of the other
 * rows follow at equal distances. */

/* v[i] = the dword of row i in all lanes. */
LF_INLINE void lf_vnni_start(const size_t m, const uint32_t *x, __m512i *v)
{
#define F(i) v[i] = _mm512_set1_epi32((int32_t)x[(i)*LF_X_DWORDS]);
    LF_EACH_ROW(m, F)
#undef F
}

/* v[i] += 4 k of 16 columns. w: unsigned bytes; x: the rows' 4 signed quants, `stride` dwords
 * apart. In assembly because gcc has no intrinsic for a broadcast memory operand of this
 * instruction and loads each into a register first, which is slower. */
LF_INLINE void lf_vnni_dot(const size_t m, const uint32_t *x, const size_t stride, __m512i w,
                           __m512i *v)
{
#define F(i) __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(v[i]) : "v"(w), "m"(x[(i) * (stride)]));
    LF_EACH_ROW(m, F)
#undef F
}

/* v[i] += a block of unsigned bytes times 8 dwords of quants from x on. */
LF_INLINE void lf_vnni_dot_bytes(const size_t m, const uint32_t *x, const size_t stride,
                                 const uint8_t *quants, __m512i *v)
{
    for (size_t g = 0; g < 8; g++) {
        lf_vnni_dot(m, x + g, stride, _mm512_load_si512(quants + g * 64), v);
    }
}

/* A line of quants that several instructions use. In assembly because gcc otherwise loads it again
 * for each of them. */
LF_INLINE __m512i lf_vnni_line(const size_t m, const uint8_t *line)
{
    __m512i v = _mm512_load_si512(line);
    if (m <= LF_VNNI_FEW_ROWS) {
        __asm__("" : "+v"(v));
    }
    return v;
}

LF_INLINE void lf_vnni_lines(const size_t m, const uint8_t *quants, const size_t n, __m512i *l)
{
    for (size_t i = 0; i < n; i++) {
        l[i] = lf_vnni_line(m, quants + i * 64);
    }
}

/* v[i] += a block of nibbles times 8 dwords of quants from x on. For one row, high nibbles are
 * multiplied where they are, and their sum is shifted instead. */
LF_INLINE void lf_vnni_dot_nibbles(const size_t m, const uint32_t *x, const uint8_t *quants,
                                   __m512i *v)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i high = _mm512_setzero_si512();
    for (size_t g = 0; g < 4; g++) {
        const __m512i w = lf_vnni_line(m, quants + g * 64);
        lf_vnni_dot(m, x + g, LF_X_DWORDS, _mm512_and_si512(w, low), v);
        if (m == 1) {
            lf_vnni_dot(1, x + 4 + g, LF_X_DWORDS, _mm512_andnot_si512(low, w), &high);
        } else {
            lf_vnni_dot(m, x + 4 + g, LF_X_DWORDS, _mm512_and_si512(_mm512_srli_epi32(w, 4), low),
                        v);
        }
    }
    if (m == 1) {
        v[0] = _mm512_add_epi32(v[0], _mm512_srai_epi32(high, 4));
    }
}

/* Quants of group g of a block of LF_W_T4 or LF_W_T4G16. l: its four lines; table: their bytes. */
LF_INLINE __m512i lf_vnni_t4_quants(__m512i table, const __m512i l[4], const size_t g)
{
    const __m512i w = g < 4 ? l[g] : _mm512_srli_epi32(l[g - 4], 4);
    return _mm512_shuffle_epi8(table, _mm512_and_si512(w, _mm512_set1_epi8(15)));
}

/* acc[i] = fma(isum * LHS scale, weight scale, acc[i]). x: the LHS scales, each followed by its
 * bias. */
LF_INLINE void lf_vnni_finish(const size_t m, const uint32_t *x, const __m512i *v, __m512 scale,
                              __m512 *acc)
{
    const float *xs = (const float *)(const void *)x;
    const float *xb = (const float *)(const void *)(x + 1);
#define F(i)                                                                                       \
    acc[i] = _mm512_fmadd_ps(_mm512_fmadd_ps(_mm512_castsi512_ps(v[i]),                            \
                                             _mm512_set1_ps(xs[(i)*LF_X_DWORDS]),                  \
                                             _mm512_set1_ps(xb[(i)*LF_X_DWORDS])),                 \
                             scale, acc[i]);
    LF_EACH_ROW(m, F)
#undef F
}

/* acc[i] = fma(-(sum of the LHS quants * LHS scale), minimum, acc[i]). x: these sums. */
LF_INLINE void lf_vnni_minimum(const size_t m, const uint32_t *x, __m512 minimum, __m512 *acc)
{
    const float *sum = (const float *)(const void *)x;
#define F(i) acc[i] = _mm512_fnmadd_ps(_mm512_set1_ps(sum[(i)*LF_X_DWORDS]), minimum, acc[i]);
    LF_EACH_ROW(m, F)
#undef F
}

/* acc[i] = fma(-32 * sum of the LHS quants * LHS scale, minimum / 32, acc[i]). init: LF_MAGIC_BITS
 * - 32 * sum; x: the LHS scales, each followed by its bias. */
LF_INLINE void lf_vnni_minimum16(const size_t m, const uint32_t *init, const uint32_t *x,
                                 __m512 mins, __m512 *acc)
{
    const float *sum = (const float *)(const void *)init;
    const float *xs = (const float *)(const void *)x;
    const float *xb = (const float *)(const void *)(x + 1);
#define F(i)                                                                                       \
    acc[i] = _mm512_fmadd_ps(_mm512_fmadd_ps(_mm512_set1_ps(sum[(i)*LF_X_DWORDS]),                 \
                                             _mm512_set1_ps(xs[(i)*LF_X_DWORDS]),                  \
                                             _mm512_set1_ps(xb[(i)*LF_X_DWORDS])),                 \
                             mins, acc[i]);
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void lf_vnni_clear(const size_t m, __m512 *acc)
{
#define F(i) acc[i] = _mm512_setzero_ps();
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void lf_vnni_store(const size_t m, const __m512 *acc, size_t columns, float *c,
                             size_t c_stride)
{
    __mmask16 mask = (__mmask16)(columns < 16 ? (1u << columns) - 1u : 0xFFFFu);
#define F(i) _mm512_mask_storeu_ps(c + i * c_stride, mask, acc[i]);
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE __m512 lf_load_f16x16(const void *p)
{
    return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)p));
}

/* ---- Lines of 6-bit factors: Q3_K, Q4_K, Q5_K ---- */

/* The lines of 256 k, and each shifted so that its fields 3 and 4 are where fields 0 and 1 were. */
typedef struct lf_vnni_factors {
    __m512i lines[3], shifted[3];
} lf_vnni_factors;

LF_INLINE lf_vnni_factors lf_vnni_load_factors(const uint8_t *lines)
{
    lf_vnni_factors f;
    for (size_t i = 0; i < 3; i++) {
        f.lines[i] = lf_vnni_line(1, lines + i * 64);
        f.shifted[i] = _mm512_srli_epi32(f.lines[i], 18);
    }
    return f;
}

/* Six bits of v from bit 6 * at on, at < 3, minus `zero`, as a float. They become bits of the
 * mantissa of a power of two, which is subtracted. */
LF_INLINE __m512 lf_vnni_six_bits(__m512i v, const size_t at, const float zero)
{
    const float one = (float)(1 << (23 - 6 * at));
    const __m512i bits = _mm512_castps_si512(_mm512_set1_ps(one));
    const __m512i mask = _mm512_set1_epi32(63 << 6 * at);
    return _mm512_sub_ps(_mm512_castsi512_ps(_mm512_ternarylogic_epi32(v, mask, bits, 0xEA)),
                         _mm512_set1_ps(one + zero));
}

/* Factor i, a constant, minus `zero`. */
LF_INLINE __m512 lf_vnni_factor(const lf_vnni_factors *f, const size_t i, const float zero)
{
    if (i < 15) {
        return lf_vnni_six_bits(i % 5 < 3 ? f->lines[i / 5] : f->shifted[i / 5], i % 5 % 3, zero);
    }
    /* Bits 12 and 13 of the shifted lines. */
    const __m512i two = _mm512_ternarylogic_epi32(_mm512_set1_epi32(3 << 12), f->shifted[0],
                                                  _mm512_slli_epi32(f->shifted[1], 2), 0xCA);
    return lf_vnni_six_bits(_mm512_ternarylogic_epi32(_mm512_set1_epi32(15 << 12), two,
                                                      _mm512_slli_epi32(f->shifted[2], 4), 0xCA),
                            2, zero);
}

/* F(i) for each of 16 factors. */
#define LF_VNNI_EACH_FACTOR(F)                                                                     \
    F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)

/* Defines an entry of tables.h; `...`: more fields. */
#define LF_VNNI_ENTRY(in, in_format, format, tag, packer, multiple, ...)                           \
    const lf_gemm lf_gemm_##tag##_avx512vnni = {.name =                                            \
                                                    #in "_f32_" #tag "_gemm_12x16c4__avx512vnni",  \
                                                .isa = "avx512vnni",                               \
                                                .provider = LF_PROVIDER_LFM2,                      \
                                                .needs = LF_CPU_AVX512VNNI,                        \
                                                .weights = format,                                 \
                                                .lhs = in_format,                                  \
                                                .mr = LF_VNNI_MR,                                  \
                                                .nr = LF_NR,                                       \
                                                .k_multiple = multiple,                            \
                                                .exact = true,                                     \
                                                .panel_bytes = lf_panel_bytes_##tag,               \
                                                .pack = lf_pack_##packer,                          \
                                                .fn = tag##_gemm,                                  \
                                                __VA_ARGS__};

#endif /* LF_KERNELS_X86_ZMM_VNNI_H */
