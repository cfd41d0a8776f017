/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a conversation and the session that contains its tokens. Each turn renders all
 * messages again; the session computes only what it does not contain. */
#ifndef LFM2_CLI_CONVERSATION_H
#define LFM2_CLI_CONVERSATION_H

#include "cli/options/sampler_options.h"
#include "cli/support/answer.h"

typedef struct conversation {
    const chat_format *format;
    const reasoning_options *reasoning;
    const sampler_options *sampling;
    lfm2_session *session;
    lfm2_sampler *sampler;
    text_buffer messages; /* JSON, without the last bracket */
    id_list held;         /* the tokens in the session */
    text_buffer sampled;  /* for each of them 1 if it is part of an answer, else 0 */
    uint32_t n_turns;
} conversation;

/* What a turn appends to the session. */
typedef struct turn {
    id_list ids;         /* the whole prompt */
    size_t n_rendered;   /* ids before those that chat_format_complete added */
    size_t keep;         /* tokens of the session that the turn keeps */
    size_t from;         /* ids[from..] follow them */
    open_reasoning open; /* what the prompt opens */
} turn;

void turn_free(turn *t);

/* Functions that return int return an exit code, after a message unless it is EXIT_OK. */

/* Forgets everything. */
int conversation_reset(conversation *c);
void conversation_free(conversation *c);

/* Adds a message of the user and renders the next prompt. After a failure the message is removed;
 * conversation_withdraw removes it later. */
int conversation_ask(conversation *c, const char *text, size_t len, turn *out);
void conversation_withdraw(conversation *c, size_t messages_len);

/* Generates the answer and adds it to the messages, also if it was interrupted. `a` has everything
 * that its caller sets but the session, sampler, format, budget and what the prompt opens. */
int conversation_answer(conversation *c, const turn *t, answer *a);

#endif /* LFM2_CLI_CONVERSATION_H */
