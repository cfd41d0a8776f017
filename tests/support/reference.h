/* SPDX-License-Identifier: Apache-2.0 */
/* A second, slow implementation of the whole network, in double and in the plainest order, written
 * from the description of the model and sharing no code with src/model: the truth for the engine.
 */
#ifndef LF_TESTS_REFERENCE_H
#define LF_TESTS_REFERENCE_H

#include "lfm2.h"

#include <stdbool.h>

typedef struct lft_reference_options {
    /* Round what meets a block-quantised matrix to int8 as the engine's own kernels do (a scale for
     * 32 values, or for 16 where the weights have one for 16 or gate and up have different types;
     * for Q8_0 a second int8 for what is left), so that only the rounding of sums remains between
     * the two. */
    bool int8_activations;
    bool f16_kv; /* keep keys and values in half precision */
} lft_reference_options;

/* Logits of all n positions, [n][n_vocab], of the model file or folder at path; to be freed. Fails
 * the test if the model cannot be read. */
float *lft_reference(const char *path, const lft_reference_options *options, const int32_t *ids,
                     size_t n, size_t *n_vocab);

#endif /* LF_TESTS_REFERENCE_H */
