/* SPDX-License-Identifier: Apache-2.0 */
/* Computes masks: the tokens that may follow in a state. */
#include "text/grammar/difference.h"
#include "text/grammar/plain.h"
#include "text/grammar/walk.h"

#include <string.h>

/* Masks are kept in at most a quarter of the memory, each kind. */
enum { KEPT_SHARE = 4, KEPT_MOST = 256 };

enum { PATHS = 3 }; /* of a walk over a difference */

/* ---- Masks that are kept ---- */

static void or_words(uint32_t *bits, const uint32_t *other, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bits[i] |= other[i];
    }
}

/* A mask for `owner`, to be filled. `*evicted` receives the owner before, or 0. NULL after a
 * failure. */
static lf_kept_mask *keep(lf_compiled *m, lf_kept_masks *kept, uint32_t owner, uint32_t *slot,
                          uint32_t *evicted)
{
    lf_quota *quota = &m->grammar->quota;
    uint32_t n_words = m->trie->n_words, capacity = 0;
    size_t bytes = (size_t)n_words * sizeof(uint32_t) + 1, left = quota->limits.memory;
    size_t most = left / KEPT_SHARE / bytes;
    left -= quota->used < left ? quota->used : left;
    most = most > KEPT_MOST ? KEPT_MOST : most < 1 ? 1 : most;
    most = left / KEPT_SHARE < bytes && kept->n > 0 ? kept->n : most;
    *evicted = 0;
    if (kept->n < most) {
        void *items = kept->items, *words = NULL;
        bool ok =
            lf_quota_grow(quota, &items, &kept->capacity, (size_t)kept->n + 1, sizeof *kept->items);
        kept->items = items;
        if (!ok || !lf_quota_grow(quota, &words, &capacity, n_words, sizeof(uint32_t))) {
            return NULL;
        }
        *slot = kept->n++;
        kept->items[*slot] = (lf_kept_mask){.words = words, .capacity = capacity};
    } else {
        *slot = kept->next;
        kept->next = (kept->next + 1) % kept->n;
        *evicted = kept->items[*slot].owner;
    }
    lf_kept_mask *mask = &kept->items[*slot];
    mask->owner = owner;
    mask->exits.n = 0;
    return mask;
}

static void free_kept(lf_compiled *m, lf_kept_masks *kept)
{
    lf_quota *quota = &m->grammar->quota;
    for (uint32_t i = 0; i < kept->n; i++) {
        lf_quota_free(quota, kept->items[i].words, kept->items[i].capacity, sizeof(uint32_t));
        lf_list_free(quota, &kept->items[i].exits);
    }
    lf_quota_free(quota, kept->items, kept->capacity, sizeof *kept->items);
}

int32_t lf_masks_init(lf_compiled *m)
{
    const lf_alloc *alloc = &m->grammar->quota.alloc;
    void *p = NULL;
    LF_TRY(lf_new(alloc, m->trie->depth + (size_t)1, PATHS * sizeof *m->path, "constraint", &p));
    m->path = p;
    LF_TRY(lf_new(alloc, m->trie->n_words, 2 * sizeof *m->scratch, "constraint", &p));
    m->scratch = p;
    m->rest = m->scratch + m->trie->n_words;
    return LFM2_OK;
}

void lf_masks_forget(lf_compiled *m)
{
    lf_quota *quota = &m->grammar->quota;
    free_kept(m, &m->of_states);
    free_kept(m, &m->of_terms);
    m->of_states = m->of_terms = (lf_kept_masks){0};
    lf_table_free(quota, &m->term_table);
    lf_list_free(quota, &m->plain);
    lf_list_free(quota, &m->exits);
    lf_list_free(quota, &m->cleared);
    lf_seen_free(quota, &m->crossed);
}

void lf_masks_free(lf_compiled *m)
{
    const lf_alloc *alloc = &m->grammar->quota.alloc;
    lf_free(alloc, m->path, m->trie->depth + (size_t)1, PATHS * sizeof *m->path);
    lf_free(alloc, m->scratch, m->trie->n_words, 2 * sizeof *m->scratch);
    lf_masks_forget(m);
}

/* ---- Expressions ---- */

static uint32_t term_hash(lf_rx a, const lf_trie *t, const lf_compiled *m)
{
    return lf_hash_add(a, t == &m->trie->other ? 1 : t == &m->trie->plain ? 2 : 0);
}

