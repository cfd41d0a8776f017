/* SPDX-License-Identifier: Apache-2.0 */
/* Constraints of generated text, and where a text is in one. */
#ifndef LF_RUN_CONSTRAINT_H
#define LF_RUN_CONSTRAINT_H

#include "model/model.h"
#include "text/grammar/matcher.h"

#include <stdatomic.h>

struct lfm2_constraint {
    atomic_uint_fast32_t refs;
    lfm2_model *model;
    lf_compiled *compiled;
    char *ignored; /* JSON array */
    size_t ignored_size;
    int32_t end_id; /* the token that is forced where the text must end */
};

enum { LF_MOST_FORCED = 256 };

/* Where a text is. One thread at a time. */
struct lfm2_matcher {
    lfm2_constraint *constraint;
    lf_match *match, *start;
    bool ended;        /* an end token was accepted */
    bool forced_known; /* forced[next .. n_forced - 1] are forced here */
    uint32_t n_forced, next;
    uint32_t *bits; /* [(V + 31) / 32] a mask */
    int32_t forced[LF_MOST_FORCED];
};

/* Contracts: the lfm2_ functions of the same names with complete structs, and no NULL except for
 * _free. `text_` distinguishes these matchers from those of text/grammar, which they use. */
int32_t lf_constraint_create(lfm2_model *model, int32_t kind, const char *text, size_t len,
                             const lfm2_constraint_options *options, lfm2_constraint **out);
lfm2_constraint *lf_constraint_retain(lfm2_constraint *constraint);
void lf_constraint_free(lfm2_constraint *constraint);

int32_t lf_text_matcher_create(lfm2_constraint *constraint, lfm2_matcher **out);
int32_t lf_text_matcher_clone(const lfm2_matcher *matcher, lfm2_matcher **out);
void lf_text_matcher_free(lfm2_matcher *matcher);
void lf_text_matcher_reset(lfm2_matcher *matcher);
int32_t lf_text_matcher_mask(lfm2_matcher *matcher, uint32_t *bits);
int32_t lf_text_matcher_accept(lfm2_matcher *matcher, int32_t id);
int32_t lf_text_matcher_accept_text(lfm2_matcher *matcher, const char *text, size_t len);
bool lf_text_matcher_is_complete(const lfm2_matcher *matcher);

/* *ids receives the forced tokens, which are valid until the matcher changes. */
int32_t lf_text_matcher_forced(lfm2_matcher *matcher, const int32_t **ids, size_t *n);

/* Sets the logits of the tokens that may not follow to -infinity; without `ends` also those of end
 * tokens, unless nothing else may follow. Errors: those of lfm2_matcher_mask. */
int32_t lf_text_matcher_apply(lfm2_matcher *matcher, bool ends, float *logits);

#endif /* LF_RUN_CONSTRAINT_H */
