/* SPDX-License-Identifier: Apache-2.0 */
/* From logits to a token. */
#ifndef LF_RUN_SAMPLER_H
#define LF_RUN_SAMPLER_H

#include "model/model.h"

typedef struct lf_candidate {
    float logit;
    int32_t id;
} lf_candidate;

struct lfm2_sampler {
    lfm2_runtime *runtime;
    lfm2_sampler_options options; /* the bias arrays point at the copies below */
    int32_t *bias_ids;            /* [n_bias] */
    float *bias_values;           /* [n_bias] */
    uint32_t n_vocab;
    uint32_t *counts; /* [V] occurrences of a token in the penalty window */
    int32_t *window;  /* ring of the last penalty_last_n tokens; NULL when unlimited */
    size_t window_size, window_used, window_next;
    lf_candidate *candidates; /* [V] */
    float *logits;            /* [V] after bias and penalties */
    uint64_t random;          /* generator state */
};

int32_t lf_sampler_create(lfm2_runtime *runtime, uint32_t n_vocab,
                          const lfm2_sampler_options *options, lfm2_sampler **out);
void lf_sampler_free(lfm2_sampler *sampler);
void lf_sampler_reset(lfm2_sampler *sampler);
void lf_sampler_accept(lfm2_sampler *sampler, int32_t id);

/* Contract: lfm2_sampler_sample. */
int32_t lf_sampler_sample(lfm2_sampler *sampler, const float *logits, int32_t *id);

#endif /* LF_RUN_SAMPLER_H */
