/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a request for a response. Fields that cannot change the text are ignored. */
#include "serve/openai.h"
#include "serve/reply.h"
#include "serve/responses.h"
#include "serve/state.h"

#include "lfm2.h"

#include <string.h>

/* ---- What is not supported ---- */

static void refuse(fields *f)
{
    static const char *const names[] = {"conversation", "prompt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (field(f, names[i]) != NULL) {
            field_fail(f, names[i], "is not supported");
        }
    }
    bool background = false;
    uint32_t top = 0;
    field_bool(f, "background", &background);
    if (background) {
        field_fail(f, "background", "must be false: a response ends with its request");
    }
    field_u32(f, "top_logprobs", 0, 20, &top);
    if (top > 0) {
        field_fail(f, "top_logprobs", "is not supported here, but by /v1/chat/completions");
    }
}

static void read_include(response *r)
{
    const lf_json *include = field_array(&r->body, "include");
    for (const lf_json *i = include != NULL ? include->child : NULL; i != NULL; i = i->next) {
        if (i->kind != LF_JSON_STRING) {
            field_fail(&r->body, "include", "must be an array of strings, but has %s",
                       field_kind(i));
        } else if (strcmp(i->text, "message.output_text.logprobs") == 0) {
            field_fail(&r->body, "include",
                       "\"%s\" is not supported here, but by /v1/chat/completions", i->text);
        }
        r->encrypt |= lf_json_is_string(i, "reasoning.encrypted_content");
    }
}

/* ---- Format and reasoning ---- */

static const char *keep_json(fields *f, const lf_json *value, size_t *len)
{
    json_out out = {0};
    const char *text = NULL;
    out_value(&out, NULL, value);
    if (out.failed || lf_arena_string(f->x->arena, out.text, out.len, &text) != LFM2_OK) {
        field_fail_memory(f);
    }
    *len = out.len;
    json_out_free(&out);
    return text;
}

static void read_format(response *r)
{
    static const char any_object[] = "{\"type\":\"object\"}";
    static const char *const types[] = {"text", "json_object", "json_schema", NULL};
    fields text, format, schema;
    int type = 0;
    if (!field_object(&r->body, "text", &text) || !field_object(&text, "format", &format)) {
        return;
    }
    field_choice(&format, "type", types, &type);
    if (type == 0 || format.failed) {
        return;
    }
    bool strict = false;
    r->job.constraint_kind = LFM2_CONSTRAINT_JSON_SCHEMA;
    r->job.constraint = any_object;
    r->job.constraint_len = sizeof any_object - 1;
    r->job.constraint_param = "text.format";
    if (type == 2) {
        field_bool(&format, "strict", &strict);
        if (field_object(&format, "schema", &schema)) {
            r->job.constraint = keep_json(&format, schema.object, &r->job.constraint_len);
            r->job.constraint_param = "text.format.schema";
        } else {
            field_fail(&format, "schema", "is missing");
        }
    }
    r->job.lenient = !strict;
}

static void read_reasoning(response *r)
{
    static const char *const efforts[] = {"none", "minimal", "low", "medium",
                                          "high", "xhigh",   "max", NULL};
    fields reasoning;
    int effort = -1;
    if (field_object(&r->body, "reasoning", &reasoning)) {
        field_choice(&reasoning, "effort", efforts, &effort);
    }
    if (effort >= 0 && !r->body.failed) {
        reasoning_request(r->a, &r->job, effort >= 2);
    }
}

/* ---- The whole ---- */

static void read_past(response *r)
{
    fields *f = &r->body;
    field_string(f, "previous_response_id", &r->previous_id, NULL);
    if (r->previous_id == NULL || f->failed) {
        return;
    }
    const stored_response *past =
        response_store_find(&r->a->responses, r->previous_id, r->x->owner);
    if (past == NULL) {
        f->failed = true;
        reply_error(f->x, 400, "invalid_request_error", "previous_response_id",
                    "previous_response_not_found",
                    "previous_response_id: there is no response '%.100s'; it was not stored, or is "
                    "no longer",
                    r->previous_id);
        return;
    }
    talk_past(&r->talk, past->messages, past->messages_len);
}

/* The messages with the instructions before them, in one system message if they begin with one. */
static void join_messages(response *r, json_out *out)
{
    static const char system[] = "{\"role\":\"system\",\"content\":\"";
    const char *messages = r->talk.out.text;
    size_t len = r->talk.out.len, n = sizeof system - 1;
    out_array(out, NULL);
    if (r->instructions_len > 0 && len > n && memcmp(messages, system, n) == 0) {
        out_object(out, NULL);
        out_string(out, "role", "system");
        out_text_begin(out, "content");
        out_text_add(out, r->instructions, r->instructions_len);
        out_text_add(out, "\n\n", 2);
        out_raw(out, messages + n, len - n);
    } else {
        if (r->instructions_len > 0) {
            out_object(out, NULL);
            out_string(out, "role", "system");
            out_text(out, "content", r->instructions, r->instructions_len);
            out_end_object(out);
        }
        if (len > 0) {
            out_json(out, NULL, messages, len);
        }
    }
    out_end_array(out);
}

static void keep_messages(response *r)
{
    json_out out = {0};
    if (r->body.failed) {
        return;
    }
    bool kept = talk_finish(&r->talk);
    if (kept) {
        join_messages(r, &out);
        kept = !out.failed &&
               lf_arena_string(r->x->arena, out.text, out.len, &r->job.messages) == LFM2_OK;
        r->job.messages_len = out.len;
    }
    json_out_free(&out);
    if (!kept) {
        field_fail_memory(&r->body);
    }
}

bool response_read(response *r)
{
    fields *f = &r->body;
    uint32_t calls;
    if (!fields_open(f, r->x) || !job_model(r->a, f)) {
        return false;
    }
    r->job.whole_calls = true;
    r->job.prompt_param = "input";
    r->store = true;
    field_bool(f, "stream", &r->job.stream);
    field_bool(f, "store", &r->store);
    openai_sampling(f, &r->job);
    if (field(f, "max_output_tokens") != NULL) {
        field_u32(f, "max_output_tokens", 1, UINT32_MAX, &r->job.max_tokens);
        r->job.max_tokens_given = true;
    }
    field_u32(f, "max_tool_calls", 1, UINT32_MAX, &calls);
    refuse(f);
    read_include(r);
    read_format(r);
    read_reasoning(r);
    field_string(f, "instructions", &r->instructions, &r->instructions_len);
    read_past(r);
    response_read_input(r);
    response_read_tools(r);
    keep_messages(r);
    return !f->failed;
}
