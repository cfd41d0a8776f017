/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention over f16 and f32 keys and values (scalar/attn.c) over 16 lanes. The including file
 * defines v16 and two constants: ATTN_ROWS, the query rows (at most 6) that share the loads of K
 * and V, and ATTN_VECS, the vectors of 16 positions (in the second product: dimensions) that each
 * row keeps in registers.
 *
 * Up to ATTN_ROWS rows convert K and V to floats as they load them. For more rows, K and V are
 * converted once for all of them, a slice of ATTN_SLICE dimensions at a time, which stays in the
 * first level cache.
 */
#ifndef LF_KERNELS_VECTOR_ATTN_FLOAT_H
#define LF_KERNELS_VECTOR_ATTN_FLOAT_H

#include "kernels/vector/attn_rows.h"

enum { ATTN_SLICE = 64 };

/* Type of the numbers of an operand: LF_KV_F16, LF_KV_F32, or floats that were unpacked to a
 * slice. */
enum { ATTN_UNPACKED = LF_KV_COUNT };

LF_INLINE size_t attn_size(const int type)
{
    return type == LF_KV_F16 ? sizeof(uint16_t) : sizeof(float);
}

LF_INLINE v16 attn_load(const int type, const void *at, size_t i)
{
    return type == LF_KV_F16 ? v_load_f16((const uint16_t *)at + i) : v_load((const float *)at + i);
}

LF_INLINE float attn_load1(const int type, const void *at, size_t i)
{
    return type == LF_KV_F16 ? lf_half_to_float(((const uint16_t *)at)[i]) : ((const float *)at)[i];
}

/* The bytes to prefetch in each of `steps` steps. With unpacked operands, m of n rows prefetch m /
 * n of the next slice. */
LF_INLINE size_t attn_prefetch_step(const int type, const attn_operand *operand, size_t m, size_t n,
                                    size_t steps)
{
    const bool used = type == ATTN_UNPACKED && operand->distances.l2 != 0;
    return used ? operand->bytes / n * m / steps : 0;
}

/* ---- Scores ---- */

/* Scores of rows [row, row + m) over `dims` dimensions from d0 on, at positions [j0, j0 + 16 *
 * ATTN_VECS); k is [dims][LF_ATTN_BLOCK]. Continues the sums of the dimensions below d0. */
LF_INLINE void attn_scores(const int type, const size_t m, attn_rows *t, size_t row, size_t d0,
                           size_t dims, const attn_operand *k, size_t j0)
{
    v16 s[ATTN_ROWS][ATTN_VECS];
    const float *q[ATTN_ROWS];
    for (size_t i = 0; i < m; i++) {
        q[i] = t->q[row + i] + d0;
        for (size_t v = 0; v < ATTN_VECS; v++) {
            s[i][v] = d0 == 0 ? v_set(0.0f) : v_load(t->p[row + i] + j0 + v * 16);
        }
    }
    const size_t step_bytes = attn_prefetch_step(type, k, m, t->n, dims);
    const char *next = k->next + row * step_bytes * dims / m;
    for (size_t d = 0; d < dims; d++) {
        v16 kd[ATTN_VECS];
        for (size_t v = 0; v < ATTN_VECS; v++) {
            kd[v] = attn_load(type, k->at, d * LF_ATTN_BLOCK + j0 + v * 16);
        }
        if (type == ATTN_UNPACKED) {
            lf_prefetch_l2(next + d * step_bytes); /* a step of 0: one line, again and again */
        } else {
            attn_prefetch(ATTN_VECS * 16 * attn_size(type), k,
                          (d * LF_ATTN_BLOCK + j0) * attn_size(type));
        }
        for (size_t i = 0; i < m; i++) {
            const v16 qd = v_set(q[i][d]);
            for (size_t v = 0; v < ATTN_VECS; v++) {
                s[i][v] = v_fma(qd, kd[v], s[i][v]);
            }
        }
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t v = 0; v < ATTN_VECS; v++) {
            v_store(t->p[row + i] + j0 + v * 16, s[i][v]);
        }
    }
}

/* ---- Values ---- */

/* acc = acc * alpha + weights * V of rows [row, row + m), for n * 16 dimensions: those of acc start
 * at `to`, those of v at `from`. */
