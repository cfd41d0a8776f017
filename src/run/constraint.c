/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles constraints: from their text to a grammar that is matched. */
#include "run/constraint.h"

#include "common/json.h"
#include "text/grammar/choices.h"
#include "text/grammar/free_text.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/schema.h"
#include "text/grammar/tools.h"

#include <string.h>

/* ---- Limits ---- */

static lf_grammar_limits limits_of(const lfm2_constraint_options *o)
{
    lf_grammar_limits limits;
    lf_grammar_limits_default(&limits);
    limits.compile_steps = o->compile_steps != 0 ? o->compile_steps : limits.compile_steps;
    limits.token_steps = o->token_steps != 0 ? o->token_steps : limits.token_steps;
    limits.memory = o->memory == 0         ? limits.memory
                    : o->memory > SIZE_MAX ? SIZE_MAX
                                           : (size_t)o->memory;
    limits.depth = o->depth != 0 ? o->depth : limits.depth;
    limits.stack = o->stack != 0 ? o->stack : limits.stack;
    return limits;
}

/* ---- Kinds ---- */

/* A JSON array of what is ignored, as it is written. */
typedef struct ignored_list {
    const lf_alloc *alloc;
    char *text; /* NULL: nothing is ignored */
    size_t len, size;
    int32_t status; /* of the last write */
} ignored_list;

typedef struct compilation {
    const lf_alloc *alloc;
    ignored_list *ignored;
    const lfm2_constraint_options *options;
    const lf_grammar_limits *limits;
    const lf_tokenizer *tokenizer;
    lf_grammar *grammar;
    const char *text;
    size_t len;
} compilation;

/* Keeps space for a closing bracket and a 0. */
static void write_ignored(void *user, const char *text, size_t len)
{
    ignored_list *list = user;
    if (list->status != LFM2_OK) {
        return;
    }
    if (list->size - list->len < len + 2) {
        void *p = NULL;
        size_t size = 2 * list->size + len + 64;
        list->status = lf_new(list->alloc, size, 1, "ignored keywords", &p);
        if (list->status != LFM2_OK) {
            return;
        }
        if (list->len > 0) {
            memcpy(p, list->text, list->len);
        }
        lf_free(list->alloc, list->text, list->size, 1);
        list->text = p;
        list->size = size;
    }
    memcpy(list->text + list->len, text, len);
    list->len += len;
    memcpy(list->text + list->len, "]", 2);
}

static int32_t note_ignored(void *user, const char *pointer, const char *why)
{
    ignored_list *list = user;
    const lf_json_writer writer = {.write = write_ignored, .user = list};
    lf_arena arena;
    void *line = NULL;
    size_t at = strlen(pointer);
    size_t len = at + 2 + strlen(why);
    lf_arena_init(&arena, list->alloc);
    LF_TRY(lf_arena_new(&arena, len, 1, "ignored keywords", &line));
    memcpy(line, pointer, at);
    memcpy((char *)line + at, ": ", 2);
    memcpy((char *)line + at + 2, why, len - at - 2);
    write_ignored(list, list->len == 0 ? "[" : ", ", list->len == 0 ? 1 : 2);
    lf_json_write_string(&writer, line, len);
    lf_arena_free(&arena);
    return list->status;
}

static lf_schema_options schema_options(const compilation *c)
{
    return (lf_schema_options){.alloc = c->alloc,
                               .limits = c->limits,
                               .space = (lf_schema_space)c->options->space,
                               .lenient = (c->options->flags & LFM2_CONSTRAINT_LENIENT) != 0,
                               .ignored = note_ignored,
                               .user = c->ignored};
}

static int32_t build_schema(const compilation *c, lf_node *out)
{
    const lf_schema_options options = schema_options(c);
    return lf_schema_build(c->grammar, &options, c->text, c->len, out);
}

static int32_t build_tools(const compilation *c, lf_node *out)
{
    const lf_tools_options options = {.schema = schema_options(c),
                                      .tokenizer = c->tokenizer,
                                      .choice = c->options->tool_choice,
                                      .name = c->options->tool_name,
                                      .one_call =
                                          (c->options->flags & LFM2_CONSTRAINT_ONE_CALL) != 0};
    return lf_tools_build(c->grammar, &options, c->text, c->len, out);
}

