/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the messages of a conversation in OpenAI's format, and writes them with the members that
 * templates know. */
#include "serve/openai.h"

#include <string.h>

const char *chat_keep(fields *f, json_out *out, size_t *len)
{
    const char *text = NULL;
    if (!f->failed &&
        (out->failed || lf_arena_string(f->x->arena, out->text != NULL ? out->text : "", out->len,
                                        &text) != LFM2_OK)) {
        field_fail_memory(f);
        text = NULL;
    }
    *len = out->len;
    json_out_free(out);
    return text;
}

/* ---- Content ---- */

/* The text of a part; "" after an error. */
static void read_part(fields *part, const char **text, size_t *len)
{
    static const char *const types[] = {"text", "refusal", "input_text", "output_text", NULL};
    int type = -1;
    if (field(part, "type") == NULL) {
        field_fail(part, "type", "is required");
    }
    const lf_json *name = field(part, "type");
    if (name != NULL &&
        (lf_json_is_string(name, "image_url") || lf_json_is_string(name, "input_audio") ||
         lf_json_is_string(name, "file"))) {
        field_fail(part, "type", "is \"%s\", but this model reads text only", name->text);
        return;
    }
    field_choice(part, "type", types, &type);
    const char *member = type == 1 ? "refusal" : "text";
    if (!part->failed && field(part, member) == NULL) {
        field_fail(part, member, "is required");
    }
    field_string(part, member, text, len);
}

/* The bytes of all parts' texts, or more. */
static size_t count_bytes(const lf_json *parts)
{
    size_t total = 0;
    for (const lf_json *p = parts->child; p != NULL; p = p->next) {
        const lf_json *text = lf_json_get(p, "text"), *refusal = lf_json_get(p, "refusal");
        total += text != NULL ? text->len : 0;
        total += refusal != NULL ? refusal->len : 0;
    }
    return total;
}

static void join_parts(fields *f, const char *name, const lf_json *parts, const char **text,
                       size_t *len)
{
    size_t total = 0;
    uint32_t i = 0;
    void *memory = NULL;
    if (lf_arena_new(f->x->arena, count_bytes(parts) + 1, 1, "content", &memory) != LFM2_OK) {
        field_fail_memory(f);
        return;
    }
    char *out = memory;
    for (const lf_json *p = parts->child; p != NULL; p = p->next, i++) {
        fields part;
        const char *piece = "";
        size_t n = 0;
        if (!field_element(f, name, i, p, &part)) {
            return;
        }
        read_part(&part, &piece, &n);
        if (f->failed) {
            return;
        }
        memcpy(out + total, piece, n);
        total += n;
    }
    *text = out;
    *len = total;
}

bool chat_text(fields *f, const char *name, const char **text, size_t *len)
{
    const lf_json *value = field(f, name);
    if (value == NULL) {
        return false;
    }
    if (value->kind == LF_JSON_STRING) {
        *text = value->text;
        *len = value->len;
    } else if (value->kind == LF_JSON_ARRAY) {
        join_parts(f, name, value, text, len);
    } else {
        field_fail(f, name, "must be a string or an array of parts, not %s", field_kind(value));
    }
    return *text != NULL;
}

/* ---- Messages ---- */

static void write_call(json_out *out, fields *call)
{
    fields function;
    const char *id = "", *name = NULL;
    size_t id_len = 0, name_len = 0;
    static const char *const types[] = {"function", NULL};
    int type = 0;
    field_choice(call, "type", types, &type);
    field_string(call, "id", &id, &id_len);
    if (!call->failed && field(call, "function") == NULL) {
        field_fail(call, "function", "is required");
    }
    if (!field_object(call, "function", &function)) {
        return;
    }
    field_string(&function, "name", &name, &name_len);
    if (name == NULL && !call->failed) {
        field_fail(&function, "name", "is required");
        return;
    }
    const lf_json *arguments = field(&function, "arguments");
    if (arguments != NULL && arguments->kind != LF_JSON_STRING &&
        arguments->kind != LF_JSON_OBJECT) {
        field_fail(&function, "arguments", "must be a string, not %s", field_kind(arguments));
        return;
    }
    out_object(out, NULL);
    out_text(out, "id", id, id_len);
    out_string(out, "type", "function");
    out_object(out, "function");
    out_text(out, "name", name, name_len);
    if (arguments != NULL) {
        out_value(out, "arguments", arguments);
    } else {
        out_string(out, "arguments", "{}");
    }
    out_end_object(out);
    out_end_object(out);
}

