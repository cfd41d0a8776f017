/* SPDX-License-Identifier: Apache-2.0 */
/* The session of a saved conversation, in the file FILE.kv next to FILE. It only saves time: what
 * it does not have is computed again, with the same bits. */
#ifndef LFM2_CLI_CHAT_KV_H
#define LFM2_CLI_CHAT_KV_H

#include "cli/options/session_options.h"
#include "cli/support/conversation.h"

/* Writes the session unless it is empty. Prints a notice if that fails. */
void chat_kv_save(const conversation *talk, const char *path);

/* After chat_file_load: makes the session contain the first tokens of talk->held, as many of them
 * as it has already or the file has. Prints a message if tokens are missing, whatever the reason.
 */
void chat_kv_load(conversation *talk, lfm2_model *model, const session_options *options,
                  const char *path);

#endif /* LFM2_CLI_CHAT_KV_H */
