/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the instructions that templates are compiled to. */
#ifndef LF_TEXT_TEMPLATE_CODE_H
#define LF_TEXT_TEMPLATE_CODE_H

#include "text/template/value.h"

/* a, n, x: operands of the instruction. Jumps are relative to it. */
#define TPL_OPS(X)                                                                                 \
    X(CONST)    /* pushes constant a */                                                            \
    X(LOAD)     /* pushes variable a */                                                            \
    X(STORE)    /* pops into variable a */                                                         \
    X(STORE_NS) /* pops into attribute n of namespace a */                                         \
    X(NEGATE)   /* x: 1 minus, 0 plus */                                                           \
    X(NOT)                                                                                         \
    X(ARITHMETIC) /* x: the operator; '/' '\\' is floor division, '^' power */                     \
    X(CONCAT)                                                                                      \
    X(COMPARE) /* x: tpl_compare */                                                                \
    X(CHAIN)   /* COMPARE; keeps the right side, or pushes false and jumps by a */                 \
    X(JUMP)                                                                                        \
    X(JUMP_FALSE) /* pops */                                                                       \
    X(AND)        /* jumps by a if false, else pops */                                             \
    X(OR)         /* jumps by a if true, else pops */                                              \
    X(LIST)       /* of a values */                                                                \
    X(TUPLE)                                                                                       \
    X(DICT)    /* of a pairs */                                                                    \
    X(GETATTR) /* name a */                                                                        \
    X(GETITEM)                                                                                     \
    X(SLICE)                                                                                       \
    X(CALL)   /* n positional, x named */                                                          \
    X(FILTER) /* table entry a of filters; n, x as CALL */                                         \
    X(TEST)                                                                                        \
    X(UNKNOWN)  /* a filter or test (x: 1) without an implementation; constant a */                \
    X(PRINT)    /* pops and writes; x: 1 strings only */                                           \
    X(TEXT)     /* writes constant a */                                                            \
    X(UNPACK)   /* pops a sequence of a items, pushes them, the first on top */                    \
    X(FOR)      /* pops a value, begins a loop over it */                                          \
    X(FOR_NEXT) /* pushes the next item, or jumps by a */                                          \
    X(FOR_KEEP) /* pops a condition, keeps the item, jumps by a */                                 \
    X(FOR_KEPT) /* ends a loop and pushes the items that were kept */                              \
    X(FOR_MARK) /* an iteration was completed */                                                   \
    X(FOR_END)  /* jumps by a if an iteration was completed */                                     \
    X(SCOPE)                                                                                       \
    X(SCOPE_END)                                                                                   \
    X(CAPTURE)                                                                                     \
    X(CAPTURE_END) /* pushes the text */                                                           \
    X(UNWIND)      /* leaves a frames */                                                           \
    X(MACRO)       /* pushes macro a */                                                            \
    X(DEFAULT)     /* jumps by a if parameter n was given */                                       \
    X(RETURN)                                                                                      \
    X(END)

typedef enum {
#define X(name) TPL_OP_##name,
    TPL_OPS(X)
#undef X
        TPL_N_OPS
} tpl_op;

typedef struct tpl_code {
    uint8_t op, x;
    uint16_t n;
    int32_t a;
    uint32_t line;
} tpl_code;

typedef struct tpl_macro_code {
    uint32_t name; /* UINT32_MAX: the body of a call block */
    uint32_t entry;
    uint32_t n_params;
    uint32_t params[32];
    bool has_default[32];
    bool uses_caller, uses_varargs, uses_kwargs;
} tpl_macro_code;

enum { TPL_MAX_NAMES = 4096, TPL_MAX_PARAMS = 32, TPL_NAME_SLOTS = 2 * TPL_MAX_NAMES };

struct lf_template {
    lf_arena arena;
    lf_alloc alloc;
    tpl_code *code;
    size_t n_code, cap_code;
    tpl_value *constants;
    size_t n_constants, cap_constants;
    const tpl_string **names;
    size_t n_names;
    uint16_t *slots; /* hash table: index of a name + 1 */
    tpl_macro_code **macros;
    size_t n_macros, cap_macros;
    uint32_t name_loop, name_caller, name_varargs, name_kwargs;
};

/* UINT32_MAX if the template does not use the name. */
uint32_t tpl_name_index(const lf_template *t, const char *name, size_t len);

#endif /* LF_TEXT_TEMPLATE_CODE_H */
