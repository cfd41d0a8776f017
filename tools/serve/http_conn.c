/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: their states, time limits, reading and ending. */
#include "serve/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Bytes that may wait behind a request: the next head of a client that does not wait for the
 * response. */
enum { MAX_INPUT = 64 * 1024, LINGER_SECONDS = 2, FIRST_BODY = 4096 };

double http_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- Requests ------------------------------------------------------------------------------- */

static http_request *request_new(http_server *s, const char *head, size_t len)
{
    http_request *r = calloc(1, sizeof *r);
    char *copy = malloc(len);
    if (r == NULL || copy == NULL) {
        free(r);
        free(copy);
        return NULL;
    }
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    memcpy(copy, head, len);
    r->head = copy;
    r->start = http_now();
    r->wall = (double)wall.tv_sec + (double)wall.tv_nsec * 1e-9;
    r->key_name = "";
    lf_arena_init(&r->arena, &s->alloc);
    r->x.arena = &r->arena;
    r->x.number = ++s->next_number;
    return r;
}

void http_request_free(http_server *s, http_request *r)
{
    if (r == NULL) {
        return;
    }
    s->body_bytes -= r->body_capacity;
    lf_arena_free(&r->arena);
    free(r->out.bytes);
    free(r->out.headers);
    free(r->head);
    free(r->path);
    free(r->query);
    free(r->body);
    free(r);
}

/* ---- Ending --------------------------------------------------------------------------------- */

size_t http_conn_pending(const http_conn *c)
{
    return c->state == CONN_CLOSED ? 0 : evbuffer_get_length(bufferevent_get_output(c->bev));
}

void http_conn_close(http_conn *c)
{
    http_server *s = c->listener->server;
    http_request *r = c->request;
    if (c->state == CONN_CLOSED) {
        return;
    }
    if (r != NULL && c->state == CONN_WAIT) {
        s->left++;
        r->left = true;
        r->conn = NULL;
        http_bridge_send(s, r, true);
    } else {
        http_request_free(s, r);
    }
    c->request = NULL;
    c->state = CONN_CLOSED;
    bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        s->conns = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    c->next = s->closed;
    s->closed = c;
    event_active(s->reap, 0, 0);
}

void http_conn_reap(http_server *s)
{
    while (s->closed != NULL) {
        http_conn *c = s->closed;
        s->closed = c->next;
        http_client_remove(s, c->client);
        bufferevent_free(c->bev);
        free(c);
        s->n_conns--;
    }
}

/* The last response is written: tells the client, and reads what it still sends, because a close
 * with unread bytes could take the response away from it. */
