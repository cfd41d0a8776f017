/* SPDX-License-Identifier: Apache-2.0 */
/* References between schemas of one document: $ref with pointers, anchors and URIs, $dynamicRef
 * where only one target exists. */
#include "text/grammar/schema_internal.h"

#include <string.h>

/* ---- Pointers ---- */

/* Undoes ~0 and ~1 in place; returns the length. */
static size_t unescape_token(char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '~' && i + 1 < len && (text[i + 1] == '0' || text[i + 1] == '1')) {
            c = text[++i] == '0' ? '~' : '/';
        }
        text[n++] = c;
    }
    return n;
}

static const lf_json *member_of(const lf_json *value, const char *key, size_t len)
{
    if (value->kind == LF_JSON_ARRAY) {
        uint32_t index = 0;
        if (len == 0 || len > 8 || (len > 1 && key[0] == '0')) {
            return NULL;
        }
        for (size_t i = 0; i < len; i++) {
            if (key[i] < '0' || key[i] > '9') {
                return NULL;
            }
            index = index * 10 + (uint32_t)(key[i] - '0');
        }
        const lf_json *c = value->child;
        for (; c != NULL && index > 0; index--) {
            c = c->next;
        }
        return c;
    }
    if (value->kind != LF_JSON_OBJECT) {
        return NULL;
    }
    for (const lf_json *c = value->child; c != NULL; c = c->next) {
        if (c->key_len == len && memcmp(c->key, key, len) == 0) {
            return c;
        }
    }
    return NULL;
}

/* Follows a pointer (unescaped from the URI) from the schema at `place`. Schemas with an $id on the
 * way become the resource of what follows. *out is the target; 0: there is none. */
static int32_t follow(lf_schema *s, uint32_t place, const char *pointer, size_t len, uint32_t *out)
{
    const lf_json *value = s->places[place].value;
    lf_schema_holds holds = LF_HOLDS_SCHEMA; /* what `value` is */
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, len + 1, 1, &memory));
    char *token = memory;
    *out = 0;
    size_t start = 1;
    for (size_t at = 0; at < len;) {
        size_t end = at + 1;
        while (end < len && pointer[end] != '/') {
            end++;
        }
        memcpy(token, pointer + at + 1, end - at - 1);
        value = member_of(value, token, unescape_token(token, end - at - 1));
        if (value == NULL) {
            return LFM2_OK;
        }
        LF_TRY(lf_schema_step(s, 1 + value->count / 16));
        holds = holds == LF_HOLDS_SCHEMA    ? lf_schema_holds_of(value)
                : holds == LF_HOLDS_NOTHING ? LF_HOLDS_NOTHING
                                            : LF_HOLDS_SCHEMA;
        at = end;
        const bool schema = value->kind == LF_JSON_OBJECT || value->kind == LF_JSON_TRUE ||
                            value->kind == LF_JSON_FALSE;
        if (at == len || (holds == LF_HOLDS_SCHEMA && schema)) {
            void *path = NULL; /* ends with a 0 */
            LF_TRY(lf_schema_new(s, at - start + 1, 1, &path));
            memcpy(path, pointer + start, at - start);
            LF_TRY(lf_schema_place(
                s,
                (lf_place){.value = value, .parent = place, .keyword = path, .index = LF_NO_INDEX},
                &place));
            start = at + 1;
        }
    }
    *out = place;
    return LFM2_OK;
}

/* ---- Anchors and resources ---- */

/* Names a place in s->anchors: a resource by its URI, an anchor by URI, '#' and name. The first
 * place with a name has it. A dynamic anchor is also noted as byte 1 and its name, whatever its
 * resource is; if several places have it, the value is 0. */
static int32_t name_place(lf_schema *s, const char *uri, char mark, const lf_json *name,
                          uint32_t place)
{
    const size_t n_uri = strlen(uri);
    const size_t n_name = name != NULL ? name->len : 0;
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, n_uri + n_name + 1, 1, &memory));
    char *key = memory;
    size_t n = n_uri;
    memcpy(key, uri, n_uri);
    if (name != NULL) {
        key[n++] = mark;
        memcpy(key + n, name->text, n_name);
        n += n_name;
    }
    uint32_t id = 0;
    bool added = false;
    LF_TRY(lf_schema_intern(s, &s->anchors, key, n, &id, &added));
    if (added) {
        s->anchors.items[id].value = place;
    } else if (mark == '\1' && s->anchors.items[id].value != place) {
        s->anchors.items[id].value = 0;
    }
    return LFM2_OK;
}

