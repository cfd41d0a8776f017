/* SPDX-License-Identifier: Apache-2.0 */
/* The terms of a set of expressions. */
#ifndef LF_GRAMMAR_RX_SET_H
#define LF_GRAMMAR_RX_SET_H

#include "text/grammar/quota.h"
#include "text/grammar/rx.h"

typedef enum {
    LF_RX_K_NONE,
    LF_RX_K_EMPTY,
    LF_RX_K_CLASS,  /* one byte of class a */
    LF_RX_K_CONCAT, /* a, then b; a is no concatenation */
    LF_RX_K_ALT,    /* any of the b items from lists[a] on */
    LF_RX_K_AND,    /* all of them */
    LF_RX_K_NOT,    /* not a */
    LF_RX_K_REPEAT  /* b to c times a */
} lf_rx_kind;

enum {
    LF_RX_F_NULLABLE = 1,
    LF_RX_F_BOOLEAN = 2,  /* contains AND or NOT: it may match nothing although it is not NONE */
    LF_RX_F_ALIVE = 4,    /* matches something */
    LF_RX_F_DEAD = 8,     /* matches nothing */
    LF_RX_F_CONTROL = 16, /* may match a byte 0xFF, which does not occur in UTF-8 */
    LF_RX_F_VISITED = 32, /* by the search of lf_rx_is_none; of lf_rx_compact: it is kept */
    LF_RX_F_LOOP = 64     /* contains a repetition */
};

typedef struct lf_rx_node {
    uint8_t kind, flags;
    uint32_t a, b, c;
    uint32_t row;           /* row of derivatives + 1; 0: none */
    uint32_t mark, derived; /* the derivative that was computed in call `mark` */
} lf_rx_node;

/* Derivatives of an expression by byte. */
enum { LF_RX_ROW_VALUES = 12, LF_RX_ROW_UNKNOWN = 255 };
typedef struct lf_rx_row {
    uint8_t index[256]; /* of the value, or UNKNOWN */
    uint32_t next;      /* the row + 1 that continues this one */
    uint32_t n;
    uint32_t sets; /* sets[this - 1]: the bytes that have each value; 0: not made */
    uint32_t values[LF_RX_ROW_VALUES];
} lf_rx_row;

/* The bytes of each value of a row, for rows from which other rows are made. */
typedef struct lf_rx_row_sets {
    uint64_t of[LF_RX_ROW_VALUES][4];
} lf_rx_row_sets;

typedef struct lf_rx_class {
    uint64_t bits[4];
    int32_t only; /* the byte of a class of one; else -1 */
} lf_rx_class;

struct lf_rx_set {
    lf_quota *quota;
    lf_rx_node *nodes;
    lf_rx_class *classes;
    lf_rx_row *rows;
    lf_rx_row_sets *sets;
    uint32_t n_sets, sets_capacity;
    uint32_t n_nodes, n_classes, n_rows;
    uint32_t node_capacity, class_capacity, row_capacity;
    lf_list lists;
    lf_table node_table, class_table;
    lf_list work;  /* items under construction */
    lf_list stack; /* of the search in lf_rx_is_none and of derivation */
    lf_list found;
    lf_rx bytes[256];          /* the class of a single byte; 0: not made yet */
    uint32_t mark;             /* the number of derivations */
    uint32_t depth;            /* of nested calls of lf_rx_join */
    uint32_t derivations;      /* that nest in rx_derive.c */
    uint32_t base, base_lists; /* lf_rx_set_base */
    lf_rx utf8;                /* 0: not made yet */
    lf_rx plain;               /* a plain character (plain.c); 0: not made yet */
};

int32_t lf_rx_set_create(lf_quota *quota, lf_rx_set **out);
void lf_rx_set_free(lf_rx_set *set);

static inline bool lf_rx_class_has(const lf_rx_class *c, uint8_t byte)
{
    return (c->bits[byte >> 6] >> (byte & 63) & 1) != 0;
}

static inline const lf_rx_node *lf_rx_at(const lf_rx_set *set, lf_rx a)
{
    return &set->nodes[a];
}

/* lf_rx_derive. Leaves in `same` the bytes that have the same derivative, or some of them. */
lf_rx lf_rx_derive_same(lf_rx_set *set, lf_rx a, uint8_t byte, uint64_t same[4]);

/* Removes the terms since lf_rx_set_base, except those that lf_rx_keep marks and what they contain.
 * Until the next derivation lf_rx_moved gives the new handle of an old one. */
void lf_rx_set_base(lf_rx_set *set);
void lf_rx_keep(lf_rx_set *set, lf_rx a);
void lf_rx_compact(lf_rx_set *set);
lf_rx lf_rx_moved(const lf_rx_set *set, lf_rx a);
/* Forgets the old handles. */
void lf_rx_forget(lf_rx_set *set);

/* Finds or adds a term. Items of lists are compared by content. */
lf_rx lf_rx_intern(lf_rx_set *set, lf_rx_kind kind, uint32_t flags, uint32_t a, uint32_t b,
                   uint32_t c);

/* lf_rx_is_none and lf_rx_derive, faster for what is known. */
static inline bool lf_rx_dead(lf_rx_set *set, lf_rx a)
{
    uint32_t flags = set->nodes[a].flags;
    return (flags & LF_RX_F_ALIVE) == 0 && ((flags & LF_RX_F_DEAD) != 0 || lf_rx_is_none(set, a));
}

static inline lf_rx lf_rx_next(lf_rx_set *set, lf_rx a, uint8_t byte)
{
    uint32_t row = set->nodes[a].row;
    if (row != 0) {
        uint8_t index = set->rows[row - 1].index[byte];
        if (index != LF_RX_ROW_UNKNOWN) {
            return set->rows[row - 1].values[index];
        }
    }
    return lf_rx_derive(set, a, byte);
}

/* The byte with which every match begins, if it is a fixed one at the beginning of the term; else
 * -1. */
static inline int32_t lf_rx_first(const lf_rx_set *set, lf_rx a)
{
    const lf_rx_node *n = &set->nodes[a];
    n = n->kind == LF_RX_K_CONCAT ? &set->nodes[n->a] : n;
    return n->kind == LF_RX_K_CLASS ? set->classes[n->a].only : -1;
}

/* ALT (`all` false) or AND of the items of set->work from `base` on, which it removes. */
lf_rx lf_rx_join(lf_rx_set *set, uint32_t base, bool all);

#endif /* LF_GRAMMAR_RX_SET_H */
