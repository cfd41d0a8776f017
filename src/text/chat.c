/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LFM2's chat format. */
#include "text/chat.h"

#include "common/json.h"
#include "common/utf8.h"

#include <string.h>

/* Roles, and what a message of that role begins with. */
static const struct {
    const char *role, *opening;
} roles[] = {
    {"system", "<|im_start|>system\n"},
    {"user", "<|im_start|>user\n"},
    {"assistant", "<|im_start|>assistant\n"},
    {"tool", "<|im_start|>tool\n"},
};

enum { SYSTEM, USER, ASSISTANT, TOOL, N_ROLES };

/* Most spans: BOS, system block, generation prompt; and of one message: opening, response marker,
 * content, response marker, closing. */
enum { FRAME_SPANS = 12, MESSAGE_SPANS = 5 };

typedef struct builder {
    lf_span *spans;
    size_t n_spans;
    size_t len;
} builder;

static int32_t add(builder *b, const char *text, size_t len, bool special)
{
    if (!lf_add_size(b->len, len, &b->len)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "chat: size overflows");
    }
    if (len > 0) {
        b->spans[b->n_spans++] = (lf_span){text, len, special};
    }
    return LFM2_OK;
}

static int32_t add_marker(builder *b, const char *marker)
{
    return add(b, marker, strlen(marker), true);
}

/* ---- Messages ---- */

typedef struct message {
    int role;
    const char *content;
    size_t content_len;
} message;

static int32_t refuse_shape(size_t index, const lf_json *value, const char *what)
{
    return lf_fail(LFM2_E_TEXT, "chat.messages", "messages: offset %llu: message %zu: %s",
                   (unsigned long long)value->offset, index, what);
}

static int32_t read_role(size_t index, const lf_json *value, int *role)
{
    for (int r = 0; r < N_ROLES; r++) {
        if (lf_json_is_string(value, roles[r].role)) {
            *role = r;
            return LFM2_OK;
        }
    }
    lf_shown shown;
    return lf_fail(LFM2_E_UNSUPPORTED, "chat.role",
                   "messages: offset %llu: message %zu: role '%s' is none of system, user, "
                   "assistant, tool",
                   (unsigned long long)value->offset, index,
                   lf_show(&shown, value->text, value->len));
}

static int32_t read_message(size_t index, const lf_json *object, message *out)
{
    if (object->kind != LF_JSON_OBJECT) {
        return refuse_shape(index, object, "not a JSON object");
    }
    for (const lf_json *m = object->child; m != NULL; m = m->next) {
        if (!lf_json_key_is(m, "role") && !lf_json_key_is(m, "content")) {
            lf_shown shown;
            return lf_fail(LFM2_E_UNSUPPORTED, "chat.member",
                           "messages: offset %llu: message %zu: member '%s' is not supported; "
                           "only 'role' and 'content' are",
                           (unsigned long long)m->offset, index,
                           lf_show(&shown, m->key, m->key_len));
        }
    }
    const lf_json *role = lf_json_get(object, "role");
    if (role == NULL || role->kind != LF_JSON_STRING) {
        return refuse_shape(index, role != NULL ? role : object, "'role' is not a string");
    }
    LF_TRY(read_role(index, role, &out->role));
    const lf_json *content = lf_json_get(object, "content");
    if (content == NULL) {
        return refuse_shape(index, object, "'content' is missing");
    }
    if (content->kind == LF_JSON_NULL || content->kind == LF_JSON_ARRAY) {
        return lf_fail(LFM2_E_UNSUPPORTED, "chat.content",
                       "messages: offset %llu: message %zu: 'content' is %s; only a string is "
                       "supported",
                       (unsigned long long)content->offset, index,
                       content->kind == LF_JSON_NULL ? "null" : "an array");
    }
    if (content->kind != LF_JSON_STRING) {
        return refuse_shape(index, content, "'content' is not a string");
    }
    out->content = content->text;
    out->content_len = content->len;
    return LFM2_OK;
}

static int32_t read_messages(lf_arena *arena, const char *text, size_t len, message **out,
                             size_t *n)
{
    const lf_json *array = NULL;
    LF_TRY(lf_json_parse(arena, "messages", LFM2_E_TEXT, text, len, &array));
    if (array->kind != LF_JSON_ARRAY) {
        return lf_fail(LFM2_E_TEXT, "chat.messages", "messages: offset %llu: not a JSON array",
                       (unsigned long long)array->offset);
    }
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, array->count, sizeof(message), "messages", &p));
    *out = p;
    *n = 0;
    for (const lf_json *m = array->child; m != NULL; m = m->next) {
        LF_TRY(read_message(*n, m, &(*out)[*n]));
        ++*n;
    }
    return LFM2_OK;
}

