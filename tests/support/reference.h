/* SPDX-License-Identifier: Apache-2.0 */
/* A second, slow implementation of the network in double, written from the description of the
 * model. It shares no code with src/model, whose results are compared with its results. */
#ifndef LF_TESTS_REFERENCE_H
#define LF_TESTS_REFERENCE_H

#include "lfm2.h"

#include <stdbool.h>

typedef struct lft_reference_options {
    /* Round the inputs of block-quantized matrices to int8 as the kernels do: a scale for 32
     * values, or for 16 if the weights have one for 16 or gate and up have different types; for
     * Q8_0 a second int8 for the remainder. The results then differ only in the rounding of sums.
     */
    bool int8_activations;
    bool f16_kv; /* keep keys and values in half precision */
} lft_reference_options;

/* Logits of all n positions, [n][n_vocab], of the model file or folder at path. The caller frees
 * them. Fails the test if the model cannot be read. */
float *lft_reference(const char *path, const lft_reference_options *options, const int32_t *ids,
                     size_t n, size_t *n_vocab);

#endif /* LF_TESTS_REFERENCE_H */
