/* SPDX-License-Identifier: Apache-2.0 */
/* The GGUF container: header, metadata, tensor descriptions and where their data is. Other files
 * interpret the keys. */
#include "load/advice.h"
#include "load/gguf.h"

#include <stdio.h>
#include <string.h>

enum {
    SMALLEST_VALUE = 8 + 4 + 1,             /* empty key, type, one byte */
    SMALLEST_TENSOR = 8 + 1 + 4 + 8 + 4 + 8 /* name of one byte, one dimension */
};

static const struct {
    const char *name;
    uint32_t bytes;
} value_types[] = {
    [LF_GGUF_U8] = {"u8", 1},     [LF_GGUF_I8] = {"i8", 1},     [LF_GGUF_U16] = {"u16", 2},
    [LF_GGUF_I16] = {"i16", 2},   [LF_GGUF_U32] = {"u32", 4},   [LF_GGUF_I32] = {"i32", 4},
    [LF_GGUF_F32] = {"f32", 4},   [LF_GGUF_BOOL] = {"bool", 1}, [LF_GGUF_STRING] = {"str", 0},
    [LF_GGUF_ARRAY] = {"arr", 0}, [LF_GGUF_U64] = {"u64", 8},   [LF_GGUF_I64] = {"i64", 8},
    [LF_GGUF_F64] = {"f64", 8},
};

static bool known_type(uint32_t type)
{
    return type < sizeof value_types / sizeof value_types[0];
}

const char *lf_gguf_type_name(uint32_t type)
{
    return known_type(type) ? value_types[type].name : "?";
}

uint32_t lf_gguf_type_bytes(uint32_t type)
{
    return known_type(type) ? value_types[type].bytes : 0;
}

int32_t lf_gguf_fail_key(const lf_gguf *g, const lf_gguf_value *value, int32_t status,
                         const char *code, const char *message)
{
    lf_shown shown;
    return lf_fail(status, code, "%s: key '%s': offset 0x%llx: %s", g->file->path,
                   lf_show(&shown, value->key, value->key_len), (unsigned long long)value->offset,
                   message);
}

/* ---- Header ---- */

/* Refuses a file without the magic, of which the reader has `have` bytes. */
static int32_t fail_magic(lf_reader *r, uint64_t have)
{
    const uint8_t *bytes = NULL;
    uint64_t n = r->size < LF_ADVICE_BYTES ? r->size : LF_ADVICE_BYTES;
    if (n > have) {
        LF_TRY(lf_read_bytes(r, "header", n - have, &bytes));
    }
    const char *advice = lf_advice_start(r->data, (size_t)n);
    if (advice == NULL && n > 0 && r->data[0] == '{') {
        advice = "this is a JSON file; the path of a Hugging Face model is that of its folder";
    }
    return lf_fail(LFM2_E_FORMAT, "gguf.magic", "%s: not a GGUF file: %s", r->file,
                   advice != NULL ? advice : "it does not start with 'GGUF'");
}

