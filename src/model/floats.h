/* SPDX-License-Identifier: Apache-2.0 */
/* An array of floats that several sessions share. */
#ifndef LF_MODEL_FLOATS_H
#define LF_MODEL_FLOATS_H

#include "common/alloc.h"

#include <stdatomic.h>

/* The holder of the only reference may write. */
typedef struct lf_floats {
    _Alignas(LF_ALIGN) size_t n;
    atomic_uint_fast32_t refs;
    _Alignas(LF_ALIGN) float at[];
} lf_floats;

/* n floats with one reference, not cleared. Errors: MEMORY. */
int32_t lf_floats_new(const lf_alloc *alloc, size_t n, const char *what, lf_floats **out);

/* Both accept NULL. */
lf_floats *lf_floats_retain(lf_floats *floats);
void lf_floats_release(const lf_alloc *alloc, lf_floats *floats);

/* Whether the caller holds the only reference. */
bool lf_floats_is_own(const lf_floats *floats);

#endif /* LF_MODEL_FLOATS_H */
