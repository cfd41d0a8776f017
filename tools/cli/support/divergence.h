/* SPDX-License-Identifier: Apache-2.0 */
/* Log-probabilities, and how two models' differ. */
#ifndef LFM2_CLI_DIVERGENCE_H
#define LFM2_CLI_DIVERGENCE_H

#include <stdint.h>

/* Converts logits to natural log-probabilities. */
void log_softmax(const float *logits, float *out, uint32_t n);

uint32_t argmax(const float *row, uint32_t n);

/* The Kullback-Leibler divergence: the sum of p * (log p - log q). */
double divergence(const float *base, const float *row, uint32_t n);

typedef struct kl_result {
    double mean, error, median, p99, max, same;
} kl_result;

/* Summarizes the divergences of `count` tokens, which it sorts. `n_same`: tokens where both models
 * predict the same most likely token. */
kl_result kl_summary(double *kl, uint64_t count, uint64_t n_same);

#endif /* LFM2_CLI_DIVERGENCE_H */
