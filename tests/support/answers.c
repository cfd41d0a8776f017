/* SPDX-License-Identifier: Apache-2.0 */
/* Parses answers in pieces and checks the laws of the chat parser. */
#include "support/answers.h"
#include "support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text that grows; a failed allocation ends the test program. */
typedef struct text {
    char *data;
    size_t len, capacity;
} text;

static void add(void *user, const char *bytes, size_t len)
{
    text *t = user;
    if (t->len + len >= t->capacity) {
        t->capacity = 2 * (t->len + len) + 64;
        t->data = realloc(t->data, t->capacity);
        if (t->data == NULL) {
            abort();
        }
    }
    memcpy(t->data + t->len, bytes, len);
    t->len += len;
    t->data[t->len] = '\0';
}

static void add_string(text *t, const char *string)
{
    add(t, string, strlen(string));
}

/* What the events say. Texts are sections of JSON strings. */
typedef struct seen {
    text content, reasoning;
    text calls; /* the array's items that are complete */
    text open;  /* the call that has started: up to its arguments */
    text arguments;
    uint32_t n_calls;
    bool is_open;
    char *covered; /* for each byte of the source whether a text event has it */
    size_t size;
} seen;

static const char *cover(seen *s, const char *source, const lfm2_chat_event *e)
{
    if (e->offset + e->len > s->size || memcmp(source + e->offset, e->text, e->len) != 0) {
        return "a text is not that of the source";
    }
    for (size_t i = 0; i < e->len; i++) {
        if (s->covered[e->offset + i]++ != 0) {
            return "a byte is in two texts";
        }
    }
    return NULL;
}

static void start_call(seen *s, const lfm2_chat_event *e)
{
    const lf_json_writer out = {.write = add, .user = &s->open};
    s->open.len = s->arguments.len = 0;
    s->is_open = true;
    add_string(&s->open, s->n_calls > 0 ? ", {\"id\": \"" : "{\"id\": \"");
    lf_json_write_text(&out, e->id, strlen(e->id));
    add_string(&s->open, "\", \"type\": \"function\", \"function\": {\"name\": \"");
    lf_json_write_text(&out, e->name, e->name_len);
    add_string(&s->open, "\", \"arguments\": \"");
}

static void end_call(seen *s)
{
    add(&s->calls, s->open.data, s->open.len);
    if (s->arguments.len > 0) {
        add(&s->calls, s->arguments.data, s->arguments.len);
    }
    add_string(&s->calls, "\"}}");
    s->is_open = false;
    s->n_calls++;
}

/* Applies an event. */
static const char *apply(seen *s, const char *source, const lfm2_chat_event *e)
{
    const bool reasoning = e->kind == LFM2_CHAT_EVENT_REASONING;
    const lf_json_writer out = {.write = add,
                                .user = e->kind == LFM2_CHAT_EVENT_ARGUMENTS ? &s->arguments
                                        : reasoning                          ? &s->reasoning
                                                                             : &s->content};
    switch (e->kind) {
    case LFM2_CHAT_EVENT_CONTENT:
    case LFM2_CHAT_EVENT_REASONING:
        lf_json_write_text(&out, e->text, e->len);
        return s->is_open ? "text inside of a call" : cover(s, source, e);
    case LFM2_CHAT_EVENT_ARGUMENTS:
        lf_json_write_text(&out, e->text, e->len);
        return s->is_open && e->call == s->n_calls ? NULL : "arguments without a call";
    case LFM2_CHAT_EVENT_CALL_START:
        if (s->is_open || e->call != s->n_calls) {
            return "a call starts inside of another one";
        }
        start_call(s, e);
        return NULL;
    case LFM2_CHAT_EVENT_CALL_END:
        if (!s->is_open || e->call != s->n_calls) {
            return "a call ends that has not started";
        }
        end_call(s);
        return NULL;
    default:
        if (e->kind != LFM2_CHAT_EVENT_CALL_UNDONE || !s->is_open || e->call != s->n_calls) {
            return "a call is undone that has not started";
        }
        s->is_open = false;
        return NULL;
    }
}

