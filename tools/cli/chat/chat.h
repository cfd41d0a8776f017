/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the chat command: its conversations and what they share. */
#ifndef LFM2_CLI_CHAT_H
#define LFM2_CLI_CHAT_H

#include "cli/options/constraint_options.h"
#include "cli/options/model_options.h"
#include "cli/options/sampler_options.h"
#include "cli/options/session_options.h"
#include "cli/support/answer_view.h"
#include "cli/support/chat_input.h"
#include "cli/support/conversation.h"

/* What happens to a conversation that does not fit into the context. */
typedef enum full_rule { FULL_STOP, FULL_DROP } full_rule;

typedef struct chat_options {
    model_options model;
    session_options session;
    sampler_options sampler;
    template_options chat_template;
    reasoning_options reasoning;
    constraint_options constraint;
    const char *system, *tools;
    const char *file; /* of --session */
    bool has_seed;    /* --seed was given: saved conversations continue with it */
    uint32_t n_predict;
    uint32_t on_full; /* full_rule */
    uint32_t draft;   /* of draft_specs */
    bool special;
} chat_options;

typedef struct chat {
    const chat_options *opts;
    open_model opened;
    chat_format format;
    text_buffer tools;          /* those of --tools */
    constraint_text constraint; /* what the options name; kind 0: none */
    conversation **talks;       /* [n_talks] */
    size_t n_talks;
    size_t current; /* index of the conversation that continues */
    chat_input *input;
    answer_view view;
    bool refused; /* a message was refused or a command failed: the exit code is 1 */
    bool unsaved; /* the file of --session does not have the conversation that continues */
    bool changed; /* it was changed since the start */
} chat;

/* Functions that return int return an exit code: anything but EXIT_OK, after a message, ends the
 * program. */

/* ---- chat_turn.c ---- */

/* Answers a message. */
int chat_ask(chat *c, const char *text, size_t len);

/* Answers the messages as they are. `replaces`: another answer was removed before. *answered is
 * false if they were refused, after a message. */
int chat_answer(chat *c, bool replaces, bool *answered);

/* ---- chat_talks.c: the list of conversations ---- */

conversation *chat_talk(const chat *c);

/* Creates the first conversation. */
int chat_start(chat *c);
void chat_close(chat *c);

/* Continues in a copy of the conversation. Returns EXIT_FAILED if there is none, after a message.
 */
int chat_fork(chat *c);

void chat_list(const chat *c);

/* ---- chat_session.c: conversations in files, with their sessions ---- */

/* Both print a message. A failure changes nothing. */
int chat_save(const chat *c, const char *path);
int chat_load(chat *c, const char *path);

/* Loads the file of --session, or creates it. */
int chat_session_begin(chat *c);

/* Writes the conversation after it was changed. A failure is reported, and tried again after the
 * next change and at the end: then the session is written, too. */
void chat_session_keep(chat *c);
void chat_session_end(chat *c);

/* ---- chat_commands.c ---- */

/* Executes the command or answers the message. Sets *quit for /quit. */
int chat_line(chat *c, const char *text, size_t len, bool *quit);

#endif /* LFM2_CLI_CHAT_H */
