/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations as JSON: reading them from files, building them. Functions return an exit code,
 * after a message unless it is EXIT_OK. */
#ifndef LFM2_CLI_MESSAGES_H
#define LFM2_CLI_MESSAGES_H

#include "cli/support/json.h"

/* Appends {"role":...,"content":...}. Bytes that are not UTF-8 become U+FFFD. `reasoning` may be
 * NULL. After a failure `out` is unchanged. */
int message_append(text_buffer *out, const char *role, const char *content, size_t len,
                   const text_buffer *reasoning);

/* Adds such a message to an array whose last bracket is missing: it is empty, or ends with a
 * message. */
int messages_add(text_buffer *array, const char *role, const char *content, size_t len);

/* The same for a message that was read. */
int messages_add_value(text_buffer *array, const lf_json *message);

/* Appends the array to `out`, with its last bracket. */
int messages_close(const text_buffer *array, text_buffer *out);

/* Appends the array of messages in `value`, which is an array, or an object with the member
 * "messages" and maybe "tools", which is appended to `tools`. `name` names the source in messages.
 * Roles must be strings, and contents strings, null, arrays or absent; the template checks the
 * rest. */
int messages_of_json(const char *name, const lf_json *value, text_buffer *messages,
                     text_buffer *tools);

/* Reads such a value from a file; "-" is standard input. */
int messages_read(const char *path, text_buffer *messages, text_buffer *tools);

/* Reads the file of --tools, which may be NULL. Fails if `tools` has those of the messages. */
int messages_read_tools(const char *path, text_buffer *tools);

/* Calls `use` for each line of `text` that is not empty, until it fails. `number` counts from 1;
 * `done` is the fraction of the text up to the end of the line. */
int for_each_line(const text_buffer *text,
                  int (*use)(void *user, const char *line, size_t len, size_t number, double done),
                  void *user);

#endif /* LFM2_CLI_MESSAGES_H */
