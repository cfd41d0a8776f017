/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes, and their expansion: a list of conditions becomes a union of shapes without choices. Each
 * branch takes its terms in the order of the schema and divides where a term is a choice. */
#include "text/grammar/schema_internal.h"

#include <string.h>

enum {
    MAX_PRODUCTS = 1024, /* of a node */
    MANY_BRANCHES = 6,   /* from here on branches are checked before they divide */
    LOOK = 2,            /* schemas inside each other that judge() reads */
    MAX_FRAMES = 300,    /* schemas inside each other on a branch */
    MAX_NESTED = 10,     /* expansions inside each other: they use the C stack */
    MAX_DEPTH = 5        /* nodes that are expanded to find out whether another one is empty */
};

/* Terms that are left of a condition; those of the one around it follow. */
typedef struct frame {
    lf_lit lit; /* 0: a choice */
    uint32_t depth;
    const lf_term *terms;
    const struct frame *outer;
} frame;

typedef struct branch {
    lf_shape shape;
    const frame *frames;
    const lf_numbers *seen; /* conditions that it has */
    struct branch *next;
} branch;

/* ---- Equal schemas ---- */

typedef struct sink {
    char *text;
    size_t n, capacity;
} sink;

static void put(void *user, const char *text, size_t len)
{
    sink *to = user;
    if (len > 0 && to->n + len <= to->capacity) {
        memcpy(to->text + to->n, text, len);
    }
    to->n += len;
}

/* The first condition with the same text in the same resource: then a schema and the negation of
 * an equal one contradict each other. Long schemas are only equal to themselves. */
static int32_t canonical(lf_schema *s, lf_lit lit, lf_lit *out)
{
    enum { LONGEST = 1024 };
    lf_place *place = &s->places[lit >> 1];
    *out = lit;
    if (!s->negates || lit <= LF_LIT_FALSE) {
        return LFM2_OK;
    }
    if (place->canonical == 0) {
        char text[LONGEST + sizeof place->resource];
        sink to = {.text = text, .capacity = LONGEST};
        const lf_json_writer writer = {.write = put, .user = &to};
        uint32_t id = 0;
        bool added = false;
        place->canonical = lit >> 1;
        lf_json_write(&writer, place->value);
        LF_TRY(lf_schema_step(s, 1 + to.n / 16));
        if (to.n <= LONGEST && s->resources[place->resource].place != lit >> 1) {
            memcpy(text + to.n, &place->resource, sizeof place->resource);
            LF_TRY(
                lf_schema_intern(s, &s->texts, text, to.n + sizeof place->resource, &id, &added));
            if (added) {
                s->texts.items[id].value = lit >> 1;
            }
            place->canonical = s->texts.items[id].value;
        }
    }
    *out = place->canonical << 1 | (lit & 1);
    return LFM2_OK;
}

/* ---- Nodes ---- */

/* Removes negations of schemas that differ clearly from another condition of the set. */
static int32_t drop_implied(lf_schema *s, lf_lit *set, uint32_t *n)
{
    enum { MANY = 64 };
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *n; i++) {
        bool implied = false;
        for (uint32_t k = 0;
             (set[i] & 1) != 0 && set[i] != LF_LIT_FALSE && k < *n && *n <= MANY && !implied; k++) {
            LF_TRY(lf_schema_differ(s, set[k], set[i] ^ 1, &implied));
        }
        if (!implied) {
            set[kept++] = set[i];
        }
    }
    *n = kept;
    return LFM2_OK;
}

