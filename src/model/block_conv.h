/* SPDX-License-Identifier: Apache-2.0 */
/* The gated short convolution of a layer. */
#ifndef LF_MODEL_BLOCK_CONV_H
#define LF_MODEL_BLOCK_CONV_H

#include "model/pass.h"

typedef struct lf_conv_memory { /* T = rows of a pass */
    float *bcx;                 /* [T][3][H] B, C, X of each row */
    float *out;                 /* [T][H] */
    float *ring;                /* [threads][taps + 2][H] */
} lf_conv_memory;

void lf_conv_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_conv_memory *out);

/* x += convolution(rms(x)) for the rows of the pass. */
int32_t lf_block_conv(const lf_pass *pass, uint32_t layer);

#endif /* LF_MODEL_BLOCK_CONV_H */
