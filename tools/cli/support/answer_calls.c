/* SPDX-License-Identifier: Apache-2.0 */
/* The tool calls in an answer. */
#include "cli/support/answer_calls.h"
#include "cli/support/json.h"

#include <string.h>

int answer_calls_find(const answer *a, const char *id_prefix, answer_calls *out)
{
    const chat_format *format = a->format;
    lfm2_chat_parser_options o;
    *out = (answer_calls){0};
    lfm2_chat_parser_options_init(&o, sizeof o);
    o.id_prefix = id_prefix;
    o.flags = a->open.len > 0 ? LFM2_CHAT_PARSE_REASONING : 0U;
    const bool tools = format->tools != NULL && format->tools->len > 0;
    o.tools = tools ? format->tools->data : "[]"; /* the model knows none */
    o.tools_len = tools ? format->tools->len : 2;
    int32_t status = lfm2_chat_parser_create(format->model, &o, &out->parser);
    if (status == LFM2_OK) {
        status = lfm2_chat_parser_push(out->parser, a->ids.data, a->ids.n);
    }
    if (status == LFM2_OK) {
        status = lfm2_chat_parser_finish(out->parser);
    }
    if (status != LFM2_OK) {
        answer_calls_free(out);
        return fail_library();
    }
    out->n = lfm2_chat_parser_calls(out->parser);
    return EXIT_OK;
}

void answer_calls_free(answer_calls *calls)
{
    lfm2_chat_parser_free(calls->parser);
    *calls = (answer_calls){0};
}

int answer_calls_content(const answer_calls *calls, text_buffer *out)
{
    lfm2_chat_event event = {.size = sizeof event};
    do {
        if (lfm2_chat_parser_next(calls->parser, &event) != LFM2_OK) {
            return fail_library();
        }
        if (event.kind == LFM2_CHAT_EVENT_CONTENT &&
            text_append(out, event.text, event.len) != EXIT_OK) {
            return EXIT_FAILED;
        }
    } while (event.kind != LFM2_CHAT_EVENT_NONE);
    return EXIT_OK;
}

int answer_calls_message(const answer_calls *calls, text_buffer *out)
{
    size_t len = 0;
    lfm2_chat_parser_message(calls->parser, NULL, 0, &len);
    int code = text_reserve(out, len);
    if (code == EXIT_OK) {
        lfm2_chat_parser_message(calls->parser, out->data + out->len, len, &len);
        out->len += len;
        out->data[out->len] = '\0';
    }
    return code;
}

void answer_calls_print(const answer_calls *calls)
{
    lfm2_chat_call call = {.size = sizeof call};
    out_printf("[");
    for (uint32_t i = 0; i < calls->n; i++) {
        lfm2_chat_parser_get_call(calls->parser, i, &call);
        out_printf("%s{\"id\":", i > 0 ? "," : "");
        json_string(call.id, strlen(call.id));
        out_printf(",\"type\":\"function\",\"function\":{\"name\":");
        json_string(call.name, call.name_len);
        out_printf(",\"arguments\":");
        json_string(call.arguments, call.arguments_len);
        out_printf("}}");
    }
    out_printf("]");
}
