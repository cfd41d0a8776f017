/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what attention over any variant of K and V shares, over 16 lanes: rows that pass a block
 * together, their weights, and the order in which memory is fetched. The including file defines
 * v16.
 */
#ifndef LF_KERNELS_VECTOR_ATTN_ROWS_H
#define LF_KERNELS_VECTOR_ATTN_ROWS_H

#include "kernels/kernels.h"
#include "kernels/vector/exp.h"
#include "kernels/vector/prefetch.h"

enum { ATTN_MOST = 32, ATTN_L1_DISTANCE = 2048 };

/* Rows that pass a block together, none of them blind. */
typedef struct attn_rows {
    size_t n;
    const float *q[ATTN_MOST];
    float *acc[ATTN_MOST];
    size_t valid[ATTN_MOST];
    float *max[ATTN_MOST], *sum[ATTN_MOST];
    _Alignas(64) float now[ATTN_MOST];              /* new maximum */
    _Alignas(64) float alpha[ATTN_MOST];            /* exp of how far the maximum moved */
    _Alignas(64) float part[ATTN_MOST];             /* sum of the block's weights */
    _Alignas(64) float p[ATTN_MOST][LF_ATTN_BLOCK]; /* scores, then weights */
} attn_rows;

/* Numbers of K or V, and what to fetch from memory meanwhile. */
typedef struct attn_operand {
    const void *at;
    size_t stride;    /* operand, or pairs of them, from one to the next that is multiplied */
    size_t bytes;     /* of all as stored, or of what `next` covers */
    const char *next; /* the block, or slice of one, likely read next; NULL: fetch nothing */
} attn_operand;

/* At `size` bytes from byte `at` on: what follows, in this block or at the beginning of the next,
 * goes to the first level cache, then what corresponds to them in the next block to the second
 * (README). */
LF_INLINE void attn_prefetch(const size_t size, const attn_operand *operand, size_t at)
{
    for (size_t b = 0; b < size; b += 64) {
        const size_t near = at + b + ATTN_L1_DISTANCE;
        const char *from =
            near < operand->bytes ? (const char *)operand->at : operand->next - operand->bytes;
        lf_prefetch_l1(from + near);
        lf_prefetch_l2(operand->next + at + b);
    }
}

/* The next rows, from row i on, that see something of the block: `most` at the most; returns the
 * row behind them. */
LF_INLINE size_t attn_gather(attn_rows *t, const size_t most, size_t i, size_t m, const float *q,
                             size_t q_stride, const uint32_t *valid, const lf_attn_state *state)
{
    for (t->n = 0; i < m && t->n < most; i++) {
        if (valid[i] != 0) {
            t->q[t->n] = q + i * q_stride;
            t->acc[t->n] = state->acc + i * state->acc_stride;
            t->max[t->n] = state->max + i;
            t->sum[t->n] = state->sum + i;
            t->valid[t->n++] = valid[i];
        }
    }
    return i;
}

/* ---- Weights ---- */

/* Scores of a row, -INFINITY where it is blind; returns the largest. */
LF_INLINE float attn_top(const bool full, size_t valid, float *p)
{
    const v16 none = v_set(-INFINITY);
    v16 top = none;
    for (size_t j = 0; j < LF_ATTN_BLOCK; j += 16) {
        v16 s = v_load(p + j);
        if (!full) {
            s = v_first(valid > j ? valid - j : 0, s, none);
            v_store(p + j, s);
        }
        top = v_max(s, top);
    }
    return v_fold_max(top);
}

/* Scores to weights, 0 where the row is blind; returns their sum. */
LF_INLINE float attn_exp(const bool full, size_t valid, float max, float *p)
{
    v16 sum = v_set(0.0f);
    for (size_t j = 0; j < LF_ATTN_BLOCK; j += 16) {
        v16 e = v_exp(v_sub(v_load(p + j), v_set(max)));
        e = full ? e : v_first(valid > j ? valid - j : 0, e, v_set(0.0f));
        v_store(p + j, e);
        sum = v_add(sum, e);
    }
    return v_fold_sum(sum);
}

/* Each step for all rows before the next: so rows overlap instead of waiting for their own chain,
 * and what is stored lane by lane has arrived when it is loaded as a vector. */
LF_INLINE void attn_weights(attn_rows *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const float top = t->valid[i] == LF_ATTN_BLOCK ? attn_top(true, t->valid[i], t->p[i])
                                                       : attn_top(false, t->valid[i], t->p[i]);
        const float old = *t->max[i];
        const float now = top > old ? top : old;
        t->now[i] = now;
        t->alpha[i] = old - now;
    }
    for (size_t i = 0; i < t->n; i++) {
        t->part[i] = t->valid[i] == LF_ATTN_BLOCK
                         ? attn_exp(true, t->valid[i], t->now[i], t->p[i])
                         : attn_exp(false, t->valid[i], t->now[i], t->p[i]);
    }
    for (size_t i = 0; i < t->n; i += 16) {
        v_store(t->alpha + i, v_exp(v_load(t->alpha + i)));
    }
    for (size_t i = 0; i < t->n; i++) {
        *t->max[i] = t->now[i];
        *t->sum[i] = __builtin_fmaf(*t->sum[i], t->alpha[i], t->part[i]);
    }
}

#endif /* LF_KERNELS_VECTOR_ATTN_ROWS_H */
