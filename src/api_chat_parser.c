/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the chat parser of lfm2.h: checks arguments and calls text/chat_parser. */
#include "api.h"

#include "run/chat_parser.h"

#include <string.h>

static const lfm2_chat_parser_options defaults = {.size = sizeof defaults};

void lfm2_chat_parser_options_init(lfm2_chat_parser_options *options, size_t size)
{
    lf_api_init(options, size, &defaults, sizeof defaults);
}

int32_t lf_api_parser_options(const lfm2_chat_parser_options *given, lfm2_chat_parser_options *out)
{
    *out = defaults;
    LF_TRY(lf_api_read("options", given, LF_API_FIRST(lfm2_chat_parser_options, max_bytes), out,
                       sizeof *out));
    LF_TRY(
        lf_api_flags(out->flags, LFM2_CHAT_PARSE_REASONING | LFM2_CHAT_PARSE_WHOLE_CALLS, "flags"));
    LF_TRY(lf_api_flags(out->reserved, 0, "reserved"));
    return out->tools == NULL && out->tools_len > 0 ? lf_api_null("tools") : LFM2_OK;
}

int32_t lfm2_chat_parser_create(lfm2_model *model, const lfm2_chat_parser_options *options,
                                lfm2_chat_parser **out)
{
    lfm2_chat_parser_options o;
    if (model == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : "out");
    }
    LF_TRY(lf_model_need_text(model));
    LF_TRY(lf_api_parser_options(options, &o));
    return lf_chat_parser_open(model, &o, out);
}

void lfm2_chat_parser_free(lfm2_chat_parser *parser)
{
    lf_chat_parser_close(parser);
}

int32_t lfm2_chat_parser_push(lfm2_chat_parser *parser, const int32_t *ids, size_t n)
{
    if (parser == NULL || (ids == NULL && n > 0)) {
        return lf_api_null(parser == NULL ? "parser" : "ids");
    }
    return lf_chat_parser_push(parser->parser, ids, n);
}

int32_t lfm2_chat_parser_push_text(lfm2_chat_parser *parser, const char *text, size_t len)
{
    if (parser == NULL || (text == NULL && len > 0)) {
        return lf_api_null(parser == NULL ? "parser" : "text");
    }
    return lf_chat_parser_push_text(parser->parser, text, len);
}

int32_t lfm2_chat_parser_finish(lfm2_chat_parser *parser)
{
    return parser != NULL ? lf_chat_parser_finish(parser->parser) : lf_api_null("parser");
}

int32_t lfm2_chat_parser_reset(lfm2_chat_parser *parser)
{
    if (parser == NULL) {
        return lf_api_null("parser");
    }
    lf_chat_parser_reset(parser->parser);
    return LFM2_OK;
}

int32_t lfm2_chat_parser_next(lfm2_chat_parser *parser, lfm2_chat_event *event)
{
    lfm2_chat_event e = {.kind = LFM2_CHAT_EVENT_NONE};
    if (parser == NULL) {
        return lf_api_null("parser");
    }
    LF_TRY(lf_api_check_result(event, "event"));
    LF_TRY(lf_chat_parser_next(parser->parser, &e));
    return lf_api_write(&e, sizeof e, event, "event");
}

/* A buffer of the caller. */
typedef struct output {
    char *text;
    size_t capacity, len;
} output;

static void put(void *user, const char *text, size_t len)
{
    output *o = user;
    if (o->len < o->capacity && len > 0) {
        size_t left = o->capacity - o->len;
        memcpy(o->text + o->len, text, len < left ? len : left);
    }
    o->len += len;
}

int32_t lfm2_chat_parser_message(const lfm2_chat_parser *parser, char *text, size_t capacity,
                                 size_t *len)
{
    if (parser == NULL || len == NULL || (text == NULL && capacity > 0)) {
        return lf_api_null(parser == NULL ? "parser" : len == NULL ? "len" : "text");
    }
    output o = {.text = text, .capacity = capacity};
    const lf_json_writer writer = {.write = put, .user = &o};
    lf_chat_parser_write(parser->parser, &writer);
    *len = o.len;
    if (o.len > capacity) {
        return lf_fail(LFM2_E_BUFFER, "text.capacity", "the message has %zu bytes, the buffer %zu",
                       o.len, capacity);
    }
    return LFM2_OK;
}

int32_t lfm2_chat_parser_get_call(const lfm2_chat_parser *parser, uint32_t index,
                                  lfm2_chat_call *call)
{
    if (parser == NULL) {
        return lf_api_null("parser");
    }
    uint32_t n = lf_chat_parser_calls(parser->parser);
    if (index >= n) {
        return lf_fail(LFM2_E_ARGUMENT, "chat_parser.call", "index is %u; there are %u calls",
                       index, n);
    }
    lfm2_chat_call c = lf_chat_parser_call(parser->parser, index);
    return lf_api_write(&c, sizeof c, call, "call");
}

uint32_t lfm2_chat_parser_calls(const lfm2_chat_parser *parser)
{
    return parser != NULL ? lf_chat_parser_calls(parser->parser) : 0;
}

const char *lfm2_chat_parser_source(const lfm2_chat_parser *parser, size_t *len)
{
    size_t n = 0;
    const char *text = parser != NULL ? lf_chat_parser_source(parser->parser, &n) : "";
    if (len != NULL) {
        *len = n;
    }
    return text;
}
