/* SPDX-License-Identifier: Apache-2.0 */
/* Writes answers of Ollama's API: an object, or a stream of lines. */
#include "serve/ollama.h"
#include "serve/reply.h"

#include "lfm2.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void ollama_time(json_out *out, const char *key)
{
    struct timespec now;
    struct tm parts;
    char text[40] = "";
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &parts) != NULL) {
        size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(text + n, sizeof text - n, ".%06ldZ", (long)(now.tv_nsec / 1000 % 1000000));
    }
    out_string(out, key, text);
}

static ollama *ollama_of(job *j)
{
    return j->user;
}

/* ---- Objects ---- */

/* The beginning of a line, up to what it says. */
static json_out *begin_line(ollama *o)
{
    json_out *out = &o->line;
    json_out_clear(out);
    out_object(out, NULL);
    out_string(out, "model", api_model_name(o->a));
    ollama_time(out, "created_at");
    return out;
}

/* The texts that are not empty, as members of a message or of the line itself. */
static void write_texts(ollama *o, const char *content, size_t len, const char *thinking,
                        size_t thinking_len, const json_out *calls)
{
    json_out *out = &o->line;
    if (o->generate) {
        out_text(out, "response", content, len);
    } else {
        out_object(out, "message");
        out_string(out, "role", "assistant");
        out_text(out, "content", content, len);
    }
    if (thinking_len > 0) {
        out_text(out, "thinking", thinking, thinking_len);
    }
    if (calls != NULL && calls->len > 0) {
        out_array(out, "tool_calls");
        out->failed |= calls->failed;
        out_json(out, NULL, calls->text, calls->len);
        out_end_array(out);
    }
    if (!o->generate) {
        out_end_object(out);
    }
}

static void send_line(ollama *o, const char *content, size_t len, const char *thinking,
                      size_t thinking_len, const json_out *calls)
{
    json_out *out = begin_line(o);
    write_texts(o, content, len, thinking, thinking_len, calls);
    out_bool(out, "done", false);
    out_end_object(out);
    stream_line(o->x, out);
}

static void out_nanoseconds(json_out *out, const char *key, double seconds)
{
    out_u64(out, key, seconds > 0 ? (uint64_t)(seconds * 1e9) : 0);
}

static void write_end(ollama *o, const job *j, const char *reason)
{
    json_out *out = &o->line;
    out_bool(out, "done", true);
    out_string(out, "done_reason", reason);
    if (j != NULL) {
        out_nanoseconds(out, "total_duration", o->last_token);
        out_u64(out, "load_duration", 0);
        out_u64(out, "prompt_eval_count", j->n_prompt);
        out_nanoseconds(out, "prompt_eval_duration", o->first_token);
        out_u64(out, "eval_count", j->n_generated);
        out_nanoseconds(out, "eval_duration", o->last_token - o->first_token);
    }
    out_end_object(out);
}

void ollama_reply_idle(ollama *o)
{
    begin_line(o);
    write_texts(o, "", 0, "", 0, NULL);
    write_end(o, NULL, "load");
    if (o->job.stream) {
        stream_line(o->x, &o->line);
        stream_end(o->x);
    } else {
        reply_json(o->x, 200, &o->line);
    }
}

/* ---- Events ---- */

static void start_call(ollama *o, const lfm2_chat_event *c)
{
    json_out_clear(&o->arguments);
    if (lf_arena_string(o->x->arena, c->name, c->name_len, &o->call_name) != LFM2_OK ||
        lf_arena_string(o->x->arena, c->id, strlen(c->id), &o->call_id) != LFM2_OK) {
        o->calls.failed = true;
        o->call_name = o->call_id = "";
    }
}

static void end_call(ollama *o)
{
    json_out *out = &o->calls;
    if (o->job.stream) {
        json_out_clear(out);
    }
    out->failed |= o->arguments.failed;
    out_object(out, NULL);
    out_string(out, "id", o->call_id);
    out_object(out, "function");
    out_u64(out, "index", o->n_calls++);
    out_string(out, "name", o->call_name);
    out_json(out, "arguments", o->arguments.len > 0 ? o->arguments.text : "{}",
             o->arguments.len > 0 ? o->arguments.len : 2);
    out_end_object(out);
    out_end_object(out);
    if (o->job.stream) {
        send_line(o, "", 0, "", 0, out);
    }
}

static void add_content(ollama *o, const char *text, size_t len)
{
    if (o->job.stream) {
        send_line(o, text, len, "", 0, NULL);
    } else {
        out_raw(&o->content, text, len);
    }
}

static void add_thinking(ollama *o, const char *text, size_t len)
{
    if (o->hide) {
        return;
    }
    if (o->job.stream) {
        send_line(o, "", 0, text, len, NULL);
    } else {
        out_raw(&o->thinking, text, len);
    }
}

static void chat_event(ollama *o, const lfm2_chat_event *c)
{
    switch (c->kind) {
    case LFM2_CHAT_EVENT_CONTENT:
        add_content(o, c->text, c->len);
        break;
    case LFM2_CHAT_EVENT_REASONING:
        add_thinking(o, c->text, c->len);
        break;
    case LFM2_CHAT_EVENT_CALL_START:
        start_call(o, c);
        break;
    case LFM2_CHAT_EVENT_ARGUMENTS:
        out_raw(&o->arguments, c->text, c->len);
        break;
    case LFM2_CHAT_EVENT_CALL_END:
        end_call(o);
        break;
    default:
        break;
    }
}

static void event(job *j, const lfm2_engine_event *e)
{
    ollama *o = ollama_of(j);
    bool text = !j->chat && e->len > 0;
    if (e->kind == LFM2_EVENT_TOKEN || e->kind == LFM2_EVENT_FINISH) {
        o->first_token = o->first_token > 0 ? o->first_token : e->seconds;
        o->last_token = e->seconds;
        if (text) {
            add_content(o, e->text, e->len);
        }
    }
    if (e->kind == LFM2_EVENT_CHAT) {
        chat_event(o, e->chat);
    } else if (e->kind == LFM2_EVENT_FINISH) {
        o->finish = e->finish;
    }
}

/* Comments have no place in a stream of lines. */
static void alive(job *j)
{
    send_line(ollama_of(j), "", 0, "", 0, NULL);
}

static void start(job *j)
{
    if (j->request->stream) {
        stream_begin(j->x);
    }
}

static void end(job *j)
{
    ollama *o = ollama_of(j);
    exchange *x = o->x;
    bool stop = o->finish == LFM2_FINISH_STOP_TOKEN || o->finish == LFM2_FINISH_STOP_STRING;
    bool stream = o->job.stream;
    begin_line(o);
    o->line.failed |= o->content.failed || o->thinking.failed;
    write_texts(o, o->content.len > 0 ? o->content.text : "", o->content.len,
                o->thinking.len > 0 ? o->thinking.text : "", o->thinking.len,
                stream ? NULL : &o->calls);
    write_end(o, j, stop ? "stop" : "length");
    if (stream) {
        stream_line(x, &o->line);
        ollama_free(o);
        stream_end(x);
        return;
    }
    json_out line = o->line;
    o->line = (json_out){0};
    ollama_free(o);
    reply_json(x, 200, &line);
    json_out_free(&line);
}

static bool failed(job *j, const lfm2_engine_event *e)
{
    (void)e;
    ollama_free(ollama_of(j));
    return false;
}

const job_calls ollama_calls = {
    .start = start, .event = event, .alive = alive, .end = end, .failed = failed};
