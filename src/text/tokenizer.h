/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-level BPE: immutable after creation, shared by threads. */
#ifndef LF_TEXT_TOKENIZER_H
#define LF_TEXT_TOKENIZER_H

#include "load/source.h"

typedef struct lf_tokenizer lf_tokenizer;

/* Builds the tables; copies nothing from `vocab` that outlives it: the tokenizer owns its memory.
 * `ignore_merges`: see lfm2.h. Kinds: NORMAL tokens are reached by merges; CONTROL (and UNKNOWN)
 * ones are found where a span allows it; USER ones are found everywhere; UNUSED and BYTE ones never
 * come out of encoding. Errors: FORMAT (bad token text, a byte without a token, duplicate tokens or
 * merges, merges of unknown pieces, ids out of range), MEMORY. */
int32_t lf_tokenizer_create(const lf_alloc *alloc, const lf_vocab_data *vocab, bool ignore_merges,
                            lf_tokenizer **out);
void lf_tokenizer_free(lf_tokenizer *tokenizer);

/* A run of text in which written-out control tokens are, or are not, recognised. Adjacent spans
 * form one text: pre-tokenisation and merges cross the border between them. */
typedef struct lf_span {
    const char *text;
    size_t len;
    bool special;
} lf_span;

/* Same contract as lfm2_tokenize for the concatenation of the spans; `bos` prepends the BOS token
 * if the vocabulary has one. A control token counts only if all its bytes lie in spans that allow
 * it. Errors: MEMORY, BUFFER ("text.capacity"), LIMIT (a piece of 2 GiB). */
int32_t lf_tokenizer_encode(const lf_tokenizer *tokenizer, const lf_span *spans, size_t n_spans,
                            bool bos, int32_t *ids, size_t capacity, size_t *n_ids);

uint32_t lf_tokenizer_size(const lf_tokenizer *tokenizer); /* ids are 0..size-1 */
int32_t lf_tokenizer_bos(const lf_tokenizer *tokenizer);
int32_t lf_tokenizer_eos(const lf_tokenizer *tokenizer);
int32_t lf_tokenizer_pad(const lf_tokenizer *tokenizer);
bool lf_tokenizer_add_bos(const lf_tokenizer *tokenizer);
/* EOS, and <|endoftext|> and <|im_end|> where the vocabulary has them. */
bool lf_tokenizer_is_end(const lf_tokenizer *tokenizer, int32_t id);

/* Decoded bytes (control tokens: their name). ARGUMENT for an id out of range. */
int32_t lf_tokenizer_token(const lf_tokenizer *tokenizer, int32_t id, const char **bytes,
                           size_t *len, int32_t *kind);

/* Streaming UTF-8 assembly: plain struct, no allocation. */
typedef struct lf_utf8_stream {
    uint8_t pending[4];
    uint32_t n_pending;
} lf_utf8_stream;

/* Most bytes lf_utf8_push can write for `len` input bytes. */
size_t lf_utf8_push_bound(size_t len);
/* Feeds bytes; writes the whole characters that are complete (invalid bytes as U+FFFD, by the
 * "maximal subpart" practice of the Unicode standard); returns the number of bytes written. */
size_t lf_utf8_push(lf_utf8_stream *stream, const char *bytes, size_t len, char *out);
/* Ends the stream: U+FFFD for an unfinished character; at most 3 bytes. */
size_t lf_utf8_flush(lf_utf8_stream *stream, char *out);

#endif /* LF_TEXT_TOKENIZER_H */
