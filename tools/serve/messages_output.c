/* SPDX-License-Identifier: Apache-2.0 */
/* Writes messages of Anthropic's API: the object, its blocks as they are generated, and the events
 * of a stream. A whole message has the blocks that a stream would have. */
#include "serve/messages.h"
#include "serve/reply.h"

#include "lfm2.h"

#include <stdio.h>
#include <string.h>

/* Clients send it back with the reasoning. Nothing depends on it. */
static const char signature[] = "bGZtMg==";

static message *message_of(job *j)
{
    return j->user;
}

/* ---- The object ---- */

static const char *stop_reason(const message *m)
{
    switch (m->finish) {
    case LFM2_FINISH_STOP_STRING:
        return "stop_sequence";
    case LFM2_FINISH_STOP_TOKEN:
        return m->called ? "tool_use" : "end_turn";
    case LFM2_FINISH_CONTEXT:
        return "model_context_window_exceeded";
    default:
        return "max_tokens";
    }
}

static void write_stop(json_out *out, const message *m)
{
    if (m->finish == 0) {
        out_null(out, "stop_reason");
        out_null(out, "stop_sequence");
        return;
    }
    bool string = m->finish == LFM2_FINISH_STOP_STRING && m->stop_string >= 0 &&
                  (uint32_t)m->stop_string < m->job.n_stop;
    out_string(out, "stop_reason", stop_reason(m));
    out_string(out, "stop_sequence", string ? m->job.stop[m->stop_string] : NULL);
}

/* Anthropic counts tokens from the cache apart. */
static void write_usage(json_out *out, const message *m, const job *j)
{
    out_object(out, "usage");
    out_u64(out, "input_tokens", j->n_prompt - j->n_cached);
    out_u64(out, "cache_creation_input_tokens", 0);
    out_u64(out, "cache_read_input_tokens", j->n_cached);
    out_u64(out, "output_tokens", j->n_generated);
    out_object(out, "output_tokens_details");
    out_u64(out, "thinking_tokens", m->thinking_tokens);
    out_end_object(out);
    out_end_object(out);
}

static void write_message(json_out *out, const char *key, const message *m, const job *j)
{
    char id[64];
    snprintf(id, sizeof id, "msg_%s", j->id);
    out_object(out, key);
    out_string(out, "id", id);
    out_string(out, "type", "message");
    out_string(out, "role", "assistant");
    out_string(out, "model", api_model_name(m->a));
    out_array(out, "content");
    out->failed |= m->blocks.failed;
    if (m->blocks.len > 0) {
        out_json(out, NULL, m->blocks.text, m->blocks.len);
    }
    out_end_array(out);
    write_stop(out, m);
    write_usage(out, m, j);
    out_end_object(out);
}

/* ---- Events ---- */

static json_out *begin_event(message *m, const char *type)
{
    json_out_clear(&m->event);
    out_object(&m->event, NULL);
    out_string(&m->event, "type", type);
    return &m->event;
}

static void send_event(message *m, const char *type)
{
    out_end_object(&m->event);
    stream_event(m->x, type, &m->event);
}

/* ---- Blocks ---- */

static void write_block(json_out *out, const char *key, const message *m, bool whole)
{
    const char *text = whole && m->text.len > 0 ? m->text.text : "";
    size_t len = whole ? m->text.len : 0;
    out->failed |= m->text.failed;
    out_object(out, key);
    switch (m->kind) {
    case BLOCK_TOOL:
        out_string(out, "type", "tool_use");
        out_string(out, "id", m->call_id);
        out_string(out, "name", m->call_name);
        out_json(out, "input", len > 0 ? text : "{}", len > 0 ? len : 2);
        break;
    case BLOCK_THINKING:
        out_string(out, "type", "thinking");
        out_text(out, "thinking", text, len);
        out_string(out, "signature", whole ? signature : "");
        break;
    default:
        out_string(out, "type", "text");
        out_text(out, "text", text, len);
        break;
    }
    out_end_object(out);
}

static void send_delta(message *m, const char *type, const char *name, const char *text, size_t len)
{
    json_out *out = begin_event(m, "content_block_delta");
    out_u64(out, "index", m->n_blocks);
    out_object(out, "delta");
    out_string(out, "type", type);
    out_text(out, name, text, len);
    out_end_object(out);
    send_event(m, "content_block_delta");
}

static void open_block(message *m, block_kind kind)
{
    m->kind = kind;
    json_out_clear(&m->text);
    if (m->job.stream) {
        json_out *out = begin_event(m, "content_block_start");
        out_u64(out, "index", m->n_blocks);
        write_block(out, "content_block", m, false);
        send_event(m, "content_block_start");
    }
}

