/* SPDX-License-Identifier: Apache-2.0 */
/* LFM2's tokenizer: byte-level BPE with added tokens. */
#ifndef LF_TEXT_TOKENIZER_H
#define LF_TEXT_TOKENIZER_H

#include "load/source.h"

/* Immutable after creation: any number of threads can use it at once. */
typedef struct lf_tokenizer lf_tokenizer;

/* Builds the tables from `vocab`, which can be freed afterwards. `ignore_merges`: see lfm2.h.
 * The kind of a token decides when encoding produces it. NORMAL: by merges. CONTROL and UNKNOWN:
 * where its text occurs in spans that allow control tokens; USER, too, if the text is a marker such
 * as "<think>": "<", at least one letter and no white space, ">". Other USER tokens: where the text
 * occurs. UNUSED and BYTE: never. Errors: MEMORY; FORMAT: invalid token text, a byte without a
 * token, duplicate tokens or merges, a merge whose sides or result are not tokens, ids out of
 * range. */
int32_t lf_tokenizer_create(const lf_alloc *alloc, const lf_vocab_data *vocab, bool ignore_merges,
                            lf_tokenizer **out);
void lf_tokenizer_free(lf_tokenizer *tokenizer);

/* A section of a text. Adjacent spans form one text: pre-tokens and merges cross their
 * boundaries. */
typedef struct lf_span {
    const char *text; /* may be NULL if len is 0 */
    size_t len;
    bool special; /* control tokens written in the text become control tokens */
} lf_span;

/* Encodes the concatenation of the spans, with the contract of lfm2_tokenize. `bos` prepends the
 * BOS token if the vocabulary has one. A control token is recognized only if all of its bytes are
 * in spans with `special`. Errors: MEMORY, BUFFER ("text.capacity"), LIMIT (a pre-token of 2 GiB or
 * more); after MEMORY and LIMIT nothing is written. */
int32_t lf_tokenizer_encode(const lf_tokenizer *tokenizer, const lf_span *spans, size_t n_spans,
                            bool bos, int32_t *ids, size_t capacity, size_t *n_ids);

uint32_t lf_tokenizer_size(const lf_tokenizer *tokenizer); /* ids are 0 .. size - 1 */
/* Ids of the BOS, EOS and padding token, -1 if the vocabulary has none. */
int32_t lf_tokenizer_bos(const lf_tokenizer *tokenizer);
int32_t lf_tokenizer_eos(const lf_tokenizer *tokenizer);
int32_t lf_tokenizer_pad(const lf_tokenizer *tokenizer);
bool lf_tokenizer_add_bos(const lf_tokenizer *tokenizer);
/* The control or user-defined token with this text, or -1. */
int32_t lf_tokenizer_find_added(const lf_tokenizer *tokenizer, const char *name);
/* Whether generation stops at the token: EOS, <|endoftext|>, <|im_end|>. */
bool lf_tokenizer_is_end(const lf_tokenizer *tokenizer, int32_t id);
/* All such tokens, in order. */
const int32_t *lf_tokenizer_ends(const lf_tokenizer *tokenizer, uint32_t *n);
/* Whether the token is found only in spans that allow control tokens: a control token or marker. */
bool lf_tokenizer_is_control(const lf_tokenizer *tokenizer, int32_t id);

/* The decoded bytes of a token (a control token: its name), followed by a 0, and its kind. The
 * outputs may be NULL. Errors: ARGUMENT (id out of range). */
int32_t lf_tokenizer_token(const lf_tokenizer *tokenizer, int32_t id, const char **bytes,
                           size_t *len, int32_t *kind);

#endif /* LF_TEXT_TOKENIZER_H */
