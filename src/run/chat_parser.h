/* SPDX-License-Identifier: Apache-2.0 */
/* The chat parser of the API: a parser of text/ with a reference to the model. */
#ifndef LF_RUN_CHAT_PARSER_H
#define LF_RUN_CHAT_PARSER_H

#include "model/model.h"
#include "text/chat_parser.h"

struct lfm2_chat_parser {
    lfm2_model *model;
    lf_chat_parser *parser;
};

/* The model must have a tokenizer. Errors: MEMORY, TEXT (tools), ARGUMENT (id_prefix). */
int32_t lf_chat_parser_open(lfm2_model *model, const lfm2_chat_parser_options *options,
                            lfm2_chat_parser **out);
void lf_chat_parser_close(lfm2_chat_parser *parser); /* NULL is allowed */

#endif /* LF_RUN_CHAT_PARSER_H */
