/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations in files: a JSON object with "messages" and maybe "tools", which run and render
 * read, too. Functions return an exit code, after a message unless it is EXIT_OK. */
#ifndef LFM2_CLI_CHAT_FILE_H
#define LFM2_CLI_CHAT_FILE_H

#include "cli/support/conversation.h"

/* Writes the messages and tools. The file appears complete or not at all, and only its owner may
 * read it. Another one is replaced only if it is such a file. */
int chat_file_save(const conversation *talk, const char *path);

/* Replaces messages and tools by those of a file; without tools in it, by `tools`. The session
 * stays: the next turn keeps the tokens that both have. *n_tokens receives the length of the new
 * conversation. After a failure nothing has changed. */
int chat_file_load(conversation *talk, const char *path, const text_buffer *tools,
                   size_t *n_tokens);

#endif /* LFM2_CLI_CHAT_FILE_H */