static void add_text(message *m, const char *text, size_t len)
{
    static const char *const types[] = {[BLOCK_TEXT] = "text_delta",
                                        [BLOCK_THINKING] = "thinking_delta",
                                        [BLOCK_TOOL] = "input_json_delta"};
    static const char *const names[] = {
        [BLOCK_TEXT] = "text", [BLOCK_THINKING] = "thinking", [BLOCK_TOOL] = "partial_json"};
    out_raw(&m->text, text, len);
    if (m->job.stream) {
        send_delta(m, types[m->kind], names[m->kind], text, len);
    }
}

static void close_block(message *m)
{
    if (m->kind == BLOCK_NONE) {
        return;
    }
    if (m->job.stream) {
        if (m->kind == BLOCK_THINKING) {
            send_delta(m, "signature_delta", "signature", signature, strlen(signature));
        }
        json_out *out = begin_event(m, "content_block_stop");
        out_u64(out, "index", m->n_blocks);
        send_event(m, "content_block_stop");
    }
    write_block(&m->blocks, NULL, m, true);
    m->n_blocks++;
    m->kind = BLOCK_NONE;
}

static void add_to(message *m, block_kind kind, const char *text, size_t len)
{
    if (m->kind != kind) {
        close_block(m);
        open_block(m, kind);
    }
    if (len > 0) {
        add_text(m, text, len);
    }
}

static void start_call(message *m, const lfm2_chat_event *c)
{
    close_block(m);
    if (lf_arena_string(m->x->arena, c->name, c->name_len, &m->call_name) != LFM2_OK ||
        lf_arena_string(m->x->arena, c->id, strlen(c->id), &m->call_id) != LFM2_OK) {
        m->blocks.failed = true;
        m->call_name = m->call_id = "";
    }
    m->called = true;
    open_block(m, BLOCK_TOOL);
}

static void chat_event(message *m, const lfm2_chat_event *c)
{
    m->reasons = c->kind == LFM2_CHAT_EVENT_REASONING;
    switch (c->kind) {
    case LFM2_CHAT_EVENT_CONTENT:
        add_to(m, BLOCK_TEXT, c->text, c->len);
        break;
    case LFM2_CHAT_EVENT_REASONING:
        if (m->thinking != THINKING_HIDDEN) {
            add_to(m, BLOCK_THINKING, c->text, m->thinking == THINKING_WHOLE ? c->len : 0);
        }
        break;
    case LFM2_CHAT_EVENT_CALL_START:
        start_call(m, c);
        break;
    case LFM2_CHAT_EVENT_ARGUMENTS:
        add_text(m, c->text, c->len);
        break;
    case LFM2_CHAT_EVENT_CALL_END:
        close_block(m);
        break;
    default:
        break;
    }
}

/* ---- The life of the message ---- */

static void start(job *j)
{
    message *m = message_of(j);
    if (m->job.stream) {
        json_out *out = begin_event(m, "message_start");
        write_message(out, "message", m, j);
        send_event(m, "message_start");
    }
}

static void event(job *j, const lfm2_engine_event *e)
{
    message *m = message_of(j);
    if (e->kind == LFM2_EVENT_TOKEN) {
        m->thinking_tokens += m->reasons;
    } else if (e->kind == LFM2_EVENT_CHAT) {
        chat_event(m, e->chat);
    } else if (e->kind == LFM2_EVENT_FINISH) {
        close_block(m);
        m->finish = e->finish;
        m->stop_string = e->stop_string;
    }
}

static void alive(job *j)
{
    message *m = message_of(j);
    begin_event(m, "ping");
    send_event(m, "ping");
}

static void send_end(message *m, const job *j)
{
    json_out *out = begin_event(m, "message_delta");
    out_object(out, "delta");
    write_stop(out, m);
    out_end_object(out);
    write_usage(out, m, j);
    send_event(m, "message_delta");
    begin_event(m, "message_stop");
    send_event(m, "message_stop");
}

static void end(job *j)
{
    message *m = message_of(j);
    exchange *x = m->x;
    if (m->job.stream) {
        send_end(m, j);
        message_free(m);
        stream_end(x);
        return;
    }
    json_out out = {0};
    write_message(&out, NULL, m, j);
    message_free(m);
    reply_json(x, 200, &out);
    json_out_free(&out);
}

static bool failed(job *j, const lfm2_engine_event *e)
{
    (void)e;
    message_free(message_of(j));
    return false;
}

const job_calls message_calls = {
    .start = start, .event = event, .alive = alive, .end = end, .failed = failed};
