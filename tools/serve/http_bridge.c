/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge between the I/O thread and the API thread: messages to the API, and what the API says
 * to the clients. */
#include "serve/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Requests that are handled before events of the engine get their turn. */
enum { REQUESTS_A_ROUND = 4 };

/* Outputs that are delivered before other events get their turn. */
enum { OUTPUTS_A_ROUND = 1024 };

/* ---- The sink: API thread ------------------------------------------------------------------- */

static bool reserve(http_output *out, size_t more)
{
    size_t capacity = out->capacity > 0 ? out->capacity : 256;
    if (more > SIZE_MAX / 4 || out->len > SIZE_MAX / 4) {
        return false;
    }
    while (capacity < out->len + more) {
        capacity *= 2;
    }
    if (capacity != out->capacity) {
        char *bytes = realloc(out->bytes, capacity);
        if (bytes == NULL) {
            return false;
        }
        out->bytes = bytes;
        out->capacity = capacity;
    }
    return true;
}

/* Adds the bytes to what the I/O thread will take. */
static void append(http_output *out, const char *bytes, size_t len)
{
    if (len > 0 && reserve(out, len)) {
        memcpy(out->bytes + out->len, bytes, len);
        out->len += len;
    } else if (len > 0) {
        out->failed = true;
    }
}

static void set_type(http_output *out, const char *content_type)
{
    strncpy(out->content_type, content_type, sizeof out->content_type - 1);
}

static http_request *request_of(exchange *x)
{
    return (http_request *)(void *)x;
}

static http_bridge *bridge_of(const http_request *r)
{
    return r->x.sink_data;
}

/* Puts the request among those with output, and wakes the I/O thread. Unlocks. */
static void publish(http_bridge *b, http_request *r)
{
    bool first = b->outputs == NULL;
    if (!r->out.queued) {
        r->out.queued = true;
        r->next_output = NULL;
        *b->last_output = r;
        b->last_output = &r->next_output;
    }
    pthread_mutex_unlock(&b->lock);
    if (first) {
        uint64_t one = 1;
        (void)!write(b->event_fd, &one, sizeof one);
    }
}

static void end_request(http_request *r)
{
    r->over = true;
    r->out.end = true;
    r->out.left = r->out.left || r->orphan;
}

static void sink_reply(exchange *x, int status, const char *content_type, const char *headers,
                       const char *body, size_t len)
{
    http_request *r = request_of(x);
    http_bridge *b = bridge_of(r);
    pthread_mutex_lock(&b->lock);
    r->out.reply = true;
    r->out.status = status;
    set_type(&r->out, content_type);
    if (headers != NULL) {
        r->out.headers = strdup(headers);
        r->out.failed = r->out.failed || r->out.headers == NULL;
    }
    append(&r->out, body, len);
    end_request(r);
    publish(b, r);
}

static void sink_begin(exchange *x, const char *content_type)
{
    http_request *r = request_of(x);
    http_bridge *b = bridge_of(r);
    pthread_mutex_lock(&b->lock);
    r->out.begin = true;
    r->out.status = 200;
    set_type(&r->out, content_type);
    publish(b, r);
}

static void sink_write(exchange *x, const char *bytes, size_t len)
{
    http_request *r = request_of(x);
    http_bridge *b = bridge_of(r);
    pthread_mutex_lock(&b->lock);
    append(&r->out, bytes, len);
    publish(b, r);
}

static void sink_end(exchange *x)
{
    http_request *r = request_of(x);
    http_bridge *b = bridge_of(r);
    pthread_mutex_lock(&b->lock);
    end_request(r);
    publish(b, r);
}

const exchange_sink http_sink = {sink_reply, sink_begin, sink_write, sink_end};

/* ---- The API thread ------------------------------------------------------------------------- */

/* The client has left: the API stops the work and lets go of the request. */
static void handle_leave(http_bridge *b, http_request *r)
{
    if (!r->over && r->x.gone == NULL) {
        r->orphan = true; /* until the API has finished it */
        return;
    }
    if (!r->over) {
        r->over = true;
        r->x.gone(&r->x);
    }
    pthread_mutex_lock(&b->lock);
    r->out.left = true;
    publish(b, r);
}

static void deadline_of(double at, struct timespec *out)
{
    out->tv_sec = (time_t)at;
    out->tv_nsec = (long)((at - (double)out->tv_sec) * 1e9);
}

