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
