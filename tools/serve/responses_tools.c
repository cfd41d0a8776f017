/* SPDX-License-Identifier: Apache-2.0 */
/* Tools of Responses: functions, custom tools as functions with one text, and namespaces as
 * functions with a prefix. Tools that OpenAI would run itself are left out if clients send them
 * with every request, and refused otherwise. */
#include "serve/responses.h"

#include "serve/reply.h"

#include "lfm2.h"

#include <stdio.h>
#include <string.h>

const char *tool_flat_name(lf_arena *arena, const char *namespace, const char *name)
{
    if (namespace == NULL || namespace[0] == '\0') {
        return name;
    }
    size_t n = strlen(namespace);
    bool divided = n >= 2 && strcmp(namespace + n - 2, "__") == 0;
    void *memory;
    size_t size = n + strlen(name) + 3;
    if (lf_arena_new(arena, size, 1, "the name of a tool", &memory) != LFM2_OK) {
        return NULL;
    }
    char *flat = memory;
    snprintf(flat, size, "%s%s%s", namespace, divided ? "" : "__", name);
    return flat;
}

/* Adds a function or custom tool. */
static void add_tool(response *r, fields *tool, const char *namespace, bool custom)
{
    tool_name name = {.namespace = namespace, .custom = custom};
    field_string(tool, "name", &name.name, NULL);
    if (tool->failed) {
        return;
    }
    if (name.name == NULL || name.name[0] == '\0') {
        field_fail(tool, "name", "is missing");
        return;
    }
    name.flat = tool_flat_name(r->x->arena, namespace, name.name);
    if (name.flat == NULL) {
        field_fail_memory(tool);
        return;
    }
    const char *text;
    size_t len;
    fields schema;
    bool strict;
    field_string(tool, "description", &text, &len);
    field_object(tool, "parameters", &schema);
    field_bool(tool, "strict", &strict);
    if (tool->failed) {
        return;
    }
    if (r->tools.n >= MAX_TOOLS) {
        field_fail(tool, "", "is one of more than %d tools", MAX_TOOLS);
        return;
    }
    if (tool_list_find(&r->tools, name.flat, strlen(name.flat)) != NULL) {
        field_fail(tool, "name", "is the name of two tools: '%s'", name.flat);
        return;
    }
    tool_list_add(&r->tools, &name, field(tool, "description"), field(tool, "parameters"));
}

