/* SPDX-License-Identifier: Apache-2.0 */
/* Which names a browser may call the server by, and which pages may call it. A page of a stranger
 * reaches a server on this machine or network through the browser: by its address, which Origin
 * shows, or by a name of the stranger that resolves to the address (DNS rebinding), which Host
 * shows. */
#include "serve/http_server.h"

#include <event2/bufferevent.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

bool http_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&in->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr) && in->sin6_addr.s6_addr[12] == 127);
    }
    return address->sa_family == AF_UNIX;
}

/* An address as 16 bytes; those of IPv4 are mapped. False if the text is none. */
static bool read_address(const char *text, struct in6_addr *out)
{
    struct in_addr v4;
    if (inet_pton(AF_INET6, text, out) == 1) {
        return true;
    }
    if (inet_pton(AF_INET, text, &v4) != 1) {
        return false;
    }
    memset(out, 0, sizeof *out);
    out->s6_addr[10] = out->s6_addr[11] = 0xFF;
    memcpy(out->s6_addr + 12, &v4, 4);
    return true;
}

/* Whether the connection was made to this address. */
static bool is_local(const http_conn *c, const struct in6_addr *address)
{
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof local;
    struct in6_addr mine = {0};
    if (getsockname(bufferevent_getfd(c->bev), (struct sockaddr *)&local, &len) != 0) {
        return false;
    }
    if (local.ss_family == AF_INET6) {
        mine = ((const struct sockaddr_in6 *)(const void *)&local)->sin6_addr;
    } else if (local.ss_family == AF_INET) {
        mine.s6_addr[10] = mine.s6_addr[11] = 0xFF;
        memcpy(mine.s6_addr + 12, &((const struct sockaddr_in *)(const void *)&local)->sin_addr, 4);
    } else {
        return false;
    }
    return memcmp(&mine, address, sizeof mine) == 0;
}

static bool is_loopback_address(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

enum { MAX_NAME = 255 };

/* Divides HOST[:PORT] or [ADDRESS][:PORT]. `name` has MAX_NAME + 1 bytes. */
static bool read_host(http_text host, char *name)
{
    const char *end = host.at + host.len;
    const char *from = host.at;
    const char *to = NULL;
    const char *port = NULL;
    if (host.len > 0 && host.at[0] == '[') {
        from++;
        to = memchr(from, ']', host.len - 1);
        port = to != NULL ? to + 1 : NULL;
    } else {
        to = memchr(from, ':', host.len);
        to = to != NULL ? to : end;
        port = to;
    }
    if (to == NULL || to == from || (size_t)(to - from) > MAX_NAME) {
        return false;
    }
    if (port < end && (*port != ':' || end - port > 6)) {
        return false;
    }
    for (const char *p = port + 1; p < end; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
    }
    memcpy(name, from, (size_t)(to - from));
    name[to - from] = 0;
    return strlen(name) == (size_t)(to - from);
}

static bool host_is_allowed(const http_conn *c, http_text host)
{
    const http_options *o = c->listener->server->options;
    char name[MAX_NAME + 1];
    struct in6_addr address;
    if (!read_host(host, name)) {
        return false;
    }
    for (uint32_t i = 0; i < o->n_allowed_hosts; i++) {
        if (strcmp(o->allowed_hosts[i], "*") == 0 || strcasecmp(o->allowed_hosts[i], name) == 0) {
            return true;
        }
    }
    if (strcasecmp(name, "localhost") == 0 || (o->host != NULL && strcasecmp(o->host, name) == 0)) {
        return true;
    }
    return read_address(name, &address) && (is_loopback_address(&address) || is_local(c, &address));
}

/* Whether Origin is "SCHEME://" and the host that the request is for. */
static bool same_origin(http_text origin, http_text host)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (origin.len == n + host.len && strncasecmp(origin.at, schemes[i], n) == 0 &&
            strncasecmp(origin.at + n, host.at, host.len) == 0) {
            return true;
        }
    }
    return false;
}

http_refusal http_access_check(const http_conn *c, const http_head *head)
{
    static const http_refusal bad_host = {
        403, "this server is not called by the name in Host: --allowed-host adds a name"};
    static const http_refusal bad_origin = {403, "pages of other origins may not call this server"};
    if (!host_is_allowed(c, head->host)) {
        return bad_host;
    }
    if (head->origin.at != NULL && !same_origin(head->origin, head->host)) {
        return bad_origin;
    }
    return (http_refusal){0, NULL};
}
