/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the tries of a vocabulary. */
#include "text/grammar/token_trie.h"

#include "common/sort.h"
#include "common/utf8.h"
#include "text/grammar/grammar_nodes.h"

#include <string.h>

typedef struct entry {
    const uint8_t *bytes;
    uint32_t len;
    int32_t id;
    lf_token_part part;
} entry;

static int compare(const void *context, const void *first, const void *second)
{
    (void)context;
    const entry *a = first;
    const entry *b = second;
    uint32_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->bytes, b->bytes, len);
    if (order != 0) {
        return order;
    }
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

/* The number of characters if all of them are plain; else 0. */
static uint32_t plain_chars(const uint8_t *bytes, size_t len)
{
    uint32_t n = 0;
    for (size_t at = 0; at < len; n++) {
        uint32_t c;
        size_t step = lf_utf8_decode(bytes + at, len - at, &c);
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7F || c >= LF_UTF8_BAD) {
            return 0;
        }
        at += step;
    }
    return n;
}

static lf_token_part part_of(const uint8_t *bytes, size_t len)
{
    uint32_t chars = plain_chars(bytes, len);
    if (chars > 0) {
        return chars <= LF_SHORT_TOKEN ? LF_PART_PLAIN : LF_PART_LONGER;
    }
    return len <= LF_SHORT_TOKEN ? LF_PART_OTHER : LF_PART_LONGER;
}

/* The number of bytes with which both entries begin. */
static uint32_t common_bytes(const entry *a, const entry *b)
{
    uint32_t n = 0;
    while (n < a->len && n < b->len && a->bytes[n] == b->bytes[n]) {
        n++;
    }
    return n;
}

/* The first entry that belongs to one of some parts of the vocabulary. */
static const entry *next_entry(const entry *e, const entry *end, uint32_t parts)
{
    while (e < end && (e->part & parts) == 0) {
        e++;
    }
    return e;
}

/* Ends the nodes of the open path that are deeper than `depth`. */
static void close_nodes(lf_trie *t, uint32_t *path, uint32_t *open, uint32_t depth)
{
    while (*open > depth) {
        t->nodes[path[(*open)--]].end = t->n;
    }
}

enum { LEAST_BELOW = 8 }; /* descendants of a node that is described */

/* Fills `below` and `first`. Children come after their parents: the last node goes first. */
static int32_t describe(const lf_token_trie *tt, lf_trie *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        bool large = t->nodes[i].end - i > LEAST_BELOW;
        t->nodes[i].below = large ? ++t->n_below : 0;
    }
    void *p = NULL;
    LF_TRY(lf_new_zero(&tt->alloc, t->n_below, sizeof *t->below, "token trie", &p));
    t->below = p;
    for (uint32_t i = t->n; i-- > 0;) {
        const lf_trie_node *node = &t->nodes[i];
        lf_trie_below *b = node->below != 0 ? &t->below[node->below - 1] : NULL;
        for (uint32_t k = i + 1; b != NULL && k < node->end;) {
            const lf_trie_node *below = &t->nodes[k];
            b->bits[below->byte >> 6] |= (uint64_t)1 << (below->byte & 63);
            uint32_t depth = (uint32_t)(below->depth - node->depth);
            if (below->below != 0) {
                const lf_trie_below *more = &t->below[below->below - 1];
                for (int w = 0; w < 4; w++) {
                    b->bits[w] |= more->bits[w];
                }
                depth += more->depth;
                k = below->end;
            } else {
                k++;
            }
            b->depth = depth > b->depth ? depth : b->depth;
        }
    }
    for (uint32_t i = 1; i < t->n; i = t->nodes[i].end) {
        t->first[t->nodes[i].byte] = i;
    }
    return LFM2_OK;
}

static int32_t build(const lf_token_trie *tt, const entry *entries, size_t n, uint32_t parts,
                     uint32_t *path, lf_trie *t)
{
    const entry *end = entries + n, *last = NULL;
    /* The root, the one after the last, one for each byte that the entry before lacks. */
    size_t nodes = 2;
    for (const entry *e = next_entry(entries, end, parts); e < end;
         last = e, e = next_entry(e + 1, end, parts)) {
        nodes += e->len - (last == NULL ? 0 : common_bytes(last, e));
        t->n_ids++;
    }
    if (nodes > UINT32_MAX) {
        return lf_fail(LFM2_E_LIMIT, "constraint.vocabulary", "the vocabulary is too large");
    }
    void *p = NULL;
    LF_TRY(lf_new_zero(&tt->alloc, nodes, sizeof *t->nodes, "token trie", &p));
    t->nodes = p;
    t->capacity = (uint32_t)nodes;
    LF_TRY(lf_new(&tt->alloc, t->n_ids, sizeof *t->ids, "token trie", &p));
    t->ids = p;
    uint32_t open = 0, ids = 0;
    t->n = 1;
    path[0] = 0;
    last = NULL;
    for (const entry *e = next_entry(entries, end, parts); e < end;
         last = e, e = next_entry(e + 1, end, parts)) {
        close_nodes(t, path, &open, last == NULL ? 0 : common_bytes(last, e));
        while (open < e->len) {
            t->nodes[t->n] = (lf_trie_node){
                .tokens = ids, .depth = (uint16_t)(open + 1), .byte = e->bytes[open]};
            path[++open] = t->n++;
        }
        t->ids[ids++] = e->id;
    }
    close_nodes(t, path, &open, 0);
    t->nodes[0].end = t->n;
    t->nodes[t->n].tokens = ids;
    return describe(tt, t);
}

