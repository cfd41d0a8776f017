/* SPDX-License-Identifier: Apache-2.0 */
/* Reads messages from a terminal, with editing and history, or from a pipe. */
#ifndef LFM2_CLI_LINE_H
#define LFM2_CLI_LINE_H

#include "cli/support/text.h"

typedef struct chat_input chat_input;

typedef enum input_result {
    INPUT_TEXT,      /* a message or a command */
    INPUT_BLOCK,     /* a message between """ and """, which is never a command */
    INPUT_END,       /* end of input */
    INPUT_DROPPED,   /* Ctrl-C at the prompt: the line was discarded */
    INPUT_INTERRUPT, /* Ctrl-C at an empty prompt */
    INPUT_ERROR      /* a message was printed */
} input_result;

/* `prompt` is shown on a terminal. Returns NULL after a message. */
chat_input *chat_input_open(const char *prompt);
void chat_input_close(chat_input *input);

/* Whether standard input and output are a terminal. */
bool chat_input_is_terminal(const chat_input *input);

/* Replaces `out` with the next message, without its last newline. A message is one line, with these
 * exceptions:
 *  - text pasted into a terminal is part of the line, including its newlines;
 *  - a line that ends with a backslash continues with a newline and the next line;
 *  - a line that starts with """ starts a block, which ends with a line that ends with """ or with
 *    the input. */
input_result chat_input_read(chat_input *input, text_buffer *out);

/* Replaces `out` with `text` as it is edited on the terminal: INPUT_TEXT, also if it is empty. It
 * is neither a command nor a block, and a backslash at its end is part of it. Other results: the
 * user discarded it, or there is no more input. */
input_result chat_input_edit(chat_input *input, const text_buffer *text, text_buffer *out);

#endif /* LFM2_CLI_LINE_H */
