/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1 request: request line and fields. It is read strictly: everything that two
 * parsers might understand differently is refused, so that a proxy in front cannot be misled. */
#ifndef LFM2_SERVE_HTTP_HEAD_H
#define LFM2_SERVE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_MAX_HEAD = 16 * 1024, HTTP_MAX_FIELDS = 100 };

/* Bytes of the head, without white space around them. `at` is NULL if the field is absent. */
typedef struct http_text {
    const char *at;
    size_t len;
} http_text;

typedef struct http_head {
    http_text method, target;
    bool version_1_0;
    bool keep_alive; /* by version and Connection */
    bool has_length;
    bool expects_continue;
    uint64_t length; /* Content-Length */
    http_text host, origin, content_type, authorization, api_key;
} http_head;

/* A refusal: the status of the response, and why. The text is static. */
typedef struct http_refusal {
    int status; /* 0 = none */
    const char *why;
} http_refusal;

/* Looks for the end of the head in bytes[0..len), of which the first *scanned were seen by an
 * earlier call; updates *scanned. Returns the length of the head with its empty line, or 0 if more
 * bytes are needed or the head is refused. */
size_t http_head_end(const char *bytes, size_t len, size_t *scanned, http_refusal *refusal);

/* Reads a head that http_head_end has found. `out` points into it. Returns false if it is refused;
 * then *out has what was read before, and method and target may be missing. */
bool http_head_read(const char *bytes, size_t len, http_head *out, http_refusal *refusal);

/* Decodes the path of a target, up to '?', into `path` of target.len + 1 bytes. *query receives
 * what follows. Returns false if the target is not a path with valid escapes. */
bool http_head_path(http_text target, char *path, http_text *query);

/* Whether a text is `word`, in any case. */
bool http_text_is(http_text text, const char *word);

#endif /* LFM2_SERVE_HTTP_HEAD_H */
