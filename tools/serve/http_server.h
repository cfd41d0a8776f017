/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the HTTP server share. Unless a comment says otherwise, functions and data are
 * for the I/O thread. */
#ifndef LFM2_SERVE_HTTP_SERVER_H
#define LFM2_SERVE_HTTP_SERVER_H

#include "serve/http.h"
#include "serve/http_head.h"

#include <event2/event.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct bufferevent;
struct evconnlistener;

typedef struct http_conn http_conn;
typedef struct http_request http_request;
typedef struct http_client http_client;

enum {
    HTTP_MAX_LISTENERS = 16,
    HTTP_WRITE_CAP = 1024 * 1024, /* bytes of a stream that the client has not taken */
    HTTP_STATUSES = 600
};

/* ---- Listeners ------------------------------------------------------------------------------ */

typedef enum listener_kind { LISTEN_MAIN, LISTEN_ADMIN, LISTEN_AGENT } listener_kind;

typedef struct http_listener {
    http_server *server;
    listener_kind kind;
    struct evconnlistener *event;
    int fd;
    bool is_unix;
    bool is_loopback;
} http_listener;

/* ---- The exchange of a connection ----------------------------------------------------------- */

/* A message to the API thread. Each request has one of each kind. */
typedef struct http_message {
    struct http_message *next;
    http_request *request;
    bool leaves; /* the client has left; otherwise: handle the request */
} http_message;

/* What the API has said, and the I/O thread has not taken yet. */
typedef struct http_output {
    char *bytes;
    size_t len, capacity;
    char *headers; /* of reply, or NULL */
    char content_type[80];
    int status;
    bool queued; /* in bridge.outputs */
    bool begin, reply, end;
    bool left;   /* the API has seen that the client left, and does not use the request any more */
    bool failed; /* memory */
} http_output;

struct http_request {
    exchange x; /* first */
    lf_arena arena;
    http_conn *conn; /* NULL after the client has left */
    http_message handle, leave;
    bool left; /* `leave` was sent */

    http_request *next_output; /* guarded by bridge.lock, and so is: */
    http_output out;

    bool at_api; /* `handle` was sent */
    bool over;   /* API thread: after reply or end */
    bool orphan; /* API thread: the client left, but the work cannot be stopped */

    double start;
    double wall;          /* seconds since 1970 */
    int status;           /* of the response; 0 = none yet */
    const char *key_name; /* "" without keys; for the log */
    char *head;           /* a copy, into which `fields` points */
    http_head fields;
    char *path;
    char *query;
    char *body;
    size_t body_len, body_capacity;
};

/* Releases a request that the API does not use. */
void http_request_free(http_server *s, http_request *r);

/* ---- Connections ---------------------------------------------------------------------------- */

typedef enum conn_state {
    CONN_HEAD,   /* reads a head */
    CONN_BODY,   /* reads a body */
    CONN_WAIT,   /* the API has the request */
    CONN_FLUSH,  /* writes the rest of the last response */
    CONN_LINGER, /* has sent the end; reads until the client ends, so that it gets the response */
    CONN_CLOSED
} conn_state;

struct http_conn {
    http_conn *next, *previous; /* in server.conns; `next` also in server.closed */
    http_listener *listener;
    struct bufferevent *bev;
    http_client *client;
    http_request *request; /* BODY and WAIT */
    double deadline;       /* of the state; 0 = none */
    double progress;       /* when the client last took bytes, or there were none */
    size_t scanned;        /* of the head */
    size_t pending;        /* bytes of output at the last look */
    conn_state state;
    bool started; /* a byte of the head is there */
    bool keep_alive, version_1_0, chunked, no_body;
    bool broken; /* a part of the response is missing, because there was no memory */
};

bool http_conn_open(http_listener *l, int fd, const struct sockaddr *address);
void http_conn_close(http_conn *c);
void http_conn_reap(http_server *s);              /* frees what is closed */
void http_conn_sweep(http_server *s, double now); /* closes what is late */
/* After a response: reads the next request, or closes. */
void http_conn_next(http_conn *c);
/* Bytes that the client has not taken. */
size_t http_conn_pending(const http_conn *c);

/* Counts the connections of an address; NULL if it has too many. */
http_client *http_client_add(http_server *s, const struct sockaddr *address, bool *too_many);
void http_client_remove(http_server *s, http_client *client);

/* ---- Requests ------------------------------------------------------------------------------- */

/* The head of the request is read. Responds, or continues with the body. */
void http_handle_head(http_conn *c, http_request *r);
/* The body is complete. */
void http_handle_body(http_conn *c, http_request *r);
/* Responds to a request that could not be read, and closes. */
void http_handle_bad(http_conn *c, const http_refusal *refusal);

/* Whether Host and Origin allow the request. */
http_refusal http_access_check(const http_conn *c, const http_head *head);
bool http_is_loopback(const struct sockaddr *address);

/* The requests of the admin listener. */
void http_admin(http_conn *c, http_request *r);
/* Writes the line of a balancer's agent: how much this server can take. Returns its length. */
size_t http_agent_line(http_server *s, char *out, size_t size);
/* Writes the metrics. Returns a text to free, or NULL. */
char *http_metrics(http_server *s, size_t *len);

