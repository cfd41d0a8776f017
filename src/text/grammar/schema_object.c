/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of objects: named properties in order, then additional ones. */
#include "text/grammar/schema_internal.h"

enum {
    MAX_CELLS = 200000, /* properties times counts */
    SHARED = 8          /* after this many properties, what follows is a rule of its own */
};

typedef struct object {
    lf_schema *s;
    lf_field *fields;
    uint32_t n;
    lf_node *values;                    /* of the fields */
    lf_node extra;                      /* any additional property */
    lf_node claims[1 << LF_MAX_CLAIMS]; /* those that satisfy a set of shape->claimed */
    uint32_t n_claims;
    uint32_t min, max;
    uint32_t states; /* counts that are told apart: 0 .. states - 1 */
} object;

static lf_node pair(lf_schema *s, lf_node a, lf_node b)
{
    const lf_node items[2] = {a, b};
    return lf_grammar_sequence(s->grammar, items, 2);
}

static lf_node either(lf_schema *s, lf_node a, lf_node b)
{
    const lf_node items[2] = {a, b};
    return lf_grammar_choice(s->grammar, items, 2);
}

/* `first` tells whether no property is before it. */
static lf_node separated(const object *o, bool first, lf_node item)
{
    return first ? item : pair(o->s, lf_schema_separator(o->s), item);
}

/* ---- Additional properties ---- */

static int32_t add_extras(object *o, const lf_shape *shape)
{
    lf_schema *s = o->s;
    lf_extra *extras = NULL;
    uint32_t n = 0;
    LF_TRY(lf_schema_extras(s, shape, o->fields, o->n, &extras, &n));
    for (const lf_exists *e = shape->claimed; e != NULL; e = e->before) {
        o->n_claims++;
    }
    for (uint32_t i = 0; i < n; i++) {
        lf_node value = LF_NODE_NONE;
        if (extras[i].key == LF_RX_NONE) {
            continue;
        }
        LF_TRY(lf_schema_reference(s, extras[i].node, &value));
        if (value != LF_NODE_NONE) {
            lf_node *to = &o->claims[extras[i].claims];
            *to = either(s, *to, pair(s, lf_schema_key(s, extras[i].key), value));
        }
    }
    o->extra = o->claims[0];
    return lf_grammar_status(s->grammar);
}

/* min to max more additional properties. */
static lf_node more(const object *o, uint32_t min, uint32_t max)
{
    lf_schema *s = o->s;
    if (max == 0 || o->extra == LF_NODE_NONE) {
        return min == 0 ? LF_NODE_EMPTY : LF_NODE_NONE;
    }
    return lf_grammar_repeat(s->grammar, pair(s, lf_schema_separator(s), o->extra), min, max);
}

/* The rest of an object in which additional properties violate schemas: a rule for each set of
 * claims that is satisfied so far. */
static lf_node tail_with_claims(const object *o, bool first)
{
    lf_schema *s = o->s;
    const uint32_t sets = (uint32_t)1 << o->n_claims;
    lf_node rules[1 << LF_MAX_CLAIMS];
    lf_node start = LF_NODE_NONE;
    for (uint32_t set = 0; set < sets; set++) {
        rules[set] = lf_grammar_rule(s->grammar);
    }
    for (uint32_t set = 0; set < sets; set++) {
        lf_node body = set == sets - 1 ? lf_schema_close(s, '}', true) : LF_NODE_NONE;
        for (uint32_t more = 0; more < sets; more++) {
            if (o->claims[more] == LF_NODE_NONE) {
                continue;
            }
            body =
                either(s, body, pair(s, separated(o, false, o->claims[more]), rules[set | more]));
            if (set == 0) {
                start =
                    either(s, start, pair(s, separated(o, first, o->claims[more]), rules[more]));
            }
        }
        lf_grammar_define(s->grammar, rules[set], body);
    }
    return start;
}

/* What may follow `count` named properties, with the closing brace. */
static lf_node tail(const object *o, uint32_t count)
{
    lf_schema *s = o->s;
    const uint32_t min = o->min > count ? o->min - count : 0;
    const uint32_t max = o->max == LF_RX_UNLIMITED ? o->max : o->max - count;
    if (o->n_claims > 0) {
        return tail_with_claims(o, count == 0);
    }
    if (count > 0) {
        return pair(s, more(o, min, max), lf_schema_close(s, '}', true));
    }
    lf_node none = min == 0 ? lf_schema_close(s, '}', false) : LF_NODE_NONE;
    if (max == 0 || o->extra == LF_NODE_NONE) {
        return none;
    }
    const lf_node some[3] = {o->extra,
                             more(o, min > 0 ? min - 1 : 0, max == LF_RX_UNLIMITED ? max : max - 1),
                             lf_schema_close(s, '}', true)};
    return either(s, none, lf_grammar_sequence(s->grammar, some, 3));
}

/* ---- Named properties ---- */

/* Whether a call can have a parameter with this name. */
static bool is_parameter(const struct lf_name *name)
{
    for (uint32_t i = 0; i < name->len; i++) {
        const char c = name->text[i];
        const char lower = (char)(c | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-' &&
            c != '.') {
            return false;
        }
    }
    return name->len > 0;
}

