/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a request of Anthropic's Messages. Fields that cannot change the text are ignored. */
#include "serve/messages.h"
#include "serve/openai.h"
#include "serve/reply.h"

#include "lfm2.h"

#include <string.h>

static bool is_one_of(const char *type, const char *const *types)
{
    for (; *types != NULL; types++) {
        if (strcmp(type, *types) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- Text ---- */

/* A string or an array of blocks with text. `add` gets each text. */
static void read_texts(message *m, fields *f, const char *name)
{
    const lf_json *value = field(f, name);
    if (value == NULL) {
        return;
    }
    if (value->kind == LF_JSON_STRING) {
        talk_text(&m->talk, value->text, value->len);
        return;
    }
    if (value->kind != LF_JSON_ARRAY) {
        field_fail(f, name, "must be a string or an array, not %s", field_kind(value));
        return;
    }
    uint32_t i = 0;
    fields block;
    for (const lf_json *b = value->child; b != NULL; b = b->next) {
        const char *type = "", *text = NULL;
        size_t len = 0;
        if (!field_element(f, name, i++, b, &block)) {
            return;
        }
        field_string(&block, "type", &type, NULL);
        if (strcmp(type, "text") == 0) {
            field_string(&block, "text", &text, &len);
        } else if (strcmp(type, "tool_reference") == 0) {
            field_string(&block, "tool_name", &text, &len);
        } else if (strcmp(type, "search_result") == 0) {
            read_texts(m, &block, "content");
            text = "";
        } else if (!block.failed) {
            field_fail(&block, "type",
                       "is \"%.64s\", which is not supported: the model reads text "
                       "only",
                       type);
        }
        if (!block.failed && text == NULL) {
            field_fail(&block, "text", "is missing");
        }
        if (block.failed) {
            return;
        }
        talk_text(&m->talk, text, len);
    }
}

/* Blocks of the system prompt. Claude Code begins it with a line that differs between requests and
 * means nothing to a model; with it, no two prompts would begin alike. */
static void read_system(message *m)
{
    static const char header[] = "x-anthropic-billing-header:";
    fields *f = &m->body;
    const lf_json *system = field(f, "system");
    if (system == NULL) {
        return;
    }
    talk_turn(&m->talk, TURN_SYSTEM);
    if (system->kind != LF_JSON_ARRAY) {
        read_texts(m, f, "system");
        return;
    }
    uint32_t i = 0;
    fields block;
    for (const lf_json *b = system->child; b != NULL; b = b->next) {
        static const char *const types[] = {"text", NULL};
        const char *text = NULL;
        size_t len = 0;
        int type = -1;
        if (!field_element(f, "system", i++, b, &block)) {
            return;
        }
        field_choice(&block, "type", types, &type);
        field_string(&block, "text", &text, &len);
        if (!block.failed && (type < 0 || text == NULL)) {
            field_fail(&block, type < 0 ? "type" : "text", "is missing");
        }
        if (block.failed) {
            return;
        }
        if (len < sizeof header - 1 || memcmp(text, header, sizeof header - 1) != 0) {
            talk_text(&m->talk, text, len);
        }
    }
}

/* ---- Blocks of messages ---- */

static void read_tool_use(message *m, fields *block)
{
    const char *id = NULL, *name = NULL;
    size_t id_len = 0, name_len = 0;
    fields input;
    field_string(block, "id", &id, &id_len);
    field_string(block, "name", &name, &name_len);
    bool has_input = field_object(block, "input", &input);
    if (block->failed) {
        return;
    }
    if (id == NULL || name == NULL || !has_input) {
        field_fail(block, id == NULL ? "id" : name == NULL ? "name" : "input", "is missing");
        return;
    }
    json_out arguments = {0};
    out_value(&arguments, NULL, input.object);
    if (arguments.failed) {
        field_fail_memory(block);
    } else {
        talk_call(&m->talk, id, id_len, name, name_len, arguments.text, arguments.len);
    }
    json_out_free(&arguments);
}

static void read_tool_result(message *m, fields *block)
{
    const char *id = NULL;
    size_t len = 0;
    bool is_error = false;
    field_string(block, "tool_use_id", &id, &len);
    field_bool(block, "is_error", &is_error);
    if (block->failed) {
        return;
    }
    if (id == NULL) {
        field_fail(block, "tool_use_id", "is missing");
        return;
    }
    talk_tool_turn(&m->talk, id, len);
    if (is_error) {
        talk_text(&m->talk, "Error: ", 7);
    }
    read_texts(m, block, "content");
}

/* A block that is text or reasoning, or that the model need not see. */
static void read_plain(message *m, fields *block, const char *type, turn_role role)
{
    static const char *const left_out[] = {"redacted_thinking",
                                           "server_tool_use",
                                           "web_search_tool_result",
                                           "web_fetch_tool_result",
                                           "tool_search_tool_result",
                                           "code_execution_tool_result",
                                           NULL};
    const char *text = NULL;
    size_t len = 0;
    bool thinking = role == TURN_ASSISTANT && strcmp(type, "thinking") == 0;
    if (!thinking && strcmp(type, "text") != 0) {
        if (role != TURN_ASSISTANT || !is_one_of(type, left_out)) {
            field_fail(block, "type",
                       "is \"%.64s\", which is not supported in a message of this "
                       "role: the model reads text only",
                       type);
        }
        return;
    }
    field_string(block, type, &text, &len);
    if (block->failed) {
        return;
    }
    if (text == NULL) {
        field_fail(block, type, "is missing");
    } else if (thinking) {
        talk_reasoning(&m->talk, text, len);
    } else {
        talk_text(&m->talk, text, len);
    }
}

/* The blocks of a message: results of tools become messages of their own. */
static void read_blocks(message *m, fields *f, turn_role role)
{
    const lf_json *content = field_array(f, "content");
    uint32_t i = 0;
    bool open = false; /* a message of this role */
    fields block;
    for (const lf_json *b = content != NULL ? content->child : NULL; b != NULL; b = b->next) {
        const char *type = "";
        if (!field_element(f, "content", i++, b, &block)) {
            return;
        }
        field_string(&block, "type", &type, NULL);
        if (block.failed) {
            return;
        }
        if (role == TURN_USER && strcmp(type, "tool_result") == 0) {
            read_tool_result(m, &block);
            open = false;
            continue;
        }
        if (!open) {
            talk_turn(&m->talk, role);
            open = true;
        }
        if (role == TURN_ASSISTANT && strcmp(type, "tool_use") == 0) {
            read_tool_use(m, &block);
        } else {
            read_plain(m, &block, type, role);
        }
    }
    if (i == 0) {
        talk_turn(&m->talk, role);
    }
}

static void read_message(message *m, fields *f)
{
    static const char *const names[] = {"user", "assistant", "system", NULL};
    static const turn_role roles[] = {TURN_USER, TURN_ASSISTANT, TURN_SYSTEM};
    int role = -1;
    field_choice(f, "role", names, &role);
    const lf_json *content = field(f, "content");
    if (f->failed) {
        return;
    }
    if (role < 0 || content == NULL) {
        field_fail(f, role < 0 ? "role" : "content", "is missing");
    } else if (content->kind == LF_JSON_ARRAY) {
        read_blocks(m, f, roles[role]);
    } else {
        talk_turn(&m->talk, roles[role]);
        read_texts(m, f, "content");
    }
}

static void read_messages(message *m)
{
    fields *f = &m->body;
    const lf_json *messages = field_array(f, "messages");
    if (messages == NULL || messages->child == NULL) {
        field_fail(f, "messages", messages == NULL ? "is missing" : "must not be empty");
        return;
    }
    uint32_t i = 0;
    fields element;
    const lf_json *last = NULL;
    for (const lf_json *e = messages->child; e != NULL; e = e->next) {
        if (field_element(f, "messages", i++, e, &element)) {
            read_message(m, &element);
        }
        last = e;
    }
    /* An answer that the client has begun; its end cannot be a call. */
    m->job.continue_last =
        lf_json_is_string(lf_json_get(last, "role"), "assistant") && talk_ends_with_text(&m->talk);
}

/* ---- Tools ---- */

/* Tools that Anthropic runs itself, and that clients also send to other servers. */
static bool is_left_out(const char *type)
{
    static const char *const types[] = {"web_search_", "web_fetch_", "tool_search_tool_",
                                        "code_execution_"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strncmp(type, types[i], strlen(types[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void read_tool(message *m, fields *f, bool *strict)
{
    const char *type = "custom", *text;
    size_t len;
    tool_name name = {0};
    fields schema;
    field_string(f, "type", &type, NULL);
    field_string(f, "name", &name.name, NULL);
    field_string(f, "description", &text, &len);
    bool has_schema = field_object(f, "input_schema", &schema);
    field_bool(f, "strict", strict);
    if (f->failed || (!has_schema && is_left_out(type))) {
        return;
    }
    if (!has_schema && strcmp(type, "custom") != 0) {
        field_fail(f, "type", "is \"%.64s\", which is not supported", type);
        return;
    }
    if (name.name == NULL || name.name[0] == '\0' || !has_schema) {
        field_fail(f, has_schema ? "name" : "input_schema", "is missing");
        return;
    }
    name.flat = name.name;
    if (m->tools.n >= MAX_TOOLS) {
        field_fail(f, "", "is one of more than %d tools", MAX_TOOLS);
    } else if (tool_list_find(&m->tools, name.name, strlen(name.name)) != NULL) {
        field_fail(f, "name", "is the name of two tools: '%.100s'", name.name);
    } else {
        tool_list_add(&m->tools, &name, field(f, "description"), schema.object);
    }
}

static void read_choice(message *m)
{
    static const char *const types[] = {"auto", "any", "tool", "none", NULL};
    static const int32_t kinds[] = {LFM2_TOOL_CHOICE_AUTO, LFM2_TOOL_CHOICE_REQUIRED,
                                    LFM2_TOOL_CHOICE_NAMED, LFM2_TOOL_CHOICE_NONE};
    fields choice;
    int type = -1;
    if (!field_object(&m->body, "tool_choice", &choice)) {
        return;
    }
    field_choice(&choice, "type", types, &type);
    field_bool(&choice, "disable_parallel_tool_use", &m->job.one_call);
    field_string(&choice, "name", &m->job.tool_name, NULL);
    if (choice.failed) {
        return;
    }
    const char *name = type == 2 ? m->job.tool_name : NULL;
    m->job.tool_name = name;
    if (type < 0) {
        field_fail(&choice, "type", "is missing");
        return;
    }
    m->job.tool_choice = kinds[type];
    if (type == 2 && (name == NULL || tool_list_find(&m->tools, name, strlen(name)) == NULL)) {
        field_fail(&choice, "name", name == NULL ? "is missing" : "is not the name of a tool");
    } else if (type == 1 && m->tools.n == 0) {
        field_fail(&choice, "type", "requires a call, but there are no tools");
    }
}

static void read_tools(message *m)
{
    fields *f = &m->body, tool;
    const lf_json *tools = field_array(f, "tools");
    uint32_t i = 0;
    bool any_strict = false;
    for (const lf_json *t = tools != NULL ? tools->child : NULL; t != NULL; t = t->next) {
        bool strict = false;
        if (field_element(f, "tools", i++, t, &tool)) {
            read_tool(m, &tool, &strict);
        }
        any_strict |= strict;
    }
    read_choice(m);
    if (f->failed) {
        return;
    }
    m->job.lenient = !any_strict;
    m->job.tools = tool_list_finish(&m->tools, m->x->arena, &m->job.tools_len);
    if (m->tools.failed) {
        field_fail_memory(f);
    }
}

/* ---- The rest ---- */

static void read_thinking(message *m)
{
    static const char *const types[] = {"disabled", "enabled", "adaptive", "between_tools", NULL};
    static const char *const displays[] = {"summarized", "omitted", NULL};
    fields thinking;
    int type = 0, display = 0;
    uint32_t budget;
    if (field_object(&m->body, "thinking", &thinking)) {
        field_choice(&thinking, "type", types, &type);
        field_choice(&thinking, "display", displays, &display);
        field_u32(&thinking, "budget_tokens", 1, UINT32_MAX, &budget);
    }
    m->thinking = type == 0 ? THINKING_HIDDEN : display == 1 ? THINKING_EMPTY : THINKING_WHOLE;
    /* Without the field nothing changes for a model that always reasons. */
    if (field(&m->body, "thinking") != NULL || api_chat(m->a)->reasoning_arg[0] != '\0') {
        reasoning_request(m->a, &m->job, type != 0);
    }
}

static void read_format(message *m, fields *f, const char *name)
{
    static const char *const types[] = {"json_schema", NULL};
    fields format, schema;
    int type = -1;
    if (!field_object(f, name, &format)) {
        return;
    }
    field_choice(&format, "type", types, &type);
    if (!field_object(&format, "schema", &schema) || type < 0) {
        field_fail(&format, type < 0 ? "type" : "schema", "is missing");
        return;
    }
    json_out out = {0};
    out_value(&out, NULL, schema.object);
    m->job.constraint_kind = LFM2_CONSTRAINT_JSON_SCHEMA;
    m->job.constraint_param = field_path(&format, "schema");
    m->job.constraint_len = out.len;
    if (out.failed ||
        lf_arena_string(m->x->arena, out.text, out.len, &m->job.constraint) != LFM2_OK) {
        field_fail_memory(f);
    }
    json_out_free(&out);
}

static void read_limits(message *m)
{
    fields *f = &m->body;
    if (field(f, "max_tokens") == NULL) {
        field_fail(f, "max_tokens", "is missing");
    }
    field_u32(f, "max_tokens", 1, UINT32_MAX, &m->job.max_tokens);
    m->job.max_tokens_given = true;
    openai_sampling(f, &m->job);
    field_strings(f, "stop_sequences", 64, &m->job.stop, &m->job.n_stop);
    for (uint32_t i = 0; i < m->job.n_stop && !f->failed; i++) {
        size_t len = strlen(m->job.stop[i]);
        if (len == 0 || len > 65536) {
            field_fail(f, "stop_sequences",
                       "must not have strings that are empty or longer than 65536 bytes");
        }
    }
}

bool message_read(message *m, bool count)
{
    fields *f = &m->body, output;
    if (!fields_open(f, m->x) || !job_model(m->a, f)) {
        return false;
    }
    m->job.whole_calls = true;
    m->job.call_prefix = "toolu_";
    if (!count) {
        read_limits(m);
        field_bool(f, "stream", &m->job.stream);
    }
    read_thinking(m);
    read_system(m);
    read_messages(m);
    read_tools(m);
    read_format(m, f, "output_format");
    if (field_object(f, "output_config", &output)) {
        read_format(m, &output, "format");
    }
    if (f->failed) {
        return false;
    }
    m->job.messages = talk_messages(&m->talk, m->x->arena, &m->job.messages_len);
    if (m->job.messages == NULL) {
        field_fail_memory(f);
    }
    return !f->failed;
}