LF_INLINE void attn_values(const int type, const size_t m, const size_t n, attn_rows *t, size_t row,
                           size_t to, const attn_operand *v, size_t from)
{
    v16 acc[ATTN_ROWS][ATTN_VECS];
    size_t least = LF_ATTN_BLOCK;
    for (size_t i = 0; i < m; i++) {
        least = t->valid[row + i] < least ? t->valid[row + i] : least;
        for (size_t c = 0; c < n; c++) {
            acc[i][c] = v_mul(v_load(t->acc[row + i] + to + c * 16), v_set(t->alpha[row + i]));
        }
    }
    const size_t step_bytes = attn_prefetch_step(type, v, m, t->n, LF_ATTN_BLOCK);
    const char *next = v->next + row * step_bytes * LF_ATTN_BLOCK / m;
    for (size_t j = 0; j < least; j++) {
        v16 vj[ATTN_VECS];
        for (size_t c = 0; c < n; c++) {
            vj[c] = attn_load(type, v->at, j * v->stride + from + c * 16);
        }
        if (type == ATTN_UNPACKED) {
            lf_prefetch_l2(next + j * step_bytes);
        } else {
            attn_prefetch(n * 16 * attn_size(type), v, (j * v->stride + from) * attn_size(type));
        }
        for (size_t i = 0; i < m; i++) {
            const v16 p = v_set(t->p[row + i][j]);
            for (size_t c = 0; c < n; c++) {
                acc[i][c] = v_fma(p, vj[c], acc[i][c]);
            }
        }
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t j = least; j < t->valid[row + i]; j++) {
            const v16 p = v_set(t->p[row + i][j]);
            for (size_t c = 0; c < n; c++) {
                acc[i][c] =
                    v_fma(p, attn_load(type, v->at, j * v->stride + from + c * 16), acc[i][c]);
            }
        }
        for (size_t c = 0; c < n; c++) {
            v_store(t->acc[row + i] + to + c * 16, acc[i][c]);
        }
    }
}

/* One dimension, for heads whose size is not a multiple of 16. */
LF_INLINE void attn_value1(const int type, attn_rows *t, size_t row, size_t to,
                           const attn_operand *v, size_t from)
{
    float acc = t->acc[row][to] * t->alpha[row];
    for (size_t j = 0; j < t->valid[row]; j++) {
        acc = __builtin_fmaf(t->p[row][j], attn_load1(type, v->at, j * v->stride + from), acc);
    }
    t->acc[row][to] = acc;
}

/* ---- Tiles of rows ---- */

LF_INLINE void attn_tile_scores(const int type, const size_t m, attn_rows *t, size_t row, size_t d0,
                                size_t dims, const attn_operand *k)
{
    for (size_t j = 0; j < LF_ATTN_BLOCK; j += 16 * ATTN_VECS) {
        attn_scores(type, m, t, row, d0, dims, k, j);
    }
}

/* `dims` dimensions from d0 on, which are the first ones in v. */
LF_INLINE void attn_tile_values(const int type, const size_t m, attn_rows *t, size_t row, size_t d0,
                                size_t dims, const attn_operand *v)
{
    size_t d = 0;
    for (; d + 16 * ATTN_VECS <= dims; d += 16 * ATTN_VECS) {
        attn_values(type, m, ATTN_VECS, t, row, d0 + d, v, d);
    }
    for (; d + 16 <= dims; d += 16) {
        attn_values(type, m, 1, t, row, d0 + d, v, d);
    }
    for (; d < dims; d++) {
        for (size_t i = 0; i < m; i++) {
            attn_value1(type, t, row + i, d0 + d, v, d);
        }
    }
}

/* Calls `step` for all rows, in tiles of nearly equal size. */
#define ATTN_CASE(m, step)                                                                         \
    case m:                                                                                        \
        step(type, m, t, row, d0, dims, operand);                                                  \
        break;
#define ATTN_STEP(name, step)                                                                      \
    LF_INLINE void name(const int type, attn_rows *t, size_t d0, size_t dims,                      \
                        const attn_operand *operand)                                               \
    {                                                                                              \
        size_t size = 0;                                                                           \
        for (size_t row = 0; row < t->n; row += size) {                                            \
            const size_t left = t->n - row;                                                        \
            const size_t tiles = (left + ATTN_ROWS - 1) / ATTN_ROWS;                               \
            size = (left + tiles - 1) / tiles;                                                     \
            switch (size) {                                                                        \
                ATTN_CASE(1, step)                                                                 \
                ATTN_CASE(2, step)                                                                 \
                ATTN_CASE(3, step)                                                                 \
                ATTN_CASE(4, step)                                                                 \
                ATTN_CASE(5, step)                                                                 \
                ATTN_CASE(6, step)                                                                 \
            default:                                                                               \
                break;                                                                             \
            }                                                                                      \
        }                                                                                          \
    }

