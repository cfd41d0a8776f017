/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the tokens of answers up to a limit of memory; the oldest are dropped. */
#include "serve/replay.h"

#include "serve/json_out.h"

#include <stdlib.h>
#include <string.h>

struct replay_entry {
    replay_entry *next; /* in the bucket */
    replay_entry *older, *newer;
    size_t bytes, bucket;
    uint64_t owner;
    bool reasoning;
    char *key; /* content and calls */
    size_t key_len;
    int32_t *ids;
    size_t n;
};

void replay_init(replay *r, size_t max_bytes)
{
    *r = (replay){.max_bytes = max_bytes};
}

static void drop(replay *r, replay_entry *e)
{
    replay_entry **at = &r->buckets[e->bucket];
    while (*at != e) {
        at = &(*at)->next;
    }
    *at = e->next;
    *(e->older != NULL ? &e->older->newer : &r->oldest) = e->newer;
    *(e->newer != NULL ? &e->newer->older : &r->newest) = e->older;
    r->bytes -= e->bytes;
    free(e->key);
    free(e->ids);
    free(e);
}

void replay_free(replay *r)
{
    while (r->oldest != NULL) {
        drop(r, r->oldest);
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text of a message, without white space at its ends, which clients change. */
static void write_content(json_out *out, const lf_json *message)
{
    const lf_json *content = lf_json_get(message, "content");
    bool is_text = content != NULL && content->kind == LF_JSON_STRING;
    const char *text = is_text ? content->text : "";
    size_t len = is_text ? content->len : 0;
    while (len > 0 && is_space(text[0])) {
        text++, len--;
    }
    while (len > 0 && is_space(text[len - 1])) {
        len--;
    }
    out_text(out, NULL, text, len);
}

static void write_arguments(json_out *out, lf_arena *arena, const lf_json *arguments)
{
    const lf_json *value = NULL;
    if (arguments != NULL && arguments->kind == LF_JSON_STRING &&
        lf_json_parse(arena, "arguments", LFM2_E_TEXT, arguments->text, arguments->len, &value) ==
            LFM2_OK) {
        arguments = value;
    }
    out_value(out, NULL, arguments);
}

/* What must be equal in an answer and in the message that a client sends back. Returns the id of
 * the first call, or NULL. */
static const lf_json *write_key(json_out *out, lf_arena *arena, const lf_json *message)
{
    const lf_json *calls = lf_json_get(message, "tool_calls");
    if (calls == NULL || calls->kind != LF_JSON_ARRAY || calls->child == NULL) {
        return NULL;
    }
    out_array(out, NULL);
    write_content(out, message);
    for (const lf_json *call = calls->child; call != NULL; call = call->next) {
        const lf_json *function = lf_json_get(call, "function");
        out_array(out, NULL);
        out_value(out, NULL, lf_json_get(call, "id"));
        out_value(out, NULL, lf_json_get(function, "name"));
        write_arguments(out, arena, lf_json_get(function, "arguments"));
        out_end_array(out);
    }
    out_end_array(out);
    const lf_json *id = lf_json_get(calls->child, "id");
    return id != NULL && id->kind == LF_JSON_STRING && !out->failed ? id : NULL;
}

static size_t bucket_of(const lf_json *id)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < id->len; i++) {
        hash = (hash ^ (uint8_t)id->text[i]) * 0x100000001b3u;
    }
    return (size_t)((hash ^ hash >> 32) % REPLAY_BUCKETS);
}

/* The entry with this owner and key; NULL if there is none. */
static replay_entry *look_up(replay *r, size_t bucket, uint64_t owner, const json_out *key)
{
    replay_entry *e = r->buckets[bucket];
    while (e != NULL && !(e->owner == owner && e->key_len == key->len &&
                          memcmp(e->key, key->text, key->len) == 0)) {
        e = e->next;
    }
    return e;
}

/* Takes over the memory of `key`. */
static void add(replay *r, size_t bucket, uint64_t owner, json_out *key, bool reasoning,
                const int32_t *ids, size_t n)
{
    replay_entry *e = malloc(sizeof *e);
    int32_t *copy = malloc(n * sizeof *copy);
    if (e == NULL || copy == NULL) {
        free(e);
        free(copy);
        return;
    }
    memcpy(copy, ids, n * sizeof *copy);
    *e = (replay_entry){.next = r->buckets[bucket],
                        .older = r->newest,
                        .bytes = sizeof *e + key->capacity + n * sizeof *copy,
                        .bucket = bucket,
                        .owner = owner,
                        .reasoning = reasoning,
                        .key = key->text,
                        .key_len = key->len,
                        .ids = copy,
                        .n = n};
    *key = (json_out){0};
    r->buckets[bucket] = e;
    *(r->newest != NULL ? &r->newest->newer : &r->oldest) = e;
    r->newest = e;
    r->bytes += e->bytes;
    while (r->bytes > r->max_bytes && r->oldest != NULL) {
        drop(r, r->oldest);
    }
}

void replay_store(replay *r, uint64_t owner, const char *message, size_t len, const int32_t *ids,
                  size_t n)
{
    if (n == 0 || r->max_bytes == 0 || n > r->max_bytes / sizeof *ids) {
        return;
    }
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    json_out key = {0};
    const lf_json *value = NULL;
    if (lf_json_parse(&arena, "message", LFM2_E_TEXT, message, len, &value) == LFM2_OK) {
        const lf_json *id = write_key(&key, &arena, value);
        if (id != NULL) {
            size_t bucket = bucket_of(id);
            replay_entry *old = look_up(r, bucket, owner, &key);
            if (old != NULL) {
                drop(r, old);
            }
            add(r, bucket, owner, &key, lf_json_get(value, "reasoning_content") != NULL, ids, n);
        }
    }
    json_out_free(&key);
    lf_arena_free(&arena);
}

const int32_t *replay_find(replay *r, uint64_t owner, const lf_json *message, size_t *n,
                           bool *reasoning)
{
    if (r->oldest == NULL) {
        return NULL;
    }
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    json_out key = {0};
    const lf_json *id = write_key(&key, &arena, message);
    replay_entry *e = id != NULL ? look_up(r, bucket_of(id), owner, &key) : NULL;
    json_out_free(&key);
    lf_arena_free(&arena);
    if (e == NULL) {
        return NULL;
    }
    *n = e->n;
    *reasoning = e->reasoning;
    return e->ids;
}
