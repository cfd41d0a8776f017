/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the grammar of texts with tool calls:
 *
 *     <|tool_call_start|>[name(a=1, b='x'), other()]<|tool_call_end|>
 *
 * Text around calls and everything between "<think>" and "</think>" is free. */
#include "text/grammar/tools.h"

#include "common/json.h"
#include "common/utf8.h"
#include "text/grammar/free_text.h"

#include <string.h>

static const char start_name[] = "<|tool_call_start|>";
static const char end_name[] = "<|tool_call_end|>";

typedef struct tools {
    lf_grammar *grammar;
    const lf_tools_options *options;
    int32_t start, end;     /* the tokens of calls */
    const lf_json *content; /* the schema of a text without calls; NULL = free text */
} tools;

static lf_node text_node(const tools *t, const char *text, size_t len)
{
    return lf_grammar_text(t->grammar, lf_rx_text(lf_grammar_rx(t->grammar), text, len));
}

static lf_node any_number(const tools *t, lf_node item)
{
    return lf_grammar_repeat(t->grammar, item, 0, LF_RX_UNLIMITED);
}

static lf_node optional(const tools *t, lf_node item)
{
    return lf_grammar_repeat(t->grammar, item, 0, 1);
}

/* ---- Calls ---- */

/* Names are written as they are, so they must not look like something else. */
static bool is_name(const lf_json *name)
{
    if (name == NULL || name->kind != LF_JSON_STRING || name->len == 0) {
        return false;
    }
    for (size_t i = 0; i < name->len; i++) {
        uint8_t c = (uint8_t)name->text[i];
        if (c <= ' ' || c == 0x7F || strchr("()[]{}=,'\"", c) != NULL) {
            return false;
        }
    }
    return true;
}

/* The arguments of a call: the object that the parameters describe. */
static int32_t build_arguments(const tools *t, const lf_json *function, lf_node *out)
{
    const lf_json *parameters = lf_json_get(function, "parameters");
    *out = LF_NODE_EMPTY;
    if (parameters == NULL || parameters->kind == LF_JSON_NULL) {
        return LFM2_OK;
    }
    lf_schema_options options = t->options->schema;
    options.space = LF_SCHEMA_SPACE_JSON;
    options.python = true;
    options.arguments = true;
    return lf_schema_build_json(t->grammar, &options, parameters, out);
}

/* The call of a tool. `index` is its place in the list. */
static int32_t build_call(const tools *t, const lf_json *tool, uint32_t index, lf_node *out)
{
    const lf_json *function = lf_json_get(tool, "function");
    function = function != NULL ? function : tool;
    const lf_json *name = lf_json_get(function, "name");
    if (!is_name(name)) {
        return lf_fail(LFM2_E_TEXT, "tools.name",
                       "tool %u: \"name\" must be a string without blanks, brackets, quotes, '=' "
                       "and ','",
                       index);
    }
    *out = LF_NODE_NONE;
    if (t->options->choice == LFM2_TOOL_CHOICE_NAMED &&
        !lf_json_is_string(name, t->options->name)) {
        return LFM2_OK;
    }
    lf_node items[4] = {text_node(t, name->text, name->len), text_node(t, "(", 1), LF_NODE_EMPTY,
                        text_node(t, ")", 1)};
    int32_t status = build_arguments(t, function, &items[2]);
    if (status != LFM2_OK) {
        lf_shown shown;
        return lf_fail_prefix(status, "tool '%s': ", lf_show(&shown, name->text, name->len));
    }
    *out = lf_grammar_sequence(t->grammar, items, 4);
    return LFM2_OK;
}

/* Any of the calls; LF_NODE_NONE if there is none. */
static int32_t build_calls(const tools *t, const lf_json *list, lf_node *out)
{
    uint32_t index = 0;
    *out = LF_NODE_NONE;
    for (const lf_json *tool = list->child; tool != NULL; tool = tool->next) {
        lf_node either[2] = {*out, LF_NODE_NONE};
        LF_TRY(build_call(t, tool, index++, &either[1]));
        *out = lf_grammar_choice(t->grammar, either, 2);
    }
    return LFM2_OK;
}

/* The calls between their tokens. */
static lf_node block_of(const tools *t, lf_node call)
{
    if (call == LF_NODE_NONE) {
        return LF_NODE_NONE;
    }
    const lf_node more[2] = {text_node(t, ", ", 2), call};
    lf_node others = t->options->one_call ? LF_NODE_EMPTY
                                          : any_number(t, lf_grammar_sequence(t->grammar, more, 2));
    const lf_node items[6] = {lf_grammar_token(t->grammar, t->start),
                              text_node(t, "[", 1),
                              call,
                              others,
                              text_node(t, "]", 1),
                              lf_grammar_token(t->grammar, t->end)};
    return lf_grammar_sequence(t->grammar, items, 6);
}

/* ---- Free text ---- */

