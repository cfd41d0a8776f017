/* SPDX-License-Identifier: Apache-2.0 */
/* Heapsort: in place, and n log n comparisons for every input, which qsort does not promise. */
#ifndef LF_COMMON_SORT_H
#define LF_COMMON_SORT_H

#include <stddef.h>
#include <string.h>

enum { LF_SORT_MAX = 64 }; /* the most bytes of an item */

/* Below 0, 0 or above 0, as a comes before b, is its equal or comes after it. */
typedef int lf_sort_order(const void *context, const void *a, const void *b);

/* Moves the item at `at` down the heap of n items until no child comes after it. */
static inline void lf_sort_sift(void *items, size_t at, size_t n, size_t size, lf_sort_order *order,
                                const void *context)
{
    unsigned char *base = items;
    unsigned char item[LF_SORT_MAX];
    memcpy(item, base + at * size, size);
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && order(context, base + child * size, base + (child + 1) * size) < 0) {
            child++;
        }
        if (order(context, base + child * size, item) <= 0) {
            break;
        }
        memcpy(base + at * size, base + child * size, size);
    }
    memcpy(base + at * size, item, size);
}

/* Sorts n items of `size` bytes. It is inline, so that it is compiled for each order. */
static inline void lf_sort(void *items, size_t n, size_t size, lf_sort_order *order,
                           const void *context)
{
    unsigned char *base = items;
    for (size_t i = n / 2; i-- > 0;) {
        lf_sort_sift(items, i, n, size, order, context);
    }
    for (size_t last = n; last-- > 1;) {
        unsigned char item[LF_SORT_MAX];
        memcpy(item, base, size);
        memcpy(base, base + last * size, size);
        memcpy(base + last * size, item, size);
        lf_sort_sift(items, 0, last, size, order, context);
    }
}

#endif /* LF_COMMON_SORT_H */