static const char *take_events(lf_chat_parser *p, const lfm2_chat_parser_options *options, seen *s)
{
    lfm2_chat_event e = {.size = sizeof e};
    size_t len = 0;
    while (lf_chat_parser_next(p, &e) == LFM2_OK && e.kind != LFM2_CHAT_EVENT_NONE) {
        const char *source = lf_chat_parser_source(p, &len);
        const char *broken = apply(s, source, &e);
        if (e.kind == LFM2_CHAT_EVENT_CALL_UNDONE &&
            (options->flags & LFM2_CHAT_PARSE_WHOLE_CALLS) != 0) {
            broken = "a whole call is undone";
        }
        if (broken != NULL) {
            return broken;
        }
    }
    return NULL;
}

/* ---- The message ---- */

static bool take(const char **at, const char *expected)
{
    size_t n = strlen(expected);
    bool equal = strncmp(*at, expected, n) == 0;
    *at += equal ? n : 0;
    return equal;
}

static const char *string_of(const text *t)
{
    return t->data != NULL ? t->data : "";
}

static const char *compare_message(const seen *s, const char *message)
{
    const char *at = message;
    bool equal = take(&at, "{\"role\": \"assistant\", \"content\": \"") &&
                 take(&at, string_of(&s->content)) && take(&at, "\"");
    if (take(&at, ", \"reasoning_content\": \"")) {
        equal = equal && take(&at, string_of(&s->reasoning)) && take(&at, "\"");
    } else {
        equal = equal && s->reasoning.len == 0;
    }
    if (s->n_calls > 0) {
        equal = equal && take(&at, ", \"tool_calls\": [") && take(&at, string_of(&s->calls)) &&
                take(&at, "]");
    }
    return equal && strcmp(at, "}") == 0 ? NULL : "the events do not give the message";
}

/* Whether message and arguments are JSON. */
static const char *check_json(const lf_alloc *alloc, const char *message)
{
    lf_arena arena;
    const lf_json *root = NULL;
    const lf_json *value = NULL;
    lf_arena_init(&arena, alloc);
    const char *broken = NULL;
    if (lf_json_parse(&arena, "message", LFM2_E_TEXT, message, strlen(message), &root) != LFM2_OK) {
        broken = "the message is not JSON";
    }
    const lf_json *calls = lf_json_get(root, "tool_calls");
    for (const lf_json *c = calls != NULL ? calls->child : NULL; c != NULL; c = c->next) {
        const lf_json *a = lf_json_get(lf_json_get(c, "function"), "arguments");
        if (lf_json_parse(&arena, "arguments", LFM2_E_TEXT, a->text, a->len, &value) != LFM2_OK ||
            value->kind != LF_JSON_OBJECT) {
            broken = "arguments are not a JSON object";
        }
    }
    lf_arena_free(&arena);
    return broken;
}

/* Every byte that is in no text and in no call is syntax. */
static const char *check_cover(const lf_chat_parser *p, seen *s)
{
    static const char *const markers[] = {
        "<|tool_call_start|>", "<|tool_call_end|>", "<think>", "</think>",
        "<|im_end|>",          "<|endoftext|>"};
    size_t len = 0;
    const char *source = lf_chat_parser_source(p, &len);
    for (uint32_t i = 0; i < lf_chat_parser_calls(p); i++) {
        lfm2_chat_call call = lf_chat_parser_call(p, i);
        for (size_t k = call.offset; k < call.offset + call.source_len; k++) {
            if (s->covered[k]++ != 0) {
                return "a byte is in a call and in a text";
            }
        }
    }
    for (size_t i = 0; i < len;) {
        size_t n = s->covered[i] != 0 || strchr(" \t\r\n,;[]", source[i]) != NULL ? 1 : 0;
        for (size_t m = 0; n == 0 && m < sizeof markers / sizeof markers[0]; m++) {
            n = strncmp(source + i, markers[m], strlen(markers[m])) == 0 ? strlen(markers[m]) : 0;
        }
        if (n == 0 || (source[i] == '\0' && s->covered[i] == 0)) {
            return "a byte is lost";
        }
        i += n;
    }
    return NULL;
}