/* Text with `block` at any place, or at one place at most. */
static int32_t build_free(const tools *t, lf_node block, lf_node *out)
{
    const lf_tools_options *o = t->options;
    lf_reasoning_marks marks = lf_reasoning_find(o->tokenizer);
    /* The end token alone would make a call of a text that is not constrained. */
    const int32_t excluded[3] = {t->start, t->end, marks.start};
    lf_node unit = LF_NODE_NONE;
    lf_node think[2] = {LF_NODE_NONE, LF_NODE_NONE};
    lf_node open = LF_NODE_EMPTY; /* reasoning that the text ends in */
    LF_TRY(lf_free_unit(t->grammar, o->schema.alloc, o->tokenizer, excluded, 3, &unit));
    if (marks.start >= 0) {
        lf_node inside = LF_NODE_NONE;
        LF_TRY(lf_free_unit(t->grammar, o->schema.alloc, o->tokenizer, &marks.end, 1, &inside));
        LF_TRY(lf_reasoning_rest(t->grammar, o->schema.alloc, o->tokenizer, &think[1]));
        think[0] = lf_grammar_token(t->grammar, marks.start);
        const lf_node last[2] = {think[0], any_number(t, inside)};
        open = optional(t, lf_grammar_sequence(t->grammar, last, 2));
    }
    lf_node text = any_number(t, unit);
    lf_node reasoning = lf_grammar_sequence(t->grammar, think, 2);
    const lf_node either[2] = {reasoning, o->one_call ? LF_NODE_NONE : block};
    const lf_node part[2] = {lf_grammar_choice(t->grammar, either, 2), text};
    const lf_node parts[2] = {text, any_number(t, lf_grammar_sequence(t->grammar, part, 2))};
    lf_node free = lf_grammar_sequence(t->grammar, parts, 2);
    const lf_node once[2] = {block, free};
    lf_node called =
        o->one_call ? optional(t, lf_grammar_sequence(t->grammar, once, 2)) : LF_NODE_EMPTY;
    const lf_node whole[3] = {free, called, open};
    *out = lf_grammar_sequence(t->grammar, whole, 3);
    return LFM2_OK;
}

/* ---- The list ---- */

/* A text without calls, or one that is only a list of calls. */
static int32_t build_content(const tools *t, lf_node block, lf_node *out)
{
    if (t->content == NULL) {
        return build_free(t, block, out);
    }
    lf_node either[2] = {block, LF_NODE_NONE};
    int32_t status = lf_schema_build_json(t->grammar, &t->options->schema, t->content, &either[1]);
    if (status != LFM2_OK) {
        return lf_fail_prefix(status, "content_schema: ");
    }
    *out = lf_grammar_choice(t->grammar, either, 2);
    return LFM2_OK;
}

static int32_t build_list(const tools *t, const lf_json *list, lf_node *out)
{
    const lf_tools_options *o = t->options;
    lf_node call = LF_NODE_NONE;
    if (list == NULL || list->kind != LF_JSON_ARRAY) {
        return lf_fail(LFM2_E_TEXT, "tools.list", "tools: not a JSON array");
    }
    if (o->choice == LFM2_TOOL_CHOICE_NONE) {
        return build_content(t, LF_NODE_NONE, out);
    }
    LF_TRY(build_calls(t, list, &call));
    LF_TRY(lf_grammar_status(t->grammar));
    if (o->choice == LFM2_TOOL_CHOICE_AUTO) {
        return build_content(t, block_of(t, call), out);
    }
    if (call == LF_NODE_NONE) {
        bool named = o->choice == LFM2_TOOL_CHOICE_NAMED;
        lf_shown shown;
        return lf_fail(LFM2_E_TEXT, "tools.missing", "tools: there is no tool%s%s%s",
                       named ? " '" : "", named ? lf_show(&shown, o->name, strlen(o->name)) : "",
                       named ? "'" : "");
    }
    *out = block_of(t, call);
    return LFM2_OK;
}

int32_t lf_tools_build(lf_grammar *grammar, const lf_tools_options *options, const char *text,
                       size_t len, lf_node *out)
{
    tools t = {.grammar = grammar,
               .options = options,
               .start = lf_tokenizer_find_added(options->tokenizer, start_name),
               .end = lf_tokenizer_find_added(options->tokenizer, end_name)};
    if (!lf_tokenizer_is_control(options->tokenizer, t.start) ||
        !lf_tokenizer_is_control(options->tokenizer, t.end)) {
        return lf_fail(LFM2_E_UNSUPPORTED, "tools.tokens",
                       "the vocabulary has no tokens '%s' and '%s'", start_name, end_name);
    }
    const lf_json *list = NULL;
    lf_arena arena;
    lf_arena_init(&arena, options->schema.alloc);
    int32_t status = lf_grammar_json(options->schema.limits, &arena, "tools", text, len, &list);
    if (status == LFM2_OK && list->kind == LF_JSON_OBJECT) {
        t.content = lf_json_get(list, "content_schema");
        list = lf_json_get(list, "tools");
    }
    if (status == LFM2_OK) {
        lf_grammar_charge(grammar, arena.total);
        status = build_list(&t, list, out);
        lf_grammar_refund(grammar, arena.total);
    }
    lf_arena_free(&arena);
    return status != LFM2_OK ? status : lf_grammar_status(grammar);
}
