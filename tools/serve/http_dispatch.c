/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a request: the checks before its body is read, what the I/O thread answers
 * itself, and the way to the API. */
#include "serve/http_server.h"

#include <event2/bufferevent.h>

#include <stdlib.h>
#include <string.h>

extern const unsigned char http_page[];
extern const size_t http_page_len;
extern const char http_page_policy[];

void http_handle_bad(http_conn *c, const http_refusal *refusal)
{
    c->keep_alive = false;
    c->version_1_0 = c->request != NULL && c->version_1_0;
    const char *code = refusal->status == 408   ? "request_timeout"
                       : refusal->status == 429 ? "too_many_connections"
                       : refusal->status == 503 ? "overloaded"
                                                : "bad_request";
    http_error_headers(c, refusal->status, code, refusal->why,
                       refusal->status == 503 || refusal->status == 429 ? "Retry-After: 5\r\n"
                                                                        : NULL);
}

/* Refuses, and closes the connection: the body was not read. */
static void refuse(http_conn *c, int status, const char *code, const char *why)
{
    c->keep_alive = false;
    http_error(c, status, code, why);
}

static bool is_method(const http_request *r, const char *const *methods)
{
    for (; *methods != NULL; methods++) {
        if (strlen(*methods) == r->fields.method.len &&
            memcmp(*methods, r->fields.method.at, r->fields.method.len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_read(const http_request *r)
{
    static const char *const methods[] = {"GET", "HEAD", NULL};
    return is_method(r, methods);
}

static bool is_health(const http_request *r)
{
    return is_read(r) && (strcmp(r->path, "/health") == 0 || strcmp(r->path, "/v1/health") == 0);
}

static bool is_page(const http_request *r)
{
    return is_read(r) && (strcmp(r->path, "/") == 0 || strcmp(r->path, "/index.html") == 0);
}

/* Decodes the path; the query stays as it is. */
static bool take_path(http_request *r)
{
    http_text query;
    r->path = malloc(r->fields.target.len + 1);
    if (r->path == NULL || !http_head_path(r->fields.target, r->path, &query)) {
        free(r->path);
        r->path = NULL;
        return false;
    }
    r->query = strndup(query.at, query.len);
    return r->query != NULL;
}

/* The media type, without parameters. */
static bool is_json(http_text type)
{
    static const char json[] = "application/json";
    size_t n = sizeof json - 1;
    if (type.at == NULL || type.len < n) {
        return false;
    }
    http_text media = {type.at, n};
    return http_text_is(media, json) &&
           (type.len == n || type.at[n] == ';' || type.at[n] == ' ' || type.at[n] == '\t');
}

/* Length and type of the body. Returns false after a response. */
static bool check_body(http_conn *c, http_request *r)
{
    static const char *const known[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", NULL};
    static const char *const with_body[] = {"POST", "PUT", "PATCH", NULL};
    if (!is_method(r, known)) {
        refuse(c, 501, "method_not_supported", "this method is not supported");
        return false;
    }
    if (is_method(r, with_body) && !r->fields.has_length) {
        refuse(c, 411, "length_required", "send the body with Content-Length");
        return false;
    }
    if (r->fields.length > c->listener->server->options->max_body) {
        refuse(c, 413, "request_too_large", "the body of the request is too large");
        return false;
    }
    if (r->fields.length > 0 && !is_json(r->fields.content_type)) {
        refuse(c, 415, "unsupported_media_type", "send JSON, with Content-Type: application/json");
        return false;
    }
    return true;
}

/* The key of the request: whose it is. Returns false after a response. */
static bool check_key(http_conn *c, http_request *r)
{
    http_server *s = c->listener->server;
    if (s->keys.n == 0) {
        return true;
    }
    const http_key *key = http_keys_find(&s->keys, &r->fields);
    if (key == NULL) {
        if (is_page(r) || is_health(r)) {
            return true;
        }
        c->keep_alive = false;
        bool none = r->fields.authorization.at == NULL && r->fields.api_key.at == NULL;
        http_error_headers(c, 401, "invalid_api_key",
                           none ? "this server requires an API key: Authorization: Bearer KEY"
                                : "the API key is not valid",
                           "WWW-Authenticate: Bearer\r\n");
        return false;
    }
    char *name = NULL;
    size_t len = strlen(key->name);
    /* A copy: the keys may be read again while the request runs. */
    if (lf_arena_new(&r->arena, len + 1, 1, "name of a key", (void **)&name) == LFM2_OK) {
        memcpy(name, key->name, len + 1);
        r->key_name = name;
    }
    r->x.owner = key->owner;
    r->x.cache_scope = s->options->shared_cache ? 0 : key->owner;
    return true;
}

void http_handle_head(http_conn *c, http_request *r)
{
    http_server *s = c->listener->server;
    http_refusal refusal = http_access_check(c, &r->fields);
    if (!take_path(r)) {
        refuse(c, 400, "bad_request", "the target of the request is not a valid path");
    } else if (refusal.status != 0) {
        refuse(c, refusal.status, "forbidden", refusal.why);
    } else if (c->listener->kind == LISTEN_ADMIN) {
        if (r->fields.length > 0 || !is_read(r)) {
            refuse(c, 405, "method_not_allowed", "this address answers GET only");
        }
    } else if (s->draining && !is_health(r)) {
        c->keep_alive = false;
        http_error_headers(c, 503, "shutting_down", "the server is shutting down",
                           "Retry-After: 5\r\n");
    } else if (check_key(c, r) && check_body(c, r) && r->fields.expects_continue &&
               r->fields.length > 0) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        bufferevent_write(c->bev, go_on, sizeof go_on - 1);
    }
}

static void health(http_conn *c)
{
    bool good = !c->listener->server->draining;
    static const char ok[] = "{\"status\":\"ok\"}";
    static const char bad[] = "{\"status\":\"draining\"}";
    http_respond(c, good ? 200 : 503, "application/json", "Cache-Control: no-store\r\n",
                 good ? ok : bad, good ? sizeof ok - 1 : sizeof bad - 1);
}

static void page(http_conn *c)
{
    if (c->listener->server->options->no_page) {
        http_error(c, 404, "not_found", "this server has no page");
        return;
    }
    http_respond(c, 200, "text/html; charset=utf-8", http_page_policy, (const char *)http_page,
                 http_page_len);
}

/* Hands the request to the API. */
static void forward(http_conn *c, http_request *r)
{
    http_server *s = c->listener->server;
    char *method = NULL;
    if (lf_arena_new(&r->arena, r->fields.method.len + 1, 1, "method", (void **)&method) !=
        LFM2_OK) {
        refuse(c, 503, "out_of_memory", "there is no memory for the request");
        return;
    }
    memcpy(method, r->fields.method.at, r->fields.method.len);
    method[r->fields.method.len] = 0;
    r->x.sink = &http_sink;
    r->x.sink_data = &s->bridge;
    /* The API sees what it must answer; the response leaves the body out. */
    r->x.method = strcmp(method, "HEAD") == 0 ? "GET" : method;
    r->x.path = r->path;
    r->x.query = r->query;
    r->x.body = r->body;
    r->x.body_len = r->body_len;
    r->at_api = true;
    s->n_requests++;
    http_bridge_send(s, r, false);
}

void http_handle_body(http_conn *c, http_request *r)
{
    static const char *const options[] = {"OPTIONS", NULL};
    if (c->listener->kind == LISTEN_ADMIN) {
        http_admin(c, r);
    } else if (is_health(r)) {
        health(c);
    } else if (is_page(r)) {
        page(c);
    } else if (is_method(r, options)) {
        http_error(c, 405, "method_not_allowed", "other origins may not call this server");
    } else {
        forward(c, r);
    }
}
