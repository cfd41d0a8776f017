/* SPDX-License-Identifier: Apache-2.0 */
/* Places of schemas in the document, their resources, and messages that name them. */
#include "text/grammar/schema_internal.h"

#include <stdio.h>
#include <string.h>

static bool key_is(const lf_json *member, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        if (lf_json_key_is(member, *keys)) {
            return true;
        }
    }
    return false;
}

lf_schema_holds lf_schema_holds_of(const lf_json *member)
{
    static const char *const maps[] = {"properties",  "patternProperties", "$defs",
                                       "definitions", "dependentSchemas",  "dependencies",
                                       NULL};
    static const char *const ones[] = {"items",
                                       "additionalProperties",
                                       "additionalItems",
                                       "prefixItems",
                                       "allOf",
                                       "anyOf",
                                       "oneOf",
                                       "not",
                                       "if",
                                       "then",
                                       "else",
                                       "contains",
                                       "propertyNames",
                                       "unevaluatedProperties",
                                       "unevaluatedItems",
                                       NULL};
    if (member->kind == LF_JSON_OBJECT) {
        return key_is(member, maps)   ? LF_HOLDS_MAP
               : key_is(member, ones) ? LF_HOLDS_SCHEMA
                                      : LF_HOLDS_NOTHING;
    }
    return member->kind == LF_JSON_ARRAY && key_is(member, ones) ? LF_HOLDS_LIST : LF_HOLDS_NOTHING;
}

/* ---- Messages ---- */

typedef struct pointer_text {
    char text[400];
    size_t n;
} pointer_text;

static void add(pointer_text *p, const char *text, size_t len)
{
    for (size_t i = 0; i < len && p->n + 4 < sizeof p->text; i++) {
        char c = text[i];
        p->text[p->n++] = (char)((uint8_t)c < 0x20 || c == 0x7F ? '?' : c);
    }
    p->text[p->n] = 0;
}

static void add_name(pointer_text *p, const char *text, size_t len)
{
    add(p, "/", 1);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '~' || text[i] == '/') {
            add(p, text[i] == '~' ? "~0" : "~1", 2);
        } else {
            add(p, text + i, 1);
        }
    }
}

static void add_step(pointer_text *p, const lf_place *place)
{
    if (place->keyword != NULL) {
        add(p, "/", 1);
        add(p, place->keyword, strlen(place->keyword));
    }
    if (place->name != NULL) {
        add_name(p, place->name, place->name_len);
    } else if (place->index != LF_NO_INDEX) {
        char digits[16];
        int n = snprintf(digits, sizeof digits, "/%u", (unsigned)place->index);
        add(p, digits, (size_t)n);
    }
}

static void write_pointer(const lf_schema *s, uint32_t place, const char *keyword,
                          pointer_text *out)
{
    /* The steps nearest to the place, if there are more. */
    enum { STEPS = 40 };
    uint32_t chain[STEPS];
    uint32_t n = 0;
    for (; s->places[place].parent != place && n < STEPS; place = s->places[place].parent) {
        chain[n++] = place;
    }
    out->n = 0;
    add(out, "#", 1);
    if (s->places[place].parent != place) {
        add(out, "/...", 4);
    }
    while (n > 0) {
        add_step(out, &s->places[chain[--n]]);
    }
    if (keyword != NULL) {
        add_name(out, keyword, strlen(keyword));
    }
}

int32_t lf_schema_fail(const lf_schema *s, int32_t status, uint32_t place, const char *keyword,
                       const char *why)
{
    pointer_text p;
    write_pointer(s, place, keyword, &p);
    return lf_fail(status, status == LFM2_E_UNSUPPORTED ? "schema.unsupported" : "schema.invalid",
                   "%s: %s", p.text, why);
}

int32_t lf_schema_ignore(lf_schema *s, uint32_t place, const char *keyword, const char *why)
{
    if (s->options->ignored == NULL) {
        return LFM2_OK;
    }
    pointer_text p;
    write_pointer(s, place, keyword, &p);
    return s->options->ignored(s->options->user, p.text, why);
}

