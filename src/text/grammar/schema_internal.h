/* SPDX-License-Identifier: Apache-2.0 */
/* Types that the files schema*.c share. README.md and SCHEMA.md describe the method. */
#ifndef LF_GRAMMAR_SCHEMA_INTERNAL_H
#define LF_GRAMMAR_SCHEMA_INTERNAL_H

#include "text/grammar/schema.h"

/* ---- Tables ---- */

/* Byte strings with numbers 0, 1, ... in the order in which they were added. */
typedef struct lf_names {
    struct lf_name {
        const char *text;
        uint32_t len;
        uint32_t hash;
        uint32_t value; /* of the caller; 0 at first */
    } * items;
    uint32_t n, capacity;
    uint32_t *slots; /* number + 1; 0: free */
    uint32_t n_slots;
} lf_names;

/* ---- Places: schemas in the document ---- */

typedef enum lf_schema_draft {
    LF_DRAFT_4 = 4,
    LF_DRAFT_6 = 6,
    LF_DRAFT_7 = 7,
    LF_DRAFT_2019,
    LF_DRAFT_2020
} lf_schema_draft;

typedef enum lf_schema_holds { /* the value of a keyword contains */
                               LF_HOLDS_NOTHING,
                               LF_HOLDS_SCHEMA,
                               LF_HOLDS_MAP, /* of schemas */
                               LF_HOLDS_LIST
} lf_schema_holds;

#define LF_NO_INDEX UINT32_MAX

/* Place 0 is the schema `true`, place 1 the root. */
enum { LF_ROOT = 1 };

/* Types that a schema allows at most, and the string that a required property must be. */
typedef struct lf_tag {
    bool known;
    uint8_t types;
    const lf_json *only;         /* the only value; NULL: there are others, or it is no scalar */
    const lf_json *name, *value; /* value NULL: none */
} lf_tag;

typedef struct lf_place {
    const lf_json *value;
    uint32_t parent;   /* the place of the schema around it; itself: the root */
    uint32_t resource; /* number in lf_schema.resources */
    lf_tag tag;
    uint32_t canonical;  /* the first place with an equal schema; 0: not known */
    const char *keyword; /* the path from the parent: a keyword or a pointer without the first / */
    const char *name;    /* and a member or an item of the keyword's value, if not NULL, */
    size_t name_len;
    uint32_t index; /* LF_NO_INDEX */
} lf_place;

/* A schema with an $id of its own, or the root. */
typedef struct lf_resource {
    uint32_t place;
    const char *uri; /* absolute, without fragment; "" if there is none */
} lf_resource;

/* A condition (in logic: a literal): the value is valid (or, with bit 0 set, is not valid) under
 * the schema of place lit >> 1. Place 0 is the schema `true`. */
typedef uint32_t lf_lit;
enum { LF_LIT_TRUE = 0, LF_LIT_FALSE = 1 };

/* ---- Numbers ---- */

/* An exact decimal: n_int digits, a point, n_frac digits; no zeros at either end. */
typedef struct lf_decimal {
    bool negative;
    uint32_t n_int, n_frac;
    const char *digits;
} lf_decimal;

/* ---- Terms: what a branch must satisfy ---- */

enum lf_types {
    LF_TYPE_NULL = 1,
    LF_TYPE_FALSE = 2,
    LF_TYPE_TRUE = 4,
    LF_TYPE_NUMBER = 8,
    LF_TYPE_STRING = 16,
    LF_TYPE_ARRAY = 32,
    LF_TYPE_OBJECT = 64,
    LF_TYPE_ALL = 127,
    LF_TYPE_SCALARS = 31
};

typedef struct lf_member {
    uint32_t name; /* number of a name, or of a pattern */
    lf_lit lit;
} lf_member;

/* properties, patternProperties and additionalProperties of one schema. */
typedef struct lf_clause {
    const lf_member *members;
    uint32_t n_members;
    const lf_member *patterns;
    uint32_t n_patterns;
    lf_lit extra; /* of keys that are in neither */
    const struct lf_clause *before;
} lf_clause;

/* prefixItems and items of one schema. */
typedef struct lf_tuple {
    const lf_lit *items;
    uint32_t n;
    lf_lit rest;
    const struct lf_tuple *before;
} lf_tuple;