/* Waits for messages, the engine or the time `tick`. Returns up to REQUESTS_A_ROUND messages. */
static http_message *wait_for_work(http_bridge *b, double tick, bool *notified, bool *stop)
{
    struct timespec until;
    deadline_of(tick, &until);
    pthread_mutex_lock(&b->lock);
    const api_histogram *histograms = api_histograms(b->api, &b->n_histograms);
    if (b->n_histograms > sizeof b->histograms / sizeof *b->histograms) {
        b->n_histograms = sizeof b->histograms / sizeof *b->histograms;
    }
    if (b->n_histograms > 0) {
        memcpy(b->histograms, histograms, b->n_histograms * sizeof *histograms);
    }
    int waited = 0;
    while (b->first == NULL && !b->notified && !b->stop && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&b->wake, &b->lock, &until);
    }
    http_message *list = b->first;
    http_message **end = &list;
    for (uint32_t n = 0; *end != NULL && n < REQUESTS_A_ROUND; n++) {
        end = &(*end)->next;
    }
    b->first = *end;
    *end = NULL;
    if (b->first == NULL) {
        b->last = &b->first;
    }
    *notified = b->notified;
    b->notified = false;
    *stop = b->stop;
    pthread_mutex_unlock(&b->lock);
    return list;
}

static void *api_thread(void *user)
{
    http_bridge *b = user;
    double tick = http_now() + 1;
    bool stop = false;
    while (!stop) {
        bool notified = false;
        http_message *message = wait_for_work(b, tick, &notified, &stop);
        while (message != NULL) {
            http_message *next = message->next; /* the request may be freed */
            if (message->leaves) {
                handle_leave(b, message->request);
            } else {
                api_handle(b->api, &message->request->x);
            }
            message = next;
        }
        if (notified) {
            api_events(b->api);
        }
        if (http_now() >= tick) {
            tick = http_now() + 1;
            api_tick(b->api, http_now());
        }
    }
    return NULL;
}

/* ---- The I/O thread ------------------------------------------------------------------------- */

bool http_bridge_init(http_bridge *b)
{
    pthread_condattr_t attributes;
    b->last = &b->first;
    b->last_output = &b->outputs;
    b->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&b->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return b->event_fd >= 0;
}

void http_bridge_free(http_bridge *b)
{
    if (b->event_fd >= 0) {
        close(b->event_fd);
    }
    pthread_cond_destroy(&b->wake);
    pthread_mutex_destroy(&b->lock);
}

bool http_bridge_start(http_bridge *b, api *a)
{
    b->api = a;
    b->has_thread = pthread_create(&b->thread, NULL, api_thread, b) == 0;
    return b->has_thread;
}

void http_bridge_stop(http_bridge *b)
{
    pthread_mutex_lock(&b->lock);
    b->stop = true;
    pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->lock);
    if (b->has_thread) {
        pthread_join(b->thread, NULL);
        b->has_thread = false;
    }
}

void http_notify(void *server)
{
    http_bridge *b = &((http_server *)server)->bridge;
    pthread_mutex_lock(&b->lock);
    b->notified = true;
    pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->lock);
}

void http_bridge_send(http_server *s, http_request *r, bool leaves)
{
    http_bridge *b = &s->bridge;
    http_message *message = leaves ? &r->leave : &r->handle;
    message->request = r;
    message->leaves = leaves;
    message->next = NULL;
    pthread_mutex_lock(&b->lock);
    *b->last = message;
    b->last = &message->next;
    pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->lock);
}

/* Writes what the API has said to the connection. */
static void deliver(http_request *r, const http_output *out)
{
    http_conn *c = r->conn;
    if (out->failed) {
        http_conn_close(c);
        return;
    }
    if (out->reply) {
        http_respond(c, out->status, out->content_type, out->headers, out->bytes, out->len);
        return;
    }
    if (out->begin) {
        http_stream_begin(c, out->content_type);
    }
    if (http_conn_pending(c) > HTTP_WRITE_CAP) {
        c->listener->server->slow++;
        http_conn_close(c);
        return;
    }
    http_stream_write(c, out->bytes, out->len);
    if (out->end) {
        http_stream_end(c);
    }
}

/* Takes the next request with output. Returns NULL if there is none. */
static http_request *take_output(http_bridge *b, http_output *out)
{
    pthread_mutex_lock(&b->lock);
    http_request *r = b->outputs;
    if (r != NULL) {
        b->outputs = r->next_output;
        if (b->outputs == NULL) {
            b->last_output = &b->outputs;
        }
        *out = r->out;
        r->out = (http_output){0};
    }
    pthread_mutex_unlock(&b->lock);
    return r;
}

void http_bridge_deliver(http_server *s)
{
    http_bridge *b = &s->bridge;
    uint64_t one = 1;
    (void)!read(b->event_fd, &one, sizeof one);
    for (uint32_t n = 0; n < OUTPUTS_A_ROUND; n++) {
        http_output out;
        http_request *r = take_output(b, &out);
        if (r == NULL) {
            return;
        }
        bool ended = out.left;
        if (r->conn != NULL) {
            deliver(r, &out); /* may free the request, if the API has ended it */
        } else if (ended) {
            http_log_request(s, r);
            s->n_requests--;
            http_request_free(s, r);
        }
        free(out.bytes);
        free(out.headers);
    }
    one = 1;
    (void)!write(b->event_fd, &one, sizeof one); /* the rest after other events */
}
