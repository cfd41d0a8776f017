/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the check of values against the matcher of a schema. */
#include "support/schema_match.h"

#include "text/grammar/token_trie.h"

#include <stdlib.h>
#include <string.h>

void lft_schema_init(lft_schema *setup)
{
    setup->alloc = lf_alloc_default();
    lf_grammar_limits_default(&setup->limits);
    setup->options = (lf_schema_options){
        .alloc = &setup->alloc, .limits = &setup->limits, .space = LF_SCHEMA_SPACE_FLEXIBLE};
}

int32_t lft_schema_compile(const lft_schema *setup, const char *schema, size_t len,
                           lf_compiled **matcher)
{
    static const lf_token_trie no_tokens = {.depth = 1};
    lf_grammar *grammar = NULL;
    lf_node root = LF_NODE_NONE;
    *matcher = NULL;
    LF_TRY(lf_grammar_create(&setup->alloc, &setup->limits, &grammar));
    const int32_t status = lf_schema_build(grammar, &setup->options, schema, len, &root);
    if (status != LFM2_OK) {
        lf_grammar_free(grammar);
        return status;
    }
    return lf_compiled_create(grammar, root, &no_tokens, matcher);
}

bool lft_schema_accepts_text(lf_compiled *matcher, const char *text)
{
    lf_match *match = NULL;
    const bool out = lf_match_create(matcher, &match) == LFM2_OK &&
                     lf_match_accept_bytes(match, text, strlen(text)) == LFM2_OK &&
                     lf_match_complete(match);
    lf_match_free(match);
    return out;
}

/* ---- Values ---- */

typedef struct text {
    char *bytes;
    size_t len, capacity;
} text;

static void append(void *user, const char *bytes, size_t len)
{
    text *t = user;
    if (t->len + len > t->capacity) {
        t->capacity = 2 * (t->len + len) + 64;
        t->bytes = realloc(t->bytes, t->capacity);
    }
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
}

/* An instance is a value, so the order of keys does not belong to it: the keys of an object are
 * tried in the order of the instance, and another one is taken first where a key would close the
 * way to one that could be written before it. */
enum { MAX_TRIALS = 20000 };

typedef struct feeder {
    size_t trials; /* that are left */
    bool ordered;  /* keys stay as they are */
    int32_t error; /* MEMORY or LIMIT */
} feeder;

static bool accept(feeder *f, lf_match *match, const char *bytes, size_t len)
{
    const int32_t status = lf_match_accept_bytes(match, bytes, len);
    if (status == LFM2_E_MEMORY || status == LFM2_E_LIMIT) {
        f->error = status;
    }
    return status == LFM2_OK;
}

static bool feed(feeder *f, lf_match **match, const lf_json *value);

static bool accept_key(feeder *f, lf_match *match, const lf_json *member, bool first)
{
    text t = {0};
    const lf_json_writer writer = {.write = append, .user = &t};
    if (!first) {
        append(&t, ", ", 2);
    }
    lf_json_write_string(&writer, member->key, member->key_len);
    append(&t, ": ", 2);
    const bool out = accept(f, match, t.bytes, t.len);
    free(t.bytes);
    return out;
}

static bool may_follow(feeder *f, const lf_match *match, const lf_json *member, bool first)
{
    lf_match *copy = NULL;
    const bool out = lf_match_clone(match, &copy) == LFM2_OK && accept_key(f, copy, member, first);
    lf_match_free(copy);
    return out;
}

/* How many of the keys that are left and could be next cannot follow `taken`, after which `after`
 * is. */
static uint32_t closes(feeder *f, const lf_match *before, const lf_match *after,
                       const lf_json *const *left, uint32_t n, uint32_t taken, bool first)
{
    uint32_t closed = 0;
    for (uint32_t i = 0; i < n; i++) {
        closed += i != taken && may_follow(f, before, left[i], first) &&
                  !may_follow(f, after, left[i], false);
    }
    return closed;
}

