/* SPDX-License-Identifier: Apache-2.0 */
/* Writes responses: the object, its items as they are generated, and the events of a stream. A
 * whole response has the items that a stream would have. */
#include "serve/reply.h"
#include "serve/responses.h"
#include "serve/state.h"

#include "lfm2.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- The object ---- */

static void write_tools(json_out *out, const response *r)
{
    const lf_json *tools = lf_json_get(r->body.object, "tools");
    out_array(out, "tools");
    for (const lf_json *t = tools != NULL ? tools->child : NULL; t != NULL; t = t->next) {
        if (!lf_json_is_string(lf_json_get(t, "type"), "function")) {
            out_value(out, NULL, t);
            continue;
        }
        out_object(out, NULL);
        out_string(out, "type", "function");
        out_value(out, "name", lf_json_get(t, "name"));
        out_value(out, "description", lf_json_get(t, "description"));
        out_value(out, "parameters", lf_json_get(t, "parameters"));
        out_value(out, "strict", lf_json_get(t, "strict"));
        out_end_object(out);
    }
    out_end_array(out);
}

static void write_usage(json_out *out, const response *r, const job *j)
{
    if (strcmp(r->status, "in_progress") == 0) {
        out_null(out, "usage");
        return;
    }
    out_object(out, "usage");
    out_u64(out, "input_tokens", j->n_prompt);
    out_object(out, "input_tokens_details");
    out_u64(out, "cached_tokens", j->n_cached);
    out_u64(out, "cache_write_tokens", 0);
    out_end_object(out);
    out_u64(out, "output_tokens", j->n_generated);
    out_object(out, "output_tokens_details");
    out_u64(out, "reasoning_tokens", r->reasoning_tokens);
    out_end_object(out);
    out_u64(out, "total_tokens", (uint64_t)j->n_prompt + j->n_generated);
    out_end_object(out);
}

/* Fields that the response repeats as the request has them, or with a default. */
static void write_settings(json_out *out, const response *r)
{
    const lf_json *body = r->body.object;
    const lf_json *choice = lf_json_get(body, "tool_choice");
    const lf_json *text = lf_json_get(body, "text"), *format = lf_json_get(text, "format");
    const lf_json *reasoning = lf_json_get(body, "reasoning");
    const lf_json *metadata = lf_json_get(body, "metadata");
    const lfm2_sampler_options *s = &r->job.sampler;
    out_bool(out, "background", false);
    if (choice != NULL && choice->kind != LF_JSON_NULL) {
        out_value(out, "tool_choice", choice);
    } else {
        out_string(out, "tool_choice", "auto");
    }
    write_tools(out, r);
    out_bool(out, "parallel_tool_calls", !r->job.one_call);
    out_number(out, "temperature", (double)s->temperature);
    out_number(out, "top_p", (double)s->top_p);
    out_number(out, "presence_penalty", (double)s->presence_penalty);
    out_number(out, "frequency_penalty", (double)s->frequency_penalty);
    out_u64(out, "top_logprobs", 0);
    out_value(out, "max_output_tokens", lf_json_get(body, "max_output_tokens"));
    out_value(out, "max_tool_calls", lf_json_get(body, "max_tool_calls"));
    out_object(out, "reasoning");
    out_value(out, "effort", lf_json_get(reasoning, "effort"));
    out_value(out, "summary", lf_json_get(reasoning, "summary"));
    out_end_object(out);
    out_object(out, "text");
    if (format != NULL && format->kind == LF_JSON_OBJECT) {
        out_value(out, "format", format);
    } else {
        out_json(out, "format", "{\"type\":\"text\"}", 15);
    }
    out_end_object(out);
    out_string(out, "truncation", "disabled");
    out_string(out, "service_tier", "default");
    out_bool(out, "store", r->store);
    if (metadata != NULL && metadata->kind == LF_JSON_OBJECT) {
        out_value(out, "metadata", metadata);
    } else {
        out_json(out, "metadata", "{}", 2);
    }
    out_value(out, "safety_identifier", lf_json_get(body, "safety_identifier"));
    out_value(out, "prompt_cache_key", lf_json_get(body, "prompt_cache_key"));
    out_value(out, "user", lf_json_get(body, "user"));
}

