/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles a JSON Schema into a grammar of the JSON texts that are valid under it. SCHEMA.md says
 * which keywords are enforced, which are refused, and which spellings of a value are written. */
#ifndef LF_GRAMMAR_SCHEMA_H
#define LF_GRAMMAR_SCHEMA_H

#include "common/json.h"
#include "text/grammar/grammar.h"

typedef enum lf_schema_space {
    LF_SCHEMA_SPACE_JSON,    /* one space after each colon and comma, none elsewhere */
    LF_SCHEMA_SPACE_COMPACT, /* none */
    LF_SCHEMA_SPACE_FLEXIBLE /* everywhere at most one space, or a newline and an indent */
} lf_schema_space;

typedef struct lf_schema_options {
    const lf_alloc *alloc;
    const lf_grammar_limits *limits;
    lf_schema_space space;
    /* Ignore what cannot be enforced; otherwise it is refused. */
    bool lenient;
    /* Python's literals instead of JSON: True, False, None, strings in either quotes. */
    bool python;
    /* The value is an object without braces and its keys without quotes, as the arguments of a call
     * are written: a=1, b='x'. It has no other properties than those with a name. */
    bool arguments;
    /* Called, unless NULL, for each keyword that is ignored although a validator may assert it:
     * `pointer` is its JSON pointer. Formats that no draft defines are reported too, also if
     * `lenient` is false. A status that is not OK ends the compilation. */
    int32_t (*ignored)(void *user, const char *pointer, const char *why);
    void *user;
} lf_schema_options;

/* Builds the grammar of a schema. Errors: TEXT (the text is no JSON; the value of a keyword has the
 * wrong type: "schema.invalid"; a pattern has a syntax error; no value is valid: "schema.empty"),
 * UNSUPPORTED "schema.unsupported" (the message begins with the JSON pointer of the keyword),
 * LIMIT, MEMORY. */
int32_t lf_schema_build(lf_grammar *grammar, const lf_schema_options *options, const char *text,
                        size_t len, lf_node *out);

/* The same for a schema that is a value of a larger document. `schema` is not used after the call.
 * References are relative to the schema. */
int32_t lf_schema_build_json(lf_grammar *grammar, const lf_schema_options *options,
                             const lf_json *schema, lf_node *out);

#endif /* LF_GRAMMAR_SCHEMA_H */
