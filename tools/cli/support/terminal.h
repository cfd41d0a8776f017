/* SPDX-License-Identifier: Apache-2.0 */
/* The prompt on a terminal: editing, history, pastes, and the settings of the terminal. */
#ifndef LFM2_CLI_TERMINAL_H
#define LFM2_CLI_TERMINAL_H

#include "cli/support/chat_input.h"

typedef struct terminal terminal;

/* Takes control of the terminal until terminal_close: what is typed or pasted from now on waits for
 * the next terminal_read, without echo. The previous settings are also restored when a signal ends
 * or stops the process. There can be one terminal at a time. `prompt` must outlive it. Returns NULL
 * after a message. */
terminal *terminal_open(const char *prompt);
void terminal_close(terminal *t);

/* Reads a line, up to Enter, and appends it to `out` without the final newline. Pasted text may
 * contain newlines. `continued` selects the prompt of a continued message. `initial`, which may be
 * NULL, is the text that the line has at first. */
input_result terminal_read(terminal *t, bool continued, const text_buffer *initial,
                           text_buffer *out);

/* Adds a message to the history. */
void terminal_remember(terminal *t, const text_buffer *text);

#endif /* LFM2_CLI_TERMINAL_H */
