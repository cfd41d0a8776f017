/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled constraints of recent requests: agents send the same tools with every request, and a
 * constraint keeps the masks that it has computed. */
#ifndef LFM2_SERVE_CONSTRAINTS_H
#define LFM2_SERVE_CONSTRAINTS_H

#include "lfm2.h"

enum { MAX_CACHED_CONSTRAINTS = 8 };

typedef struct cached_constraint {
    lfm2_constraint *constraint; /* NULL = a free place */
    char *key;
    size_t key_len;
    uint64_t used; /* the number of the last use */
} cached_constraint;

typedef struct constraint_cache {
    cached_constraint all[MAX_CACHED_CONSTRAINTS];
    uint64_t uses;
} constraint_cache;

/* As lfm2_constraint_create; the caller frees *out. */
int32_t constraint_get(constraint_cache *cache, lfm2_model *model, int32_t kind, const char *text,
                       size_t len, const lfm2_constraint_options *options, lfm2_constraint **out);

void constraint_cache_free(constraint_cache *cache);

#endif /* LFM2_SERVE_CONSTRAINTS_H */
