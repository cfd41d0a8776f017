/* SPDX-License-Identifier: Apache-2.0 */
/* The units of a matrix product that one thread computes; private to linear.c. */
#ifndef LF_MODEL_PRODUCT_H
#define LF_MODEL_PRODUCT_H

#include "model/linear.h"

enum { LF_HIDDEN_BLOCK = 32 }; /* hidden columns that are quantized with one scale */

typedef struct lf_product {
    const lf_pass *pass;
    const lf_lhs *lhs; /* functions of the LHS's format */
    const uint8_t *rows;
    size_t row_bytes;
    const uint32_t *gather;
    const lf_group *groups;
    size_t n_groups;
    const lf_packed *w;
    uint32_t unit;    /* panels of a unit */
    uint32_t n_units; /* of one expert */
    size_t first;     /* units of the product before those of this region */
    lf_prefetch_region prefetch;
    uint8_t *tiles; /* slots for packed tiles; NULL: `rows` are packed */
    size_t tile_bytes;
    lf_lhs_rows *hidden; /* pairs: the packed output, in format `into`; NULL: floats */
    lf_lhs_format into;
    float *y; /* rows y_stride apart */
    size_t y_stride;
    float *const *y_rows; /* or each row at its own address */
    bool add;             /* to the old contents */
} lf_product;

static inline uint32_t lf_group_tiles(const lf_product *p, const lf_group *group)
{
    return (group->n + p->w->gemm->mr - 1) / p->w->gemm->mr;
}

/* First tile slot of a group. Groups are ordered by their first row, and
 * floor(a) + ceil(b) <= floor(a + b) + 1, so the slots of neighbors do not overlap. */
static inline size_t lf_first_tile(const lf_product *p, size_t g)
{
    return p->groups[g].first / p->w->gemm->mr + g;
}

/* Panels that one thread multiplies together. For a pair they make one block of hidden columns: two
 * panels, or four if a panel is half a block wide. */
static inline uint32_t lf_panels_together(const lf_packed *w)
{
    return !w->pair ? 1 : w->gemm->nr == LF_HIDDEN_BLOCK / 2 ? 4 : 2;
}

/* Packs the rows of tile slots [begin, end). */
void lf_product_pack(void *product, uint32_t thread, size_t begin, size_t end);

/* Multiplies units [begin, end) of the region. The units of a product are counted over all groups.
 */
void lf_product_multiply(void *product, uint32_t thread, size_t begin, size_t end);

#endif /* LF_MODEL_PRODUCT_H */
