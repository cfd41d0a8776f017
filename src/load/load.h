/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share behind source.h. */
#ifndef LF_LOAD_LOAD_H
#define LF_LOAD_LOAD_H

#include "load/source.h"

#include "common/index.h"
#include "common/json.h"
#include "common/utf8.h"

enum {
    LF_MAX_TENSORS = 1 << 20,   /* 256 layers of 1024 experts, one tensor each */
    LF_MAX_TOKEN_BYTES = 65535, /* of one vocabulary entry */
    LF_MAX_MERGES = 1 << 23,
    LF_MAX_TEMPLATE = 4 << 20, /* bytes of a chat template */
    LF_META_CUT = 200          /* bytes of a string shown as metadata */
};

/* elements -> bytes of a tensor whose ne[] and type are set; false on overflow or when ne[0] is no
 * multiple of the block. */
bool lf_tensor_bytes(const lf_tensor *tensor, uint64_t *out);

/* Graphic ASCII only: every name this library knows is, and messages can show it as it is. */
bool lf_tensor_name_ok(const char *name, size_t len);

/* Sorts `order` (room for n entries, keys = begin of each range, id = its number) and returns the
 * id of a range that begins before the one before it has ended, or UINT32_MAX. *other receives that
 * one. ends[id] is the end of a range. Errors: MEMORY. */
int32_t lf_find_overlap(const lf_alloc *alloc, lf_index_entry *order, uint32_t n,
                        const uint64_t *ends, uint32_t *found, uint32_t *other);

/* Builds the name index of source->tensors; duplicate names are FORMAT errors. */
int32_t lf_source_index(lf_source *source);

/* Checks shared by all containers once tensors, hparams and vocab are set: index, file type,
 * limits, names and shapes. */
int32_t lf_source_finish(lf_source *source);

/* A Hugging Face folder; source->path is set. */
int32_t lf_hf_load(lf_source *source);

#endif /* LF_LOAD_LOAD_H */
