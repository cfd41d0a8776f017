/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of answers: blocks of calls, and what is no call in them. */
#include "text/chat_parser_internal.h"

#include "common/utf8.h"

#include <string.h>

void lf_parser_begin_block(lf_chat_parser *p, lf_parser_state state, size_t begin, size_t body)
{
    p->state = state;
    p->phase = LF_PHASE_BETWEEN;
    p->block = (lf_slice){begin, body};
    p->first_call = (uint32_t)p->calls.n;
    p->failed.n = 0;
    p->bracket = p->closed = false;
    p->trial_fresh = !p->visible;
    p->trial_line = p->line_start;
    p->trial_object = p->trial_list = false;
    p->pos = body;
    p->started = false;
    p->n_frames = 0;
}

static const lf_json *function_of(const lf_json *tool)
{
    const lf_json *function = lf_json_get(tool, "function");
    return function != NULL ? function : tool;
}

const lf_json *lf_parser_tool(const lf_chat_parser *p, const char *name, size_t len)
{
    const lf_json *tool = p->tools != NULL ? p->tools->child : NULL;
    for (; tool != NULL; tool = tool->next) {
        const lf_json *known = lf_json_get(function_of(tool), "name");
        if (known != NULL && known->kind == LF_JSON_STRING && known->len == len &&
            memcmp(known->text, name, len) == 0) {
            return function_of(tool);
        }
    }
    return NULL;
}

/* ---- What is no call ---- */

/* Makes the text of an element that is no call content: at once if the block has a call, else when
 * it has one. A block without calls becomes content as a whole. */
static bool add_failed(lf_chat_parser *p, size_t begin, size_t end)
{
    while (end > begin && lf_parser_is_space(p->source.data[end - 1])) {
        end--;
    }
    if (p->calls.n > p->first_call) {
        return lf_parser_content(p, begin, end);
    }
    if (!lf_parser_grow(p, &p->failed, sizeof(lf_slice))) {
        return false;
    }
    ((lf_slice *)p->failed.items)[p->failed.n++] = (lf_slice){begin, end};
    return true;
}

static bool release_failed(lf_chat_parser *p)
{
    const lf_slice *failed = p->failed.items;
    for (size_t i = 0; i < p->failed.n; i++) {
        if (!lf_parser_content(p, failed[i].begin, failed[i].end)) {
            return false;
        }
    }
    p->failed.n = 0;
    return true;
}

/* The open element is no call: its end is searched. */
static bool fail_element(lf_chat_parser *p)
{
    p->skip_depth = p->n_frames;
    p->skip_quote = p->phase == LF_PHASE_STRING ? p->string.quote : '\0';
    p->skip_escape = false;
    p->n_frames = 0;
    p->phase = LF_PHASE_SKIP;
    return lf_parser_withdraw(p);
}

static void skip_in_string(lf_chat_parser *p, char c)
{
    if (p->skip_escape) {
        p->skip_escape = false;
    } else if (c == '\\') {
        p->skip_escape = true;
    } else if (c == p->skip_quote) {
        p->skip_quote = '\0';
    }
}

static lf_outcome skip(lf_chat_parser *p)
{
    for (; p->pos < p->limit; p->pos++) {
        char c = p->source.data[p->pos];
        if (p->skip_quote != '\0') {
            skip_in_string(p, c);
        } else if (p->skip_depth == 0 && (c == ',' || c == ';' || c == (p->bracket ? ']' : '['))) {
            p->phase = LF_PHASE_BETWEEN;
            return add_failed(p, p->begin, p->pos) ? LF_OUTCOME_OK : LF_OUTCOME_BROKEN;
        } else if (p->skip_depth > 0 && (c == '"' || c == '\'')) {
            p->skip_quote = c;
        } else if (c == '(' || c == '[' || c == '{') {
            p->skip_depth++;
        } else if (p->skip_depth > 0 && (c == ')' || c == ']' || c == '}')) {
            p->skip_depth--;
        }
    }
    return LF_OUTCOME_MORE;
}

/* ---- Elements ---- */

static void begin_element(lf_chat_parser *p)
{
    p->begin = p->pos;
    p->call = (lf_call){.args = p->args.len};
    p->started = false;
    p->start_number = UINT64_MAX;
    p->hold_at = SIZE_MAX;
    p->has_arguments = false;
    p->token = (lf_slice){p->pos, 0};
    p->look = p->pos;
}

