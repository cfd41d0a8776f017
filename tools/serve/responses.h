/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI's Responses: what its files share. responses_request.c reads a request, responses_input.c
 * its items, responses_tools.c its tools; responses_output.c writes the response and its events;
 * responses_store.c keeps responses. */
#ifndef LFM2_SERVE_RESPONSES_H
#define LFM2_SERVE_RESPONSES_H

#include "serve/talk.h"
#include "serve/job.h"
#include "serve/responses_store.h"

/* The item of the output that is being written. */
typedef enum item_kind { ITEM_NONE, ITEM_MESSAGE, ITEM_REASONING, ITEM_CALL } item_kind;

/* A request and its response, in the exchange's arena; response_free frees the rest. */
typedef struct response {
    api *a;
    exchange *x;
    fields body;
    job_request job;
    /* The input. */
    const char *instructions;
    size_t instructions_len;
    talk talk; /* without instructions: what is stored, with the answer */
    tool_list tools;
    const char *previous_id; /* NULL = none */
    size_t referred;         /* bytes of responses whose items were read */
    bool store;
    bool encrypt; /* the client sends reasoning back as "encrypted_content" only */
    /* The output. */
    json_out items;     /* finished ones: the elements of an array */
    json_out text;      /* of the item that is being written */
    json_out arguments; /* of ITEM_CALL, as the model wrote them */
    json_out event;
    item_kind kind;
    const tool_name *tool; /* of ITEM_CALL */
    const char *call_name, *call_id;
    uint32_t n_items;
    uint64_t sequence; /* of the next event */
    uint32_t reasoning_tokens;
    const char *status; /* "in_progress", "completed", "incomplete", "failed" */
    const char *error;  /* of "failed" */
} response;

void response_free(response *r);

/* Reads the whole request. Returns false if it has replied with an error. */
bool response_read(response *r);

/* Adds the items of the field "input". */
void response_read_input(response *r);

/* Reads "tools", "tool_choice" and "parallel_tool_calls". */
void response_read_tools(response *r);

/* Adds the tools of an array, which is the field `name` of `f`. */
void response_add_tools(response *r, fields *f, const char *name);

/* The name by which the model knows a tool: NAMESPACE__NAME, or `name` if there is no namespace. In
 * the arena; NULL if there is no memory. */
const char *tool_flat_name(lf_arena *arena, const char *namespace, const char *name);

/* Writes the response as a JSON object. */
void response_write(json_out *out, const response *r, const job *j);

extern const job_calls response_calls;

/* The prefix that marks reasoning of this server in "encrypted_content". */
#define REASONING_MARK "lfm2:"

#endif /* LFM2_SERVE_RESPONSES_H */