static const lf_kept_mask *find_term(lf_compiled *m, const lf_trie *t, lf_rx a)
{
    uint32_t hash = term_hash(a, t, m), at = hash;
    for (uint32_t id;
         (id = lf_table_next(&m->grammar->quota, &m->term_table, hash, &at)) != LF_NO_ID;) {
        if (m->of_terms.items[id].owner == a && m->of_terms.items[id].trie == t) {
            return &m->of_terms.items[id];
        }
    }
    return NULL;
}

/* Keeps the mask in m->scratch and the exits in m->exits. */
static bool keep_term(lf_compiled *m, const lf_trie *t, lf_rx a)
{
    lf_quota *quota = &m->grammar->quota;
    uint32_t slot, evicted;
    lf_kept_mask *mask = keep(m, &m->of_terms, a, &slot, &evicted);
    if (mask == NULL) {
        return false;
    }
    mask->trie = t;
    memcpy(mask->words, m->scratch, m->trie->n_words * sizeof *mask->words);
    for (uint32_t i = 0; i < m->exits.n; i += 2) {
        if (!lf_list_push(quota, &mask->exits, m->exits.items[i])) {
            mask->owner = LF_RX_NONE;
            return false;
        }
    }
    if (evicted == LF_RX_NONE) {
        return lf_table_add(quota, &m->term_table, term_hash(a, t, m), slot);
    }
    lf_table_clear(&m->term_table);
    for (uint32_t i = 0; i < m->of_terms.n; i++) {
        const lf_kept_mask *k = &m->of_terms.items[i];
        if (k->owner != LF_RX_NONE &&
            !lf_table_add(quota, &m->term_table, term_hash(k->owner, k->trie, m), i)) {
            return false;
        }
    }
    return true;
}

/* Only masks that took this many steps are kept, so that the memory serves the slow ones. */
enum { LEAST_STEPS = 256 };

static void or_common(uint32_t *bits, const uint32_t *a, const uint32_t *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bits[i] |= a[i] & b[i];
    }
}

/* Sets the bits of the tokens that are in `t` and in the mask `only` and stay inside an expression,
 * from its mask if it is kept, and adds its exits to m->exits. `t` has no longer tokens. */
static bool mask_term(lf_compiled *m, const lf_trie *t, const uint32_t *only, lf_pda_config c,
                      uint32_t *bits)
{
    lf_quota *quota = &m->grammar->quota;
    lf_rx a = c.rx;
    uint32_t n_words = m->trie->n_words;
    const lf_kept_mask *kept = find_term(m, t, a);
    m->exits.n = 0;
    if (kept != NULL) {
        or_common(bits, kept->words, only, n_words);
        for (uint32_t i = 0; i < kept->exits.n; i++) {
            lf_list_push(quota, &m->exits, kept->exits.items[i]);
            lf_list_push(quota, &m->exits, c.stack);
        }
        return quota->status == LFM2_OK;
    }
    lf_walk w = {.m = m, .trie = t, .stack = c.stack, .bits = bits, .most = LEAST_STEPS};
    if (only == m->trie->every) {
        if (!lf_walk_from(&w, 0, a) || w.steps < LEAST_STEPS) {
            return quota->status == LFM2_OK;
        }
        m->exits.n = 0; /* the mask is worth keeping */
        w.steps = 0;
    }
    w.most = UINT32_MAX;
    w.bits = m->scratch;
    memset(m->scratch, 0, n_words * sizeof *m->scratch);
    if (!lf_walk_from(&w, 0, a) || (w.steps >= LEAST_STEPS && !keep_term(m, t, a))) {
        return false;
    }
    or_common(bits, m->scratch, only, n_words);
    return true;
}

/* Sets the bits of a configuration, except those of longer tokens and of tokens that go on behind
 * the expression: m->exits receives its exits, nodes of the trie that is returned. NULL after a
 * failure. */
static const lf_trie *mask_inside(lf_compiled *m, lf_pda_config c, uint32_t *bits)
{
    const lf_token_trie *tt = m->trie;
    const lf_trie *t = &tt->shorter;
    lf_rx_set *set = m->grammar->rx;
    c.rx = lf_plain_clamp(set, c.rx);
    lf_rx endless = c.rx;
    uint32_t most = LF_SHORT_TOKEN;
    bool run = lf_plain_run(set, c.rx, &endless, &most);
    most = most < LF_SHORT_TOKEN ? most : LF_SHORT_TOKEN;
    bool all = lf_plain_all(m, endless);
    if (all) {
        or_words(bits, tt->chars[most], tt->n_words);
    } else if (run) {
        lf_pda_config longest = {endless, c.stack};
        if (!mask_term(m, &tt->plain, tt->chars[most], longest, bits)) {
            return NULL;
        }
    }
    t = all || run ? &tt->other : t;
    bool ok = set->quota->status == LFM2_OK && mask_term(m, t, tt->every, c, bits);
    return ok ? t : NULL;
}