static lf_outcome between(lf_chat_parser *p)
{
    if (!lf_parser_skip_space(p)) {
        return LF_OUTCOME_MORE;
    }
    char c = p->source.data[p->pos];
    bool trial = p->state == LF_STATE_TRIAL;
    bool after_list = p->closed && c != '['; /* without a start token, lists only follow lists */
    if (trial && (after_list || (c == ',' && p->calls.n == p->first_call))) {
        return LF_OUTCOME_FAIL;
    }
    if (c == ',' || c == ';' || c == (p->bracket ? ']' : '[')) {
        p->closed = c == ']';
        p->bracket = c == '[' || (p->bracket && c != ']');
        p->trial_list = p->trial_list || c == '[';
        p->pos++;
        return LF_OUTCOME_OK;
    }
    begin_element(p);
    if (c == '{') {
        p->trial_object = true;
        p->pos++;
        return lf_parser_open(p, LF_FRAME_TOOL);
    }
    if (!lf_parser_is_letter(c) && c != '_') { /* of an expression such as f() + g() */
        return LF_OUTCOME_FAIL;
    }
    p->phase = LF_PHASE_NAME;
    return LF_OUTCOME_OK;
}

/* Whether a known function begins with the text, or is the text if `whole`. */
static bool may_be_known(const lf_chat_parser *p, const char *text, size_t len, bool whole)
{
    const lf_json *tool = p->tools != NULL ? p->tools->child : NULL;
    for (; tool != NULL; tool = tool->next) {
        const lf_json *known = lf_json_get(function_of(tool), "name");
        if (known != NULL && known->kind == LF_JSON_STRING &&
            (whole ? known->len == len : known->len >= len) &&
            memcmp(known->text, text, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes the word that p->token is. */
static lf_outcome take_word(lf_chat_parser *p, lf_phase next)
{
    lf_outcome outcome = lf_parser_word(p);
    if (outcome == LF_OUTCOME_OK) {
        p->pos = p->token.end;
        p->phase = next;
        const char *word = p->source.data + p->token.begin;
        return lf_utf8_valid(word, p->pos - p->token.begin) ? LF_OUTCOME_OK : LF_OUTCOME_FAIL;
    }
    return outcome;
}

/* The name of a function. Most answers begin with a word: if the functions are known, text that may
 * be no call is not held back for others. */
static lf_outcome name(lf_chat_parser *p)
{
    lf_outcome outcome = take_word(p, LF_PHASE_OPEN);
    const char *text = p->source.data + p->token.begin;
    bool whole = outcome == LF_OUTCOME_OK;
    if (p->state == LF_STATE_TRIAL && !p->bracket && p->tools != NULL &&
        !may_be_known(p, text, p->look - p->token.begin, whole)) {
        return LF_OUTCOME_FAIL;
    }
    return outcome;
}

/* What follows the name of a function. In text that may be no call, white space does not. */
static lf_outcome open_call(lf_chat_parser *p)
{
    const char *name = p->source.data + p->token.begin;
    size_t len = p->token.end - p->token.begin;
    if (p->state == LF_STATE_TRIAL ? p->pos == p->limit : !lf_parser_skip_space(p)) {
        return LF_OUTCOME_MORE;
    }
    if (p->source.data[p->pos] != '(') {
        return LF_OUTCOME_FAIL;
    }
    p->pos++;
    const lf_json *parameters = lf_json_get(lf_parser_tool(p, name, len), "parameters");
    p->properties = lf_json_get(parameters, "properties");
    if (!lf_parser_start(p, name, len)) {
        return LF_OUTCOME_BROKEN;
    }
    return lf_parser_open(p, LF_FRAME_CALL);
}

/* "**{": the members of the dict are arguments. */
static lf_outcome spread(lf_chat_parser *p)
{
    const char *text = p->source.data;
    size_t at = p->pos + 1;
    if (at < p->limit && text[at] == '*') {
        at++;
        while (at < p->limit && at < p->pos + LF_PARSER_WINDOW && lf_parser_is_space(text[at])) {
            at++;
        }
    }
    if (at == p->limit && !p->final) {
        return LF_OUTCOME_MORE;
    }
    if (at == p->limit || at == p->pos + 1 || text[at] != '{') {
        return LF_OUTCOME_FAIL;
    }
    p->pos = at + 1;
    return lf_parser_open(p, LF_FRAME_SPREAD);
}

/* An argument, or the end of the call. */
static lf_outcome argument(lf_chat_parser *p)
{
    if (!lf_parser_skip_space(p)) {
        return LF_OUTCOME_MORE;
    }
    char c = p->source.data[p->pos];
    if (c == ')') {
        p->pos++;
        p->n_frames = 0;
        return lf_parser_add(p, &p->args, "}", 1) ? lf_parser_complete(p, p->pos)
                                                  : LF_OUTCOME_BROKEN;
    }
    if (c == '*') {
        return spread(p);
    }
    p->token = (lf_slice){p->pos, 0};
    p->look = p->pos;
    p->phase = LF_PHASE_ARGUMENT_NAME;
    return lf_parser_is_word(c) ? LF_OUTCOME_OK : LF_OUTCOME_FAIL;
}

/* Whether a schema allows strings and no numbers. */
static bool allows_strings_only(const lf_json *schema)
{
    const lf_json *type = lf_json_get(schema, "type");
    bool strings = lf_json_is_string(type, "string");
    if (type != NULL && type->kind == LF_JSON_ARRAY) {
        for (const lf_json *t = type->child; t != NULL; t = t->next) {
            if (lf_json_is_string(t, "number") || lf_json_is_string(t, "integer")) {
                return false;
            }
            strings = strings || lf_json_is_string(t, "string");
        }
    }
    return strings;
}

static const lf_json *property(const lf_chat_parser *p, const char *name, size_t len)
{
    const lf_json *at = p->properties != NULL && p->properties->kind == LF_JSON_OBJECT
                            ? p->properties->child
                            : NULL;
    while (at != NULL && (at->key_len != len || memcmp(at->key, name, len) != 0)) {
        at = at->next;
    }
    return at;
}

static lf_outcome equals(lf_chat_parser *p)
{
    const char *name = p->source.data + p->token.begin;
    size_t len = p->token.end - p->token.begin;
    if (!lf_parser_skip_space(p)) {
        return LF_OUTCOME_MORE;
    }
    if (p->source.data[p->pos] != '=') {
        return LF_OUTCOME_FAIL;
    }
    p->pos++;
    if (!lf_parser_begin_item(p) || !lf_parser_add(p, &p->args, "\"", 1) ||
        !lf_parser_put(p, LF_SINK_ARGS, name, len) || !lf_parser_add(p, &p->args, "\": ", 3)) {
        return LF_OUTCOME_BROKEN;
    }
    p->wants_string = allows_strings_only(property(p, name, len));
    p->phase = LF_PHASE_VALUE;
    return LF_OUTCOME_OK;
}

static lf_outcome read_next(lf_chat_parser *p)
{
    switch (p->phase) {
    case LF_PHASE_BETWEEN:
        return between(p);
    case LF_PHASE_NAME:
        return name(p);
    case LF_PHASE_OPEN:
        return open_call(p);
    case LF_PHASE_ARGUMENT:
        return argument(p);
    case LF_PHASE_ARGUMENT_NAME:
        return take_word(p, LF_PHASE_EQUALS);
    case LF_PHASE_EQUALS:
        return equals(p);
    case LF_PHASE_KEY:
        return lf_parser_key(p);
    case LF_PHASE_COLON:
        return lf_parser_colon(p);
    case LF_PHASE_VALUE:
        return lf_parser_value(p);
    case LF_PHASE_SCALAR:
        return lf_parser_scalar(p);
    case LF_PHASE_STRING:
        return lf_parser_string(p);
    case LF_PHASE_AFTER:
        return lf_parser_after(p);
    default:
        return skip(p);
    }
}

/* ---- Ends ---- */

static void leave(lf_chat_parser *p, size_t pos)
{
    p->state = LF_STATE_CONTENT;
    p->after_reasoning = false;
    p->n_frames = 0;
    p->started = false;
    p->pos = pos;
}

static bool fail_trial(lf_chat_parser *p)
{
    uint32_t first = p->first_call;
    if (p->phase != LF_PHASE_BETWEEN && !lf_parser_withdraw(p)) {
        return false;
    }
    lf_parser_drop(p, first);
    leave(p, p->pos > p->block.begin ? p->pos : p->block.begin + 1);
    return lf_parser_content(p, p->block.begin, p->pos);
}

static lf_slice trimmed(const lf_chat_parser *p, lf_slice s)
{
    while (s.begin < s.end && lf_parser_is_space(p->source.data[s.begin])) {
        s.begin++;
    }
    while (s.begin < s.end && lf_parser_is_space(p->source.data[s.end - 1])) {
        s.end--;
    }
    return s;
}

/* Whether the text of the trial repeats the block before it: models echo their calls. */
static bool is_echo(const lf_chat_parser *p)
{
    lf_slice a = trimmed(p, (lf_slice){p->block.begin, p->limit});
    lf_slice b = trimmed(p, p->last_body);
    return a.end - a.begin == b.end - b.begin &&
           memcmp(p->source.data + a.begin, p->source.data + b.begin, a.end - a.begin) == 0;
}

static bool names_are_known(const lf_chat_parser *p)
{
    for (size_t i = p->first_call; i < p->calls.n; i++) {
        const lf_call *call = (const lf_call *)p->calls.items + i;
        if (lf_parser_tool(p, p->strings.data + call->name, call->name_len) == NULL) {
            return false;
        }
    }
    return true;
}

/* Whether text without a start token, which ends at p->limit, is calls. An end token says so.
 * Otherwise the functions must be known, or the text must be all that follows the reasoning. */
static bool is_confirmed(const lf_chat_parser *p)
{
    if (p->phase != LF_PHASE_BETWEEN || p->bracket || p->calls.n == p->first_call) {
        return false;
    }
    if (p->follow == LF_DELIMITER_CALL_END) {
        return !is_echo(p);
    }
    if (p->follow != LF_DELIMITER_NONE && p->follow != LF_DELIMITER_TURN_END) {
        return false;
    }
    if (p->tools != NULL) {
        return (p->trial_fresh || p->trial_line) && names_are_known(p) && !is_echo(p);
    }
    return p->trial_fresh && p->after_reasoning && (p->trial_list || p->trial_object);
}

static bool end_trial(lf_chat_parser *p)
{
    if (!is_confirmed(p)) {
        p->pos = p->limit;
        return fail_trial(p);
    }
    bool ended = p->follow == LF_DELIMITER_CALL_END;
    p->last_body = (lf_slice){p->block.begin, p->limit};
    leave(p, ended ? p->follow_end : p->limit);
    p->visible = false;
    p->line_start = true;
    return lf_parser_release(p, p->first_call);
}

static bool end_block(lf_chat_parser *p)
{
    size_t limit = p->limit;
    size_t end = p->follow == LF_DELIMITER_CALL_END ? p->follow_end : limit;
    if (p->phase != LF_PHASE_BETWEEN) {
        if ((p->phase != LF_PHASE_SKIP && !lf_parser_withdraw(p)) ||
            !add_failed(p, p->begin, limit)) {
            return false;
        }
    }
    p->phase = LF_PHASE_BETWEEN;
    leave(p, end);
    if (p->calls.n == p->first_call) {
        return lf_parser_content(p, p->block.begin, end);
    }
    p->last_body = (lf_slice){p->block.end, limit};
    p->visible = false;
    p->line_start = true;
    return true;
}

bool lf_parser_run_block(lf_chat_parser *p)
{
    const bool trial = p->state == LF_STATE_TRIAL;
    lf_outcome result = LF_OUTCOME_OK;
    while (result == LF_OUTCOME_OK) {
        result = read_next(p);
        if (result == LF_OUTCOME_FAIL && trial) {
            return fail_trial(p);
        }
        if (result == LF_OUTCOME_FAIL) {
            result = fail_element(p) ? LF_OUTCOME_OK : LF_OUTCOME_BROKEN;
        }
        if (result == LF_OUTCOME_OK && p->failed.n > 0 && p->calls.n > p->first_call &&
            !release_failed(p)) {
            result = LF_OUTCOME_BROKEN;
        }
    }
    if (result == LF_OUTCOME_BROKEN) {
        return false;
    }
    if (p->final) {
        return trial ? end_trial(p) : end_block(p);
    }
    return true;
}
