/* SPDX-License-Identifier: Apache-2.0 */
/* Divides one block of memory into aligned arrays. */
#ifndef LF_MODEL_CARVE_H
#define LF_MODEL_CARVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same sequence of lf_carve calls first measures (base NULL), then assigns. */
typedef struct lf_carver {
    uint8_t *base;
    size_t used;   /* bytes, a multiple of LF_ALIGN */
    bool overflow; /* the sizes exceed size_t */
} lf_carver;

/* The next `count` elements of `size` bytes, aligned to LF_ALIGN; NULL while measuring. */
void *lf_carve(lf_carver *c, size_t count, size_t size);

static inline size_t lf_max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif /* LF_MODEL_CARVE_H */