static int32_t read_header(const lf_gguf *g, lf_reader *r, uint32_t *version, uint64_t *n_tensors,
                           uint64_t *n_values)
{
    const uint8_t *magic = NULL;
    if (r->size >= 4) {
        LF_TRY(lf_read_bytes(r, "header", 4, &magic));
    }
    if (magic == NULL || memcmp(magic, "GGUF", 4) != 0) {
        return fail_magic(r, magic != NULL ? 4 : 0);
    }
    LF_TRY(lf_read_u32(r, "version", version));
    if (*version != 0 && (*version & 0xFFFFFF) == 0) {
        return lf_fail(LFM2_E_UNSUPPORTED, "gguf.big_endian",
                       "%s: this GGUF file is big-endian; only little-endian files are supported",
                       g->file->path);
    }
    if (*version < 2 || *version > 3) {
        return lf_fail(LFM2_E_UNSUPPORTED, "gguf.version",
                       "%s: GGUF version %u is not supported; supported: 2 and 3", g->file->path,
                       *version);
    }
    LF_TRY(lf_read_u64(r, "tensor count", n_tensors));
    LF_TRY(lf_read_u64(r, "key count", n_values));
    if (*n_values > LF_GGUF_MAX_KEYS || *n_values > (r->size - r->pos) / SMALLEST_VALUE) {
        return lf_fail(
            LFM2_E_FORMAT, "gguf.key.count",
            "%s: offset 0x10: the header announces %llu keys, more than the file has space "
            "for or than the limit of %d: the file is incomplete or damaged",
            g->file->path, (unsigned long long)*n_values, LF_GGUF_MAX_KEYS);
    }
    if (*n_tensors > LF_GGUF_MAX_TENSORS || *n_tensors > (r->size - r->pos) / SMALLEST_TENSOR) {
        return lf_fail(LFM2_E_FORMAT, "gguf.tensor.count",
                       "%s: offset 0x8: the header announces %llu tensors, more than the file has "
                       "space for or than the limit of %d: the file is incomplete or damaged",
                       g->file->path, (unsigned long long)*n_tensors, LF_GGUF_MAX_TENSORS);
    }
    return LFM2_OK;
}

/* ---- Metadata ---- */

/* `what` is the key in printable form, for messages. */
static int32_t read_array(const lf_gguf *g, lf_reader *r, const char *what, lf_gguf_value *v)
{
    LF_TRY(lf_read_u32(r, what, &v->item));
    LF_TRY(lf_read_u64(r, what, &v->count));
    v->offset = r->pos;
    if (v->item == LF_GGUF_ARRAY) {
        return lf_gguf_fail_key(g, v, LFM2_E_UNSUPPORTED, "gguf.key.nested",
                                "arrays of arrays are not supported");
    }
    if (!known_type(v->item)) {
        char text[96];
        snprintf(text, sizeof text, "the array has the unknown element type %u; allowed: 0 to %d",
                 v->item, LF_GGUF_F64);
        return lf_gguf_fail_key(g, v, LFM2_E_FORMAT, "gguf.key.type", text);
    }
    uint32_t item = lf_gguf_type_bytes(v->item);
    bool strings = item == 0;
    if (v->count > (r->size - r->pos) / (strings ? 8 : item)) {
        return lf_gguf_fail_key(
            g, v, LFM2_E_FORMAT, "gguf.truncated",
            "the array extends beyond the end of the file: the file is incomplete or damaged");
    }
    const uint8_t *text = NULL;
    if (!strings) {
        return lf_read_bytes(r, what, v->count * item, &text);
    }
    if (v->count > LF_GGUF_MAX_STRINGS) {
        return lf_gguf_fail_key(g, v, LFM2_E_FORMAT, "gguf.key.count",
                                "the array has more than 2^23 strings, the limit");
    }
    for (uint64_t i = 0; i < v->count; i++) {
        uint64_t len = 0;
        LF_TRY(lf_read_u64(r, what, &len));
        LF_TRY(lf_read_bytes(r, what, len, &text));
    }
    return LFM2_OK;
}

static int32_t read_key(const lf_gguf *g, lf_arena *arena, lf_reader *r, lf_gguf_value *v)
{
    uint64_t len = 0;
    const uint8_t *text = NULL;
    v->offset = r->pos;
    LF_TRY(lf_read_u64(r, "length of a key", &len));
    if (len == 0 || len > LF_GGUF_MAX_KEY_BYTES) {
        return lf_fail(LFM2_E_FORMAT, "gguf.key.length",
                       "%s: offset 0x%llx: a key has a length of %llu bytes; allowed: 1 to %d",
                       g->file->path, (unsigned long long)v->offset, (unsigned long long)len,
                       LF_GGUF_MAX_KEY_BYTES);
    }
    LF_TRY(lf_read_bytes(r, "key", len, &text));
    v->key_len = (uint32_t)len;
    return lf_arena_string(arena, (const char *)text, (size_t)len, &v->key);
}

