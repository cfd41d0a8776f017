/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the division of a block of memory into arrays. */
#include "model/carve.h"

#include "common/alloc.h"

void *lf_carve(lf_carver *c, size_t count, size_t size)
{
    size_t bytes = 0;
    size_t end = 0;
    if (!lf_mul_size(count, size, &bytes) || !lf_add_size(c->used, bytes, &end) ||
        !lf_add_size(end, LF_ALIGN - 1, &end)) {
        c->overflow = true;
        return NULL;
    }
    void *p = c->base == NULL ? NULL : c->base + c->used;
    c->used = end / LF_ALIGN * LF_ALIGN;
    return p;
}