/* Tools of OpenAI's that Codex and others send whether or not the server has them. */
static bool is_left_out(const char *type)
{
    static const char *const types[] = {"web_search",  "image_generation",          "tool_search",
                                        "local_shell", "programmatic_tool_calling", "shell",
                                        "apply_patch"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strncmp(type, types[i], strlen(types[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void read_tool(response *r, fields *tool, const char *namespace)
{
    const char *type = "";
    field_string(tool, "type", &type, NULL);
    if (tool->failed) {
        return;
    }
    if (strcmp(type, "function") == 0 || strcmp(type, "custom") == 0) {
        add_tool(r, tool, namespace, type[0] == 'c');
    } else if (strcmp(type, "namespace") == 0 && namespace == NULL) {
        const char *name = NULL;
        field_string(tool, "name", &name, NULL);
        const lf_json *tools = field_array(tool, "tools");
        uint32_t i = 0;
        fields inner;
        for (const lf_json *t = tools != NULL ? tools->child : NULL; t != NULL; t = t->next) {
            if (field_element(tool, "tools", i++, t, &inner)) {
                read_tool(r, &inner, name != NULL ? name : "");
            }
        }
    } else if (!is_left_out(type)) {
        field_fail(tool, "type",
                   "is \"%.64s\", which is not supported; supported are function, custom and "
                   "namespace",
                   type);
    }
}

void response_add_tools(response *r, fields *f, const char *name)
{
    const lf_json *tools = field_array(f, name);
    uint32_t i = 0;
    fields tool;
    for (const lf_json *t = tools != NULL ? tools->child : NULL; t != NULL; t = t->next) {
        if (field_element(f, name, i++, t, &tool)) {
            read_tool(r, &tool, NULL);
        }
    }
    if (r->tools.failed || r->tools.out.failed) {
        field_fail_memory(f);
    }
}

/* The flat name of the tool that an object names; NULL with an error if there is none. */
static const char *named_tool(response *r, fields *choice)
{
    const char *name = "", *namespace = NULL;
    field_string(choice, "name", &name, NULL);
    field_string(choice, "namespace", &namespace, NULL);
    if (choice->failed) {
        return NULL;
    }
    const char *flat = tool_flat_name(r->x->arena, namespace, name);
    if (flat == NULL) {
        field_fail_memory(choice);
        return NULL;
    }
    if (tool_list_find(&r->tools, flat, strlen(flat)) == NULL) {
        field_fail(choice, "name", "is \"%.64s\", but no tool has this name", flat);
        return NULL;
    }
    return flat;
}

/* Leaves only the tools that are listed: the model sees no others. */
static void allow_tools(response *r, fields *choice)
{
    static const char *const modes[] = {"auto", "required", NULL};
    int mode = 0;
    field_choice(choice, "mode", modes, &mode);
    const lf_json *list = field_array(choice, "tools");
    tool_list allowed;
    tool_list_init(&allowed);
    lf_json array = {.kind = LF_JSON_ARRAY};
    const lf_json *parsed = &array;
    size_t len;
    const char *all = tool_list_finish(&r->tools, r->x->arena, &len);
    if (all == NULL ||
        lf_json_parse(r->x->arena, "tools", LFM2_E_INTERNAL, all, len, &parsed) != LFM2_OK) {
        field_fail(choice, "tools", "must name tools of the request");
        return;
    }
    uint32_t i = 0;
    fields entry;
    for (const lf_json *t = list != NULL ? list->child : NULL; t != NULL; t = t->next) {
        const char *flat = NULL;
        if (field_element(choice, "tools", i++, t, &entry)) {
            flat = named_tool(r, &entry);
        }
        const lf_json *tool = parsed->child;
        for (uint32_t k = 0; flat != NULL && k < r->tools.n && tool != NULL; k++) {
            const lf_json *function = lf_json_get(tool, "function");
            if (strcmp(r->tools.names[k].flat, flat) == 0 &&
                tool_list_find(&allowed, flat, strlen(flat)) == NULL) {
                tool_list_add(&allowed, &r->tools.names[k], lf_json_get(function, "description"),
                              lf_json_get(function, "parameters"));
            }
            tool = tool->next;
        }
    }
    if (!choice->failed && allowed.n == 0) {
        field_fail(choice, "tools", "must name at least one tool");
    }
    tool_list_free(&r->tools);
    r->tools = allowed;
    r->job.tool_choice = mode == 1 ? LFM2_TOOL_CHOICE_REQUIRED : LFM2_TOOL_CHOICE_AUTO;
}

static void read_choice_object(response *r)
{
    static const char *const types[] = {"function", "custom", "allowed_tools", NULL};
    int type = -1;
    fields choice;
    if (!field_object(&r->body, "tool_choice", &choice)) {
        return;
    }
    field_choice(&choice, "type", types, &type);
    if (choice.failed) {
        return;
    }
    if (type < 0) {
        field_fail(&choice, "type", "is missing");
    } else if (type == 2) {
        allow_tools(r, &choice);
    } else {
        r->job.tool_name = named_tool(r, &choice);
        r->job.tool_choice = LFM2_TOOL_CHOICE_NAMED;
    }
}

void response_read_tools(response *r)
{
    static const char *const names[] = {"auto", "none", "required", NULL};
    static const int32_t kinds[] = {LFM2_TOOL_CHOICE_AUTO, LFM2_TOOL_CHOICE_NONE,
                                    LFM2_TOOL_CHOICE_REQUIRED};
    fields *f = &r->body;
    response_add_tools(r, f, "tools");
    const lf_json *choice = field(f, "tool_choice");
    if (choice != NULL && choice->kind == LF_JSON_OBJECT) {
        read_choice_object(r);
    } else {
        int kind = 0;
        field_choice(f, "tool_choice", names, &kind);
        r->job.tool_choice = kinds[kind];
    }
    bool parallel = true;
    field_bool(f, "parallel_tool_calls", &parallel);
    r->job.one_call = !parallel;
    if (f->failed) {
        return;
    }
    r->job.tools = tool_list_finish(&r->tools, r->x->arena, &r->job.tools_len);
    if (r->tools.failed) {
        field_fail_memory(f);
    } else if (r->job.tools == NULL && r->job.tool_choice == LFM2_TOOL_CHOICE_REQUIRED) {
        field_fail(f, "tool_choice", "requires a call, but there are no tools");
    }
}