static int32_t read_value(const lf_gguf *g, lf_arena *arena, lf_reader *r, lf_gguf_value *v)
{
    LF_TRY(read_key(g, arena, r, v));
    const uint8_t *data = NULL;
    lf_shown shown;
    const char *what = lf_show(&shown, v->key, v->key_len);
    LF_TRY(lf_read_u32(r, what, &v->type));
    v->item = v->type;
    v->count = 1;
    v->offset = r->pos;
    if (!known_type(v->type)) {
        char text[96];
        snprintf(text, sizeof text, "the value has the unknown type %u; allowed: 0 to %d", v->type,
                 LF_GGUF_F64);
        return lf_gguf_fail_key(g, v, LFM2_E_FORMAT, "gguf.key.type", text);
    }
    if (v->type == LF_GGUF_ARRAY) {
        LF_TRY(read_array(g, r, what, v));
    } else if (v->type == LF_GGUF_STRING) {
        LF_TRY(lf_read_u64(r, what, &v->count));
        v->offset = r->pos;
        LF_TRY(lf_read_bytes(r, what, v->count, &data));
    } else {
        LF_TRY(lf_read_bytes(r, what, lf_gguf_type_bytes(v->type), &data));
    }
    v->bytes = r->pos - v->offset;
    return LFM2_OK;
}

/* Sets the values' pointers into the copy of the header, which moves while it grows. */
static void place_values(lf_gguf *g, const lf_reader *r)
{
    for (uint32_t i = 0; i < g->n_values; i++) {
        g->values[i].data = r->data + g->values[i].offset;
    }
}

static int32_t read_values(lf_gguf *g, lf_arena *arena, lf_reader *r, uint32_t n)
{
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, n, sizeof *g->values, "GGUF keys", &p));
    g->values = p;
    LF_TRY(lf_index_new(arena, n, &g->keys));
    for (uint32_t i = 0; i < n; i++) {
        lf_gguf_value *v = &g->values[i];
        *v = (lf_gguf_value){.key = ""};
        LF_TRY(read_value(g, arena, r, v));
        g->keys.entries[i] = (lf_index_entry){.text = v->key, .len = v->key_len, .id = i};
    }
    g->n_values = n;
    place_values(g, r);
    const lf_index_entry *duplicate = NULL;
    LF_TRY(lf_index_build(arena->alloc, &g->keys, &duplicate));
    if (duplicate != NULL) {
        return lf_gguf_fail_key(g, &g->values[duplicate->id], LFM2_E_FORMAT, "gguf.key.duplicate",
                                "the file has this key twice");
    }
    return LFM2_OK;
}

static int32_t read_alignment(lf_gguf *g)
{
    uint32_t alignment = 32;
    bool found = false;
    LF_TRY(lf_gguf_get_u32(g, "general.alignment", &alignment, &found));
    if (alignment < LF_GGUF_MIN_ALIGNMENT || alignment > LF_GGUF_MAX_ALIGNMENT ||
        (alignment & (alignment - 1)) != 0) {
        return lf_fail(
            LFM2_E_FORMAT, "gguf.alignment",
            "%s: key 'general.alignment': the value is %u; allowed: powers of two from %d to "
            "%d",
            g->file->path, alignment, LF_GGUF_MIN_ALIGNMENT, LF_GGUF_MAX_ALIGNMENT);
    }
    g->alignment = alignment;
    return LFM2_OK;
}

/* ---- Tensors ---- */

static int32_t fail_tensor(const lf_gguf *g, const lf_tensor *t, uint64_t offset, int32_t status,
                           const char *code, const char *message)
{
    return lf_fail(status, code, "%s: tensor '%s': offset 0x%llx: %s", g->file->path, t->name,
                   (unsigned long long)offset, message);
}

