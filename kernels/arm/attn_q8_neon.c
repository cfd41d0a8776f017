/* SPDX-License-Identifier: Apache-2.0 */
/* Attention over int8 keys and values for NEON. */
#include "kernels/arm/v16_neon.h"

#define ATTN_ROWS 6
#define ATTN_VECS 1

#include "kernels/vector/attn_q8.h"

void lf_attn_q8_neon(size_t m, size_t head_dim, const float *q, size_t q_stride,
                     const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    attn_q8(m, head_dim, q, q_stride, valid, kv, state);
}
