/* SPDX-License-Identifier: Apache-2.0 */
/* Items of the input of Responses as messages of a conversation. */
#include "serve/responses.h"

#include "serve/reply.h"
#include "serve/state.h"

#include "lfm2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_item(response *r, fields *item, bool may_refer);

/* ---- Text ---- */

static void read_part(response *r, fields *part)
{
    static const char *const texts[] = {"input_text", "output_text", "text", "summary_text",
                                        "reasoning_text"};
    const char *type = "", *text = NULL;
    size_t len = 0;
    field_string(part, "type", &type, NULL);
    bool is_text = false;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        is_text |= strcmp(type, texts[i]) == 0;
    }
    if (is_text) {
        field_string(part, "text", &text, &len);
    } else if (strcmp(type, "refusal") == 0) {
        field_string(part, "refusal", &text, &len);
    } else if (!part->failed) {
        field_fail(part, "type", "is \"%.64s\", which is not supported: the model reads text only",
                   type);
    }
    if (part->failed) {
        return;
    }
    if (text == NULL) {
        field_fail(part, "text", "is missing");
        return;
    }
    talk_text(&r->talk, text, len);
}

/* Adds a string or an array of parts of text to the message that is open. */
static void read_text(response *r, fields *item, const char *name)
{
    const lf_json *value = field(item, name);
    if (value == NULL) {
        field_fail(item, name, "is missing");
    } else if (value->kind == LF_JSON_STRING) {
        talk_text(&r->talk, value->text, value->len);
    } else if (value->kind == LF_JSON_ARRAY) {
        uint32_t i = 0;
        fields part;
        for (const lf_json *p = value->child; p != NULL; p = p->next) {
            if (field_element(item, name, i++, p, &part)) {
                read_part(r, &part);
            }
        }
    } else {
        field_fail(item, name, "must be a string or an array, not %s", field_kind(value));
    }
}

/* ---- Items ---- */

static void read_message(response *r, fields *item)
{
    static const char *const names[] = {"user", "assistant", "system", "developer", NULL};
    static const turn_role roles[] = {TURN_USER, TURN_ASSISTANT, TURN_SYSTEM, TURN_SYSTEM};
    int role = -1;
    field_choice(item, "role", names, &role);
    if (item->failed) {
        return;
    }
    if (role < 0) {
        field_fail(item, "role", "is missing");
        return;
    }
    talk_turn(&r->talk, roles[role]);
    read_text(r, item, "content");
}

/* A call of a function, or of a custom tool, whose input becomes an argument. */
static void read_call(response *r, fields *item, bool custom)
{
    const char *name = NULL, *namespace = NULL, *id = NULL, *text = NULL;
    size_t id_len = 0, len = 0;
    const char *text_name = custom ? "input" : "arguments";
    field_string(item, "name", &name, NULL);
    field_string(item, "namespace", &namespace, NULL);
    field_string(item, "call_id", &id, &id_len);
    field_string(item, text_name, &text, &len);
    if (item->failed) {
        return;
    }
    if (name == NULL || id == NULL || text == NULL) {
        field_fail(item, name == NULL ? "name" : id == NULL ? "call_id" : text_name, "is missing");
        return;
    }
    const char *flat = tool_flat_name(r->x->arena, namespace, name);
    if (flat == NULL) {
        field_fail_memory(item);
        return;
    }
    talk_turn(&r->talk, TURN_ASSISTANT);
    if (!custom) {
        talk_call(&r->talk, id, id_len, flat, strlen(flat), text, len);
        return;
    }
    json_out arguments = {0};
    out_object(&arguments, NULL);
    out_text(&arguments, "input", text, len);
    out_end_object(&arguments);
    if (arguments.failed) {
        field_fail_memory(item);
    } else {
        talk_call(&r->talk, id, id_len, flat, strlen(flat), arguments.text, arguments.len);
    }
    json_out_free(&arguments);
}

static void read_call_output(response *r, fields *item)
{
    const char *id = "";
    size_t len = 0;
    field_string(item, "call_id", &id, &len);
    if (item->failed) {
        return;
    }
    talk_tool_turn(&r->talk, id, len);
    read_text(r, item, "output");
}

/* Reasoning of this server: as text, or marked in "encrypted_content". That of others cannot be
 * read, and a summary is no reasoning. */
