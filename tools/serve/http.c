/* SPDX-License-Identifier: Apache-2.0 */
/* The server: its loop, signals, and the end. */
#include "serve/http_server.h"

#include <event2/bufferevent.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPARE_DESCRIPTORS = 192, RELEASE_SECONDS = 10 };

void http_options_init(http_options *options)
{
    *options = (http_options){
        .host = "127.0.0.1",
        .port = 8080,
        .max_body = 8 * 1024 * 1024,
        .max_connections = 10000,
        .header_seconds = 15,
        .body_seconds = 300,
        .idle_seconds = 75,
        .write_seconds = 60,
        .drain_seconds = 30,
    };
}

static void say(const http_server *s, const char *text)
{
    if (s->options->say != NULL) {
        s->options->say(text);
    }
}

/* ---- The end -------------------------------------------------------------------------------- */

/* Whether a response is not complete, or a client has not taken it. */
static bool is_busy(const http_server *s)
{
    if (s->n_requests > 0) {
        return true;
    }
    for (const http_conn *c = s->conns; c != NULL; c = c->next) {
        if (c->state == CONN_BODY || http_conn_pending(c) > 0) {
            return true;
        }
    }
    return false;
}

/* Closes the connections; the API is told to stop their work. */
static void cut_off(http_server *s)
{
    s->cut = is_busy(s);
    while (s->conns != NULL) {
        http_conn_close(s->conns);
    }
}

static void check_end(http_server *s, double now)
{
    if (!s->draining) {
        return;
    }
    if (!is_busy(s)) {
        event_base_loopbreak(s->base);
    } else if (now > s->drain_end + RELEASE_SECONDS) {
        say(s, "a request does not end");
        _exit(1);
    } else if (now > s->drain_end) {
        cut_off(s);
    }
}

/* ---- Events --------------------------------------------------------------------------------- */

static void on_sweep(evutil_socket_t fd, short what, void *user)
{
    http_server *s = user;
    double now = http_now();
    (void)fd;
    (void)what;
    http_conn_sweep(s, now);
    if (s->paused) {
        http_listen_start(s);
    }
    check_end(s, now);
    struct timeval interval = {.tv_usec = s->draining ? 20000 : 250000};
    event_add(s->sweep, &interval);
}

static void on_reap(evutil_socket_t fd, short what, void *user)
{
    (void)fd;
    (void)what;
    http_conn_reap(user);
}

static void on_bridge(evutil_socket_t fd, short what, void *user)
{
    (void)fd;
    (void)what;
    http_bridge_deliver(user);
}

/* SIGTERM, SIGINT: no new requests; those that run are answered. The second one ends at once. */
static void on_end(evutil_socket_t fd, short what, void *user)
{
    http_server *s = user;
    struct timeval now = {0};
    (void)fd;
    (void)what;
    if (s->draining) {
        if (s->unlink_path != NULL) {
            unlink(s->unlink_path);
        }
        _exit(1);
    }
    s->draining = true;
    s->drain_end = http_now() + s->options->drain_seconds;
    http_systemd_notify("STOPPING=1");
    if (s->n_requests > 0) {
        say(s,
            "shutting down: requests in progress are answered first; a second signal ends at once");
    }
    event_add(s->sweep, &now);
}

/* SIGHUP: the keys and the name of the log may have changed. */
static void on_reload(evutil_socket_t fd, short what, void *user)
{
    http_server *s = user;
    char message[HTTP_MESSAGE];
    http_keys keys;
    (void)fd;
    (void)what;
    struct stat info;
    const char *path = s->options->key_file;
    if (path != NULL && stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        /* A pipe has no more keys, or would stop the server until somebody writes them. */
        snprintf(message, sizeof message, "%.200s: not a regular file; the keys stay", path);
        say(s, message);
    } else if (!http_keys_read(path, s->options->keys, s->options->n_keys, &keys, message)) {
        say(s, message); /* the keys of before stay */
    } else {
        http_keys_free(&s->keys);
        s->keys = keys;
    }
    if (!http_log_open(s, message)) {
        say(s, message);
    }
}

/* ---- Memory --------------------------------------------------------------------------------- */

static void *take_memory(void *user, size_t bytes, size_t align)
{
    http_memory *m = user;
    uint64_t before = atomic_fetch_add(&m->used, bytes);
    void *p = bytes > m->most || before > m->most - bytes
                  ? NULL
                  : m->base.alloc(m->base.user, bytes, align);
    if (p == NULL) {
        atomic_fetch_sub(&m->used, bytes);
    }
    return p;
}

static void return_memory(void *user, void *p, size_t bytes, size_t align)
{
    http_memory *m = user;
    m->base.free(m->base.user, p, bytes, align);
    atomic_fetch_sub(&m->used, p != NULL ? bytes : 0);
}

