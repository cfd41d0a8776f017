/* SPDX-License-Identifier: Apache-2.0 */
/* Compares answers with what eval expects: a text, tool calls, or JSON of a schema. */
#include "cli/eval/eval_score.h"
#include "cli/constrain/constrain.h"

#include <stdlib.h>
#include <string.h>

/* ---- What is expected ----------------------------------------------------------------------- */

/* {"name": "f", "arguments": {"x": [values that are accepted]}} */
static const char *call_problem(const lf_json *call)
{
    const lf_json *name = lf_json_get(call, "name");
    const lf_json *arguments = lf_json_get(call, "arguments");
    if (name == NULL || name->kind != LF_JSON_STRING) {
        return "an expected call needs a \"name\"";
    }
    if (arguments == NULL || arguments->kind != LF_JSON_OBJECT) {
        return "an expected call needs \"arguments\", an object";
    }
    for (const lf_json *x = arguments->child; x != NULL; x = x->next) {
        if (x->kind != LF_JSON_ARRAY || x->child == NULL) {
            return "an argument of an expected call needs a list of accepted values";
        }
    }
    return NULL;
}

const char *expectation_problem(const expectation *e)
{
    const char *problem = NULL;
    const int n = (e->text != NULL) + (e->calls != NULL) + (e->schema != NULL);
    if (n != 1) {
        return "one of \"expected\", \"expected_calls\" and \"schema\" is needed";
    }
    if (e->text != NULL && (e->text->kind != LF_JSON_STRING || e->text->len == 0)) {
        return "\"expected\" is no string, or empty";
    }
    if (e->calls != NULL && e->calls->kind != LF_JSON_ARRAY) {
        return "\"expected_calls\" is no array";
    }
    for (const lf_json *c = e->calls != NULL ? e->calls->child : NULL; c != NULL && problem == NULL;
         c = c->next) {
        problem = call_problem(c);
    }
    return problem;
}

/* ---- Constraints ---------------------------------------------------------------------------- */

int expectation_constrain(lfm2_model *model, const expectation *e, const text_buffer *tools,
                          const char *tool_choice, answer *a)
{
    constraint_text source = {.kind = 0};
    constraint_options o;
    reasoning_options reasoning;
    int code = EXIT_OK;
    constraint_options_init(&o);
    reasoning_options_init(&reasoning);
    if (e->schema != NULL) {
        source.kind = LFM2_CONSTRAINT_JSON_SCHEMA;
        code = json_append(&source.text, e->schema);
    } else if (tools->len > 0) {
        source.kind = LFM2_CONSTRAINT_TOOLS;
        o.tool_choice = tool_choice != NULL ? tool_choice : "auto";
        code = text_append(&source.text, tools->data, tools->len);
    }
    code = code == EXIT_OK ? answer_constrain(a, model, &o, &source, &reasoning) : code;
    text_free(&source.text);
    return code;
}

/* ---- Values --------------------------------------------------------------------------------- */

static bool equal(const lf_json *a, const lf_json *b);

static bool equal_lists(const lf_json *a, const lf_json *b)
{
    const lf_json *x = a->child;
    const lf_json *y = b->child;
    while (x != NULL && y != NULL && equal(x, y)) {
        x = x->next;
        y = y->next;
    }
    return x == NULL && y == NULL;
}

/* The member of `object` with the key of another member. */
static const lf_json *same_key(const lf_json *object, const lf_json *member)
{
    const lf_json *x = object->child;
    while (x != NULL &&
           (x->key_len != member->key_len || memcmp(x->key, member->key, member->key_len) != 0)) {
        x = x->next;
    }
    return x;
}

/* Recursion is as deep as the reader lets values nest: 512. */
static bool equal(const lf_json *a, const lf_json *b)
{
    double x = 0;
    double y = 1;
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case LF_JSON_NUMBER:
        return (lf_json_double(a, &x) && lf_json_double(b, &y) && x == y) ||
               (a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
    case LF_JSON_STRING:
        return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
    case LF_JSON_ARRAY:
        return equal_lists(a, b);
    case LF_JSON_OBJECT:
        for (const lf_json *m = a->child; m != NULL; m = m->next) {
            const lf_json *other = same_key(b, m);
            if (other == NULL || !equal(m, other)) {
                return false;
            }
        }
        return a->count == b->count;
    default:
        return true;
    }
}

/* ---- Calls ---------------------------------------------------------------------------------- */

/* Whether a list of accepted values has the value; without a value, whether it has "", which says
 * that the argument may be left out. */
