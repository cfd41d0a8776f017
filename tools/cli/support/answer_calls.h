/* SPDX-License-Identifier: Apache-2.0 */
/* The tool calls in an answer. Functions that return int return an exit code, after a message
 * unless it is EXIT_OK. */
#ifndef LFM2_CLI_ANSWER_CALLS_H
#define LFM2_CLI_ANSWER_CALLS_H

#include "cli/support/answer.h"

typedef struct answer_calls {
    lfm2_chat_parser *parser;
    uint32_t n; /* calls */
} answer_calls;

/* Parses the tokens of an answer, which has a format. `id_prefix`: that of the parser, or NULL. */
int answer_calls_find(const answer *a, const char *id_prefix, answer_calls *out);
void answer_calls_free(answer_calls *calls);

/* Appends the content of the answer: the text without calls and reasoning. */
int answer_calls_content(const answer_calls *calls, text_buffer *out);

/* Appends the message in OpenAI's format. */
int answer_calls_message(const answer_calls *calls, text_buffer *out);

/* Prints the calls as a JSON array. */
void answer_calls_print(const answer_calls *calls);

#endif /* LFM2_CLI_ANSWER_CALLS_H */
