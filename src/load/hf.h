/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/load: the safetensors container, tokenizer.json and the tensor names of Hugging
 * Face folders. */
#ifndef LF_LOAD_HF_H
#define LF_LOAD_HF_H

#include "load/config.h"

/* A tensor as a safetensors file describes it. */
typedef struct lf_st_tensor {
    const char *name; /* graphic ASCII, 0-terminated */
    lf_type type;     /* F32, F16 or BF16 */
    uint32_t n_dims;
    uint64_t shape[LF_MAX_DIMS]; /* outermost first; unused ones are 1 */
    uint64_t bytes;
    uint32_t part;
    uint64_t offset; /* of the data, from the start of the file */
} lf_st_tensor;

/* Maximum bytes of a header, as in the format's reference reader. */
enum { LF_ST_MAX_HEADER = 100 * 1000 * 1000 };

/* Reads the header of one file and checks every tensor's type, shape and offsets. The list is in
 * the arena, in the order of the header. */
int32_t lf_safetensors_parse(lf_arena *arena, const lf_file *file, uint32_t part,
                             lf_st_tensor **out, uint32_t *count);

/* Fills source->vocab from the parsed tokenizer.json and tokenizer_config.json (`settings`, NULL if
 * the folder has none). `name` and `settings_name` are the files, for messages. */
int32_t lf_tokenizer_from_json(lf_source *source, const lf_json *root, const char *name,
                               const lf_json *settings, const char *settings_name,
                               const lf_config_json *config);

/* The name that a tensor has in the user's files, for messages: the Hugging Face name of a folder's
 * tensor if there is one, otherwise the GGUF name. */
enum { LF_SHOWN_NAME = 128 };
const char *lf_tensor_shown(const lf_source *source, const char *name, char buffer[LF_SHOWN_NAME]);

/* Fills source->tensors with the tensors of all safetensors files under GGUF names (hf_names.c).
 * `raw` is in file order. The tensors of a vision model's text model have another prefix; the rest
 * of a vision model is ignored. */
int32_t lf_hf_translate(lf_source *source, const lf_st_tensor *raw, uint32_t n, bool vision);

#endif /* LF_LOAD_HF_H */
