/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the values of a template, and what the parts of the renderer share. */
#ifndef LF_TEXT_TEMPLATE_VALUE_H
#define LF_TEXT_TEMPLATE_VALUE_H

#include "text/template/template.h"

typedef enum {
    TPL_UNDEFINED,
    TPL_NONE,
    TPL_BOOL,
    TPL_INT,
    TPL_FLOAT,
    TPL_BIG, /* an integer beyond 64 bits, kept as text: it can be printed only */
    TPL_STRING,
    TPL_LIST,
    TPL_TUPLE,
    TPL_RANGE,
    TPL_VIEW,     /* keys, values or items of a dict */
    TPL_ITERATOR, /* can be read once, as Python's generators */
    TPL_DICT,
    TPL_NAMESPACE,
    TPL_MACRO,
    TPL_METHOD,  /* bound to its object */
    TPL_BUILTIN, /* a global function */
    TPL_LOOP,
    TPL_JOINER,
    TPL_CYCLER
} tpl_type;

typedef struct tpl_string tpl_string;
typedef struct tpl_seq tpl_seq;
typedef struct tpl_dict tpl_dict;
typedef struct tpl_macro tpl_macro;
typedef struct tpl_method tpl_method;
typedef struct tpl_loop tpl_loop;

/* Scalars and containers carry `data` as well: their printed form counts as data. */
typedef struct tpl_value {
    uint8_t type; /* tpl_type */
    bool data;
    union {
        bool b;
        int64_t i; /* INT; BUILTIN: tpl_builtin */
        double f;
        const tpl_string *s; /* STRING, BIG; UNDEFINED: what was looked up, or NULL */
        tpl_seq *l;          /* LIST, TUPLE, RANGE, VIEW, ITERATOR, CYCLER; JOINER: pos */
        tpl_dict *d;         /* DICT, NAMESPACE */
        tpl_macro *macro;
        const tpl_method *method;
        tpl_loop *loop;
    } u;
} tpl_value;

/* Memory that the latest of several strings that share their beginning may extend in place. */
typedef struct tpl_buffer {
    char *text;
    uint8_t *marks;
    size_t len, cap;
} tpl_buffer;

struct tpl_string {
    const char *text; /* UTF-8 */
    size_t len;
    const uint8_t *marks; /* 1 for each byte that is data; NULL: all are as `data` says */
    bool data;
    bool markup;  /* escaped HTML: + escapes the other side */
    size_t chars; /* code points */
    tpl_buffer *buffer;
};

enum { TPL_VIEW_KEYS, TPL_VIEW_VALUES, TPL_VIEW_ITEMS };

/* Items that may be extended in place, as tpl_buffer. */
typedef struct tpl_items {
    tpl_value *items;
    size_t n, cap;
} tpl_items;

struct tpl_seq {
    tpl_value *items;
    size_t n;
    size_t pos;     /* ITERATOR, CYCLER, JOINER: items consumed */
    uint32_t depth; /* levels of containers below */
    uint8_t view;   /* TPL_VIEW_* */
    bool group;     /* a tuple with the attributes grouper and list */
    bool keyable;   /* a tuple that can be a key of a dict: so can all its items */
    int64_t range[3];
    tpl_items *shared;
};

struct tpl_dict {
    tpl_value *keys, *values;
    size_t n, cap;
    uint32_t depth;
};

struct tpl_method {
    tpl_value object;
    int32_t id;
    const char *name;
};

struct tpl_loop {
    const tpl_value *items;
    size_t n, index; /* index: of the current item, from 0 */
    tpl_value changed;
    bool has_changed;
};

typedef struct tpl_binding {
    uint32_t name;
    tpl_value value;
    struct tpl_binding *next;
} tpl_binding;

typedef struct tpl_scope {
    struct tpl_scope *parent; /* NULL: the variables of the template */
    tpl_binding *first;
    bool captured; /* by a macro: the bindings outlive the scope */
} tpl_scope;

struct tpl_macro {
    const struct tpl_macro_code *code;
    tpl_scope *scope;
};

/* Text under construction. */
typedef struct tpl_text {
    char *text;
    uint8_t *marks;
    size_t len, cap;
} tpl_text;

