/* SPDX-License-Identifier: Apache-2.0 */
/* Parses answers in pieces and checks the laws of the chat parser: the events give the message, and
 * every byte is content, reasoning, in a call, or syntax. */
#ifndef LF_TESTS_ANSWERS_H
#define LF_TESTS_ANSWERS_H

#include "text/chat_parser.h"

/* How a text is given to the parser. */
typedef enum lft_feed { LFT_WHOLE, LFT_BYTES, LFT_RANDOM, LFT_TOKENS } lft_feed;

/* Parses the text. `seed`: of random pieces. Returns NULL and the message as a 0-terminated text,
 * which the caller frees; or the law that is broken, or a failure ("failed"), without a message. */
const char *lft_answer(const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                       const lfm2_chat_parser_options *options, const char *text, size_t len,
                       lft_feed feed, uint64_t seed, char **message);

#endif /* LF_TESTS_ANSWERS_H */
