/* SPDX-License-Identifier: Apache-2.0 */
/* What creation (tokenizer.c) leaves for encoding (encode.c). */
#ifndef LF_TEXT_TOKENIZER_INTERNAL_H
#define LF_TEXT_TOKENIZER_INTERNAL_H

#include "text/added.h"
#include "text/bpe.h"
#include "text/tokenizer.h"

typedef struct lf_token {
    const uint8_t *bytes; /* as decoding writes them; a 0 follows */
    uint32_t len;
    uint8_t kind; /* LFM2_TOKEN_* */
    bool ends;    /* ends a text */
} lf_token;

struct lf_tokenizer {
    lf_alloc alloc;
    lf_arena arena;
    const lf_token *tokens; /* [n_tokens] */
    uint32_t n_tokens;
    int32_t bos_id, eos_id, pad_id;
    bool add_bos;
    bool ignore_merges;
    lf_bpe bpe;
    lf_words words;   /* only with ignore_merges, else empty */
    lf_added control; /* recognised where a span allows it */
    lf_added user;    /* recognised everywhere */
};

#endif /* LF_TEXT_TOKENIZER_INTERNAL_H */
