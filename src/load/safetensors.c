/* SPDX-License-Identifier: Apache-2.0 */
/* The safetensors container: a JSON header followed by raw data. */
#include "load/advice.h"
#include "load/hf.h"

#include <stdio.h>
#include <string.h>

/* Values of a header. A tensor has about 9, and the largest published model has 8,000 tensors. */
enum { MAX_VALUES = 1 << 20 };

typedef struct container {
    const lf_file *file;
    uint64_t data_begin; /* offsets in the header are relative to this */
} container;

static int32_t fail_tensor(const container *c, const lf_json *entry, int32_t status,
                           const char *code, const char *message)
{
    lf_shown shown;
    return lf_fail(status, code, "%s: tensor '%s': offset 0x%llx: %s", c->file->path,
                   lf_show(&shown, entry->key, entry->key_len),
                   (unsigned long long)(entry->offset + 8), message);
}

static int32_t read_type(const container *c, const lf_json *entry, lf_type *out)
{
    static const struct {
        const char *name;
        lf_type type;
    } known[] = {{"F32", LF_F32}, {"F16", LF_F16}, {"BF16", LF_BF16}};
    const lf_json *v = lf_json_get(entry, "dtype");
    if (v == NULL || v->kind != LF_JSON_STRING) {
        return fail_tensor(c, entry, LFM2_E_FORMAT, "safetensors.dtype",
                           "key 'dtype' is missing or not a string");
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (lf_json_is_string(v, known[i].name)) {
            *out = known[i].type;
            return LFM2_OK;
        }
    }
    lf_shown shown;
    char text[LF_SHOWN + 64];
    snprintf(text, sizeof text, "dtype '%s' is not supported; supported: F32, F16 and BF16",
             lf_show(&shown, v->text, v->len));
    return fail_tensor(c, entry, LFM2_E_UNSUPPORTED, "safetensors.dtype", text);
}

/* Reads the shape and computes the size in bytes. */
static int32_t read_shape(const container *c, const lf_json *entry, lf_st_tensor *t)
{
    const lf_json *shape = lf_json_get(entry, "shape");
    if (shape == NULL || shape->kind != LF_JSON_ARRAY || shape->count > LF_MAX_DIMS) {
        return fail_tensor(c, entry, LFM2_E_FORMAT, "safetensors.shape",
                           "key 'shape' must be an array of at most 4 dimensions");
    }
    t->bytes = lf_type_get((uint32_t)t->type)->block_bytes;
    t->n_dims = shape->count;
    const lf_json *v = shape->child;
    for (uint32_t d = 0; d < LF_MAX_DIMS; d++) {
        t->shape[d] = 1;
        if (v == NULL) {
            continue;
        }
        if (!lf_json_u64(v, &t->shape[d]) || t->shape[d] == 0) {
            return fail_tensor(c, entry, LFM2_E_FORMAT, "safetensors.shape",
                               "key 'shape': each dimension must be a positive integer");
        }
        if (!lf_mul_u64(t->bytes, t->shape[d], &t->bytes)) {
            return fail_tensor(c, entry, LFM2_E_FORMAT, "safetensors.overflow",
                               "its size is above 2^64 - 1 bytes");
        }
        v = v->next;
    }
    return LFM2_OK;
}

static int32_t read_offsets(const container *c, const lf_json *entry, lf_st_tensor *t)
{
    const lf_json *v = lf_json_get(entry, "data_offsets");
    uint64_t begin = 0;
    uint64_t end = 0;
    if (v == NULL || v->kind != LF_JSON_ARRAY || v->count != 2 || !lf_json_u64(v->child, &begin) ||
        !lf_json_u64(v->child->next, &end)) {
        return fail_tensor(c, entry, LFM2_E_FORMAT, "safetensors.offsets",
                           "key 'data_offsets' must be a pair [begin, end] of integers");
    }
    if (begin > end || end - begin != t->bytes) {
        char text[128];
        snprintf(text, sizeof text,
                 "key 'data_offsets' is [%llu, %llu], but dtype and shape require %llu bytes",
                 (unsigned long long)begin, (unsigned long long)end, (unsigned long long)t->bytes);
        return fail_tensor(c, entry, LFM2_E_FORMAT, "safetensors.offsets", text);
    }
    if (end > c->file->size - c->data_begin) {
        return fail_tensor(
            c, entry, LFM2_E_FORMAT, "safetensors.bounds",
            "its data ends beyond the end of the file: the file is incomplete; download it "
            "again");
    }
    t->offset = c->data_begin + begin;
    if (t->offset % lf_type_get((uint32_t)t->type)->block_bytes != 0) {
        return fail_tensor(c, entry, LFM2_E_UNSUPPORTED, "safetensors.alignment",
                           "its data is not aligned to its elements; save the file again with a "
                           "current safetensors "
                           "library");
    }
    return LFM2_OK;
}