static int32_t read_name(const lf_gguf *g, lf_arena *arena, lf_reader *r, lf_tensor *t)
{
    uint64_t at = r->pos;
    uint64_t len = 0;
    const uint8_t *text = NULL;
    LF_TRY(lf_read_u64(r, "length of a tensor name", &len));
    if (len == 0 || len > LF_GGUF_MAX_NAME) {
        return lf_fail(
            LFM2_E_FORMAT, "gguf.tensor.name",
            "%s: offset 0x%llx: a tensor name has a length of %llu bytes; allowed: 1 to %d",
            g->file->path, (unsigned long long)at, (unsigned long long)len, LF_GGUF_MAX_NAME);
    }
    LF_TRY(lf_read_bytes(r, "tensor name", len, &text));
    if (!lf_tensor_name_ok((const char *)text, (size_t)len)) {
        return lf_fail(LFM2_E_FORMAT, "gguf.tensor.name",
                       "%s: offset 0x%llx: a tensor name has a space, a control character or a "
                       "character outside ASCII",
                       g->file->path, (unsigned long long)at);
    }
    return lf_arena_string(arena, (const char *)text, (size_t)len, &t->name);
}

static int32_t read_shape(const lf_gguf *g, lf_reader *r, lf_tensor *t)
{
    uint64_t at = r->pos;
    LF_TRY(lf_read_u32(r, t->name, &t->n_dims));
    if (t->n_dims < 1 || t->n_dims > LF_MAX_DIMS) {
        char text[64];
        snprintf(text, sizeof text, "it has %u dimensions; allowed: 1 to %d", t->n_dims,
                 LF_MAX_DIMS);
        return fail_tensor(g, t, at, LFM2_E_FORMAT, "gguf.tensor.dims", text);
    }
    for (uint32_t d = 0; d < LF_MAX_DIMS; d++) {
        t->ne[d] = 1;
        if (d < t->n_dims) {
            LF_TRY(lf_read_u64(r, t->name, &t->ne[d]));
        }
        if (t->ne[d] == 0) {
            char text[64];
            snprintf(text, sizeof text, "dimension %u of %u is 0; it must be positive", d + 1,
                     t->n_dims);
            return fail_tensor(g, t, at, LFM2_E_FORMAT, "gguf.tensor.dims", text);
        }
    }
    return LFM2_OK;
}

static int32_t read_tensor(const lf_gguf *g, lf_arena *arena, lf_reader *r, lf_tensor *t)
{
    LF_TRY(read_name(g, arena, r, t));
    LF_TRY(read_shape(g, r, t));
    uint64_t at = r->pos;
    uint32_t number = 0;
    LF_TRY(lf_read_u32(r, t->name, &number));
    const lf_type_info *type = lf_type_get(number);
    if (type == NULL) {
        const char *name = lf_type_name(number);
        char text[128];
        if (name != NULL) {
            snprintf(text, sizeof text,
                     "tensor type %s is not supported; convert the model to another type, such as "
                     "Q8_0 or Q4_K",
                     name);
        } else {
            snprintf(text, sizeof text, "tensor type %u is unknown", number);
        }
        return fail_tensor(g, t, at, LFM2_E_UNSUPPORTED, "gguf.tensor.type", text);
    }
    t->type = type->type;
    if (t->ne[0] % type->block != 0) {
        char text[96];
        snprintf(text, sizeof text, "its rows have %llu values; type %s requires a multiple of %u",
                 (unsigned long long)t->ne[0], type->name, type->block);
        return fail_tensor(g, t, at, LFM2_E_FORMAT, "gguf.tensor.block", text);
    }
    if (!lf_tensor_bytes(t, &t->bytes)) {
        return fail_tensor(g, t, at, LFM2_E_FORMAT, "gguf.tensor.overflow",
                           "its size is above 2^64 - 1 bytes");
    }
    at = r->pos;
    /* The offset is relative to the data section until place_tensors converts it. */
    LF_TRY(lf_read_u64(r, t->name, &t->offset));
    if (t->offset % g->alignment != 0) {
        char text[96];
        snprintf(text, sizeof text,
                 "its data offset 0x%llx is not a multiple of the alignment %llu",
                 (unsigned long long)t->offset, (unsigned long long)g->alignment);
        return fail_tensor(g, t, at, LFM2_E_FORMAT, "gguf.tensor.alignment", text);
    }
    return LFM2_OK;
}

