/* SPDX-License-Identifier: Apache-2.0 */
/* The response of /v1/chat/completions as a whole. */
#include "serve/chat.h"
#include "serve/reply.h"

#include <string.h>

/* Frees what a request has beside the arena. */
static void free_state(job *j)
{
    chat_state *s = j->user;
    for (uint32_t i = 0; i < j->n_choices; i++) {
        json_out_free(&s->choices[i].logprobs);
        json_out_free(&s->choices[i].finished);
    }
    json_out_free(&s->out);
}

static bool failed(job *j, const lfm2_engine_event *e)
{
    (void)e;
    free_state(j);
    return false;
}

/* Counts the tokens that led to an event as reasoning if it is of reasoning. */
static void count_reasoning(chat_state *s, chat_choice *c, const lfm2_engine_event *e)
{
    if (e->kind == LFM2_EVENT_TOKEN) {
        c->n_pending++;
    } else if (e->kind == LFM2_EVENT_CHAT) {
        s->reasoning += e->chat->kind == LFM2_CHAT_EVENT_REASONING ? c->n_pending : 0;
        c->n_pending = 0;
    }
}

/* "tool_calls" if the answer ended after calls. */
static const char *finish_reason(const lfm2_engine_event *e, uint32_t n_calls)
{
    const char *reason = openai_finish(e->finish);
    return n_calls > 0 && strcmp(reason, "stop") == 0 ? "tool_calls" : reason;
}

/* ---- Whole ---- */

static void write_whole_message(json_out *out, const lf_json *message, uint32_t *n_calls)
{
    const lf_json *content = lf_json_get(message, "content");
    const lf_json *calls = lf_json_get(message, "tool_calls");
    const lf_json *reasoning = lf_json_get(message, "reasoning_content");
    *n_calls = calls != NULL ? calls->count : 0;
    out_object(out, "message");
    out_string(out, "role", "assistant");
    if (*n_calls > 0 && content != NULL && content->len == 0) {
        content = NULL;
    }
    out_value(out, "content", content);
    out_null(out, "refusal");
    if (reasoning != NULL) {
        out_value(out, "reasoning_content", reasoning);
    }
    if (*n_calls > 0) {
        out_value(out, "tool_calls", calls);
    }
    out_end_object(out);
}

static void finish_whole(job *j, chat_choice *c, const lfm2_engine_event *e)
{
    json_out *out = &c->finished;
    const lf_json *message = NULL;
    uint32_t n_calls = 0;
    if (lf_json_parse(j->x->arena, "message", LFM2_E_INTERNAL, e->message, e->message_len,
                      &message) != LFM2_OK) {
        out->failed = true;
        return;
    }
    out_object(out, NULL);
    out_u64(out, "index", e->choice);
    write_whole_message(out, message, &n_calls);
    chat_write_logprobs(out, j, c);
    out_string(out, "finish_reason", finish_reason(e, n_calls));
    if (n_calls > 0) {
        j->x->log.finish = "tool_calls";
    }
    out_end_object(out);
}

static void whole_event(job *j, const lfm2_engine_event *e)
{
    chat_state *s = j->user;
    chat_choice *c = &s->choices[e->choice];
    count_reasoning(s, c, e);
    if (e->kind == LFM2_EVENT_TOKEN) {
        chat_add_logprob(j, c, e);
    } else if (e->kind == LFM2_EVENT_FINISH) {
        finish_whole(j, c, e);
    }
}

static void whole_end(job *j)
{
    chat_state *s = j->user;
    json_out *out = &s->out;
    out_object(out, NULL);
    openai_head(out, j, "chatcmpl-", "chat.completion");
    out_array(out, "choices");
    for (uint32_t i = 0; i < j->n_choices; i++) {
        const json_out *choice = &s->choices[i].finished;
        out_json(out, NULL, choice->text, choice->len);
        out->failed |= choice->failed;
    }
    out_end_array(out);
    openai_usage(out, j, s->reasoning);
    out_end_object(out);
    json_out response = *out; /* the state is gone with the reply */
    *out = (json_out){0};
    free_state(j);
    reply_json(j->x, 200, &response);
    json_out_free(&response);
}

const job_calls chat_whole_calls = {.event = whole_event, .end = whole_end, .failed = failed};

