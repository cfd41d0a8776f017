/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way from text to ids: added tokens, pieces, merges. */
#include "text/tokenizer_internal.h"

#include "text/pretokenize.h"

#include <string.h>

enum { SMALL_TEXT = 512 }; /* working memory for this many bytes is not worth measuring */

/* One walk over a text. With `work` NULL it only measures the longest piece. */
typedef struct walk {
    const lf_tokenizer *t;
    const uint8_t *text;
    const lf_bpe_work *work;
    lf_ids *ids;
    size_t longest;
} walk;

static void piece(walk *w, const uint8_t *text, size_t len)
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
        int32_t id = lf_words_find(&w->t->words, text, len);
        if (id >= 0) {
            lf_ids_add(w->ids, (uint32_t)id);
            return;
        }
    }
    lf_bpe_encode(&w->t->bpe, w->work, text, len, w->ids);
}

static void pieces(walk *w, size_t pos, size_t end)
{
    while (pos < end) {
        size_t next = lf_pretoken_end(w->text, pos, end);
        piece(w, w->text + pos, next - pos);
        pos = next;
    }
}

static void added(walk *w, const lf_added_token *token)
{
    if (w->work != NULL) {
        lf_ids_add(w->ids, (uint32_t)token->id);
    }
}

/* Text without control tokens: user-defined ones are cut out first. */
static void plain(walk *w, size_t pos, size_t end)
{
    size_t at = 0;
    const lf_added_token *found = NULL;
    while ((found = lf_added_find(&w->t->user, w->text, pos, end, &at)) != NULL) {
        pieces(w, pos, at);
        added(w, found);
        pos = at + found->len;
    }
    pieces(w, pos, end);
}

/* The whole text: control tokens count only where all of their bytes lie in spans that allow it. */
static void spans_walk(walk *w, const lf_span *spans, size_t n_spans)
{
    size_t done = 0; /* text up to here is dealt with */
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
            plain(w, done, at);
            added(w, found);
            start = at + found->len;
            done = start;
        }
    }
    plain(w, done, pos);
}

/* The spans as one text: the caller's own if there is only one, else a copy (*copy, to be freed).
 */
static int32_t join(const lf_alloc *alloc, const lf_span *spans, size_t n_spans,
                    const uint8_t **text, size_t *len, uint8_t **copy)
{
    *copy = NULL;
    *len = 0;
    for (size_t i = 0; i < n_spans; i++) {
        if (!lf_add_size(*len, spans[i].len, len)) {
            return lf_fail(LFM2_E_MEMORY, "memory.overflow", "text: size overflows");
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

/* Measures first, then allocates all that the second walk needs: ids are written only when nothing
 * can fail any more. */
static int32_t encode(walk *w, const lf_span *spans, size_t n_spans, size_t len, int32_t bos_id)
{
    w->longest = len;
    if (len > SMALL_TEXT) {
        w->longest = 0;
        spans_walk(w, spans, n_spans);
    }
    if (w->longest > LF_PIECE_MAX) {
        return lf_fail(LFM2_E_LIMIT, "text.length", "text: a run of %zu bytes without a border",
                       w->longest);
    }
    const lf_alloc *alloc = &w->t->alloc;
    lf_bpe_work work;
    int32_t status = lf_bpe_work_init(alloc, w->longest, &work);
    if (status == LFM2_OK) {
        if (bos_id >= 0) {
            lf_ids_add(w->ids, (uint32_t)bos_id);
        }
        w->work = &work;
        spans_walk(w, spans, n_spans);
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
        return lf_fail(LFM2_E_BUFFER, "text.capacity", "text: %zu ids, room for %zu", out.n,
                       capacity);
    }
    return LFM2_OK;
}
