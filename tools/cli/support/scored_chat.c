/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the tokens of a rendered conversation that the model would have to generate. */
#include "cli/support/scored_chat.h"
#include "cli/support/messages.h"

void scored_chat_free(scored_chat *chat)
{
    ids_free(&chat->ids);
    text_free(&chat->answers);
}

/* Renders the messages in `array`, which has no last bracket. */
static int render(const chat_format *format, const char *name, const text_buffer *array,
                  uint32_t flags, id_list *ids)
{
    text_buffer messages = {0};
    ids->n = 0;
    int code = messages_close(array, &messages);
    if (code == EXIT_OK && chat_format_ids(format, &messages, flags, ids) != LFM2_OK) {
        code = fail(lfm2_last_error_code(), "%s: %s", name, lfm2_last_error());
    }
    text_free(&messages);
    return code;
}

/* The number of ids with which both lists begin. */
static size_t common(const id_list *a, const id_list *b)
{
    size_t n = 0;
    while (n < a->n && n < b->n && a->data[n] == b->data[n]) {
        n++;
    }
    return n;
}

static void mark(const lfm2_model *model, scored_chat *chat, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        chat->answers.data[i] = 1;
        if (lfm2_token_is_end(model, chat->ids.data[i]) != 0) {
            break;
        }
    }
}

/* Marks the answers among the messages of the conversation. */
static int mark_answers(const chat_format *format, const char *name, const lf_json *messages,
                        scored_chat *chat)
{
    text_buffer array = {0}; /* the messages so far */
    id_list prompt = {0};
    id_list part = {0};
    int code = EXIT_OK;
    for (const lf_json *m = messages->child; m != NULL && code == EXIT_OK; m = m->next) {
        bool answer = lf_json_is_string(lf_json_get(m, "role"), "assistant");
        if (answer) {
            code = render(format, name, &array, LFM2_CHAT_GENERATION_PROMPT, &prompt);
        }
        if (code == EXIT_OK) {
            code = messages_add_value(&array, m);
        }
        if (code == EXIT_OK && answer) {
            code = render(format, name, &array, 0, &part);
        }
        if (code == EXIT_OK && answer) {
            mark(format->model, chat, common(&prompt, &chat->ids), common(&part, &chat->ids));
        }
    }
    text_free(&array);
    ids_free(&prompt);
    ids_free(&part);
    return code;
}

int scored_chat_make(const chat_format *format, const char *name, const lf_json *value,
                     text_buffer *tools, scored_chat *out)
{
    text_buffer messages = {0};
    tools->len = 0;
    out->ids.n = 0;
    out->answers.len = 0;
    int code = messages_of_json(name, value, &messages, tools);
    if (code == EXIT_OK && chat_format_ids(format, &messages, 0, &out->ids) != LFM2_OK) {
        code = fail(lfm2_last_error_code(), "%s: %s", name, lfm2_last_error());
    }
    for (size_t i = 0; i < out->ids.n && code == EXIT_OK; i++) {
        code = text_append(&out->answers, "", 1);
    }
    if (code == EXIT_OK) {
        const lf_json *array = lf_json_get(value, "messages");
        code = mark_answers(format, name, array != NULL ? array : value, out);
    }
    text_free(&messages);
    return code;
}
