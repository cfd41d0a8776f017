/* SPDX-License-Identifier: Apache-2.0 */
/* The tool calls in an answer. Functions that return int return an exit code, after a message
 * unless it is EXIT_OK. */
#ifndef LFM2_CLI_ANSWER_CALLS_H
#define LFM2_CLI_ANSWER_CALLS_H

#include "cli/support/answer.h"

/* Of an answer that answer_generate has made. 0 without a format. */
uint32_t answer_n_calls(const answer *a);

/* Appends the content of the answer: the text without calls and reasoning. Once an answer. */
int answer_calls_content(const answer *a, text_buffer *out);

/* Appends the message in OpenAI's format. */
int answer_calls_message(const answer *a, text_buffer *out);

/* Prints the calls as a JSON array. */
void answer_calls_print(const answer *a);

#endif /* LFM2_CLI_ANSWER_CALLS_H */
