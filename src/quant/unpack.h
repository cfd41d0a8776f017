/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: the unpackers outside unpack.c. */
#ifndef LF_QUANT_UNPACK_H
#define LF_QUANT_UNPACK_H

#include "quant/quant.h"

/* `blocks` blocks from src; quants, scales and mins as in lf_unpack_row. */
void lf_unpack_q2_k(const uint8_t *src, size_t blocks, int8_t *quants, float *scales, float *mins);
void lf_unpack_q3_k(const uint8_t *src, size_t blocks, int8_t *quants, float *scales);
void lf_unpack_nvfp4(const uint8_t *src, size_t blocks, int8_t *quants, float *scales);

/* IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S. */
void lf_unpack_iq(lf_type type, const uint8_t *src, size_t blocks, int8_t *quants, float *scales);

#endif /* LF_QUANT_UNPACK_H */
