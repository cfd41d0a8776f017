/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF file as parts that a mutator changes one by one. Nothing is checked for sense. */
#ifndef LF_TESTS_FUZZ_GGUF_TREE_H
#define LF_TESTS_FUZZ_GGUF_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GT_MAX_KEYS = 256,
    GT_MAX_TENSORS = 512,
    GT_MAX_DIMS = 6,
    GT_POOL = 1 << 20,
    GT_STRING = 8,
    GT_ARRAY = 9
};

typedef struct gt_bytes {
    const uint8_t *data;
    size_t size;
} gt_bytes;

typedef struct gt_key {
    gt_bytes name;
    uint32_t type, item; /* item: of an array's elements */
    uint64_t count;      /* of an array, as it will be written */
    gt_bytes value;      /* the elements of an array, strings with their lengths; a string's text */
} gt_key;

typedef struct gt_tensor {
    gt_bytes name;
    uint32_t n_dims;
    uint64_t dims[GT_MAX_DIMS];
    uint32_t type;
    uint64_t offset;
    bool keep_offset; /* written as it is; else the data follows that of the tensor before */
    gt_bytes data;
} gt_tensor;

/* Parts point into the parsed bytes, into the pool or into static memory. */
typedef struct gguf_tree {
    uint32_t version;
    uint64_t alignment;
    uint32_t n_keys, n_tensors;
    uint64_t said_keys, said_tensors; /* as they will be written */
    gt_key keys[GT_MAX_KEYS];
    gt_tensor tensors[GT_MAX_TENSORS];
    size_t pool_used;
    uint8_t pool[GT_POOL];
} gguf_tree;

/* False when the bytes are not a GGUF file or have too many parts; then *t is undefined. */
bool gt_read(gguf_tree *t, const uint8_t *data, size_t size);

/* Writes the file; 0 if it takes more than max_size bytes. Tensors whose type is known get the
 * bytes that their dimensions ask for, their data repeated. */
size_t gt_write(const gguf_tree *t, uint8_t *out, size_t max_size);

/* Memory that lives as long as the tree; NULL when the pool is used up. */
uint8_t *gt_new(gguf_tree *t, size_t size);

/* Bytes of one element; 0 for strings, arrays and unknown types. */
size_t gt_item_bytes(uint32_t type);

#endif /* LF_TESTS_FUZZ_GGUF_TREE_H */
