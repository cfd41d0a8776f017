/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention over LF_KV_Q8 (scalar/attn.c) over 16 lanes. The including file defines v16, w16,
 * ATTN_ROWS and ATTN_VECS as for attn_float.h.
 *
 * Keys and values have the same layout: one pair of quants for each lane, and the products of a
 * pair are summed. Keys have pairs of dimensions for each position, values have pairs of positions
 * for each dimension. So one loop computes both products. ATTN_ROWS rows use a block before the
 * next rows do: the block stays in the first level cache.
 */
#ifndef LF_KERNELS_VECTOR_ATTN_Q8_H
#define LF_KERNELS_VECTOR_ATTN_Q8_H

#include "kernels/tables.h"
#include "kernels/vector/attn_rows.h"
#include "kernels/vector/quants.h"

/* Weights times the scales of V, quantized. */
typedef struct attn_quants {
    float scale[ATTN_ROWS];
    _Alignas(64) int16_t p[ATTN_ROWS][LF_ATTN_BLOCK];
} attn_quants;

/* Sums of products of m rows of quants over `pairs` pairs, for n * 16 lanes from `lane` on. */
LF_INLINE void attn_sums(const size_t m, const size_t n, const int16_t *const quants[ATTN_ROWS],
                         size_t pairs, const attn_operand *operand, size_t lane,
                         w16 sums[ATTN_ROWS][ATTN_VECS])
{
    for (size_t i = 0; i < m; i++) {
        for (size_t c = 0; c < n; c++) {
            sums[i][c] = w_zero();
        }
    }
    for (size_t pair = 0; pair < pairs; pair++) {
        const size_t at = 2 * (pair * operand->stride + lane);
        w16 x[ATTN_VECS];
        for (size_t c = 0; c < n; c++) {
            x[c] = w_load_i8((const int8_t *)operand->at + at + c * 32);
        }
        if (operand->next != NULL && (n > 1 || at % 64 == 0)) {
            attn_prefetch(n * 32, operand, at);
        }
        for (size_t i = 0; i < m; i++) {
            const w16 two = w_pair(quants[i] + 2 * pair);
            for (size_t c = 0; c < n; c++) {
                sums[i][c] = w_dot(sums[i][c], x[c], two);
            }
        }
    }
}

LF_INLINE void attn_q8_scores(const size_t m, attn_rows *t, size_t head_dim, const attn_operand *k,
                              const float *k_scales)
{
    const int16_t *quants[ATTN_ROWS];
    for (size_t i = 0; i < m; i++) {
        quants[i] = (const int16_t *)(const void *)t->q[i];
    }
    for (size_t j = 0; j < LF_ATTN_BLOCK; j += 16 * ATTN_VECS) {
        w16 sums[ATTN_ROWS][ATTN_VECS];
        attn_sums(m, ATTN_VECS, quants, head_dim / 2, k, j, sums);
        for (size_t i = 0; i < m; i++) {
            for (size_t c = 0; c < ATTN_VECS; c++) {
                const v16 s = v_mul(w_float(sums[i][c]), v_set(t->q[i][head_dim / 2]));
                v_store(t->p[i] + j + c * 16, v_mul(s, v_load(k_scales + j + c * 16)));
            }
        }
    }
}

/* acc = acc * alpha + weights * V for n * 16 dimensions from d on. */
LF_INLINE void attn_q8_values(const size_t m, const size_t n, attn_rows *t,
                              const attn_quants *quants, size_t pairs, const attn_operand *v,
                              size_t d)
{
    const int16_t *p[ATTN_ROWS];
    for (size_t i = 0; i < m; i++) {
        p[i] = quants->p[i];
    }
    w16 sums[ATTN_ROWS][ATTN_VECS];
    attn_sums(m, n, p, pairs, v, d, sums);
    for (size_t i = 0; i < m; i++) {
        for (size_t c = 0; c < n; c++) {
            float *acc = t->acc[i] + d + c * 16;
            const v16 old = v_mul(v_load(acc), v_set(t->alpha[i]));
            v_store(acc, v_fma(w_float(sums[i][c]), v_set(quants->scale[i]), old));
        }
    }
}