static void write_assistant(json_out *out, fields *m, bool has_content)
{
    static const char *const names[] = {"reasoning_content", "reasoning", "thinking"};
    const char *reasoning = NULL;
    size_t len = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && reasoning == NULL; i++) {
        field_string(m, names[i], &reasoning, &len);
    }
    if (reasoning != NULL) {
        out_text(out, "reasoning_content", reasoning, len);
    }
    if (field(m, "function_call") != NULL) {
        field_fail(m, "function_call", "is not supported: use tool_calls");
    }
    const lf_json *calls = field_array(m, "tool_calls");
    if (calls == NULL || calls->child == NULL) {
        if (!has_content) {
            out_string(out, "content", "");
        }
        return;
    }
    uint32_t i = 0;
    out_array(out, "tool_calls");
    for (const lf_json *c = calls->child; c != NULL; c = c->next, i++) {
        fields call;
        if (!field_element(m, "tool_calls", i, c, &call)) {
            return;
        }
        write_call(out, &call);
    }
    out_end_array(out);
}

static void write_message(json_out *out, fields *m)
{
    enum { SYSTEM, DEVELOPER, USER, ASSISTANT, TOOL };
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", NULL};
    int role = -1;
    if (field(m, "role") == NULL) {
        field_fail(m, "role", "is required");
    }
    field_choice(m, "role", roles, &role);
    if (m->failed) {
        return;
    }
    const char *text = NULL, *name = NULL, *id = NULL;
    size_t len = 0;
    out_object(out, NULL);
    out_string(out, "role", role == DEVELOPER ? "system" : roles[role]);
    bool has_content = chat_text(m, "content", &text, &len);
    if (has_content) {
        out_text(out, "content", text, len);
    } else if (role != ASSISTANT) {
        field_fail(m, "content", "is required");
    }
    field_string(m, "name", &name, NULL);
    if (name != NULL) {
        out_string(out, "name", name);
    }
    if (role == ASSISTANT) {
        write_assistant(out, m, has_content);
    } else if (role == TOOL) {
        field_string(m, "tool_call_id", &id, NULL);
        if (id != NULL) {
            out_string(out, "tool_call_id", id);
        }
    }
    out_end_object(out);
}

void chat_messages(fields *f, job_request *request)
{
    const lf_json *messages = field_array(f, "messages");
    if (messages == NULL || messages->child == NULL) {
        if (messages == NULL) {
            field_fail(f, "messages", "is required");
        } else {
            field_fail(f, "messages", "must have at least one message");
        }
        return;
    }
    json_out out = {0};
    uint32_t i = 0;
    const lf_json *last = NULL;
    out_array(&out, NULL);
    for (const lf_json *m = messages->child; m != NULL && !f->failed; m = m->next, i++) {
        fields message;
        if (field_element(f, "messages", i, m, &message)) {
            write_message(&out, &message);
        }
        last = m;
    }
    out_end_array(&out);
    request->messages = chat_keep(f, &out, &request->messages_len);
    bool opening = true;
    field_bool(f, "continue_final_message", &request->continue_last);
    field_bool(f, "add_generation_prompt", &opening);
    request->no_opening = !opening;
    if (request->continue_last && opening && field(f, "add_generation_prompt") != NULL) {
        field_fail(f, "continue_final_message", "cannot be combined with add_generation_prompt");
    }
    if (request->continue_last && (!lf_json_is_string(lf_json_get(last, "role"), "assistant") ||
                                   lf_json_get(last, "tool_calls") != NULL)) {
        field_fail(f, "continue_final_message", "needs a last message of the assistant with text");
    }
}
