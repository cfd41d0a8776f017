/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, steps and tables of the schema compiler. */
#include "text/grammar/schema_internal.h"

#include "text/hash.h"

#include <string.h>

enum { CHUNKS = 64 }; /* the least chunks of arenas that make up the limit of memory */

int32_t lf_schema_step(lf_schema *s, uint64_t n)
{
    if (s->steps < n) {
        s->steps = 0;
        return lf_fail(LFM2_E_LIMIT, "schema.steps", "the schema needs more than %llu steps",
                       (unsigned long long)s->options->limits->compile_steps);
    }
    s->steps -= n;
    return LFM2_OK;
}

int32_t lf_schema_new(lf_schema *s, size_t count, size_t item, void **out)
{
    return lf_schema_new_in(s, &s->arena, count, item, out);
}

int32_t lf_schema_new_in(lf_schema *s, lf_arena *arena, size_t count, size_t item, void **out)
{
    const size_t before = arena->total;
    size_t bytes = 0;
    if (!lf_mul_size(count, item, &bytes) || bytes > lf_grammar_left(s->grammar)) {
        return lf_fail(LFM2_E_LIMIT, "schema.memory", "the schema needs more than %zu bytes",
                       s->options->limits->memory);
    }
    LF_TRY(lf_schema_step(s, 1 + bytes / 256));
    const size_t largest = s->options->limits->memory / CHUNKS;
    arena->chunk_bytes = arena->chunk_bytes < largest ? arena->chunk_bytes : largest;
    LF_TRY(lf_arena_new(arena, count > 0 ? count : 1, item, "a schema", out));
    lf_grammar_charge(s->grammar, arena->total - before);
    memset(*out, 0, (count > 0 ? count : 1) * item);
    return LFM2_OK;
}

void lf_schema_free_arena(lf_schema *s, lf_arena *arena)
{
    lf_grammar_refund(s->grammar, arena->total);
    lf_arena_free(arena);
}

/* Frees an array that was replaced by a larger one, if it is large. */
static void drop(lf_schema *s, lf_arena *arena, const void *items)
{
    const size_t before = arena->total;
    lf_arena_drop(arena, items);
    lf_grammar_refund(s->grammar, before - arena->total);
}

int32_t lf_schema_grow(lf_schema *s, void **items, uint32_t *capacity, uint32_t need, size_t item)
{
    return lf_schema_grow_in(s, &s->arena, items, capacity, need, item);
}

int32_t lf_schema_grow_in(lf_schema *s, lf_arena *arena, void **items, uint32_t *capacity,
                          uint32_t need, size_t item)
{
    if (need <= *capacity) {
        return LFM2_OK;
    }
    uint32_t larger = *capacity < 8 ? 8 : *capacity * 2;
    larger = larger < need ? need : larger;
    void *copy = NULL;
    LF_TRY(lf_schema_new_in(s, arena, larger, item, &copy));
    if (*capacity > 0) {
        memcpy(copy, *items, *capacity * item);
    }
    drop(s, arena, *items);
    *items = copy;
    *capacity = larger;
    return LFM2_OK;
}

static uint32_t hash_of(const char *text, size_t len)
{
    uint64_t h = len;
    for (; len >= 8; len -= 8, text += 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        h = lf_hash_mix(h ^ word);
    }
    uint64_t word = 0;
    if (len > 0) {
        memcpy(&word, text, len);
    }
    return (uint32_t)lf_hash_mix(h ^ word);
}

/* The slot of the text, or the free one where it belongs. Every probe is a step, so texts chosen to
 * collide cost steps. */
static int32_t find_slot(lf_schema *s, const lf_names *names, const char *text, size_t len,
                         uint32_t hash, uint32_t *out)
{
    uint32_t at = hash & (names->n_slots - 1);
    for (;; at = (at + 1) & (names->n_slots - 1)) {
        uint32_t id = names->slots[at];
        if (id == 0) {
            break;
        }
        const struct lf_name *n = &names->items[id - 1];
        if (n->hash == hash && n->len == len && memcmp(n->text, text, len) == 0) {
            break;
        }
        LF_TRY(lf_schema_step(s, 1));
    }
    *out = at;
    return LFM2_OK;
}

static int32_t rebuild(lf_schema *s, lf_names *names)
{
    void *slots = NULL;
    uint32_t n = names->n_slots < 16 ? 16 : names->n_slots * 2;
    LF_TRY(lf_schema_new(s, n, sizeof *names->slots, &slots));
    drop(s, &s->arena, names->slots);
    names->slots = slots;
    names->n_slots = n;
    for (uint32_t i = 0; i < names->n; i++) {
        const struct lf_name *name = &names->items[i];
        uint32_t at = 0;
        LF_TRY(find_slot(s, names, name->text, name->len, name->hash, &at));
        names->slots[at] = i + 1;
    }
    return LFM2_OK;
}

int32_t lf_schema_find(lf_schema *s, const lf_names *names, const void *text, size_t len,
                       const struct lf_name **out)
{
    uint32_t at = 0;
    *out = NULL;
    if (names->n_slots == 0) {
        return LFM2_OK;
    }
    LF_TRY(find_slot(s, names, text, len, hash_of(text, len), &at));
    *out = names->slots[at] == 0 ? NULL : &names->items[names->slots[at] - 1];
    return LFM2_OK;
}

int32_t lf_schema_intern(lf_schema *s, lf_names *names, const void *text, size_t len, uint32_t *out,
                         bool *added)
{
    const uint32_t hash = hash_of(text, len);
    uint32_t at = 0;
    LF_TRY(lf_schema_step(s, 1 + len / 64));
    if (2 * (names->n + 1) > names->n_slots) {
        LF_TRY(rebuild(s, names));
    }
    LF_TRY(find_slot(s, names, text, len, hash, &at));
    *added = names->slots[at] == 0;
    if (*added) {
        void *items = names->items;
        LF_TRY(lf_schema_grow(s, &items, &names->capacity, names->n + 1, sizeof(struct lf_name)));
        names->items = items;
        struct lf_name *n = &names->items[names->n];
        *n = (struct lf_name){.len = (uint32_t)len, .hash = hash};
        void *copy = NULL; /* ends with a 0 */
        LF_TRY(lf_schema_new(s, len + 1, 1, &copy));
        if (len > 0) {
            memcpy(copy, text, len);
        }
        n->text = copy;
        names->slots[at] = ++names->n;
    }
    *out = names->slots[at] - 1;
    return LFM2_OK;
}
