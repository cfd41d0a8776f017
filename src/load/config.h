/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/load: hyperparameters from GGUF metadata and from config.json. */
#ifndef LF_LOAD_CONFIG_H
#define LF_LOAD_CONFIG_H

#include "load/gguf.h"

/* From GGUF metadata. Errors: FORMAT; UNSUPPORTED for variants that this library does not
 * implement. The caller sets n_vocab, tied and expert_bias, which depend on the tensors. */
int32_t lf_config_from_gguf(const lf_gguf *g, lf_hparams *out);

/* From config.json of a Hugging Face folder; `name` is its path, for messages. n_vocab is
 * vocab_size. */
typedef struct lf_config_json {
    lf_hparams hparams;
    int32_t bos_id, pad_id; /* -1: none */
    lf_ends ends;           /* eos_token_id, which may be a list */
    const char *ends_file;  /* the file that lists them */
    bool vision;            /* hparams are those of a vision model's text model */
} lf_config_json;

int32_t lf_config_from_json(const lf_json *root, const char *name, lf_config_json *out);

/* The end tokens that 'eos_token_id' lists: none, a number or a list. */
int32_t lf_config_ends(const lf_json *root, const char *name, lf_ends *out);

/* The member of a JSON object, or NULL if it is absent or null. */
const lf_json *lf_config_member(const lf_json *object, const char *key);

#endif /* LF_LOAD_CONFIG_H */
