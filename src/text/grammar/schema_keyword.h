/* SPDX-License-Identifier: Apache-2.0 */
/* How keywords become terms; shared by schema_keyword.c, schema_apply.c and schema_children.c. */
#ifndef LF_GRAMMAR_SCHEMA_KEYWORD_H
#define LF_GRAMMAR_SCHEMA_KEYWORD_H

#include "text/grammar/schema_internal.h"

#define LF_SCHEMA_MOST 4000000000u /* larger counts are this */

typedef struct lf_terms {
    lf_term *first, *last;
} lf_terms;

typedef struct lf_branch_list {
    lf_branches *first, *last;
} lf_branch_list;

/* The schema that is read. */
typedef struct lf_keywords {
    lf_schema *s;
    uint32_t place;
    const lf_json *schema;
    bool negated;
    lf_terms all;       /* not negated: what its keywords require */
    lf_branch_list any; /* negated: how they can be violated */
} lf_keywords;

/* Appends to a list of terms, or of alternatives. */
int32_t lf_keyword_term(lf_keywords *k, lf_term_kind kind, lf_terms *list, lf_term **out);
int32_t lf_keyword_lit(lf_keywords *k, lf_terms *list, lf_lit lit);
int32_t lf_keyword_types(lf_keywords *k, lf_terms *list, unsigned types);
int32_t lf_keyword_or(lf_keywords *k, lf_branch_list *to, const lf_terms *alternative);
int32_t lf_keyword_choice(lf_keywords *k, lf_terms *list, const lf_branch_list *choice);

/* A keyword that cannot be enforced for values of these types. */
int32_t lf_keyword_refuse(lf_keywords *k, const char *keyword, unsigned types, const char *why);
int32_t lf_keyword_invalid(const lf_keywords *k, const lf_json *member, const char *why);
/* The value of a keyword that counts. */
int32_t lf_keyword_count(lf_keywords *k, const lf_json *member, uint32_t *out);
/* The number of a pattern, or why it cannot be enforced. */
int32_t lf_keyword_pattern(lf_keywords *k, const lf_json *m, const char *text, size_t len,
                           uint32_t *id, const char **why);

int32_t lf_on_ref(lf_keywords *k, const lf_json *m);
int32_t lf_on_all_of(lf_keywords *k, const lf_json *m);
int32_t lf_on_any_of(lf_keywords *k, const lf_json *m);
int32_t lf_on_one_of(lf_keywords *k, const lf_json *m);
int32_t lf_on_not(lf_keywords *k, const lf_json *m);
int32_t lf_on_if(lf_keywords *k, const lf_json *m);
int32_t lf_on_unevaluated(lf_keywords *k, const lf_json *m);
int32_t lf_on_properties(lf_keywords *k, const lf_json *m);
int32_t lf_on_required(lf_keywords *k, const lf_json *m);
int32_t lf_on_property_names(lf_keywords *k, const lf_json *m);
int32_t lf_on_size(lf_keywords *k, const lf_json *m);
int32_t lf_on_dependencies(lf_keywords *k, const lf_json *m);
int32_t lf_on_items(lf_keywords *k, const lf_json *m);
int32_t lf_on_length(lf_keywords *k, const lf_json *m);
int32_t lf_on_contains(lf_keywords *k, const lf_json *m);
int32_t lf_on_unique(lf_keywords *k, const lf_json *m);

#endif /* LF_GRAMMAR_SCHEMA_KEYWORD_H */
