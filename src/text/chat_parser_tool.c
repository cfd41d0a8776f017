/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of answers: calls that are written as JSON objects with name and arguments. */
#include "text/chat_parser_internal.h"

#include "common/utf8.h"

#include <string.h>

lf_outcome lf_parser_key(lf_chat_parser *p)
{
    if (!lf_parser_skip_space(p)) {
        return LF_OUTCOME_MORE;
    }
    char c = p->source.data[p->pos];
    if (c == '}') {
        p->pos++;
        return lf_parser_close_tool(p);
    }
    if (c != '"' && c != '\'') {
        return LF_OUTCOME_FAIL;
    }
    p->scratch.len = 0;
    p->member_key = true;
    return lf_parser_open_string(p, LF_SINK_SCRATCH, false, false);
}

static bool key_is(const lf_chat_parser *p, const char *key)
{
    return p->scratch.len == strlen(key) && memcmp(p->scratch.data, key, p->scratch.len) == 0;
}

/* The member that p->scratch names. */
static lf_outcome find_member(lf_chat_parser *p)
{
    p->member = LF_MEMBER_OTHER;
    if (key_is(p, "name")) {
        p->member = LF_MEMBER_NAME;
    } else if (key_is(p, "arguments") || key_is(p, "parameters")) {
        p->member = LF_MEMBER_ARGUMENTS;
    } else if (key_is(p, "function")) {
        p->member = LF_MEMBER_FUNCTION;
    } else if (p->state == LF_STATE_TRIAL && !key_is(p, "id") && !key_is(p, "type")) {
        return LF_OUTCOME_FAIL;
    }
    bool again = (p->member == LF_MEMBER_NAME && p->started) ||
                 (p->member == LF_MEMBER_ARGUMENTS && p->has_arguments);
    return again ? LF_OUTCOME_FAIL : LF_OUTCOME_OK;
}

lf_outcome lf_parser_colon(lf_chat_parser *p)
{
    if (!lf_parser_skip_space(p)) {
        return LF_OUTCOME_MORE;
    }
    if (p->source.data[p->pos] != ':') {
        return LF_OUTCOME_FAIL;
    }
    p->pos++;
    p->phase = LF_PHASE_VALUE;
    return find_member(p);
}

/* Any value, which does not become part of the arguments. */
static lf_outcome begin_other(lf_chat_parser *p, char c)
{
    p->hold_at = p->args.len;
    p->wants_string = false;
    if (c == '"' || c == '\'') {
        return lf_parser_open_string(p, LF_SINK_ARGS, false, false);
    }
    if (c == '[' || c == '{') {
        p->pos++;
        return lf_parser_open(p, c == '[' ? LF_FRAME_LIST : LF_FRAME_BRACE);
    }
    p->token = (lf_slice){p->pos, 0};
    p->look = p->pos;
    p->phase = LF_PHASE_SCALAR;
    return lf_parser_is_word(c) ? LF_OUTCOME_OK : LF_OUTCOME_FAIL;
}

lf_outcome lf_parser_member_value(lf_chat_parser *p, char c)
{
    const bool string = c == '"' || c == '\'';
    if (p->member == LF_MEMBER_ARGUMENTS &&
        (c == 'n' || c == 'N')) { /* null: as if it were absent */
        p->member = LF_MEMBER_OTHER;
    }
    if (p->member == LF_MEMBER_OTHER) {
        return begin_other(p, c);
    }
    if (p->member == LF_MEMBER_ARGUMENTS && (string || c == '{')) {
        if (string) {
            return lf_parser_open_string(p, LF_SINK_RAW, false, false);
        }
        p->pos++;
        return lf_parser_open(p, LF_FRAME_BRACE);
    }
    if (p->member == LF_MEMBER_FUNCTION && c == '{' && p->n_frames == 1) {
        p->pos++;
        return lf_parser_open(p, LF_FRAME_TOOL);
    }
    if (p->member != LF_MEMBER_ARGUMENTS && string && !p->started) {
        p->scratch.len = 0;
        return lf_parser_open_string(p, LF_SINK_SCRATCH, false, false);
    }
    return LF_OUTCOME_FAIL;
}

/* p->scratch is the name of the function. */
static lf_outcome take_name(lf_chat_parser *p)
{
    const char *name = p->scratch.data;
    for (size_t i = 0; i < p->scratch.len; i++) {
        if ((unsigned char)name[i] < ' ') {
            return LF_OUTCOME_FAIL;
        }
    }
    if (p->scratch.len == 0 || !lf_utf8_valid(name, p->scratch.len)) {
        return LF_OUTCOME_FAIL;
    }
    return lf_parser_start(p, name, p->scratch.len) ? LF_OUTCOME_OK : LF_OUTCOME_BROKEN;
}

lf_outcome lf_parser_member_done(lf_chat_parser *p)
{
    if (p->member == LF_MEMBER_OTHER && p->hold_at != SIZE_MAX) {
        p->args.len = p->hold_at;
        p->hold_at = SIZE_MAX;
    } else if (p->member == LF_MEMBER_ARGUMENTS) {
        p->has_arguments = true;
    } else if (p->member == LF_MEMBER_NAME || p->member == LF_MEMBER_FUNCTION) {
        return take_name(p);
    }
    return LF_OUTCOME_OK;
}

lf_outcome lf_parser_close_tool(lf_chat_parser *p)
{
    p->n_frames--;
    if (p->n_frames > 0) { /* that of "function" */
        p->phase = LF_PHASE_AFTER;
        return LF_OUTCOME_OK;
    }
    if (!p->started || (!p->has_arguments && p->state == LF_STATE_TRIAL)) {
        return LF_OUTCOME_FAIL;
    }
    if (!p->has_arguments && !lf_parser_add(p, &p->args, "{}", 2)) {
        return LF_OUTCOME_BROKEN;
    }
    return lf_parser_complete(p, p->pos);
}
