/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/load: shared by the two files that read tokenizer.json. */
#ifndef LF_LOAD_TOKENIZER_JSON_H
#define LF_LOAD_TOKENIZER_JSON_H

#include "load/hf.h"

typedef struct lf_tj {
    lf_source *source;
    const lf_json *root;
    const char *name;       /* the file, for messages */
    uint32_t n_tokens;      /* rows of the embedding */
    lf_vocab_token *tokens; /* [n_tokens]; text is NULL before the token is read */
} lf_tj;

/* "file: offset N: message" */
int32_t lf_tj_fail(const lf_tj *t, const lf_json *at, int32_t status, const char *code,
                   const char *message);

/* Refuses every model, normalizer, pre-tokenizer and decoder other than LFM2's. */
int32_t lf_tj_check_pipeline(const lf_tj *t, bool *ignore_merges);

/* The token that the post-processor prepends: *bos is its id, or -1 for none. *decided is false if
 * the post-processor has no template. */
int32_t lf_tj_bos(const lf_tj *t, int32_t *bos, bool *decided);

#endif /* LF_LOAD_TOKENIZER_JSON_H */
