/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the tests of constraints through the API. */
#ifndef LF_TESTS_CONSTRAINTS_H
#define LF_TESTS_CONSTRAINTS_H

#include "support/models.h"

/* A grammar in GBNF: much of its text is forced, a little is free. */
extern const char lft_record_grammar[];

lfm2_constraint *lft_constraint(lfm2_model *model, int32_t kind, const char *text);
lfm2_matcher *lft_matcher(lfm2_constraint *constraint); /* at the beginning of a text */

/* Whether the constraint allows the whole text. */
bool lft_allows(lfm2_constraint *constraint, const char *text);

#endif /* LF_TESTS_CONSTRAINTS_H */
