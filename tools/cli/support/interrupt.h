/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C: cancels the work in progress, so that the program can clean up. */
#ifndef LFM2_CLI_INTERRUPT_H
#define LFM2_CLI_INTERRUPT_H

#include "cli/support/output.h"

/* SIGINT and SIGTERM now cancel `session`, which may be NULL, and are recorded. A second signal
 * ends the process immediately. */
void interrupt_begin(lfm2_session *session);

/* Restores the previous handlers. interrupt_seen is valid until the next interrupt_begin. */
void interrupt_end(void);

bool interrupt_seen(void);

/* The signal was SIGTERM: it ends a program that continues after Ctrl-C. */
bool interrupt_ends_program(void);

/* Returns `status`, the result of a session function, or LFM2_E_CANCELLED if it is LFM2_OK and a
 * signal was seen: a session does not notice a cancellation after its last layer. */
int32_t interrupt_status(int32_t status);

/* The exit code for such a status. Prints a message unless it is LFM2_OK. */
int interrupt_code(int32_t status);

/* Sets a function to call before a second signal ends the process, or NULL. It must be
 * async-signal-safe. */
void interrupt_at_exit(void (*hook)(void));

#endif /* LFM2_CLI_INTERRUPT_H */
