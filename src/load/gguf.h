/* SPDX-License-Identifier: Apache-2.0 */
/* The GGUF container: parsing, typed access to keys, loading a source. Private to src/load,
 * except the value types and lf_gguf_value, which src/convert uses. */
#ifndef LF_LOAD_GGUF_H
#define LF_LOAD_GGUF_H

#include "load/load.h"

/* Value types; the numbers are GGUF's. */
typedef enum {
    LF_GGUF_U8 = 0,
    LF_GGUF_I8 = 1,
    LF_GGUF_U16 = 2,
    LF_GGUF_I16 = 3,
    LF_GGUF_U32 = 4,
    LF_GGUF_I32 = 5,
    LF_GGUF_F32 = 6,
    LF_GGUF_BOOL = 7,
    LF_GGUF_STRING = 8,
    LF_GGUF_ARRAY = 9,
    LF_GGUF_U64 = 10,
    LF_GGUF_I64 = 11,
    LF_GGUF_F64 = 12
} lf_gguf_type;

/* Limits far beyond real files (about 40 keys, 256 tensors), so that a damaged count cannot cause a
 * large allocation. */
enum {
    LF_GGUF_MAX_KEYS = 65536,
    LF_GGUF_MAX_TENSORS = 65536,
    LF_GGUF_MAX_KEY_BYTES = 65535,
    LF_GGUF_MAX_STRINGS = 1 << 23,  /* of one array */
    LF_GGUF_MAX_HEADER = 128 << 20, /* bytes before the data section: real files have some MB */
    LF_GGUF_MAX_NAME = 63,          /* bytes of a tensor name */
    LF_GGUF_MAX_ALIGNMENT = 1 << 20,
    LF_GGUF_MIN_ALIGNMENT = 8
};

/* One metadata entry. The whole value is inside the copy of the header. */
typedef struct lf_gguf_value {
    const char *key; /* 0-terminated copy */
    uint32_t key_len;
    uint32_t type;       /* lf_gguf_type */
    uint32_t item;       /* element type of an array, else == type */
    uint64_t count;      /* elements of an array, bytes of a string, else 1 */
    const uint8_t *data; /* first element */
    uint64_t offset;     /* of data in the file */
    uint64_t bytes;      /* of data */
} lf_gguf_value;

typedef struct lf_gguf {
    const lf_file *file;
    lf_reader header; /* owns the copy of the header */
    uint32_t version;
    uint32_t n_values;
    lf_gguf_value *values; /* in file order */
    lf_index keys;
    uint64_t alignment;
    uint64_t data_begin; /* offset of the data section */
    uint32_t n_tensors;
    lf_tensor *tensors; /* in file order */
} lf_gguf;

/* Reads header, metadata and tensor descriptions of one file, each byte once, and checks everything
 * but the meaning of keys and names; lf_source_index finds duplicate tensor names. Tensors and keys
 * are in the arena; values and arrays point into the copy of the header, which lf_gguf_close frees.
 * `file` must outlive *out. Errors: FORMAT, UNSUPPORTED, IO, STOPPED, MEMORY. */
int32_t lf_gguf_parse(lf_arena *arena, const lf_file *file, uint32_t part, lf_gguf *out);
void lf_gguf_close(lf_gguf *g);

/* "u32", "str", ... or "?". */
const char *lf_gguf_type_name(uint32_t type);
/* Bytes of a fixed-size type; 0 for strings, arrays and unknown types. */
uint32_t lf_gguf_type_bytes(uint32_t type);

/* ---- Keys. If the key is absent, a getter leaves *out unchanged and sets *found to false; with
 * found == NULL an absent key is an error. Errors: FORMAT, naming the key (absent, wrong type, out
 * of range). ---- */

const lf_gguf_value *lf_gguf_find(const lf_gguf *g, const char *key);
int32_t lf_gguf_get_u32(const lf_gguf *g, const char *key, uint32_t *out, bool *found);
int32_t lf_gguf_get_f32(const lf_gguf *g, const char *key, float *out, bool *found);
/* A number of any type as a double; false for other values. */
bool lf_gguf_number(const lf_gguf_value *value, double *out);
int32_t lf_gguf_get_bool(const lf_gguf *g, const char *key, bool *out, bool *found);
/* *out points into the header; not 0-terminated. */
int32_t lf_gguf_get_string(const lf_gguf *g, const char *key, const char **out, size_t *len,
                           bool *found);
/* An array of strings or of integers; *out is NULL if the key is absent and `found` is given. */
int32_t lf_gguf_get_array(const lf_gguf *g, const char *key, bool strings,
                          const lf_gguf_value **out, bool *found);
/* Element of an integer array; false if it is negative or above UINT32_MAX. */
bool lf_gguf_item_u32(const lf_gguf_value *array, uint64_t index, uint32_t *out);

/* Reads the next string of an array; *cursor starts at 0 and advances. */
void lf_gguf_next_string(const lf_gguf_value *array, uint64_t *cursor, const char **text,
                         uint64_t *len);

/* The value as text to show: long strings cut, arrays as "[type x count]". */
int32_t lf_gguf_text(lf_arena *arena, const lf_gguf_value *value, const char **out);

/* "file: key 'k': offset 0x..: message" */
int32_t lf_gguf_fail_key(const lf_gguf *g, const lf_gguf_value *value, int32_t status,
                         const char *code, const char *message);

/* Opens the parts after source->files[0], which is open already, and fills the source. */
int32_t lf_gguf_load(lf_source *source);
/* Fills source->vocab (gguf_vocab.c); texts point into the copy of the header. */
int32_t lf_gguf_vocab(lf_source *source, const lf_gguf *g);
/* Adds the chat templates (templates.c). */
int32_t lf_templates_from_gguf(lf_source *source, const lf_gguf *g);

#endif /* LF_LOAD_GGUF_H */
