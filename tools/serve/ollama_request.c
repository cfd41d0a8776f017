/* SPDX-License-Identifier: Apache-2.0 */
/* Reads requests of Ollama's API. Fields that cannot change the text are ignored. */
#include "serve/ollama.h"

#include "serve/openai.h"
#include "serve/reply.h"
#include "serve/state.h"

#include "lfm2.h"

#include <string.h>

bool ollama_model(api *a, fields *f)
{
    const char *name = NULL, *own = api_model_name(a);
    field_string(f, "name", &name, NULL);
    field_string(f, "model", &name, NULL);
    if (f->failed) {
        return false;
    }
    if (name == NULL || name[0] == '\0') {
        field_fail(f, "model", "is missing");
        return false;
    }
    size_t n = strlen(own);
    bool known =
        strncmp(name, own, n) == 0 && (name[n] == '\0' || strcmp(name + n, ":latest") == 0);
    if (!known && !a->options.any_model) {
        f->failed = true;
        reply_error(f->x, 404, "not_found", NULL, "model_not_found", "model '%.100s' not found",
                    name);
        return false;
    }
    return true;
}

/* ---- Options ---- */

static void read_options(ollama *o)
{
    fields options;
    if (!field_object(&o->body, "options", &options)) {
        return;
    }
    int64_t limit = 0;
    openai_sampling(&options, &o->job);
    field_strings(&options, "stop", 64, &o->job.stop, &o->job.n_stop);
    for (uint32_t i = 0; i < o->job.n_stop && !options.failed; i++) {
        size_t len = strlen(o->job.stop[i]);
        if (len == 0 || len > 65536) {
            field_fail(&options, "stop",
                       "must not have strings that are empty or longer than 65536 bytes");
        }
    }
    field_i64(&options, "num_predict", -2, UINT32_MAX, &limit);
    if (limit != 0) { /* -1 and -2: up to the end of the context */
        o->job.max_tokens = limit > 0 ? (uint32_t)limit : 0;
        o->job.max_tokens_given = true;
    }
}

static void read_format(ollama *o)
{
    static const char any_object[] = "{\"type\":\"object\"}";
    fields *f = &o->body;
    const lf_json *format = field(f, "format");
    if (format == NULL || lf_json_is_string(format, "")) {
        return;
    }
    o->job.constraint_kind = LFM2_CONSTRAINT_JSON_SCHEMA;
    o->job.constraint_param = "format";
    o->job.lenient = true;
    if (lf_json_is_string(format, "json")) {
        o->job.constraint = any_object;
        o->job.constraint_len = sizeof any_object - 1;
        return;
    }
    if (format->kind != LF_JSON_OBJECT) {
        field_fail(f, "format", "must be \"json\" or a JSON schema");
        return;
    }
    json_out out = {0};
    out_value(&out, NULL, format);
    o->job.constraint_len = out.len;
    if (out.failed ||
        lf_arena_string(o->x->arena, out.text, out.len, &o->job.constraint) != LFM2_OK) {
        field_fail_memory(f);
    }
    json_out_free(&out);
}

/* "think": true, false or how much. */
static void read_think(ollama *o)
{
    static const char *const levels[] = {"none", "low", "medium", "high", "max", NULL};
    fields *f = &o->body;
    const lf_json *think = field(f, "think");
    bool on = true;
    if (think == NULL) {
        return;
    }
    if (think->kind == LF_JSON_STRING) {
        int level = 0;
        field_choice(f, "think", levels, &level);
        on = level > 0;
    } else {
        field_bool(f, "think", &on);
    }
    o->hide = !on;
    reasoning_request(o->a, &o->job, on);
}

static void refuse(fields *f)
{
    static const char *const names[] = {"images", "suffix", "template", "context"};
    bool logprobs = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const lf_json *value = field(f, names[i]);
        bool empty = value == NULL || (value->kind == LF_JSON_STRING && value->len == 0) ||
                     (value->kind == LF_JSON_ARRAY && value->child == NULL);
        if (!empty) {
            field_fail(f, names[i], "is not supported");
        }
    }
    field_bool(f, "logprobs", &logprobs);
    if (logprobs) {
        field_fail(f, "logprobs", "is not supported here, but by /v1/chat/completions");
    }
}

/* ---- Messages ---- */

static void read_call(ollama *o, fields *call)
{
    const char *id = "", *name = NULL;
    size_t id_len = 0, name_len = 0;
    fields function;
    field_string(call, "id", &id, &id_len);
    if (!field_object(call, "function", &function)) {
        field_fail(call, "function", "is missing");
        return;
    }
    field_string(&function, "name", &name, &name_len);
    const lf_json *arguments = field(&function, "arguments");
    if (function.failed) {
        return;
    }
    if (name == NULL) {
        field_fail(&function, "name", "is missing");
        return;
    }
    json_out out = {0};
    if (arguments == NULL) {
        out_raw(&out, "{}", 2);
    } else if (arguments->kind == LF_JSON_STRING) {
        out_raw(&out, arguments->text, arguments->len);
    } else {
        out_value(&out, NULL, arguments);
    }
    if (out.failed) {
        field_fail_memory(call);
    } else {
        talk_call(&o->talk, id, id_len, name, name_len, out.len > 0 ? out.text : "", out.len);
    }
    json_out_free(&out);
}

