/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the kernel tests: memory between inaccessible pages, random numbers, random and
 * extreme weights and activations, packing. A failure in a helper fails the test. */
#ifndef LFT_KERNEL_UTIL_H
#define LFT_KERNEL_UTIL_H

#include "kernels/kernels.h"

/* ---- Memory ---- */

/* `bytes` bytes between two inaccessible pages, filled with 0xA5. The second page begins right
 * after them, rounded up to `align`, a power of two up to a page. */
void *lft_guard(size_t bytes, size_t align);
float *lft_floats(size_t n);
void lft_unguard(void *p); /* a pointer from lft_guard, or NULL */
void lft_unguard_all(void);

/* ---- Random numbers ---- */

/* LFT_SEED in the environment or a fixed number; printed once. */
uint64_t lft_seed(void);
uint64_t lft_next(uint64_t *state);
float lft_uniform(uint64_t *state); /* [0, 1) */
float lft_normal(uint64_t *state);  /* mean 0, variance 1, roughly */
uint32_t lft_below(uint64_t *state, uint32_t n);

/* ---- Weights ---- */

/* The distribution of random values. */
typedef enum {
    LFT_RANDOM,
    LFT_EXTREME, /* smallest and largest quants, activations that become -127 and 127 */
    LFT_SCALES,  /* zero, tiny and huge scales and activations */
    LFT_N_DISTRIBUTIONS
} lft_distribution;

typedef struct lft_matrix {
    lf_wformat format;
    uint32_t group; /* 32, or 16 for LF_LHS_I8B16 */
    bool mins;
    size_t n, k;
    int8_t *quants;  /* [n][k], block formats */
    float *scales;   /* [n][k / group] */
    float *min;      /* [n][k / group] or NULL */
    uint8_t *values; /* [n][k], float formats; for K formats the raw blocks */
} lft_matrix;

lft_matrix lft_weights(uint64_t *state, const lf_gemm *like, size_t n, size_t k,
                       lft_distribution distribution);
void lft_weights_free(lft_matrix *w);

/* Value of one weight of a float format. */
float lft_weight_value(const lft_matrix *w, size_t row, size_t i);

/* All panels of the matrix for `gemm`, in guarded memory. */
void *lft_pack(const lf_gemm *gemm, const lft_matrix *w);

/* ---- Activations ---- */

void lft_activations(uint64_t *state, size_t k, lft_distribution distribution, float *x);

/* A quantized row, and a packed tile of m rows, in guarded memory. */
void *lft_row(const lf_lhs *lhs, size_t k, const float *x);
void *lft_tile(const lf_lhs *lhs, size_t m, size_t k, void *const *rows);

/* ---- Comparison ---- */

/* Index of the first difference in bits (any two NaNs are equal), or n. */
size_t lft_differs(size_t n, const float *a, const float *b);

/* Fails unless |got - want| <= bound. */
void lft_near(double got, double want, double bound, const char *what);

/* Fails unless the n floats of a have the bits of b, the results of the scalar table. */
#define LFT_SAME(n, a, b)                                                                          \
    do {                                                                                           \
        size_t at_ = lft_differs((n), (a), (b));                                                   \
        if (at_ != (n)) {                                                                          \
            fail_msg("%s:%d: n %zu: [%zu] is %a, scalar %a", __func__, __LINE__, (size_t)(n), at_, \
                     (double)(a)[at_], (double)(b)[at_]);                                          \
        }                                                                                          \
    } while (0)

#endif /* LFT_KERNEL_UTIL_H */
