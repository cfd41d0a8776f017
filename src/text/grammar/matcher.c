/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the compiled: positions in texts. */
#include "text/grammar/matcher_internal.h"

#include <string.h>

int32_t lf_compiled_create(lf_grammar *grammar, lf_node root, const lf_token_trie *trie,
                           lf_compiled **out)
{
    lf_alloc alloc = grammar->quota.alloc;
    int32_t status = lf_grammar_status(grammar);
    void *p = NULL;
    if (status == LFM2_OK) {
        status = lf_new_zero(&alloc, 1, sizeof **out, "constraint", &p);
    }
    if (status != LFM2_OK) {
        lf_grammar_free(grammar);
        return status;
    }
    lf_compiled *m = p;
    m->grammar = grammar;
    m->trie = trie;
    status = lf_pushdown_init(&m->pushdown, grammar, root);
    if (status == LFM2_OK) {
        lf_rx_set_base(grammar->rx);
        status = lf_masks_init(m);
    }
    if (status != LFM2_OK) {
        lf_compiled_free(m);
        return status;
    }
    *out = m;
    return LFM2_OK;
}

void lf_compiled_free(lf_compiled *compiled)
{
    if (compiled == NULL) {
        return;
    }
    lf_alloc alloc = compiled->grammar->quota.alloc;
    lf_masks_free(compiled);
    lf_pushdown_free(&compiled->pushdown);
    lf_grammar_free(compiled->grammar);
    lf_free(&alloc, compiled, 1, sizeof *compiled);
}

/* ---- The lock, and steps ---- */

static int32_t take(lf_compiled *m)
{
    if (!lf_lock_take(&m->lock)) {
        return lf_fail(LFM2_E_STATE, "constraint.fork",
                       "the process was forked while another thread used the constraint");
    }
    return LFM2_OK;
}

static void begin(lf_compiled *m)
{
    m->grammar->quota.full = false;
    m->grammar->quota.status = LFM2_OK;
    m->grammar->quota.steps = m->grammar->quota.limits.token_steps;
}

/* Removes what no position needs. Masks go first: then there is memory for smaller arrays. */
static void make_room(lf_compiled *m)
{
    lf_pushdown *p = &m->pushdown;
    lf_masks_forget(m);
    for (uint32_t i = 0; i < p->n_states; i++) {
        p->states[i].mask = i == LF_STATE_NONE || i == p->start;
    }
    for (lf_match *match = m->matches; match != NULL; match = match->next) {
        p->states[match->state].mask = 1;
    }
    lf_pushdown_compact(p);
    for (lf_match *match = m->matches; match != NULL; match = match->next) {
        match->state = p->states[match->state].mask;
    }
    lf_pushdown_forget(p);
}

/* What takes the memory. */
static uint64_t count_items(const lf_compiled *m)
{
    const lf_pushdown *p = &m->pushdown;
    return (uint64_t)m->grammar->rx->n_nodes + p->n_states + p->n_configs + p->n_frames;
}

/* Runs a step of a position. If memory does not suffice, makes room, and tries once more with the
 * steps that are left, unless most of the memory was taken by the step itself. */
static int32_t run(lf_match *match, int32_t (*step)(lf_match *match, void *arguments),
                   void *arguments)
{
    lf_compiled *m = match->compiled;
    LF_TRY(take(m));
    begin(m);
    uint64_t before = count_items(m);
    int32_t status = step(match, arguments);
    if (status == LFM2_E_LIMIT && m->grammar->quota.full) {
        bool again = before > count_items(m) / 2;
        const uint64_t steps = m->grammar->quota.steps;
        begin(m);
        make_room(m);
        m->grammar->quota.steps = steps;
        status = again ? step(match, arguments) : status;
    }
    lf_lock_give(&m->lock);
    return status;
}

/* ---- Positions ---- */

/* Adds a position; `from` is a position or NULL. */
static int32_t new_match(lf_compiled *m, const lf_match *from, lf_match **out)
{
    const lf_alloc *alloc = &m->grammar->quota.alloc;
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof **out, "constraint position", &p));
    lf_match *match = p;
    int32_t status = take(m);
    if (status != LFM2_OK) {
        lf_free(alloc, match, 1, sizeof *match);
        return status;
    }
    match->state = m->pushdown.start;
    match->end = m->pushdown.states[match->state].end;
    if (from != NULL) {
        *match = *from;
    }
    match->compiled = m;
    match->last = NULL;
    match->next = m->matches;
    if (match->next != NULL) {
        match->next->last = match;
    }
    m->matches = match;
    lf_lock_give(&m->lock);
    *out = match;
    return LFM2_OK;
}

int32_t lf_match_create(lf_compiled *compiled, lf_match **out)
{
    return new_match(compiled, NULL, out);
}

int32_t lf_match_clone(const lf_match *match, lf_match **out)
{
    return new_match(match->compiled, match, out);
}

void lf_match_assign(lf_match *match, const lf_match *place)
{
    lf_compiled *m = match->compiled;
    /* As in lf_match_free: without the lock, no other thread renumbers the states. */
    bool taken = lf_lock_take(&m->lock);
    match->state = place->state;
    match->end = place->end;
    match->ended = place->ended;
    if (taken) {
        lf_lock_give(&m->lock);
    }
}

void lf_match_free(lf_match *match)
{
    if (match == NULL) {
        return;
    }
    lf_compiled *m = match->compiled;
    /* In the child of a fork that may not take the lock, nothing else reads the list. */
    bool taken = lf_lock_take(&m->lock);
    if (match->next != NULL) {
        match->next->last = match->last;
    }
    if (match->last != NULL) {
        match->last->next = match->next;
    } else {
        m->matches = match->next;
    }
    if (taken) {
        lf_lock_give(&m->lock);
    }
    lf_free(&m->grammar->quota.alloc, match, 1, sizeof *match);
}