static void read_message(ollama *o, fields *m)
{
    static const char *const names[] = {"system", "user", "assistant", "tool", NULL};
    static const turn_role roles[] = {TURN_SYSTEM, TURN_USER, TURN_ASSISTANT, TURN_TOOL};
    const char *text = "", *thinking = NULL, *id = "";
    size_t len = 0, thinking_len = 0, id_len = 0;
    int role = -1;
    field_choice(m, "role", names, &role);
    field_string(m, "content", &text, &len);
    field_string(m, "thinking", &thinking, &thinking_len);
    field_string(m, "tool_call_id", &id, &id_len);
    const lf_json *images = field_array(m, "images"), *calls = field_array(m, "tool_calls");
    if (images != NULL && images->child != NULL) {
        field_fail(m, "images", "is not supported: the model reads text only");
    }
    if (m->failed) {
        return;
    }
    if (role < 0) {
        field_fail(m, "role", "is missing");
        return;
    }
    if (roles[role] == TURN_TOOL) {
        talk_tool_turn(&o->talk, id, id_len);
    } else {
        talk_turn(&o->talk, roles[role]);
    }
    if (thinking != NULL && roles[role] == TURN_ASSISTANT) {
        talk_reasoning(&o->talk, thinking, thinking_len);
    }
    talk_text(&o->talk, text, len);
    uint32_t i = 0;
    fields call;
    for (const lf_json *c = calls != NULL ? calls->child : NULL; c != NULL; c = c->next) {
        if (field_element(m, "tool_calls", i++, c, &call)) {
            read_call(o, &call);
        }
    }
}

static void read_tool(ollama *o, fields *tool)
{
    static const char *const types[] = {"function", NULL};
    const char *text;
    size_t len;
    int type = 0;
    tool_name name = {0};
    fields function, parameters;
    field_choice(tool, "type", types, &type);
    if (!field_object(tool, "function", &function)) {
        field_fail(tool, "function", "is missing");
        return;
    }
    field_string(&function, "name", &name.name, NULL);
    field_string(&function, "description", &text, &len);
    field_object(&function, "parameters", &parameters);
    if (function.failed) {
        return;
    }
    name.flat = name.name;
    if (name.name == NULL || name.name[0] == '\0') {
        field_fail(&function, "name", "is missing");
    } else if (o->tools.n >= MAX_TOOLS) {
        field_fail(tool, "", "is one of more than %d tools", MAX_TOOLS);
    } else if (tool_list_find(&o->tools, name.name, strlen(name.name)) != NULL) {
        field_fail(&function, "name", "is the name of two tools: '%.100s'", name.name);
    } else {
        tool_list_add(&o->tools, &name, field(&function, "description"),
                      field(&function, "parameters"));
    }
}

static void read_chat(ollama *o)
{
    fields *f = &o->body, element;
    const lf_json *messages = field_array(f, "messages"), *tools = field_array(f, "tools");
    uint32_t i = 0;
    o->idle = messages == NULL || messages->child == NULL;
    for (const lf_json *m = o->idle ? NULL : messages->child; m != NULL; m = m->next) {
        if (field_element(f, "messages", i++, m, &element)) {
            read_message(o, &element);
        }
    }
    i = 0;
    for (const lf_json *t = tools != NULL ? tools->child : NULL; t != NULL; t = t->next) {
        if (field_element(f, "tools", i++, t, &element)) {
            read_tool(o, &element);
        }
    }
    o->job.tools = f->failed ? NULL : tool_list_finish(&o->tools, o->x->arena, &o->job.tools_len);
    if (o->tools.failed) {
        field_fail_memory(f);
    }
}

static void read_prompt(ollama *o)
{
    fields *f = &o->body;
    const char *system = "", *prompt = "";
    size_t system_len = 0, len = 0;
    bool raw = false;
    field_string(f, "system", &system, &system_len);
    field_string(f, "prompt", &prompt, &len);
    field_bool(f, "raw", &raw);
    o->idle = len == 0;
    if (f->failed) {
        return;
    }
    if (raw) {
        o->job.text = prompt;
        o->job.text_len = len;
        return;
    }
    if (system_len > 0) {
        talk_turn(&o->talk, TURN_SYSTEM);
        talk_text(&o->talk, system, system_len);
    }
    talk_turn(&o->talk, TURN_USER);
    talk_text(&o->talk, prompt, len);
}

bool ollama_read(ollama *o)
{
    fields *f = &o->body;
    if (!fields_open(f, o->x) || !ollama_model(o->a, f)) {
        return false;
    }
    o->job.whole_calls = true;
    o->job.lenient = true;
    o->job.stream = true;
    field_bool(f, "stream", &o->job.stream);
    read_options(o);
    read_format(o);
    read_think(o);
    refuse(f);
    if (o->generate) {
        read_prompt(o);
    } else {
        read_chat(o);
    }
    if (!f->failed && o->job.text == NULL) {
        o->job.messages = talk_messages(&o->talk, o->x->arena, &o->job.messages_len);
        if (o->job.messages == NULL) {
            field_fail_memory(f);
        }
    }
    return !f->failed;
}