/* Converts offsets in the data section to offsets in the file. */
static int32_t place_tensors(lf_gguf *g)
{
    const lf_file *file = g->file;
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        lf_tensor *t = &g->tensors[i];
        uint64_t end = 0;
        uint64_t relative = t->offset;
        if (!lf_add_u64(g->data_begin, relative, &t->offset) ||
            !lf_add_u64(t->offset, t->bytes, &end)) {
            return fail_tensor(g, t, relative, LFM2_E_FORMAT, "gguf.tensor.overflow",
                               "its data ends above 2^64 - 1");
        }
        if (end > file->size) {
            char text[160];
            snprintf(
                text, sizeof text,
                "its data ends at 0x%llx, but the file ends at 0x%llx: the file is incomplete; "
                "download or convert it again",
                (unsigned long long)end, (unsigned long long)file->size);
            return fail_tensor(g, t, t->offset, LFM2_E_FORMAT, "gguf.tensor.bounds", text);
        }
    }
    return LFM2_OK;
}

static int32_t check_overlap(const lf_gguf *g, const lf_alloc *alloc)
{
    uint32_t n = g->n_tensors;
    void *memory = NULL;
    LF_TRY(lf_new(alloc, n, sizeof(lf_range), "tensor ranges", &memory));
    lf_range *ranges = memory;
    for (uint32_t i = 0; i < n; i++) {
        ranges[i] = (lf_range){g->tensors[i].offset, g->tensors[i].offset + g->tensors[i].bytes};
    }
    uint32_t a = UINT32_MAX;
    uint32_t b = 0;
    int32_t status = lf_find_overlap(alloc, ranges, n, &a, &b);
    if (status == LFM2_OK && a != UINT32_MAX) {
        char text[160];
        snprintf(text, sizeof text, "its data overlaps the data of tensor '%s'",
                 g->tensors[b].name);
        status = fail_tensor(g, &g->tensors[a], g->tensors[a].offset, LFM2_E_FORMAT,
                             "gguf.tensor.overlap", text);
    }
    lf_free(alloc, memory, n, sizeof(lf_range));
    return status;
}

static int32_t read_tensors(lf_gguf *g, lf_arena *arena, lf_reader *r, uint32_t part, uint32_t n)
{
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, n, sizeof *g->tensors, "tensors", &p));
    g->tensors = p;
    g->n_tensors = n;
    for (uint32_t i = 0; i < n; i++) {
        g->tensors[i] = (lf_tensor){.name = "", .part = part};
        LF_TRY(read_tensor(g, arena, r, &g->tensors[i]));
    }
    if (!lf_add_u64(r->pos, g->alignment - 1, &g->data_begin)) {
        return lf_fail(LFM2_E_FORMAT, "gguf.truncated", "%s: the header ends above 2^64 - 1",
                       g->file->path);
    }
    g->data_begin &= ~(g->alignment - 1);
    LF_TRY(place_tensors(g));
    return check_overlap(g, arena->alloc);
}

int32_t lf_gguf_parse(lf_arena *arena, const lf_file *file, uint32_t part, lf_gguf *out)
{
    lf_gguf g = {.file = file};
    lf_reader r = lf_reader_begin(file, LF_GGUF_MAX_HEADER, "gguf.truncated");
    uint64_t n_tensors = 0;
    uint64_t n_values = 0;
    int32_t status = LFM2_OK;
    LF_TRY_DONE(read_header(&g, &r, &g.version, &n_tensors, &n_values));
    LF_TRY_DONE(read_values(&g, arena, &r, (uint32_t)n_values));
    LF_TRY_DONE(read_alignment(&g));
    LF_TRY_DONE(read_tensors(&g, arena, &r, part, (uint32_t)n_tensors));
    place_values(&g, &r);
    g.header = r;
    *out = g;
    return LFM2_OK;
done:
    lf_reader_end(&r);
    return status;
}

void lf_gguf_close(lf_gguf *g)
{
    lf_reader_end(&g->header);
}
