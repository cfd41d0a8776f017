/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a chat parser the text of a stream as it becomes final. */
#ifndef LF_RUN_FEED_H
#define LF_RUN_FEED_H

#include "run/chat_parser.h"
#include "text/utf8_stream.h"

/* The parser gets the bytes of the tokens, not the text that the stream makes of them: whole tokens
 * where it can, and those that divide an answer only as a whole. Initialize with zeros and set
 * the first three members. */
typedef struct lf_feed {
    const lf_alloc *alloc;
    lfm2_chat_parser *parser; /* NULL: none; then the functions do nothing */
    bool special;             /* the text has the names of control tokens */
    int32_t *ids;             /* [n] tokens that the parser does not have completely */
    size_t n, capacity;
    size_t read;  /* bytes of ids[0] that are final */
    size_t given; /* those of them that the parser has */
    /* What the final bytes are as text: the stream finds stop strings in it. */
    lf_utf8_stream utf8;
} lf_feed;

/* Makes room for a token. Errors: MEMORY; STATE (the parser has finished an answer) and the failure
 * of the parser, if it has failed. */
int32_t lf_feed_reserve(lf_feed *feed);

/* Adds a token, for which room was made. */
void lf_feed_add(lf_feed *feed, int32_t id);

/* These give the parser what is final. If it fails, its other functions return the failure. */

/* The next `len` bytes of text are final: whole characters. */
void lf_feed_text(lf_feed *feed, size_t len);

/* All of the tokens is final. */
void lf_feed_all(lf_feed *feed);

/* The rest of the tokens does not belong to the text. */
void lf_feed_cut(lf_feed *feed);

/* A token that ended the text, after lf_feed_all: the parser gets it if it divides answers. */
void lf_feed_stop(lf_feed *feed, int32_t id);

/* Finishes the answer. */
void lf_feed_finish(lf_feed *feed);

void lf_feed_free(lf_feed *feed);

#endif /* LF_RUN_FEED_H */
