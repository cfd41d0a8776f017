/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that counts, checks what is given back, and fails when told to. */
#ifndef LF_TESTS_COUNTING_ALLOC_H
#define LF_TESTS_COUNTING_ALLOC_H

#include "common/alloc.h"

typedef struct counting_alloc {
    size_t live;     /* bytes not yet given back */
    size_t peak;     /* largest value of live */
    size_t calls;    /* allocations asked for */
    size_t fail_at;  /* the call (0, 1, ...) from which on allocations fail; SIZE_MAX = never */
    size_t mistakes; /* blocks given back with another size than they were asked with */
} counting_alloc;

/* `counter` must outlive the allocator. */
lf_alloc counting_alloc_init(counting_alloc *counter);

#endif /* LF_TESTS_COUNTING_ALLOC_H */
