/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/convert: the types that the caller gives to tensors by name. */
#ifndef LF_CONVERT_OVERRIDES_H
#define LF_CONVERT_OVERRIDES_H

#include "convert/pattern.h"
#include "quant/quant.h"

#include "lfm2_tools.h"

enum { LF_MAX_OVERRIDES = 4096 };

typedef struct lf_override {
    lf_pattern pattern;
    const char *text; /* "REGEX=TYPE", of the caller */
    lf_type type;
    bool used; /* matched a tensor */
} lf_override;

typedef struct lf_overrides {
    lf_override *items;
    size_t n;
} lf_overrides;

/* Parses options->tensor_types. Memory is in `arena`. Errors: ARGUMENT (codes
 * "convert.tensor_type" and "convert.pattern"), MEMORY. */
int32_t lf_overrides_parse(lf_arena *arena, const lfm2_convert_options *options, lf_overrides *out);

/* The first override that matches the tensor; NULL if none does. */
lf_override *lf_overrides_find(const lf_overrides *overrides, const char *name);

#endif /* LF_CONVERT_OVERRIDES_H */
