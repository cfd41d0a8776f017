/* SPDX-License-Identifier: Apache-2.0 */
/* What the results of a loaded model depend on, as two hashes. */
#ifndef LF_LOAD_IDENTITY_H
#define LF_LOAD_IDENTITY_H

#include "load/pack.h"

/* Two loads with equal identities compute the same bits for the same tokens and KV type. */
typedef struct lf_identity {
    uint64_t weights; /* of the hyperparameters, every tensor's name, type and shape, and the first
                         and last bytes of its data; not of file names, times and offsets */
    uint64_t kernels; /* of each matrix: this library's kernels, or which one of XNNPACK's */
} lf_identity;

/* Reads samples of every tensor. Errors: IO, STOPPED. */
int32_t lf_identity_of(const lf_source *source, lf_packed *const *matrices, size_t n,
                       lf_identity *out);

#endif /* LF_LOAD_IDENTITY_H */