void response_write(json_out *out, const response *r, const job *j)
{
    char id[64];
    snprintf(id, sizeof id, "resp_%s", j->id);
    bool incomplete = strcmp(r->status, "incomplete") == 0;
    out_object(out, NULL);
    out_string(out, "id", id);
    out_string(out, "object", "response");
    out_i64(out, "created_at", j->created);
    if (strcmp(r->status, "completed") == 0) {
        out_i64(out, "completed_at", (int64_t)time(NULL));
    } else {
        out_null(out, "completed_at");
    }
    out_string(out, "status", r->status);
    if (r->error != NULL) {
        out_object(out, "error");
        out_string(out, "code", "server_error");
        out_string(out, "message", r->error);
        out_end_object(out);
    } else {
        out_null(out, "error");
    }
    if (incomplete) {
        out_json(out, "incomplete_details", "{\"reason\":\"max_output_tokens\"}", 30);
    } else {
        out_null(out, "incomplete_details");
    }
    if (r->instructions != NULL) {
        out_text(out, "instructions", r->instructions, r->instructions_len);
    } else {
        out_null(out, "instructions");
    }
    out_string(out, "model", api_model_name(r->a));
    out_array(out, "output");
    if (r->items.len > 0) {
        out->failed |= r->items.failed;
        out_json(out, NULL, r->items.text, r->items.len);
    }
    out_end_array(out);
    out_string(out, "previous_response_id", r->previous_id);
    write_settings(out, r);
    write_usage(out, r, j);
    out_end_object(out);
}

/* ---- Events ---- */

static response *response_of(job *j)
{
    return j->user;
}

/* Begins an event with its type and number. */
static json_out *begin_event(response *r, const char *type)
{
    json_out_clear(&r->event);
    out_object(&r->event, NULL);
    out_string(&r->event, "type", type);
    out_u64(&r->event, "sequence_number", r->sequence++);
    return &r->event;
}

static void send_event(response *r, const char *type)
{
    out_end_object(&r->event);
    stream_event(r->x, type, &r->event);
}

/* An event with the whole response. */
static void send_response(response *r, const job *j, const char *type)
{
    json_out *out = begin_event(r, type);
    json_out object = {0};
    response_write(&object, r, j);
    out->failed |= object.failed;
    out_json(out, "response", object.text, object.len);
    json_out_free(&object);
    send_event(r, type);
}

/* The id of the item that is being written: the letters of its kind, the response, the index. */
static const char *item_id(const response *r, const job *j, char id[64])
{
    static const char *const prefixes[] = {
        [ITEM_NONE] = "", [ITEM_MESSAGE] = "msg", [ITEM_REASONING] = "rs", [ITEM_CALL] = "fc"};
    bool custom = r->kind == ITEM_CALL && r->tool != NULL && r->tool->custom;
    snprintf(id, 64, "%s_%s_%u", custom ? "ctc" : prefixes[r->kind], j->id, r->n_items);
    return id;
}

/* ---- Items ---- */

/* The part of a message or of reasoning. */
static void write_part(json_out *out, const char *key, const response *r, bool whole)
{
    out_object(out, key);
    out_string(out, "type", r->kind == ITEM_REASONING ? "reasoning_text" : "output_text");
    out->failed |= r->text.failed;
    out_text(out, "text", whole && r->text.len > 0 ? r->text.text : "", whole ? r->text.len : 0);
    if (r->kind == ITEM_MESSAGE) {
        out_json(out, "annotations", "[]", 2);
        out_json(out, "logprobs", "[]", 2);
    }
    out_end_object(out);
}

/* Reasoning in the form in which clients that keep no text send it back. */
static void write_sealed(json_out *out, const response *r)
{
    out_text_begin(out, "encrypted_content");
    out_text_add(out, REASONING_MARK, strlen(REASONING_MARK));
    out_text_add(out, r->text.text != NULL ? r->text.text : "", r->text.len);
    out_text_end(out);
}

static void write_call(json_out *out, const response *r, bool whole)
{
    bool custom = r->tool != NULL && r->tool->custom;
    out_string(out, "call_id", r->call_id);
    out_string(out, "name", r->tool != NULL ? r->tool->name : r->call_name);
    if (r->tool != NULL && r->tool->namespace != NULL) {
        out_string(out, "namespace", r->tool->namespace);
    }
    out->failed |= r->text.failed;
    out_text(out, custom ? "input" : "arguments", whole && r->text.len > 0 ? r->text.text : "",
             whole ? r->text.len : 0);
}

/* The item that is being written: at its beginning, or whole. */
static void write_item(json_out *out, const char *key, const response *r, const job *j, bool whole,
                       const char *status)
{
    static const char *const types[] = {[ITEM_NONE] = "",
                                        [ITEM_MESSAGE] = "message",
                                        [ITEM_REASONING] = "reasoning",
                                        [ITEM_CALL] = "function_call"};
    char id[64];
    bool custom = r->kind == ITEM_CALL && r->tool != NULL && r->tool->custom;
    out_object(out, key);
    out_string(out, "type", custom ? "custom_tool_call" : types[r->kind]);
    out_string(out, "id", item_id(r, j, id));
    out_string(out, "status", status);
    if (r->kind == ITEM_CALL) {
        write_call(out, r, whole);
    } else {
        if (r->kind == ITEM_MESSAGE) {
            out_string(out, "role", "assistant");
        } else {
            out_json(out, "summary", "[]", 2);
        }
        out_array(out, "content");
        if (whole) {
            write_part(out, NULL, r, true);
        }
        out_end_array(out);
        if (whole && r->kind == ITEM_REASONING && r->encrypt) {
            write_sealed(out, r);
        }
    }
    out_end_object(out);
}

