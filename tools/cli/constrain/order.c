/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a JSON value with its members in an order that a constraint allows: the order does not
 * belong to the value, but constraints of schemas fix it. */
#include "cli/constrain/constrain.h"

#include <stdlib.h>
#include <string.h>

/* Limits of the search for one value. It recurses: a trial adds up to four calls to the C stack. */
enum { MOST_TRIALS = 4000, MOST_CHECKS = 200000 };

typedef struct search {
    const char *comma, *colon;
    size_t trials, checks; /* that are left */
    bool stopped;          /* memory or a limit: the order stays as it is */
} search;

/* A position in the text of the value, and what was written since the position was copied. */
typedef struct place {
    lfm2_matcher *matcher;
    text_buffer text;
} place;

static void place_free(place *p)
{
    lfm2_matcher_free(p->matcher);
    text_free(&p->text);
    *p = (place){0};
}

static bool accept(search *s, place *p, const char *bytes, size_t len)
{
    int32_t status = lfm2_matcher_accept_text(p->matcher, bytes, len);
    s->stopped |= status != LFM2_OK && status != LFM2_E_ARGUMENT;
    if (status == LFM2_OK && text_append(&p->text, bytes, len) != EXIT_OK) {
        s->stopped = true;
    }
    return status == LFM2_OK && !s->stopped;
}

static bool accept_key(search *s, place *p, const lf_json *member, bool first)
{
    text_buffer text = {0};
    int code = first ? EXIT_OK : text_append(&text, s->comma, strlen(s->comma));
    code = code == EXIT_OK ? json_append_string(&text, member->key, member->key_len) : code;
    code = code == EXIT_OK ? text_append(&text, s->colon, strlen(s->colon)) : code;
    s->stopped |= code != EXIT_OK;
    bool out = !s->stopped && accept(s, p, text.data, text.len);
    text_free(&text);
    return out;
}

static bool may_follow(search *s, const place *p, const lf_json *member, bool first)
{
    place copy = {0};
    if (s->checks == 0 || lfm2_matcher_clone(p->matcher, &copy.matcher) != LFM2_OK) {
        s->stopped = true;
        return false;
    }
    s->checks--;
    bool out = accept_key(s, &copy, member, first);
    place_free(&copy);
    return out;
}

typedef struct candidate {
    place after;
    uint32_t at;     /* which of the members that are left */
    uint32_t closed; /* how many of the others could precede it and cannot follow it */
} candidate;

static bool feed(search *s, place *p, const lf_json *value);

/* Finds members from *from on that may be next, those that close least first: up to one that closes
 * nothing. *from is then the one after it. */
static uint32_t candidates(search *s, const place *p, const lf_json *const *left, uint32_t n,
                           bool first, uint32_t *from, candidate *out)
{
    uint32_t found = 0;
    while (*from < n && !s->stopped && s->trials > 0) {
        const uint32_t i = (*from)++;
        candidate c = {.at = i};
        s->trials--;
        if (lfm2_matcher_clone(p->matcher, &c.after.matcher) != LFM2_OK ||
            !accept_key(s, &c.after, left[i], first) || !feed(s, &c.after, left[i])) {
            place_free(&c.after);
            continue;
        }
        for (uint32_t k = 0; k < n; k++) {
            c.closed += k != i && may_follow(s, p, left[k], first) &&
                        !may_follow(s, &c.after, left[k], false);
        }
        uint32_t at = found++;
        for (; at > 0 && out[at - 1].closed > c.closed; at--) {
            out[at] = out[at - 1];
        }
        out[at] = c;
        if (c.closed == 0) {
            break;
        }
    }
    return found;
}

/* Moves to where `after` is. */
static bool take(search *s, place *p, place *after)
{
    s->stopped |= text_append(&p->text, after->text.data, after->text.len) != EXIT_OK;
    lfm2_matcher_free(p->matcher);
    p->matcher = after->matcher;
    after->matcher = NULL;
    return !s->stopped;
}

/* The members that are left, in some order, and the closing brace. */
static bool feed_members(search *s, place *p, const lf_json *const *left, uint32_t n, bool first)
{
    if (n == 0) {
        return accept(s, p, "}", 1);
    }
    candidate *list = calloc(n, sizeof *list);
    const lf_json **rest = calloc(n, sizeof *rest);
    bool out = false;
    s->stopped |= list == NULL || rest == NULL;
    for (uint32_t from = 0; from < n && !out && !s->stopped && s->trials > 0;) {
        const uint32_t found = candidates(s, p, left, n, first, &from, list);
        for (uint32_t i = 0; i < found; i++) {
            const uint32_t at = list[i].at;
            if (!out && !s->stopped) {
                memcpy(rest, left, at * sizeof *rest);
                memcpy(rest + at, left + at + 1, (n - at - 1) * sizeof *rest);
                out = feed_members(s, &list[i].after, rest, n - 1, false) &&
                      take(s, p, &list[i].after);
            }
            place_free(&list[i].after);
        }
    }
    free(list);
    free(rest);
    return out;
}

static bool feed_object(search *s, place *p, const lf_json *value)
{
    const lf_json **members = calloc((size_t)value->count + 1, sizeof *members);
    uint32_t n = 0;
    s->stopped |= members == NULL;
    for (const lf_json *c = value->child; c != NULL && !s->stopped; c = c->next) {
        members[n++] = c;
    }
    bool out = !s->stopped && accept(s, p, "{", 1) && feed_members(s, p, members, n, true);
    free(members);
    return out;
}

static bool feed(search *s, place *p, const lf_json *value)
{
    if (value->kind == LF_JSON_OBJECT) {
        return feed_object(s, p, value);
    }
    if (value->kind == LF_JSON_ARRAY) {
        bool out = accept(s, p, "[", 1);
        for (const lf_json *c = value->child; c != NULL && out; c = c->next) {
            out = (c == value->child || accept(s, p, s->comma, strlen(s->comma))) && feed(s, p, c);
        }
        return out && accept(s, p, "]", 1);
    }
    text_buffer text = {0};
    s->stopped |= json_append(&text, value) != EXIT_OK;
    bool out = !s->stopped && accept(s, p, text.data, text.len);
    text_free(&text);
    return out;
}

int order_text(lfm2_constraint *constraint, const lf_json *value, int32_t space, text_buffer *out)
{
    place p = {0};
    bool compact = space == LFM2_SPACE_COMPACT;
    search s = {.comma = compact ? "," : ", ",
                .colon = compact ? ":" : ": ",
                .trials = MOST_TRIALS,
                .checks = MOST_CHECKS};
    text_buffer text = {0};
    int code = trial_text(value, space, &text);
    if (code == EXIT_OK && lfm2_matcher_create(constraint, &p.matcher) != LFM2_OK) {
        code = fail_library();
    }
    bool found = code == EXIT_OK &&
                 lfm2_matcher_accept_text(p.matcher, text.data, text.len) == LFM2_E_ARGUMENT &&
                 feed(&s, &p, value) && lfm2_matcher_is_complete(p.matcher) != 0;
    const text_buffer *chosen = found ? &p.text : &text;
    code = code == EXIT_OK ? text_append(out, chosen->data, chosen->len) : code;
    place_free(&p);
    text_free(&text);
    return code;
}
