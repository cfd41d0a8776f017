/* SPDX-License-Identifier: Apache-2.0 */
/* Implements shared arrays of floats. */
#include "model/floats.h"

int32_t lf_floats_new(const lf_alloc *alloc, size_t n, const char *what, lf_floats **out)
{
    size_t bytes = 0;
    if (!lf_mul_size(n, sizeof(float), &bytes) || !lf_add_size(bytes, sizeof(lf_floats), &bytes)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "%s: %zu floats overflow size_t", what, n);
    }
    void *p = NULL;
    LF_TRY(lf_new(alloc, bytes, 1, what, &p));
    lf_floats *floats = p;
    floats->n = n;
    atomic_init(&floats->refs, 1);
    *out = floats;
    return LFM2_OK;
}

lf_floats *lf_floats_retain(lf_floats *floats)
{
    if (floats != NULL) {
        atomic_fetch_add_explicit(&floats->refs, 1, memory_order_relaxed);
    }
    return floats;
}

void lf_floats_release(const lf_alloc *alloc, lf_floats *floats)
{
    if (floats != NULL && atomic_fetch_sub_explicit(&floats->refs, 1, memory_order_acq_rel) == 1) {
        lf_free(alloc, floats, sizeof *floats + floats->n * sizeof(float), 1);
    }
}

bool lf_floats_is_own(const lf_floats *floats)
{
    return atomic_load_explicit(&floats->refs, memory_order_acquire) == 1;
}
