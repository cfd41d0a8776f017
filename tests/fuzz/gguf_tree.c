/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes GGUF files for the mutator. Independent of the library's reader, which it
 * tests. */
#include "fuzz/gguf_tree.h"

#include "fuzz/mutate.h"
#include "quant/quant.h"

#include <string.h>

size_t gt_item_bytes(uint32_t type)
{
    static const uint8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

uint8_t *gt_new(gguf_tree *t, size_t size)
{
    if (size > GT_POOL - t->pool_used) {
        return NULL;
    }
    uint8_t *p = t->pool + t->pool_used;
    t->pool_used += size;
    return p;
}

/* ---- Reading ---- */

typedef struct source {
    const uint8_t *data;
    size_t size, at;
    bool ok;
} source;

static uint64_t take_int(source *s, size_t bytes)
{
    if (!s->ok || bytes > s->size - s->at) {
        s->ok = false;
        return 0;
    }
    s->at += bytes;
    return fuzz_get(s->data + s->at - bytes, bytes);
}

static gt_bytes take_bytes(source *s, uint64_t size)
{
    if (!s->ok || size > s->size - s->at) {
        s->ok = false;
        return (gt_bytes){s->data, 0};
    }
    s->at += (size_t)size;
    return (gt_bytes){s->data + s->at - size, (size_t)size};
}

static void take_value(source *s, gt_key *k)
{
    k->type = (uint32_t)take_int(s, 4);
    k->item = k->type;
    k->count = 1;
    if (k->type == GT_STRING) {
        k->value = take_bytes(s, take_int(s, 8));
    } else if (k->type != GT_ARRAY) {
        k->value = take_bytes(s, gt_item_bytes(k->type));
        s->ok = s->ok && k->value.size > 0;
    } else {
        k->item = (uint32_t)take_int(s, 4);
        k->count = take_int(s, 8);
        size_t begin = s->at;
        size_t bytes = gt_item_bytes(k->item);
        if (k->item != GT_STRING && (bytes == 0 || k->count > s->size / bytes)) {
            s->ok = false;
        } else if (bytes > 0) {
            take_bytes(s, k->count * bytes);
        }
        for (uint64_t i = 0; k->item == GT_STRING && s->ok && i < k->count; i++) {
            take_bytes(s, take_int(s, 8));
        }
        k->value = (gt_bytes){s->data + begin, s->at - begin};
    }
}

static void take_tensor(source *s, gt_tensor *t)
{
    t->name = take_bytes(s, take_int(s, 8));
    t->n_dims = (uint32_t)take_int(s, 4);
    if (t->n_dims > GT_MAX_DIMS) {
        s->ok = false;
        return;
    }
    for (uint32_t d = 0; d < GT_MAX_DIMS; d++) {
        t->dims[d] = d < t->n_dims ? take_int(s, 8) : 1;
    }
    t->type = (uint32_t)take_int(s, 4);
    t->offset = take_int(s, 8);
    t->keep_offset = false;
}

/* A tensor's data ends where the next begins, or with the file. */
static void place_data(gguf_tree *t, gt_bytes all)
{
    for (uint32_t i = 0; i < t->n_tensors; i++) {
        gt_tensor *one = &t->tensors[i];
        uint64_t end = all.size;
        for (uint32_t j = 0; j < t->n_tensors; j++) {
            uint64_t other = t->tensors[j].offset;
            end = other > one->offset && other < end ? other : end;
        }
        one->data = one->offset < end
                        ? (gt_bytes){all.data + one->offset, (size_t)(end - one->offset)}
                        : (gt_bytes){all.data, 0};
    }
}

static size_t round_up(size_t n, uint64_t alignment)
{
    return (n + (size_t)alignment - 1) & ~((size_t)alignment - 1);
}

bool gt_read(gguf_tree *t, const uint8_t *data, size_t size)
{
    source s = {.data = data, .size = size, .at = 4, .ok = true};
    if (size < 24 || memcmp(data, "GGUF", 4) != 0) {
        return false;
    }
    t->pool_used = 0;
    t->alignment = 32;
    t->version = (uint32_t)take_int(&s, 4);
    t->said_tensors = take_int(&s, 8);
    t->said_keys = take_int(&s, 8);
    if (t->said_tensors > GT_MAX_TENSORS || t->said_keys > GT_MAX_KEYS) {
        return false;
    }
    t->n_tensors = (uint32_t)t->said_tensors;
    t->n_keys = (uint32_t)t->said_keys;
    for (uint32_t i = 0; i < t->n_keys && s.ok; i++) {
        static const char alignment[] = "general.alignment";
        gt_key *k = &t->keys[i];
        k->name = take_bytes(&s, take_int(&s, 8));
        take_value(&s, k);
        if (s.ok && k->type == 4 && k->name.size == sizeof alignment - 1 &&
            memcmp(k->name.data, alignment, k->name.size) == 0) {
            t->alignment = fuzz_get(k->value.data, 4);
        }
    }
    for (uint32_t i = 0; i < t->n_tensors && s.ok; i++) {
        take_tensor(&s, &t->tensors[i]);
    }
    uint64_t a = t->alignment;
    if (!s.ok || a == 0 || (a & (a - 1)) != 0 || a > 4096) {
        return false;
    }
    size_t begin = round_up(s.at, a);
    begin = begin < size ? begin : size;
    place_data(t, (gt_bytes){data + begin, size - begin});
    return true;
}

/* ---- Writing ---- */

typedef struct sink {
    uint8_t *data;
    size_t size, at;
    bool ok;
} sink;

static void give(sink *s, const void *data, size_t size)
{
    if (!s->ok || size > s->size - s->at) {
        s->ok = false;
        return;
    }
    if (size > 0) {
        memcpy(s->data + s->at, data, size);
    }
    s->at += size;
}

static void give_int(sink *s, uint64_t value, size_t bytes)
{
    uint8_t p[8];
    fuzz_put(p, value, bytes);
    give(s, p, bytes);
}

static void give_zeros(sink *s, size_t size)
{
    if (!s->ok || size > s->size - s->at) {
        s->ok = false;
        return;
    }
    memset(s->data + s->at, 0, size);
    s->at += size;
}

static void give_key(sink *s, const gt_key *k)
{
    give_int(s, k->name.size, 8);
    give(s, k->name.data, k->name.size);
    give_int(s, k->type, 4);
    if (k->type == GT_STRING) {
        give_int(s, k->value.size, 8);
    } else if (k->type == GT_ARRAY) {
        give_int(s, k->item, 4);
        give_int(s, k->count, 8);
    }
    give(s, k->value.data, k->value.size);
}

/* Bytes of data that a tensor's dimensions need; its present number if the library does not know
 * its type or the needed number is larger than any input. */
static size_t data_bytes(const gt_tensor *t)
{
    const lf_type_info *type = lf_type_get(t->type);
    uint64_t n = 1;
    if (t->n_dims > GT_MAX_DIMS) {
        return t->data.size;
    }
    for (uint32_t d = 0; d < t->n_dims && n <= GT_POOL; d++) {
        n = t->dims[d] <= GT_POOL ? n * t->dims[d] : UINT64_MAX;
    }
    if (type == NULL || n > GT_POOL || n % type->block != 0) {
        return t->data.size;
    }
    return (size_t)(n / type->block * type->block_bytes);
}

static void give_data(sink *s, const gt_tensor *t)
{
    size_t left = data_bytes(t);
    if (t->data.size == 0) {
        give_zeros(s, left);
        return;
    }
    while (left > 0 && s->ok) {
        size_t n = left < t->data.size ? left : t->data.size;
        give(s, t->data.data, n);
        left -= n;
    }
}

size_t gt_write(const gguf_tree *t, uint8_t *out, size_t max_size)
{
    sink s = {.data = out, .size = max_size, .ok = true};
    give(&s, "GGUF", 4);
    give_int(&s, t->version, 4);
    give_int(&s, t->said_tensors, 8);
    give_int(&s, t->said_keys, 8);
    for (uint32_t i = 0; i < t->n_keys; i++) {
        give_key(&s, &t->keys[i]);
    }
    size_t offset = 0;
    for (uint32_t i = 0; i < t->n_tensors; i++) {
        const gt_tensor *one = &t->tensors[i];
        give_int(&s, one->name.size, 8);
        give(&s, one->name.data, one->name.size);
        give_int(&s, one->n_dims, 4);
        for (uint32_t d = 0; d < one->n_dims && d < GT_MAX_DIMS; d++) {
            give_int(&s, one->dims[d], 8);
        }
        give_int(&s, one->type, 4);
        give_int(&s, one->keep_offset ? one->offset : offset, 8);
        offset = round_up(offset + data_bytes(one), t->alignment);
    }
    for (uint32_t i = 0; i < t->n_tensors; i++) {
        give_zeros(&s, round_up(s.at, t->alignment) - s.at);
        give_data(&s, &t->tensors[i]);
    }
    return s.ok ? s.at : 0;
}
