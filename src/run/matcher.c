/* SPDX-License-Identifier: Apache-2.0 */
/* Where a text is in a constraint: end tokens, forced tokens, and masks of logits. */
#include "common/utf8.h"
#include "run/constraint.h"

#include <math.h>
#include <string.h>

enum { MOST_BYTES = 1024 }; /* of forced text that is looked at together */

static size_t n_words(const lfm2_constraint *c)
{
    return ((size_t)lf_tokenizer_size(c->model->tokenizer) + 31) / 32;
}

/* ---- Creation ---- */

int32_t lf_text_matcher_create(lfm2_constraint *c, lfm2_matcher **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(&c->model->runtime->alloc, 1, sizeof **out, "matcher", &p));
    lfm2_matcher *m = p;
    m->constraint = lf_constraint_retain(c);
    int32_t status = lf_match_create(c->compiled, &m->start);
    status = status != LFM2_OK ? status : lf_match_clone(m->start, &m->match);
    status = status != LFM2_OK
                 ? status
                 : lf_new(&c->model->runtime->alloc, n_words(c), sizeof *m->bits, "mask", &p);
    if (status != LFM2_OK) {
        lf_text_matcher_free(m);
        return status;
    }
    m->bits = p;
    *out = m;
    return LFM2_OK;
}

int32_t lf_text_matcher_clone(const lfm2_matcher *m, lfm2_matcher **out)
{
    lfm2_matcher *clone = NULL;
    LF_TRY(lf_text_matcher_create(m->constraint, &clone));
    lf_match_assign(clone->match, m->match);
    clone->ended = m->ended;
    clone->forced_known = m->forced_known;
    clone->n_forced = m->n_forced;
    clone->next = m->next;
    memcpy(clone->forced, m->forced, sizeof m->forced);
    *out = clone;
    return LFM2_OK;
}

void lf_text_matcher_free(lfm2_matcher *m)
{
    if (m == NULL) {
        return;
    }
    lfm2_constraint *c = m->constraint;
    const lf_alloc *alloc = &c->model->runtime->alloc;
    lf_match_free(m->match);
    lf_match_free(m->start);
    lf_free(alloc, m->bits, n_words(c), sizeof *m->bits);
    lf_free(alloc, m, 1, sizeof *m);
    lf_constraint_free(c);
}

void lf_text_matcher_reset(lfm2_matcher *m)
{
    lf_match_assign(m->match, m->start);
    m->ended = false;
    m->forced_known = false;
}

/* ---- Tokens ---- */

/* End tokens are never part of the text. */
static void remove_ends(const lfm2_constraint *c, uint32_t *bits)
{
    uint32_t n = 0;
    const int32_t *ends = lf_tokenizer_ends(c->model->tokenizer, &n);
    for (uint32_t i = 0; i < n; i++) {
        bits[ends[i] / 32] &= ~(1u << ends[i] % 32);
    }
}

bool lf_text_matcher_is_complete(const lfm2_matcher *m)
{
    return !m->ended && lf_match_complete(m->match);
}

int32_t lf_text_matcher_mask(lfm2_matcher *m, uint32_t *bits)
{
    if (m->ended) {
        memset(bits, 0, n_words(m->constraint) * sizeof *bits);
        return LFM2_OK;
    }
    LF_TRY(lf_match_mask(m->match, bits));
    if (!lf_match_complete(m->match)) {
        remove_ends(m->constraint, bits); /* one that is ordinary text, too */
    }
    return LFM2_OK;
}

/* The status of advancing; a text that is not allowed gets the code of the contract. */
static int32_t advanced(int32_t status)
{
    if (status != LFM2_E_ARGUMENT) {
        return status;
    }
    lf_failure cause;
    lf_fail_save(&cause);
    return lf_fail(LFM2_E_ARGUMENT, "constraint.rejected", "%s", cause.text);
}

int32_t lf_text_matcher_accept(lfm2_matcher *m, int32_t id)
{
    bool end = lf_tokenizer_is_end(m->constraint->model->tokenizer, id);
    if (m->ended || (end && !lf_match_complete(m->match))) {
        return lf_fail(LFM2_E_ARGUMENT, "constraint.rejected", "the text %s",
                       m->ended ? "has ended" : "may not end here");
    }
    if (!end) {
        LF_TRY(advanced(lf_match_accept(m->match, id)));
    }
    m->ended = end;
    bool as_forced = m->forced_known && m->next < m->n_forced && m->forced[m->next] == id;
    m->next += as_forced;
    m->forced_known = as_forced && m->next < m->n_forced;
    return LFM2_OK;
}

int32_t lf_text_matcher_accept_text(lfm2_matcher *m, const char *text, size_t len)
{
    if (m->ended && len > 0) {
        return lf_fail(LFM2_E_ARGUMENT, "constraint.rejected", "the text has ended");
    }
    LF_TRY(advanced(lf_match_accept_bytes(m->match, text, len)));
    m->forced_known = m->forced_known && len == 0;
    return LFM2_OK;
}

