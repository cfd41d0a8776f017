/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF file as lists of keys and tensors, which a mutator changes. Values are not checked. */
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
    uint64_t count;      /* of an array; the value in the file */
    gt_bytes value;      /* the elements of an array, strings with their lengths; a string's text */
} gt_key;

typedef struct gt_tensor {
    gt_bytes name;
    uint32_t n_dims;
    uint64_t dims[GT_MAX_DIMS];
    uint32_t type;
    uint64_t offset;
    bool keep_offset; /* the offset is written; else that after the previous tensor */
    gt_bytes data;
} gt_tensor;

/* Pointers are into the parsed bytes, the pool or static memory. */
typedef struct gguf_tree {
    uint32_t version;
    uint64_t alignment;
    uint32_t n_keys, n_tensors;
    uint64_t said_keys, said_tensors; /* the counts in the file */
    gt_key keys[GT_MAX_KEYS];
    gt_tensor tensors[GT_MAX_TENSORS];
    size_t pool_used;
    uint8_t pool[GT_POOL];
} gguf_tree;

/* False if the bytes are not a GGUF file or have too many entries; then *t is undefined. */
bool gt_read(gguf_tree *t, const uint8_t *data, size_t size);

/* Writes the file; 0 if it needs more than max_size bytes. Tensors of known types get the number of
 * bytes that their dimensions need: their data is repeated. */
size_t gt_write(const gguf_tree *t, uint8_t *out, size_t max_size);

/* Memory that is valid as long as the tree; NULL when the pool is full. */
uint8_t *gt_new(gguf_tree *t, size_t size);

/* Bytes of one element; 0 for strings, arrays and unknown types. */
size_t gt_item_bytes(uint32_t type);

#endif /* LF_TESTS_FUZZ_GGUF_TREE_H */
