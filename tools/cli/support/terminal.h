/* SPDX-License-Identifier: Apache-2.0 */
/* The prompt on a terminal: editing, history, pastes, and the terminal's state. */
#ifndef LFM2_TOOLS_TERMINAL_H
#define LFM2_TOOLS_TERMINAL_H

#include "cli/support/line.h"

typedef struct terminal terminal;

/* There is one at a time. `prompt` must live as long. NULL after a message. */
terminal *terminal_open(const char *prompt);
void terminal_close(terminal *t);

/* Reads until Enter. `out` receives the text without the final newline; a paste may have put
 * newlines inside. `continued` shows another prompt. While it runs, the terminal marks pastes;
 * before it returns, and before a signal ends or stops the process, the terminal's state is what it
 * was. */
line_result terminal_read(terminal *t, bool continued, text_buffer *out);

/* Puts a message into the history. */
void terminal_remember(terminal *t, const text_buffer *text);

#endif /* LFM2_TOOLS_TERMINAL_H */