ATTN_STEP(attn_all_scores, attn_tile_scores)
ATTN_STEP(attn_all_values, attn_tile_values)

/* ---- Blocks ---- */

/* Converts n numbers of the array `at`, starting with number `first`, to floats. */
LF_INLINE void attn_unpack(const int type, size_t n, const void *at, size_t first, float *out)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v_store(out + i, attn_load(type, at, first + i));
    }
    for (; i < n; i++) {
        out[i] = attn_load1(type, at, first + i);
    }
}

static void attn_unpacked_scores(attn_rows *t, size_t d0, size_t dims, const attn_operand *k)
{
    attn_all_scores(ATTN_UNPACKED, t, d0, dims, k);
}

static void attn_unpacked_values(attn_rows *t, size_t d0, size_t dims, const attn_operand *v)
{
    attn_all_values(ATTN_UNPACKED, t, d0, dims, v);
}

/* For the rows of one tile: K and V as stored. */
LF_INLINE void attn_one_tile(const lf_kv_type type, attn_rows *t, size_t head_dim,
                             const lf_kv_blocks *kv)
{
    const size_t bytes = head_dim * LF_ATTN_BLOCK * attn_size((int)type);
    const lf_distances distances = lf_prefetch_distances(kv->prefetch);
    const attn_operand keys = {
        .at = kv->k, .bytes = bytes, .next = kv->next_k, .distances = distances};
    const attn_operand values = {.at = kv->v,
                                 .stride = head_dim,
                                 .bytes = bytes,
                                 .next = kv->next_v,
                                 .distances = distances};
    attn_all_scores((int)type, t, 0, head_dim, &keys);
    attn_weights(t);
    attn_all_values((int)type, t, 0, head_dim, &values);
}

/* For more rows than a tile: unpacks a slice of K or V, then uses it for all rows. */
LF_INLINE void attn_many_tiles(const lf_kv_type type, attn_rows *t, size_t head_dim,
                               const lf_kv_blocks *kv)
{
    _Alignas(64) float unpacked[LF_ATTN_BLOCK * ATTN_SLICE];
    attn_operand slice = {
        .at = unpacked, .next = kv->next_k, .distances = lf_prefetch_distances(kv->prefetch)};
    for (size_t d = 0; d < head_dim; d += ATTN_SLICE) {
        const size_t dims = head_dim - d < ATTN_SLICE ? head_dim - d : ATTN_SLICE;
        slice.bytes = dims * LF_ATTN_BLOCK * attn_size((int)type);
        attn_unpack((int)type, dims * LF_ATTN_BLOCK, kv->k, d * LF_ATTN_BLOCK, unpacked);
        attn_unpacked_scores(t, d, dims, &slice);
        slice.next += slice.bytes;
    }
    attn_weights(t);
    slice.next = kv->next_v;
    for (size_t d = 0; d < head_dim; d += ATTN_SLICE) {
        slice.stride = head_dim - d < ATTN_SLICE ? head_dim - d : ATTN_SLICE;
        slice.bytes = slice.stride * LF_ATTN_BLOCK * attn_size((int)type);
        for (size_t j = 0; j < LF_ATTN_BLOCK; j++) {
            attn_unpack((int)type, slice.stride, kv->v, j * head_dim + d,
                        unpacked + j * slice.stride);
        }
        attn_unpacked_values(t, d, slice.stride, &slice);
        slice.next += slice.bytes;
    }
}

LF_INLINE void attn(const lf_kv_type type, size_t m, size_t head_dim, const float *q,
                    size_t q_stride, const uint32_t *valid, const lf_kv_blocks *kv,
                    const lf_attn_state *state)
{
    attn_rows t;
    memset(t.alpha, 0, sizeof t.alpha);
    for (size_t i = 0; i < m;) {
        i = attn_gather(&t, ATTN_MAX_ROWS, i, m, q, q_stride, valid, state);
        if (t.n <= ATTN_ROWS) {
            attn_one_tile(type, &t, head_dim, kv);
        } else {
            attn_many_tiles(type, &t, head_dim, kv);
        }
    }
}

static void attn_f16(size_t m, size_t head_dim, const float *q, size_t q_stride,
                     const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    attn(LF_KV_F16, m, head_dim, q, q_stride, valid, kv, state);
}

static void attn_f32(size_t m, size_t head_dim, const float *q, size_t q_stride,
                     const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    attn(LF_KV_F32, m, head_dim, q, q_stride, valid, kv, state);
}

#endif /* LF_KERNELS_VECTOR_ATTN_FLOAT_H */