static const char *check_end(const lf_alloc *alloc, const lf_chat_parser *p, seen *s,
                             char **message)
{
    text json = {0};
    const lf_json_writer out = {.write = add, .user = &json};
    lf_chat_parser_write(p, &out);
    const char *broken = s->is_open ? "a call does not end" : compare_message(s, json.data);
    broken = broken == NULL ? check_cover(p, s) : broken;
    broken = broken == NULL ? check_json(alloc, json.data) : broken;
    if (broken != NULL) {
        free(json.data);
        return broken;
    }
    *message = json.data;
    return NULL;
}

/* ---- Input ---- */

static size_t piece(lft_feed feed, uint64_t *random, size_t left)
{
    size_t n = feed == LFT_WHOLE ? left
               : feed == LFT_BYTES
                   ? 1
                   : 1 + random_below(random, random_below(random, 4) == 0 ? 40 : 3);
    return n < left ? n : left;
}

static int32_t *encode(const lf_tokenizer *tokenizer, const char *bytes, size_t len, size_t *n)
{
    int32_t *ids = malloc((len + 1) * sizeof *ids);
    const lf_span span = {bytes, len, true};
    if (ids == NULL ||
        lf_tokenizer_encode(tokenizer, &span, 1, false, ids, len + 1, n) != LFM2_OK) {
        abort();
    }
    return ids;
}

static const char *feed_all(lf_chat_parser *p, const lf_tokenizer *tokenizer,
                            const lfm2_chat_parser_options *options, const char *bytes, size_t len,
                            lft_feed feed, uint64_t seed, seen *s)
{
    size_t n = len;
    int32_t *ids = feed == LFT_TOKENS ? encode(tokenizer, bytes, len, &n) : NULL;
    const char *broken = NULL;
    int32_t status = LFM2_OK;
    for (size_t at = 0; at < n && broken == NULL && status == LFM2_OK;) {
        size_t more = piece(feed, &seed, n - at);
        status = ids != NULL ? lf_chat_parser_push(p, ids + at, more)
                             : lf_chat_parser_push_text(p, bytes + at, more);
        broken = take_events(p, options, s);
        at += more;
    }
    free(ids);
    if (status == LFM2_OK && broken == NULL) {
        status = lf_chat_parser_finish(p);
        broken = take_events(p, options, s);
    }
    return status != LFM2_OK ? "failed" : broken;
}

const char *lft_answer(const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                       const lfm2_chat_parser_options *options, const char *bytes, size_t len,
                       lft_feed feed, uint64_t seed, char **message)
{
    lf_chat_parser *p = NULL;
    seen s = {.size = len};
    *message = NULL;
    if (lf_chat_parser_create(alloc, tokenizer, options, &p) != LFM2_OK) {
        return "failed";
    }
    s.covered = calloc(len + 1, 1);
    if (s.covered == NULL) {
        abort();
    }
    const char *broken = feed_all(p, tokenizer, options, bytes, len, feed, seed, &s);
    size_t n = 0;
    if (broken == NULL && (memcmp(lf_chat_parser_source(p, &n), bytes, len) != 0 || n != len)) {
        broken = "the source is not the text";
    }
    if (broken == NULL) {
        broken = check_end(alloc, p, &s, message);
    }
    lf_chat_parser_free(p);
    free(s.covered);
    free(s.content.data);
    free(s.reasoning.data);
    free(s.calls.data);
    free(s.open.data);
    free(s.arguments.data);
    return broken;
}
