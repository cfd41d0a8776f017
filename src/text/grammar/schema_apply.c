/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords that combine schemas as terms: references, allOf, anyOf, oneOf, not, if; constants that
 * are arrays or objects. */
#include "text/grammar/schema_keyword.h"

#include <stdio.h>

int32_t lf_on_ref(lf_keywords *k, const lf_json *m)
{
    lf_lit lit = 0;
    lf_terms one = {0};
    if (lf_json_key_is(m, "$recursiveRef") &&
        lf_json_get(k->s->places[LF_ROOT].value, "$recursiveAnchor") != NULL) {
        return lf_keyword_refuse(k, m->key, LF_TYPE_ALL, "the target depends on the value");
    }
    if (k->s->options->lenient && m->kind == LF_JSON_STRING) {
        lf_failure saved;
        lf_fail_save(&saved);
        const int32_t status = lf_schema_resolve(k->s, k->place, m, &lit);
        if (status == LFM2_E_UNSUPPORTED) {
            lf_fail_restore(&saved);
            return lf_keyword_refuse(k, m->key, LF_TYPE_ALL, "the target is not in the document");
        }
        LF_TRY(status);
    } else {
        LF_TRY(lf_schema_resolve(k->s, k->place, m, &lit));
    }
    if (!k->negated) {
        return lf_keyword_lit(k, &k->all, lit);
    }
    LF_TRY(lf_keyword_lit(k, &one, lit ^ 1));
    return lf_keyword_or(k, &k->any, &one);
}

static int32_t must_be_list(lf_keywords *k, const lf_json *m)
{
    return m->kind == LF_JSON_ARRAY && m->child != NULL
               ? LFM2_OK
               : lf_keyword_invalid(k, m, "must be an array that is not empty");
}

int32_t lf_on_all_of(lf_keywords *k, const lf_json *m)
{
    uint32_t index = 0;
    LF_TRY(must_be_list(k, m));
    for (const lf_json *c = m->child; c != NULL; c = c->next, index++) {
        lf_lit lit = 0;
        lf_terms one = {0};
        LF_TRY(lf_schema_item(k->s, k->place, m->key, c, index, &lit));
        if (k->negated) {
            LF_TRY(lf_keyword_lit(k, &one, lit ^ 1));
            LF_TRY(lf_keyword_or(k, &k->any, &one));
        } else {
            LF_TRY(lf_keyword_lit(k, &k->all, lit));
        }
    }
    return LFM2_OK;
}

int32_t lf_on_any_of(lf_keywords *k, const lf_json *m)
{
    uint32_t index = 0;
    lf_branch_list choice = {0};
    lf_terms none = {0};
    LF_TRY(must_be_list(k, m));
    for (const lf_json *c = m->child; c != NULL; c = c->next, index++) {
        lf_lit lit = 0;
        lf_terms one = {0};
        LF_TRY(lf_schema_item(k->s, k->place, m->key, c, index, &lit));
        if (k->negated) {
            LF_TRY(lf_keyword_lit(k, &none, lit ^ 1));
        } else {
            LF_TRY(lf_keyword_lit(k, &one, lit));
            LF_TRY(lf_keyword_or(k, &choice, &one));
        }
    }
    return k->negated ? lf_keyword_or(k, &k->any, &none) : lf_keyword_choice(k, &k->all, &choice);
}

/* The conditions of the schemas of a list. */
static int32_t lits_of(lf_keywords *k, const lf_json *m, lf_lit **out)
{
    void *memory = NULL;
    uint32_t index = 0;
    LF_TRY(lf_schema_new(k->s, m->count, sizeof(lf_lit), &memory));
    *out = memory;
    for (const lf_json *c = m->child; c != NULL; c = c->next, index++) {
        LF_TRY(lf_schema_item(k->s, k->place, m->key, c, index, &(*out)[index]));
    }
    return LFM2_OK;
}

