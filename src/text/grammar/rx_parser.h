/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of patterns, which rx_parse.c and rx_atom.c share. */
#ifndef LF_GRAMMAR_RX_PARSER_H
#define LF_GRAMMAR_RX_PARSER_H

#include "text/grammar/rx_chars.h"

typedef struct lf_rx_parser {
    lf_rx_set *set;
    lf_quota *quota;
    const lf_rx_reading *reading;
    lf_rx_problem *problem;
    const char *text;
    size_t len, at;
    /* Parts, of several items each: of the sequence that is being read, and of the alternatives
     * before it. A group in `groups` keeps where its items begin in both, and its offset. */
    lf_list sequence, alternatives, groups;
    lf_chars chars;
    bool repeatable; /* the last part may be repeated */
} lf_rx_parser;

/* ---- rx_parse.c ---- */

/* These note the problem and return its status. */
int32_t lf_rx_wrong(lf_rx_parser *p, size_t at, const char *what);
int32_t lf_rx_unsupported(lf_rx_parser *p, size_t at, const char *what);

bool lf_rx_next_is(const lf_rx_parser *p, const char *what);
bool lf_rx_take(lf_rx_parser *p, const char *what);

/* Adds a part that matches anywhere. */
int32_t lf_rx_push(lf_rx_parser *p, lf_rx rx);

/* ---- rx_atom.c ---- */

/* Behind an opening bracket; a backslash; at a character; a dot. They add a part. */
int32_t lf_rx_read_class(lf_rx_parser *p);
int32_t lf_rx_read_escape(lf_rx_parser *p);
int32_t lf_rx_read_character(lf_rx_parser *p);
int32_t lf_rx_read_dot(lf_rx_parser *p);

#endif /* LF_GRAMMAR_RX_PARSER_H */
