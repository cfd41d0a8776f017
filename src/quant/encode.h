/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: the encoders outside encode.c. `blocks` counts super-blocks, of IQ4_NL
 * blocks of 32. `importance`: one weight for each value, or NULL. */
#ifndef LF_QUANT_ENCODE_H
#define LF_QUANT_ENCODE_H

#include <stddef.h>
#include <stdint.h>

void lf_encode_q4_k(const float *src, const float *importance, uint8_t *dst, size_t blocks);
void lf_encode_q5_k(const float *src, const float *importance, uint8_t *dst, size_t blocks);
void lf_encode_q6_k(const float *src, const float *importance, uint8_t *dst, size_t blocks);
void lf_encode_q2_k(const float *src, const float *importance, uint8_t *dst, size_t blocks);
void lf_encode_q3_k(const float *src, const float *importance, uint8_t *dst, size_t blocks);
void lf_encode_iq4_nl(const float *src, const float *importance, uint8_t *dst, size_t blocks);
void lf_encode_iq4_xs(const float *src, const float *importance, uint8_t *dst, size_t blocks);

/* A row of n values with an importance matrix. */
void lf_encode_weighted_q4_0(const float *src, const float *importance, uint8_t *dst, size_t n);
void lf_encode_weighted_q4_1(const float *src, const float *importance, uint8_t *dst, size_t n);
void lf_encode_weighted_q5_0(const float *src, const float *importance, uint8_t *dst, size_t n);
void lf_encode_weighted_q5_1(const float *src, const float *importance, uint8_t *dst, size_t n);

/* 32 quants 0..15: byte j holds its elements j and j + 16. */
void lf_pack_nibbles(const uint8_t *quants, uint8_t *dst);

/* 32 quants 0..31: at dst the fifth bits in the order of the elements, at dst + 4 the nibbles. */
void lf_pack_q5(const uint8_t *quants, uint8_t *dst);

/* Q2_K and Q3_K: 256 quants 0..3 into 64 bytes. Each half of the block fills 32 bytes; byte j holds
 * its elements j, j + 32, j + 64 and j + 96. */
void lf_pack_two_bits(const uint8_t *quants, uint8_t *dst);

#endif /* LF_QUANT_ENCODE_H */
