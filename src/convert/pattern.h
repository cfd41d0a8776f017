/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/convert: regular expressions that select tensors by name. */
#ifndef LF_CONVERT_PATTERN_H
#define LF_CONVERT_PATTERN_H

#include "common/alloc.h"

enum {
    LF_PATTERN_BYTES = 1024, /* of an expression, at most */
    LF_PATTERN_STEPS = 1024  /* of a compiled expression, at most */
};

/* A compiled expression: the steps of a nondeterministic automaton. */
typedef struct lf_pattern {
    const struct lf_pattern_step *steps;
    uint32_t n;
} lf_pattern;

/* Compiles an expression of `len` bytes into `arena`. The syntax is that of ECMAScript without
 * assertions other than ^ $ \b and without back references; upper-case letters match as lower-case
 * ones, as in llama-quantize. Time and memory are bounded. Errors: ARGUMENT (code
 * "convert.pattern"), MEMORY. */
int32_t lf_pattern_compile(lf_arena *arena, const char *text, size_t len, lf_pattern *out);

/* Whether the expression matches some part of `name`. Takes at most LF_PATTERN_STEPS steps for each
 * byte of the name. */
bool lf_pattern_matches(const lf_pattern *pattern, const char *name);

#endif /* LF_CONVERT_PATTERN_H */
