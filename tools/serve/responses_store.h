/* SPDX-License-Identifier: Apache-2.0 */
/* Responses that clients refer to by "previous_response_id" or read again: kept in memory up to a
 * limit, the oldest go first. */
#ifndef LFM2_SERVE_RESPONSES_STORE_H
#define LFM2_SERVE_RESPONSES_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct stored_response {
    struct stored_response *older, *newer;
    char *id;       /* "resp_..." */
    uint64_t owner; /* exchange.owner */
    char *json;     /* the response */
    size_t json_len;
    char *messages; /* the conversation with the answer, without instructions: elements of an
                       array */
    size_t messages_len;
} stored_response;

typedef struct response_store {
    stored_response *oldest, *newest;
    size_t bytes, max_bytes;
} response_store;

enum { RESPONSE_STORE_BYTES = 32 << 20 };

void response_store_init(response_store *s, size_t max_bytes);
void response_store_free(response_store *s);

/* Copies everything. Returns false, and keeps nothing, without memory or if it is larger than the
 * limit. */
bool response_store_add(response_store *s, const char *id, uint64_t owner, const char *json,
                        size_t json_len, const char *messages, size_t messages_len);

/* NULL if there is none of this owner. Valid until the store changes. */
const stored_response *response_store_find(const response_store *s, const char *id, uint64_t owner);

/* Returns false if there is none. */
bool response_store_remove(response_store *s, const char *id, uint64_t owner);

#endif /* LFM2_SERVE_RESPONSES_STORE_H */
