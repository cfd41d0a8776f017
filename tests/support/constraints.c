/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the helpers of the tests of constraints. */
#include "support/constraints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

const char lft_record_grammar[] =
    "root ::= \"{\\\"name\\\": \\\"\" [a-z]{1,8} \"\\\", \\\"age\\\": \" [1-9] [0-9]? "
    "\", \\\"favorite colors\\\": [\" (color (\", \" color){0,3})? \"], \\\"checked\\\": true}\"\n"
    "color ::= \"\\\"red\\\"\" | \"\\\"green\\\"\" | \"\\\"dark blue\\\"\"\n";

lfm2_constraint *lft_constraint(lfm2_model *model, int32_t kind, const char *text)
{
    lfm2_constraint *constraint = NULL;
    LFT_OK(lfm2_constraint_create(model, kind, text, strlen(text), NULL, &constraint));
    assert_string_equal(lfm2_constraint_ignored(constraint), "[]");
    return constraint;
}

lfm2_matcher *lft_matcher(lfm2_constraint *constraint)
{
    lfm2_matcher *matcher = NULL;
    LFT_OK(lfm2_matcher_create(constraint, &matcher));
    return matcher;
}

bool lft_allows(lfm2_constraint *constraint, const char *text)
{
    lfm2_matcher *m = lft_matcher(constraint);
    int32_t status = lfm2_matcher_accept_text(m, text, strlen(text));
    bool is = status == LFM2_OK && lfm2_matcher_is_complete(m) == 1;
    if (status != LFM2_OK) {
        assert_int_equal(status, LFM2_E_ARGUMENT);
    }
    lfm2_matcher_free(m);
    return is;
}