/* Exactly one: each schema without those that may be valid together with it. */
int32_t lf_on_one_of(lf_keywords *k, const lf_json *m)
{
    lf_lit *lits = NULL;
    lf_branch_list choice = {0};
    lf_terms none = {0};
    LF_TRY(must_be_list(k, m));
    LF_TRY(lits_of(k, m, &lits));
    for (uint32_t i = 0; i < m->count; i++) {
        lf_terms one = {0};
        if (!k->negated) {
            LF_TRY(lf_keyword_lit(k, &one, lits[i]));
        }
        for (uint32_t j = 0; j < m->count; j++) {
            bool disjoint = false;
            if (i == j || (k->negated && j < i)) {
                continue;
            }
            LF_TRY(lf_schema_disjoint(k->s, lits[i], lits[j], &disjoint));
            if (disjoint) {
                continue;
            }
            if (!k->negated) {
                LF_TRY(lf_keyword_lit(k, &one, lits[j] ^ 1));
                continue;
            }
            /* Two are valid. */
            lf_terms two = {0};
            LF_TRY(lf_keyword_lit(k, &two, lits[i]));
            LF_TRY(lf_keyword_lit(k, &two, lits[j]));
            LF_TRY(lf_keyword_or(k, &k->any, &two));
        }
        if (k->negated) {
            LF_TRY(lf_keyword_lit(k, &none, lits[i] ^ 1));
        } else {
            LF_TRY(lf_keyword_or(k, &choice, &one));
        }
    }
    return k->negated ? lf_keyword_or(k, &k->any, &none) : lf_keyword_choice(k, &k->all, &choice);
}

int32_t lf_on_not(lf_keywords *k, const lf_json *m)
{
    lf_lit lit = 0;
    lf_terms one = {0};
    LF_TRY(lf_schema_item(k->s, k->place, m->key, m, LF_NO_INDEX, &lit));
    if (!k->negated) {
        return lf_keyword_lit(k, &k->all, lit ^ 1);
    }
    LF_TRY(lf_keyword_lit(k, &one, lit));
    return lf_keyword_or(k, &k->any, &one);
}

static int32_t branch_of_if(lf_keywords *k, lf_branch_list *choice, lf_lit condition,
                            const char *name)
{
    const lf_json *m = lf_json_get(k->schema, name);
    lf_terms one = {0};
    lf_lit lit = LF_LIT_TRUE;
    if (m != NULL) {
        LF_TRY(lf_schema_item(k->s, k->place, m->key, m, LF_NO_INDEX, &lit));
    }
    LF_TRY(lf_keyword_lit(k, &one, condition));
    LF_TRY(lf_keyword_lit(k, &one, lit ^ (k->negated ? 1 : 0)));
    return lf_keyword_or(k, choice, &one);
}

int32_t lf_on_if(lf_keywords *k, const lf_json *m)
{
    lf_lit lit = 0;
    lf_branch_list choice = {0};
    lf_branch_list *to = k->negated ? &k->any : &choice;
    if (lf_json_get(k->schema, "then") == NULL && lf_json_get(k->schema, "else") == NULL) {
        return LFM2_OK;
    }
    LF_TRY(lf_schema_item(k->s, k->place, m->key, m, LF_NO_INDEX, &lit));
    LF_TRY(branch_of_if(k, to, lit, "then"));
    LF_TRY(branch_of_if(k, to, lit ^ 1, "else"));
    return k->negated ? LFM2_OK : lf_keyword_choice(k, &k->all, &choice);
}

/* ---- Constants ---- */

static int32_t new_value(lf_schema *s, lf_json_kind kind, const char *key, lf_json **out)
{
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, 1, sizeof(lf_json), &memory));
    *out = memory;
    (*out)->kind = kind;
    (*out)->key = key;
    while (key != NULL && key[(*out)->key_len] != 0) {
        (*out)->key_len++;
    }
    return LFM2_OK;
}