typedef struct tpl_vm tpl_vm;

/* Positional and named arguments of a call. */
typedef struct tpl_args {
    const tpl_value *items; /* positional, then pairs of name and value */
    size_t n, n_named;
} tpl_args;

/* Of nested containers: JSON and what a template puts around it. Functions that visit nested values
 * have a stack of this size, at most 20 KiB; no more than two of them are active at once. */
enum { TPL_MAX_DEPTH = LF_JSON_MAX_DEPTH + 88 };

/* ---- memory, steps, errors: memory.c ---- */

int32_t tpl_new(tpl_vm *vm, size_t count, size_t item, void *out);
/* Makes space for item n of an array in the arena. `items` points to its pointer; `first` is the
 * capacity to begin with. The old memory stays as it is. */
int32_t tpl_grow(tpl_vm *vm, void *items, size_t n, size_t *cap, size_t first, size_t item);
int32_t tpl_charge(tpl_vm *vm, size_t steps);
/* As tpl_charge, for functions without a status: the next instruction fails. */
void tpl_spend(tpl_vm *vm, size_t steps);
/* Counts a function that calls itself through a table; vm->nested-- ends it. */
int32_t tpl_enter_nested(tpl_vm *vm);
int32_t tpl_fail(const tpl_vm *vm, int32_t status, const char *code, const char *format, ...)
    LF_PRINTF(4, 5);
/* TEXT: an operation that is not defined for these values. */
#define TPL_TYPE_ERROR(vm, ...) tpl_fail(vm, LFM2_E_TEXT, "template.type", __VA_ARGS__)

/* ---- strings: string.c ---- */

int32_t tpl_text_put(tpl_vm *vm, tpl_text *to, const char *text, size_t len, bool data);
int32_t tpl_text_put_marked(tpl_vm *vm, tpl_text *to, const char *text, const uint8_t *marks,
                            size_t len, bool data);
int32_t tpl_text_put_string(tpl_vm *vm, tpl_text *to, const tpl_string *s);
int32_t tpl_text_end(tpl_vm *vm, const tpl_text *from, tpl_value *out);
int32_t tpl_string_new(tpl_vm *vm, const char *text, size_t len, bool data, tpl_value *out);
/* Shares the bytes [from, to). */
int32_t tpl_string_part(tpl_vm *vm, const tpl_string *s, size_t from, size_t to, tpl_value *out);
int32_t tpl_string_add(tpl_vm *vm, const tpl_string *a, const tpl_string *b, tpl_value *out);
size_t tpl_count_chars(const char *text, size_t len);
/* The byte offset of a code point; s->len beyond the end. */
size_t tpl_char_at(const tpl_string *s, size_t index);
bool tpl_string_is(const tpl_string *s, const char *text);
bool tpl_same_bytes(const tpl_string *a, const tpl_string *b);
/* Counts the work of a search. */
int32_t tpl_charge_find(tpl_vm *vm, const tpl_string *s, const tpl_string *needle);
/* The offset of the first (or last) occurrence at or after `from`; SIZE_MAX if there is none. */
size_t tpl_find(const tpl_string *s, size_t from, size_t to, const tpl_string *needle);
size_t tpl_find_last(const tpl_string *s, size_t from, size_t to, const tpl_string *needle);
int32_t tpl_escape(tpl_vm *vm, const tpl_string *s, tpl_value *out);
bool tpl_is_space(uint32_t c);

/* ---- containers and conversion: value.c ---- */

