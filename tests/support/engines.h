/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the tests of engines: outcomes of requests, collected from their events, whose order
 * is checked; and what lfm2_generate gives for the same request. A failure in a helper fails the
 * test.
 */
#ifndef LF_TESTS_ENGINES_H
#define LF_TESTS_ENGINES_H

#include "support/models.h"

enum { LFT_MOST_REQUESTS = 128, LFT_MOST_CHOICES = 8 };

/* A text that a request or lfm2_generate gave. */
typedef struct lft_text {
    char *text; /* all of it, 0-terminated */
    size_t len;
    int32_t *ids; /* with a stop token */
    size_t n_ids;
    int32_t finish, stop_id;
    uint32_t n_generated;
    uint32_t n_tokens; /* events */
    double logprobs;   /* their sum */
    uint32_t n_drafted, n_accepted;
    bool finished;
} lft_text;

typedef struct lft_outcome {
    uint64_t id;
    bool started, ended;
    int32_t status;
    char code[64];
    uint32_t n_cached, n_progress;
    uint64_t end_at; /* the number of its last event among all */
    lft_text choices[LFT_MOST_CHOICES];
    char *message; /* of choice 0, with a parser; the caller frees nothing */
} lft_outcome;

/* The outcomes of requests 1, 2, ... of an engine. */
typedef struct lft_outcomes {
    lft_outcome of[LFT_MOST_REQUESTS];
    uint64_t n_events;
} lft_outcomes;

void lft_outcomes_free(lft_outcomes *outcomes);

/* The defaults, with this context. */
lfm2_engine_options lft_engine_options(uint32_t n_ctx);
lfm2_engine *lft_engine(lfm2_model *model, const lfm2_engine_options *options);

lfm2_engine_stats lft_engine_stats(lfm2_engine *engine);

/* A request with this prompt, greedy unless the sampler is changed. Its pointers must live. */
lfm2_request_options lft_request(const int32_t *prompt, size_t n, uint32_t max_tokens);
uint64_t lft_submit(lfm2_engine *engine, const lfm2_request_options *request);

/* Adds an event to the outcomes. */
void lft_note(lft_outcomes *outcomes, const lfm2_engine_event *event);

/* Takes the events that are there. */
void lft_drain(lfm2_engine *engine, lft_outcomes *outcomes);

/* Makes steps and takes events until no request is left. Returns the number of steps. */
uint32_t lft_run_engine(lfm2_engine *engine, lft_outcomes *outcomes);

/* What lfm2_generate gives for choice `index` of the request, on a new session of the context. */
lft_text lft_alone(lfm2_model *model, const lfm2_request_options *request, uint32_t n_ctx,
                   uint32_t index);
void lft_text_free(lft_text *text);

/* Equal in every respect, log-probabilities included. */
void lft_expect_text(const lft_text *got, const lft_text *expected);

/* Choice 0 of a request that has ended well has the text that it has alone. */
void lft_expect_alone(const lft_outcomes *outcomes, uint64_t id, lfm2_model *model,
                      const lfm2_request_options *request, uint32_t n_ctx);

#endif /* LF_TESTS_ENGINES_H */
