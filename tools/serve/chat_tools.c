/* SPDX-License-Identifier: Apache-2.0 */
/* Tools of a request in OpenAI's format, and whether they are called. */
#include "serve/openai.h"

#include <string.h>

enum { MAX_TOOLS = 512 };

/* Whether a tool of the request has this name. */
static bool has_tool(const lf_json *tools, const char *name)
{
    for (const lf_json *t = tools != NULL ? tools->child : NULL; t != NULL; t = t->next) {
        if (lf_json_is_string(lf_json_get(lf_json_get(t, "function"), "name"), name)) {
            return true;
        }
    }
    return false;
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

static void read_named(fields *f, const lf_json *tools, job_request *request)
{
    static const char *const types[] = {"function", NULL};
    fields choice, function;
    int type = -1;
    if (!field_object(f, "tool_choice", &choice)) {
        return;
    }
    if (field(&choice, "type") == NULL) {
        field_fail(&choice, "type", "is required");
    }
    field_choice(&choice, "type", types, &type);
    if (!f->failed && field(&choice, "function") == NULL) {
        field_fail(&choice, "function", "is required");
    }
    if (!field_object(&choice, "function", &function)) {
        return;
    }
    if (field(&function, "name") == NULL) {
        field_fail(&function, "name", "is required");
    }
    field_string(&function, "name", &request->tool_name, NULL);
    if (request->tool_name != NULL && !has_tool(tools, request->tool_name)) {
        field_fail(&function, "name", "is \"%.64s\", but no tool has this name",
                   request->tool_name);
    }
    request->tool_choice = LFM2_TOOL_CHOICE_NAMED;
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
        read_named(f, tools, request);
    }
    if (!f->failed && request->tool_choice >= LFM2_TOOL_CHOICE_REQUIRED && request->tools == NULL) {
        field_fail(f, "tool_choice", "is only allowed when tools are given");
    }
}
