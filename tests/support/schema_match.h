/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a matcher accepts a JSON value. */
#ifndef LF_TESTS_SCHEMA_MATCH_H
#define LF_TESTS_SCHEMA_MATCH_H

#include "common/json.h"
#include "text/grammar/matcher.h"
#include "text/grammar/schema.h"

/* What a compilation needs. */
typedef struct lft_schema {
    lf_alloc alloc;
    lf_grammar_limits limits;
    lf_schema_options options; /* refer to the two above */
} lft_schema;

/* The default allocator and limits, white space flexible. */
void lft_schema_init(lft_schema *setup);
/* A matcher without a vocabulary, for bytes; NULL after a failure. */
int32_t lft_schema_compile(const lft_schema *setup, const char *schema, size_t len,
                           lf_compiled **matcher);

bool lft_schema_accepts_text(lf_compiled *matcher, const char *text);

/* The value is written with ", " and ": ", first with its keys in their order, then (unless
 * `keep_order`) in another one if the matcher accepts that. *status: OK, MEMORY or LIMIT. */
bool lft_schema_accepts(lf_compiled *matcher, const lf_json *value, bool keep_order,
                        int32_t *status);

#endif /* LF_TESTS_SCHEMA_MATCH_H */