/* mask_inside of a difference: the tokens of the whole without those of the part. *exact is false
 * if that cannot be done; then no bit was set. */
static const lf_trie *mask_difference(lf_compiled *m, lf_pda_config c, const lf_difference *d,
                                      uint32_t *bits, bool *exact)
{
    uint32_t n_words = m->trie->n_words;
    lf_pda_config whole = {d->whole, c.stack};
    memset(m->rest, 0, n_words * sizeof *m->rest);
    const lf_trie *t = mask_inside(m, whole, m->rest);
    *exact = t == NULL || lf_difference_subtract(m, &m->trie->shorter, c.rx, d, m->rest);
    if (*exact && t != NULL && t != &m->trie->shorter) {
        *exact = lf_difference_subtract(m, t, c.rx, d, m->rest);
    }
    if (m->grammar->quota.status != LFM2_OK) {
        *exact = true;
        return NULL;
    }
    if (!*exact) {
        return NULL;
    }
    or_words(bits, m->rest, n_words);
    uint32_t out = 0;
    for (uint32_t i = 0; i < m->exits.n; i += 2) {
        if (!lf_difference_cleared(m, m->exits.items[i])) {
            m->exits.items[out] = m->exits.items[i];
            m->exits.items[out + 1] = m->exits.items[i + 1];
            out += 2;
        }
    }
    m->exits.n = out;
    return t;
}

/* ---- States ---- */

/* Sets the bits of the tokens of a trie that a configuration allows. */
static bool walk_config(lf_compiled *m, const lf_trie *t, lf_pda_config c, uint32_t *bits)
{
    lf_walk w = {.m = m, .trie = t, .stack = c.stack, .bits = bits, .most = UINT32_MAX};
    m->exits.n = 0;
    return lf_walk_from(&w, 0, c.rx) && lf_walk_cross(&w, 0);
}

static bool mask_config(lf_compiled *m, lf_pda_config c, uint32_t *bits)
{
    if (lf_rx_first(m->grammar->rx, c.rx) >= 0) {
        return walk_config(m, &m->trie->shorter, c, bits) &&
               walk_config(m, &m->trie->longer, c, bits);
    }
    lf_difference d;
    bool exact = false;
    const lf_trie *t = NULL;
    if (lf_difference_find(m->grammar->rx, c.rx, &d) && (d.endless || !lf_plain_all(m, c.rx))) {
        t = mask_difference(m, c, &d, bits, &exact);
    }
    t = exact ? t : mask_inside(m, c, bits);
    if (t == NULL || m->grammar->quota.status != LFM2_OK) {
        return false;
    }
    lf_walk w = {.m = m, .trie = t, .bits = bits, .most = UINT32_MAX};
    return lf_walk_cross(&w, 0) && walk_config(m, &m->trie->longer, c, bits);
}

bool lf_compiled_mask(lf_compiled *m, uint32_t state, uint32_t *bits)
{
    lf_pushdown *p = &m->pushdown;
    uint32_t n_words = m->trie->n_words, kept = p->states[state].mask, n = p->states[state].n;
    if (kept != 0 && m->of_states.items[kept - 1].owner == state) {
        memcpy(bits, m->of_states.items[kept - 1].words, n_words * sizeof *bits);
        return true;
    }
    memset(bits, 0, n_words * sizeof *bits);
    for (uint32_t i = 0; i < n; i++) {
        if (!mask_config(m, p->configs[p->states[state].first + i], bits)) {
            return false;
        }
    }
    if (p->states[state].end) {
        or_words(bits, m->trie->ends, n_words);
    }
    uint32_t slot, evicted;
    lf_kept_mask *mask = keep(m, &m->of_states, state, &slot, &evicted);
    if (mask != NULL) {
        memcpy(mask->words, bits, n_words * sizeof *bits);
        p->states[state].mask = slot + 1;
    }
    return mask != NULL;
}