static int32_t read_entry(const container *c, lf_arena *arena, const lf_json *entry,
                          lf_st_tensor *t)
{
    if (!lf_tensor_name_ok(entry->key, entry->key_len)) {
        return fail_tensor(c, entry, LFM2_E_FORMAT, "safetensors.name",
                           "the tensor name is empty or has a space, a control character or a "
                           "character outside ASCII");
    }
    if (entry->kind != LF_JSON_OBJECT) {
        return fail_tensor(c, entry, LFM2_E_FORMAT, "safetensors.entry",
                           "its description must be a JSON object");
    }
    LF_TRY(read_type(c, entry, &t->type));
    LF_TRY(read_shape(c, entry, t));
    LF_TRY(read_offsets(c, entry, t));
    return lf_arena_string(arena, entry->key, entry->key_len, &t->name);
}

static int32_t check_overlap(const container *c, const lf_alloc *alloc, const lf_st_tensor *tensors,
                             uint32_t n)
{
    void *memory = NULL;
    LF_TRY(lf_new(alloc, n, sizeof(lf_range), "tensor ranges", &memory));
    lf_range *ranges = memory;
    for (uint32_t i = 0; i < n; i++) {
        ranges[i] = (lf_range){tensors[i].offset, tensors[i].offset + tensors[i].bytes};
    }
    uint32_t a = UINT32_MAX;
    uint32_t b = 0;
    int32_t status = lf_find_overlap(alloc, ranges, n, &a, &b);
    if (status == LFM2_OK && a != UINT32_MAX) {
        status = lf_fail(
            LFM2_E_FORMAT, "safetensors.overlap",
            "%s: tensor '%s': offset 0x%llx: its data overlaps the data of tensor '%s'",
            c->file->path, tensors[a].name, (unsigned long long)tensors[a].offset, tensors[b].name);
    }
    lf_free(alloc, memory, n, sizeof(lf_range));
    return status;
}

static int32_t read_entries(const container *c, lf_arena *arena, uint32_t part, const lf_json *root,
                            lf_st_tensor **out, uint32_t *count)
{
    uint32_t n = 0;
    void *memory = NULL;
    LF_TRY(lf_arena_new(arena, root->count, sizeof(lf_st_tensor), "tensors", &memory));
    lf_st_tensor *tensors = memory;
    for (const lf_json *entry = root->child; entry != NULL; entry = entry->next) {
        if (lf_json_key_is(entry, "__metadata__")) {
            continue;
        }
        tensors[n] = (lf_st_tensor){.part = part};
        LF_TRY(read_entry(c, arena, entry, &tensors[n]));
        n++;
    }
    *out = tensors;
    *count = n;
    return check_overlap(c, arena->alloc, tensors, n);
}

/* Refuses a file that is recognized as something else. */
static int32_t refuse_start(lf_reader *r)
{
    const uint8_t *bytes = NULL;
    uint64_t n = r->size < LF_ADVICE_BYTES ? r->size : LF_ADVICE_BYTES;
    LF_TRY(lf_read_bytes(r, "header", n, &bytes));
    bool is_header = n > 8 && bytes[8] == '{';
    const char *advice = is_header ? NULL : lf_advice_start(bytes, (size_t)n);
    r->pos = 0;
    return advice == NULL ? LFM2_OK
                          : lf_fail(LFM2_E_FORMAT, "safetensors.header",
                                    "%s: not a safetensors file: %s", r->file, advice);
}

/* Reads the header; *text has *len bytes. */
static int32_t read_header(lf_reader *r, const char **text, uint64_t *len)
{
    if (r->size >= 8) {
        LF_TRY(refuse_start(r));
    }
    LF_TRY(lf_read_u64(r, "header length", len));
    if (*len > LF_ST_MAX_HEADER || *len > r->size - r->pos) {
        return lf_fail(
            LFM2_E_FORMAT, "safetensors.header",
            "%s: offset 0x0: the header has %llu bytes, more than the file or the limit of 100 MB",
            r->file, (unsigned long long)*len);
    }
    const uint8_t *bytes = NULL;
    LF_TRY(lf_read_bytes(r, "header", *len > 0 ? 1 : 0, &bytes));
    if (*len == 0 || bytes[0] != '{') {
        return lf_fail(LFM2_E_FORMAT, "safetensors.header",
                       "%s: offset 0x8: not a safetensors file: its header must be a JSON object",
                       r->file);
    }
    LF_TRY(lf_read_bytes(r, "header", *len - 1, &bytes));
    *text = (const char *)r->data + 8;
    return LFM2_OK;
}

int32_t lf_safetensors_parse(lf_arena *arena, const lf_file *file, uint32_t part,
                             lf_st_tensor **out, uint32_t *count)
{
    lf_reader r = lf_reader_begin(file, 8 + (uint64_t)LF_ST_MAX_HEADER, "safetensors.truncated");
    lf_arena scratch;
    lf_arena_init(&scratch, arena->alloc);
    const char *text = NULL;
    uint64_t header = 0;
    const lf_json *root = NULL;
    int32_t status = LFM2_OK;
    LF_TRY_DONE(read_header(&r, &text, &header));
    container c = {file, 8 + header};
    LF_TRY_DONE(lf_json_parse_within(&scratch, file->path, LFM2_E_FORMAT, MAX_VALUES, text,
                                     (size_t)header, &root));
    status = read_entries(&c, arena, part, root, out, count);
done:
    lf_arena_free(&scratch);
    lf_reader_end(&r);
    return status;
}
