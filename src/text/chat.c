/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LFM2's chat format. */
#include "text/chat.h"

#include "common/json.h"
#include "common/utf8.h"
#include "text/json_dump.h"

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

/* Index of a role; the message is checked besides. */
static int32_t check_message(const lfm2_message *messages, size_t i, int *role)
{
    const lfm2_message *m = &messages[i];
    if (m->content == NULL && m->content_len > 0) {
        return lf_fail(LFM2_E_ARGUMENT, "chat.content", "message %zu: content is NULL", i);
    }
    for (int r = 0; m->role != NULL && r < N_ROLES; r++) {
        if (strcmp(m->role, roles[r].role) == 0) {
            *role = r;
            return LFM2_OK;
        }
    }
    lf_shown shown;
    return lf_fail(LFM2_E_ARGUMENT, "chat.role",
                   "message %zu: role '%s' is none of system, user, assistant, tool", i,
                   m->role ? lf_show(&shown, m->role, strlen(m->role)) : "(NULL)");
}

static int32_t add_message(builder *b, const lfm2_message *messages, size_t i)
{
    int role = 0;
    LF_TRY(check_message(messages, i, &role));
    LF_TRY(add_marker(b, roles[role].opening));
    if (role == TOOL) {
        LF_TRY(add_marker(b, "<|tool_response_start|>"));
    }
    /* Control tokens that users or tools write must stay text. */
    LF_TRY(
        add(b, messages[i].content, messages[i].content_len, role == SYSTEM || role == ASSISTANT));
    if (role == TOOL) {
        LF_TRY(add_marker(b, "<|tool_response_end|>"));
    }
    return add_marker(b, "<|im_end|>\n");
}

/* The tools as LFM2 lists them: array elements joined by ", ", strings as they are. */
static void write_tools(const lf_json *array, lf_json_writer *out)
{
    for (const lf_json *tool = array->child; tool != NULL; tool = tool->next) {
        if (tool->kind == LF_JSON_STRING) {
            lf_json_write(out, tool->text, tool->len);
        } else {
            lf_json_dump(tool, out);
        }
        if (tool->next != NULL) {
            lf_json_write(out, ", ", 2);
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
    lf_json_writer writer = {0};
    write_tools(array, &writer); /* counts */
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, writer.len, 1, "tools", &p));
    writer = (lf_json_writer){.out = p};
    write_tools(array, &writer);
    *text = p;
    *len = writer.len;
    return LFM2_OK;
}

/* The system block, if there is anything to say in it. *first receives the first of the messages
 * that are left. */
static int32_t add_system(builder *b, const lfm2_message *messages, size_t n, const char *tools,
                          size_t tools_len, size_t *first)
{
    int role = USER;
    if (n > 0) {
        LF_TRY(check_message(messages, 0, &role));
    }
    *first = role == SYSTEM ? 1 : 0;
    size_t system_len = role == SYSTEM ? messages[0].content_len : 0;
    if (system_len == 0 && tools == NULL) {
        return LFM2_OK;
    }
    LF_TRY(add_marker(b, roles[SYSTEM].opening));
    if (system_len > 0) {
        LF_TRY(add(b, messages[0].content, system_len, true));
    }
    if (tools != NULL) {
        LF_TRY(add_marker(b, system_len > 0 ? "\nList of tools: " : "List of tools: "));
        LF_TRY(add_marker(b, "<|tool_list_start|>["));
        LF_TRY(add(b, tools, tools_len, true));
        LF_TRY(add_marker(b, "]<|tool_list_end|>"));
    }
    return add_marker(b, "<|im_end|>\n");
}

int32_t lf_chat_build(const lf_alloc *alloc, const lfm2_message *messages, size_t n,
                      const char *tools, size_t tools_len, uint32_t flags, lf_chat *out)
{
    *out = (lf_chat){0};
    lf_arena_init(&out->arena, alloc);
    if (messages == NULL && n > 0) {
        return lf_fail(LFM2_E_ARGUMENT, "chat.messages", "chat: messages is NULL");
    }
    const char *list = NULL;
    size_t list_len = 0;
    LF_TRY(tools_text(&out->arena, tools, tools_len, &list, &list_len));
    size_t most = 0;
    if (!lf_mul_size(n, MESSAGE_SPANS, &most) || !lf_add_size(most, FRAME_SPANS, &most)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "chat: %zu messages", n);
    }
    void *p = NULL;
    LF_TRY(lf_arena_new(&out->arena, most, sizeof(lf_span), "chat", &p));
    builder b = {.spans = p};
    if ((flags & LFM2_CHAT_NO_BOS) == 0) {
        LF_TRY(add_marker(&b, "<|startoftext|>"));
    }
    size_t first = 0;
    LF_TRY(add_system(&b, messages, n, list, list_len, &first));
    for (size_t i = first; i < n; i++) {
        LF_TRY(add_message(&b, messages, i));
    }
    if ((flags & LFM2_CHAT_GENERATION_PROMPT) != 0) {
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