static void read_reasoning(response *r, fields *item)
{
    const lf_json *content = field_array(item, "content");
    const char *sealed = "";
    size_t len = 0;
    field_string(item, "encrypted_content", &sealed, &len);
    if (item->failed) {
        return;
    }
    talk_turn(&r->talk, TURN_ASSISTANT);
    uint32_t i = 0;
    fields part;
    for (const lf_json *p = content != NULL ? content->child : NULL; p != NULL; p = p->next) {
        const char *text = NULL;
        size_t text_len = 0;
        if (field_element(item, "content", i++, p, &part)) {
            field_string(&part, "text", &text, &text_len);
        }
        if (text != NULL) {
            talk_reasoning(&r->talk, text, text_len);
        }
    }
    size_t mark = strlen(REASONING_MARK);
    if (i == 0 && len >= mark && memcmp(sealed, REASONING_MARK, mark) == 0) {
        talk_reasoning(&r->talk, sealed + mark, len - mark);
    }
}

/* An item of an earlier response, by its id: PREFIX_RESPONSE_INDEX. */
static void read_reference(response *r, fields *item)
{
    const char *id = NULL;
    field_string(item, "id", &id, NULL);
    if (item->failed) {
        return;
    }
    const char *first = id != NULL ? strchr(id, '_') : NULL;
    const char *last = id != NULL ? strrchr(id, '_') : NULL;
    char name[64];
    const stored_response *stored = NULL;
    if (first != NULL && first != last) {
        snprintf(name, sizeof name, "resp_%.*s", (int)(last - first - 1), first + 1);
        stored = response_store_find(&r->a->responses, name, r->x->owner);
    }
    const lf_json *parsed = NULL;
    r->referred += stored != NULL ? stored->json_len : 0;
    if (r->referred > RESPONSE_STORE_BYTES) {
        field_fail(item, "id", "refers to more than the server reads for a request");
        return;
    }
    if (stored != NULL && lf_json_parse(r->x->arena, "a stored response", LFM2_E_INTERNAL,
                                        stored->json, stored->json_len, &parsed) != LFM2_OK) {
        field_fail_memory(item);
        return;
    }
    const lf_json *output = lf_json_get(parsed, "output");
    for (const lf_json *o = output != NULL ? output->child : NULL; o != NULL; o = o->next) {
        if (lf_json_is_string(lf_json_get(o, "id"), id)) {
            fields found = {.x = r->x, .object = o, .path = item->path, .parent = item};
            read_item(r, &found, false);
            return;
        }
    }
    field_fail(item, "id", "is not that of an item of a stored response");
}

/* What other servers have put into a conversation and the model cannot read. */
static bool is_left_out(const char *type)
{
    static const char *const types[] = {"web_search_call", "image_generation_call",
                                        "tool_search_call", "tool_search_output", "ghost_snapshot"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void read_item(response *r, fields *item, bool may_refer)
{
    const char *type = lf_json_get(item->object, "role") != NULL ? "message" : "item_reference";
    field_string(item, "type", &type, NULL);
    if (item->failed) {
        return;
    }
    if (strcmp(type, "message") == 0) {
        read_message(r, item);
    } else if (strcmp(type, "function_call") == 0 || strcmp(type, "custom_tool_call") == 0) {
        read_call(r, item, type[0] == 'c');
    } else if (strcmp(type, "function_call_output") == 0 ||
               strcmp(type, "custom_tool_call_output") == 0) {
        read_call_output(r, item);
    } else if (strcmp(type, "reasoning") == 0) {
        read_reasoning(r, item);
    } else if (strcmp(type, "additional_tools") == 0) {
        response_add_tools(r, item, "tools");
    } else if (strcmp(type, "item_reference") == 0 && may_refer) {
        read_reference(r, item);
    } else if (!is_left_out(type)) {
        field_fail(item, "type", "is \"%.64s\", which is not supported", type);
    }
}

void response_read_input(response *r)
{
    fields *f = &r->body;
    const lf_json *input = field(f, "input");
    if (input == NULL) {
        if (r->previous_id == NULL) {
            field_fail(f, "input", "is missing");
        }
        return;
    }
    if (input->kind == LF_JSON_STRING) {
        talk_turn(&r->talk, TURN_USER);
        talk_text(&r->talk, input->text, input->len);
        return;
    }
    if (input->kind != LF_JSON_ARRAY) {
        field_fail(f, "input", "must be a string or an array, not %s", field_kind(input));
        return;
    }
    uint32_t i = 0;
    fields item;
    for (const lf_json *v = input->child; v != NULL; v = v->next) {
        if (field_element(f, "input", i++, v, &item)) {
            read_item(r, &item, true);
        }
    }
}
