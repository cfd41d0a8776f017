/* SPDX-License-Identifier: Apache-2.0 */
/* Messages typed by a person (with editing and history) or read from a pipe. */
#ifndef LFM2_TOOLS_LINE_H
#define LFM2_TOOLS_LINE_H

#include "cli/support/util.h"

typedef struct line_input line_input;

typedef enum line_result {
    LINE_TEXT,      /* a message or a command */
    LINE_BLOCK,     /* a message that was written between """ and """: never a command */
    LINE_END,       /* end of input */
    LINE_DROPPED,   /* Ctrl-C at the prompt: what was typed is dropped */
    LINE_INTERRUPT, /* Ctrl-C at the prompt where nothing was typed */
    LINE_ERROR      /* a message was printed */
} line_result;

/* `prompt` is shown on terminals only. NULL after a message. */
line_input *line_open(const char *prompt);
void line_close(line_input *input);

/* Input and output are a terminal. */
bool line_is_terminal(const line_input *input);

/* Replaces what `out` held by the next message, without its last newline. It is one line, except
 * that
 *  - a paste on a terminal is part of its line, newlines included;
 *  - a backslash at the end of a line joins the next one, with a newline between;
 *  - """ at the start opens a block, to a line that ends with """ or the end of the input. */
line_result line_read(line_input *input, text_buffer *out);

#endif /* LFM2_TOOLS_LINE_H */
