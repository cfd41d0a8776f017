/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/load: limits and checks that all containers share. */
#ifndef LF_LOAD_LOAD_H
#define LF_LOAD_LOAD_H

#include "load/source.h"

#include "common/index.h"
#include "common/json.h"
#include "common/utf8.h"

enum {
    LF_MAX_TENSORS = 1 << 20,   /* 256 layers of 1024 experts, 3 matrices each, have fewer */
    LF_MAX_TOKEN_BYTES = 65535, /* of one vocabulary entry */
    LF_MAX_MERGES = 1 << 23,
    LF_MAX_TEMPLATE = 4 << 20, /* bytes of a chat template */
    LF_MAX_TEMPLATES = 64,     /* of a model */
    LF_META_CUT = 200          /* bytes of a metadata string that are shown */
};

/* Bytes of a tensor whose ne[] and type are set; false on overflow or if ne[0] is not a multiple of
 * the block. */
bool lf_tensor_bytes(const lf_tensor *tensor, uint64_t *out);

/* Whether a name is graphic ASCII only, as all known names are; messages show it unchanged. */
bool lf_tensor_name_ok(const char *name, size_t len);

/* Bytes [begin, end) of a file. */
typedef struct lf_range {
    uint64_t begin, end;
} lf_range;

/* *found and *other receive the indexes of two ranges that overlap; *found is UINT32_MAX if none
 * do. Errors: MEMORY. */
int32_t lf_find_overlap(const lf_alloc *alloc, const lf_range *ranges, uint32_t n, uint32_t *found,
                        uint32_t *other);

/* Builds the name index of source->tensors. Errors: FORMAT (a duplicate name), MEMORY. */
int32_t lf_source_index(lf_source *source);

/* Completes a source whose tensors, index, hparams and vocab are set: sets file_type, checks names,
 * shapes and types. */
int32_t lf_source_finish(lf_source *source);

/* Add the chat templates of a folder's files, and of tokenizer_config.json if there are no such
 * files: transformers 5 uses the latter only then. */
int32_t lf_templates_from_folder(lf_source *source);
int32_t lf_templates_from_json(lf_source *source, const lf_json *settings);

/* Fills the source from a Hugging Face folder; source->path is set. */
int32_t lf_hf_load(lf_source *source);

/* The path of a file in the folder source->path, in the arena. lf_folder_has also tells whether it
 * exists; its `path` may be NULL. */
int32_t lf_folder_join(lf_source *source, const char *name, const char **out);
int32_t lf_folder_has(lf_source *source, const char *name, bool *has, const char **path);

/* A copy of a file of at most `limit` bytes; lf_free(text, *len, 1) frees it. */
int32_t lf_folder_read(lf_source *source, const char *path, uint64_t limit, char **text,
                       size_t *len);

/* Whether the folder has weights: model.safetensors or the index of its shards. */
int32_t lf_folder_has_safetensors(lf_source *source, bool *has);

/* Looks for GGUF models in the folder source->path. *found is false if it is a Hugging Face folder
 * with weights or has no GGUF file. If it has one model, source->path becomes the model's path. If
 * it has only weights in another format, source->weights_advice says what to do. Errors: IO,
 * MEMORY; ARGUMENT, naming the models, if there are several; UNSUPPORTED for adapters; FORMAT if it
 * has only projectors or later parts. */
int32_t lf_folder_find_gguf(lf_source *source, bool *found);

#endif /* LF_LOAD_LOAD_H */
