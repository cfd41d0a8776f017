/* SPDX-License-Identifier: Apache-2.0 */
/* The exact tokens of earlier answers with tool calls. Clients send such an answer back as JSON,
 * and the chat template writes it in its own way: other quotes, other spaces, without the
 * reasoning. The prompt of the next turn would then differ from what the model computed, and
 * nothing after that place would be in the cache. So the tokens are kept by the ids of the calls,
 * and take the place of the template's text if the client has changed nothing.
 *
 * Only answers with tool calls are kept: their ids are random, so that the next turn is of the same
 * conversation. Another answer could be the same text in two conversations. */
#ifndef LFM2_SERVE_REPLAY_H
#define LFM2_SERVE_REPLAY_H

#include "common/json.h"

#include "lfm2.h"

typedef struct replay_entry replay_entry;

enum { REPLAY_BUCKETS = 1024 };

typedef struct replay {
    size_t max_bytes, bytes;
    replay_entry *buckets[REPLAY_BUCKETS]; /* by the hash of the first call's id */
    replay_entry *oldest, *newest;
} replay;

void replay_init(replay *r, size_t max_bytes);
void replay_free(replay *r);

/* Keeps an answer: the message as lfm2_chat_parser_message gives it, and its tokens with the stop
 * token. Nothing is kept of an answer without calls, or without memory. */
void replay_store(replay *r, uint64_t owner, const char *message, size_t len, const int32_t *ids,
                  size_t n);

/* The tokens of an answer that a client has sent back, a message with "tool_calls". NULL if they
 * are not known, or if content or calls differ. *reasoning: the answer has some. */
const int32_t *replay_find(replay *r, uint64_t owner, const lf_json *message, size_t *n,
                           bool *reasoning);

#endif /* LFM2_SERVE_REPLAY_H */
