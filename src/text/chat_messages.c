/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the messages of a conversation, and changes them as transformers and servers do before a
 * template sees them. */
#include "text/chat.h"

#include "common/utf8.h"

#include <string.h>

/* ---- Checks ---- */

static int32_t refuse(int32_t status, const char *code, size_t index, const lf_json *at,
                      const char *what)
{
    return lf_fail(status, code, "messages: offset %llu: message %zu: %s",
                   (unsigned long long)at->offset, index, what);
}

static int32_t check_part(size_t index, size_t number, const lf_json *part)
{
    const lf_json *type = lf_json_get(part, "type");
    const lf_json *text = lf_json_get(part, "text");
    if (type == NULL || type->kind != LF_JSON_STRING) {
        return lf_fail(LFM2_E_TEXT, "chat.messages",
                       "messages: offset %llu: message %zu: part %zu of 'content' must be an "
                       "object with 'type', a string",
                       (unsigned long long)part->offset, index, number);
    }
    if (!lf_json_is_string(type, "text")) {
        lf_shown shown;
        return lf_fail(LFM2_E_UNSUPPORTED, "chat.content",
                       "messages: offset %llu: message %zu: part %zu of 'content' has the type "
                       "'%s'; allowed: 'text'",
                       (unsigned long long)type->offset, index, number,
                       lf_show(&shown, type->text, type->len));
    }
    if (text == NULL || text->kind != LF_JSON_STRING) {
        return lf_fail(LFM2_E_TEXT, "chat.messages",
                       "messages: offset %llu: message %zu: part %zu of 'content' must have "
                       "'text', a string",
                       (unsigned long long)part->offset, index, number);
    }
    return LFM2_OK;
}

static int32_t check_content(size_t index, const lf_json *content)
{
    if (content->kind == LF_JSON_FALSE || content->kind == LF_JSON_TRUE ||
        content->kind == LF_JSON_NUMBER) {
        return refuse(LFM2_E_TEXT, "chat.messages", index, content,
                      "'content' must be a string, null, an array of parts or an object");
    }
    size_t number = 0;
    if (content->kind == LF_JSON_ARRAY) {
        for (const lf_json *part = content->child; part != NULL; part = part->next) {
            LF_TRY(check_part(index, number++, part));
        }
    }
    return LFM2_OK;
}

int32_t lf_chat_parse(lf_arena *arena, const char *text, size_t len, const lf_json **out)
{
    const lf_json *array = NULL;
    LF_TRY(lf_json_parse(arena, "messages", LFM2_E_TEXT, text, len, &array));
    if (array->kind != LF_JSON_ARRAY) {
        return lf_fail(LFM2_E_TEXT, "chat.messages", "messages: offset %llu: not a JSON array",
                       (unsigned long long)array->offset);
    }
    size_t index = 0;
    for (const lf_json *m = array->child; m != NULL; m = m->next, index++) {
        const lf_json *role = lf_json_get(m, "role");
        const lf_json *content = lf_json_get(m, "content");
        if (m->kind != LF_JSON_OBJECT) {
            return refuse(LFM2_E_TEXT, "chat.messages", index, m, "not a JSON object");
        }
        if (role == NULL || role->kind != LF_JSON_STRING) {
            return refuse(LFM2_E_TEXT, "chat.messages", index, role != NULL ? role : m,
                          "'role' is not a string");
        }
        if (content != NULL) {
            LF_TRY(check_content(index, content));
        }
    }
    *out = array;
    return LFM2_OK;
}

/* ---- Copies with changes. The children that do not change are shared. ---- */

/* An array or object under construction. */
typedef struct list {
    lf_arena *arena;
    lf_json *node;
    lf_json *last;
} list;

static int32_t begin(lf_arena *arena, const lf_json *source, list *out)
{
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, 1, sizeof(lf_json), "messages", &p));
    *out = (list){.arena = arena, .node = p};
    *out->node = *source;
    out->node->child = NULL;
    out->node->count = 0;
    return LFM2_OK;
}

/* Appends a copy of `value` with this key; NULL keeps the key of `value`. */
static int32_t append(list *l, const char *key, const lf_json *value)
{
    void *p = NULL;
    LF_TRY(lf_arena_new(l->arena, 1, sizeof(lf_json), "messages", &p));
    lf_json *copy = p;
    *copy = *value;
    copy->next = NULL;
    if (key != NULL) {
        copy->key = key;
        copy->key_len = strlen(key);
    }
    if (l->last != NULL) {
        l->last->next = copy;
    } else {
        l->node->child = copy;
    }
    l->last = copy;
    l->node->count++;
    return LFM2_OK;
}

/* The texts of the parts as one string. */
static int32_t join_parts(lf_arena *arena, const lf_json *parts, lf_json *out)
{
    size_t len = 0;
    for (const lf_json *part = parts->child; part != NULL; part = part->next) {
        if (!lf_add_size(len, lf_json_get(part, "text")->len, &len)) {
            return lf_fail(LFM2_E_MEMORY, "memory.overflow", "messages: the text is too large");
        }
    }
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, len, 1, "messages", &p));
    char *text = p;
    size_t used = 0;
    for (const lf_json *part = parts->child; part != NULL; part = part->next) {
        const lf_json *t = lf_json_get(part, "text");
        memcpy(text + used, t->text, t->len);
        used += t->len;
    }
    *out = *parts;
    out->kind = LF_JSON_STRING;
    out->child = NULL;
    out->count = 0;
    out->text = text;
    out->len = len;
    return LFM2_OK;
}

