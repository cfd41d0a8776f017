/* SPDX-License-Identifier: Apache-2.0 */
/* Hyper-parameters from the two kinds of files, inside this room. */
#ifndef LF_LOAD_CONFIG_H
#define LF_LOAD_CONFIG_H

#include "load/gguf.h"

/* From GGUF metadata; refuses variants that this library would compute wrongly. n_vocab, tied and
 * expert_bias come from the tensors and are left to the caller. */
int32_t lf_config_from_gguf(const lf_gguf *g, lf_hparams *out);

/* config.json of a Hugging Face folder; `name` is its path for messages. n_vocab is vocab_size. */
typedef struct lf_config_json {
    lf_hparams hparams;
    int32_t bos_id, eos_id, pad_id; /* -1 = none; the first of a list */
} lf_config_json;

int32_t lf_config_from_json(const lf_json *root, const char *name, lf_config_json *out);

#endif /* LF_LOAD_CONFIG_H */
