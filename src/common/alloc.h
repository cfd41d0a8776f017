/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the host's allocator, checked size arithmetic and the arena. */
#ifndef LF_COMMON_ALLOC_H
#define LF_COMMON_ALLOC_H

#include "common/status.h"

#include <stdbool.h>

enum { LF_ALIGN = 64 }; /* a cache line; the least alignment of every allocation */

typedef struct lf_alloc {
    void *(*alloc)(void *user, size_t bytes, size_t align);
    void (*free)(void *user, void *ptr, size_t bytes, size_t align);
    void *user;
} lf_alloc;

/* The default allocator: posix_memalign, with huge pages for large allocations. */
lf_alloc lf_alloc_default(void);

/* a * b and a + b; false on overflow (then *out is untouched). */
bool lf_mul_size(size_t a, size_t b, size_t *out);
bool lf_add_size(size_t a, size_t b, size_t *out);
bool lf_mul_u64(uint64_t a, uint64_t b, uint64_t *out);
bool lf_add_u64(uint64_t a, uint64_t b, uint64_t *out);

/* Allocate count * item bytes aligned to LF_ALIGN; lf_new_zero clears them. A count of 0 yields a
 * valid pointer. `what` names the memory in messages. Pass the same count and item size to lf_free.
 * Errors: MEMORY. */
int32_t lf_new(const lf_alloc *alloc, size_t count, size_t item, const char *what, void **out);
int32_t lf_new_zero(const lf_alloc *alloc, size_t count, size_t item, const char *what, void **out);
void lf_free(const lf_alloc *alloc, void *ptr, size_t count, size_t item);

/* Memory that is allocated piecemeal from chunks and freed as a whole. */
typedef struct lf_arena {
    const lf_alloc *alloc;
    struct lf_arena_chunk *chunks;
    size_t chunk_bytes; /* size of the next ordinary chunk */
    size_t total;       /* bytes of all chunks */
} lf_arena;

/* `alloc` must outlive the arena. */
void lf_arena_init(lf_arena *arena, const lf_alloc *alloc);
void lf_arena_free(lf_arena *arena);

/* Allocate count * item bytes, not cleared, aligned to 16 bytes; lf_arena_new_aligned aligns them
 * to LF_ALIGN. Errors: MEMORY. */
int32_t lf_arena_new(lf_arena *arena, size_t count, size_t item, const char *what, void **out);
int32_t lf_arena_new_aligned(lf_arena *arena, size_t count, size_t item, const char *what,
                             void **out);

/* Frees an item that is so large that it has a chunk of its own; others stay until lf_arena_free.
 */
void lf_arena_drop(lf_arena *arena, const void *item);

/* Copies len bytes and appends a 0. Errors: MEMORY. */
int32_t lf_arena_string(lf_arena *arena, const char *text, size_t len, const char **out);

#endif /* LF_COMMON_ALLOC_H */