static int32_t add_fields(object *o)
{
    lf_schema *s = o->s;
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, o->n, sizeof(lf_node), &memory));
    o->values = memory;
    for (uint32_t i = 0; i < o->n; i++) {
        const char *quoted = NULL;
        size_t len = 0;
        lf_node value = LF_NODE_NONE;
        LF_TRY(lf_schema_reference(s, o->fields[i].node, &value));
        if (value == LF_NODE_NONE) {
            o->values[i] = LF_NODE_NONE;
            continue;
        }
        const struct lf_name *name = &s->names.items[o->fields[i].name];
        if (s->in_arguments && !is_parameter(name)) {
            return lf_schema_fail(s, LFM2_E_UNSUPPORTED, LF_ROOT, "properties",
                                  "a name of a parameter has other characters than letters, "
                                  "digits, '_', '-' and '.'");
        }
        LF_TRY(lf_schema_quote(s, name->text, name->len, &quoted, &len));
        o->values[i] = pair(s, lf_schema_key(s, lf_rx_text(s->rx, quoted + 1, len - 2)), value);
    }
    return lf_grammar_status(s->grammar);
}

/* From the last property to the first: nodes[c] is what follows c properties. */
static int32_t chain(object *o, lf_node *out)
{
    lf_schema *s = o->s;
    void *memory = NULL;
    const uint64_t cells = (uint64_t)o->states * (o->n + 1);
    if (cells > MAX_CELLS) {
        return lf_schema_fail(s, LFM2_E_UNSUPPORTED, s->nodes[s->node].lits[0] >> 1, NULL,
                              "the number of properties is bounded in too large an object");
    }
    LF_TRY(lf_schema_new(s, o->states, sizeof(lf_node), &memory));
    lf_node *next = memory;
    for (uint32_t c = 0; c < o->states; c++) {
        next[c] = c > o->max ? LF_NODE_NONE : tail(o, c);
    }
    for (uint32_t i = o->n; i-- > 0;) {
        const uint32_t reach = i + 1 < o->states ? i + 1 : o->states;
        LF_TRY(lf_schema_step(s, reach));
        for (uint32_t c = 0; c < reach; c++) {
            const uint32_t more = c + 1 < o->states ? c + 1 : c;
            lf_node with = LF_NODE_NONE;
            if (o->values[i] != LF_NODE_NONE && next[more] != LF_NODE_NONE && c < o->max) {
                with = pair(s, separated(o, c == 0, o->values[i]), next[more]);
            }
            /* next[c] is read before it is replaced; next[c + 1] belongs to the later property. */
            next[c] = o->fields[i].required ? with : either(s, with, next[c]);
            if (i % SHARED == 0 && i > 0 && next[c] != LF_NODE_NONE) {
                /* A choice takes in the alternatives of a choice in it, but not those of a rule. */
                lf_node rule = lf_grammar_rule(s->grammar);
                lf_grammar_define(s->grammar, rule, next[c]);
                next[c] = rule;
            }
        }
    }
    *out = next[0];
    return lf_grammar_status(s->grammar);
}

/* Bounds that the named properties alone decide need no counting. */
static void simplify(object *o)
{
    uint32_t required = 0;
    uint32_t possible = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        required += o->fields[i].required;
        possible += o->values[i] != LF_NODE_NONE;
    }
    if (required >= o->min) {
        o->min = 0;
    }
    if (o->extra == LF_NODE_NONE && o->n_claims == 0 && possible <= o->max) {
        o->max = LF_RX_UNLIMITED;
    }
    uint32_t most = o->max != LF_RX_UNLIMITED ? o->max : o->min;
    most = most < 1 ? 1 : most;
    most = most < o->n ? most : o->n;
    /* Count 1 stands for more where nothing is bounded. */
    o->states = most + 1 + (o->max != LF_RX_UNLIMITED && o->max < o->n);
    o->states = o->states < 2 ? 2 : o->states;
}

int32_t lf_schema_object_node(lf_schema *s, const lf_shape *shape, lf_node *out)
{
    object o = {.s = s, .min = shape->min_size, .max = shape->max_size};
    lf_node body = LF_NODE_NONE;
    LF_TRY(lf_schema_fields(s, &s->arena, shape, &o.fields, &o.n));
    LF_TRY(add_fields(&o));
    if (!s->in_arguments) {
        LF_TRY(add_extras(&o, shape));
    }
    simplify(&o);
    if (o.n_claims > 0 && (o.min > 0 || o.max != LF_RX_UNLIMITED)) {
        LF_TRY(lf_schema_cannot(s, o.min > 0 ? "minProperties" : "maxProperties",
                                "is not supported where an additional property must be invalid"));
        o.min = 0;
        o.max = LF_RX_UNLIMITED;
        simplify(&o);
    }
    LF_TRY(chain(&o, &body));
    *out = pair(s, lf_schema_open(s, '{'), body);
    return lf_grammar_status(s->grammar);
}