int32_t lf_schema_node(lf_schema *s, const lf_lit *lits, uint32_t n, uint32_t *out)
{
    void *memory = NULL;
    bool added = false;
    uint32_t kept = 0;
    LF_TRY(lf_schema_new(s, n, sizeof(lf_lit), &memory));
    lf_lit *set = memory;
    for (uint32_t i = 0; i < n; i++) {
        lf_lit lit = LF_LIT_TRUE;
        uint32_t k = 0;
        LF_TRY(canonical(s, lits[i], &lit));
        while (k < kept && set[k] != lit && set[k] != (lit ^ 1)) {
            k++;
        }
        if (lit == LF_LIT_FALSE || (k < kept && set[k] == (lit ^ 1))) {
            set[0] = LF_LIT_FALSE;
            kept = 1;
            break;
        }
        if (k == kept && lit != LF_LIT_TRUE) {
            set[kept++] = lit;
        }
    }
    LF_TRY(drop_implied(s, set, &kept));
    LF_TRY(lf_schema_step(s, 1 + (uint64_t)kept * kept / 8));
    LF_TRY(lf_schema_intern(s, &s->node_sets, set, kept * sizeof *set, out, &added));
    if (added) {
        void *items = s->nodes;
        LF_TRY(lf_schema_grow(s, &items, &s->cap_nodes, *out + 1, sizeof *s->nodes));
        s->nodes = items;
        s->nodes[*out] = (lf_value_node){.lits = set, .n_lits = kept};
    }
    return LFM2_OK;
}

/* ---- Expansion ---- */

static int32_t terms_of(lf_schema *s, lf_lit lit, const lf_term **out)
{
    void *items = s->terms;
    void *flags = s->has_terms;
    LF_TRY(lf_schema_grow(s, &items, &s->cap_terms, lit + 1, sizeof *s->terms));
    s->terms = items;
    LF_TRY(lf_schema_grow(s, &flags, &s->cap_has_terms, lit + 1, sizeof *s->has_terms));
    s->has_terms = flags;
    if (!s->has_terms[lit]) {
        const lf_term *terms = NULL;
        LF_TRY(lf_schema_terms(s, lit, &terms));
        s->terms[lit] = terms;
        s->has_terms[lit] = true;
    }
    *out = s->terms[lit];
    return LFM2_OK;
}

static int32_t push(lf_schema *s, branch *b, lf_lit lit, const lf_term *terms)
{
    void *memory = NULL;
    const uint32_t depth = b->frames != NULL ? b->frames->depth + 1 : 1;
    if (depth > MAX_FRAMES || depth > s->options->limits->depth) {
        return lf_fail(LFM2_E_LIMIT, "schema.depth", "schemas nest deeper than %u levels", depth);
    }
    LF_TRY(lf_schema_new_in(s, s->scratch, 1, sizeof(frame), &memory));
    *(frame *)memory = (frame){.lit = lit, .depth = depth, .terms = terms, .outer = b->frames};
    b->frames = memory;
    return LFM2_OK;
}

/* Adds a condition to a branch. */
static int32_t add_lit(lf_schema *s, branch *b, lf_lit lit)
{
    void *memory = NULL;
    const lf_term *terms = NULL;
    if (lit == LF_LIT_FALSE) {
        b->shape.types = 0;
        return LFM2_OK;
    }
    s->negates = s->negates || (lit & 1) != 0;
    LF_TRY(canonical(s, lit, &lit));
    for (const frame *f = b->frames; f != NULL; f = f->outer) {
        if (f->lit == lit) {
            return lf_schema_fail(s, LFM2_E_UNSUPPORTED, lit >> 1, NULL,
                                  "refers to itself without any step into the value");
        }
    }
    uint32_t n = 0;
    for (const lf_numbers *x = b->seen; x != NULL; x = x->before, n++) {
        if (x->value == lit) {
            return LFM2_OK;
        }
        if (x->value == (lit ^ 1)) {
            b->shape.types = 0;
            return LFM2_OK;
        }
    }
    LF_TRY(lf_schema_step(s, 1 + n / 8));
    LF_TRY(lf_schema_new_in(s, s->scratch, 1, sizeof(lf_numbers), &memory));
    *(lf_numbers *)memory = (lf_numbers){lit, b->seen};
    b->seen = memory;
    LF_TRY(terms_of(s, lit, &terms));
    return push(s, b, lit, terms);
}