/* Between min and max of the items from number `from` on are valid under `lit`. */
typedef struct lf_contains {
    lf_lit lit;
    uint32_t from;
    uint32_t min, max;
    const struct lf_contains *before;
} lf_contains;

/* At least one key that matches `key` has a value that is valid under `lit`. */
typedef struct lf_exists {
    lf_rx key;
    lf_lit lit;
    const struct lf_exists *before;
} lf_exists;

typedef struct lf_multiple {
    lf_decimal of;
    bool negated;
    const struct lf_multiple *before;
} lf_multiple;

typedef struct lf_values {
    const lf_json *const *items;
    uint32_t n;
    const struct lf_values *before; /* of a list of sets */
} lf_values;

typedef struct lf_numbers { /* a list of names, or of conditions */
    uint32_t value;
    const struct lf_numbers *before;
} lf_numbers;

/* Something that cannot be enforced for values of some types. */
typedef struct lf_refusal {
    uint8_t types;
    uint32_t place;
    const char *keyword;
    const char *why;
    const struct lf_refusal *before;
} lf_refusal;

typedef enum lf_term_kind {
    LF_TERM_LIT,
    LF_TERM_OR,
    LF_TERM_TYPES,
    LF_TERM_INTEGER,  /* numbers are integers (flag) or are none */
    LF_TERM_MINIMUM,  /* decimal; flag: exclusive */
    LF_TERM_MAXIMUM,  /* decimal; flag: exclusive */
    LF_TERM_MULTIPLE, /* decimal; flag: negated */
    LF_TERM_TEXT,     /* strings match rx */
    LF_TERM_VALUES,   /* scalars are one of values (flag: are none of them) */
    LF_TERM_CLAUSE,
    LF_TERM_REQUIRED, /* number: a name */
    LF_TERM_SIZE,     /* objects have min to max properties */
    LF_TERM_KEYS,     /* keys are valid under lit */
    LF_TERM_EXISTS,
    LF_TERM_TUPLE,
    LF_TERM_LENGTH, /* arrays have min to max items */
    LF_TERM_CONTAINS,
    LF_TERM_UNIQUE,
    LF_TERM_REFUSE
} lf_term_kind;

typedef struct lf_term lf_term;

/* A list of alternatives, each a list of terms. */
typedef struct lf_branches {
    const lf_term *terms;
    const struct lf_branches *next;
} lf_branches;

struct lf_term {
    lf_term_kind kind;
    bool flag;
    uint8_t types;
    lf_rx rx;
    lf_lit lit;
    uint32_t number;
    uint32_t min, max;
    union {
        lf_decimal decimal;
        lf_clause clause;
        lf_tuple tuple;
        lf_contains contains;
        lf_exists exists;
        lf_values values;
        lf_refusal refusal;
        const lf_branches *branches;
    } u;
    const lf_term *next;
};

/* ---- Shapes: what is known of a value on one branch ---- */

typedef struct lf_shape {
    uint8_t types;
    bool integer, fraction;
    bool low_open, high_open;
    const lf_decimal *low, *high; /* NULL: none */
    const lf_multiple *multiples;
    lf_rx text;
    bool text_joined;          /* text is an intersection, so it may be empty */
    const lf_values *allowed;  /* scalars: one of each of these sets */
    const lf_values *excluded; /* scalars: none of these */
    const lf_clause *clauses;
    const lf_numbers *required;
    const lf_numbers *keys;
    const lf_exists *exists;
    const lf_exists *claimed; /* of these each is satisfied by an additional key */
    uint32_t min_size, max_size;
    const lf_tuple *tuples;
    uint32_t min_length, max_length;
    const lf_contains *contains;
    const lf_term *unique; /* where it was required */
    const lf_refusal *refusals;
} lf_shape;

/* ---- Nodes: sets of conditions, expanded to alternatives ---- */

typedef struct lf_product {
    lf_shape shape;
    struct lf_product *next;
} lf_product;

typedef struct lf_value_node {
    const lf_lit *lits;
    uint32_t n_lits;
    lf_product *products; /* of an expanded node: their union */
    bool expanded, expanding;
    bool built; /* `out` is valid */
    lf_node out;
} lf_value_node;

/* ---- The compiler ---- */

