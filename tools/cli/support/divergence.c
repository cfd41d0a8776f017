/* SPDX-License-Identifier: Apache-2.0 */
/* Log-probabilities, and how two models' differ. */
#include "cli/support/divergence.h"

#include <math.h>
#include <stdlib.h>

void log_softmax(const float *logits, float *out, uint32_t n)
{
    float max = logits[0];
    for (uint32_t i = 1; i < n; i++) {
        max = logits[i] > max ? logits[i] : max;
    }
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += exp((double)(logits[i] - max));
    }
    double shift = (double)max + log(sum);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (float)((double)logits[i] - shift);
    }
}

uint32_t argmax(const float *row, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        best = row[i] > row[best] ? i : best;
    }
    return best;
}

double divergence(const float *base, const float *row, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        double logp = (double)base[i];
        sum += exp(logp) * (logp - (double)row[i]);
    }
    return sum;
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

kl_result kl_summary(double *kl, uint64_t count, uint64_t n_same)
{
    kl_result r = {0};
    double n = (double)count;
    double sum2 = 0;
    for (uint64_t i = 0; i < count; i++) {
        r.mean += kl[i] / n;
        sum2 += kl[i] * kl[i];
    }
    double variance = sum2 / n - r.mean * r.mean;
    r.error = count > 1 && variance > 0 ? sqrt(variance / (n - 1)) : 0;
    qsort(kl, count, sizeof *kl, compare_double);
    r.median = kl[count / 2];
    r.p99 = kl[(uint64_t)(0.99 * (n - 1))];
    r.max = kl[count - 1];
    r.same = (double)n_same / n;
    return r;
}