static void linger(http_conn *c)
{
    shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    c->state = CONN_LINGER;
    c->deadline = http_now() + LINGER_SECONDS;
    bufferevent_enable(c->bev, EV_READ);
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* Reads a head. Returns false if bytes are missing or the connection has another state now. */
static bool read_head(http_conn *c)
{
    http_server *s = c->listener->server;
    struct evbuffer *input = bufferevent_get_input(c->bev);
    size_t len = evbuffer_get_length(input);
    http_refusal refusal = {0, NULL};
    if (len == 0) {
        return false;
    }
    if (!c->started) {
        c->started = true;
        c->deadline = http_now() + s->options->header_seconds;
    }
    len = len < HTTP_MAX_HEAD + 1 ? len : HTTP_MAX_HEAD + 1;
    const char *bytes = (const char *)evbuffer_pullup(input, (ev_ssize_t)len);
    if (bytes == NULL) {
        http_conn_close(c);
        return false;
    }
    size_t end = http_head_end(bytes, len, &c->scanned, &refusal);
    if (end == 0) {
        if (refusal.status != 0) {
            http_handle_bad(c, &refusal);
        }
        return false;
    }
    http_request *r = request_new(s, bytes, end);
    if (r == NULL) {
        http_conn_close(c);
        return false;
    }
    evbuffer_drain(input, end);
    c->started = false;
    c->request = r;
    r->conn = c;
    c->version_1_0 = true; /* until it is known */
    if (!http_head_read(r->head, end, &r->fields, &refusal)) {
        http_handle_bad(c, &refusal);
        return false;
    }
    c->version_1_0 = r->fields.version_1_0;
    c->keep_alive = r->fields.keep_alive;
    c->no_body = http_text_is(r->fields.method, "HEAD");
    c->state = CONN_BODY;
    c->deadline = http_now() + s->options->body_seconds;
    http_handle_head(c, r);
    return c->state == CONN_BODY || c->state == CONN_HEAD;
}

static bool grow_body(http_server *s, http_request *r, size_t need)
{
    size_t capacity = r->body_capacity > 0 ? r->body_capacity : FIRST_BODY;
    while (capacity < need) {
        capacity *= 2;
    }
    /* One byte more for a terminating NUL. */
    size_t most = (size_t)r->fields.length + 1;
    capacity = capacity < most ? capacity : most;
    char *body = realloc(r->body, capacity);
    if (body == NULL) {
        return false;
    }
    s->body_bytes += capacity - r->body_capacity;
    r->body = body;
    r->body_capacity = capacity;
    return true;
}

static bool read_body(http_conn *c)
{
    http_server *s = c->listener->server;
    http_request *r = c->request;
    struct evbuffer *input = bufferevent_get_input(c->bev);
    size_t len = evbuffer_get_length(input);
    size_t left = (size_t)r->fields.length - r->body_len;
    len = len < left ? len : left;
    if (r->body_len + len + 1 > r->body_capacity && !grow_body(s, r, r->body_len + len + 1)) {
        c->keep_alive = false;
        http_error(c, 503, "out_of_memory", "there is no memory for the body of the request");
        return false;
    }
    if (s->body_bytes > s->options->max_body * HTTP_BODIES) {
        c->keep_alive = false;
        http_error_headers(c, 503, "overloaded", "too many large requests are in progress",
                           "Retry-After: 5\r\n");
        return false;
    }
    evbuffer_remove(input, r->body + r->body_len, len);
    r->body_len += len;
    if (r->body_len < r->fields.length) {
        return false;
    }
    r->body[r->body_len] = 0;
    c->state = CONN_WAIT;
    c->deadline = 0;
    http_handle_body(c, r);
    return c->state == CONN_HEAD;
}

/* Takes as many requests from the input as are complete. The next one is read when the response
 * before it is written: a client cannot make the server collect responses. */
static void read_input(http_conn *c)
{
    bool more = true;
    while (more) {
        switch (c->state) {
        case CONN_HEAD:
            more = http_conn_pending(c) == 0 && read_head(c);
            if (c->state == CONN_HEAD && http_conn_pending(c) > 0 &&
                evbuffer_get_length(bufferevent_get_input(c->bev)) >= MAX_INPUT) {
                /* Until the response is written. Not a watermark: libevent 2.1 crashes where it has
                 * no memory for one. */
                bufferevent_disable(c->bev, EV_READ);
            }
            break;
        case CONN_BODY:
            more = read_body(c);
            break;
        case CONN_LINGER:
        case CONN_FLUSH:
            evbuffer_drain(bufferevent_get_input(c->bev), SIZE_MAX);
            more = false;
            break;
        case CONN_WAIT:
            if (evbuffer_get_length(bufferevent_get_input(c->bev)) >= MAX_INPUT) {
                http_conn_close(c);
            }
            more = false;
            break;
        case CONN_CLOSED:
            more = false;
            break;
        }
    }
}

void http_conn_next(http_conn *c)
{
    http_server *s = c->listener->server;
    if (c->state == CONN_CLOSED) {
        return;
    }
    c->request = NULL;
    c->progress = http_now();
    if (c->keep_alive && !s->cut) {
        c->state = CONN_HEAD;
        c->deadline = http_now() + s->options->idle_seconds;
        c->scanned = 0;
        c->started = false;
        if (evbuffer_get_length(bufferevent_get_input(c->bev)) > 0) {
            /* Not here: the caller may be reading. */
            bufferevent_trigger(c->bev, EV_READ,
                                BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
        }
        return;
    }
    c->state = CONN_FLUSH;
    c->deadline = 0;
    if (http_conn_pending(c) == 0) {
        linger(c);
    }
}

/* ---- Events --------------------------------------------------------------------------------- */

static void on_read(struct bufferevent *bev, void *user)
{
    (void)bev;
    read_input(user);
}

/* All output is written. */
static void on_write(struct bufferevent *bev, void *user)
{
    http_conn *c = user;
    (void)bev;
    c->progress = http_now();
    if (c->state == CONN_FLUSH) {
        linger(c);
    } else if (c->state != CONN_CLOSED) {
        bufferevent_enable(c->bev, EV_READ);
        read_input(c);
    }
}

static void on_event(struct bufferevent *bev, short what, void *user)
{
    (void)bev;
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        http_conn_close(user);
    }
}

static void sweep_one(http_conn *c, double now)
{
    http_server *s = c->listener->server;
    size_t pending = http_conn_pending(c);
    if (pending == 0 || pending < c->pending) {
        c->progress = now;
    }
    c->pending = pending;
    if (now - c->progress > s->options->write_seconds) {
        http_conn_close(c);
    } else if (c->deadline > 0 && now > c->deadline) {
        if (c->state == CONN_BODY || (c->state == CONN_HEAD && c->started)) {
            static const http_refusal late = {408, "the request was not complete in time"};
            http_handle_bad(c, &late);
        } else if (c->state != CONN_HEAD || pending == 0) {
            http_conn_close(c);
        }
    }
}

void http_conn_sweep(http_server *s, double now)
{
    http_conn *next;
    for (http_conn *c = s->conns; c != NULL; c = next) {
        next = c->next; /* `next` of what is closed is another list */
        sweep_one(c, now);
    }
}

/* ---- Opening -------------------------------------------------------------------------------- */

static void refuse_connection(http_conn *c, int status, const char *why)
{
    http_refusal refusal = {status, why};
    c->listener->server->rejected++;
    http_handle_bad(c, &refusal);
}

bool http_conn_open(http_listener *l, int fd, const struct sockaddr *address)
{
    http_server *s = l->server;
    int on = 1;
    bool too_many = false;
    http_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return false;
    }
    c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (c->bev == NULL) {
        free(c);
        return false;
    }
    if (!l->is_unix) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (l->kind == LISTEN_MAIN) {
            c->client = http_client_add(s, address, &too_many);
        }
    }
    c->listener = l;
    c->next = s->conns;
    if (s->conns != NULL) {
        s->conns->previous = c;
    }
    s->conns = c;
    s->n_conns++;
    c->state = CONN_HEAD;
    c->progress = http_now();
    c->deadline = c->progress + s->options->header_seconds;
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    if (bufferevent_enable(c->bev, EV_READ | EV_WRITE) != 0) {
        http_conn_close(c);
        return true;
    }
    if (s->n_conns > s->max_conns && l->kind == LISTEN_MAIN) {
        refuse_connection(c, 503, "the server has too many connections");
    } else if (too_many) {
        refuse_connection(c, 429, "this address has too many connections");
    }
    return true;
}
