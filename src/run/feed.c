/* SPDX-License-Identifier: Apache-2.0 */
/* Implements what a stream gives to a chat parser. */
#include "run/feed.h"

#include "run/decoder.h"

#include <string.h>

int32_t lf_feed_reserve(lf_feed *f)
{
    if (f->parser == NULL) {
        return LFM2_OK;
    }
    LF_TRY(lf_chat_parser_check(f->parser->parser));
    if (f->n < f->capacity) {
        return LFM2_OK;
    }
    size_t capacity = f->capacity > 0 ? f->capacity * 2 : 16;
    void *ids = NULL;
    LF_TRY(lf_new(f->alloc, capacity, sizeof *f->ids, "tokens of a chat parser", &ids));
    if (f->n > 0) {
        memcpy(ids, f->ids, f->n * sizeof *f->ids);
    }
    lf_free(f->alloc, f->ids, f->capacity, sizeof *f->ids);
    f->ids = ids;
    f->capacity = capacity;
    return LFM2_OK;
}

void lf_feed_add(lf_feed *f, int32_t id)
{
    if (f->parser != NULL) {
        f->ids[f->n++] = id;
    }
}

/* The bytes that a token has in the text. */
static size_t bytes_of(const lf_feed *f, int32_t id, const char **bytes)
{
    size_t n = 0;
    lf_decoder_bytes(f->parser->model->tokenizer, id, f->special, bytes, &n);
    return n;
}

/* Gives bytes of the next token up to `end`, as text even if they spell a delimiter. */
static void give_bytes(lf_feed *f, const char *bytes, size_t end)
{
    if (end > f->given) {
        lf_chat_parser_push_part(f->parser->parser, bytes + f->given, end - f->given);
        f->given = end;
    }
}

/* Gives the bytes of the next token that are final. Returns whether these are all of them. */
static bool give_token(lf_feed *f, int32_t id, const char *bytes, size_t n)
{
    if (f->read < n) {
        if (!lf_chat_parser_divides(f->parser->parser, id)) {
            give_bytes(f, bytes, f->read);
        }
        return false;
    }
    if (f->given == 0) {
        lf_chat_parser_push_token(f->parser->parser, id);
    } else {
        give_bytes(f, bytes, n);
    }
    f->read = f->given = 0;
    return true;
}

/* Reads bytes up to the next `*len` bytes of text. What is no UTF-8 is U+FFFD there; it ends where
 * the next byte does not continue it. */
static void read_text(lf_feed *f, const char *bytes, size_t n, size_t *len)
{
    char text[8];
    while (f->read<n && * len> 0) {
        size_t written = lf_utf8_push(&f->utf8, bytes + f->read, 1, text);
        if (written > *len || (written == *len && f->utf8.n_pending > 0)) {
            f->utf8 = (lf_utf8_stream){0}; /* the byte follows the U+FFFD that ends this text */
            *len = 0;
            return;
        }
        *len -= written;
        f->read++;
    }
}

/* Gives the next bytes of text; `all`: everything. */
static void give(lf_feed *f, size_t len, bool all)
{
    size_t done = 0;
    for (bool more = f->parser != NULL; more && done < f->n; done += more) {
        const char *bytes = NULL;
        size_t n = bytes_of(f, f->ids[done], &bytes);
        if (all) {
            f->read = n;
        } else {
            read_text(f, bytes, n, &len);
        }
        more = give_token(f, f->ids[done], bytes, n);
    }
    if (done > 0) {
        f->n -= done;
        memmove(f->ids, f->ids + done, f->n * sizeof *f->ids);
    }
}

void lf_feed_text(lf_feed *f, size_t len)
{
    give(f, len, false);
}

void lf_feed_all(lf_feed *f)
{
    give(f, 0, true);
    f->utf8 = (lf_utf8_stream){0};
}

void lf_feed_cut(lf_feed *f)
{
    if (f->parser != NULL && f->n > 0) {
        const char *bytes = NULL;
        bytes_of(f, f->ids[0], &bytes);
        give_bytes(f, bytes, f->read);
    }
    f->n = f->read = f->given = 0;
    f->utf8 = (lf_utf8_stream){0};
}

void lf_feed_stop(lf_feed *f, int32_t id)
{
    if (f->parser != NULL && lf_chat_parser_divides(f->parser->parser, id)) {
        lf_chat_parser_push_token(f->parser->parser, id);
    }
}

void lf_feed_finish(lf_feed *f)
{
    if (f->parser != NULL) {
        lf_chat_parser_end(f->parser->parser);
    }
}

void lf_feed_free(lf_feed *f)
{
    lf_free(f->alloc, f->ids, f->capacity, sizeof *f->ids);
}
