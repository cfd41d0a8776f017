/* SPDX-License-Identifier: Apache-2.0 */
/* Attention over 16 lanes, for every type of K and V: rows that use a block together, their
 * softmax weights, and the prefetch of K and V. The including file defines v16. */
#ifndef LF_KERNELS_VECTOR_ATTN_ROWS_H
#define LF_KERNELS_VECTOR_ATTN_ROWS_H

#include "kernels/kernels.h"
#include "kernels/vector/exp.h"
#include "kernels/vector/prefetch.h"

enum { ATTN_MAX_ROWS = 32 };

/* Rows that use a block together; each attends to at least one position of it. */
typedef struct attn_rows {
    size_t n;
    const float *q[ATTN_MAX_ROWS];
    float *acc[ATTN_MAX_ROWS];
    size_t valid[ATTN_MAX_ROWS];
    float *max[ATTN_MAX_ROWS], *sum[ATTN_MAX_ROWS];
    _Alignas(64) float new_max[ATTN_MAX_ROWS];          /* new maximum */
    _Alignas(64) float alpha[ATTN_MAX_ROWS];            /* exp(old maximum - new maximum) */
    _Alignas(64) float block_sum[ATTN_MAX_ROWS];        /* sum of the block's weights */
    _Alignas(64) float p[ATTN_MAX_ROWS][LF_ATTN_BLOCK]; /* scores, then weights */
} attn_rows;

/* Numbers of K or V, and what to prefetch while they are read. */
typedef struct attn_operand {
    const void *at;
    size_t stride;    /* from the numbers (or pairs) of one step to those of the next */
    size_t bytes;     /* of the whole block, or of what `next` covers */
    const char *next; /* the block or slice likely to be read next; NULL: no prefetch */
    lf_distances distances;
} attn_operand;

/* Prefetches `size` bytes twice (README). The bytes ahead of byte `at`, in this block or at the
 * start of the next, go into the first level cache. The bytes at `at` in the next block go into the
 * second. */
LF_INLINE void attn_prefetch(const size_t size, const attn_operand *operand, size_t at)
{
    for (size_t b = 0; b < size; b += 64) {
        const size_t ahead = at + b + operand->distances.l1;
        const char *from =
            ahead < operand->bytes ? (const char *)operand->at : operand->next - operand->bytes;
        if (operand->distances.l1 != 0) {
            lf_prefetch_l1(from + ahead);
        }
        if (operand->distances.l2 != 0) {
            lf_prefetch_l2(operand->next + at + b);
        }
    }
}

/* Collects rows from row i on that attend to this block, at most max_rows. Returns the index after
 * the last row it looked at. */
LF_INLINE size_t attn_gather(attn_rows *t, const size_t max_rows, size_t i, size_t m,
                             const float *q, size_t q_stride, const uint32_t *valid,
                             const lf_attn_state *state)
{
    for (t->n = 0; i < m && t->n < max_rows; i++) {
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

/* Largest score of a row. Positions that the row does not attend to get -INFINITY. */
LF_INLINE float attn_max_score(const bool full, size_t valid, float *p)
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

/* Scores to weights; positions that the row does not attend to get 0. Returns the sum. */
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

/* Each step runs for all rows before the next step, so that the chains of the rows overlap and
 * values that are stored lane by lane have left the store buffer when a vector load reads them. */
LF_INLINE void attn_weights(attn_rows *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const float top = t->valid[i] == LF_ATTN_BLOCK
                              ? attn_max_score(true, t->valid[i], t->p[i])
                              : attn_max_score(false, t->valid[i], t->p[i]);
        const float old = *t->max[i];
        const float now = top > old ? top : old;
        t->new_max[i] = now;
        t->alpha[i] = old - now;
    }
    for (size_t i = 0; i < t->n; i++) {
        t->block_sum[i] = t->valid[i] == LF_ATTN_BLOCK
                              ? attn_exp(true, t->valid[i], t->new_max[i], t->p[i])
                              : attn_exp(false, t->valid[i], t->new_max[i], t->p[i]);
    }
    for (size_t i = 0; i < t->n; i += 16) {
        v_store(t->alpha + i, v_exp(v_load(t->alpha + i)));
    }
    for (size_t i = 0; i < t->n; i++) {
        *t->max[i] = t->new_max[i];
        *t->sum[i] = __builtin_fmaf(*t->sum[i], t->alpha[i], t->block_sum[i]);
    }
}

#endif /* LF_KERNELS_VECTOR_ATTN_ROWS_H */
