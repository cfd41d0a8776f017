/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks panels that hold the blocks of the file. */
#include "load/pack.h"

#include <string.h>

enum {
    ROWS = 16,    /* of a panel of int8 */
    VALUES = 256, /* of a row, unpacked at a time; a multiple of every block */
    GROUPS = ROWS * VALUES / 16
};

/* Rows of `n` values as quants, scales and minimums. */
typedef struct rows {
    int8_t quants[ROWS * VALUES];
    float scales[GROUPS];
    float mins[GROUPS];
} rows;

/* Groups of 32 become pairs of groups of 16 with the same factor. */
static void halve_groups(size_t groups, float *factors)
{
    for (size_t i = groups; i-- > 0;) {
        factors[2 * i + 1] = factors[i];
        factors[2 * i] = factors[i];
    }
}

void lf_unpack_blocks(const lf_packed *packed, uint32_t panel, const uint8_t *from, uint8_t *to)
{
    const lf_gemm *gemm = packed->gemm;
    lf_type type = packed->types[packed->pair ? panel % 2 : 0];
    const lf_type_info *info = lf_type_get((uint32_t)type);
    size_t row_bytes = lf_row_bytes(type, packed->k);
    rows r;
    const lf_panel_source source = {
        .rows = ROWS, .quants = r.quants, .scales = r.scales, .mins = gemm->mins ? r.mins : NULL};
    if (gemm->mins && !info->has_min) {
        memset(r.mins, 0, sizeof r.mins);
    }
    /* A panel of int8 is the sequence of the panels of its k. */
    for (size_t done = 0; done < packed->k; done += VALUES) {
        size_t n = packed->k - done < VALUES ? packed->k - done : VALUES;
        size_t groups = n / info->group;
        for (size_t i = 0; i < ROWS; i++) {
            lf_unpack_row(type, from + i * row_bytes, n, r.quants + i * n, r.scales + i * groups,
                          r.mins + i * groups);
        }
        if (info->group == 32 && gemm->weights == LF_W_I8G16) {
            halve_groups(ROWS * groups, r.scales);
            halve_groups(info->has_min ? ROWS * groups : 0, r.mins);
        }
        gemm->pack(n, &source, to);
        from += n / info->block * info->block_bytes;
        to += gemm->panel_bytes(n);
    }
}
