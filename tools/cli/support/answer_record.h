/* SPDX-License-Identifier: Apache-2.0 */
/* Records an answer and prints it as a JSON object. */
#ifndef LFM2_CLI_ANSWER_RECORD_H
#define LFM2_CLI_ANSWER_RECORD_H

#include "cli/support/answer_calls.h"

typedef struct recorded_token recorded_token;

typedef struct answer_record {
    text_buffer text[2];     /* of each answer_channel */
    recorded_token **tokens; /* only if their log-probabilities are wanted */
    size_t n_tokens, capacity;
} answer_record;

/* These return EXIT_OK, or EXIT_FAILED after a message. */
int answer_record_text(answer_record *record, answer_channel channel, const char *text, size_t len);
int answer_record_token(answer_record *record, const lfm2_generated_token *token);

/* The content; after reasoning, without the white space at its start. */
void answer_record_content(const answer_record *record, bool reasoned, const char **text,
                           size_t *len);

/* Replaces the content by that of an answer with calls. */
int answer_record_set_content(answer_record *record, const answer *a);

/* Prints {"model":...}; "tool_calls" are in it if there are any, "tokens" if `logprobs`. */
void answer_record_print(const answer_record *record, const answer *a, const lfm2_model *model,
                         const char *path, uint64_t seed, bool logprobs);

void answer_record_free(answer_record *record);

#endif /* LFM2_CLI_ANSWER_RECORD_H */
