/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of answers: which quote ends a string. Models write quotes inside strings without
 * escaping them, so a quote ends a string only if what follows continues the call. */
#include "text/chat_parser_internal.h"

/* What a look ahead finds. */
typedef enum sight { YES, NO, MORE } sight;

typedef struct window {
    const lf_chat_parser *p;
    size_t at, end;
} window;

/* Skips white space. False if nothing else is in the window; then *out says what that means. */
static bool skip_space(window *w, sight *out)
{
    while (w->at < w->end && lf_parser_is_space(w->p->source.data[w->at])) {
        w->at++;
    }
    if (w->at < w->end) {
        return true;
    }
    *out = w->end < w->p->limit || w->p->final ? YES : MORE;
    return false;
}

static char next_char(const window *w)
{
    return w->p->source.data[w->at];
}

/* A word and `then`, such as name and "=". */
static sight word_then(window *w, char then)
{
    sight out = NO;
    if (!lf_parser_is_word(next_char(w))) {
        return NO;
    }
    while (w->at < w->end && lf_parser_is_word(next_char(w))) {
        w->at++;
    }
    if (!skip_space(w, &out)) {
        return out == MORE ? MORE : NO;
    }
    return next_char(w) == then ? YES : NO;
}

/* After a comma between arguments. */
static sight argument_follows(window *w)
{
    sight out = NO;
    if (!skip_space(w, &out)) {
        return out;
    }
    return next_char(w) == ')' || next_char(w) == '*' ? YES : word_then(w, '=');
}

/* After a comma between calls. Code has calls, too: if the string has an open quote, only one with
 * a name of an argument, or without arguments, is the next. */
static sight call_follows(window *w)
{
    sight out = word_then(w, '(');
    if (out == YES && w->p->string.inner_open) {
        w->at++;
        out = argument_follows(w);
    }
    return out;
}

/* After the end of a call: the end of the list, or the next call. */
static sight call_ends(window *w)
{
    sight out = NO;
    if (!skip_space(w, &out)) {
        return out;
    }
    char c = next_char(w);
    if (c == ',' || c == ';') {
        w->at++;
        if (!skip_space(w, &out)) {
            return out;
        }
        c = next_char(w);
        return c == ']' || c == '[' || c == '{' ? YES : call_follows(w);
    }
    if (c == ']' && w->p->bracket) {
        w->at++;
        if (!skip_space(w, &out)) {
            return out;
        }
        c = next_char(w);
        return c == ',' || c == ';' || c == '[' ? YES : NO;
    }
    return w->p->string.inner_open ? NO : call_follows(w);
}

/* After a comma between items: the next item, or the end. */
static sight item_follows(window *w, char closing)
{
    sight out = NO;
    if (!skip_space(w, &out)) {
        return out;
    }
    char c = next_char(w);
    bool opens = c == '"' || c == '\'' || c == '[' || c == '(' || c == '{';
    return c == closing || opens || lf_parser_is_word(c) ? YES : NO;
}

/* After a bracket: what may follow a value. */
static sight value_ends(window *w)
{
    sight out = NO;
    if (!skip_space(w, &out)) {
        return out;
    }
    char c = next_char(w);
    return c == ',' || c == ')' || c == ']' || c == '}' ? YES : NO;
}

/* What follows a value in brackets. *goes_on: another item follows. */
static sight follows_in_brackets(window *w, const lf_frame *f, bool *goes_on)
{
    char c = next_char(w);
    bool list = f->kind == LF_FRAME_LIST;
    char closing = list ? ']' : f->kind == LF_FRAME_PAREN || f->kind == LF_FRAME_TUPLE ? ')' : '}';
    bool braces = closing == '}';
    w->at++;
    if (braces && f->key && c == ':' && f->kind != LF_FRAME_SET) {
        *goes_on = true;
        return YES;
    }
    if (lf_parser_is_dict(f->kind) && f->key) {
        return NO;
    }
    if (c == ',') {
        *goes_on = true;
        return item_follows(w, closing);
    }
    return c == closing ? value_ends(w) : NO;
}

/* What follows a string in a call as JSON. */
static sight follows_in_tool(window *w, bool *goes_on)
{
    sight out = NO;
    char c = next_char(w);
    w->at++;
    if (w->p->member_key) {
        *goes_on = true;
        return c == ':' ? YES : NO;
    }
    if (c == ',') {
        *goes_on = true;
        return !skip_space(w, &out) ? out : next_char(w) == '"' || next_char(w) == '\'' ? YES : NO;
    }
    if (c != '}') {
        return NO;
    }
    if (!skip_space(w, &out)) {
        return out;
    }
    c = next_char(w);
    return c == ',' || c == ';' || c == ']' || c == '}' || c == '{' ? YES : NO;
}

static sight follows(window *w, const lf_frame *f, bool *goes_on)
{
    char c = next_char(w);
    if (f->kind == LF_FRAME_TOOL) {
        return follows_in_tool(w, goes_on);
    }
    if (f->kind != LF_FRAME_CALL) {
        return follows_in_brackets(w, f, goes_on);
    }
    w->at++;
    if (c == ',') {
        *goes_on = true;
        return argument_follows(w);
    }
    return c == ')' ? call_ends(w) : NO;
}

/* The quote stays in the string: keeps count of what such quotes open and close. Apostrophes do
 * neither. */
static void note_inner(lf_chat_parser *p)
{
    const char *text = p->source.data;
    bool before = lf_parser_is_letter(text[p->pos - 1]);
    size_t next = p->pos + lf_parser_quote_len(p);
    bool after = next < p->limit && lf_parser_is_letter(text[next]);
    p->string.broken = true;
    if (before && after) {
        return;
    }
    p->string.inner_open = !p->string.inner_open && !before;
}

lf_quote lf_parser_quote(lf_chat_parser *p, size_t *next)
{
    size_t begin = p->pos + lf_parser_quote_len(p);
    size_t left = p->limit - begin;
    window w = {p, begin, begin + (left < LF_PARSER_WINDOW ? left : (size_t)LF_PARSER_WINDOW)};
    bool goes_on = false;
    sight out = NO;
    if (!skip_space(&w, &out)) {
        return out == MORE ? LF_QUOTE_MORE : LF_QUOTE_ENDS;
    }
    char c = next_char(&w);
    bool python = p->frames[0].kind == LF_FRAME_CALL && p->string.sink == LF_SINK_ARGS;
    if ((c == '"' || c == '\'') && python && !p->string.broken) {
        *next = w.at;
        return LF_QUOTE_JOINS;
    }
    if (python && !p->string.broken && (c == '+' || c == '*' || c == '%')) {
        w.at++;
        if (!skip_space(&w, &out)) {
            return out == MORE ? LF_QUOTE_MORE : LF_QUOTE_STAYS;
        }
        if (next_char(&w) == '"' || next_char(&w) == '\'') {
            return LF_QUOTE_UNCLEAR; /* an expression of two strings */
        }
        w.at = begin;
        skip_space(&w, &out);
    }
    out = follows(&w, lf_parser_top(p), &goes_on);
    if (out == MORE) {
        return LF_QUOTE_MORE;
    }
    if (out == NO) {
        note_inner(p);
        return LF_QUOTE_STAYS;
    }
    return goes_on && p->string.inner_open ? LF_QUOTE_UNCLEAR : LF_QUOTE_ENDS;
}
