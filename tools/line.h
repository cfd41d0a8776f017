/* SPDX-License-Identifier: Apache-2.0 */
/* Lines typed by a person (with editing and history) or read from a pipe. */
#ifndef LFM2_TOOLS_LINE_H
#define LFM2_TOOLS_LINE_H

#include "util.h"

typedef struct line_input line_input;

typedef enum line_result {
    LINE_TEXT,      /* a line was read */
    LINE_END,       /* end of input */
    LINE_INTERRUPT, /* Ctrl-C at the prompt: what was typed is dropped */
    LINE_ERROR      /* a message was printed */
} line_result;

/* `prompt` is shown on terminals only. NULL after a message. */
line_input *line_open(const char *prompt);
void line_close(line_input *input);

/* Somebody sits in front of it. */
bool line_is_terminal(const line_input *input);

/* Replaces what `out` held by the next line, without its newline. A backslash at the end of a line
 * joins the next one, with a newline between. */
line_result line_read(line_input *input, text_buffer *out);

#endif /* LFM2_TOOLS_LINE_H */