static int32_t new_string(lf_schema *s, const char *key, const char *text, size_t len,
                          lf_json **out)
{
    LF_TRY(new_value(s, LF_JSON_STRING, key, out));
    (*out)->text = text;
    (*out)->len = len;
    return LFM2_OK;
}

static void append(lf_json *parent, lf_json **last, lf_json *child)
{
    if (*last == NULL) {
        parent->child = child;
    } else {
        (*last)->next = child;
    }
    *last = child;
    parent->count++;
}

/* {"const": value}; with the key of the value if it is a member. */
static int32_t new_constant(lf_schema *s, const lf_json *value, lf_json **out)
{
    void *memory = NULL;
    LF_TRY(new_value(s, LF_JSON_OBJECT, NULL, out));
    LF_TRY(lf_schema_new(s, 1, sizeof(lf_json), &memory));
    lf_json *copy = memory;
    *copy = *value;
    copy->key = "const";
    copy->key_len = 5;
    copy->next = NULL;
    (*out)->key = value->key;
    (*out)->key_len = value->key_len;
    (*out)->child = copy;
    (*out)->count = 1;
    return LFM2_OK;
}

/* The schema of one array or object. */
static int32_t constant_schema(lf_schema *s, const lf_json *value, lf_json **out)
{
    const bool object = value->kind == LF_JSON_OBJECT;
    lf_json *last = NULL;
    lf_json *last_part = NULL;
    lf_json *last_name = NULL;
    lf_json *type = NULL;
    lf_json *parts = NULL;
    lf_json *names = NULL;
    lf_json *no_more = NULL;
    LF_TRY(new_value(s, LF_JSON_OBJECT, NULL, out));
    LF_TRY(new_string(s, "type", object ? "object" : "array", object ? 6 : 5, &type));
    LF_TRY(new_value(s, object ? LF_JSON_OBJECT : LF_JSON_ARRAY,
                     object ? "properties" : "prefixItems", &parts));
    LF_TRY(new_value(s, LF_JSON_ARRAY, "required", &names));
    LF_TRY(new_value(s, LF_JSON_FALSE, object ? "additionalProperties" : "items", &no_more));
    for (const lf_json *c = value->child; c != NULL; c = c->next) {
        lf_json *part = NULL;
        lf_json *name = NULL;
        LF_TRY(new_constant(s, c, &part));
        append(parts, &last_part, part);
        if (object) {
            LF_TRY(new_string(s, NULL, c->key, c->key_len, &name));
            append(names, &last_name, name);
        }
    }
    append(*out, &last, type);
    append(*out, &last, parts);
    append(*out, &last, no_more);
    if (object) {
        append(*out, &last, names);
    } else {
        lf_json *least = NULL;
        void *digits = NULL;
        LF_TRY(new_value(s, LF_JSON_NUMBER, "minItems", &least));
        LF_TRY(lf_schema_new(s, 12, 1, &digits));
        least->text = digits;
        least->len = (size_t)snprintf(digits, 12, "%u", (unsigned)value->count);
        append(*out, &last, least);
    }
    return LFM2_OK;
}

int32_t lf_schema_constant(lf_schema *s, uint32_t place, const char *keyword, const lf_json *value,
                           lf_lit *out)
{
    bool added = false;
    uint32_t id = 0;
    LF_TRY(lf_schema_intern(s, &s->constants, &value, sizeof value, &id, &added));
    if (added) {
        lf_json *schema = NULL;
        uint32_t made = 0;
        LF_TRY(constant_schema(s, value, &schema));
        LF_TRY(lf_schema_place(
            s,
            (lf_place){.value = schema, .parent = place, .keyword = keyword, .index = LF_NO_INDEX},
            &made));
        s->constants.items[id].value = made;
    }
    *out = s->constants.items[id].value << 1;
    return LFM2_OK;
}
