/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations for tests, written as the JSON text that the chat functions take. */
#ifndef LF_TESTS_MESSAGES_H
#define LF_TESTS_MESSAGES_H

#include <stddef.h>

typedef struct lft_message {
    const char *role;
    const char *content; /* UTF-8; may contain 0 bytes */
    size_t content_len;
} lft_message;

/* The n messages as a JSON array of objects with role and content, 0-terminated; the caller frees
 * it. *len receives its length; len may be NULL. */
char *lft_messages_json(const lft_message *messages, size_t n, size_t *len);

#endif /* LF_TESTS_MESSAGES_H */
