/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a conversation and a list of tools in the form that lfm2_chat_render takes, OpenAI's of
 * chat completions, from the blocks and items of other APIs. Everything is kept in memory of its
 * own; a failing allocation is reported by the functions that finish. */
#ifndef LFM2_SERVE_TALK_H
#define LFM2_SERVE_TALK_H

#include "serve/fields.h"
#include "serve/job.h"
#include "serve/json_out.h"

typedef enum turn_role { TURN_NONE, TURN_SYSTEM, TURN_USER, TURN_ASSISTANT, TURN_TOOL } turn_role;

typedef struct talk {
    json_out out;                    /* finished messages: the elements of an array */
    json_out text, reasoning, calls; /* of the message that is open */
    turn_role role;                  /* of the message that is open */
    const char *tool_id;             /* of a message of TURN_TOOL */
    size_t tool_id_len;
    bool leading; /* no message but a system message so far */
    bool has_reasoning;
} talk;

void talk_init(talk *c);
void talk_free(talk *c);

/* Messages that are already in the form: the elements of an array, without its brackets. Before any
 * turn. */
void talk_past(talk *c, const char *messages, size_t len);

/* Opens a message. What an assistant says in several places without a message between them is one
 * message, and so are the system messages at the beginning, with an empty line between them. */
void talk_turn(talk *c, turn_role role);
void talk_tool_turn(talk *c, const char *call_id, size_t len);

/* Adds to the message that is open. */
void talk_text(talk *c, const char *text, size_t len);
void talk_reasoning(talk *c, const char *text, size_t len);
/* A call of the assistant. `arguments` is the JSON text of an object. */
void talk_call(talk *c, const char *id, size_t id_len, const char *name, size_t name_len,
               const char *arguments, size_t arguments_len);

/* Whether the last message is text of the assistant without calls, so that it can be continued. */
bool talk_ends_with_text(const talk *c);

/* Ends the last message. The elements of the array are then c->out. Returns false if there was no
 * memory. */
bool talk_finish(talk *c);

/* The finished messages as an array, in `arena`. NULL if there was no memory. */
const char *talk_messages(talk *c, lf_arena *arena, size_t *len);

/* ---- Tools ---- */

/* What a name that the model writes stands for. */
typedef struct tool_name {
    const char *flat;      /* the name that the model knows */
    const char *namespace; /* NULL = none */
    const char *name;
    bool custom; /* its only argument "input" is the text that the client gets */
} tool_name;

enum { MAX_TOOLS = 4096 }; /* of a request: names are compared with each other */

typedef struct tool_list {
    json_out out; /* the elements of an array */
    tool_name *names;
    uint32_t n, capacity;
    bool failed;
} tool_list;

void tool_list_init(tool_list *l);
void tool_list_free(tool_list *l);

/* Adds a tool. The strings of `name` must live as long as the list. `parameters`: a JSON schema, or
 * NULL for a tool without any. `description` may be NULL. */
void tool_list_add(tool_list *l, const tool_name *name, const lf_json *description,
                   const lf_json *parameters);

/* The tool with this flat name; NULL if there is none. */
const tool_name *tool_list_find(const tool_list *l, const char *flat, size_t len);

/* The list as an array, in `arena`; NULL if it is empty, or if l->failed is set because there was
 * no memory. */
const char *tool_list_finish(tool_list *l, lf_arena *arena, size_t *len);

/* ---- Reasoning ---- */

/* Asks the template for reasoning or for none, as far as it can be asked. */
void reasoning_request(const api *a, job_request *request, bool on);

#endif /* LFM2_SERVE_TALK_H */
