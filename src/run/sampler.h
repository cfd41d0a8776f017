/* SPDX-License-Identifier: Apache-2.0 */
/* The sampler: chooses a token from logits. */
#ifndef LF_RUN_SAMPLER_H
#define LF_RUN_SAMPLER_H

#include "model/model.h"

typedef struct lf_candidate {
    float logit;
    int32_t id;
} lf_candidate;

/* One thread at a time. V is n_vocab. */
struct lfm2_sampler {
    atomic_uint_fast32_t refs;
    lfm2_runtime *runtime;
    lfm2_sampler_options options; /* its bias arrays are the copies below */
    int32_t *bias_ids;            /* [n_bias] */
    float *bias_values;           /* [n_bias] */
    uint32_t n_vocab;
    uint32_t *counts; /* [V] occurrences of each token in the penalty window */
    int32_t *window;  /* ring buffer of the last penalty_last_n tokens; NULL: no limit */
    size_t window_size, window_used, window_next; /* in tokens; next: index to overwrite */
    lf_candidate *candidates;                     /* [V] */
    float *logits;                                /* [V] after bias and penalties */
    uint64_t random;                              /* state of the random number generator */
};

/* Contracts: the lfm2_ functions of the same names, with ids in range and no NULL except for
 * lf_sampler_free, which drops a reference. The sampler holds a reference to the runtime. */
int32_t lf_sampler_create(lfm2_runtime *runtime, uint32_t n_vocab,
                          const lfm2_sampler_options *options, lfm2_sampler **out);
int32_t lf_sampler_clone(const lfm2_sampler *sampler, lfm2_sampler **out);
int32_t lf_sampler_configure(lfm2_sampler *sampler, const lfm2_sampler_options *options);
lfm2_sampler *lf_sampler_retain(lfm2_sampler *sampler); /* adds a reference */
void lf_sampler_free(lfm2_sampler *sampler);
void lf_sampler_reset(lfm2_sampler *sampler);
void lf_sampler_accept(lfm2_sampler *sampler, int32_t id);

/* `logits` may be sampler->logits. */
int32_t lf_sampler_sample(lfm2_sampler *sampler, const float *logits, int32_t *id);

#endif /* LF_RUN_SAMPLER_H */
