/* SPDX-License-Identifier: Apache-2.0 */
/* Which lines of a chat are commands. */
#ifndef LFM2_CLI_CHAT_WORD_H
#define LFM2_CLI_CHAT_WORD_H

#include <stdbool.h>
#include <stddef.h>

typedef enum chat_command {
    CHAT_MESSAGE, /* not a command */
    CHAT_UNKNOWN, /* a slash and a word that is no command */
    CHAT_HELP,
    CHAT_RESET,
    CHAT_UNDO,
    CHAT_RETRY,
    CHAT_EDIT,
    CHAT_SYSTEM,
    CHAT_FORK,
    CHAT_SWITCH,
    CHAT_SAVE,
    CHAT_LOAD,
    CHAT_STATS,
    CHAT_QUIT
} chat_command;

typedef struct chat_word {
    chat_command command;
    bool needs_messages; /* the command does something with the messages */
    const char *name;    /* text[0..n_name) with the slash */
    size_t n_name;
    const char *text; /* what follows the word and blanks; text[0..len) may be empty */
    size_t len;
} chat_word;

/* A command is a slash and one word; after some of them a blank and text may follow.
 * "/etc/passwd", "/usr is full" and "/x.c" are messages. */
chat_word chat_word_of(const char *text, size_t len);

/* The command that is most like an unknown one, without the slash, or NULL. */
const char *chat_word_suggest(const chat_word *word);

#endif /* LFM2_CLI_CHAT_WORD_H */