typedef struct lf_schema {
    const lf_schema_options *options;
    lf_grammar *grammar;
    lf_rx_set *rx;
    lf_arena arena;
    lf_arena *scratch; /* of the expansion that is being computed */
    uint64_t steps;    /* that are left */
    lf_schema_draft draft;
    bool any_draft; /* the schema names none: the keywords of all drafts count */

    lf_place *places;
    uint32_t n_places, cap_places;
    lf_names by_value; /* places by the address of their value */
    lf_names targets;  /* results of references */
    lf_resource *resources;
    uint32_t n_resources, cap_resources;
    lf_names anchors; /* schema_ref.c says what they are; the value is a place */
    bool scanned;     /* anchors is complete */

    lf_names names; /* keys; a value is the number of a field while an object is read */
    lf_rx *name_rx; /* their spellings; NONE: not made yet */
    uint32_t cap_name_rx;
    lf_names constants; /* schemas of arrays and objects that are constants, by their address */
    lf_names patterns;
    lf_rx *pattern_rx; /* NONE: not parsed */
    uint32_t cap_patterns;
    lf_names formats;      /* their expressions */
    lf_names texts;        /* of schemas, with the number of the resource */
    bool negates;          /* some condition is negated */
    const lf_term **terms; /* of each condition */
    bool *has_terms;
    uint32_t cap_terms, cap_has_terms;
    lf_names node_sets; /* nodes by their conditions */
    lf_value_node *nodes;
    uint32_t cap_nodes;
    uint32_t *queue; /* nodes whose rules have no body yet */
    uint32_t n_queue, cap_queue;

    /* Expressions and nodes that many schemas need; 0: not yet. */
    lf_rx any_text, character;
    lf_rx ascii[128]; /* the spellings of each character */
    lf_rx space, colon;
    bool has_space;
    lf_rx without_single, without_double; /* Python's texts without one of the quotes */
    bool in_arguments;                    /* the object of options->arguments is written */
    lf_node separator;
    uint32_t depth; /* of nested expansions */
    uint32_t node;  /* that is being expanded or written, for messages */
} lf_schema;

/* ---- schema_table.c ---- */

/* Takes n steps. Errors: LIMIT. */
int32_t lf_schema_step(lf_schema *s, uint64_t n);
/* Cleared memory of the compiler. Errors: MEMORY, LIMIT. */
int32_t lf_schema_new(lf_schema *s, size_t count, size_t item, void **out);
int32_t lf_schema_grow(lf_schema *s, void **items, uint32_t *capacity, uint32_t need, size_t item);
/* The same in another arena, for what is needed only for a while. */
int32_t lf_schema_new_in(lf_schema *s, lf_arena *arena, size_t count, size_t item, void **out);
int32_t lf_schema_grow_in(lf_schema *s, lf_arena *arena, void **items, uint32_t *capacity,
                          uint32_t need, size_t item);
/* Frees such an arena. */
void lf_schema_free_arena(lf_schema *s, lf_arena *arena);
/* The number of a text, which is added if it is new. */
int32_t lf_schema_intern(lf_schema *s, lf_names *names, const void *text, size_t len, uint32_t *out,
                         bool *added);
/* A text; NULL if there is none. Errors: LIMIT. */
int32_t lf_schema_find(lf_schema *s, const lf_names *names, const void *text, size_t len,
                       const struct lf_name **out);

/* ---- schema_uri.c ---- */

/* Resolves a reference without fragment. */
int32_t lf_schema_join_uri(lf_schema *s, const char *base, const char *ref, size_t len,
                           const char **out);
/* Undoes percent escapes. */
int32_t lf_schema_unescape(lf_schema *s, const char *text, size_t len, const char **out,
                           size_t *out_len);

/* ---- schema_place.c ---- */

/* What a member of a schema contains. */
lf_schema_holds lf_schema_holds_of(const lf_json *member);

/* Fails with a message that begins with the JSON pointer of the keyword of a place. */
int32_t lf_schema_fail(const lf_schema *s, int32_t status, uint32_t place, const char *keyword,
                       const char *why);
/* What the current node requires cannot be enforced. Names the keyword (or NULL) where a schema of
 * the node has it. UNSUPPORTED; with `lenient` it is reported, and the caller ignores it. */
int32_t lf_schema_cannot(lf_schema *s, const char *keyword, const char *why);
/* Reports that a keyword is ignored. */
int32_t lf_schema_ignore(lf_schema *s, uint32_t place, const char *keyword, const char *why);

