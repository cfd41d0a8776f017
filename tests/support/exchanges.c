/* SPDX-License-Identifier: Apache-2.0 */
/* A sink of exchanges that keeps the response, and readers of what it keeps. */
#include "support/exchanges.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

/* ---- The sink ---- */

static void keep(lft_exchange *e, const char *bytes, size_t len)
{
    if (e->len + len + 1 > e->capacity) {
        e->capacity = 2 * (e->len + len + 1);
        e->text = realloc(e->text, e->capacity);
        assert_non_null(e->text);
    }
    if (len > 0) {
        memcpy(e->text + e->len, bytes, len);
    }
    e->len += len;
    e->text[e->len] = '\0';
}

/* The response is complete: the memory of the exchange is no longer valid. */
static void complete(lft_exchange *e)
{
    e->over = true;
    lf_arena_free(&e->arena);
    lf_arena_init(&e->arena, &e->alloc);
    free(e->request);
    e->request = NULL;
    e->x.body = NULL;
    e->x.body_len = 0;
}

static void begin(exchange *x, const char *content_type)
{
    lft_exchange *e = (lft_exchange *)x;
    assert_false(e->begun || e->over);
    e->begun = true;
    e->status = 200;
    snprintf(e->content_type, sizeof e->content_type, "%s", content_type);
    keep(e, "", 0);
}

static void add(exchange *x, const char *bytes, size_t len)
{
    lft_exchange *e = (lft_exchange *)x;
    assert_true(e->begun && !e->over);
    keep(e, bytes, len);
}

static void end(exchange *x)
{
    lft_exchange *e = (lft_exchange *)x;
    assert_true(e->begun && !e->over);
    complete(e);
}

static void reply(exchange *x, int status, const char *content_type, const char *headers,
                  const char *body, size_t len)
{
    lft_exchange *e = (lft_exchange *)x;
    assert_false(e->begun || e->over);
    e->status = status;
    snprintf(e->content_type, sizeof e->content_type, "%s", content_type);
    snprintf(e->headers, sizeof e->headers, "%s", headers != NULL ? headers : "");
    keep(e, body, len);
    complete(e);
}

static const exchange_sink sink = {.reply = reply, .begin = begin, .write = add, .end = end};

/* ---- Exchanges ---- */

lft_exchange *lft_exchange_new_bytes(const char *method, const char *path, const char *body,
                                     size_t len)
{
    static uint64_t number;
    lft_exchange *e = calloc(1, sizeof *e);
    assert_non_null(e);
    e->alloc = lf_alloc_default();
    lf_arena_init(&e->arena, &e->alloc);
    lf_arena_init(&e->own, &e->alloc);
    e->request = malloc(len + 1); /* exact, so that sanitizers see reads beyond it */
    assert_non_null(e->request);
    if (len > 0) {
        memcpy(e->request, body, len);
    }
    e->request[len] = '\0';
    e->x = (exchange){.sink = &sink,
                      .number = ++number,
                      .method = method,
                      .path = path,
                      .query = "",
                      .body = e->request,
                      .body_len = len,
                      .arena = &e->arena};
    return e;
}

lft_exchange *lft_exchange_new(const char *method, const char *path, const char *body)
{
    return lft_exchange_new_bytes(method, path, body, strlen(body));
}

void lft_exchange_free(lft_exchange *e)
{
    lf_arena_free(&e->arena);
    lf_arena_free(&e->own);
    free(e->request);
    free(e->text);
    free(e);
}

/* ---- Responses ---- */

static const lf_json *parse(lft_exchange *e, const char *text, size_t len)
{
    const lf_json *value = NULL;
    if (lf_json_parse(&e->own, "response", LFM2_E_TEXT, text, len, &value) != LFM2_OK) {
        fail_msg("%s: %.*s", lf_fail_text(), (int)len, text);
    }
    return value;
}

const lf_json *lft_response(lft_exchange *e)
{
    assert_true(e->over);
    return parse(e, e->text, e->len);
}

/* An event: lines up to an empty one. Returns whether it has data. */
static bool read_event(const char *at, const char *stop, const char **name, size_t *name_len,
                       const char **data, size_t *data_len)
{
    *data = NULL;
    *name = "";
    *name_len = 0;
    while (at < stop) {
        const char *newline = memchr(at, '\n', (size_t)(stop - at));
        assert_non_null(newline);
        if (strncmp(at, "event: ", 7) == 0) {
            *name = at + 7;
            *name_len = (size_t)(newline - *name);
        } else if (strncmp(at, "data: ", 6) == 0) {
            assert_null(*data);
            *data = at + 6;
            *data_len = (size_t)(newline - *data);
        } else {
            assert_true(*at == ':');
        }
        at = newline + 1;
    }
    return *data != NULL;
}

const lf_json *lft_event(lft_exchange *e, uint32_t index, const char **name)
{
    assert_string_equal(e->content_type, "text/event-stream");
    const char *at = e->text, *stop;
    for (; (stop = strstr(at, "\n\n")) != NULL; at = stop + 2) {
        const char *event, *data;
        size_t n_event, n_data = 0;
        if (!read_event(at, stop + 1, &event, &n_event, &data, &n_data)) {
            continue;
        }
        if (index-- > 0) {
            continue;
        }
        bool done = n_data == 6 && strncmp(data, "[DONE]", 6) == 0;
        if (name != NULL) {
            assert_int_equal(
                lf_arena_string(&e->own, done ? data : event, done ? n_data : n_event, name),
                LFM2_OK);
        }
        return done ? NULL : parse(e, data, n_data);
    }
    if (e->over) {
        assert_string_equal(at, ""); /* nothing after the last event */
    }
    if (name != NULL) {
        *name = "";
    }
    return NULL;
}

const lf_json *lft_line(lft_exchange *e, uint32_t index)
{
    assert_string_equal(e->content_type, "application/x-ndjson");
    const char *at = e->text, *stop;
    for (; (stop = strchr(at, '\n')) != NULL; at = stop + 1) {
        if (index-- == 0) {
            return parse(e, at, (size_t)(stop - at));
        }
    }
    return NULL;
}

const lf_json *lft_get(const lf_json *value, const char *path)
{
    while (value != NULL && *path != '\0') {
        char key[128];
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        path += n + (path[n] == '.');
        if (value->kind == LF_JSON_ARRAY) {
            const lf_json *child = value->child;
            for (long i = strtol(key, NULL, 10); child != NULL && i > 0; i--) {
                child = child->next;
            }
            value = child;
        } else {
            value = lf_json_get(value, key);
        }
    }
    return value;
}

const char *lft_get_string(const lf_json *value, const char *path)
{
    const lf_json *found = lft_get(value, path);
    if (found == NULL || found->kind != LF_JSON_STRING) {
        fail_msg("%s is not a string", path);
        return "";
    }
    return found->text;
}

int64_t lft_get_int(const lf_json *value, const char *path)
{
    int64_t number = 0;
    if (!lf_json_i64(lft_get(value, path), &number)) {
        fail_msg("%s is not an integer", path);
    }
    return number;
}