static int32_t add_message(builder *b, const message *m)
{
    LF_TRY(add_marker(b, roles[m->role].opening));
    if (m->role == TOOL) {
        LF_TRY(add_marker(b, "<|tool_response_start|>"));
    }
    /* Control tokens that users or tools write must stay text. */
    LF_TRY(add(b, m->content, m->content_len, m->role == SYSTEM || m->role == ASSISTANT));
    if (m->role == TOOL) {
        LF_TRY(add_marker(b, "<|tool_response_end|>"));
    }
    return add_marker(b, "<|im_end|>\n");
}

/* ---- Tools ---- */

/* Text that is counted first, then stored. */
typedef struct text_sink {
    char *data; /* NULL: count only */
    size_t len;
} text_sink;

static void put(void *user, const char *text, size_t len)
{
    text_sink *sink = user;
    if (sink->data != NULL) {
        memcpy(sink->data + sink->len, text, len);
    }
    sink->len += len;
}

/* Writes the elements of the array joined by ", "; elements that are strings are copied as text. */
static void write_tools(const lf_json *array, text_sink *sink)
{
    const lf_json_writer writer = {.write = put, .user = sink};
    for (const lf_json *tool = array->child; tool != NULL; tool = tool->next) {
        if (tool->kind == LF_JSON_STRING) {
            put(sink, tool->text, tool->len);
        } else {
            lf_json_write(&writer, tool);
        }
        if (tool->next != NULL) {
            put(sink, ", ", 2);
        }
    }
}

/* *text is NULL if there are no tools. */
static int32_t tools_text(lf_arena *arena, const char *tools, size_t tools_len, const char **text,
                          size_t *len)
{
    *text = NULL;
    *len = 0;
    if (tools == NULL || tools_len == 0) {
        return LFM2_OK;
    }
    const lf_json *array = NULL;
    LF_TRY(lf_json_parse(arena, "tools", LFM2_E_TEXT, tools, tools_len, &array));
    if (array->kind != LF_JSON_ARRAY) {
        return lf_fail(LFM2_E_TEXT, "chat.tools", "tools: offset %llu: not a JSON array",
                       (unsigned long long)array->offset);
    }
    if (array->child == NULL) {
        return LFM2_OK;
    }
    text_sink sink = {0};
    write_tools(array, &sink); /* counts */
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, sink.len, 1, "tools", &p));
    sink = (text_sink){.data = p};
    write_tools(array, &sink);
    *text = p;
    *len = sink.len;
    return LFM2_OK;
}

/* The system block, if it has any text. `system` may be NULL. */
static int32_t add_system(builder *b, const message *system, const char *tools, size_t tools_len)
{
    size_t system_len = system != NULL ? system->content_len : 0;
    if (system_len == 0 && tools == NULL) {
        return LFM2_OK;
    }
    LF_TRY(add_marker(b, roles[SYSTEM].opening));
    if (system_len > 0) {
        LF_TRY(add(b, system->content, system_len, true));
    }
    if (tools != NULL) {
        LF_TRY(add_marker(b, system_len > 0 ? "\nList of tools: " : "List of tools: "));
        LF_TRY(add_marker(b, "<|tool_list_start|>["));
        LF_TRY(add(b, tools, tools_len, true));
        LF_TRY(add_marker(b, "]<|tool_list_end|>"));
    }
    return add_marker(b, "<|im_end|>\n");
}

int32_t lf_chat_build(const lf_alloc *alloc, const char *messages, size_t messages_len,
                      const lfm2_chat_options *options, lf_chat *out)
{
    *out = (lf_chat){0};
    lf_arena_init(&out->arena, alloc);
    message *list = NULL;
    size_t n = 0;
    LF_TRY(read_messages(&out->arena, messages, messages_len, &list, &n));
    const char *tools = NULL;
    size_t tools_len = 0;
    LF_TRY(tools_text(&out->arena, options->tools, options->tools_len, &tools, &tools_len));
    size_t most = 0;
    if (!lf_mul_size(n, MESSAGE_SPANS, &most) || !lf_add_size(most, FRAME_SPANS, &most)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "chat: %zu messages", n);
    }
    void *p = NULL;
    LF_TRY(lf_arena_new(&out->arena, most, sizeof(lf_span), "chat", &p));
    builder b = {.spans = p};
    if ((options->flags & LFM2_CHAT_NO_BOS) == 0) {
        LF_TRY(add_marker(&b, "<|startoftext|>"));
    }
    size_t first = n > 0 && list[0].role == SYSTEM ? 1 : 0;
    LF_TRY(add_system(&b, first > 0 ? list : NULL, tools, tools_len));
    for (size_t i = first; i < n; i++) {
        LF_TRY(add_message(&b, &list[i]));
    }
    if ((options->flags & LFM2_CHAT_GENERATION_PROMPT) != 0) {
        LF_TRY(add_marker(&b, roles[ASSISTANT].opening));
    }
    out->spans = b.spans;
    out->n_spans = b.n_spans;
    out->len = b.len;
    return LFM2_OK;
}

void lf_chat_free(lf_chat *chat)
{
    lf_arena_free(&chat->arena);
    *chat = (lf_chat){0};
}