static int32_t note_names(lf_schema *s, uint32_t place)
{
    const lf_json *value = s->places[place].value;
    const char *uri = s->resources[s->places[place].resource].uri;
    if (s->resources[s->places[place].resource].place == place) {
        LF_TRY(name_place(s, uri, '#', NULL, place));
    }
    static const char *const keys[] = {"$anchor", "$dynamicAnchor", "$id", "id"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const lf_json *name = lf_json_get(value, keys[i]);
        if (name == NULL || name->kind != LF_JSON_STRING || name->len == 0) {
            continue;
        }
        if (i < 2) {
            LF_TRY(name_place(s, uri, '#', name, place));
            if (i == 1) {
                LF_TRY(name_place(s, "", '\1', name, place));
            }
        } else if (name->text[0] == '#' && (i == 2 || s->draft == LF_DRAFT_4)) {
            lf_json tail = *name;
            tail.text++;
            tail.len--;
            LF_TRY(name_place(s, uri, '#', &tail, place));
        }
    }
    return LFM2_OK;
}

typedef struct visit {
    const lf_json *value;
    uint32_t parent;
    const char *keyword;
    uint32_t index;
    bool named;
} visit;

typedef struct visits {
    visit *items;
    uint32_t n, capacity;
} visits;

static int32_t push(lf_schema *s, visits *stack, visit v)
{
    if (v.value->kind != LF_JSON_OBJECT) {
        return LFM2_OK;
    }
    void *items = stack->items;
    LF_TRY(lf_schema_grow(s, &items, &stack->capacity, stack->n + 1, sizeof v));
    stack->items = items;
    stack->items[stack->n++] = v;
    return LFM2_OK;
}

static int32_t push_children(lf_schema *s, visits *stack, uint32_t place)
{
    for (const lf_json *m = s->places[place].value->child; m != NULL; m = m->next) {
        lf_schema_holds holds = lf_schema_holds_of(m);
        if (holds == LF_HOLDS_SCHEMA) {
            LF_TRY(push(s, stack, (visit){m, place, m->key, LF_NO_INDEX, false}));
        } else if (holds != LF_HOLDS_NOTHING) {
            uint32_t index = 0;
            for (const lf_json *c = m->child; c != NULL; c = c->next, index++) {
                LF_TRY(push(s, stack,
                            (visit){c, place, m->key, holds == LF_HOLDS_LIST ? index : LF_NO_INDEX,
                                    holds == LF_HOLDS_MAP}));
            }
        }
    }
    return LFM2_OK;
}

/* Visits every schema of the document and notes identifiers and anchors. */
static int32_t scan(lf_schema *s)
{
    visits stack = {0};
    s->scanned = true;
    LF_TRY(note_names(s, LF_ROOT));
    LF_TRY(push_children(s, &stack, LF_ROOT));
    while (stack.n > 0) {
        visit v = stack.items[--stack.n];
        uint32_t place = 0;
        LF_TRY(lf_schema_place(s,
                               (lf_place){.value = v.value,
                                          .parent = v.parent,
                                          .keyword = v.keyword,
                                          .name = v.named ? v.value->key : NULL,
                                          .name_len = v.named ? v.value->key_len : 0,
                                          .index = v.index},
                               &place));
        LF_TRY(note_names(s, place));
        LF_TRY(push_children(s, &stack, place));
    }
    return LFM2_OK;
}

/* ---- References ---- */

