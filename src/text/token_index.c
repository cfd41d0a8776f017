/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the hash table from the bytes of a token to its id. */
#include "text/token_index.h"

#include "text/hash.h"

#include <string.h>

static uint64_t hash_bytes(uint64_t seed, const uint8_t *p, size_t len)
{
    uint64_t h = lf_hash_mix(seed ^ len);
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = lf_hash_mix(h ^ word);
    }
    uint64_t rest = 0;
    for (size_t i = 0; i < len; i++) {
        rest |= (uint64_t)p[i] << (8 * i);
    }
    return lf_hash_mix(h ^ rest);
}

static bool equal(const lf_token_key *key, const uint8_t *bytes, size_t len)
{
    return key->len == len && memcmp(key->bytes, bytes, len) == 0;
}

/* Fills the cleared slots; false if a key would need too many probes. */
static bool fill(lf_token_index *index, uint32_t n, int64_t *duplicate)
{
    *duplicate = -1;
    for (uint32_t id = 0; id < n; id++) {
        const lf_token_key *key = &index->keys[id];
        if (key->bytes == NULL) {
            continue;
        }
        uint64_t h = hash_bytes(index->seed, key->bytes, key->len);
        uint32_t tag = (uint32_t)(h >> 32);
        size_t at = h & index->mask;
        for (int probe = 0; index->slots[at].id != 0; probe++) {
            if (probe == LF_HASH_PROBES) {
                return false;
            }
            lf_token_slot slot = index->slots[at];
            if (slot.tag == tag && equal(&index->keys[slot.id - 1], key->bytes, key->len)) {
                *duplicate = id;
                return true;
            }
            at = (at + 1) & index->mask;
        }
        index->slots[at] = (lf_token_slot){id + 1, tag};
        index->longest = key->len > index->longest ? key->len : index->longest;
    }
    return true;
}

int32_t lf_token_index_init(const lf_alloc *alloc, const lf_token_key *keys, uint32_t n,
                            const char *name, lf_token_index *out, int64_t *duplicate)
{
    *out = (lf_token_index){.keys = keys};
    size_t capacity = lf_hash_capacity(n);
    out->mask = capacity - 1;
    void *p = NULL;
    LF_TRY(lf_new(alloc, capacity, sizeof *out->slots, "token index", &p));
    out->slots = p;
    for (uint64_t seed = 1; seed <= LF_HASH_SEEDS; seed++) {
        out->seed = lf_hash_mix(seed);
        memset(out->slots, 0, capacity * sizeof *out->slots);
        if (fill(out, n, duplicate)) {
            return LFM2_OK;
        }
    }
    return lf_fail(LFM2_E_FORMAT, "vocab.hash",
                   "%s: too many hash collisions among the tokens; the file may be damaged or "
                   "malicious",
                   name);
}

void lf_token_index_free(const lf_alloc *alloc, lf_token_index *index)
{
    lf_free(alloc, index->slots, index->mask + 1, sizeof *index->slots);
    *index = (lf_token_index){0};
}

int32_t lf_token_index_find(const lf_token_index *index, const uint8_t *bytes, size_t len)
{
    if (len > index->longest) {
        return -1;
    }
    uint64_t h = hash_bytes(index->seed, bytes, len);
    uint32_t tag = (uint32_t)(h >> 32);
    size_t at = h & index->mask;
    for (; index->slots[at].id != 0; at = (at + 1) & index->mask) {
        lf_token_slot slot = index->slots[at];
        if (slot.tag == tag && equal(&index->keys[slot.id - 1], bytes, len)) {
            return (int32_t)(slot.id - 1);
        }
    }
    return -1;
}