bool lf_match_complete(const lf_match *match)
{
    return match->end;
}

static int32_t refuse(const lf_compiled *m, size_t at, bool cut)
{
    if (cut) {
        return lf_fail(LFM2_E_LIMIT, "constraint.stack",
                       "byte %zu: the text nests deeper than the constraint's limit of %u", at,
                       m->grammar->quota.limits.stack);
    }
    return lf_fail(LFM2_E_ARGUMENT, "constraint.text",
                   "byte %zu: the text does not satisfy the constraint", at);
}

typedef struct section {
    const char *bytes;
    size_t len;
} section;

static int32_t accept_step(lf_match *match, void *arguments)
{
    lf_compiled *m = match->compiled;
    const section *text = arguments;
    size_t at = 0;
    bool cut = false;
    uint32_t state =
        lf_pushdown_advance(&m->pushdown, match->state, text->bytes, text->len, &at, &cut);
    LF_TRY(m->grammar->quota.status);
    if (state == LF_STATE_NONE) {
        return refuse(m, at, cut);
    }
    match->state = state;
    match->end = m->pushdown.states[state].end;
    return LFM2_OK;
}

static int32_t accept(lf_match *match, const char *bytes, size_t len)
{
    if (match->ended) {
        return lf_fail(LFM2_E_ARGUMENT, "constraint.ended", "the text has ended");
    }
    section text = {bytes, len};
    return run(match, accept_step, &text);
}

int32_t lf_match_accept_bytes(lf_match *match, const char *bytes, size_t len)
{
    const char *control = memchr(bytes, 0xFF, len);
    if (control != NULL) {
        return lf_fail(LFM2_E_ARGUMENT, "constraint.text", "byte %zu: not UTF-8",
                       (size_t)(control - bytes));
    }
    return accept(match, bytes, len);
}

int32_t lf_match_accept(lf_match *match, int32_t id)
{
    const lf_tokenizer *tokenizer = match->compiled->trie->tokenizer;
    const char *bytes = NULL;
    size_t len = 0;
    int32_t kind = 0;
    LF_TRY(lf_tokenizer_token(tokenizer, id, &bytes, &len, &kind));
    if (lf_tokenizer_is_end(tokenizer, id) && match->end && !match->ended) {
        match->ended = true;
        return LFM2_OK;
    }
    char spelling[LF_TOKEN_SPELLING];
    if (lf_tokenizer_is_control(tokenizer, id)) {
        lf_token_spell(id, spelling);
        return accept(match, spelling, sizeof spelling);
    }
    if (kind != LFM2_TOKEN_NORMAL && kind != LFM2_TOKEN_USER) {
        return lf_fail(LFM2_E_ARGUMENT, "constraint.token",
                       "token %d stands for no text that a constraint allows", id);
    }
    return lf_match_accept_bytes(match, bytes, len);
}

static int32_t mask_step(lf_match *match, void *arguments)
{
    lf_compiled *m = match->compiled;
    lf_compiled_mask(m, match->state, arguments);
    return m->grammar->quota.status;
}

int32_t lf_match_mask(lf_match *match, uint32_t *bits)
{
    if (match->ended) {
        memset(bits, 0, match->compiled->trie->n_words * sizeof *bits);
        return LFM2_OK;
    }
    return run(match, mask_step, bits);
}

/* ---- Forced text ---- */

/* The state after a forced byte. */
static uint32_t follow(lf_pushdown *p, uint32_t state, int32_t byte)
{
    char c = (char)byte;
    size_t wrong;
    bool cut;
    return lf_pushdown_advance(p, state, &c, 1, &wrong, &cut);
}

/* The id whose spelling must follow in `state`; -1: it is one of several, or a failure. */
static int32_t forced_token(lf_pushdown *p, uint32_t state)
{
    int32_t id = 0;
    for (int i = 0; i < LF_TOKEN_SPELLING; i++) {
        int32_t byte = lf_pushdown_forced(p, state);
        if (byte < 0) {
            return -1;
        }
        id |= i > 0 ? byte << (7 * (i - 1)) : 0;
        state = follow(p, state, byte);
    }
    return id;
}

typedef struct forced_text {
    char *bytes;
    size_t capacity, len;
    int32_t id;
} forced_text;

static int32_t forced_step(lf_match *match, void *arguments)
{
    lf_pushdown *p = &match->compiled->pushdown;
    forced_text *out = arguments;
    uint32_t state = match->state;
    out->len = 0;
    out->id = -1;
    for (int32_t byte; out->len < out->capacity && (byte = lf_pushdown_forced(p, state)) >= 0;
         out->len++) {
        if (byte == 0xFF) {
            out->id = out->len == 0 ? forced_token(p, state) : -1;
            break;
        }
        state = follow(p, state, byte);
        if (state == LF_STATE_NONE) {
            break;
        }
        out->bytes[out->len] = (char)byte;
    }
    return p->quota->status;
}

int32_t lf_match_forced(lf_match *match, char *bytes, size_t capacity, size_t *len, int32_t *id)
{
    forced_text text = {.bytes = bytes, .capacity = capacity, .id = -1};
    int32_t status = match->ended ? LFM2_OK : run(match, forced_step, &text);
    *len = status == LFM2_OK ? text.len : 0;
    *id = status == LFM2_OK ? text.id : -1;
    return status;
}
