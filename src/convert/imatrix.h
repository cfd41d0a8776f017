/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/convert: importance matrices in llama.cpp's GGUF form. */
#ifndef LF_CONVERT_IMATRIX_H
#define LF_CONVERT_IMATRIX_H

#include "load/gguf.h"

/* For each matrix, the sums of the squares of its inputs and the numbers of inputs. */
typedef struct lf_imatrix_entry {
    const char *name;        /* of the matrix, such as "blk.0.ffn_down.weight" */
    const lf_tensor *sums;   /* [input] or [expert][input] */
    const lf_tensor *counts; /* one, or one for each expert */
} lf_imatrix_entry;

typedef struct lf_imatrix {
    lf_alloc alloc;
    lf_arena arena;
    lf_file file;
    lf_gguf gguf;
    lf_imatrix_entry *entries;
    uint32_t n_entries;
    lf_index index;      /* of their names */
    const char *dataset; /* the first; NULL if there is none. Not 0-terminated. */
    size_t dataset_len;
    uint32_t n_chunks;
} lf_imatrix;

/* Reads a file and checks all of its numbers; the cost depends on the file's size. Errors: IO,
 * FORMAT, UNSUPPORTED (the older format), MEMORY. */
int32_t lf_imatrix_open(const lf_alloc *alloc, const char *path, lf_imatrix **out);
void lf_imatrix_close(lf_imatrix *m);

/* *out receives the entry of a tensor of n_experts matrices with n inputs; NULL if there is none.
 * Errors: FORMAT, if its shape differs. */
int32_t lf_imatrix_find(const lf_imatrix *m, const char *name, uint64_t n, uint64_t n_experts,
                        const lf_imatrix_entry **out);

/* Reads the mean squares of the n inputs of an expert; ones if it had no input. Errors: IO. */
int32_t lf_imatrix_read(const lf_imatrix *m, const lf_imatrix_entry *entry, uint64_t expert,
                        float *values, size_t n);

#endif /* LF_CONVERT_IMATRIX_H */
