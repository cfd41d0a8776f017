/* SPDX-License-Identifier: Apache-2.0 */
/* Implements checked size arithmetic, the default allocator and the arena. */
#include "common/alloc.h"

#include "common/os.h"

#include <stdlib.h>
#include <string.h>

bool lf_mul_size(size_t a, size_t b, size_t *out)
{
    size_t r = 0;
    if (__builtin_mul_overflow(a, b, &r)) {
        return false;
    }
    *out = r;
    return true;
}

bool lf_add_size(size_t a, size_t b, size_t *out)
{
    size_t r = 0;
    if (__builtin_add_overflow(a, b, &r)) {
        return false;
    }
    *out = r;
    return true;
}

bool lf_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t r = 0;
    if (__builtin_mul_overflow(a, b, &r)) {
        return false;
    }
    *out = r;
    return true;
}

bool lf_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t r = 0;
    if (__builtin_add_overflow(a, b, &r)) {
        return false;
    }
    *out = r;
    return true;
}

/* Large allocations ask for huge pages, so that packing the weights has fewer page faults. */
static void *default_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    enum { HUGE_PAGE = 2 << 20, LARGE = 4 << 20 };
    void *p = NULL;
    if (posix_memalign(&p, bytes >= LARGE ? HUGE_PAGE : align, bytes) != 0) {
        return NULL;
    }
    if (bytes >= LARGE) {
        lf_os_huge_pages(p, bytes / HUGE_PAGE * HUGE_PAGE);
    }
    return p;
}

static void default_free(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(ptr);
}

lf_alloc lf_alloc_default(void)
{
    return (lf_alloc){default_alloc, default_free, NULL};
}

/* The size to request: never 0, for which an allocator may return NULL. */
static size_t block_bytes(size_t bytes)
{
    return bytes > 0 ? bytes : 1;
}

int32_t lf_new(const lf_alloc *alloc, size_t count, size_t item, const char *what, void **out)
{
    size_t bytes = 0;
    if (!lf_mul_size(count, item, &bytes)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "%s: %zu x %zu bytes overflow size_t",
                       what, count, item);
    }
    void *p = alloc->alloc(alloc->user, block_bytes(bytes), LF_ALIGN);
    if (p == NULL) {
        return lf_fail(LFM2_E_MEMORY, "memory.exhausted", "%s: out of memory (%zu bytes)", what,
                       bytes);
    }
    *out = p;
    return LFM2_OK;
}

int32_t lf_new_zero(const lf_alloc *alloc, size_t count, size_t item, const char *what, void **out)
{
    LF_TRY(lf_new(alloc, count, item, what, out));
    memset(*out, 0, count * item);
    return LFM2_OK;
}

void lf_free(const lf_alloc *alloc, void *ptr, size_t count, size_t item)
{
    if (ptr != NULL) {
        alloc->free(alloc->user, ptr, block_bytes(count * item), LF_ALIGN);
    }
}

/* ---- Arena ---- */

typedef struct lf_arena_chunk {
    struct lf_arena_chunk *next;
    size_t bytes; /* of the whole chunk, including this header */
    size_t used;  /* offset of the next free byte, from this header on */
    void *large;  /* its only item, or NULL */
} lf_arena_chunk;

enum { FIRST_CHUNK = 16 * 1024, LARGEST_CHUNK = 1024 * 1024 };

void lf_arena_init(lf_arena *arena, const lf_alloc *alloc)
{
    *arena = (lf_arena){.alloc = alloc, .chunk_bytes = FIRST_CHUNK};
}

void lf_arena_free(lf_arena *arena)
{
    lf_arena_chunk *c = arena->chunks;
    while (c != NULL) {
        lf_arena_chunk *next = c->next;
        lf_free(arena->alloc, c, c->bytes, 1);
        c = next;
    }
    arena->chunks = NULL;
    arena->total = 0;
}

void lf_arena_drop(lf_arena *arena, const void *item)
{
    for (lf_arena_chunk **link = &arena->chunks; item != NULL && *link != NULL;
         link = &(*link)->next) {
        lf_arena_chunk *c = *link;
        if (c->large == item) {
            *link = c->next;
            arena->total -= c->bytes;
            lf_free(arena->alloc, c, c->bytes, 1);
            return;
        }
    }
}

static int32_t take(lf_arena *arena, size_t bytes, size_t align, const char *what, void **out)
{
    lf_arena_chunk *c = arena->chunks;
    if (c != NULL) {
        size_t start = (c->used + align - 1) & ~(align - 1);
        if (start <= c->bytes && bytes <= c->bytes - start) {
            c->used = start + bytes;
            *out = (unsigned char *)c + start;
            return LFM2_OK;
        }
    }
    size_t need = 0;
    if (!lf_add_size(bytes, LF_ALIGN + align, &need)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "%s: %zu bytes overflow size_t", what,
                       bytes);
    }
    bool own_chunk = need > arena->chunk_bytes / 2 && c != NULL;
    size_t size = own_chunk || need > arena->chunk_bytes ? need : arena->chunk_bytes;
    void *p = NULL;
    LF_TRY(lf_new(arena->alloc, size, 1, what, &p));
    lf_arena_chunk *fresh = p;
    size_t start = (sizeof *fresh + align - 1) & ~(align - 1);
    *fresh = (lf_arena_chunk){.bytes = size, .used = start + bytes};
    arena->total += size;
    if (own_chunk) { /* a large item: the current chunk stays first and is filled further */
        fresh->large = (unsigned char *)fresh + start;
        fresh->next = c->next;
        c->next = fresh;
    } else {
        fresh->next = c;
        arena->chunks = fresh;
        if (arena->chunk_bytes < LARGEST_CHUNK) {
            arena->chunk_bytes *= 2;
        }
    }
    *out = (unsigned char *)fresh + start;
    return LFM2_OK;
}

static int32_t take_items(lf_arena *arena, size_t count, size_t item, size_t align,
                          const char *what, void **out)
{
    size_t bytes = 0;
    if (!lf_mul_size(count, item, &bytes)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "%s: %zu x %zu bytes overflow size_t",
                       what, count, item);
    }
    return take(arena, bytes, align, what, out);
}

int32_t lf_arena_new(lf_arena *arena, size_t count, size_t item, const char *what, void **out)
{
    return take_items(arena, count, item, 16, what, out);
}

int32_t lf_arena_new_aligned(lf_arena *arena, size_t count, size_t item, const char *what,
                             void **out)
{
    return take_items(arena, count, item, LF_ALIGN, what, out);
}

int32_t lf_arena_string(lf_arena *arena, const char *text, size_t len, const char **out)
{
    void *p = NULL;
    LF_TRY(take_items(arena, len + 1, 1, 1, "string", &p));
    memcpy(p, text, len);
    ((char *)p)[len] = '\0';
    *out = p;
    return LFM2_OK;
}
