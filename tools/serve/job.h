/* SPDX-License-Identifier: Apache-2.0 */
/* A generation for an exchange: from a request in a form that all APIs share to events that each
 * API writes in its own way. */
#ifndef LFM2_SERVE_JOB_H
#define LFM2_SERVE_JOB_H

#include "serve/api.h"
#include "serve/fields.h"
#include "serve/json_out.h"

/* A prompt that is no conversation: text, or ids if `ids` is not NULL. */
typedef struct job_prompt {
    const char *text;
    size_t text_len;
    const int32_t *ids;
    size_t n_ids;
} job_prompt;

/* What to generate. Everything that it points to lives in the exchange's arena or body. */
typedef struct job_request {
    /* Either a conversation, as lfm2_chat_render takes it, or text, or ids. */
    const char *messages;
    size_t messages_len;
    const char *tools; /* NULL = none */
    size_t tools_len;
    const char *template_args;
    size_t template_args_len;
    bool continue_last; /* the last message is of the assistant and is continued */
    bool no_opening;    /* the prompt ends with the last message */
    const char *text;
    size_t text_len;
    const int32_t *ids;
    size_t n_ids;
    const char *prompt_param; /* the field that errors name; NULL = "messages" or "prompt" */
    /* Further prompts, of text or ids like the first: choice c of prompt p is choice p * n_choices
     * + c of the job. */
    const job_prompt *more;
    uint32_t n_more;

    /* Constraint: LFM2_CONSTRAINT_*, 0 = none, or that of the tools by tool_choice. */
    int32_t constraint_kind;
    const char *constraint;
    size_t constraint_len;
    const char *constraint_param; /* the field that errors name */
    bool lenient;
    int32_t tool_choice; /* LFM2_TOOL_CHOICE_* */
    const char *tool_name;
    bool one_call;
    bool whole_calls;        /* no event of a call before it is complete, so that none is undone */
    const char *call_prefix; /* of the ids of calls; NULL = "call_" */

    bool stream; /* the response is a stream: keep it alive */
    uint32_t n_choices, max_tokens;
    bool max_tokens_given;
    lfm2_sampler_options sampler; /* job_request_init sets the model's defaults and a random seed */
    const char **stop;
    uint32_t n_stop;
    bool logprobs, ignore_eos, special, no_cache;
    bool no_reasoning; /* what the constraint allows does not begin with reasoning */
    uint32_t n_top;
    const char *draft; /* OpenAI's prediction */
    size_t draft_len;
    int32_t priority;
    uint32_t deadline_ms;
    const char *session; /* the name of a session to continue and to store; NULL = none */
} job_request;

void job_request_init(api *a, const exchange *x, job_request *request);

typedef struct job job;

/* What an API does with the events. After `start`, exactly one of `end` and `failed` is called, and
 * nothing after it. */
typedef struct job_calls {
    void (*start)(
        job *j); /* the prompt is known and accepted; j->n_prompt is set. NULL = nothing */
    /* TOKEN, CHAT, FINISH, in this order for a choice; e->choice counts over all prompts. */
    void (*event)(job *j, const lfm2_engine_event *e);
    void (*alive)(job *j); /* the stream was quiet for some seconds. NULL = an SSE comment */
    /* Complete: replies or ends the response, and frees what `user` has beside the arena. */
    void (*end)(job *j);
    /* The generation failed (`e` is its event END), or the client has left (`e` is NULL: nothing
     * may be written). Frees what `user` has beside the arena. Returns true if it has completed the
     * response; otherwise the job replies with the error. NULL = nothing to free. */
    bool (*failed)(job *j, const lfm2_engine_event *e);
} job_calls;

struct job {
    api *a;
    exchange *x;
    const job_calls *calls;
    void *user; /* of the API; in the exchange's arena */
    const job_request *request;
    char id[32];                 /* random, for "chatcmpl-...", "msg_..." */
    int64_t created;             /* seconds since 1970 */
    uint32_t n_choices;          /* of all prompts */
    uint32_t n_prompt, n_cached; /* tokens of all prompts */
    uint32_t n_generated;        /* tokens of all choices */
    uint32_t n_drafted, n_accepted;
    bool chat; /* the request is a conversation: CHAT events, not text */
};

/* Checks the field "model" of a request; replies and returns false if it names another model. */
bool job_model(api *a, fields *f);

/* Renders, tokenizes, compiles the constraint and submits. Replies with an error and returns false
 * if that fails: then no function of `calls` has been called or will be. */
bool job_start(api *a, exchange *x, const job_request *request, const job_calls *calls, void *user);

/* The number of tokens of the prompt. Replies with an error and returns false if that fails. */
bool job_count(api *a, exchange *x, const job_request *request, uint32_t *n);

#endif /* LFM2_SERVE_JOB_H */
