/* SPDX-License-Identifier: Apache-2.0 */
/* Divides a streamed answer into reasoning, which is between <think> and </think>, and content. */
#ifndef LFM2_CLI_REASONING_H
#define LFM2_CLI_REASONING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REASONING_START "<think>"
#define REASONING_END   "</think>"

typedef enum answer_channel { ANSWER_CONTENT, ANSWER_REASONING } answer_channel;

/* Receives text without the markers. A change of the channel is reported at once, with len 0. */
typedef void (*reasoning_sink)(void *user, answer_channel channel, const char *text, size_t len);

/* If the vocabulary has tokens for both markers, only these tokens are markers. Otherwise the text
 * of the markers is: <think> at the start of an answer, where only white space precedes it, and the
 * first </think> that follows. */
typedef struct reasoning_splitter {
    int32_t start_id, end_id; /* -1: the markers are text */
    answer_channel channel;
    bool started; /* with markers as text: a <think> that follows in the content is content */
    char held[8]; /* the beginning of a marker, with markers as text */
    size_t n_held;
    reasoning_sink sink;
    void *user;
} reasoning_splitter;

/* `opened`: the prompt ends with an open <think>. */
void reasoning_begin(reasoning_splitter *s, int32_t start_id, int32_t end_id, bool opened,
                     reasoning_sink sink, void *user);

/* Adds a token and the text that it completes, which may be empty and may end with the name of a
 * marker token. `id` -1: text alone. The text may be divided at any byte. */
void reasoning_push(reasoning_splitter *s, int32_t id, const char *text, size_t len);

/* Ends the answer: reports what was held as the beginning of a marker. */
void reasoning_end(reasoning_splitter *s);

#endif /* LFM2_CLI_REASONING_H */
