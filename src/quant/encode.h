/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: the encoders of the K formats. `blocks` counts super-blocks. */
#ifndef LF_QUANT_ENCODE_H
#define LF_QUANT_ENCODE_H

#include <stddef.h>
#include <stdint.h>

void lf_encode_q4_k(const float *src, uint8_t *dst, size_t blocks);
void lf_encode_q5_k(const float *src, uint8_t *dst, size_t blocks);
void lf_encode_q6_k(const float *src, uint8_t *dst, size_t blocks);

#endif /* LF_QUANT_ENCODE_H */
