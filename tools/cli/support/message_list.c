/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a conversation: one buffer of JSON, and where each message ends. */
#include "cli/support/message_list.h"

#include <stdlib.h>
#include <string.h>

void message_list_free(message_list *list)
{
    text_free(&list->json);
    free(list->marks);
    *list = (message_list){0};
}

static size_t begin_of(const message_list *list, size_t i)
{
    return i > 0 ? list->marks[i - 1].end : 0;
}

static void truncate(message_list *list, size_t n)
{
    list->json.len = begin_of(list, n);
    list->n = n;
}

/* ---- Adding --------------------------------------------------------------------------------- */

static int reserve(message_list *list, size_t more)
{
    if (more <= list->capacity - list->n) {
        return EXIT_OK;
    }
    if (more > SIZE_MAX / 64 || list->n > SIZE_MAX / 64) {
        return fail("cli.memory", "out of memory");
    }
    size_t capacity = (list->n + more) * 2;
    message_mark *marks = realloc(list->marks, capacity * sizeof *marks);
    if (marks == NULL) {
        return fail("cli.memory", "out of memory for %zu messages", capacity);
    }
    list->marks = marks;
    list->capacity = capacity;
    return EXIT_OK;
}

static bool equal(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

static message_role role_of(const char *name, size_t len)
{
    if (equal(name, len, "system") || equal(name, len, "developer")) {
        return MESSAGE_SYSTEM;
    }
    if (equal(name, len, "user")) {
        return MESSAGE_USER;
    }
    return equal(name, len, "assistant") ? MESSAGE_ASSISTANT : MESSAGE_OTHER;
}

/* Marks what was appended to list->json as a message. There is space for the mark. */
static void mark(message_list *list, message_role role)
{
    list->marks[list->n++] = (message_mark){.end = list->json.len, .role = role};
}

int message_list_add(message_list *list, const char *role, const char *content, size_t len,
                     const text_buffer *reasoning)
{
    int code = reserve(list, 1);
    if (code == EXIT_OK) {
        code = message_append(&list->json, role, content, len, reasoning);
    }
    if (code == EXIT_OK) {
        mark(list, role_of(role, strlen(role)));
    }
    return code;
}

/* Parses `text`, which is valid, into `arena`. */
static int parse(lf_arena *arena, const char *text, size_t len, const lf_json **out)
{
    int32_t status = lf_json_parse(arena, "messages", LFM2_E_TEXT, text, len, out);
    return status == LFM2_OK ? EXIT_OK : fail("cli.memory", "%s", lf_fail_text());
}

int message_list_add_array(message_list *list, const text_buffer *array)
{
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    const lf_json *value = NULL;
    const size_t before = list->n;
    int code = parse(&arena, array->data, array->len, &value);
    if (code == EXIT_OK) {
        code = reserve(list, value->count);
    }
    for (const lf_json *m = value != NULL ? value->child : NULL; m != NULL && code == EXIT_OK;
         m = m->next) {
        const lf_json *role = lf_json_get(m, "role");
        code = json_append(&list->json, m);
        if (code == EXIT_OK) {
            mark(list, role_of(role->text, role->len));
        }
    }
    if (code != EXIT_OK) {
        truncate(list, before);
    }
    lf_arena_free(&arena);
    return code;
}

int message_list_add_list(message_list *list, const message_list *other, size_t begin, size_t end)
{
    const size_t from = begin_of(other, begin);
    const size_t to = list->json.len;
    int code = reserve(list, end - begin);
    if (code == EXIT_OK && end > begin) {
        code = text_append(&list->json, other->json.data + from, begin_of(other, end) - from);
    }
    for (size_t i = begin; i < end && code == EXIT_OK; i++) {
        list->marks[list->n++] =
            (message_mark){.end = other->marks[i].end - from + to, .role = other->marks[i].role};
    }
    return code;
}

/* ---- Removing ------------------------------------------------------------------------------- */

void message_list_remove(message_list *list, size_t begin, size_t end)
{
    const size_t from = begin_of(list, begin);
    const size_t to = begin_of(list, end);
    if (begin == end) {
        return;
    }
    memmove(list->json.data + from, list->json.data + to, list->json.len - to);
    list->json.len -= to - from;
    for (size_t i = end; i < list->n; i++) {
        list->marks[i - (end - begin)] =
            (message_mark){.end = list->marks[i].end - (to - from), .role = list->marks[i].role};
    }
    list->n -= end - begin;
}

int message_list_split(message_list *list, size_t begin, message_list *tail)
{
    int code = message_list_add_list(tail, list, begin, list->n);
    if (code == EXIT_OK) {
        truncate(list, begin);
    }
    return code;
}

void message_list_restore(message_list *list, size_t begin, const message_list *tail)
{
    truncate(list, begin);
    message_list_add_list(list, tail, 0, tail->n);
}

/* ---- Reading -------------------------------------------------------------------------------- */

int message_list_array(const message_list *list, size_t begin, size_t end, text_buffer *out)
{
    int code = text_append(out, "[", 1);
    const char *separator = "";
    for (size_t i = 0; i < list->n && code == EXIT_OK; i++) {
        if (i >= begin && i < end) {
            continue;
        }
        size_t at = begin_of(list, i);
        code = text_append(out, separator, strlen(separator));
        code = code == EXIT_OK ? text_append(out, list->json.data + at, list->marks[i].end - at)
                               : code;
        separator = ",";
    }
    return code == EXIT_OK ? text_append(out, "]", 1) : code;
}

int message_list_text(const message_list *list, size_t i, text_buffer *out)
{
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    const lf_json *value = NULL;
    const size_t at = begin_of(list, i);
    int code = parse(&arena, list->json.data + at, list->marks[i].end - at, &value);
    const lf_json *content = lf_json_get(value, "content");
    if (code == EXIT_OK) {
        code = text_append(out, "", 0);
    }
    if (content != NULL && content->kind == LF_JSON_STRING && code == EXIT_OK) {
        code = text_append(out, content->text, content->len);
    }
    for (const lf_json *part = content != NULL ? content->child : NULL;
         part != NULL && code == EXIT_OK; part = part->next) {
        const lf_json *text = lf_json_get(part, "text");
        if (text != NULL && text->kind == LF_JSON_STRING) {
            code = text_append(out, text->text, text->len);
        }
    }
    lf_arena_free(&arena);
    return code;
}

size_t message_list_head(const message_list *list)
{
    size_t i = 0;
    while (i < list->n && list->marks[i].role == MESSAGE_SYSTEM) {
        i++;
    }
    return i;
}

size_t message_list_next_user(const message_list *list, size_t begin)
{
    while (begin < list->n && list->marks[begin].role != MESSAGE_USER) {
        begin++;
    }
    return begin;
}

size_t message_list_last_user(const message_list *list)
{
    for (size_t i = list->n; i > 0; i--) {
        if (list->marks[i - 1].role == MESSAGE_USER) {
            return i - 1;
        }
    }
    return list->n;
}

uint32_t message_list_turns(const message_list *list)
{
    uint32_t turns = 0;
    for (size_t i = 0; i < list->n; i++) {
        turns += list->marks[i].role == MESSAGE_USER;
    }
    return turns;
}