/* ---- Masks ---- */

/* Whether m->bits has other tokens than end tokens; then `remove` removes those. */
static bool has_others(lfm2_matcher *m, bool remove)
{
    uint32_t n_ends = 0;
    const int32_t *ends = lf_tokenizer_ends(m->constraint->model->tokenizer, &n_ends);
    uint32_t others = 0;
    remove_ends(m->constraint, m->bits);
    for (size_t i = 0; i < n_words(m->constraint) && others == 0; i++) {
        others = m->bits[i];
    }
    for (uint32_t i = 0; i < n_ends && (others == 0 || !remove); i++) {
        m->bits[ends[i] / 32] |= 1u << ends[i] % 32;
    }
    return others != 0;
}

int32_t lf_text_matcher_apply(lfm2_matcher *m, bool ends, float *logits)
{
    size_t n_vocab = lf_tokenizer_size(m->constraint->model->tokenizer);
    LF_TRY(lf_text_matcher_mask(m, m->bits));
    if (!ends && lf_match_complete(m->match)) {
        (void)has_others(m, true);
    }
    for (size_t i = 0; i < n_vocab; i += 32) {
        uint32_t word = m->bits[i / 32];
        size_t end = n_vocab - i < 32 ? n_vocab : i + 32;
        for (size_t k = i; word != UINT32_MAX && k < end; k++) {
            logits[k] = (word >> (k - i) & 1) != 0 ? logits[k] : -INFINITY;
        }
    }
    return LFM2_OK;
}

/* ---- Forced tokens ---- */

/* What is forced from a place on. */
typedef struct forcing {
    lfm2_matcher *matcher;
    lf_match *match; /* a copy, behind the tokens found so far */
} forcing;

/* The length of the text without an incomplete character at its end. */
static size_t whole_characters(const char *text, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        uint32_t c = 0;
        if (((uint8_t)text[len - back] & 0xC0) != 0x80) {
            lf_utf8_decode((const uint8_t *)text + (len - back), back, &c);
            return c == LF_UTF8_CUT ? len - back : len;
        }
    }
    return len;
}

static void push(lfm2_matcher *m, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n && m->n_forced < LF_MOST_FORCED; i++) {
        m->forced[m->n_forced++] = ids[i];
    }
}

/* Whether the text must end at the place of `match`: it may, and no token may follow. */
static int32_t must_end(lfm2_matcher *m, lf_match *match, bool *out)
{
    *out = false;
    if (!lf_match_complete(match)) {
        return LFM2_OK;
    }
    LF_TRY(lf_match_mask(match, m->bits));
    *out = !has_others(m, false);
    return LFM2_OK;
}

/* Adds what is forced next. *more: whether the place behind it can force more. */
static int32_t force_next(forcing *f, bool *more)
{
    lfm2_matcher *m = f->matcher;
    char bytes[MOST_BYTES];
    int32_t ids[MOST_BYTES];
    size_t n = 0;
    size_t len = 0;
    int32_t id = -1;
    bool ends = false;
    *more = false;
    LF_TRY(lf_match_forced(f->match, bytes, sizeof bytes, &len, &id));
    if (id >= 0) {
        push(m, &id, 1);
        *more = true;
        return lf_match_accept(f->match, id);
    }
    size_t whole = whole_characters(bytes, len);
    if (whole == 0) {
        LF_TRY(must_end(m, f->match, &ends));
        push(m, &m->constraint->end_id, ends && len == 0);
        return LFM2_OK;
    }
    const lf_span span = {bytes, whole, false};
    LF_TRY(
        lf_tokenizer_encode(m->constraint->model->tokenizer, &span, 1, false, ids, MOST_BYTES, &n));
    LF_TRY(lf_match_accept_bytes(f->match, bytes, whole));
    if (whole == len && len < sizeof bytes) {
        size_t next_len = 0;
        LF_TRY(lf_match_forced(f->match, bytes, 1, &next_len, &id));
        LF_TRY(must_end(m, f->match, &ends));
    }
    *more = id >= 0 || ends;
    push(m, ids, *more ? n : n - 1);
    return LFM2_OK;
}

static int32_t find_forced(lfm2_matcher *m)
{
    forcing f = {.matcher = m};
    m->n_forced = 0;
    m->next = 0;
    LF_TRY(lf_match_clone(m->match, &f.match));
    int32_t status = LFM2_OK;
    for (bool more = true; status == LFM2_OK && more && m->n_forced < LF_MOST_FORCED;) {
        status = force_next(&f, &more);
    }
    lf_match_free(f.match);
    m->forced_known = status == LFM2_OK;
    return status;
}

int32_t lf_text_matcher_forced(lfm2_matcher *m, const int32_t **ids, size_t *n)
{
    if (m->ended) {
        *ids = m->forced;
        *n = 0;
        return LFM2_OK;
    }
    if (!m->forced_known) {
        LF_TRY(find_forced(m));
    }
    *ids = m->forced + m->next;
    *n = m->n_forced - m->next;
    return LFM2_OK;
}