/* The place of place.value, which is added if it is new. Errors: TEXT (no schema). */
int32_t lf_schema_place(lf_schema *s, lf_place place, uint32_t *out);
/* The condition of a schema that is a member of the value of a keyword. */
int32_t lf_schema_child(lf_schema *s, uint32_t parent, const char *keyword, const lf_json *value,
                        lf_lit *out);
/* The same for an item of the value (or, with LF_NO_INDEX, for the value). */
int32_t lf_schema_item(lf_schema *s, uint32_t parent, const char *keyword, const lf_json *value,
                       uint32_t index, lf_lit *out);

/* ---- schema_ref.c ---- */

/* The target of $ref or $dynamicRef. Errors: UNSUPPORTED (not in the document). */
int32_t lf_schema_resolve(lf_schema *s, uint32_t from, const lf_json *ref, lf_lit *out);

/* ---- schema_decimal.c ---- */

/* The value of a number. *fits is false if it has too many digits. */
int32_t lf_schema_decimal(lf_schema *s, const lf_json *number, bool *fits, lf_decimal *out);
bool lf_decimal_is_integer(const lf_decimal *a);
bool lf_decimal_is_zero(const lf_decimal *a);
int lf_decimal_compare(const lf_decimal *a, const lf_decimal *b);
/* The least (low) or largest integer that a bound allows. */
int32_t lf_decimal_bound(lf_schema *s, const lf_decimal *a, bool open, bool low, lf_decimal *out);
/* a = c / 10^scale; false: c is 0 or large. */
bool lf_decimal_modulus(const lf_decimal *a, uint32_t *c, uint32_t *scale);
/* Whether `a` is a multiple. *known is false if that was not computed. */
bool lf_decimal_divides(const lf_decimal *of, const lf_decimal *a, bool *known);

/* ---- schema_range.c ---- */

typedef struct lf_interval {
    const lf_decimal *low, *high; /* NULL: none */
    bool low_open, high_open;
    bool integer;
} lf_interval;

/* The texts of the numbers in an interval, whose bounds are integers if they must be. */
lf_rx lf_schema_interval(lf_schema *s, const lf_interval *in);

/* ---- schema_text.c ---- */

/* The spellings of the code points first .. last. */
lf_rx lf_schema_spell(lf_schema *s, uint32_t first, uint32_t last);
lf_rx lf_schema_any_text(lf_schema *s);
lf_rx lf_schema_text_length(lf_schema *s, uint32_t min, uint32_t max);
lf_rx lf_schema_text_not(lf_schema *s, lf_rx text);
/* The texts in quotes. */
lf_rx lf_schema_quoted(lf_schema *s, lf_rx text);
/* A string as JSON, with its quotes. */
int32_t lf_schema_quote(lf_schema *s, const char *text, size_t len, const char **out,
                        size_t *out_len);
int32_t lf_schema_matches(lf_schema *s, lf_rx rx, const char *text, size_t len, bool *out);
/* Every spelling of a key. */
int32_t lf_schema_name_rx(lf_schema *s, uint32_t name, lf_rx *out);

/* ---- schema_pattern.c ---- */

/* The strings in which a pattern matches, or (whole) that it matches. *why: NULL, or why there is
 * no such expression; *unsupported: it is a pattern nevertheless. */
int32_t lf_schema_pattern(lf_schema *s, const char *text, size_t len, bool whole, lf_rx *out,
                          const char **why, bool *unsupported);

/* ---- schema_format.c ---- */

typedef enum lf_schema_format {
    LF_FORMAT_UNKNOWN,
    LF_FORMAT_KNOWN,
    LF_FORMAT_REFUSED
} lf_schema_format;
int32_t lf_schema_format_of(lf_schema *s, const char *name, size_t len, lf_schema_format *kind,
                            lf_rx *out);

/* ---- schema_keyword.c, schema_apply.c, schema_children.c ---- */

/* The terms of a constraint. */
int32_t lf_schema_terms(lf_schema *s, lf_lit lit, const lf_term **out);
/* The condition of a value that is an array or object. */
int32_t lf_schema_constant(lf_schema *s, uint32_t place, const char *keyword, const lf_json *value,
                           lf_lit *out);

/* ---- schema_tag.c ---- */

/* Whether two schemas differ so clearly that no value is valid under both. Not found out: false. */
int32_t lf_schema_differ(lf_schema *s, lf_lit a, lf_lit b, bool *out);