typedef struct candidate {
    lf_match *after;
    uint32_t at, closed;
} candidate;

/* The keys that may be next, those that close least first. */
static uint32_t candidates(feeder *f, const lf_match *match, const lf_json *const *left, uint32_t n,
                           bool first, candidate *out)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < n && (i == 0 || !f->ordered); i++) {
        lf_match *copy = NULL;
        if (f->trials == 0 || lf_match_clone(match, &copy) != LFM2_OK) {
            break;
        }
        f->trials--;
        if (!accept_key(f, copy, left[i], first) || !feed(f, &copy, left[i])) {
            lf_match_free(copy);
            continue;
        }
        candidate c = {copy, i, f->ordered ? 0 : closes(f, match, copy, left, n, i, first)};
        uint32_t k = found++;
        for (; k > 0 && out[k - 1].closed > c.closed; k--) {
            out[k] = out[k - 1];
        }
        out[k] = c;
        if (c.closed == 0) {
            break;
        }
    }
    return found;
}

/* The keys that are left, in some order, and the closing brace. */
static bool feed_keys(feeder *f, lf_match **match, const lf_json *const *left, uint32_t n,
                      bool first)
{
    if (n == 0) {
        return accept(f, *match, "}", 1);
    }
    candidate *list = calloc(n, sizeof *list);
    const lf_json **rest = calloc(n, sizeof *rest);
    const uint32_t found = candidates(f, *match, left, n, first, list);
    bool out = false;
    for (uint32_t i = 0; i < found; i++) {
        if (!out) {
            memcpy(rest, left, list[i].at * sizeof *rest);
            memcpy(rest + list[i].at, left + list[i].at + 1, (n - list[i].at - 1) * sizeof *rest);
            out = feed_keys(f, &list[i].after, rest, n - 1, false);
            if (out) {
                lf_match_free(*match);
                *match = list[i].after;
                continue;
            }
        }
        lf_match_free(list[i].after);
    }
    free(list);
    free(rest);
    return out;
}

static bool feed_object(feeder *f, lf_match **match, const lf_json *value)
{
    const lf_json **members = calloc(value->count + 1, sizeof *members);
    uint32_t n = 0;
    for (const lf_json *c = value->child; c != NULL; c = c->next) {
        members[n++] = c;
    }
    const bool out = accept(f, *match, "{", 1) && feed_keys(f, match, members, n, true);
    free(members);
    return out;
}

static bool feed(feeder *f, lf_match **match, const lf_json *value)
{
    text t = {0};
    const lf_json_writer writer = {.write = append, .user = &t};
    if (value->kind == LF_JSON_OBJECT) {
        return feed_object(f, match, value);
    }
    if (value->kind == LF_JSON_ARRAY) {
        bool out = accept(f, *match, "[", 1);
        for (const lf_json *c = value->child; c != NULL && out; c = c->next) {
            out = (c == value->child || accept(f, *match, ", ", 2)) && feed(f, match, c);
        }
        return out && accept(f, *match, "]", 1);
    }
    lf_json_write(&writer, value);
    const bool out = accept(f, *match, t.bytes, t.len);
    free(t.bytes);
    return out;
}

bool lft_schema_accepts(lf_compiled *matcher, const lf_json *value, bool keep_order,
                        int32_t *status)
{
    bool out = false;
    *status = LFM2_OK;
    for (int i = 0; i < 2 && !out && *status == LFM2_OK; i++) {
        feeder f = {.trials = MAX_TRIALS, .ordered = i == 0};
        lf_match *match = NULL;
        *status = lf_match_create(matcher, &match);
        out = *status == LFM2_OK && feed(&f, &match, value) && lf_match_complete(match);
        *status = f.error != LFM2_OK ? f.error : *status;
        lf_match_free(match);
        if (keep_order) {
            break;
        }
    }
    return out;
}
