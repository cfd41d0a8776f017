/* SPDX-License-Identifier: Apache-2.0 */
/* Responses: heads, bodies, streams in chunks, errors. */
#include "serve/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
    int status;
    const char *text;
} statuses[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {529, "Overloaded"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (statuses[i].status == status) {
            return statuses[i].text;
        }
    }
    return "Status";
}

/* The value of Date, which changes once a second. */
static const char *date(http_server *s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    if ((int64_t)now.tv_sec != s->date_second && gmtime_r(&now.tv_sec, &utc) != NULL) {
        s->date_second = (int64_t)now.tv_sec;
        snprintf(s->date, sizeof s->date, "%s, %02d %s %d %02d:%02d:%02d GMT",
                 days[utc.tm_wday % 7], utc.tm_mday, months[utc.tm_mon % 12], utc.tm_year + 1900,
                 utc.tm_hour, utc.tm_min, utc.tm_sec);
    }
    return s->date;
}

static void add(http_conn *c, const char *bytes, size_t len)
{
    if (len > 0 && !c->broken) {
        c->broken = bufferevent_write(c->bev, bytes, len) != 0;
    }
}

/* The lines that all responses have, without the empty line. */
static void add_head(http_conn *c, int status, const char *content_type)
{
    http_server *s = c->listener->server;
    char head[512];
    if (c->request != NULL) {
        c->request->status = status;
    }
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d %s\r\nDate: %s\r\nX-Content-Type-Options: nosniff\r\n", status,
                     http_status_text(status), date(s));
    add(c, head, (size_t)n);
    if (content_type != NULL && content_type[0] != 0) {
        n = snprintf(head, sizeof head, "Content-Type: %.200s\r\n", content_type);
        add(c, head, (size_t)n);
    }
    if (!c->keep_alive) {
        add(c, "Connection: close\r\n", 19);
    } else if (c->version_1_0) {
        add(c, "Connection: keep-alive\r\n", 24);
    }
}

void http_respond(http_conn *c, int status, const char *content_type, const char *headers,
                  const char *body, size_t len)
{
    char line[64];
    if (c->state == CONN_CLOSED) {
        return;
    }
    c->keep_alive = c->keep_alive && !c->listener->server->draining;
    add_head(c, status, content_type);
    if (headers != NULL) {
        add(c, headers, strlen(headers));
    }
    int n = status == 204 ? snprintf(line, sizeof line, "\r\n")
                          : snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", len);
    add(c, line, (size_t)n);
    if (!c->no_body && status != 204) {
        add(c, body, len);
    }
    http_finish(c);
}

void http_stream_begin(http_conn *c, const char *content_type)
{
    if (c->state == CONN_CLOSED) {
        return;
    }
    c->keep_alive = c->keep_alive && !c->listener->server->draining;
    c->chunked = !c->version_1_0;
    if (!c->chunked) {
        c->keep_alive = false; /* the end of the connection is the end of the body */
    }
    add_head(c, 200, content_type);
    static const char lines[] = "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n";
    add(c, lines, sizeof lines - 1);
    if (c->chunked) {
        static const char chunked[] = "Transfer-Encoding: chunked\r\n";
        add(c, chunked, sizeof chunked - 1);
    }
    add(c, "\r\n", 2);
}

void http_stream_write(http_conn *c, const char *bytes, size_t len)
{
    char size[32];
    if (c->state == CONN_CLOSED || c->no_body || len == 0) {
        return;
    }
    if (c->chunked) {
        int n = snprintf(size, sizeof size, "%zx\r\n", len);
        add(c, size, (size_t)n);
    }
    add(c, bytes, len);
    if (c->chunked) {
        add(c, "\r\n", 2);
    }
    if (c->broken) {
        http_conn_close(c);
    }
}

void http_stream_end(http_conn *c)
{
    if (c->state == CONN_CLOSED) {
        return;
    }
    if (c->chunked && !c->no_body) {
        add(c, "0\r\n\r\n", 5);
    }
    http_finish(c);
}

void http_finish(http_conn *c)
{
    http_server *s = c->listener->server;
    http_request *r = c->request;
    if (r != NULL) {
        s->n_requests -= r->at_api ? 1 : 0;
        if (r->status > 0 && r->status < HTTP_STATUSES && c->listener->kind == LISTEN_MAIN) {
            s->responses[r->status]++;
        }
        if (c->listener->kind == LISTEN_MAIN) {
            http_log_request(s, r);
        }
        http_request_free(s, r);
        c->request = NULL;
    }
    if (c->broken) {
        http_conn_close(c); /* there was no memory: the client sees that the response is cut */
        return;
    }
    http_conn_next(c);
}

/* ---- Errors --------------------------------------------------------------------------------- */

static const char *anthropic_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 413:
        return "request_too_large";
    case 429:
        return "rate_limit_error";
    case 503:
        return "overloaded_error";
    default:
        return status < 500 ? "invalid_request_error" : "api_error";
    }
}

static const char *openai_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 429:
        return "rate_limit_error";
    default:
        return status < 500 ? "invalid_request_error" : "server_error";
    }
}

void http_error_headers(http_conn *c, int status, const char *code, const char *why,
                        const char *headers)
{
    char body[1024];
    const char *path = c->request != NULL && c->request->path != NULL ? c->request->path : "";
    int n = 0;
    if (strncmp(path, "/v1/messages", 12) == 0) {
        n = snprintf(body, sizeof body,
                     "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"}}",
                     anthropic_type(status), why);
    } else if (strncmp(path, "/api/", 5) == 0) {
        n = snprintf(body, sizeof body, "{\"error\":\"%s\"}", why);
    } else {
        n = snprintf(body, sizeof body,
                     "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,"
                     "\"code\":\"%s\"}}",
                     why, openai_type(status), code);
    }
    http_respond(c, status, "application/json", headers, body, (size_t)n);
}

void http_error(http_conn *c, int status, const char *code, const char *why)
{
    http_error_headers(c, status, code, why, NULL);
}
