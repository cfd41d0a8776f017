/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the 256-bit kernel of LF_W_Q4 x LF_A_I8B32; see ymm.h and ymm_dot.h. */
#ifndef LF_KERNELS_X86_GEMM_Q4_YMM_H
#define LF_KERNELS_X86_GEMM_Q4_YMM_H

#include "kernels/x86/ymm_dot.h"

/* One block of 32 k; halves: the 16 f16 scales. */
LF_INLINE void q4_block(const size_t m, const uint32_t *x, const uint8_t *codes,
                        const uint8_t *halves, float (*acc)[LF_NR])
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i v[2 * LF_YMM_MR];
    lf_ymm_start(m, x + LF_X_INIT4, v);
    for (size_t g = 0; g < 4; g++) {
        const __m256i w0 = lf_load_ymm(codes + g * 64), w1 = lf_load_ymm(codes + g * 64 + 32);
        lf_ymm_dot(m, x + LF_X_CODES + g, _mm256_and_si256(w0, low), _mm256_and_si256(w1, low), v);
        lf_ymm_dot(m, x + LF_X_CODES + 4 + g, _mm256_and_si256(_mm256_srli_epi16(w0, 4), low),
                   _mm256_and_si256(_mm256_srli_epi16(w1, 4), low), v);
    }
    lf_ymm_finish(m, x + LF_X_SCALE, x + LF_X_INIT4, v, lf_load_half8(halves),
                  lf_load_half8(halves + 16), acc);
}

LF_INLINE void q4_run(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                      float *c, size_t c_stride)
{
    const uint8_t *super = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        _Alignas(32) float acc[LF_YMM_MR][LF_NR] = {{0}};
        for (size_t s = 0; s < k / 64; s++) {
            lf_prefetch(m, super, LF_Q4_SUPER);
            q4_block(m, x, super + 64, super, acc);
            x += LF_X_DWORDS * m;
            q4_block(m, x, super + 64 + LF_Q4_CODES, super + 32, acc);
            x += LF_X_DWORDS * m;
            super += LF_Q4_SUPER;
        }
        if (k % 64 != 0) {
            q4_block(m, x, super + 64, super, acc);
            super += 64 + LF_Q4_CODES;
        }
        lf_ymm_store(m, acc, n - n0, c + n0, c_stride);
    }
}

LF_GEMM_ROWS(LF_YMM_MR, q4_gemm, q4_run)

#endif /* LF_KERNELS_X86_GEMM_Q4_YMM_H */
