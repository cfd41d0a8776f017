/* SPDX-License-Identifier: Apache-2.0 */
/* Parses what a model writes: content, reasoning and tool calls, as it comes. */
#ifndef LF_TEXT_CHAT_PARSER_H
#define LF_TEXT_CHAT_PARSER_H

#include "common/json.h"
#include "text/tokenizer.h"

typedef struct lf_chat_parser lf_chat_parser;

/* `options` is complete: defaults are filled in. Its strings are copied. `tokenizer` and what
 * `alloc` refers to must outlive the parser. Errors: MEMORY, TEXT (tools). */
int32_t lf_chat_parser_create(const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                              const lfm2_chat_parser_options *options, lf_chat_parser **out);
void lf_chat_parser_free(lf_chat_parser *parser); /* NULL is allowed */

/* The contracts of these are those of lfm2.h. */
int32_t lf_chat_parser_push(lf_chat_parser *parser, const int32_t *ids, size_t n);
int32_t lf_chat_parser_push_text(lf_chat_parser *parser, const char *text, size_t len);
int32_t lf_chat_parser_finish(lf_chat_parser *parser);
void lf_chat_parser_reset(lf_chat_parser *parser);

/* These are for a stream, whose steps do not fail if the parser does. */

/* The failure that ended parsing; OK if there is none. */
int32_t lf_chat_parser_failure(const lf_chat_parser *parser);

/* The same; STATE if the answer was finished. */
int32_t lf_chat_parser_check(const lf_chat_parser *parser);

/* Whether the token divides an answer: it begins or ends calls or reasoning, or ends the turn. */
bool lf_chat_parser_divides(const lf_chat_parser *parser, int32_t id);

/* Adds a token; bytes of a token, which are no control token whatever they spell; ends the answer.
 * The other functions return the failure of these. */
void lf_chat_parser_push_token(lf_chat_parser *parser, int32_t id);
void lf_chat_parser_push_part(lf_chat_parser *parser, const char *text, size_t len);
void lf_chat_parser_end(lf_chat_parser *parser);

/* Takes the next event; kind LFM2_CHAT_EVENT_NONE if there is none. The pointers are valid until
 * the next call with this parser. Errors: MEMORY; the failure that ended parsing. */
int32_t lf_chat_parser_next(lf_chat_parser *parser, lfm2_chat_event *out);

/* Writes the message as JSON. */
void lf_chat_parser_write(const lf_chat_parser *parser, const lf_json_writer *writer);

/* The calls that are complete. The pointers are valid until the parser changes. */
uint32_t lf_chat_parser_calls(const lf_chat_parser *parser);
lfm2_chat_call lf_chat_parser_call(const lf_chat_parser *parser, uint32_t index);

/* All text that was pushed, control tokens by name, followed by a 0. */
const char *lf_chat_parser_source(const lf_chat_parser *parser, size_t *len);

#endif /* LF_TEXT_CHAT_PARSER_H */
