/* SPDX-License-Identifier: Apache-2.0 */
/* The GGUF container, inside this room: parsing, typed keys, loading a source. */
#ifndef LF_LOAD_GGUF_H
#define LF_LOAD_GGUF_H

#include "load/load.h"

/* Value types by their codes in the file. */
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

/* Limits far beyond real files (about 40 keys, 256 tensors), so that a damaged count cannot ask for
 * much memory. */
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

/* One metadata entry; points into the header's copy. The whole value is known to lie inside it. */
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
 * but the meaning of keys and names. Duplicate tensor names are found by lf_source_index. On
 * success lf_gguf_close frees the copy of the header, into which values and arrays point; tensors
 * and keys are in the arena. `file` outlives both. */
int32_t lf_gguf_parse(lf_arena *arena, const lf_file *file, uint32_t part, lf_gguf *out);
void lf_gguf_close(lf_gguf *g);

/* "u32", "str", ... or "?". */
const char *lf_gguf_type_name(uint32_t type);
/* Bytes of a fixed-size type; 0 for strings, arrays and unknown codes. */
uint32_t lf_gguf_type_bytes(uint32_t type);

/* ---- Keys. A getter leaves *out alone when the key is absent: that is an error if `found` is
 * NULL, otherwise *found says so. A value of the wrong type or range is a FORMAT error naming the
 * key. */

const lf_gguf_value *lf_gguf_find(const lf_gguf *g, const char *key);
int32_t lf_gguf_get_u32(const lf_gguf *g, const char *key, uint32_t *out, bool *found);
int32_t lf_gguf_get_f32(const lf_gguf *g, const char *key, float *out, bool *found);
int32_t lf_gguf_get_bool(const lf_gguf *g, const char *key, bool *out, bool *found);
/* The bytes inside the header, not 0-terminated. */
int32_t lf_gguf_get_string(const lf_gguf *g, const char *key, const char **out, size_t *len,
                           bool *found);
/* An array with integer elements, or with strings; *out is NULL when absent and `found` given. */
int32_t lf_gguf_get_array(const lf_gguf *g, const char *key, bool strings,
                          const lf_gguf_value **out, bool *found);
/* Element of an integer array; false when it is negative or above UINT32_MAX. */
bool lf_gguf_item_u32(const lf_gguf_value *array, uint64_t index, uint32_t *out);

/* Walks an array of strings: *cursor starts at 0 and moves on. */
void lf_gguf_next_string(const lf_gguf_value *array, uint64_t *cursor, const char **text,
                         uint64_t *len);

/* The value as text for people: long strings cut, arrays as "[type x count]". */
int32_t lf_gguf_text(lf_arena *arena, const lf_gguf_value *value, const char **out);

/* "file: key 'k': offset 0x..: message" */
int32_t lf_gguf_fail_key(const lf_gguf *g, const lf_gguf_value *value, int32_t status,
                         const char *code, const char *message);

/* ---- Loading: source->files[0] is open, other parts are opened here. ---- */
int32_t lf_gguf_load(lf_source *source);
int32_t lf_gguf_vocab(lf_source *source, const lf_gguf *g); /* gguf_vocab.c */

#endif /* LF_LOAD_GGUF_H */
