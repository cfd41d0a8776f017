/* SPDX-License-Identifier: Apache-2.0 */
/* Generation with chosen tokens: a logit bias that no logit exceeds selects each token in turn. */
#ifndef LF_TESTS_DICTATION_H
#define LF_TESTS_DICTATION_H

#include "support/models.h"

#include "run/sampler.h"

enum { LFT_MAX_TEXT = 4096, LFT_MAX_CALLS = 256, LFT_N_CTX = 128, LFT_N_PROMPT = 4 };

/* [LFT_N_PROMPT] a prompt for lft_dictate. */
extern const int32_t lft_prompt[];

typedef struct lft_dictation {
    const int32_t *ids; /* [n] the tokens to choose, in order; the last one repeats */
    size_t n, at;
    lfm2_sampler *sampler;
    lfm2_session *session;
    /* What the callback received: */
    char text[LFT_MAX_TEXT];
    size_t len;
    size_t text_end[LFT_MAX_CALLS]; /* length of the text after each call */
    int32_t token_id[LFT_MAX_CALLS];
    int calls;
    int stop_at, cancel_at; /* the call that stops or cancels, from 1; 0: none */
    lfm2_generate_options options;
    lfm2_generate_result result;
} lft_dictation;

/* A dictation with its own session of LFT_N_CTX tokens and max_tokens = n. `ids` is not copied. */
lft_dictation lft_dictation_begin(lfm2_model *model, const int32_t *ids, size_t n);
void lft_dictation_end(lft_dictation *d);

/* Generates from the first id on. Returns the status of lfm2_generate. */
int32_t lft_dictate(lft_dictation *d, const int32_t *prompt, size_t n_prompt);

/* The id of the token of a single byte: any text can be dictated with these. */
int32_t lft_byte_token(const lfm2_model *model, uint8_t byte);

/* The tokens of the bytes of a text. Returns their number. */
size_t lft_spell(const lfm2_model *model, const char *text, int32_t *ids);

#endif /* LF_TESTS_DICTATION_H */
