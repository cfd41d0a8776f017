/* SPDX-License-Identifier: Apache-2.0 */
/* The access log: a JSON object a line for each request. It has no text of prompts or answers. */
#include "serve/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINE = 2048, MAX_LOGGED_PATH = 512 };

bool http_log_open(http_server *s, char *message)
{
    const char *path = s->options->log_path;
    http_log_close(s);
    if (path == NULL) {
        return true;
    }
    if (strcmp(path, "-") == 0) {
        s->log_fd = STDOUT_FILENO;
        return true;
    }
    s->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    s->log_owned = s->log_fd >= 0;
    if (s->log_fd < 0) {
        snprintf(message, HTTP_MESSAGE, "%.200s: the log cannot be opened: %s", path,
                 strerror(errno));
    }
    return s->log_fd >= 0;
}

void http_log_close(http_server *s)
{
    if (s->log_owned) {
        close(s->log_fd);
    }
    s->log_fd = -1;
    s->log_owned = false;
}

/* Copies text that may stand in a JSON string; other characters become '?'. */
static void plain(char *out, size_t size, const char *text, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)text[i];
        out[i] = ch < ' ' || ch > '~' || ch == '"' || ch == '\\' ? '?' : text[i];
    }
    out[n] = 0;
}

/* "2026-01-31T12:00:00.123Z" */
static void time_text(double wall, char *out, size_t size)
{
    time_t seconds = (time_t)wall;
    struct tm utc;
    char day[32] = "";
    if (gmtime_r(&seconds, &utc) != NULL) {
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    snprintf(out, size, "%s.%03dZ", day, (int)((wall - (double)seconds) * 1000) % 1000);
}

void http_log_request(http_server *s, const http_request *r)
{
    char line[MAX_LINE];
    char when[64];
    char path[MAX_LOGGED_PATH];
    char method[32];
    char model[128];
    if (s->log_fd < 0) {
        return;
    }
    const http_text target = r->fields.target;
    const char *query = target.at != NULL ? memchr(target.at, '?', target.len) : NULL;
    plain(path, sizeof path, target.at != NULL ? target.at : "",
          query != NULL ? (size_t)(query - target.at) : target.len);
    plain(method, sizeof method, r->fields.method.at != NULL ? r->fields.method.at : "",
          r->fields.method.len);
    plain(model, sizeof model, r->x.log.model != NULL ? r->x.log.model : "",
          r->x.log.model != NULL ? strlen(r->x.log.model) : 0);
    time_text(r->wall, when, sizeof when);
    /* A client that leaves before the response has no status; 499 is what others log. */
    int n = snprintf(line, sizeof line,
                     "{\"time\":\"%s\",\"request\":%llu,\"key\":\"%.100s\",\"method\":\"%s\","
                     "\"path\":\"%s\",\"status\":%d,\"seconds\":%.6f,\"model\":\"%s\","
                     "\"prompt_tokens\":%u,\"cached_tokens\":%u,\"generated_tokens\":%u,"
                     "\"finish\":\"%s\",\"disconnected\":%s}\n",
                     when, (unsigned long long)r->x.number, r->key_name, method, path,
                     r->status != 0 ? r->status : 499, http_now() - r->start, model,
                     r->x.log.prompt_tokens, r->x.log.cached_tokens, r->x.log.generated_tokens,
                     r->x.log.finish != NULL ? r->x.log.finish : "", r->left ? "true" : "false");
    /* The I/O thread must not wait for the reader of a pipe: a line that does not fit is lost. */
    struct pollfd ready = {.fd = s->log_fd, .events = POLLOUT};
    if (n <= 0 || (size_t)n >= sizeof line || poll(&ready, 1, 0) != 1 ||
        (ready.revents & POLLOUT) == 0 || write(s->log_fd, line, (size_t)n) != n) {
        s->log_lost++;
    }
}