static int32_t find_target(lf_schema *s, uint32_t from, const lf_json *ref, uint32_t *out)
{
    const lf_resource resource = s->resources[s->places[from].resource];
    const char *hash = memchr(ref->text, '#', ref->len);
    size_t n_uri = hash != NULL ? (size_t)(hash - ref->text) : ref->len;
    const char *fragment = "";
    size_t n_fragment = 0;
    if (hash != NULL) {
        LF_TRY(lf_schema_unescape(s, hash + 1, ref->len - n_uri - 1, &fragment, &n_fragment));
    }
    *out = 0;
    uint32_t root = resource.place;
    const char *uri = resource.uri;
    if (n_uri > 0) {
        const struct lf_name *found = NULL;
        LF_TRY(s->scanned ? LFM2_OK : scan(s));
        LF_TRY(lf_schema_join_uri(s, resource.uri, ref->text, n_uri, &uri));
        LF_TRY(lf_schema_find(s, &s->anchors, uri, strlen(uri), &found));
        if (found == NULL) {
            return LFM2_OK;
        }
        root = found->value;
    }
    if (n_fragment == 0 || fragment[0] == '/') {
        return n_fragment == 0 ? (*out = root, LFM2_OK)
                               : follow(s, root, fragment, n_fragment, out);
    }
    LF_TRY(s->scanned ? LFM2_OK : scan(s));
    const size_t len = strlen(uri);
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, len + n_fragment + 1, 1, &memory));
    char *key = memory;
    memcpy(key, uri, len);
    key[len] = '#';
    memcpy(key + len + 1, fragment, n_fragment);
    const struct lf_name *found = NULL;
    LF_TRY(lf_schema_find(s, &s->anchors, key, len + 1 + n_fragment, &found));
    *out = found != NULL ? found->value : 0;
    return LFM2_OK;
}

/* Whether a $dynamicRef can have another target than a $ref: several schemas have the anchor. */
static int32_t is_dynamic(lf_schema *s, const lf_json *ref, bool *out)
{
    const char *hash = memchr(ref->text, '#', ref->len);
    *out = false;
    if (hash == NULL || hash + 1 == ref->text + ref->len || hash[1] == '/') {
        return LFM2_OK;
    }
    LF_TRY(s->scanned ? LFM2_OK : scan(s));
    const size_t n = ref->len - (size_t)(hash - ref->text);
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, n + 1, 1, &memory));
    char *key = memory;
    memcpy(key, hash, n);
    key[0] = '\1';
    const struct lf_name *found = NULL;
    LF_TRY(lf_schema_find(s, &s->anchors, key, n, &found));
    *out = found != NULL && found->value == 0;
    return LFM2_OK;
}

/* The number in s->targets of a reference from a resource; its value is the target, or 0. */
static int32_t known_target(lf_schema *s, uint32_t from, const lf_json *ref, uint32_t *out)
{
    const uint32_t resource = s->places[from].resource;
    void *memory = NULL;
    bool added = false;
    LF_TRY(lf_schema_new(s, ref->len + sizeof resource, 1, &memory));
    char *key = memory;
    memcpy(key, ref->text, ref->len);
    memcpy(key + ref->len, &resource, sizeof resource);
    return lf_schema_intern(s, &s->targets, key, ref->len + sizeof resource, out, &added);
}

int32_t lf_schema_resolve(lf_schema *s, uint32_t from, const lf_json *ref, lf_lit *out)
{
    if (ref->kind != LF_JSON_STRING) {
        return lf_schema_fail(s, LFM2_E_TEXT, from, ref->key, "must be a string");
    }
    uint32_t place = 0;
    bool dynamic = false;
    uint32_t known = 0;
    LF_TRY(known_target(s, from, ref, &known));
    place = s->targets.items[known].value;
    if (lf_json_key_is(ref, "$dynamicRef")) {
        LF_TRY(is_dynamic(s, ref, &dynamic));
        if (dynamic) {
            return lf_schema_fail(s, LFM2_E_UNSUPPORTED, from, ref->key,
                                  "several schemas have this dynamic anchor");
        }
    }
    LF_TRY(place == 0 ? find_target(s, from, ref, &place) : LFM2_OK);
    s->targets.items[known].value = place;
    if (place == 0) {
        return lf_schema_fail(s, LFM2_E_UNSUPPORTED, from, ref->key,
                              "the document contains no such schema");
    }
    const lf_json *target = s->places[place].value;
    *out = target->kind == LF_JSON_TRUE    ? LF_LIT_TRUE
           : target->kind == LF_JSON_FALSE ? LF_LIT_FALSE
                                           : place << 1;
    return LFM2_OK;
}