static int32_t build_gbnf(const compilation *c, lf_node *out)
{
    const lf_gbnf_options options = {c->alloc, c->limits, c->tokenizer};
    return lf_gbnf_build(c->grammar, &options, c->text, c->len, out);
}

static int32_t build(const compilation *c, int32_t kind, lf_node *out)
{
    switch (kind) {
    case LFM2_CONSTRAINT_JSON_SCHEMA:
        return build_schema(c, out);
    case LFM2_CONSTRAINT_REGEX:
        return lf_regex_build(c->grammar, "regex", c->text, c->len, out);
    case LFM2_CONSTRAINT_CHOICES:
        return lf_choices_build(c->grammar, "choices", c->text, c->len, out);
    case LFM2_CONSTRAINT_GBNF:
        return build_gbnf(c, out);
    case LFM2_CONSTRAINT_TOOLS:
        return build_tools(c, out);
    default:
        return lf_fail(LFM2_E_ARGUMENT, "constraint.option", "kind is %d", kind);
    }
}

/* ---- Constraints ---- */

/* The end token that is forced: EOS, or the one with the lowest id. -1: there is none. */
static int32_t find_end(const lf_tokenizer *tokenizer)
{
    uint32_t n = 0;
    const int32_t *ends = lf_tokenizer_ends(tokenizer, &n);
    int32_t eos = lf_tokenizer_eos(tokenizer);
    return eos >= 0 || n == 0 ? eos : ends[0];
}

/* Compiles the text to made->compiled. */
static int32_t compile(lfm2_constraint *made, int32_t kind, const char *text, size_t len,
                       const lfm2_constraint_options *options)
{
    const lf_alloc *alloc = &made->model->runtime->alloc;
    const lf_grammar_limits limits = limits_of(options);
    const lf_token_trie *trie = NULL;
    lf_grammar *grammar = NULL;
    lf_node root = LF_NODE_NONE;
    ignored_list ignored = {.alloc = alloc};
    LF_TRY(lf_model_trie(made->model, &trie));
    LF_TRY(lf_grammar_create(alloc, &limits, &grammar));
    const compilation c = {.alloc = alloc,
                           .ignored = &ignored,
                           .options = options,
                           .limits = &limits,
                           .tokenizer = made->model->tokenizer,
                           .grammar = grammar,
                           .text = text,
                           .len = len};
    int32_t status = build(&c, kind, &root);
    made->ignored = ignored.text;
    made->ignored_size = ignored.size;
    if (status == LFM2_OK) {
        status = lf_reasoning_before(grammar, alloc, c.tokenizer, options->reasoning, root, &root);
    }
    if (status != LFM2_OK) {
        lf_grammar_free(grammar);
        return status;
    }
    return lf_compiled_create(grammar, root, trie, &made->compiled);
}

int32_t lf_constraint_create(lfm2_model *model, int32_t kind, const char *text, size_t len,
                             const lfm2_constraint_options *options, lfm2_constraint **out)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    LF_TRY(lf_model_need_text(model));
    int32_t end_id = find_end(model->tokenizer);
    if (end_id < 0) {
        return lf_fail(LFM2_E_UNSUPPORTED, "constraint.no_end",
                       "the vocabulary has no token that ends a text");
    }
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof **out, "constraint", &p));
    lfm2_constraint *c = p;
    atomic_init(&c->refs, 1);
    c->model = lf_model_retain(model);
    c->end_id = end_id;
    int32_t status = compile(c, kind, text, len, options);
    if (status != LFM2_OK) {
        lf_constraint_free(c);
        return status;
    }
    *out = c;
    return LFM2_OK;
}

lfm2_constraint *lf_constraint_retain(lfm2_constraint *constraint)
{
    atomic_fetch_add(&constraint->refs, 1);
    return constraint;
}

void lf_constraint_free(lfm2_constraint *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1) {
        return;
    }
    lfm2_model *model = c->model;
    const lf_alloc *alloc = &model->runtime->alloc;
    lf_compiled_free(c->compiled);
    lf_free(alloc, c->ignored, c->ignored_size, 1);
    lf_free(alloc, c, 1, sizeof *c);
    lf_model_free(model);
}