static bool has(const lf_numbers *list, uint32_t value)
{
    for (; list != NULL; list = list->before) {
        if (list->value == value) {
            return true;
        }
    }
    return false;
}

/* What a branch says of a term, at a glance. */
typedef enum verdict { OPEN, IMPLIED, CONTRADICTED } verdict;

/* A clause of one property. */
static int32_t judge_clause(lf_schema *s, const lf_shape *shape, const lf_clause *one, verdict *out)
{
    enum { FEW = 8 };
    if (one->n_members != 1 || one->n_patterns > 0 || one->extra != LF_LIT_TRUE) {
        return LFM2_OK;
    }
    const lf_member m = *one->members;
    if (m.lit == LF_LIT_FALSE && has(shape->required, m.name)) {
        *out = CONTRADICTED;
        return LFM2_OK;
    }
    for (const lf_clause *c = shape->clauses; c != NULL && *out == OPEN; c = c->before) {
        LF_TRY(lf_schema_step(s, 1));
        for (uint32_t i = 0; i < c->n_members && c->n_members <= FEW; i++) {
            bool differ = false;
            if (c->members[i].name != m.name) {
                continue;
            }
            if (c->members[i].lit == m.lit) {
                *out = IMPLIED;
            } else if ((m.lit & 1) != 0) {
                LF_TRY(lf_schema_differ(s, c->members[i].lit, m.lit ^ 1, &differ));
                *out = differ ? IMPLIED : *out;
            }
        }
    }
    return LFM2_OK;
}

static int32_t judge_all(lf_schema *s, const branch *b, const lf_term *terms, uint32_t depth,
                         verdict *out);

static int32_t judge_lit(lf_schema *s, const branch *b, lf_lit lit, uint32_t depth, verdict *out)
{
    const lf_term *terms = NULL;
    if (lit == LF_LIT_FALSE) {
        *out = CONTRADICTED;
        return LFM2_OK;
    }
    LF_TRY(canonical(s, lit, &lit));
    *out = has(b->seen, lit) ? IMPLIED : has(b->seen, lit ^ 1) ? CONTRADICTED : OPEN;
    if (*out != OPEN || depth == 0) {
        return LFM2_OK;
    }
    LF_TRY(terms_of(s, lit, &terms));
    return judge_all(s, b, terms, depth - 1, out);
}

/* A choice is implied if one of its alternatives is, and contradicted if all are. */
static int32_t judge_choice(lf_schema *s, const branch *b, const lf_branches *list, uint32_t depth,
                            verdict *out)
{
    *out = CONTRADICTED;
    for (; list != NULL && *out != IMPLIED; list = list->next) {
        verdict one = OPEN;
        LF_TRY(judge_all(s, b, list->terms, depth, &one));
        *out = one == CONTRADICTED ? *out : one;
    }
    return LFM2_OK;
}

static int32_t judge(lf_schema *s, const branch *b, const lf_term *t, uint32_t depth, verdict *out)
{
    const lf_shape *shape = &b->shape;
    *out = OPEN;
    switch (t->kind) {
    case LF_TERM_TYPES:
        *out = (shape->types & t->types) == 0    ? CONTRADICTED
               : (shape->types & ~t->types) == 0 ? IMPLIED
                                                 : OPEN;
        break;
    case LF_TERM_LIT:
        return judge_lit(s, b, t->lit, depth, out);
    case LF_TERM_OR:
        return judge_choice(s, b, t->u.branches, depth, out);
    case LF_TERM_REQUIRED:
        *out = has(shape->required, t->number) ? IMPLIED : OPEN;
        for (const lf_clause *c = shape->clauses; c != NULL && *out == OPEN; c = c->before) {
            if (c->n_members == 1 && c->members->name == t->number &&
                c->members->lit == LF_LIT_FALSE && shape->types == LF_TYPE_OBJECT) {
                *out = CONTRADICTED;
            }
        }
        break;
    case LF_TERM_CLAUSE:
        LF_TRY(judge_clause(s, shape, &t->u.clause, out));
        *out = *out == CONTRADICTED && shape->types != LF_TYPE_OBJECT ? OPEN : *out;
        break;
    default:
        break;
    }
    return LFM2_OK;
}