static void init_memory(http_server *s)
{
    s->memory.base = lf_alloc_default();
    s->memory.most = s->options->max_body * HTTP_ARENAS;
    atomic_init(&s->memory.used, 0);
    s->alloc = (lf_alloc){take_memory, return_memory, &s->memory};
}

/* ---- Starting ------------------------------------------------------------------------------- */

/* libevent would end the process without a message. */
static void on_fatal(int error)
{
    fprintf(stderr, "lfm2: libevent failed: error %d\n", error);
    _exit(1);
}

static void on_event_log(int severity, const char *text)
{
    if (severity >= EVENT_LOG_ERR) {
        fprintf(stderr, "lfm2: libevent: %s\n", text);
    }
}

/* Raises the limit of descriptors, and takes no more connections than there are. */
static void limit_connections(http_server *s)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)s->options->max_connections + SPARE_DESCRIPTORS * 2;
    s->max_conns = s->options->max_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    rlim_t half = limit.rlim_cur / 2;
    rlim_t most = limit.rlim_cur - (half < SPARE_DESCRIPTORS ? half : SPARE_DESCRIPTORS);
    if (most < s->max_conns) {
        char text[128];
        s->max_conns = (uint32_t)most;
        snprintf(text, sizeof text,
                 "%u connections at most: the limit of open files allows no more", s->max_conns);
        say(s, text);
    }
}

static bool add_events(http_server *s)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct timeval now = {0};
    s->reap = event_new(s->base, -1, 0, on_reap, s);
    s->sweep = event_new(s->base, -1, 0, on_sweep, s);
    s->bridge_event = event_new(s->base, s->bridge.event_fd, EV_READ | EV_PERSIST, on_bridge, s);
    if (s->reap == NULL || s->sweep == NULL || s->bridge_event == NULL ||
        event_add(s->bridge_event, NULL) != 0 || event_add(s->sweep, &now) != 0) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        s->signals[i] = evsignal_new(s->base, signals[i], on_end, s);
        if (s->signals[i] == NULL || event_add(s->signals[i], NULL) != 0) {
            return false;
        }
    }
    return true;
}

bool http_create(const http_options *options, http_server **out, char *message)
{
    *out = NULL;
    http_server *s = calloc(1, sizeof *s);
    if (s == NULL) {
        snprintf(message, HTTP_MESSAGE, "there is no memory");
        return false;
    }
    s->options = options;
    init_memory(s);
    s->log_fd = -1;
    s->start = http_now();
    s->client_seed = (uint64_t)(s->start * 1e9) ^ (uint64_t)(uintptr_t)s;
    event_set_fatal_callback(on_fatal);
    event_set_log_callback(on_event_log);
    bool good = http_bridge_init(&s->bridge);
    s->base = event_base_new();
    if (!good || s->base == NULL) {
        snprintf(message, HTTP_MESSAGE, "the event loop cannot be created: %s", strerror(errno));
        http_free(s);
        return false;
    }
    /* SIGHUP may arrive while the model is loaded: then the files are read again afterwards. Until
     * then the other signals end the process. */
    s->signals[2] = evsignal_new(s->base, SIGHUP, on_reload, s);
    if (s->signals[2] == NULL || event_add(s->signals[2], NULL) != 0) {
        snprintf(message, HTTP_MESSAGE, "there is no memory");
        http_free(s);
        return false;
    }
    limit_connections(s);
    if (!http_keys_read(options->key_file, options->keys, options->n_keys, &s->keys, message) ||
        !http_log_open(s, message) || !http_listen(s, message)) {
        http_free(s);
        return false;
    }
    *out = s;
    return true;
}

void http_free(http_server *s)
{
    if (s == NULL) {
        return;
    }
    struct event *events[] = {s->sweep,      s->reap,       s->bridge_event,
                              s->signals[0], s->signals[1], s->signals[2]};
    while (s->conns != NULL) {
        http_conn_close(s->conns);
    }
    http_conn_reap(s);
    http_listen_close(s);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (s->base != NULL) {
        event_base_free(s->base);
    }
    http_bridge_free(&s->bridge);
    http_keys_free(&s->keys);
    http_log_close(s);
    libevent_global_shutdown();
    free(s);
}

bool http_run(http_server *s, api *a, char *message)
{
    message[0] = 0;
    if (!add_events(s) || !http_bridge_start(&s->bridge, a)) {
        snprintf(message, HTTP_MESSAGE, "the server cannot be started: there is no memory");
        return false;
    }
    http_listen_start(s);
    http_systemd_notify("READY=1");
    event_base_dispatch(s->base);
    http_listen_close(s);
    http_bridge_stop(&s->bridge);
    return !s->cut;
}
