/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the handle of a chat parser. */
#include "run/chat_parser.h"

int32_t lf_chat_parser_open(lfm2_model *model, const lfm2_chat_parser_options *options,
                            lfm2_chat_parser **out)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    void *memory = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lfm2_chat_parser), "a chat parser", &memory));
    lfm2_chat_parser *parser = memory;
    int32_t status = lf_chat_parser_create(alloc, model->tokenizer, options, &parser->parser);
    if (status != LFM2_OK) {
        lf_free(alloc, parser, 1, sizeof *parser);
        return status;
    }
    parser->model = lf_model_retain(model);
    *out = parser;
    return LFM2_OK;
}

void lf_chat_parser_close(lfm2_chat_parser *parser)
{
    if (parser == NULL) {
        return;
    }
    lfm2_model *model = parser->model;
    lf_chat_parser_free(parser->parser);
    lf_free(&model->runtime->alloc, parser, 1, sizeof *parser);
    lf_model_free(model);
}