static void begin_part_event(response *r, const job *j, const char *type)
{
    char id[64];
    json_out *out = begin_event(r, type);
    out_string(out, "item_id", item_id(r, j, id));
    out_u64(out, "output_index", r->n_items);
    if (r->kind != ITEM_CALL) {
        out_u64(out, "content_index", 0);
    }
}

static void open_item(response *r, const job *j, item_kind kind)
{
    r->kind = kind;
    json_out_clear(&r->text);
    if (!r->job.stream) {
        return;
    }
    json_out *out = begin_event(r, "response.output_item.added");
    out_u64(out, "output_index", r->n_items);
    write_item(out, "item", r, j, false, "in_progress");
    send_event(r, "response.output_item.added");
    if (kind != ITEM_CALL) {
        begin_part_event(r, j, "response.content_part.added");
        write_part(out, "part", r, false);
        send_event(r, "response.content_part.added");
    }
}

static const char *event_type(const response *r, bool done)
{
    if (r->kind == ITEM_MESSAGE) {
        return done ? "response.output_text.done" : "response.output_text.delta";
    }
    if (r->kind == ITEM_REASONING) {
        return done ? "response.reasoning_text.done" : "response.reasoning_text.delta";
    }
    if (r->tool != NULL && r->tool->custom) {
        return done ? "response.custom_tool_call_input.done"
                    : "response.custom_tool_call_input.delta";
    }
    return done ? "response.function_call_arguments.done"
                : "response.function_call_arguments.delta";
}

/* A piece of the text of the item that is being written. */
static void add_text(response *r, const job *j, const char *text, size_t len)
{
    out_raw(&r->text, text, len);
    if (!r->job.stream) {
        return;
    }
    begin_part_event(r, j, event_type(r, false));
    out_text(&r->event, "delta", text, len);
    if (r->kind == ITEM_MESSAGE) {
        out_json(&r->event, "logprobs", "[]", 2);
    }
    send_event(r, event_type(r, false));
}

static void send_text_done(response *r, const job *j)
{
    bool custom = r->kind == ITEM_CALL && r->tool != NULL && r->tool->custom;
    begin_part_event(r, j, event_type(r, true));
    r->event.failed |= r->text.failed;
    out_text(&r->event,
             r->kind != ITEM_CALL ? "text"
             : custom             ? "input"
                                  : "arguments",
             r->text.text != NULL ? r->text.text : "", r->text.len);
    if (r->kind == ITEM_MESSAGE) {
        out_json(&r->event, "logprobs", "[]", 2);
    } else if (r->kind == ITEM_CALL) {
        out_string(&r->event, "name", r->tool != NULL ? r->tool->name : r->call_name);
    }
    send_event(r, event_type(r, true));
    if (r->kind != ITEM_CALL) {
        begin_part_event(r, j, "response.content_part.done");
        write_part(&r->event, "part", r, true);
        send_event(r, "response.content_part.done");
    }
}

/* Adds a finished item to the conversation, as a client would send it back. */
static void remember_item(response *r)
{
    const char *text = r->text.text != NULL ? r->text.text : "";
    talk_turn(&r->talk, TURN_ASSISTANT);
    if (r->kind == ITEM_MESSAGE) {
        talk_text(&r->talk, text, r->text.len);
    } else if (r->kind == ITEM_REASONING) {
        talk_reasoning(&r->talk, text, r->text.len);
    }
}

static void close_item(response *r, const job *j, const char *status)
{
    if (r->kind == ITEM_NONE) {
        return;
    }
    if (r->job.stream) {
        send_text_done(r, j);
        json_out *out = begin_event(r, "response.output_item.done");
        out_u64(out, "output_index", r->n_items);
        write_item(out, "item", r, j, true, status);
        send_event(r, "response.output_item.done");
    }
    write_item(&r->items, NULL, r, j, true, status);
    remember_item(r);
    r->n_items++;
    r->kind = ITEM_NONE;
}

/* ---- Calls ---- */

/* The text of the argument "input" of a custom tool; the arguments as they are if there is none. */
static void add_custom_input(response *r, const job *j, const char *arguments, size_t len)
{
    const lf_json *parsed = NULL;
    (void)lf_json_parse(r->x->arena, "arguments", LFM2_E_TEXT, arguments, len, &parsed);
    const lf_json *input = lf_json_get(parsed, "input");
    if (input != NULL && input->kind == LF_JSON_STRING) {
        add_text(r, j, input->text, input->len);
    } else {
        add_text(r, j, arguments, len);
    }
}

