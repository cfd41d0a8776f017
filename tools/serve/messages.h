/* SPDX-License-Identifier: Apache-2.0 */
/* Anthropic's Messages: what its files share. messages_request.c reads a request,
 * messages_output.c writes the message and its events. */
#ifndef LFM2_SERVE_MESSAGES_H
#define LFM2_SERVE_MESSAGES_H

#include "serve/talk.h"
#include "serve/job.h"

/* The block of the content that is being written. */
typedef enum block_kind { BLOCK_NONE, BLOCK_TEXT, BLOCK_THINKING, BLOCK_TOOL } block_kind;

/* How much of the reasoning the client gets. */
typedef enum thinking_shown { THINKING_HIDDEN, THINKING_EMPTY, THINKING_WHOLE } thinking_shown;

/* A request and its response, in the exchange's arena; message_free frees the rest. */
typedef struct message {
    api *a;
    exchange *x;
    fields body;
    job_request job;
    talk talk;
    tool_list tools;
    thinking_shown thinking;
    /* The output. */
    json_out blocks; /* finished ones: the elements of an array */
    json_out text;   /* of the block that is being written */
    json_out event;
    block_kind kind;
    const char *call_name, *call_id;
    uint32_t n_blocks;
    bool called;  /* there is a tool_use block */
    bool reasons; /* the last text was reasoning, shown or not */
    uint32_t thinking_tokens;
    int32_t finish, stop_string;
} message;

void message_free(message *m);

/* Reads a request. `count`: to count its tokens only. Returns false if it has replied with an
 * error. */
bool message_read(message *m, bool count);

extern const job_calls message_calls;

#endif /* LFM2_SERVE_MESSAGES_H */