static bool accepts(const lf_json *accepted, const lf_json *value)
{
    const lf_json *x = accepted->child;
    while (x != NULL && !(value != NULL ? equal(x, value) : lf_json_is_string(x, ""))) {
        x = x->next;
    }
    return x != NULL;
}

static bool is_call(const lf_json *expected, const lfm2_chat_call *call, const lf_json *arguments)
{
    const lf_json *name = lf_json_get(expected, "name");
    const lf_json *wanted = lf_json_get(expected, "arguments");
    bool out = name->len == call->name_len && memcmp(name->text, call->name, name->len) == 0;
    for (const lf_json *x = wanted->child; x != NULL && out; x = x->next) {
        out = accepts(x, same_key(arguments, x));
    }
    for (const lf_json *x = arguments->child; x != NULL && out; x = x->next) {
        out = same_key(wanted, x) != NULL;
    }
    return out;
}

/* Finds a call for an expected one among those that are not taken, and takes it. */
static bool take_call(const lf_json *expected, const answer *a, lf_arena *arena, bool *taken)
{
    const uint32_t n = answer_n_calls(a);
    for (uint32_t i = 0; i < n; i++) {
        lfm2_chat_call call = {.size = sizeof call};
        const lf_json *arguments = NULL;
        lfm2_chat_parser_get_call(a->parser, i, &call);
        if (!taken[i] &&
            lf_json_parse(arena, "arguments", LFM2_E_FORMAT, call.arguments, call.arguments_len,
                          &arguments) == LFM2_OK &&
            is_call(expected, &call, arguments)) {
            taken[i] = true;
            return true;
        }
    }
    return false;
}

static int compare_calls(const lf_json *expected, const answer *a, bool *right)
{
    const lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    const uint32_t n = answer_n_calls(a);
    bool *taken = calloc((size_t)n + 1, sizeof *taken);
    const int code = taken != NULL ? EXIT_OK : fail("cli.memory", "out of memory");
    *right = code == EXIT_OK && n == expected->count;
    for (const lf_json *x = expected->child; x != NULL && *right; x = x->next) {
        *right = take_call(x, a, &arena, taken);
    }
    free(taken);
    lf_arena_free(&arena);
    return code;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* Whether a text is a value that is valid under the schema, with its members in any order. */
static int compare_json(lfm2_model *model, const lf_json *schema, const char *text, size_t len,
                        bool *right)
{
    const lf_alloc alloc = lf_alloc_default();
    const lf_json *value = NULL;
    lfm2_constraint *constraint = NULL;
    lfm2_matcher *matcher = NULL;
    text_buffer ordered = {0};
    lf_arena arena;
    *right = false;
    lf_arena_init(&arena, &alloc);
    if (lf_json_parse(&arena, "answer", LFM2_E_FORMAT, text, len, &value) != LFM2_OK) {
        lf_arena_free(&arena);
        return EXIT_OK;
    }
    constraint_text source = {.kind = LFM2_CONSTRAINT_JSON_SCHEMA};
    constraint_options o;
    constraint_options_init(&o);
    int code = json_append(&source.text, schema);
    code = code == EXIT_OK ? constraint_open(model, &o, &source, LFM2_REASONING_NONE, &constraint)
                           : code;
    code = code == EXIT_OK ? order_text(constraint, value, LFM2_SPACE_JSON, &ordered) : code;
    if (code == EXIT_OK && lfm2_matcher_create(constraint, &matcher) != LFM2_OK) {
        code = fail_library();
    }
    *right = code == EXIT_OK &&
             lfm2_matcher_accept_text(matcher, ordered.data, ordered.len) == LFM2_OK &&
             lfm2_matcher_is_complete(matcher) == 1;
    lfm2_matcher_free(matcher);
    lfm2_constraint_free(constraint);
    text_free(&source.text);
    text_free(&ordered);
    lf_arena_free(&arena);
    return code;
}

/* ---- Answers -------------------------------------------------------------------------------- */

int expectation_compare(lfm2_model *model, const expectation *e, const answer *a,
                        const char *content, size_t len, bool *right)
{
    if (e->calls != NULL) {
        return compare_calls(e->calls, a, right);
    }
    if (e->schema != NULL) {
        return compare_json(model, e->schema, content, len, right);
    }
    *right = len == e->text->len && memcmp(content, e->text->text, len) == 0;
    return EXIT_OK;
}

int expectation_print(const expectation *e)
{
    text_buffer text = {0};
    int code = json_append(&text, e->text != NULL    ? e->text
                                  : e->calls != NULL ? e->calls
                                                     : e->schema);
    out_write(text.data, text.len);
    text_free(&text);
    return code;
}
