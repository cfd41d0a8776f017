/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a conversation and the session that contains its tokens. Each turn renders all
 * messages again; the session computes only what it does not contain. So the messages may be
 * changed in any way between turns. */
#ifndef LFM2_CLI_CONVERSATION_H
#define LFM2_CLI_CONVERSATION_H

#include "cli/options/sampler_options.h"
#include "cli/support/answer.h"
#include "cli/support/message_list.h"

typedef struct conversation {
    chat_format *format; /* conversations with different tools may share it */
    const reasoning_options *reasoning;
    const sampler_options *sampling;
    lfm2_session *session;
    lfm2_sampler *sampler;
    message_list messages;
    text_buffer tools; /* JSON array; empty: none */
    uint64_t seed;     /* of the random choices: each turn draws with one made from it */
    /* The tokens in the session. After a conversation was loaded, more tokens may follow: the next
     * turn computes those that it keeps. */
    id_list held;
    text_buffer sampled; /* for each of them 1 if it is part of an answer, else 0 */
    uint32_t n_turns;    /* answers that were generated, with those that were removed */
    /* ---- Of the last answer ---- */
    lfm2_generate_result last; /* finish 0: there is none */
    uint32_t last_reasoning;   /* its tokens of reasoning */
    uint32_t last_reused;      /* tokens of the prompt that the session contained */
} conversation;

/* When a turn drops old messages. It makes more space than it needs, because what follows the
 * dropped messages is computed again: otherwise each of the next turns would do that. */
typedef struct drop_rule {
    bool allowed;
    uint32_t needed; /* tokens that the prompt must leave for the answer, else turns are dropped */
    uint32_t made;   /* then the prompt leaves this many, if that is possible */
} drop_rule;

/* What a turn appends to the session. */
typedef struct turn {
    id_list ids;       /* the whole prompt */
    size_t n_rendered; /* ids before those that chat_format_complete added */
    /* Tokens [cut, cut + n_cut) of the session are those of dropped messages. */
    size_t cut, n_cut;
    size_t keep;         /* tokens that the turn keeps of the others */
    size_t from;         /* ids[from..] follow them */
    open_reasoning open; /* what the prompt opens */
    size_t n_dropped;    /* messages that the turn drops, after those of the system */
    uint32_t n_turns_dropped;
    bool replaces; /* set by the caller: the answer replaces one, which may still be in the session.
                      With LFM2_GENERATE_DRAFT, the new one is expected to be like it */
} turn;

void turn_free(turn *t);

/* The number of tokens that are computed although the session contains them: those that follow the
 * dropped ones. */
size_t turn_again(const turn *t);

/* Functions that return int return an exit code, after a message unless it is EXIT_OK. */

/* Forgets all messages but those of the system at the start. */
int conversation_reset(conversation *c);
void conversation_free(conversation *c);

/* Makes `out` a copy, which continues as `c` would. */
int conversation_fork(const conversation *c, conversation *out);

/* Counts the tokens of the messages: fails if the template refuses them. */
int conversation_count(const conversation *c, size_t *n);

/* Renders the next prompt. The messages do not change before conversation_answer. */
int conversation_prompt(const conversation *c, const drop_rule *rule, turn *out);

/* Whether the session has space for the prompt and a token of the answer. *needed receives the
 * tokens that it needs in the remaining *space. */
bool conversation_fits(const conversation *c, const turn *t, size_t *needed, size_t *space);

/* Drops the messages that `t` drops, generates the answer and adds it to the messages, also if it
 * was interrupted. `a` has everything that its caller sets but the session, sampler, format, budget
 * and what the prompt opens. */
int conversation_answer(conversation *c, const turn *t, answer *a);

#endif /* LFM2_CLI_CONVERSATION_H */
