/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the counting and failing allocator of the tests. */
#include "support/counting_alloc.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 4096 }; /* before each block; blocks may be aligned to this */

static void *count_alloc(void *user, size_t bytes, size_t align)
{
    counting_alloc *c = user;
    void *p = NULL;
    if (c->calls++ >= c->fail_at || align > HEADER || bytes > SIZE_MAX - HEADER ||
        posix_memalign(&p, HEADER, bytes + HEADER) != 0) {
        return NULL;
    }
    memcpy(p, &bytes, sizeof bytes);
    c->live += bytes;
    c->peak = c->live > c->peak ? c->live : c->peak;
    return (unsigned char *)p + HEADER;
}

static void count_free(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)align;
    counting_alloc *c = user;
    unsigned char *block = (unsigned char *)ptr - HEADER;
    size_t asked = 0;
    memcpy(&asked, block, sizeof asked);
    c->mistakes += asked != bytes;
    c->live -= asked;
    free(block);
}

lf_alloc counting_alloc_init(counting_alloc *counter)
{
    *counter = (counting_alloc){.fail_at = SIZE_MAX};
    return (lf_alloc){count_alloc, count_free, counter};
}