static void start_call(response *r, const job *j, const lfm2_chat_event *c)
{
    close_item(r, j, "completed");
    r->tool = tool_list_find(&r->tools, c->name, c->name_len);
    if (lf_arena_string(r->x->arena, c->name, c->name_len, &r->call_name) != LFM2_OK ||
        lf_arena_string(r->x->arena, c->id, strlen(c->id), &r->call_id) != LFM2_OK) {
        r->items.failed = true;
        r->call_name = r->call_id = "";
    }
    json_out_clear(&r->arguments);
    open_item(r, j, ITEM_CALL);
}

static void end_call(response *r, const job *j)
{
    const char *arguments = r->arguments.text != NULL ? r->arguments.text : "";
    size_t len = r->arguments.len;
    r->items.failed |= r->arguments.failed;
    if (r->tool != NULL && r->tool->custom) {
        add_custom_input(r, j, arguments, len);
    }
    talk_turn(&r->talk, TURN_ASSISTANT);
    talk_call(&r->talk, r->call_id, strlen(r->call_id), r->call_name, strlen(r->call_name),
              arguments, len);
    close_item(r, j, "completed");
}

static void chat_event(response *r, const job *j, const lfm2_chat_event *c)
{
    item_kind kind = c->kind == LFM2_CHAT_EVENT_REASONING ? ITEM_REASONING : ITEM_MESSAGE;
    switch (c->kind) {
    case LFM2_CHAT_EVENT_CONTENT:
    case LFM2_CHAT_EVENT_REASONING:
        if (r->kind != kind) {
            close_item(r, j, "completed");
            open_item(r, j, kind);
        }
        add_text(r, j, c->text, c->len);
        break;
    case LFM2_CHAT_EVENT_CALL_START:
        start_call(r, j, c);
        break;
    case LFM2_CHAT_EVENT_ARGUMENTS:
        out_raw(&r->arguments, c->text, c->len);
        if (r->tool == NULL || !r->tool->custom) {
            add_text(r, j, c->text, c->len);
        }
        break;
    case LFM2_CHAT_EVENT_CALL_END:
        end_call(r, j);
        break;
    default:
        break;
    }
}

/* ---- The life of the response ---- */

static void start(job *j)
{
    response *r = response_of(j);
    if (r->job.stream) {
        send_response(r, j, "response.created");
        send_response(r, j, "response.in_progress");
    }
}

static void event(job *j, const lfm2_engine_event *e)
{
    response *r = response_of(j);
    if (e->kind == LFM2_EVENT_TOKEN) {
        r->reasoning_tokens += r->kind == ITEM_REASONING;
    } else if (e->kind == LFM2_EVENT_CHAT) {
        chat_event(r, j, e->chat);
    } else if (e->kind == LFM2_EVENT_FINISH) {
        bool whole = e->finish == LFM2_FINISH_STOP_TOKEN || e->finish == LFM2_FINISH_STOP_STRING;
        close_item(r, j, whole ? "completed" : "incomplete");
        r->status = whole ? "completed" : "incomplete";
    }
}

/* Keeps the response and its conversation. Without memory it is not stored, as after the limit. */
static void store(response *r, const job *j, const json_out *object)
{
    char id[64];
    snprintf(id, sizeof id, "resp_%s", j->id);
    if (r->store && !object->failed && talk_finish(&r->talk)) {
        (void)response_store_add(&r->a->responses, id, r->x->owner, object->text, object->len,
                                 r->talk.out.text, r->talk.out.len);
    }
}

static void end(job *j)
{
    response *r = response_of(j);
    exchange *x = r->x;
    json_out object = {0};
    bool stream = r->job.stream;
    response_write(&object, r, j);
    store(r, j, &object);
    if (stream) {
        const char *type =
            strcmp(r->status, "incomplete") == 0 ? "response.incomplete" : "response.completed";
        json_out *out = begin_event(r, type);
        out->failed |= object.failed;
        out_json(out, "response", object.text, object.len);
        send_event(r, type);
        stream_raw(x, "data: [DONE]\n\n");
    }
    response_free(r);
    if (stream) {
        stream_end(x);
    } else {
        reply_json(x, 200, &object);
    }
    json_out_free(&object);
}

static bool failed(job *j, const lfm2_engine_event *e)
{
    response *r = response_of(j);
    exchange *x = r->x;
    bool told = e != NULL && r->job.stream && x->begun;
    if (told) {
        close_item(r, j, "incomplete");
        r->status = "failed";
        r->error = e->error;
        send_response(r, j, "response.failed");
        stream_raw(x, "data: [DONE]\n\n");
    }
    response_free(r);
    if (told) {
        stream_end(x);
    }
    return told;
}

const job_calls response_calls = {.start = start, .event = event, .end = end, .failed = failed};
