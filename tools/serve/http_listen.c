/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners: TCP, a UNIX socket, sockets of the service manager; accepting, and how many
 * connections an address has. */
#include "serve/http_server.h"

#include <event2/listener.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, DEFAULT_PER_CLIENT = 256 };

/* Connections beyond the limit: those that are told that there are too many, and more of the admin
 * listener, so that a server full of clients still answers its probes. Together they take fewer
 * descriptors than limit_connections leaves. */
enum { SPARE_CONNS = 96, SPARE_ADMIN_CONNS = 32 };

/* ---- Connections of an address -------------------------------------------------------------- */

struct http_client {
    http_client *next;
    uint8_t address[16];
    uint32_t n;
};

/* An IPv4 address is mapped; of an IPv6 address the network counts, because a client has a whole
 * one. Returns false for other addresses. */
static bool client_address(const struct sockaddr *address, uint8_t out[16])
{
    memset(out, 0, 16);
    if (address->sa_family == AF_INET) {
        out[10] = out[11] = 0xFF;
        memcpy(out + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *in =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        memcpy(out, in, IN6_IS_ADDR_V4MAPPED(in) ? 16 : 8);
        return true;
    }
    return false;
}

static http_client **client_bucket(http_server *s, const uint8_t address[16])
{
    uint64_t hash = s->client_seed;
    for (size_t i = 0; i < 16; i++) {
        hash = (hash ^ address[i]) * 0x100000001B3u;
    }
    return &s->clients[(hash ^ hash >> 32) % HTTP_CLIENT_BUCKETS];
}

http_client *http_client_add(http_server *s, const struct sockaddr *address, bool *too_many)
{
    uint8_t key[16];
    uint32_t most = s->options->max_per_client;
    if ((most == 0 && http_is_loopback(address)) || !client_address(address, key)) {
        return NULL;
    }
    most = most > 0 ? most : DEFAULT_PER_CLIENT;
    http_client **bucket = client_bucket(s, key);
    http_client *client = *bucket;
    while (client != NULL && memcmp(client->address, key, 16) != 0) {
        client = client->next;
    }
    if (client == NULL) {
        client = calloc(1, sizeof *client);
        if (client == NULL) {
            *too_many = true;
            return NULL;
        }
        memcpy(client->address, key, 16);
        client->next = *bucket;
        *bucket = client;
    }
    client->n++;
    *too_many = client->n > most;
    return client;
}

void http_client_remove(http_server *s, http_client *client)
{
    if (client == NULL || --client->n > 0) {
        return;
    }
    http_client **at = client_bucket(s, client->address);
    while (*at != client) {
        at = &(*at)->next;
    }
    *at = client->next;
    free(client);
}

/* ---- Accepting ------------------------------------------------------------------------------ */

static void answer_agent(http_server *s, int fd)
{
    char line[64];
    size_t n = http_agent_line(s, line, sizeof line);
    (void)!send(fd, line, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    close(fd);
}

static void on_accept(struct evconnlistener *event, evutil_socket_t fd, struct sockaddr *address,
                      int len, void *user)
{
    http_listener *l = user;
    http_server *s = l->server;
    (void)event;
    (void)len;
    if (l->kind == LISTEN_AGENT) {
        answer_agent(s, fd);
        return;
    }
    s->accepted++;
    uint32_t spare = SPARE_CONNS + (l->kind == LISTEN_ADMIN ? SPARE_ADMIN_CONNS : 0);
    if (s->n_conns >= s->max_conns + spare || !http_conn_open(l, fd, address)) {
        s->rejected++;
        close(fd);
    }
}

/* There are no descriptors or no memory: tries again with the next sweep. */
static void on_accept_error(struct evconnlistener *event, void *user)
{
    http_listener *l = user;
    (void)event;
    l->server->paused = true;
    for (uint32_t i = 0; i < l->server->n_listeners; i++) {
        evconnlistener_disable(l->server->listeners[i].event);
    }
}

/* ---- Opening -------------------------------------------------------------------------------- */

static bool complain(char *message, const char *what, const char *why)
{
    snprintf(message, HTTP_MESSAGE, "%.200s: %s", what, why);
    return false;
}

/* Adds a socket that listens. */
static bool add_listener(http_server *s, int fd, listener_kind kind, char *message)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    if (s->n_listeners == HTTP_MAX_LISTENERS) {
        close(fd);
        return complain(message, "listen", "too many addresses");
    }
    http_listener *l = &s->listeners[s->n_listeners];
    *l = (http_listener){.server = s, .kind = kind, .fd = fd};
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return complain(message, "listen", strerror(errno));
    }
    l->is_unix = address.ss_family == AF_UNIX;
    l->is_loopback = http_is_loopback((struct sockaddr *)&address);
    l->event =
        evconnlistener_new(s->base, on_accept, l,
                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
    if (l->event == NULL) {
        close(fd);
        return complain(message, "listen", "there is no memory");
    }
    evconnlistener_set_error_cb(l->event, on_accept_error);
    s->n_listeners++;
    return true;
}

/* Opens the first address of a name that works. */
static bool listen_tcp(http_server *s, const char *host, const char *port, listener_kind kind,
                       char *message)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int on = 1;
    int error = getaddrinfo(host, port, &hints, &list);
    if (error != 0) {
        return complain(message, host, gai_strerror(error));
    }
    int fd = -1;
    error = 0;
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0) {
            error = errno;
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
            error = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0) {
        snprintf(message, HTTP_MESSAGE, "%.200s:%.20s: %s", host, port, strerror(error));
        return false;
    }
    return add_listener(s, fd, kind, message);
}