/* An alternative is implied if all of its terms are, and contradicted if one is. */
static int32_t judge_all(lf_schema *s, const branch *b, const lf_term *terms, uint32_t depth,
                         verdict *out)
{
    LF_TRY(lf_schema_step(s, 1));
    *out = IMPLIED;
    for (const lf_term *t = terms; t != NULL && *out != CONTRADICTED; t = t->next) {
        verdict one = OPEN;
        LF_TRY(judge(s, b, t, depth, &one));
        *out = one == IMPLIED ? *out : one;
    }
    return LFM2_OK;
}

/* The alternatives that a branch does not contradict; *implied: one of them holds already, so the
 * choice adds nothing. */
static int32_t open_alternatives(lf_schema *s, const branch *b, const lf_branches *alternatives,
                                 const lf_branches **out, bool *implied)
{
    lf_branches *last = NULL;
    *out = NULL;
    *implied = false;
    for (const lf_branches *a = alternatives; a != NULL && !*implied; a = a->next) {
        verdict v = OPEN;
        void *memory = NULL;
        LF_TRY(judge_all(s, b, a->terms, LOOK, &v));
        *implied = v == IMPLIED;
        if (v != OPEN) {
            continue;
        }
        LF_TRY(lf_schema_new_in(s, s->scratch, 1, sizeof(lf_branches), &memory));
        lf_branches *copy = memory;
        copy->terms = a->terms;
        if (last == NULL) {
            *out = copy;
        } else {
            last->next = copy;
        }
        last = copy;
    }
    return LFM2_OK;
}

/* Divides a branch: `b` takes the first alternative, *others the rest. */
static int32_t divide(lf_schema *s, branch *b, const lf_branches *alternatives, branch **others)
{
    branch *rest = NULL;
    branch **tail = &rest;
    bool implied = false;
    LF_TRY(open_alternatives(s, b, alternatives, &alternatives, &implied));
    if (implied) {
        return LFM2_OK;
    }
    if (alternatives == NULL) {
        b->shape.types = 0;
        return LFM2_OK;
    }
    uint32_t waiting = 0;
    for (const branch *x = *others; x != NULL && waiting <= MANY_BRANCHES; x = x->next) {
        waiting++;
    }
    if (waiting > MANY_BRANCHES) {
        /* What cannot have a value must not be divided further. */
        LF_TRY(lf_shape_check(s, &b->shape));
        if (b->shape.types == 0) {
            return LFM2_OK;
        }
    }
    for (const lf_branches *a = alternatives->next; a != NULL; a = a->next) {
        void *memory = NULL;
        LF_TRY(lf_schema_new_in(s, s->scratch, 1, sizeof(branch), &memory));
        *tail = memory;
        **tail = *b;
        LF_TRY(push(s, *tail, 0, a->terms));
        tail = &(*tail)->next;
    }
    *tail = *others;
    *others = rest;
    return push(s, b, 0, alternatives->terms);
}

static int32_t run(lf_schema *s, branch *b, branch **others)
{
    while (b->frames != NULL && b->shape.types != 0) {
        const lf_term *term = b->frames->terms;
        LF_TRY(lf_schema_step(s, 1));
        if (term == NULL) {
            b->frames = b->frames->outer;
            continue;
        }
        /* Frames are shared by branches, so the rest is a new one. */
        void *memory = NULL;
        LF_TRY(lf_schema_new_in(s, s->scratch, 1, sizeof(frame), &memory));
        *(frame *)memory = *b->frames;
        ((frame *)memory)->terms = term->next;
        b->frames = memory;
        if (term->kind == LF_TERM_LIT) {
            LF_TRY(add_lit(s, b, term->lit));
        } else if (term->kind == LF_TERM_OR) {
            LF_TRY(divide(s, b, term->u.branches, others));
        } else {
            LF_TRY(lf_shape_apply(s, &b->shape, term));
        }
    }
    return LFM2_OK;
}