/* One dimension, for heads whose size is not a multiple of 16. */
LF_INLINE void attn_q8_value1(attn_rows *t, const attn_quants *quants, size_t i, size_t pairs,
                              const attn_operand *v, size_t d)
{
    const int8_t *at = (const int8_t *)v->at + 2 * d;
    int32_t sum = 0;
    for (size_t pair = 0; pair < pairs; pair++, at += 2 * v->stride) {
        sum += at[0] * quants->p[i][2 * pair] + at[1] * quants->p[i][2 * pair + 1];
    }
    t->acc[i][d] = __builtin_fmaf((float)sum, quants->scale[i], t->acc[i][d] * t->alpha[i]);
}

/* The weights of positions that a row does not attend to are 0, whatever the scales. */
LF_INLINE void attn_q8_quants(const size_t m, attn_rows *t, attn_quants *quants,
                              const float *v_scales)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < LF_ATTN_BLOCK; j += 16) {
            const size_t seen = t->valid[i] > j ? t->valid[i] - j : 0;
            const v16 w = v_mul(v_load(t->p[i] + j), v_load(v_scales + j));
            v_store(t->p[i] + j, v_first(seen, w, v_set(0.0f)));
        }
    }
    for (size_t i = 0; i < m; i++) {
        quants->scale[i] = v_quants(LF_ATTN_BLOCK, t->p[i], quants->p[i]);
    }
}

/* `first`: these are the first rows of the block; they prefetch the next block. */
LF_INLINE void attn_q8_rows(const size_t m, attn_rows *t, size_t head_dim, const lf_kv_blocks *kv,
                            bool first)
{
    const size_t bytes = head_dim * LF_ATTN_BLOCK;
    const attn_operand k = {.at = (const char *)kv->k + LF_KV_SCALES,
                            .stride = LF_ATTN_BLOCK,
                            .bytes = bytes,
                            .next = first ? (const char *)kv->next_k + LF_KV_SCALES : NULL,
                            .distances = lf_prefetch_distances(kv->prefetch)};
    const attn_operand v = {.at = (const char *)kv->v + LF_KV_SCALES,
                            .stride = head_dim,
                            .bytes = bytes,
                            .next = first ? (const char *)kv->next_v + LF_KV_SCALES : NULL,
                            .distances = lf_prefetch_distances(kv->prefetch)};
    attn_quants quants;
    size_t most = 0;
    for (size_t i = 0; i < m; i++) {
        most = t->valid[i] > most ? t->valid[i] : most;
    }
    attn_q8_scores(m, t, head_dim, &k, kv->k);
    attn_weights(t);
    attn_q8_quants(m, t, &quants, kv->v);
    const size_t pairs = (most + 1) / 2;
    size_t d = 0;
    for (; d + 16 * ATTN_VECS <= head_dim; d += 16 * ATTN_VECS) {
        attn_q8_values(m, ATTN_VECS, t, &quants, pairs, &v, d);
    }
    for (; d + 16 <= head_dim; d += 16) {
        attn_q8_values(m, 1, t, &quants, pairs, &v, d);
    }
    for (; d < head_dim; d++) {
        for (size_t i = 0; i < m; i++) {
            attn_q8_value1(t, &quants, i, pairs, &v, d);
        }
    }
}

#define ATTN_Q8_ROWS(m)                                                                            \
    case m:                                                                                        \
        attn_q8_rows(m, &t, head_dim, kv, first);                                                  \
        break;

LF_INLINE void attn_q8(size_t m, size_t head_dim, const float *q, size_t q_stride,
                       const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    /* The scales of the next block. Its quants are prefetched while this block's are read. */
    for (size_t b = 0; b < LF_KV_SCALES && kv->prefetch.l2 != 0; b += 64) {
        lf_prefetch_l2((const char *)kv->next_k + b);
        lf_prefetch_l2((const char *)kv->next_v + b);
    }
    attn_rows t;
    memset(t.alpha, 0, sizeof t.alpha);
    bool first = true;
    for (size_t i = 0; i < m; first = false) {
        i = attn_gather(&t, ATTN_ROWS, i, m, q, q_stride, valid, state);
        switch (t.n) {
            ATTN_Q8_ROWS(1)
            ATTN_Q8_ROWS(2)
            ATTN_Q8_ROWS(3)
            ATTN_Q8_ROWS(4)
            ATTN_Q8_ROWS(5)
            ATTN_Q8_ROWS(6)
        default:
            break;
        }
    }
}

#endif /* LF_KERNELS_VECTOR_ATTN_Q8_H */
