/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations in files: a JSON object with "messages" and maybe "tools", which run and render
 * read, too, and "lfm2", the state with which the conversation continues:
 *   seed, turns  of the random choices
 *   ids          the tokens of the session
 *   answers      pairs [begin, end): ids[begin..end) were chosen by the model, or by the budget of
 *                its reasoning
 * Functions return an exit code, after a message unless it is EXIT_OK. */
#ifndef LFM2_CLI_CHAT_FILE_H
#define LFM2_CLI_CHAT_FILE_H

#include "cli/support/conversation.h"

/* Whether a conversation may be written to `path`: fails unless it is a saved conversation, an
 * empty file, or does not exist; then *exists is false for the latter two. */
int chat_file_check(const char *path, bool *exists);

/* Writes the conversation. The file appears complete or not at all, and only its owner may read
 * it. Another one is replaced only if it is such a file. */
int chat_file_save(const conversation *talk, const char *path);

/* Replaces messages and tools by those of a file; without tools in it, by `tools`. If the file has
 * a state, seed, turns and talk->held become those of the file, and the caller must make the
 * session fit to them; else the next turn keeps the tokens that both have. *n_tokens receives the
 * length of the new conversation. After a failure nothing has changed. */
int chat_file_load(conversation *talk, const char *path, const text_buffer *tools,
                   size_t *n_tokens);

#endif /* LFM2_CLI_CHAT_FILE_H */
