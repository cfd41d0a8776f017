/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a conversation, which can be added, removed and replaced one by one. */
#ifndef LFM2_CLI_MESSAGE_LIST_H
#define LFM2_CLI_MESSAGE_LIST_H

#include "cli/support/messages.h"

typedef enum message_role {
    MESSAGE_SYSTEM, /* also developer */
    MESSAGE_USER,
    MESSAGE_ASSISTANT,
    MESSAGE_OTHER /* the result of a tool, a role that only the template knows */
} message_role;

typedef struct message_mark {
    size_t end; /* of the message in `json`; it begins where the one before ends */
    message_role role;
} message_mark;

typedef struct message_list {
    text_buffer json; /* the messages as JSON objects, without separators */
    message_mark *marks;
    size_t n;
    size_t capacity;
} message_list;

/* Functions that return int return an exit code, after a message unless it is EXIT_OK. Then the
 * list is unchanged. */

void message_list_free(message_list *list);

/* Adds a message, as messages_add does. */
int message_list_add(message_list *list, const char *role, const char *content, size_t len,
                     const text_buffer *reasoning);

/* Adds the messages of a JSON array, which messages_read has checked. */
int message_list_add_array(message_list *list, const text_buffer *array);

/* Adds the messages [begin, end) of another list. */
int message_list_add_list(message_list *list, const message_list *other, size_t begin, size_t end);

/* Removes the messages [begin, end). */
void message_list_remove(message_list *list, size_t begin, size_t end);

/* Moves the messages from `begin` on to `tail`, which is empty. message_list_restore replaces those
 * from `begin` on by them again, and cannot fail: the memory is still there. */
int message_list_split(message_list *list, size_t begin, message_list *tail);
void message_list_restore(message_list *list, size_t begin, const message_list *tail);

/* Appends an array of all messages but [begin, end). */
int message_list_array(const message_list *list, size_t begin, size_t end, text_buffer *out);

/* Appends the text of a message: its content, or the text of its parts. */
int message_list_text(const message_list *list, size_t i, text_buffer *out);

/* The number of messages with the role SYSTEM at the start. */
size_t message_list_head(const message_list *list);

/* The first message of the user from `begin` on, and the last one; `n` if there is none. */
size_t message_list_next_user(const message_list *list, size_t begin);
size_t message_list_last_user(const message_list *list);

/* The number of messages of the user. */
uint32_t message_list_turns(const message_list *list);

#endif /* LFM2_CLI_MESSAGE_LIST_H */
