/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the head of an HTTP request. The first byte says in what pieces they arrive, which
 * changes nothing. What is accepted has one meaning: its lines, divided here in the simplest way,
 * have one Host, at most one Content-Length, and no Transfer-Encoding. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "serve/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* clang-format off */
static const char *const sections[] = {
    "GET / HTTP/1.1\r\n", "POST /v1/x?y HTTP/1.1\r\n", "\r\n", "\r\n\r\n", "\n", "\r", " ", "\t",
    ":", "Host: localhost\r\n", "Content-Length: 2\r\n", "Content-Length:",
    "Transfer-Encoding: chunked\r\n",
    "Content-Type: application/json\r\n", "Connection: close, keep-alive\r\n", "Origin: null\r\n",
    "Authorization: Bearer x\r\n", "X-Api-Key: x\r\n", "Expect: 100-continue\r\n", " HTTP/1.0\r\n",
    "%41", "%00", "%", "?", "#", "host:", "HOST : x\r\n", "X: y\r\n",
};
/* clang-format on */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    return fuzz_mutate_sections(&random, data, size, max_size, sections,
                                sizeof sections / sizeof *sections);
}

static bool inside(http_text text, const char *bytes, size_t len)
{
    return text.at == NULL || (text.at >= bytes && text.at + text.len <= bytes + len);
}

/* How many lines of the head are fields with this name, as a simple reader would find them. */
static unsigned count_fields(const char *bytes, size_t len, const char *name)
{
    unsigned n = 0;
    size_t name_len = strlen(name);
    for (size_t i = 0; i + 1 < len; i++) {
        if (bytes[i] == '\n' && i + 1 + name_len < len &&
            strncasecmp(bytes + i + 1, name, name_len) == 0 && bytes[i + 1 + name_len] == ':') {
            n++;
        }
    }
    return n;
}

static void check_head(const char *bytes, size_t len, const http_head *head)
{
    const http_text texts[] = {head->method,       head->target,        head->host,   head->origin,
                               head->content_type, head->authorization, head->api_key};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fuzz_must(inside(texts[i], bytes, len));
    }
    fuzz_must(head->method.len > 0 && head->target.len > 0 && head->host.len > 0);
    fuzz_must(count_fields(bytes, len, "host") == 1);
    fuzz_must(count_fields(bytes, len, "content-length") == (head->has_length ? 1 : 0));
    fuzz_must(count_fields(bytes, len, "transfer-encoding") == 0);
    fuzz_must(memchr(bytes, 0, len) == NULL);
    char *path = malloc(head->target.len + 1);
    http_text query;
    fuzz_must(path != NULL);
    if (http_head_path(head->target, path, &query)) {
        fuzz_must(path[0] == '/' && strlen(path) <= head->target.len);
        fuzz_must(query.len == 0 || inside(query, bytes, len));
    }
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece = size > 0 && data[0] > 0 ? data[0] : SIZE_MAX;
    size_t len = size > 0 ? size - 1 : 0;
    char *bytes = malloc(len + 1); /* exactly the bytes, so that a checker sees reads beyond */
    fuzz_must(bytes != NULL);
    memcpy(bytes, data + (size > 0 ? 1 : 0), len);
    http_refusal whole_refusal = {0, NULL};
    http_refusal refusal = {0, NULL};
    size_t scanned = 0;
    size_t whole = http_head_end(bytes, len, &scanned, &whole_refusal);
    size_t end = 0;
    scanned = 0;
    for (size_t n = 0; n < len && end == 0 && refusal.status == 0;) {
        n = piece < len - n ? n + piece : len;
        end = http_head_end(bytes, n, &scanned, &refusal);
    }
    fuzz_must(end == whole && refusal.status == whole_refusal.status);
    fuzz_must(whole <= HTTP_MAX_HEAD + 1 && (whole == 0 || refusal.status == 0));
    http_head head;
    if (whole > 0) {
        bool good = http_head_read(bytes, whole, &head, &refusal);
        fuzz_must(good == (refusal.status == 0));
        if (good) {
            check_head(bytes, whole, &head);
        }
    }
    free(bytes);
    return 0;
}
