/* SPDX-License-Identifier: Apache-2.0 */
/* Implements encoding: added tokens, then pre-tokens, then merges. */
#include "text/tokenizer_internal.h"

#include "text/pretokenize.h"

#include <string.h>

/* Up to this many bytes the workspace is allocated for the whole text, without measuring the
 * longest pre-token. */
enum { SMALL_TEXT = 512 };

/* One walk over a text. If `work` is NULL it only measures the longest pre-token. */
typedef struct walk {
    const lf_tokenizer *t;
    const uint8_t *text;
    const lf_bpe_work *work;
    lf_ids *ids;
    size_t longest; /* bytes of the longest pre-token */
} walk;

static void visit_pretoken(walk *w, const uint8_t *text, size_t len)
{
    if (w->work == NULL) {
        w->longest = len > w->longest ? len : w->longest;
        return;
    }
    if (len == 1) {
        lf_ids_add(w->ids, w->t->bpe.byte_id[text[0]]);
        return;
    }
    if (w->t->ignore_merges) {
        int32_t id = lf_token_index_find(&w->t->index, text, len);
        if (id >= 0) {
            lf_ids_add(w->ids, (uint32_t)id);
            return;
        }
    }
    lf_bpe_encode(&w->t->bpe, w->work, text, len, w->ids);
}

static void visit_pretokens(walk *w, size_t pos, size_t end)
{
    while (pos < end) {
        size_t next = lf_pretoken_end(w->text, pos, end);
        visit_pretoken(w, w->text + pos, next - pos);
        pos = next;
    }
}

static void visit_added(walk *w, const lf_added_token *token)
{
    if (w->work != NULL) {
        lf_ids_add(w->ids, (uint32_t)token->id);
    }
}

/* A section without control tokens: finds the user-defined tokens first. */
static void visit_section(walk *w, size_t pos, size_t end)
{
    size_t at = 0;
    const lf_added_token *found = NULL;
    while ((found = lf_added_find(&w->t->user, w->text, pos, end, &at)) != NULL) {
        visit_pretokens(w, pos, at);
        visit_added(w, found);
        pos = at + found->len;
    }
    visit_pretokens(w, pos, end);
}

/* The whole text: finds control tokens inside maximal sequences of spans that allow them. */
static void visit_spans(walk *w, const lf_span *spans, size_t n_spans)
{
    size_t done = 0; /* the text before this position has been visited */
    size_t pos = 0;
    for (size_t i = 0; i < n_spans;) {
        size_t start = pos;
        bool special = spans[i].special;
        for (; i < n_spans && spans[i].special == special; i++) {
            pos += spans[i].len;
        }
        size_t at = 0;
        const lf_added_token *found = NULL;
        while (special &&
               (found = lf_added_find(&w->t->control, w->text, start, pos, &at)) != NULL) {
            visit_section(w, done, at);
            visit_added(w, found);
            start = at + found->len;
            done = start;
        }
    }
    visit_section(w, done, pos);
}

/* The spans as one text: of a single span the caller's memory, else a copy. *copy receives the
 * copy, which the caller frees, or NULL. */
static int32_t join(const lf_alloc *alloc, const lf_span *spans, size_t n_spans,
                    const uint8_t **text, size_t *len, uint8_t **copy)
{
    *copy = NULL;
    *len = 0;
    for (size_t i = 0; i < n_spans; i++) {
        if (!lf_add_size(*len, spans[i].len, len)) {
            return lf_fail(LFM2_E_MEMORY, "memory.overflow",
                           "the text is too large for the address space");
        }
    }
    if (n_spans <= 1) {
        *text = n_spans == 1 ? (const uint8_t *)spans[0].text : NULL;
        return LFM2_OK;
    }
    void *p = NULL;
    LF_TRY(lf_new(alloc, *len, 1, "text", &p));
    *copy = p;
    *text = p;
    size_t used = 0;
    for (size_t i = 0; i < n_spans; i++) {
        if (spans[i].len > 0) {
            memcpy(*copy + used, spans[i].text, spans[i].len);
            used += spans[i].len;
        }
    }
    return LFM2_OK;
}

/* Measures the text, allocates the workspace, then encodes. MEMORY and LIMIT are reported before
 * the first id is written. */
static int32_t encode(walk *w, const lf_span *spans, size_t n_spans, size_t len, int32_t bos_id)
{
    w->longest = len;
    if (len > SMALL_TEXT) {
        w->longest = 0;
        visit_spans(w, spans, n_spans);
    }
    if (w->longest > LF_PRETOKEN_MAX) {
        return lf_fail(LFM2_E_LIMIT, "text.length",
                       "the text has a section of %zu bytes that cannot be split into pre-tokens; "
                       "allowed: up to %d bytes",
                       w->longest, LF_PRETOKEN_MAX);
    }
    const lf_alloc *alloc = &w->t->alloc;
    lf_bpe_work work;
    int32_t status = lf_bpe_work_init(alloc, w->longest, &work);
    if (status == LFM2_OK) {
        if (bos_id >= 0) {
            lf_ids_add(w->ids, (uint32_t)bos_id);
        }
        w->work = &work;
        visit_spans(w, spans, n_spans);
    }
    lf_bpe_work_free(alloc, &work);
    return status;
}

int32_t lf_tokenizer_encode(const lf_tokenizer *tokenizer, const lf_span *spans, size_t n_spans,
                            bool bos, int32_t *ids, size_t capacity, size_t *n_ids)
{
    lf_ids out = {ids, capacity, 0};
    walk w = {.t = tokenizer, .ids = &out};
    size_t len = 0;
    uint8_t *copy = NULL;
    LF_TRY(join(&tokenizer->alloc, spans, n_spans, &w.text, &len, &copy));
    int32_t status = encode(&w, spans, n_spans, len, bos ? tokenizer->bos_id : -1);
    lf_free(&tokenizer->alloc, copy, len, 1);
    LF_TRY(status);
    *n_ids = out.n;
    if (out.n > capacity) {
        return lf_fail(LFM2_E_BUFFER, "text.capacity",
                       "the buffer is too small for the ids: capacity is %zu, needed: %zu",
                       capacity, out.n);
    }
    return LFM2_OK;
}
