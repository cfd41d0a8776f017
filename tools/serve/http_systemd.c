/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol of the service manager systemd: sockets that it opens, and messages about the state.
 */
#include "serve/http_server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

uint32_t http_systemd_sockets(const char **names)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    *names = NULL;
    if (pid == NULL || count == NULL || strtoll(pid, NULL, 10) != (long long)getpid()) {
        return 0;
    }
    long n = strtol(count, NULL, 10);
    *names = getenv("LISTEN_FDNAMES");
    return n > 0 && n <= HTTP_MAX_LISTENERS ? (uint32_t)n : 0;
}

void http_systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        strlen(path) >= sizeof address.sun_path) {
        return;
    }
    size_t len = strlen(path);
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = 0; /* a name in the abstract namespace */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd >= 0) {
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
        (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
        close(fd);
    }
}
