/* SPDX-License-Identifier: Apache-2.0 */
/* Writes responses, errors and streams in the style of each API. */
#include "serve/reply.h"

#include "lfm2.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json_type[] = "application/json";

/* What is sent if there is no memory for another text. */
static const char *out_of_memory(exchange_style style)
{
    switch (style) {
    case STYLE_ANTHROPIC:
        return "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"out of "
               "memory\"},\"request_id\":null}";
    case STYLE_OLLAMA:
        return "{\"error\":\"out of memory\"}";
    default:
        return "{\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\","
               "\"param\":null,\"code\":\"out_of_memory\"}}";
    }
}

/* ---- Delivery ---- */

static void deliver(exchange *x, int status, const char *content_type, const char *headers,
                    const char *body, size_t len)
{
    if (!x->held.on) {
        x->sink->reply(x, status, content_type, headers, body, len);
        return;
    }
    x->held.reply = true;
    x->held.status = status;
    x->held.content_type = content_type;
    x->held.headers = headers;
    x->held.body = malloc(len + 1);
    x->held.len = len;
    if (x->held.body != NULL && len > 0) {
        memcpy(x->held.body, body, len);
    }
}

static void deliver_end(exchange *x)
{
    if (x->held.on) {
        x->held.end = true;
    } else {
        x->sink->end(x);
    }
}

void reply_hold(exchange *x)
{
    x->held.on = true;
}

void reply_release(exchange *x)
{
    char *body = x->held.body;
    x->held.on = false;
    if (x->held.reply && body == NULL) {
        const char *json = out_of_memory(x->style);
        x->sink->reply(x, 500, json_type, NULL, json, strlen(json));
    } else if (x->held.reply) {
        x->sink->reply(x, x->held.status, x->held.content_type, x->held.headers, body, x->held.len);
    } else if (x->held.end) {
        x->sink->end(x);
    }
    free(body);
}

/* ---- Streams ---- */

static bool may_stream(exchange *x, const char *content_type)
{
    if (!x->begun) {
        x->begun = true;
        x->sink->begin(x, content_type);
    }
    return !x->broken;
}

static void send_text(exchange *x, const char *text)
{
    x->sink->write(x, text, strlen(text));
}

/* The type of events decides how an error is sent, too. */
static const char *stream_type(const exchange *x)
{
    return x->style == STYLE_OLLAMA ? "application/x-ndjson" : "text/event-stream";
}

static void send_event(exchange *x, const char *name, const char *json, size_t len)
{
    if (name != NULL) {
        send_text(x, "event: ");
        send_text(x, name);
        send_text(x, "\n");
    }
    send_text(x, "data: ");
    x->sink->write(x, json, len);
    send_text(x, "\n\n");
}

void stream_begin(exchange *x)
{
    (void)may_stream(x, stream_type(x));
}

void stream_event(exchange *x, const char *name, const json_out *out)
{
    if (!may_stream(x, stream_type(x))) {
        return;
    }
    if (out->failed) {
        x->broken = true;
        return;
    }
    send_event(x, name, out->text, out->len);
}

void stream_line(exchange *x, const json_out *out)
{
    if (!may_stream(x, stream_type(x))) {
        return;
    }
    if (out->failed) {
        x->broken = true;
        return;
    }
    x->sink->write(x, out->text, out->len);
    send_text(x, "\n");
}

void stream_raw(exchange *x, const char *bytes)
{
    if (may_stream(x, stream_type(x))) {
        send_text(x, bytes);
    }
}

/* Sends the JSON of an error as the last event. */
static void send_last_error(exchange *x, const char *json, size_t len)
{
    switch (x->style) {
    case STYLE_ANTHROPIC:
        send_event(x, "error", json, len);
        break;
    case STYLE_OLLAMA:
        x->sink->write(x, json, len);
        send_text(x, "\n");
        break;
    default:
        send_event(x, NULL, json, len);
        break;
    }
    deliver_end(x);
}

void stream_end(exchange *x)
{
    if (!may_stream(x, stream_type(x))) {
        const char *json = out_of_memory(x->style);
        send_last_error(x, json, strlen(json));
        return;
    }
    deliver_end(x);
}

/* ---- Whole responses ---- */

void reply_json(exchange *x, int status, const json_out *out)
{
    if (out->failed) {
        const char *json = out_of_memory(x->style);
        deliver(x, 500, json_type, NULL, json, strlen(json));
        return;
    }
    deliver(x, status, json_type, NULL, out->text, out->len);
}

void reply_body(exchange *x, int status, const char *content_type, const char *body, size_t len)
{
    deliver(x, status, content_type, NULL, body, len);
}

static const char *anthropic_type(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {400, "invalid_request_error"}, {401, "authentication_error"},
        {403, "permission_error"},      {404, "not_found_error"},
        {405, "not_found_error"},       {408, "timeout_error"},
        {413, "request_too_large"},     {415, "invalid_request_error"},
        {422, "invalid_request_error"}, {429, "rate_limit_error"},
        {503, "overloaded_error"},      {504, "timeout_error"},
        {529, "overloaded_error"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].status == status) {
            return types[i].type;
        }
    }
    return "api_error";
}

