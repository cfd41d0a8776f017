/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions over bytes, as hash-consed terms that are matched by derivatives. */
#ifndef LF_GRAMMAR_RX_H
#define LF_GRAMMAR_RX_H

#include "text/grammar/limits.h"

/* A handle of an expression in a set. Equal handles are equal expressions, and the constructors
 * simplify, so equivalent expressions often have equal handles too. */
typedef uint32_t lf_rx;

enum {
    LF_RX_NONE = 0,  /* matches nothing */
    LF_RX_EMPTY = 1, /* matches the empty string */
    LF_RX_ANY = 2    /* matches every string of bytes */
};
#define LF_RX_UNLIMITED UINT32_MAX

/* Constructors do not fail one by one: after MEMORY or LIMIT the set keeps the status, and every
 * constructor returns LF_RX_NONE. Callers check lf_rx_status when they are done. */
typedef struct lf_rx_set lf_rx_set;

int32_t lf_rx_status(const lf_rx_set *set);

lf_rx lf_rx_byte_class(lf_rx_set *set, const uint64_t bits[4]);
lf_rx lf_rx_text(lf_rx_set *set, const char *bytes, size_t len);
/* The UTF-8 encodings of code points first .. last, without surrogates. */
lf_rx lf_rx_code_points(lf_rx_set *set, uint32_t first, uint32_t last);
lf_rx lf_rx_concat(lf_rx_set *set, lf_rx a, lf_rx b);
lf_rx lf_rx_alt(lf_rx_set *set, lf_rx a, lf_rx b);
lf_rx lf_rx_alt_many(lf_rx_set *set, lf_rx *items, size_t n); /* may reorder items */
lf_rx lf_rx_and(lf_rx_set *set, lf_rx a, lf_rx b);
lf_rx lf_rx_not(lf_rx_set *set, lf_rx a); /* every string of bytes that `a` does not match */
lf_rx lf_rx_repeat(lf_rx_set *set, lf_rx a, uint32_t min, uint32_t max); /* or UNLIMITED */
lf_rx lf_rx_utf8(lf_rx_set *set); /* every string of UTF-8 characters */

bool lf_rx_nullable(const lf_rx_set *set, lf_rx a);
/* The rest that must follow `byte`; memoized. LF_RX_NONE: no match begins with it. */
lf_rx lf_rx_derive(lf_rx_set *set, lf_rx a, uint8_t byte);
/* Whether no string matches. A search over derivatives decides it, which takes steps. False after a
 * failure. */
bool lf_rx_is_none(lf_rx_set *set, lf_rx a);
/* Other questions are put with these: a and b have no string in common if
 * lf_rx_is_none(lf_rx_and(a, b)); a matches all that b matches if
 * lf_rx_is_none(lf_rx_and(b, lf_rx_not(a))). */

/* One of the characters first .. last, in the spellings that it has in a text. */
typedef lf_rx lf_rx_spell(void *user, uint32_t first, uint32_t last);

/* How a pattern is read: as expressions of which texts. */
typedef struct lf_rx_reading {
    bool whole;         /* the pattern matches the whole text, not somewhere in it */
    lf_rx any;          /* unless `whole`: all texts */
    lf_rx_spell *spell; /* NULL: UTF-8 */
    void *user;
} lf_rx_reading;

/* Why a pattern has no expression. */
typedef struct lf_rx_problem {
    int32_t status; /* OK: there is none; TEXT: syntax; UNSUPPORTED: look-around, back-references,
                       \b, what is not regular; LIMIT: depth */
    size_t at;
    const char *what;
} lf_rx_problem;

/* Reads an ECMA-262 pattern (flag u) into the expression of the texts that it matches. Errors: that
 * of the problem; MEMORY, LIMIT. */
int32_t lf_rx_read(lf_rx_set *set, const lf_rx_reading *reading, const char *pattern, size_t len,
                   lf_rx *out, lf_rx_problem *problem);

/* The same of UTF-8 texts in which the pattern matches somewhere (`search`) or that it matches
 * whole; with a message. `path` names the pattern in it. */
int32_t lf_rx_parse(lf_rx_set *set, const char *path, const char *pattern, size_t len, bool search,
                    lf_rx *out);

#endif /* LF_GRAMMAR_RX_H */
