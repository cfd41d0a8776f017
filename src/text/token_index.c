/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the hash table from byte strings to token ids. */
#include "text/bpe.h"
#include "text/hash.h"

#include <string.h>

static uint64_t hash_bytes(uint64_t seed, const uint8_t *p, size_t len)
{
    uint64_t h = lf_hash_mix(seed ^ len);
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t chunk;
        memcpy(&chunk, p, 8);
        h = lf_hash_mix(h ^ chunk);
    }
    uint64_t rest = 0;
    for (size_t i = 0; i < len; i++) {
        rest |= (uint64_t)p[i] << (8 * i);
    }
    return lf_hash_mix(h ^ rest);
}

static bool equal(const lf_word *word, const uint8_t *text, size_t len)
{
    return word->len == len && memcmp(word->text, text, len) == 0;
}

/* Fills the cleared slots; false if a word would need too many probes. */
static bool fill(lf_words *t, uint32_t n, int64_t *duplicate)
{
    *duplicate = -1;
    for (uint32_t id = 0; id < n; id++) {
        const lf_word *word = &t->words[id];
        if (word->text == NULL) {
            continue;
        }
        uint64_t h = hash_bytes(t->seed, word->text, word->len);
        uint32_t tag = (uint32_t)(h >> 32);
        size_t at = h & t->mask;
        for (int probe = 0; t->slots[at].id != 0; probe++) {
            if (probe == LF_HASH_PROBES) {
                return false;
            }
            lf_word_slot slot = t->slots[at];
            if (slot.tag == tag && equal(&t->words[slot.id - 1], word->text, word->len)) {
                *duplicate = id;
                return true;
            }
            at = (at + 1) & t->mask;
        }
        t->slots[at] = (lf_word_slot){id + 1, tag};
        t->longest = word->len > t->longest ? word->len : t->longest;
    }
    return true;
}

int32_t lf_words_init(const lf_alloc *alloc, const lf_word *words, uint32_t n, const char *name,
                      lf_words *out, int64_t *duplicate)
{
    *out = (lf_words){.words = words};
    size_t capacity = lf_hash_capacity(n);
    out->mask = capacity - 1;
    void *p = NULL;
    LF_TRY(lf_new(alloc, capacity, sizeof *out->slots, "vocabulary index", &p));
    out->slots = p;
    for (uint64_t seed = 1; seed <= LF_HASH_SEEDS; seed++) {
        out->seed = lf_hash_mix(seed);
        memset(out->slots, 0, capacity * sizeof *out->slots);
        if (fill(out, n, duplicate)) {
            return LFM2_OK;
        }
    }
    return lf_fail(LFM2_E_FORMAT, "vocab.hash", "%s: the vocabulary defeats the hash table", name);
}

void lf_words_free(const lf_alloc *alloc, lf_words *words)
{
    lf_free(alloc, words->slots, words->mask + 1, sizeof *words->slots);
    *words = (lf_words){0};
}

int32_t lf_words_find(const lf_words *words, const uint8_t *text, size_t len)
{
    if (len > words->longest) {
        return -1;
    }
    uint64_t h = hash_bytes(words->seed, text, len);
    uint32_t tag = (uint32_t)(h >> 32);
    size_t at = h & words->mask;
    for (; words->slots[at].id != 0; at = (at + 1) & words->mask) {
        lf_word_slot slot = words->slots[at];
        if (slot.tag == tag && equal(&words->words[slot.id - 1], text, len)) {
            return (int32_t)(slot.id - 1);
        }
    }
    return -1;
}
