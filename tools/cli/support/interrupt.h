/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C: cancels the work in progress so that the program ends in order. */
#ifndef LFM2_TOOLS_INTERRUPT_H
#define LFM2_TOOLS_INTERRUPT_H

#include "cli/support/util.h"

/* From here on SIGINT and SIGTERM cancel `session` (may be NULL) and are remembered; a second one
 * ends the process at once. */
void interrupt_begin(lfm2_session *session);

/* The signals have their former effect again. What was seen stays known until the next begin. */
void interrupt_end(void);

bool interrupt_seen(void);

/* It was SIGTERM: a program that goes on after Ctrl-C does not. */
bool interrupt_ends_program(void);

/* What a step of a session returned, or LFM2_E_CANCELLED if an interrupt was seen: the session
 * itself notices one only while layers are left to compute. */
int32_t interrupt_status(int32_t status);

/* The exit code of such a status; what went wrong is said. */
int interrupt_code(int32_t status);

#endif /* LFM2_TOOLS_INTERRUPT_H */
