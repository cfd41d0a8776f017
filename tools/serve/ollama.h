/* SPDX-License-Identifier: Apache-2.0 */
/* Ollama's API: what its files share. ollama_request.c reads requests, ollama_output.c writes
 * answers, ollama.c has the routes. */
#ifndef LFM2_SERVE_OLLAMA_H
#define LFM2_SERVE_OLLAMA_H

#include "serve/talk.h"
#include "serve/job.h"

/* A request and its response, in the exchange's arena; ollama_free frees the rest. */
typedef struct ollama {
    api *a;
    exchange *x;
    fields body;
    job_request job;
    talk talk;
    tool_list tools;
    bool generate; /* /api/generate, not /api/chat */
    bool idle;     /* there is nothing to answer: the client only wants the model loaded */
    bool hide;     /* reasoning is not wanted */
    /* The output. */
    json_out content, thinking, calls; /* of an answer that is no stream */
    json_out arguments, line;
    const char *call_name, *call_id;
    uint32_t n_calls;
    int32_t finish;
    double first_token, last_token; /* seconds since the request */
} ollama;

void ollama_free(ollama *o);

/* Whether the field "model" or "name" of a request is this model. Replies and returns false if it
 * is not. */
bool ollama_model(api *a, fields *f);

/* Reads a request. Returns false if it has replied with an error. */
bool ollama_read(ollama *o);

/* Answers a request without a message. */
void ollama_reply_idle(ollama *o);

/* Writes the time of now as RFC 3339. */
void ollama_time(json_out *out, const char *key);

extern const job_calls ollama_calls;

#endif /* LFM2_SERVE_OLLAMA_H */