/* Fills an entry; false: no constraint allows the token. */
static bool make_entry(const lf_tokenizer *tokenizer, int32_t id, char *spelling, entry *e)
{
    const char *bytes = NULL;
    size_t len = 0;
    int32_t kind = 0;
    if (lf_tokenizer_token(tokenizer, id, &bytes, &len, &kind) != LFM2_OK) {
        return false;
    }
    if (lf_tokenizer_is_control(tokenizer, id)) {
        lf_token_spell(id, spelling);
        *e = (entry){(const uint8_t *)spelling, LF_TOKEN_SPELLING, id, LF_PART_OTHER};
        return true;
    }
    *e = (entry){(const uint8_t *)bytes, (uint32_t)len, id, part_of((const uint8_t *)bytes, len)};
    return (kind == LFM2_TOKEN_NORMAL || kind == LFM2_TOKEN_USER) && len > 0 &&
           len <= LF_TRIE_TOKEN_BYTES && memchr(bytes, 0xFF, len) == NULL;
}

static void fill_masks(lf_token_trie *tt, const entry *entries, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool plain = entries[i].part == LF_PART_PLAIN;
        uint32_t chars = plain ? plain_chars(entries[i].bytes, entries[i].len) : 0;
        for (uint32_t k = chars; plain && k <= LF_SHORT_TOKEN; k++) {
            lf_mask_set(tt->chars[k], entries[i].id);
        }
        tt->depth = entries[i].len > tt->depth ? entries[i].len : tt->depth;
    }
    for (uint32_t id = 0; id < tt->n_vocab; id++) {
        if (lf_tokenizer_is_end(tt->tokenizer, (int32_t)id)) {
            lf_mask_set(tt->ends, (int32_t)id);
        }
    }
}

enum { MASKS = LF_SHORT_TOKEN + 3 };

static int32_t create(lf_token_trie *tt, entry *entries, char *spellings, uint32_t *path)
{
    size_t n = 0;
    for (uint32_t id = 0; id < tt->n_vocab; id++) {
        n += make_entry(tt->tokenizer, (int32_t)id, spellings + (size_t)id * LF_TOKEN_SPELLING,
                        &entries[n]);
    }
    lf_sort(entries, n, sizeof *entries, compare, NULL);
    void *p = NULL;
    LF_TRY(lf_new_zero(&tt->alloc, tt->n_words, MASKS * sizeof *tt->words, "token masks", &p));
    tt->words = p;
    for (uint32_t k = 0; k <= LF_SHORT_TOKEN; k++) {
        tt->chars[k] = tt->words + (size_t)k * tt->n_words;
    }
    tt->ends = tt->words + (size_t)(MASKS - 1) * tt->n_words;
    tt->every = tt->words + (size_t)(MASKS - 2) * tt->n_words;
    memset(tt->every, 0xFF, tt->n_words * sizeof *tt->every);
    fill_masks(tt, entries, n);
    LF_TRY(build(tt, entries, n, LF_PART_PLAIN | LF_PART_OTHER, path, &tt->shorter));
    LF_TRY(build(tt, entries, n, LF_PART_PLAIN, path, &tt->plain));
    LF_TRY(build(tt, entries, n, LF_PART_OTHER, path, &tt->other));
    return build(tt, entries, n, LF_PART_LONGER, path, &tt->longer);
}

int32_t lf_token_trie_create(const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                             lf_token_trie **out)
{
    void *p = NULL, *entries = NULL, *spellings = NULL, *path = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof **out, "token trie", &p));
    lf_token_trie *tt = p;
    uint32_t n = lf_tokenizer_size(tokenizer);
    *tt = (lf_token_trie){
        .alloc = *alloc, .tokenizer = tokenizer, .n_vocab = n, .n_words = n / 32 + (n % 32 != 0)};
    int32_t status;
    LF_TRY_DONE(lf_new(alloc, (size_t)n + 1, sizeof(entry), "token trie", &entries));
    LF_TRY_DONE(lf_new(alloc, n, LF_TOKEN_SPELLING, "token trie", &spellings));
    LF_TRY_DONE(lf_new(alloc, LF_TRIE_TOKEN_BYTES + 1, sizeof(uint32_t), "token trie", &path));
    status = create(tt, entries, spellings, path);
done:
    lf_free(alloc, entries, (size_t)n + 1, sizeof(entry));
    lf_free(alloc, spellings, n, LF_TOKEN_SPELLING);
    lf_free(alloc, path, LF_TRIE_TOKEN_BYTES + 1, sizeof(uint32_t));
    if (status != LFM2_OK) {
        lf_token_trie_free(tt);
        return status;
    }
    *out = tt;
    return LFM2_OK;
}

void lf_token_trie_free(lf_token_trie *trie)
{
    if (trie == NULL) {
        return;
    }
    lf_alloc alloc = trie->alloc;
    lf_trie *parts[] = {&trie->shorter, &trie->plain, &trie->other, &trie->longer};
    for (int i = 0; i < 4; i++) {
        lf_free(&alloc, parts[i]->nodes, parts[i]->capacity, sizeof *parts[i]->nodes);
        lf_free(&alloc, parts[i]->below, parts[i]->n_below, sizeof *parts[i]->below);
        lf_free(&alloc, parts[i]->ids, parts[i]->n_ids, sizeof *parts[i]->ids);
    }
    lf_free(&alloc, trie->words, trie->n_words, MASKS * sizeof *trie->words);
    lf_free(&alloc, trie, 1, sizeof *trie);
}