/* ---- schema_expand.c ---- */

/* The node of a list of conditions. */
int32_t lf_schema_node(lf_schema *s, const lf_lit *lits, uint32_t n, uint32_t *out);
/* Computes nodes[node].products. */
int32_t lf_schema_expand(lf_schema *s, uint32_t node);
/* Whether no value is valid; false if that was not found out. */
int32_t lf_schema_is_empty(lf_schema *s, uint32_t node, bool *out);
int32_t lf_schema_disjoint(lf_schema *s, lf_lit a, lf_lit b, bool *out);

/* ---- schema_shape.c ---- */

/* Adds a term (no LIT, no OR) to a shape. */
int32_t lf_shape_apply(lf_schema *s, lf_shape *shape, const lf_term *term);
/* Removes types of which no value is possible. */
int32_t lf_shape_check(lf_schema *s, lf_shape *shape);
/* Whether a shape allows a scalar that the last set of shape->allowed lists. */
int32_t lf_shape_allows(lf_schema *s, const lf_shape *shape, const lf_json *value, bool *out);

/* ---- schema_scalar.c ---- */

/* The spellings of the strings of a shape, without quotes; `any`: every spelling of constants. */
int32_t lf_schema_strings(lf_schema *s, const lf_shape *shape, bool any, lf_rx *out);

/* ---- schema_field.c ---- */

typedef struct lf_field {
    uint32_t name;
    uint32_t node;
    bool required;
} lf_field;

/* Keys without a name in the schema that have the same conditions. */
typedef struct lf_extra {
    lf_rx key;
    uint32_t node;
    uint32_t claims; /* which of shape->claimed they satisfy, as bits */
} lf_extra;

enum { LF_MAX_CLAIMS = 3 };

/* The named properties of objects of a shape, in order, in an arena. */
int32_t lf_schema_fields(lf_schema *s, lf_arena *arena, const lf_shape *shape, lf_field **out,
                         uint32_t *n);
int32_t lf_schema_extras(lf_schema *s, const lf_shape *shape, const lf_field *fields,
                         uint32_t n_fields, lf_extra **out, uint32_t *n);
/* The keys that are valid under a constraint. */
int32_t lf_schema_key_rx(lf_schema *s, lf_lit lit, lf_rx *out);
/* The node of item i of arrays of a shape; of any later one for i = number of prefix items. */
int32_t lf_schema_item_node(lf_schema *s, const lf_shape *shape, uint32_t i, const lf_lit *also,
                            uint32_t n_also, uint32_t *out);
/* The number of prefix items of arrays of a shape. */
uint32_t lf_schema_prefix_of(const lf_shape *shape);

/* ---- schema_scalar.c ---- */

/* The texts of the scalars of a shape. *numbers: the node of its numbers if no expression states
 * them; else LF_NODE_NONE. */
int32_t lf_schema_scalar(lf_schema *s, const lf_shape *shape, lf_rx *out, lf_node *numbers);
/* The scalars of a node if they are few and nothing else is valid. */
int32_t lf_schema_finite(lf_schema *s, uint32_t node, lf_rx *texts, uint32_t capacity, uint32_t *n,
                         bool *finite);

/* ---- schema_multiple.c ---- */

/* Replaces the texts of numbers by those of multiples: an expression, or a node. */
int32_t lf_schema_multiples(lf_schema *s, const lf_multiple *list, lf_rx *rx, lf_node *numbers);

/* ---- schema_object.c, schema_array.c, schema_build.c ---- */

int32_t lf_schema_object_node(lf_schema *s, const lf_shape *shape, lf_node *out);
int32_t lf_schema_array_node(lf_schema *s, const lf_shape *shape, lf_node *out);
/* "{" or "[", and "}" or "]" (after: an element is before it), with white space inside; a comma; a
 * key whose spellings are `key`, its quotes and the colon. */
lf_node lf_schema_open(lf_schema *s, char bracket);
lf_node lf_schema_close(lf_schema *s, char bracket, bool after);
lf_node lf_schema_separator(lf_schema *s);
lf_node lf_schema_key(lf_schema *s, lf_rx key);
/* The grammar of a node. */
int32_t lf_schema_reference(lf_schema *s, uint32_t node, lf_node *out);

#endif /* LF_GRAMMAR_SCHEMA_INTERNAL_H */
