/* SPDX-License-Identifier: Apache-2.0 */
/* The synthetic model "tiny" with random weights of any types, also those that have no encoder. */
#ifndef LF_TESTS_RETYPE_H
#define LF_TESTS_RETYPE_H

#include "load/source.h"

/* The type of a matrix; `index` counts the matrices of the file. A type whose blocks do not divide
 * its rows is replaced by F32. */
typedef lf_type lft_type_of(const char *tensor, size_t index, const void *ctx);

/* Random blocks of a quantized type whose values are about as large as weights: n values, a
 * multiple of the block. */
void lft_random_blocks(uint64_t *seed, lf_type type, size_t n, uint8_t *blocks);

/* Writes the model as lft_temp(name) and returns its path, valid until lft_end. */
const char *lft_retyped(const char *name, lft_type_of *type_of, const void *ctx);

/* Every matrix in `type`, but the router, which stays F32: a token whose experts differ cannot be
 * compared. The file is <type>.gguf. */
const char *lft_retyped_all(lf_type type);

#endif /* LF_TESTS_RETYPE_H */
