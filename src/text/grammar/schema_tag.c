/* SPDX-License-Identifier: Apache-2.0 */
/* What tells schemas apart at a glance: their types, and a required property that is one string. So
 * the alternatives of a large oneOf are compared without expanding every pair. */
#include "text/grammar/schema_internal.h"

#include <string.h>

static uint8_t types_of(const lf_json *type)
{
    static const struct {
        const char *name;
        uint8_t bits;
    } types[] = {{"null", LF_TYPE_NULL},     {"boolean", LF_TYPE_FALSE | LF_TYPE_TRUE},
                 {"number", LF_TYPE_NUMBER}, {"integer", LF_TYPE_NUMBER},
                 {"string", LF_TYPE_STRING}, {"array", LF_TYPE_ARRAY},
                 {"object", LF_TYPE_OBJECT}};
    uint8_t out = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (lf_json_is_string(type, types[i].name)) {
            return types[i].bits;
        }
    }
    if (type == NULL || type->kind != LF_JSON_ARRAY) {
        return LF_TYPE_ALL;
    }
    for (const lf_json *t = type->child; t != NULL; t = t->next) {
        out |= t->kind == LF_JSON_STRING ? types_of(t) : LF_TYPE_ALL;
    }
    return out;
}

/* The only string that a schema allows; NULL: not known. */
static const lf_json *only_string(const lf_json *schema)
{
    const lf_json *value = lf_json_get(schema, "const");
    const lf_json *list = lf_json_get(schema, "enum");
    if (lf_json_get(schema, "$ref") != NULL) {
        return NULL;
    }
    if (value == NULL && list != NULL && list->kind == LF_JSON_ARRAY && list->count == 1) {
        value = list->child;
    }
    return value != NULL && value->kind == LF_JSON_STRING ? value : NULL;
}

/* A constant that is not an array or object. */
static const lf_json *only_scalar(const lf_json *schema)
{
    const lf_json *value = lf_json_get(schema, "const");
    return value != NULL && value->kind < LF_JSON_ARRAY ? value : NULL;
}

static bool same_text(const lf_json *a, const lf_json *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* Plain integers are equal if their digits are. */
static bool is_plain(const lf_json *number)
{
    return memchr(number->text, '.', number->len) == NULL &&
           memchr(number->text, 'e', number->len) == NULL &&
           memchr(number->text, 'E', number->len) == NULL &&
           !(number->len == 2 && memcmp(number->text, "-0", 2) == 0);
}

static bool constants_differ(const lf_json *a, const lf_json *b)
{
    if (a->kind != b->kind) {
        return true;
    }
    return (a->kind == LF_JSON_STRING ||
            (a->kind == LF_JSON_NUMBER && is_plain(a) && is_plain(b))) &&
           !same_text(a, b);
}

static int32_t find_tag(lf_schema *s, uint32_t place, lf_tag *out)
{
    enum { HOPS = 4, NAMES = 8 };
    const lf_json *schema = s->places[place].value;
    *out = (lf_tag){.known = true, .types = LF_TYPE_ALL};
    for (int i = 0; i < HOPS && lf_json_get(schema, "$ref") != NULL; i++) {
        lf_lit target = LF_LIT_TRUE;
        lf_failure saved;
        lf_fail_save(&saved);
        const int32_t status = lf_schema_resolve(s, place, lf_json_get(schema, "$ref"), &target);
        if (status == LFM2_E_UNSUPPORTED) {
            /* Whether it is refused or ignored is decided where the keyword is read. */
            lf_fail_restore(&saved);
            return LFM2_OK;
        }
        LF_TRY(status);
        place = target >> 1;
        schema = s->places[place].value;
    }
    if (schema->kind != LF_JSON_OBJECT || lf_json_get(schema, "$ref") != NULL) {
        return LFM2_OK;
    }
    out->types = types_of(lf_json_get(schema, "type"));
    out->only = only_scalar(schema);
    const lf_json *required = lf_json_get(schema, "required");
    const lf_json *properties = lf_json_get(schema, "properties");
    if (required == NULL || required->kind != LF_JSON_ARRAY || properties == NULL ||
        properties->kind != LF_JSON_OBJECT) {
        return LFM2_OK;
    }
    int n = 0;
    for (const lf_json *r = required->child; r != NULL && n < NAMES && out->value == NULL;
         r = r->next, n++) {
        LF_TRY(lf_schema_step(s, 1 + properties->count / 8));
        for (const lf_json *p = properties->child; p != NULL && r->kind == LF_JSON_STRING;
             p = p->next) {
            if (p->key_len == r->len && memcmp(p->key, r->text, r->len) == 0) {
                out->name = r;
                out->value = only_string(p);
            }
        }
    }
    return LFM2_OK;
}

int32_t lf_schema_differ(lf_schema *s, lf_lit a, lf_lit b, bool *out)
{
    lf_tag tags[2];
    *out = false;
    for (int i = 0; i < 2; i++) {
        const lf_lit lit = i == 0 ? a : b;
        if (lit <= LF_LIT_FALSE || (lit & 1) != 0) {
            return LFM2_OK;
        }
        if (!s->places[lit >> 1].tag.known) {
            LF_TRY(find_tag(s, lit >> 1, &tags[i]));
            s->places[lit >> 1].tag = tags[i];
        }
        tags[i] = s->places[lit >> 1].tag;
    }
    const uint8_t common = tags[0].types & tags[1].types;
    *out = common == 0 ||
           (tags[0].only != NULL && tags[1].only != NULL &&
            constants_differ(tags[0].only, tags[1].only)) ||
           (common == LF_TYPE_OBJECT && tags[0].value != NULL && tags[1].value != NULL &&
            same_text(tags[0].name, tags[1].name) && !same_text(tags[0].value, tags[1].value));
    return lf_schema_step(s, 1);
}
