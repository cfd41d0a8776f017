/* SPDX-License-Identifier: Apache-2.0 */
/* Compares answers with what eval expects of them. Functions return an exit code, after a message
 * unless it is EXIT_OK. */
#ifndef LFM2_CLI_EVAL_SCORE_H
#define LFM2_CLI_EVAL_SCORE_H

#include "cli/support/answer_calls.h"
#include "cli/support/json.h"

/* What a line of the file expects: exactly one of these. Values are the caller's. */
typedef struct expectation {
    const lf_json *text;   /* a string: the whole answer */
    const lf_json *calls;  /* an array: the calls, in any order */
    const lf_json *schema; /* the answer is JSON that is valid under it */
} expectation;

/* Why the value of a member is no expectation of its kind; NULL: it is one. */
const char *expectation_problem(const expectation *e);

/* Constrains the answer to what it is expected to look like: JSON of the schema, or calls of the
 * tools, if there are any. `tool_choice` is "auto", "none", "required", the name of a tool, or NULL
 * for "auto". */
int expectation_constrain(lfm2_model *model, const expectation *e, const text_buffer *tools,
                          const char *tool_choice, answer *a);

/* Whether the answer is right. `content` is its text without reasoning. */
int expectation_compare(lfm2_model *model, const expectation *e, const answer *a,
                        const char *content, size_t len, bool *right);

/* Prints what is expected. */
int expectation_print(const expectation *e);

#endif /* LFM2_CLI_EVAL_SCORE_H */
