/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files that read tokenizer.json share. */
#ifndef LF_LOAD_TOKENIZER_JSON_H
#define LF_LOAD_TOKENIZER_JSON_H

#include "load/hf.h"

typedef struct lf_tj {
    lf_source *source;
    const lf_json *root;
    const char *name;       /* the file, for messages */
    uint32_t n_tokens;      /* rows of the embedding */
    lf_vocab_token *tokens; /* [n_tokens]; text NULL where none was read yet */
} lf_tj;

/* "file: offset N: message" */
int32_t lf_tj_fail(const lf_tj *t, const lf_json *at, int32_t status, const char *code,
                   const char *message);

/* A member that is there and not null. */
const lf_json *lf_tj_member(const lf_json *object, const char *key);

/* Refuses every model, normaliser, pre-tokenizer and decoder but LFM2's. */
int32_t lf_tj_check_pipeline(const lf_tj *t, bool *ignore_merges);

/* What the post-processor prepends: *decided is false when it has no template, otherwise *bos is
 * the token or -1. */
int32_t lf_tj_bos(const lf_tj *t, int32_t *bos, bool *decided);

#endif /* LF_LOAD_TOKENIZER_JSON_H */