/* ---- Responses ------------------------------------------------------------------------------ */

/* These write to the connection. A response ends with http_finish. */
void http_respond(http_conn *c, int status, const char *content_type, const char *headers,
                  const char *body, size_t len);
void http_stream_begin(http_conn *c, const char *content_type);
void http_stream_write(http_conn *c, const char *bytes, size_t len);
void http_stream_end(http_conn *c);

/* Ends the request of the connection: counts and logs it, frees it, and goes on. */
void http_finish(http_conn *c);

/* An error in the form of the API that the path belongs to, and http_finish. */
void http_error(http_conn *c, int status, const char *code, const char *why);
void http_error_headers(http_conn *c, int status, const char *code, const char *why,
                        const char *headers);

const char *http_status_text(int status);

/* ---- Keys ----------------------------------------------------------------------------------- */

typedef struct http_key {
    char *name;
    char *secret;
    size_t len;
    uint64_t owner;
} http_key;

typedef struct http_keys {
    http_key *items;
    uint32_t n;
} http_keys;

/* Reads a file with a key, or "name:key", a line, and adds `extra`. Returns false with a message.
 */
bool http_keys_read(const char *path, const char *const *extra, uint32_t n_extra, http_keys *out,
                    char *message);
void http_keys_free(http_keys *keys);
/* The key of a request; NULL if it has none that is valid. Takes the same time for any text of the
 * same length. */
const http_key *http_keys_find(const http_keys *keys, const http_head *head);

/* ---- Log ------------------------------------------------------------------------------------ */

bool http_log_open(http_server *s, char *message);
void http_log_close(http_server *s);
void http_log_request(http_server *s, const http_request *r);

/* ---- The service manager -------------------------------------------------------------------- */

/* The sockets that systemd passes: their number; *names receives LISTEN_FDNAMES. */
enum { HTTP_FIRST_FD = 3 };
uint32_t http_systemd_sockets(const char **names);
void http_systemd_notify(const char *state);

/* Opens the listeners. Returns false with a message. */
bool http_listen(http_server *s, char *message);
void http_listen_start(http_server *s);
void http_listen_close(http_server *s);

/* ---- The bridge between the threads --------------------------------------------------------- */

typedef struct http_bridge {
    pthread_mutex_t lock;
    pthread_cond_t wake;                  /* the API thread */
    int event_fd;                         /* wakes the I/O thread */
    http_message *first, **last;          /* to the API thread */
    http_request *outputs, **last_output; /* to the I/O thread */
    bool notified;                        /* by the engine */
    bool stop;
    /* A copy of what the API counts, and when it was taken. */
    api_histogram histograms[16];
    uint32_t n_histograms;
    pthread_t thread;
    bool has_thread;
    api *api;
} http_bridge;

bool http_bridge_init(http_bridge *b);
void http_bridge_free(http_bridge *b);
bool http_bridge_start(http_bridge *b, api *a);
/* Ends the API thread. Every request must be over. */
void http_bridge_stop(http_bridge *b);
void http_bridge_send(http_server *s, http_request *r, bool leaves);
/* Delivers what the API has said. */
void http_bridge_deliver(http_server *s);
extern const exchange_sink http_sink;

/* ---- The server ----------------------------------------------------------------------------- */

enum { HTTP_CLIENT_BUCKETS = 4096 };

/* The memory of all arenas: any thread. A body of small values takes up to 40 times its size. */
typedef struct http_memory {
    lf_alloc base;
    uint64_t most;
    atomic_uint_least64_t used;
} http_memory;

struct http_server {
    const http_options *options;
    struct event_base *base;
    http_listener listeners[HTTP_MAX_LISTENERS];
    uint32_t n_listeners;
    http_keys keys;
    http_memory memory;
    lf_alloc alloc; /* of the arenas: takes from `memory` */
    http_bridge bridge;

    http_conn *conns, *closed;
    uint32_t n_conns, max_conns;
    http_client *clients[HTTP_CLIENT_BUCKETS];
    uint64_t client_seed;
    uint64_t body_bytes; /* of all bodies in memory */
    uint64_t next_number;
    uint32_t n_requests; /* at the API */

    bool draining, cut;
    double drain_end;
    double start;
    struct event *sweep, *reap, *bridge_event, *signals[4];
    bool announced;
    const char *unlink_path; /* of the UNIX socket */
    bool paused;             /* accepting, because there are no descriptors */

    uint64_t responses[HTTP_STATUSES];
    uint64_t accepted, rejected, slow, left;

    int log_fd;
    bool log_owned;
    uint64_t log_lost;
    char date[40];
    int64_t date_second;
};

/* A monotonic clock. */
double http_now(void);

/* Bodies that may be in memory, and what is read from them, in multiples of the largest body. */
enum { HTTP_BODIES = 32, HTTP_ARENAS = 128 };

#endif /* LFM2_SERVE_HTTP_SERVER_H */
