/* SPDX-License-Identifier: Apache-2.0 */
/* The tool calls in an answer. */
#include "cli/support/answer_calls.h"
#include "cli/support/json.h"

#include <string.h>

uint32_t answer_n_calls(const answer *a)
{
    return lfm2_chat_parser_calls(a->parser);
}

int answer_calls_content(const answer *a, text_buffer *out)
{
    lfm2_chat_event event = {.size = sizeof event};
    do {
        if (lfm2_chat_parser_next(a->parser, &event) != LFM2_OK) {
            return fail_library();
        }
        if (event.kind == LFM2_CHAT_EVENT_CONTENT &&
            text_append(out, event.text, event.len) != EXIT_OK) {
            return EXIT_FAILED;
        }
    } while (event.kind != LFM2_CHAT_EVENT_NONE);
    return EXIT_OK;
}

int answer_calls_message(const answer *a, text_buffer *out)
{
    size_t len = 0;
    lfm2_chat_parser_message(a->parser, NULL, 0, &len);
    int code = text_reserve(out, len);
    if (code == EXIT_OK) {
        lfm2_chat_parser_message(a->parser, out->data + out->len, len, &len);
        out->len += len;
        out->data[out->len] = '\0';
    }
    return code;
}

void answer_calls_print(const answer *a)
{
    lfm2_chat_call call = {.size = sizeof call};
    const uint32_t n = answer_n_calls(a);
    out_printf("[");
    for (uint32_t i = 0; i < n; i++) {
        lfm2_chat_parser_get_call(a->parser, i, &call);
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
