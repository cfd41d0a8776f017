/* SPDX-License-Identifier: Apache-2.0 */
/* Vocabularies for the text tests: the golden one, and small ones built by hand. */
#ifndef LF_TESTS_TEXT_VOCAB_H
#define LF_TESTS_TEXT_VOCAB_H

#include "load/source.h"

/* Grows by malloc; a failed allocation ends the test program. */
typedef struct text_vocab {
    lf_vocab_data data;
    lf_vocab_token *tokens;
    lf_vocab_merge *merges;
    void **blocks; /* all memory that tokens and merges point to */
    size_t n_blocks;
} text_vocab;

/* Tokens 0..255 are the bytes 0..255; no merges, no special ids. */
void text_vocab_init(text_vocab *v);
void text_vocab_free(text_vocab *v);

/* Adds a token as stored in model files (normal ones in byte-level form). Returns its id. */
int32_t text_vocab_add(text_vocab *v, const char *text, size_t len, int32_t kind);
int32_t text_vocab_add_string(text_vocab *v, const char *text, int32_t kind);

/* Adds a merge of two stored texts, and the merged token if the vocabulary lacks it. Returns that
 * token's id, or -1 if the pair exists already. */
int32_t text_vocab_merge(text_vocab *v, const char *left, const char *right);

/* LFM2's control tokens by name plus a few merges; BOS and EOS set. */
void text_vocab_init_small(text_vocab *v);

/* tests/golden/text/vocab.bin; false if it cannot be read. */
bool text_vocab_load(text_vocab *v);

/* A file below tests/golden/text/ with a 0 added, which the caller frees; NULL if it cannot be
 * read. */
uint8_t *text_golden_read(const char *name, size_t *size);

/* FNV-1a of ids as little-endian 32-bit numbers. */
uint64_t text_hash_ids(const int32_t *ids, size_t n);

#endif /* LF_TESTS_TEXT_VOCAB_H */