int32_t lf_schema_cannot(lf_schema *s, const char *keyword, const char *why)
{
    const lf_value_node *node = &s->nodes[s->node];
    uint32_t place = node->n_lits > 0 ? node->lits[0] >> 1 : LF_ROOT;
    for (uint32_t i = node->n_lits; i-- > 0 && keyword != NULL;) {
        const uint32_t at = node->lits[i] >> 1;
        place = lf_json_get(s->places[at].value, keyword) != NULL ? at : place;
    }
    return s->options->lenient ? lf_schema_ignore(s, place, keyword, why)
                               : lf_schema_fail(s, LFM2_E_UNSUPPORTED, place, keyword, why);
}

/* ---- Places ---- */

static const lf_json *id_of(const lf_schema *s, const lf_json *value)
{
    const lf_json *id = lf_json_get(value, s->draft == LF_DRAFT_4 ? "id" : "$id");
    if (id == NULL || id->kind != LF_JSON_STRING || id->len == 0 || id->text[0] == '#' ||
        (s->draft <= LF_DRAFT_7 && lf_json_get(value, "$ref") != NULL)) {
        return NULL;
    }
    return id;
}

static int32_t add_resource(lf_schema *s, uint32_t place, const char *base, const lf_json *id)
{
    void *items = s->resources;
    LF_TRY(lf_schema_grow(s, &items, &s->cap_resources, s->n_resources + 1, sizeof *s->resources));
    s->resources = items;
    lf_resource *r = &s->resources[s->n_resources];
    *r = (lf_resource){.place = place, .uri = ""};
    if (id != NULL) {
        const char *hash = memchr(id->text, '#', id->len);
        size_t len = hash != NULL ? (size_t)(hash - id->text) : id->len;
        LF_TRY(lf_schema_join_uri(s, base, id->text, len, &r->uri));
    }
    s->places[place].resource = s->n_resources++;
    return LFM2_OK;
}

int32_t lf_schema_place(lf_schema *s, lf_place place, uint32_t *out)
{
    bool added = false;
    /* Values are found by their address, which is not used otherwise. */
    const lf_json *value = place.value;
    LF_TRY(lf_schema_intern(s, &s->by_value, &value, sizeof value, out, &added));
    if (!added) {
        return LFM2_OK;
    }
    if (value->kind != LF_JSON_OBJECT && value->kind != LF_JSON_TRUE &&
        value->kind != LF_JSON_FALSE) {
        return lf_schema_fail(s, LFM2_E_TEXT, place.parent,
                              place.keyword != NULL ? place.keyword : "$ref", "is no schema");
    }
    void *items = s->places;
    LF_TRY(lf_schema_grow(s, &items, &s->cap_places, *out + 1, sizeof *s->places));
    s->places = items;
    s->n_places = *out + 1;
    place.resource = s->places[place.parent].resource;
    s->places[*out] = place;
    const lf_json *id = id_of(s, value);
    if (place.parent == *out || id != NULL) {
        const char *base = place.parent == *out ? "" : s->resources[place.resource].uri;
        LF_TRY(add_resource(s, *out, base, id));
    }
    return LFM2_OK;
}

int32_t lf_schema_child(lf_schema *s, uint32_t parent, const char *keyword, const lf_json *value,
                        lf_lit *out)
{
    if (value->kind == LF_JSON_TRUE || value->kind == LF_JSON_FALSE) {
        *out = value->kind == LF_JSON_TRUE ? LF_LIT_TRUE : LF_LIT_FALSE;
        return LFM2_OK;
    }
    if (value->kind == LF_JSON_OBJECT && value->child == NULL) {
        *out = LF_LIT_TRUE;
        return LFM2_OK;
    }
    uint32_t place = 0;
    LF_TRY(lf_schema_place(s,
                           (lf_place){.value = value,
                                      .parent = parent,
                                      .keyword = keyword,
                                      .name = value->key,
                                      .name_len = value->key_len,
                                      .index = LF_NO_INDEX},
                           &place));
    *out = place << 1;
    return LFM2_OK;
}

int32_t lf_schema_item(lf_schema *s, uint32_t parent, const char *keyword, const lf_json *value,
                       uint32_t index, lf_lit *out)
{
    if (value->kind == LF_JSON_TRUE || value->kind == LF_JSON_FALSE) {
        *out = value->kind == LF_JSON_TRUE ? LF_LIT_TRUE : LF_LIT_FALSE;
        return LFM2_OK;
    }
    uint32_t place = 0;
    LF_TRY(lf_schema_place(
        s, (lf_place){.value = value, .parent = parent, .keyword = keyword, .index = index},
        &place));
    *out = place << 1;
    return LFM2_OK;
}