/* The last of shape.exists: a key with a name satisfies it, on a branch of its own, or an
 * additional key, which remains in `b`. */
static int32_t choose_key(lf_schema *s, branch *b, branch **others)
{
    const lf_exists *e = b->shape.exists;
    lf_field *fields = NULL;
    uint32_t n = 0;
    lf_rx key = e->key;
    if (key == LF_RX_NONE) {
        LF_TRY(lf_schema_key_rx(s, e->lit, &key));
    }
    LF_TRY(lf_schema_fields(s, s->scratch, &b->shape, &fields, &n));
    for (uint32_t i = 0; i < n; i++) {
        bool matches = false;
        void *memory = NULL;
        const struct lf_name *name = &s->names.items[fields[i].name];
        LF_TRY(lf_schema_matches(s, key, name->text, name->len, &matches));
        if (!matches) {
            continue;
        }
        LF_TRY(lf_schema_new_in(s, s->scratch, 1, sizeof(branch), &memory));
        branch *other = memory;
        *other = *b;
        other->shape.exists = e->before;
        other->shape.types = LF_TYPE_OBJECT;
        LF_TRY(lf_schema_new(s, 1, sizeof(lf_numbers), &memory));
        *(lf_numbers *)memory = (lf_numbers){fields[i].name, other->shape.required};
        other->shape.required = memory;
        LF_TRY(lf_schema_new(s, 1, sizeof(lf_clause) + sizeof(lf_member), &memory));
        lf_clause *clause = memory;
        lf_member *member = (lf_member *)(clause + 1);
        *member = (lf_member){fields[i].name, e->key == LF_RX_NONE ? LF_LIT_TRUE : e->lit};
        *clause = (lf_clause){.members = member,
                              .n_members = 1,
                              .extra = LF_LIT_TRUE,
                              .before = other->shape.clauses};
        other->shape.clauses = clause;
        other->next = *others;
        *others = other;
    }
    void *memory = NULL;
    uint32_t n_claims = 1;
    for (const lf_exists *x = b->shape.claimed; x != NULL; x = x->before) {
        n_claims++;
    }
    if (n_claims > LF_MAX_CLAIMS) {
        b->shape.exists = e->before;
        return lf_schema_cannot(s, NULL, "too many keys are required to be invalid at once");
    }
    LF_TRY(lf_schema_new(s, 1, sizeof(lf_exists), &memory));
    lf_exists *claim = memory;
    *claim = (lf_exists){
        .key = key, .lit = e->key == LF_RX_NONE ? LF_LIT_TRUE : e->lit, .before = b->shape.claimed};
    b->shape.claimed = claim;
    b->shape.exists = e->before;
    return LFM2_OK;
}

static int32_t refuse(lf_schema *s, const lf_shape *shape)
{
    for (const lf_refusal *r = shape->refusals; r != NULL; r = r->before) {
        if ((r->types & shape->types) != 0) {
            return lf_schema_fail(s, LFM2_E_UNSUPPORTED, r->place, r->keyword, r->why);
        }
    }
    return LFM2_OK;
}

