/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that counts, checks the sizes of freed blocks, and fails on request. */
#ifndef LF_TESTS_COUNTING_ALLOC_H
#define LF_TESTS_COUNTING_ALLOC_H

#include "common/alloc.h"

typedef struct counting_alloc {
    size_t live;     /* bytes that are not freed */
    size_t peak;     /* largest value of live */
    size_t calls;    /* requested allocations */
    size_t fail_at;  /* the first call (0, 1, ...) that fails, with all after it; SIZE_MAX: none */
    size_t mistakes; /* blocks freed with another size than they were allocated with */
} counting_alloc;

/* `counter` must outlive the allocator. */
lf_alloc counting_alloc_init(counting_alloc *counter);

#endif /* LF_TESTS_COUNTING_ALLOC_H */