tpl_value tpl_none(void);
tpl_value tpl_bool(bool b, bool data);
tpl_value tpl_int(int64_t i, bool data);
tpl_value tpl_float(double f, bool data);
tpl_value tpl_undefined(const tpl_string *name);
const char *tpl_type_name(const tpl_value *v);
bool tpl_truthy(const tpl_value *v);
int32_t tpl_seq_new(tpl_vm *vm, tpl_type type, const tpl_value *items, size_t n, tpl_value *out);
/* Appends to a list that only its maker knows. */
int32_t tpl_seq_push(tpl_vm *vm, tpl_value *list, tpl_value item);
/* Whether Python can hash the value. So keys contain no lists and no dicts. */
bool tpl_keyable(const tpl_value *v);
int32_t tpl_dict_new(tpl_vm *vm, size_t cap, tpl_value *out);
int32_t tpl_dict_set(tpl_vm *vm, tpl_value *dict, const tpl_value *key, const tpl_value *v);
int32_t tpl_dict_find(tpl_vm *vm, const tpl_dict *d, const tpl_value *key, const tpl_value **out);
const tpl_value *tpl_dict_name(const tpl_dict *d, const char *name);
int32_t tpl_from_json(tpl_vm *vm, const lf_json *json, bool data, tpl_value *out);
/* The items that iterating yields; an iterator is used up. */
int32_t tpl_iterate(tpl_vm *vm, const tpl_value *v, tpl_value **items, size_t *n);
bool tpl_iterable(const tpl_value *v);
int32_t tpl_length(tpl_vm *vm, const tpl_value *v, int64_t *out);

/* ---- numbers: number.c ---- */

enum { TPL_NUMBER_TEXT = 400 };
/* Python's repr. Returns the length. */
size_t tpl_float_text(double v, char out[TPL_NUMBER_TEXT]);
size_t tpl_fixed_text(double v, int precision, char out[TPL_NUMBER_TEXT]);
bool tpl_parse_float(const char *text, size_t len, double *out);
bool tpl_parse_int(const char *text, size_t len, int64_t base, int64_t *out);
double tpl_floor(double x);
/* The exact remainder with the sign of a, as C's fmod. */
double tpl_remainder(double a, double b);
bool tpl_number(const tpl_value *v, double *out);
bool tpl_integer(const tpl_value *v, int64_t *out); /* INT or BOOL */

/* ---- operators: compare.c, operate.c ---- */

typedef enum { TPL_EQ, TPL_NE, TPL_LT, TPL_LE, TPL_GT, TPL_GE, TPL_IN, TPL_NOT_IN } tpl_compare;

bool tpl_equal(tpl_vm *vm, const tpl_value *a, const tpl_value *b);
int32_t tpl_less(tpl_vm *vm, const tpl_value *a, const tpl_value *b, bool *out);
int32_t tpl_compare_values(tpl_vm *vm, tpl_compare op, const tpl_value *a, const tpl_value *b,
                           bool *out);
/* Sorts stably by keys. */
int32_t tpl_sort(tpl_vm *vm, tpl_value *items, tpl_value *keys, size_t n, bool reverse);
int32_t tpl_lower_key(tpl_vm *vm, tpl_value *key);
int32_t tpl_arithmetic(tpl_vm *vm, char op, const tpl_value *a, const tpl_value *b, tpl_value *out);
int32_t tpl_negate(tpl_vm *vm, const tpl_value *v, bool minus, tpl_value *out);

/* ---- attributes and items: access.c ---- */

int32_t tpl_getattr(tpl_vm *vm, const tpl_value *object, const tpl_string *name, tpl_value *out);
int32_t tpl_getitem(tpl_vm *vm, const tpl_value *object, const tpl_value *key, tpl_value *out);
int32_t tpl_slice(tpl_vm *vm, const tpl_value *object, const tpl_value bounds[3], tpl_value *out);
/* The path is "a.b.0", an integer, or none. `absent` replaces undefined items on it; NULL: nothing
 * does. */
int32_t tpl_getpath(tpl_vm *vm, const tpl_value *object, const tpl_value *path,
                    const tpl_value *absent, tpl_value *out);

/* ---- text of values: write.c, format.c ---- */

typedef struct tpl_json_options {
    bool json, ascii, sort;
    bool indented;
    const tpl_string *indent; /* or that many spaces */
    int64_t spaces;
    const tpl_string *item_separator, *key_separator; /* NULL: as json.dumps */
} tpl_json_options;

int32_t tpl_str(tpl_vm *vm, const tpl_value *v, tpl_value *out);
int32_t tpl_text_put_value(tpl_vm *vm, tpl_text *to, const tpl_value *v); /* as str() */
int32_t tpl_write(tpl_vm *vm, tpl_text *to, const tpl_value *v, const tpl_json_options *options);
int32_t tpl_format_percent(tpl_vm *vm, const tpl_string *format, const tpl_value *args,
                           tpl_value *out);