/* Parses arguments that are text. *out stays unchanged unless they are a JSON object. */
static int32_t parse_arguments(lf_arena *arena, const lf_json *text, lf_json *out)
{
    const lf_json *parsed = NULL;
    const lf_json empty = {.kind = LF_JSON_OBJECT};
    lf_failure before;
    if (text->len == 0) {
        parsed = &empty;
    } else {
        lf_fail_save(&before);
        int32_t status =
            lf_json_parse(arena, "arguments", LFM2_E_TEXT, text->text, text->len, &parsed);
        if (status == LFM2_E_TEXT) {
            lf_fail_restore(&before);
            return LFM2_OK;
        }
        LF_TRY(status);
    }
    if (parsed->kind == LF_JSON_OBJECT) {
        out->kind = LF_JSON_OBJECT;
        out->child = parsed->child;
        out->count = parsed->count;
    }
    return LFM2_OK;
}

static int32_t view_function(list *call, const lf_json *function)
{
    list f;
    LF_TRY(begin(call->arena, function, &f));
    for (const lf_json *m = function->child; m != NULL; m = m->next) {
        lf_json value = *m;
        if (lf_json_key_is(m, "arguments") && m->kind == LF_JSON_STRING) {
            LF_TRY(parse_arguments(call->arena, m, &value));
        }
        LF_TRY(append(&f, NULL, &value));
    }
    return append(call, NULL, f.node);
}

static int32_t view_calls(list *message, const lf_json *calls)
{
    list out;
    LF_TRY(begin(message->arena, calls, &out));
    for (const lf_json *c = calls->child; c != NULL; c = c->next) {
        if (c->kind != LF_JSON_OBJECT) {
            LF_TRY(append(&out, NULL, c));
            continue;
        }
        list call;
        LF_TRY(begin(message->arena, c, &call));
        for (const lf_json *m = c->child; m != NULL; m = m->next) {
            bool function = lf_json_key_is(m, "function") && m->kind == LF_JSON_OBJECT;
            LF_TRY(function ? view_function(&call, m) : append(&call, NULL, m));
        }
        LF_TRY(append(&out, NULL, call.node));
    }
    return append(message, NULL, out.node);
}

static int32_t view_content(list *out, const lf_json *content, lf_chat_content how, bool *differs)
{
    if (content->kind != LF_JSON_ARRAY) {
        return append(out, NULL, content);
    }
    *differs = true;
    if (!how.join) {
        return append(out, NULL, content);
    }
    lf_json joined;
    LF_TRY(join_parts(out->arena, content, &joined));
    return append(out, NULL, &joined);
}

/* The member that has the reasoning of a message, or NULL. */
static const lf_json *reasoning_of(const lf_json *message)
{
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const lf_json *m = lf_json_get(message, names[i]);
        if (m != NULL && m->kind != LF_JSON_NULL) {
            return m;
        }
    }
    return NULL;
}

static bool present(const lf_json *message, const char *name)
{
    const lf_json *m = lf_json_get(message, name);
    return m != NULL && m->kind != LF_JSON_NULL;
}

static int32_t view_message(list *messages, const lf_json *message, lf_chat_content how,
                            bool *differs)
{
    list out;
    LF_TRY(begin(messages->arena, message, &out));
    const lf_json *reasoning = reasoning_of(message);
    if (reasoning != NULL && !present(message, "thinking")) {
        LF_TRY(append(&out, "thinking", reasoning));
    }
    for (const lf_json *m = message->child; m != NULL; m = m->next) {
        if (m->kind == LF_JSON_NULL) {
            continue;
        }
        if (lf_json_key_is(m, "content")) {
            LF_TRY(view_content(&out, m, how, differs));
        } else if (lf_json_key_is(m, "tool_calls") && m->kind == LF_JSON_ARRAY) {
            LF_TRY(view_calls(&out, m));
        } else {
            LF_TRY(append(&out, NULL, m));
        }
    }
    if (reasoning != NULL && !present(message, "reasoning_content")) {
        LF_TRY(append(&out, "reasoning_content", reasoning));
    }
    if (!present(message, "content")) {
        const lf_json empty = {.kind = LF_JSON_STRING, .text = "", .offset = message->offset};
        *differs = true;
        LF_TRY(how.fill ? append(&out, "content", &empty) : LFM2_OK);
    }
    return append(messages, NULL, out.node);
}

int32_t lf_chat_view(lf_arena *arena, const lf_json *messages, lf_chat_content content,
                     const lf_json **out, bool *differs)
{
    list l;
    *differs = false;
    LF_TRY(begin(arena, messages, &l));
    for (const lf_json *m = messages->child; m != NULL; m = m->next) {
        LF_TRY(view_message(&l, m, content, differs));
    }
    *out = l.node;
    return LFM2_OK;
}
