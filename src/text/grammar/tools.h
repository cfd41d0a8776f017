/* SPDX-License-Identifier: Apache-2.0 */
/* Tool calls as LFM2 writes them: lists of Python calls between two control tokens. */
#ifndef LF_GRAMMAR_TOOLS_H
#define LF_GRAMMAR_TOOLS_H

#include "text/grammar/schema.h"
#include "text/tokenizer.h"

typedef struct lf_tools_options {
    lf_schema_options schema; /* of the parameters; `python`, `arguments` and `space` are set */
    const lf_tokenizer *tokenizer;
    int32_t choice;   /* LFM2_TOOL_CHOICE_* */
    const char *name; /* with LFM2_TOOL_CHOICE_NAMED */
    bool one_call;    /* at most one */
} lf_tools_options;

/* Builds the grammar of a text that may, must or must not call tools, which are a JSON array in
 * OpenAI's format, or an object with it as "tools" and maybe "content_schema". Messages name the
 * tool. Errors: TEXT (the list is invalid, has no tool although
 * one must be called, or not the tool with `name`), UNSUPPORTED (the vocabulary has no tokens of
 * calls; those of lf_schema_build), MEMORY, LIMIT. */
int32_t lf_tools_build(lf_grammar *grammar, const lf_tools_options *options, const char *text,
                       size_t len, lf_node *out);

#endif /* LF_GRAMMAR_TOOLS_H */