static int32_t expand(lf_schema *s, uint32_t node)
{
    lf_product *products = NULL;
    lf_product **tail = &products;
    uint32_t n = 0;
    void *memory = NULL;
    LF_TRY(lf_schema_new_in(s, s->scratch, 1, sizeof(branch), &memory));
    branch *b = memory;
    b->shape = (lf_shape){.types = LF_TYPE_ALL,
                          .text = lf_schema_any_text(s),
                          .max_size = LF_RX_UNLIMITED,
                          .max_length = LF_RX_UNLIMITED};
    /* The conditions of the node, the last one outermost. */
    for (uint32_t i = s->nodes[node].n_lits; i-- > 0;) {
        LF_TRY(lf_schema_new_in(s, s->scratch, 1, sizeof(lf_term), &memory));
        lf_term *t = memory;
        t->kind = LF_TERM_LIT;
        t->lit = s->nodes[node].lits[i];
        LF_TRY(push(s, b, 0, t));
    }
    while (b != NULL) {
        branch *others = b->next;
        LF_TRY(run(s, b, &others));
        while (b->shape.types & LF_TYPE_OBJECT && b->shape.exists != NULL) {
            LF_TRY(choose_key(s, b, &others));
        }
        LF_TRY(lf_shape_check(s, &b->shape));
        LF_TRY(refuse(s, &b->shape));
        if (b->shape.types != 0) {
            LF_TRY(lf_schema_new(s, 1, sizeof(lf_product), &memory));
            *tail = memory;
            (*tail)->shape = b->shape;
            tail = &(*tail)->next;
            if (++n > MAX_PRODUCTS) {
                return lf_schema_fail(s, LFM2_E_UNSUPPORTED, s->nodes[node].lits[0] >> 1, NULL,
                                      "has too many alternatives");
            }
        }
        b = others;
    }
    s->nodes[node].products = products;
    return LFM2_OK;
}

int32_t lf_schema_expand(lf_schema *s, uint32_t node)
{
    if (s->nodes[node].expanded) {
        return LFM2_OK;
    }
    if (s->depth > MAX_NESTED) {
        return lf_schema_fail(s, LFM2_E_UNSUPPORTED, s->nodes[node].lits[0] >> 1, NULL,
                              "keys depend on too many other schemas");
    }
    /* Branches are freed with the expansion; only their shapes stay. */
    const uint32_t outer = s->node;
    lf_arena *outer_scratch = s->scratch;
    lf_arena scratch;
    lf_arena_init(&scratch, s->options->alloc);
    s->nodes[node].expanding = true;
    s->node = node;
    s->scratch = &scratch;
    s->depth++;
    const int32_t status = expand(s, node);
    s->depth--;
    s->scratch = outer_scratch;
    s->node = outer;
    lf_schema_free_arena(s, &scratch);
    s->nodes[node].expanding = false;
    s->nodes[node].expanded = status == LFM2_OK;
    return status;
}

int32_t lf_schema_is_empty(lf_schema *s, uint32_t node, bool *out)
{
    *out = false;
    if (s->nodes[node].expanding || (!s->nodes[node].expanded && s->depth > MAX_DEPTH)) {
        return LFM2_OK;
    }
    lf_failure saved;
    lf_fail_save(&saved);
    const int32_t status = lf_schema_expand(s, node);
    if (status == LFM2_E_UNSUPPORTED) {
        /* Whether it matters is decided where its values are written. */
        lf_fail_restore(&saved);
        return LFM2_OK;
    }
    LF_TRY(status);
    *out = true;
    for (lf_product *p = s->nodes[node].products; p != NULL && *out; p = p->next) {
        const lf_shape *shape = &p->shape;
        *out = shape->types == LF_TYPE_STRING && shape->allowed == NULL && shape->text_joined &&
               lf_rx_is_none(s->rx, shape->text);
    }
    return lf_rx_status(s->rx);
}

int32_t lf_schema_disjoint(lf_schema *s, lf_lit a, lf_lit b, bool *out)
{
    const lf_lit lits[2] = {a, b};
    uint32_t node = 0;
    LF_TRY(lf_schema_differ(s, a, b, out));
    if (*out) {
        return LFM2_OK;
    }
    LF_TRY(lf_schema_node(s, lits, 2, &node));
    return lf_schema_is_empty(s, node, out);
}