/* ---- Streams ---- */

/* Begins a chunk, up to the members of its delta. */
static json_out *begin_chunk(job *j, uint32_t choice)
{
    chat_state *s = j->user;
    json_out *out = &s->out;
    openai_begin_chunk(out, j, "chatcmpl-", "chat.completion.chunk", choice);
    out_object(out, "delta");
    return out;
}

static void send_chunk(job *j, chat_choice *c, const char *finish)
{
    chat_state *s = j->user;
    json_out *out = &s->out;
    out_end_object(out);
    if (c != NULL && c->logprobs.len > 0) {
        chat_write_logprobs(out, j, c);
    } else {
        out_null(out, "logprobs");
    }
    out_string(out, "finish_reason", finish);
    openai_end_chunk(out, j, s->include_usage);
}

static void stream_start(job *j)
{
    for (uint32_t i = 0; i < j->n_choices; i++) {
        json_out *out = begin_chunk(j, i);
        out_string(out, "role", "assistant");
        out_string(out, "content", "");
        send_chunk(j, NULL, NULL);
    }
}

static void begin_call(json_out *out, const lfm2_chat_event *e)
{
    out_array(out, "tool_calls");
    out_object(out, NULL);
    out_u64(out, "index", e->call);
}

static void end_call(json_out *out)
{
    out_end_object(out);
    out_end_array(out);
}

static void stream_chat(job *j, chat_choice *c, const lfm2_engine_event *event)
{
    const lfm2_chat_event *e = event->chat;
    json_out *out;
    switch (e->kind) {
    case LFM2_CHAT_EVENT_CONTENT:
    case LFM2_CHAT_EVENT_REASONING:
        if (c->undone || e->len == 0) {
            return;
        }
        out = begin_chunk(j, event->choice);
        out_text(out, e->kind == LFM2_CHAT_EVENT_CONTENT ? "content" : "reasoning_content", e->text,
                 e->len);
        break;
    case LFM2_CHAT_EVENT_CALL_START:
        out = begin_chunk(j, event->choice);
        begin_call(out, e);
        out_string(out, "id", e->id);
        out_string(out, "type", "function");
        out_object(out, "function");
        out_text(out, "name", e->name, e->name_len);
        out_string(out, "arguments", "");
        out_end_object(out);
        end_call(out);
        c->n_calls++;
        break;
    case LFM2_CHAT_EVENT_ARGUMENTS:
        if (e->len == 0) {
            return;
        }
        out = begin_chunk(j, event->choice);
        begin_call(out, e);
        out_object(out, "function");
        out_text(out, "arguments", e->text, e->len);
        out_end_object(out);
        end_call(out);
        break;
    case LFM2_CHAT_EVENT_CALL_UNDONE:
        c->undone = true;
        c->n_calls -= c->n_calls > 0 ? 1 : 0;
        return;
    default:
        return;
    }
    send_chunk(j, c, NULL);
}

static void stream_one_event(job *j, const lfm2_engine_event *e)
{
    chat_state *s = j->user;
    chat_choice *c = &s->choices[e->choice];
    count_reasoning(s, c, e);
    switch (e->kind) {
    case LFM2_EVENT_TOKEN:
        chat_add_logprob(j, c, e);
        break;
    case LFM2_EVENT_CHAT:
        stream_chat(j, c, e);
        break;
    case LFM2_EVENT_FINISH: {
        const char *reason = finish_reason(e, c->n_calls);
        if (c->n_calls > 0) {
            j->x->log.finish = "tool_calls";
        }
        begin_chunk(j, e->choice);
        send_chunk(j, c, reason);
        break;
    }
    default:
        break;
    }
}

static void stream_last(job *j)
{
    chat_state *s = j->user;
    if (s->include_usage) {
        json_out *out = &s->out;
        json_out_clear(out);
        out_object(out, NULL);
        openai_head(out, j, "chatcmpl-", "chat.completion.chunk");
        out_array(out, "choices");
        out_end_array(out);
        openai_usage(out, j, s->reasoning);
        out_end_object(out);
        stream_event(j->x, NULL, out);
    }
    free_state(j);
    openai_done(j->x);
}

const job_calls chat_stream_calls = {
    .start = stream_start, .event = stream_one_event, .end = stream_last, .failed = failed};
