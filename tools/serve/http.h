/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server: accepts requests, checks them, and hands them to the API as exchanges. */
#ifndef LFM2_SERVE_HTTP_H
#define LFM2_SERVE_HTTP_H

#include "serve/api.h"

/* What the metrics and the agent report about the model. */
typedef struct http_figures {
    lfm2_engine_stats engine;
    lfm2_kv_usage kv;
    lfm2_cache_usage cache; /* of the prefix cache; zeros if there is none */
    uint64_t page_bytes;    /* keys and values of a page */
    uint32_t page_tokens;
    double longest_step; /* since the server started */
} http_figures;

typedef struct http_options {
    /* Listeners. Sockets that the service manager passes replace those of the options. */
    const char *host;      /* NULL = no TCP */
    uint32_t port;         /* 0 = any free one */
    const char *unix_path; /* NULL = none */
    const char *admin;     /* HOST:PORT; NULL = none */
    const char *agent;     /* HOST:PORT; NULL = none */

    /* Access. */
    const char *key_file; /* NULL = no keys */
    const char *const *keys;
    uint32_t n_keys;
    bool no_auth;                     /* beyond loopback without keys */
    bool shared_cache;                /* cached prefixes are found by all keys */
    const char *const *allowed_hosts; /* "*" = any */
    uint32_t n_allowed_hosts;

    /* Limits. */
    uint64_t max_body;
    uint32_t max_connections;
    uint32_t max_per_client; /* connections from an address; 0 = the default, without loopback */
    double header_seconds;   /* from the first byte of a request to the end of its head */
    double body_seconds;     /* from there to the end of its body */
    double idle_seconds;     /* between requests */
    double write_seconds;    /* without a byte that the client takes */
    double drain_seconds;    /* after SIGTERM */

    const char *log_path; /* of the access log; "-" = standard output; NULL = none */
    uint32_t max_running; /* of the engine: how many requests a balancer should send */
    bool no_page;         /* no chat page at / */
    void (*figures)(void *user, http_figures *out); /* on the I/O thread; fills zeros */
    void (*say)(const char *text);                  /* a message for the operator */
    void *user;
} http_options;

typedef struct http_server http_server;

enum { HTTP_MESSAGE = 512 };

/* Defaults for what is not NULL, 0 or false. */
void http_options_init(http_options *options);

/* Reads the keys and opens the listeners. `options` must outlive the server. Returns false with a
 * message of HTTP_MESSAGE bytes. */
bool http_create(const http_options *options, http_server **out, char *message);
void http_free(http_server *s);

/* Wakes the API thread, which then calls api_events: lfm2_engine_options.notify. */
void http_notify(void *server);

/* Serves until SIGTERM or SIGINT, then until all requests are over. Calls the API on a thread of
 * its own. Returns whether all requests were answered, or false with a message (empty if requests
 * were cut off). */
bool http_run(http_server *s, api *a, char *message);

#endif /* LFM2_SERVE_HTTP_H */
