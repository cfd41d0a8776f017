/* SPDX-License-Identifier: Apache-2.0 */
/* Implements drafts: a source that the text is compared with, and n-grams that find one. */
#include "run/draft.h"

#include <string.h>

enum { FIRST_SIZE = 256, MOST_TOKENS = INT32_MAX };

/* Lengths of the n-grams, the longest first. */
static const size_t key_lengths[LF_DRAFT_KEYS] = {8, 3};

void lf_draft_init(lf_draft *draft, const lf_alloc *alloc)
{
    *draft = (lf_draft){.alloc = alloc, .source = LF_DRAFT_NOWHERE};
}

void lf_draft_free(lf_draft *draft)
{
    lf_free(draft->alloc, draft->ids, draft->size, sizeof *draft->ids);
    for (int key = 0; key < LF_DRAFT_KEYS; key++) {
        lf_free(draft->alloc, draft->slots[key], draft->n_slots, sizeof *draft->slots[key]);
    }
    lf_draft_init(draft, draft->alloc);
}

/* The slot of the n-gram that ends before position `end`. */
static size_t slot_of(const lf_draft *draft, int key, size_t end)
{
    uint64_t hash = 0;
    for (size_t i = end - key_lengths[key]; i < end; i++) {
        hash = (hash ^ (uint32_t)draft->ids[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return (size_t)hash & (draft->n_slots - 1);
}

/* Enters the n-grams that end before position `end`, whose next token is known. Nothing follows
 * the last expected token. */
static void index_end(lf_draft *draft, size_t end)
{
    if (end == draft->n_expected) {
        return;
    }
    for (int key = 0; key < LF_DRAFT_KEYS; key++) {
        if (end >= key_lengths[key]) {
            draft->slots[key][slot_of(draft, key, end)] = (uint32_t)end;
        }
    }
}

/* Makes space for `need` tokens. */
static int32_t grow(lf_draft *draft, size_t need)
{
    size_t size = draft->size == 0 ? FIRST_SIZE : draft->size;
    while (size < need) {
        size *= 2;
    }
    lf_draft next = *draft;
    next.size = size;
    next.n_slots = size;
    next.ids = NULL;
    memset(next.slots, 0, sizeof next.slots);
    void *p = NULL;
    int32_t status = lf_new(next.alloc, size, sizeof *next.ids, "draft", &p);
    next.ids = p;
    for (int key = 0; key < LF_DRAFT_KEYS && status == LFM2_OK; key++) {
        status = lf_new_zero(next.alloc, size, sizeof *next.slots[key], "draft", &p);
        next.slots[key] = status == LFM2_OK ? p : NULL;
    }
    if (status != LFM2_OK) {
        lf_draft_free(&next);
        return status;
    }
    if (draft->n > 0) {
        memcpy(next.ids, draft->ids, draft->n * sizeof *next.ids);
    }
    for (size_t end = 1; end < next.n; end++) {
        index_end(&next, end);
    }
    lf_draft_free(draft);
    *draft = next;
    return LFM2_OK;
}

int32_t lf_draft_append(lf_draft *draft, const int32_t *ids, size_t n)
{
    if (n > MOST_TOKENS - draft->n) {
        return lf_fail(LFM2_E_LIMIT, "draft.length", "the text has more than %d tokens",
                       MOST_TOKENS);
    }
    if (draft->n + n > draft->size) {
        LF_TRY(grow(draft, draft->n + n));
    }
    for (size_t i = 0; i < n; i++) {
        if (draft->n > 0) {
            index_end(draft, draft->n);
        }
        draft->ids[draft->n++] = ids[i];
    }
    return LFM2_OK;
}

int32_t lf_draft_expect(lf_draft *draft, const int32_t *ids, size_t n)
{
    LF_TRY(lf_draft_append(draft, ids, n));
    if (n > 0) {
        draft->n_expected = n;
        draft->source = 0;
        draft->agreed = LF_DRAFT_MOST_MATCH; /* nothing speaks against it */
    }
    return LFM2_OK;
}

int32_t lf_draft_follow(lf_draft *draft, int32_t id)
{
    LF_TRY(lf_draft_append(draft, &id, 1));
    if (draft->source == LF_DRAFT_NOWHERE) {
        return LFM2_OK;
    }
    if (draft->ids[draft->source] != id) {
        draft->agreed = 0;
    } else if (draft->agreed < LF_DRAFT_MOST_MATCH) {
        draft->agreed++;
    }
    draft->source++;
    if (draft->source == draft->n_expected) {
        draft->source = LF_DRAFT_NOWHERE;
    }
    return LFM2_OK;
}

/* ---- Guesses ---- */

/* How many tokens before position `at` agree with the last tokens of the text. */
static size_t match_before(const lf_draft *draft, size_t at)
{
    size_t most = at < LF_DRAFT_MOST_MATCH ? at : LF_DRAFT_MOST_MATCH;
    size_t n = 0;
    while (n < most && draft->ids[at - 1 - n] == draft->ids[draft->n - 1 - n]) {
        n++;
    }
    return n;
}

/* Makes the last occurrence of the longest key the source if more tokens agree with it. */
static void find_source(lf_draft *draft)
{
    for (int key = 0; key < LF_DRAFT_KEYS && draft->n > key_lengths[key]; key++) {
        size_t at = draft->slots[key][slot_of(draft, key, draft->n)];
        size_t match = match_before(draft, at); /* another n-gram can have the same hash */
        if (match < key_lengths[key]) {
            continue;
        }
        if (draft->source == LF_DRAFT_NOWHERE || match > draft->agreed) {
            draft->source = at;
            draft->agreed = match;
        }
        return;
    }
}

lf_guess lf_draft_propose(lf_draft *draft, int32_t *ids, size_t most)
{
    find_source(draft);
    size_t source = draft->source;
    if (source == LF_DRAFT_NOWHERE) {
        return (lf_guess){0};
    }
    bool expected = source < draft->n_expected;
    size_t period = (expected ? draft->n_expected : draft->n) - source;
    size_t n = expected && period < most ? period : most;
    for (size_t i = 0; i < n; i++) {
        ids[i] = i < period ? draft->ids[source + i] : ids[i - period];
    }
    return (lf_guess){.n = n, .match = draft->agreed};
}