int32_t tpl_format_braces(tpl_vm *vm, const tpl_string *format, const tpl_args *args,
                          tpl_value *out);

/* ---- arguments: arguments.c ---- */

/* Puts the arguments into slots[] by position or name; absent ones stay UNDEFINED with given[]
 * false. `names` is a list divided by spaces. */
enum { TPL_MAX_SLOTS = 6 };
typedef struct tpl_slots {
    tpl_value v[TPL_MAX_SLOTS];
    bool given[TPL_MAX_SLOTS];
} tpl_slots;
int32_t tpl_bind(tpl_vm *vm, const char *what, const char *names, size_t required,
                 const tpl_args *args, tpl_slots *out);
int32_t tpl_need_int(tpl_vm *vm, const char *what, const tpl_value *v, int64_t *out);
int32_t tpl_need_string(tpl_vm *vm, const char *what, const tpl_value *v, const tpl_string **out);

/* ---- filters, tests, methods, globals ---- */

typedef int32_t (*tpl_filter_fn)(tpl_vm *vm, const tpl_value *v, const tpl_args *args,
                                 tpl_value *out);
typedef struct tpl_filter {
    const char *name;
    tpl_filter_fn call; /* NULL: exists in Jinja, but not here */
} tpl_filter;

extern const tpl_filter tpl_text_filters[], tpl_list_filters[], tpl_select_filters[],
    tpl_tests[]; /* up to a NULL name */
const tpl_filter *tpl_find_filter(const char *name, size_t len);
const tpl_filter *tpl_find_test(const char *name, size_t len);

/* The id of a method; -1: none of this name. */
int32_t tpl_method_id(const tpl_value *object, const char *name, size_t len);
int32_t tpl_call_method(tpl_vm *vm, const tpl_method *method, const tpl_args *args, tpl_value *out);
int32_t tpl_call_string(tpl_vm *vm, const tpl_method *method, const tpl_args *args, tpl_value *out);

/* String functions that filters and methods share. */
typedef enum { TPL_UPPER, TPL_LOWER, TPL_CAPITALIZE, TPL_TITLE, TPL_SWAPCASE } tpl_case;
int32_t tpl_change_case(tpl_vm *vm, const tpl_string *s, tpl_case how, tpl_value *out);
enum { TPL_LEFT = 1, TPL_RIGHT = 2 };
int32_t tpl_strip(tpl_vm *vm, const tpl_string *s, int sides, const tpl_value *chars,
                  tpl_value *out);
int32_t tpl_replace(tpl_vm *vm, const tpl_string *s, const tpl_string *old, const tpl_string *by,
                    int64_t count, tpl_value *out);
int32_t tpl_join(tpl_vm *vm, const tpl_string *separator, const tpl_value *items, size_t n,
                 bool strings_only, tpl_value *out);
int32_t tpl_pad(tpl_vm *vm, const tpl_string *s, int64_t left, int64_t right, const char *fill,
                size_t fill_len, tpl_value *out);
int32_t tpl_splitlines(tpl_vm *vm, const tpl_string *s, bool keep, tpl_value *out);
/* Whether all letters are upper (or lower) case and there is one. */
bool tpl_all_case(const tpl_string *s, bool upper);

/* The globals, in the order of tpl_builtin_names. */
extern const char *const tpl_builtin_names[];
int32_t tpl_call_builtin(tpl_vm *vm, int64_t builtin, const tpl_args *args, tpl_value *out);
int32_t tpl_call_loop(tpl_vm *vm, const tpl_method *method, const tpl_args *args, tpl_value *out);

/* ---- the renderer ---- */

struct tpl_vm {
    lf_arena arena;
    const lf_template *t;
    lf_template_limits limits;
    const lf_template_time *now;
    size_t steps, memory;
    uint32_t line;
    uint32_t pc;
    tpl_value *stack;
    size_t n_stack, cap_stack;
    tpl_value *variables; /* of the template, by name */
    tpl_scope *scope;
    tpl_binding *free_bindings;
    tpl_text *out;
    struct tpl_frame *frames;
    size_t n_frames, cap_frames, n_calls;
    uint32_t nested; /* filters called by filters */
};

#endif /* LF_TEXT_TEMPLATE_VALUE_H */