typedef struct failure {
    int status;
    const char *type, *param, *code;
    char message[2048];
} failure;

/* Anthropic and Ollama have no member for the field, so that the message begins with it. */
static void write_message(json_out *out, const char *key, const failure *f)
{
    out_text_begin(out, key);
    size_t n = f->param != NULL ? strlen(f->param) : 0;
    if (n > 0 && strncmp(f->message, f->param, n) != 0) {
        out_text_add(out, f->param, n);
        out_text_add(out, ": ", 2);
    }
    out_text_add(out, f->message, strlen(f->message));
    out_text_end(out);
}

static void write_failure(json_out *out, const exchange *x, const failure *f)
{
    out_object(out, NULL);
    switch (x->style) {
    case STYLE_ANTHROPIC: {
        char id[32];
        snprintf(id, sizeof id, "req_%llu", (unsigned long long)x->number);
        out_string(out, "type", "error");
        out_object(out, "error");
        out_string(out, "type", anthropic_type(f->status));
        write_message(out, "message", f);
        out_end_object(out);
        out_string(out, "request_id", id);
        break;
    }
    case STYLE_OLLAMA:
        write_message(out, "error", f);
        break;
    default:
        out_object(out, "error");
        out_text(out, "message", f->message, strlen(f->message));
        out_string(out, "type", f->type);
        out_string(out, "param", f->param);
        out_string(out, "code", f->code);
        out_end_object(out);
        break;
    }
    out_end_object(out);
}

static void reply_with(exchange *x, const failure *f)
{
    json_out out = {0};
    write_failure(&out, x, f);
    const char *json = out.failed ? out_of_memory(x->style) : out.text;
    size_t len = out.failed ? strlen(json) : out.len;
    if (x->begun) {
        send_last_error(x, json, len);
    } else {
        bool later = f->status == 429 || f->status == 503;
        deliver(x, f->status, json_type, later ? "Retry-After: 2\r\n" : NULL, json, len);
    }
    json_out_free(&out);
}

void reply_error(exchange *x, int status, const char *type, const char *param, const char *code,
                 const char *format, ...)
{
    failure f = {.status = status, .type = type, .param = param, .code = code};
    va_list args;
    va_start(args, format);
    vsnprintf(f.message, sizeof f.message, format, args);
    va_end(args);
    reply_with(x, &f);
}

void reply_bad_field(exchange *x, const char *param, const char *format, ...)
{
    failure f = {.status = 400, .type = "invalid_request_error", .param = param};
    va_list args;
    va_start(args, format);
    vsnprintf(f.message, sizeof f.message, format, args);
    va_end(args);
    reply_with(x, &f);
}

void reply_failure(exchange *x, int32_t status)
{
    reply_failure_of(x, status, NULL);
}

void reply_failure_of(exchange *x, int32_t status, const char *param)
{
    reply_failure_text(x, status, param, lfm2_last_error_code(), lfm2_last_error());
}

/* Clients of Anthropic's API know by these words that they must shorten the conversation. The
 * numbers are the first and the last one of the message. */
static void say_too_long(failure *f, const char *message)
{
    static const char digits[] = "0123456789";
    const char *first = message + strcspn(message, digits), *last = first;
    for (const char *at = first; *at != '\0'; at += strcspn(at, digits)) {
        last = at;
        at += strspn(at, digits);
    }
    if (strcmp(f->code, "context_length_exceeded") == 0 && *first != '\0') {
        f->param = NULL;
        snprintf(f->message, sizeof f->message, "prompt is too long: %.*s tokens > %.*s maximum",
                 (int)strspn(first, digits), first, (int)strspn(last, digits), last);
    }
}

void reply_failure_text(exchange *x, int32_t status, const char *param, const char *code,
                        const char *message)
{
    failure f = {.status = 500, .type = "server_error", .param = param, .code = code};
    switch (status) {
    case LFM2_E_ARGUMENT:
    case LFM2_E_TEXT:
    case LFM2_E_UNSUPPORTED:
    case LFM2_E_LIMIT:
        f.status = 400;
        f.type = "invalid_request_error";
        break;
    case LFM2_E_MEMORY:
        f.status = 503;
        f.code = "out_of_memory";
        break;
    case LFM2_E_CANCELLED:
        f.status = 503;
        f.code = "cancelled";
        break;
    default:
        break;
    }
    if (strcmp(code, "engine.context") == 0) {
        f.code = "context_length_exceeded";
    } else if (strcmp(code, "engine.queue") == 0) {
        f.status = 429;
        f.type = "rate_limit_error";
        f.code = "queue_full";
    }
    snprintf(f.message, sizeof f.message, "%s", message);
    if (x->style == STYLE_ANTHROPIC) {
        say_too_long(&f, message);
    }
    reply_with(x, &f);
}
