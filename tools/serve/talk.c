/* SPDX-License-Identifier: Apache-2.0 */
/* Builds conversations and lists of tools in OpenAI's form. */
#include "serve/talk.h"

#include "lfm2.h"

#include <stdlib.h>
#include <string.h>

void talk_init(talk *c)
{
    *c = (talk){.leading = true};
}

void talk_free(talk *c)
{
    json_out_free(&c->out);
    json_out_free(&c->text);
    json_out_free(&c->reasoning);
    json_out_free(&c->calls);
}

void talk_past(talk *c, const char *messages, size_t len)
{
    talk_finish(c);
    if (len > 0) {
        out_json(&c->out, NULL, messages, len);
        c->leading = false;
    }
}

/* ---- Messages ---- */

static const char *role_name(turn_role role)
{
    static const char *const names[] = {[TURN_SYSTEM] = "system",
                                        [TURN_USER] = "user",
                                        [TURN_ASSISTANT] = "assistant",
                                        [TURN_TOOL] = "tool"};
    return names[role];
}

/* Writes the open message. */
static void close_turn(talk *c)
{
    if (c->role == TURN_NONE) {
        return;
    }
    json_out *out = &c->out;
    out->failed |= c->text.failed || c->reasoning.failed || c->calls.failed;
    out_object(out, NULL);
    out_string(out, "role", role_name(c->role));
    if (c->role == TURN_TOOL) {
        out_text(out, "tool_call_id", c->tool_id, c->tool_id_len);
    }
    out_text(out, "content", c->text.text != NULL ? c->text.text : "", c->text.len);
    if (c->has_reasoning) {
        out_text(out, "reasoning_content", c->reasoning.text != NULL ? c->reasoning.text : "",
                 c->reasoning.len);
    }
    if (c->calls.len > 0) {
        out_array(out, "tool_calls");
        out_json(out, NULL, c->calls.text, c->calls.len);
        out_end_array(out);
    }
    out_end_object(out);
    c->leading = c->leading && c->role == TURN_SYSTEM;
    c->role = TURN_NONE;
    json_out_clear(&c->text);
    json_out_clear(&c->reasoning);
    json_out_clear(&c->calls);
    c->has_reasoning = false;
}

void talk_turn(talk *c, turn_role role)
{
    if (role == c->role && role == TURN_ASSISTANT) {
        return;
    }
    if (role == c->role && role == TURN_SYSTEM && c->leading) {
        if (c->text.len > 0) {
            out_raw(&c->text, "\n\n", 2);
        }
        return;
    }
    close_turn(c);
    c->role = role;
}

void talk_tool_turn(talk *c, const char *call_id, size_t len)
{
    close_turn(c);
    c->role = TURN_TOOL;
    c->tool_id = call_id;
    c->tool_id_len = len;
}

void talk_text(talk *c, const char *text, size_t len)
{
    out_raw(&c->text, text, len);
}

void talk_reasoning(talk *c, const char *text, size_t len)
{
    c->has_reasoning = true;
    out_raw(&c->reasoning, text, len);
}

void talk_call(talk *c, const char *id, size_t id_len, const char *name, size_t name_len,
               const char *arguments, size_t arguments_len)
{
    json_out *out = &c->calls;
    out_object(out, NULL);
    out_text(out, "id", id, id_len);
    out_string(out, "type", "function");
    out_object(out, "function");
    out_text(out, "name", name, name_len);
    out_text(out, "arguments", arguments, arguments_len);
    out_end_object(out);
    out_end_object(out);
}

bool talk_ends_with_text(const talk *c)
{
    return c->role == TURN_ASSISTANT && c->calls.len == 0;
}

bool talk_finish(talk *c)
{
    close_turn(c);
    return !c->out.failed;
}

/* The elements of an array between brackets, in `arena`; NULL if there is no memory. */
static const char *in_brackets(const json_out *elements, lf_arena *arena, size_t *len)
{
    void *memory;
    if (lf_arena_new(arena, elements->len + 3, 1, "an array", &memory) != LFM2_OK) {
        return NULL;
    }
    char *text = memory;
    text[0] = '[';
    if (elements->len > 0) {
        memcpy(text + 1, elements->text, elements->len);
    }
    memcpy(text + 1 + elements->len, "]", 2);
    *len = elements->len + 2;
    return text;
}

const char *talk_messages(talk *c, lf_arena *arena, size_t *len)
{
    return talk_finish(c) ? in_brackets(&c->out, arena, len) : NULL;
}

/* ---- Tools ---- */

void tool_list_init(tool_list *l)
{
    *l = (tool_list){0};
}

void tool_list_free(tool_list *l)
{
    json_out_free(&l->out);
    free(l->names);
    *l = (tool_list){0};
}

void tool_list_add(tool_list *l, const tool_name *name, const lf_json *description,
                   const lf_json *parameters)
{
    static const char input[] = "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":"
                                "\"string\"}},\"required\":[\"input\"]}";
    static const char nothing[] = "{\"type\":\"object\",\"properties\":{}}";
    if (l->n == l->capacity) {
        uint32_t capacity = l->capacity == 0 ? 16 : 2 * l->capacity;
        tool_name *names = realloc(l->names, capacity * sizeof *names);
        if (names == NULL) {
            l->failed = true;
            return;
        }
        l->names = names;
        l->capacity = capacity;
    }
    l->names[l->n++] = *name;
    json_out *out = &l->out;
    out_object(out, NULL);
    out_string(out, "type", "function");
    out_object(out, "function");
    out_string(out, "name", name->flat);
    if (description != NULL) {
        out_value(out, "description", description);
    }
    if (name->custom) {
        out_json(out, "parameters", input, sizeof input - 1);
    } else if (parameters != NULL) {
        out_value(out, "parameters", parameters);
    } else {
        out_json(out, "parameters", nothing, sizeof nothing - 1);
    }
    out_end_object(out);
    out_end_object(out);
}

const tool_name *tool_list_find(const tool_list *l, const char *flat, size_t len)
{
    for (uint32_t i = 0; i < l->n; i++) {
        if (strlen(l->names[i].flat) == len && memcmp(l->names[i].flat, flat, len) == 0) {
            return &l->names[i];
        }
    }
    return NULL;
}

const char *tool_list_finish(tool_list *l, lf_arena *arena, size_t *len)
{
    l->failed |= l->out.failed;
    if (l->failed || l->n == 0) {
        return NULL;
    }
    const char *text = in_brackets(&l->out, arena, len);
    l->failed = text == NULL;
    return text;
}

/* ---- Reasoning ---- */

void reasoning_request(const api *a, job_request *request, bool on)
{
    static const struct {
        const char *name, *args[2];
    } known[] = {
        {"enable_thinking", {"{\"enable_thinking\":false}", "{\"enable_thinking\":true}"}},
        {"thinking", {"{\"thinking\":false}", "{\"thinking\":true}"}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(api_chat(a)->reasoning_arg, known[i].name) == 0) {
            request->template_args = known[i].args[on];
            request->template_args_len = strlen(known[i].args[on]);
        }
    }
    request->no_reasoning = !on;
}
