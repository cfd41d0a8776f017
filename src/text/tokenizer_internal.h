/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer object, which tokenizer.c builds and encode.c reads. */
#ifndef LF_TEXT_TOKENIZER_INTERNAL_H
#define LF_TEXT_TOKENIZER_INTERNAL_H

#include "text/added.h"
#include "text/bpe.h"
#include "text/token_index.h"
#include "text/tokenizer.h"

typedef struct lf_token {
    const uint8_t *bytes; /* decoded; a 0 follows */
    uint32_t len;
    uint8_t kind; /* LFM2_TOKEN_* */
    bool ends;    /* generation stops at it */
} lf_token;

struct lf_tokenizer {
    lf_alloc alloc;
    lf_arena arena;
    const lf_token *tokens; /* [n_tokens] */
    uint32_t n_tokens;
    int32_t bos_id, eos_id, pad_id;
    int32_t *ends; /* [n_ends] tokens with `ends`, in order */
    uint32_t n_ends;
    bool add_bos;
    bool ignore_merges;
    lf_bpe bpe;
    lf_token_index index; /* of the normal tokens; empty without ignore_merges */
    lf_added control;     /* found in spans that allow control tokens */
    lf_added user;        /* found in every span */
};

#endif /* LF_TEXT_TOKENIZER_INTERNAL_H */
