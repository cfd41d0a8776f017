/* SPDX-License-Identifier: Apache-2.0 */
/* What commands report about an answer: why it ended, how long it took. */
#ifndef LFM2_CLI_ANSWER_REPORT_H
#define LFM2_CLI_ANSWER_REPORT_H

#include "cli/support/output.h"

/* The name of LFM2_FINISH_* in JSON: "stop_token" and so on. */
const char *finish_name(int32_t finish);

/* What to do if a text does not fit into the context: the end of a message. */
const char *context_advice(const lfm2_model *model, const lfm2_session *session);

/* Prints a message if neither the model nor a stop string ended the answer. `remedy`, which may be
 * "", follows the advice about a full context. */
void notice_finish(const lfm2_generate_result *result, const lfm2_model *model,
                   const lfm2_session *session, const char *remedy);

/* "answer 9 tokens", or "reasoning 20 tokens, answer 9 tokens"; `colon`, which may be "", follows
 * the first word of each. Returns `out`. */
const char *answer_tokens(const lfm2_generate_result *result, uint32_t n_reasoning,
                          const char *colon, char *out, size_t size);

/* Prints a message with the speed of an answer and its seed. */
void notice_timing(const lfm2_generate_result *result, uint32_t n_reasoning, uint64_t seed);

#endif /* LFM2_CLI_ANSWER_REPORT_H */
