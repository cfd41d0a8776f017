/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations as JSON: reading them from files, building them. */
#include "cli/support/messages.h"

#include <string.h>

static int append_literal(text_buffer *out, const char *text)
{
    return text_append(out, text, strlen(text));
}

int message_append(text_buffer *out, const char *role, const char *content, size_t len,
                   const text_buffer *reasoning)
{
    const size_t before = out->len;
    int code = append_literal(out, "{\"role\":");
    code = code == EXIT_OK ? json_append_string(out, role, strlen(role)) : code;
    code = code == EXIT_OK ? append_literal(out, ",\"content\":") : code;
    code = code == EXIT_OK ? json_append_string(out, content, len) : code;
    if (reasoning != NULL) {
        code = code == EXIT_OK ? append_literal(out, ",\"reasoning_content\":") : code;
        code = code == EXIT_OK ? json_append_string(out, reasoning->data, reasoning->len) : code;
    }
    code = code == EXIT_OK ? append_literal(out, "}") : code;
    if (code != EXIT_OK) {
        out->len = before;
    }
    return code;
}

int messages_add(text_buffer *array, const char *role, const char *content, size_t len)
{
    int code = append_literal(array, array->len == 0 ? "[" : ",");
    return code == EXIT_OK ? message_append(array, role, content, len, NULL) : code;
}

int messages_add_value(text_buffer *array, const lf_json *message)
{
    int code = append_literal(array, array->len == 0 ? "[" : ",");
    return code == EXIT_OK ? json_append(array, message) : code;
}

int messages_close(const text_buffer *array, text_buffer *out)
{
    int code = text_append(out, array->data, array->len);
    return code == EXIT_OK ? append_literal(out, array->len > 0 ? "]" : "[]") : code;
}

static int fail_value(const char *name, const lf_json *at, const char *problem)
{
    return fail("cli.messages", "%s: offset %llu: %s", name, (unsigned long long)at->offset,
                problem);
}

static int check_message(const char *name, const lf_json *message)
{
    if (message->kind != LF_JSON_OBJECT) {
        return fail_value(name, message, "a message must be an object");
    }
    const lf_json *role = lf_json_get(message, "role");
    const lf_json *content = lf_json_get(message, "content");
    if (role == NULL || role->kind != LF_JSON_STRING || role->len == 0) {
        return fail_value(name, role != NULL ? role : message,
                          "a message must have a role, which is a string");
    }
    if (content != NULL && content->kind != LF_JSON_STRING && content->kind != LF_JSON_NULL &&
        content->kind != LF_JSON_ARRAY && content->kind != LF_JSON_OBJECT) {
        return fail_value(name, content,
                          "content must be a string, null, an array of parts or an object");
    }
    return EXIT_OK;
}

int messages_of_json(const char *name, const lf_json *value, text_buffer *messages,
                     text_buffer *tools)
{
    const lf_json *array = value;
    if (value->kind == LF_JSON_OBJECT) {
        array = lf_json_get(value, "messages");
    }
    if (array == NULL || array->kind != LF_JSON_ARRAY || array->count == 0) {
        return fail_value(name, array != NULL ? array : value,
                          "an array of messages is expected, or an object with \"messages\"");
    }
    int code = EXIT_OK;
    for (const lf_json *m = array->child; m != NULL && code == EXIT_OK; m = m->next) {
        code = check_message(name, m);
    }
    if (code == EXIT_OK) {
        code = json_append(messages, array);
    }
    const lf_json *listed = lf_json_get(value, "tools");
    if (code == EXIT_OK && listed != NULL && listed->kind != LF_JSON_NULL) {
        code = json_append(tools, listed);
    }
    return code;
}

int messages_read(const char *path, text_buffer *messages, text_buffer *tools)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    text_buffer text = {0};
    const lf_json *value = NULL;
    int code = text_read(path, &text);
    if (code == EXIT_OK) {
        int32_t status = lf_json_parse(&arena, name, LFM2_E_TEXT, text.data, text.len, &value);
        if (status != LFM2_OK) {
            code =
                fail(status == LFM2_E_MEMORY ? "cli.memory" : "cli.messages", "%s", lf_fail_text());
        }
    }
    if (code == EXIT_OK) {
        code = messages_of_json(name, value, messages, tools);
    }
    text_free(&text);
    lf_arena_free(&arena);
    return code;
}

int messages_read_tools(const char *path, text_buffer *tools)
{
    if (path != NULL && tools->len > 0) {
        return fail("cli.messages", "%s: the file of messages has tools already", path);
    }
    return path != NULL ? text_read_tools(path, tools) : EXIT_OK;
}

int for_each_line(const text_buffer *text,
                  int (*use)(void *user, const char *line, size_t len, size_t number, double done),
                  void *user)
{
    int code = EXIT_OK;
    size_t number = 0;
    for (size_t at = 0; at < text->len && code == EXIT_OK;) {
        const char *line = text->data + at;
        const char *newline = memchr(line, '\n', text->len - at);
        size_t len = newline != NULL ? (size_t)(newline - line) : text->len - at;
        at += len + (newline != NULL);
        number++;
        if (len > 0) {
            code = use(user, line, len, number, (double)at / (double)text->len);
        }
    }
    return code;
}
