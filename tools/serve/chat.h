/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a request to /v1/chat/completions. */
#ifndef LFM2_SERVE_CHAT_H
#define LFM2_SERVE_CHAT_H

#include "serve/openai.h"

typedef struct chat_choice {
    json_out logprobs; /* elements of the array that are not sent yet */
    json_out finished; /* a whole response: the choice as JSON */
    uint32_t n_calls;
    uint32_t n_pending; /* tokens since the last event of the parser */
    bool undone;        /* the answer ended inside a call: the rest of its text is not content */
} chat_choice;

typedef struct chat_state {
    job_request request;
    bool include_usage;
    uint32_t reasoning; /* tokens of reasoning */
    json_out out;       /* a chunk under construction */
    chat_choice *choices;
} chat_state;

extern const job_calls chat_stream_calls, chat_whole_calls;

/* ---- chat_logprobs.c ---- */

/* Adds a token to the log-probabilities that are not sent yet. */
void chat_add_logprob(job *j, chat_choice *c, const lfm2_engine_event *e);

/* "logprobs": what was added; null if the request asks for none. Clears it. */
void chat_write_logprobs(json_out *out, job *j, chat_choice *c);

#endif /* LFM2_SERVE_CHAT_H */
