/* SPDX-License-Identifier: Apache-2.0 */
/* Tools of a request in OpenAI's format, and whether they are called. */
#include "serve/openai.h"

#include <string.h>

enum { MAX_TOOLS = 512 };

/* The tool of the request with this name; NULL if there is none. */
static const lf_json *find_tool(const lf_json *tools, const char *name)
{
    const lf_json *t = tools != NULL ? tools->child : NULL;
    while (t != NULL && !lf_json_is_string(lf_json_get(lf_json_get(t, "function"), "name"), name)) {
        t = t->next;
    }
    return t;
}

static void check_tool(fields *tool, bool *strict)
{
    static const char *const types[] = {"function", NULL};
    fields function, parameters;
    const char *name = NULL;
    int type = -1;
    if (field(tool, "type") == NULL) {
        field_fail(tool, "type", "is required");
    }
    field_choice(tool, "type", types, &type);
    if (!tool->failed && field(tool, "function") == NULL) {
        field_fail(tool, "function", "is required");
    }
    if (!field_object(tool, "function", &function)) {
        return;
    }
    field_string(&function, "name", &name, NULL);
    if (!tool->failed && (name == NULL || name[0] == '\0')) {
        field_fail(&function, "name", name == NULL ? "is required" : "must not be empty");
    }
    const char *description = NULL;
    size_t len = 0;
    field_string(&function, "description", &description, &len);
    field_bool(&function, "strict", strict);
    (void)field_object(&function, "parameters", &parameters);
}

static void read_tools(fields *f, const lf_json *tools, job_request *request)
{
    uint32_t i = 0;
    bool any_strict = false;
    if (tools->count > MAX_TOOLS) {
        field_fail(f, "tools", "must have at most %d elements, not %u", MAX_TOOLS, tools->count);
        return;
    }
    for (const lf_json *t = tools->child; t != NULL; t = t->next, i++) {
        fields tool;
        bool strict = false;
        if (!field_element(f, "tools", i, t, &tool)) {
            return;
        }
        check_tool(&tool, &strict);
        any_strict |= strict;
        const lf_json *name = lf_json_get(lf_json_get(t, "function"), "name");
        for (const lf_json *o = tools->child; o != t && !f->failed; o = o->next) {
            const lf_json *other = lf_json_get(lf_json_get(o, "function"), "name");
            if (lf_json_is_string(other, name->text)) {
                field_fail(f, "tools", "must not have two functions with the name \"%.64s\"",
                           name->text);
            }
        }
        if (f->failed) {
            return;
        }
    }
    json_out out = {0};
    out_value(&out, NULL, tools);
    request->tools = chat_keep(f, &out, &request->tools_len);
    request->lenient = !any_strict;
}

/* The name of a function: {"function": {"name": ...}}. NULL after an error. */
static const char *read_name(fields *f, fields *object, const lf_json *tools)
{
    fields function;
    const char *name = NULL;
    if (!f->failed && field(object, "function") == NULL) {
        field_fail(object, "function", "is required");
    }
    if (!field_object(object, "function", &function)) {
        return NULL;
    }
    if (field(&function, "name") == NULL) {
        field_fail(&function, "name", "is required");
    }
    field_string(&function, "name", &name, NULL);
    if (name != NULL && find_tool(tools, name) == NULL) {
        field_fail(&function, "name", "is \"%.64s\", but no tool has this name", name);
        return NULL;
    }
    return name;
}

/* Some of the tools: the prompt has all, so that it stays the same, and calls are of these. */
static void read_allowed(fields *f, fields *choice, const lf_json *tools, job_request *request)
{
    static const char *const modes[] = {"auto", "required", NULL};
    fields allowed;
    int mode = 0;
    if (field(choice, "allowed_tools") == NULL) {
        field_fail(choice, "allowed_tools", "is required");
    }
    if (!field_object(choice, "allowed_tools", &allowed)) {
        return;
    }
    field_choice(&allowed, "mode", modes, &mode);
    const lf_json *list = field_array(&allowed, "tools");
    if (list == NULL || list->count == 0 || list->count > MAX_TOOLS) {
        field_fail(&allowed, "tools", "must have 1 to %d elements", MAX_TOOLS);
        return;
    }
    json_out out = {0};
    uint32_t i = 0;
    out_array(&out, NULL);
    for (const lf_json *t = list->child; t != NULL && !f->failed; t = t->next, i++) {
        fields tool;
        const char *name = NULL;
        if (field_element(&allowed, "tools", i, t, &tool)) {
            name = read_name(f, &tool, tools);
        }
        if (name != NULL) {
            out_value(&out, NULL, find_tool(tools, name));
        }
    }
    out_end_array(&out);
    request->constraint = chat_keep(f, &out, &request->constraint_len);
    request->constraint_kind = LFM2_CONSTRAINT_TOOLS;
    request->constraint_param = "tool_choice";
    request->tool_choice = mode == 0 ? LFM2_TOOL_CHOICE_AUTO : LFM2_TOOL_CHOICE_REQUIRED;
}

static void read_choice(fields *f, const lf_json *tools, job_request *request)
{
    static const char *const types[] = {"function", "allowed_tools", NULL};
    fields choice;
    int type = -1;
    if (!field_object(f, "tool_choice", &choice)) {
        return;
    }
    if (field(&choice, "type") == NULL) {
        field_fail(&choice, "type", "is required");
    }
    field_choice(&choice, "type", types, &type);
    if (type == 1) {
        read_allowed(f, &choice, tools, request);
    } else if (type == 0) {
        request->tool_name = read_name(f, &choice, tools);
        request->tool_choice = LFM2_TOOL_CHOICE_NAMED;
    }
}

void chat_tools(fields *f, job_request *request)
{
    static const char *const old[] = {"functions", "function_call"};
    static const char *const choices[] = {"auto", "none", "required", NULL};
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        if (field(f, old[i]) != NULL) {
            field_fail(f, old[i], "is not supported: use tools and tool_choice");
        }
    }
    const lf_json *tools = field_array(f, "tools");
    if (tools != NULL && tools->child != NULL) {
        read_tools(f, tools, request);
    }
    bool parallel = true;
    field_bool(f, "parallel_tool_calls", &parallel);
    request->one_call = !parallel;
    const lf_json *choice = field(f, "tool_choice");
    if (choice == NULL) {
        return;
    }
    if (choice->kind == LF_JSON_STRING) {
        int n = LFM2_TOOL_CHOICE_AUTO;
        field_choice(f, "tool_choice", choices, &n);
        request->tool_choice = n;
    } else {
        read_choice(f, tools, request);
    }
    if (!f->failed && request->tool_choice >= LFM2_TOOL_CHOICE_REQUIRED && request->tools == NULL) {
        field_fail(f, "tool_choice", "is only allowed when tools are given");
    }
}