/* Divides HOST:PORT or [ADDRESS]:PORT, and opens it. */
static bool listen_at(http_server *s, const char *text, listener_kind kind, char *message)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof host) {
        return complain(message, text, "give an address as HOST:PORT");
    }
    size_t len = (size_t)(colon - text);
    bool brackets = text[0] == '[' && text[len - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(brackets ? len - 2 : len), text + (brackets ? 1 : 0));
    return listen_tcp(s, host, colon + 1, kind, message);
}

static bool listen_unix(http_server *s, const char *path, char *message)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat info;
    if (strlen(path) >= sizeof address.sun_path) {
        return complain(message, path, "the path is too long for a UNIX socket");
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return complain(message, path, strerror(errno));
    }
    /* A socket that a killed server has left is removed, one that answers is not. */
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode) &&
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno == ECONNREFUSED) {
        unlink(path);
    }
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Only the owner may connect. No other thread creates files yet. */
    mode_t before = umask(0177);
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                listen(fd, BACKLOG) == 0;
    int error = errno;
    umask(before);
    if (!good) {
        if (fd >= 0) {
            close(fd);
        }
        return complain(message, path, strerror(error));
    }
    s->unlink_path = path;
    return add_listener(s, fd, LISTEN_MAIN, message);
}

/* The kind of socket `index` by its name: names are separated by colons. */
static listener_kind kind_of(const char *names, uint32_t index)
{
    for (; names != NULL && index > 0; index--) {
        names = strchr(names, ':');
        names = names != NULL ? names + 1 : NULL;
    }
    size_t len = names != NULL ? strcspn(names, ":") : 0;
    if (len == 5 && memcmp(names, "admin", 5) == 0) {
        return LISTEN_ADMIN;
    }
    return len == 5 && memcmp(names, "agent", 5) == 0 ? LISTEN_AGENT : LISTEN_MAIN;
}

static bool check_access(const http_server *s, char *message)
{
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        const http_listener *l = &s->listeners[i];
        if (l->kind == LISTEN_MAIN && !l->is_loopback && s->keys.n == 0 && !s->options->no_auth) {
            return complain(message, "this address is not a loopback address",
                            "anybody on the network could use the server; give keys with "
                            "--api-key-file, or allow it with --no-auth");
        }
    }
    return true;
}

bool http_listen(http_server *s, char *message)
{
    const http_options *o = s->options;
    const char *names = NULL;
    char port[16];
    uint32_t n = http_systemd_sockets(&names);
    for (uint32_t i = 0; i < n; i++) {
        if (!add_listener(s, HTTP_FIRST_FD + (int)i, kind_of(names, i), message)) {
            return false;
        }
    }
    snprintf(port, sizeof port, "%u", o->port);
    if (n == 0 && o->host != NULL && !listen_tcp(s, o->host, port, LISTEN_MAIN, message)) {
        return false;
    }
    if (n == 0 && o->unix_path != NULL && !listen_unix(s, o->unix_path, message)) {
        return false;
    }
    return (o->admin == NULL || listen_at(s, o->admin, LISTEN_ADMIN, message)) &&
           (o->agent == NULL || listen_at(s, o->agent, LISTEN_AGENT, message)) &&
           check_access(s, message);
}

/* "listening on http://127.0.0.1:8080" */
static void announce(const http_server *s, const http_listener *l)
{
    static const char *const kinds[] = {"listening on", "admin on", "agent on"};
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    char host[64] = "?";
    char port[16] = "?";
    char text[256];
    if (s->options->say == NULL || getsockname(l->fd, (struct sockaddr *)&address, &len) != 0) {
        return;
    }
    if (l->is_unix) {
        const struct sockaddr_un *path = (const struct sockaddr_un *)(const void *)&address;
        snprintf(text, sizeof text, "%s unix:%.100s", kinds[l->kind], path->sun_path);
    } else {
        getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
        bool v6 = strchr(host, ':') != NULL;
        snprintf(text, sizeof text, "%s %s%s%s%s:%s", kinds[l->kind],
                 l->kind == LISTEN_AGENT ? "" : "http://", v6 ? "[" : "", host, v6 ? "]" : "",
                 port);
    }
    s->options->say(text);
}

void http_listen_start(http_server *s)
{
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        evconnlistener_enable(s->listeners[i].event);
        if (!s->announced) {
            announce(s, &s->listeners[i]);
        }
    }
    s->announced = true;
    s->paused = false;
}

void http_listen_close(http_server *s)
{
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        evconnlistener_free(s->listeners[i].event);
    }
    s->n_listeners = 0;
    if (s->unlink_path != NULL) {
        unlink(s->unlink_path);
        s->unlink_path = NULL;
    }
}
