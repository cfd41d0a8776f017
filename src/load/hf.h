/* SPDX-License-Identifier: Apache-2.0 */
/* Hugging Face folders, inside this room: the safetensors container and tokenizer.json. */
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
    uint64_t offset; /* of the data in the file, behind its header */
} lf_st_tensor;

/* A larger header is refused, as by the format's own reader. */
enum { LF_ST_MAX_HEADER = 100 * 1000 * 1000 };

/* Reads the header of one file and checks every type, shape and place. The list is in the arena;
 * the order is that of the header. */
int32_t lf_safetensors_parse(lf_arena *arena, const lf_file *file, uint32_t part,
                             lf_st_tensor **out, uint32_t *count);

/* source->vocab from the parsed tokenizer.json and tokenizer_config.json (NULL when the folder has
 * none). `name` and `settings_name` are the files, for messages. */
int32_t lf_tokenizer_from_json(lf_source *source, const lf_json *root, const char *name,
                               const lf_json *settings, const char *settings_name,
                               const lf_config_json *config);

/* The tensor's name in Hugging Face's files for a GGUF name, for messages; the GGUF name itself
 * when there is none. `out` has room for LF_HF_NAME bytes. */
enum { LF_HF_NAME = 128 };
const char *lf_hf_name(const char *gguf_name, char *out);

/* All tensors of a folder's safetensors files, under GGUF names, into source->tensors. `raw` is in
 * file order. hf_names.c */
int32_t lf_hf_translate(lf_source *source, const lf_st_tensor *raw, uint32_t n);

#endif /* LF_LOAD_HF_H */
