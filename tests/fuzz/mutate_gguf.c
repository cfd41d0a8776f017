/* SPDX-License-Identifier: Apache-2.0 */
/* Changes GGUF files: keys, tensor descriptions and tensor data. In most written files lengths,
 * counts and offsets agree. */
#include "fuzz/gguf_tree.h"
#include "fuzz/mutate.h"
#include "quant/quant.h"
#include "support/random.h"

#include <stdlib.h>
#include <string.h>

/* ---- Bytes ---- */

static gt_bytes copy_bytes(gguf_tree *t, gt_bytes old, size_t size)
{
    uint8_t *p = gt_new(t, size);
    if (p == NULL) {
        return old;
    }
    memset(p, 0, size);
    memcpy(p, old.data, old.size < size ? old.size : size);
    return (gt_bytes){p, size};
}

static gt_bytes text_bytes(const char *text)
{
    return (gt_bytes){(const uint8_t *)text, strlen(text)};
}

/* A text with a meaning in the formats, or `old` changed. */
static gt_bytes change_text(gguf_tree *t, uint64_t *random, gt_bytes old)
{
    static const char *const words[] = {"",
                                        "a",
                                        "lfm2",
                                        "lfm2moe",
                                        "llama",
                                        "gpt2",
                                        "<|im_end|>",
                                        "<|startoftext|>",
                                        "a b",
                                        "\xC4\xA0",
                                        "\xC4\xA0 a",
                                        "\xFF",
                                        "\xED\xA0\x80",
                                        "\xF0\x9F\x98\x80",
                                        "%s%n",
                                        "{{ 1 }}",
                                        "token_embd.weight",
                                        "output.weight",
                                        "blk.0.attn_q.weight",
                                        "blk.255.ffn_norm.weight",
                                        "blk.1.exp_probs_b.bias",
                                        "rope_freqs.weight",
                                        "general.alignment",
                                        "split.count",
                                        "lfm2.rope.scaling.type",
                                        "lfm2.attention.key_length",
                                        "lfm2moe.expert_gating_func"};
    enum { MORE = 64 };
    if (fuzz_one_in(random, 3)) {
        return text_bytes(words[random_below(random, sizeof words / sizeof words[0])]);
    }
    if (fuzz_one_in(random, 16)) { /* long */
        size_t n = 1 + random_below(random, 70000);
        uint8_t *p = gt_new(t, n);
        if (p != NULL) {
            memset(p, 'a' + (int)random_below(random, 26), n);
            return (gt_bytes){p, n};
        }
    }
    gt_bytes copy = copy_bytes(t, old, old.size + MORE);
    if (copy.size != old.size + MORE) {
        return old;
    }
    uint8_t *p = t->pool + (copy.data - t->pool);
    return (gt_bytes){p, LLVMFuzzerMutate(p, old.size, old.size + MORE)};
}

/* ---- Values of keys ---- */

static bool is_integer(uint32_t type)
{
    return gt_item_bytes(type) > 0 && type != 6 && type != 12;
}

/* One number of type `type` at `p`. */
static void change_number(uint64_t *random, uint32_t type, uint8_t *p)
{
    size_t bytes = gt_item_bytes(type);
    if (type == 6) {
        fuzz_put(p, fuzz_float(random), 4);
    } else if (type == 12) {
        uint32_t bits = fuzz_float(random);
        float value = 0;
        memcpy(&value, &bits, sizeof value);
        double wide = (double)value;
        memcpy(p, &wide, sizeof wide);
    } else {
        fuzz_put(p, fuzz_integer(random, fuzz_get(p, bytes)), bytes);
    }
}

/* The same number in another type of integer. */
static void convert_key(gguf_tree *t, uint64_t *random, gt_key *k)
{
    static const uint32_t types[] = {0, 1, 2, 3, 4, 5, 7, 10, 11};
    uint32_t type = types[random_below(random, sizeof types / sizeof types[0])];
    size_t bytes = gt_item_bytes(type);
    uint8_t *p = gt_new(t, bytes);
    if (is_integer(k->type) && p != NULL) {
        fuzz_put(p, fuzz_get(k->value.data, k->value.size), bytes);
        k->type = type;
        k->item = type;
        k->value = (gt_bytes){p, bytes};
    }
}

/* The array has the elements that it states; an earlier change may have made these differ. */
static bool is_whole(const gt_key *k)
{
    size_t bytes = gt_item_bytes(k->item);
    if (k->item != GT_STRING) {
        return bytes > 0 && k->count <= k->value.size / bytes;
    }
    size_t left = k->value.size;
    for (uint64_t i = 0; i < k->count; i++) {
        uint64_t length = left >= 8 ? fuzz_get(k->value.data + (k->value.size - left), 8) : 0;
        if (left < 8 || length > left - 8) {
            return false;
        }
        left -= 8 + (size_t)length;
    }
    return true;
}

/* The offset of string `i` of an array of strings: that of its length. */
static size_t string_at(const gt_key *k, uint64_t i)
{
    size_t at = 0;
    for (; i > 0; i--) {
        at += 8 + (size_t)fuzz_get(k->value.data + at, 8);
    }
    return at;
}

/* Replaces string `i` by `text`. */
static void set_string(gguf_tree *t, gt_key *k, uint64_t i, gt_bytes text)
{
    size_t at = string_at(k, i);
    size_t end = at + 8 + (size_t)fuzz_get(k->value.data + at, 8);
    size_t size = k->value.size - (end - at) + 8 + text.size;
    uint8_t *p = gt_new(t, size);
    if (p == NULL) {
        return;
    }
    memcpy(p, k->value.data, at);
    fuzz_put(p + at, text.size, 8);
    memcpy(p + at + 8, text.data, text.size);
    memcpy(p + at + 8 + text.size, k->value.data + end, k->value.size - end);
    k->value = (gt_bytes){p, size};
}

/* Sets the number of elements: removes some or repeats the last ones. */
static void resize_array(gguf_tree *t, gt_key *k, uint64_t count)
{
    size_t bytes = gt_item_bytes(k->item);
    if (count > 4096 || k->count == 0 || !is_whole(k)) {
        return;
    }
    if (count <= k->count) {
        k->value.size = bytes > 0 ? bytes * (size_t)count : string_at(k, count);
        k->count = count;
        return;
    }
    size_t last = bytes > 0 ? bytes * (size_t)(k->count - 1) : string_at(k, k->count - 1);
    size_t item = k->value.size - last;
    size_t more = (size_t)(count - k->count);
    uint8_t *p = more < GT_POOL / (item + 1) ? gt_new(t, k->value.size + more * item) : NULL;
    if (p == NULL) {
        return;
    }
    memcpy(p, k->value.data, k->value.size);
    for (size_t i = 0; i < more; i++) {
        memcpy(p + k->value.size + i * item, k->value.data + last, item);
    }
    k->value = (gt_bytes){p, k->value.size + more * item};
    k->count = count;
}

static void change_array(gguf_tree *t, uint64_t *random, gt_key *k)
{
    size_t bytes = gt_item_bytes(k->item);
    uint64_t i = k->count > 0 ? random_u64(random) % k->count : 0;
    switch (random_below(random, 8)) {
    case 0:
        resize_array(t, k, fuzz_integer(random, k->count));
        return;
    case 1: /* the same bytes as elements of another type */
        k->item = random_below(random, 13);
        if (gt_item_bytes(k->item) > 0) {
            k->count = k->value.size / gt_item_bytes(k->item);
        }
        return;
    default:
        if (k->count == 0 || !is_whole(k)) {
            return;
        }
        if (k->item != GT_STRING && bytes > 0) {
            gt_bytes copy = copy_bytes(t, k->value, k->value.size);
            if (copy.data != k->value.data) {
                change_number(random, k->item, t->pool + (copy.data - t->pool) + i * bytes);
                k->value = copy;
            }
        } else if (k->item == GT_STRING) {
            uint64_t from = fuzz_one_in(random, 3) ? random_u64(random) % k->count : i;
            size_t at = string_at(k, from);
            gt_bytes text = {k->value.data + at + 8, (size_t)fuzz_get(k->value.data + at, 8)};
            set_string(t, k, i, from == i ? change_text(t, random, text) : text);
        }
    }
}

static void change_value(gguf_tree *t, uint64_t *random, gt_key *k)
{
    if (k->type == GT_STRING) {
        k->value = change_text(t, random, k->value);
    } else if (k->type == GT_ARRAY) {
        change_array(t, random, k);
    } else if (fuzz_one_in(random, 4)) {
        convert_key(t, random, k);
    } else {
        gt_bytes copy = copy_bytes(t, k->value, k->value.size);
        if (copy.data != k->value.data) {
            change_number(random, k->type, t->pool + (copy.data - t->pool));
            k->value = copy;
        }
    }
}

/* ---- The list of keys ---- */

static void change_key(gguf_tree *t, uint64_t *random)
{
    if (t->n_keys == 0) {
        return;
    }
    uint32_t i = random_below(random, t->n_keys);
    uint32_t j = random_below(random, t->n_keys);
    gt_key *k = &t->keys[i];
    gt_key other = t->keys[j];
    switch (random_below(random, 16)) {
    case 0: /* remove */
        memmove(k, k + 1, (t->n_keys - i - 1) * sizeof *k);
        t->said_keys = --t->n_keys;
        return;
    case 1: /* a copy with the same name or that of another key */
        if (t->n_keys < GT_MAX_KEYS) {
            t->keys[t->n_keys] = *k;
            t->keys[t->n_keys].name = change_text(t, random, other.name);
            t->said_keys = ++t->n_keys;
        }
        return;
    case 2: /* the value of another key */
        other.name = k->name;
        *k = other;
        return;
    case 3: /* to another position */
        t->keys[j] = *k;
        *k = other;
        return;
    case 4:
        k->name = change_text(t, random, k->name);
        return;
    default:
        change_value(t, random, k);
    }
}

/* ---- Tensors ---- */

static void change_shape(uint64_t *random, gt_tensor *one)
{
    uint32_t d = random_below(random, one->n_dims < GT_MAX_DIMS ? one->n_dims + 1 : GT_MAX_DIMS);
    uint32_t e = random_below(random, GT_MAX_DIMS);
    uint64_t old = one->dims[d];
    switch (random_below(random, 4)) {
    case 0:
        one->n_dims = (uint32_t)fuzz_integer(random, one->n_dims);
        return;
    case 1:
        one->dims[d] = one->dims[e];
        one->dims[e] = old;
        return;
    default:
        one->dims[d] = fuzz_integer(random, old);
    }
}

/* Special values at offsets where scales of blocks may be. */
static void change_data(gguf_tree *t, uint64_t *random, gt_tensor *one)
{
    gt_bytes copy = copy_bytes(t, one->data, one->data.size);
    if (copy.size == 0 || copy.data == one->data.data) {
        return;
    }
    uint8_t *p = t->pool + (copy.data - t->pool);
    const lf_type_info *type = lf_type_get(one->type);
    size_t block = type != NULL ? type->block_bytes : 4;
    uint32_t bits = fuzz_float(random);
    bool all = fuzz_one_in(random, 8);
    for (uint32_t n = all ? 1 : 1 + random_below(random, 8); n > 0; n--) {
        size_t at = random_u64(random) % copy.size / block * block;
        for (size_t i = all ? 0 : at; i < copy.size && (all || i == at); i += block) {
            bool wide = type != NULL && type->type == LF_F32;
            size_t bytes = wide ? 4 : 2;
            fuzz_put(p + i, wide ? bits : bits >> 16,
                     bytes < copy.size - i ? bytes : copy.size - i);
        }
    }
    if (fuzz_one_in(random, 4)) {
        int byte = fuzz_one_in(random, 2) ? 0 : 0xFF;
        memset(p, byte, random_u64(random) % copy.size + 1);
    }
    one->data = copy;
}

static void change_type(uint64_t *random, gt_tensor *one)
{
    static const lf_type known[] = {
        LF_F32,  LF_F16,   LF_BF16,  LF_Q4_0,   LF_Q8_0,    LF_Q4_K,   LF_Q5_K,  LF_Q6_K,
        LF_Q4_1, LF_Q5_0,  LF_Q5_1,  LF_IQ4_NL, LF_IQ4_XS,  LF_MXFP4,  LF_NVFP4, LF_Q2_K,
        LF_Q3_K, LF_IQ1_S, LF_IQ1_M, LF_IQ2_S,  LF_IQ2_XXS, LF_IQ2_XS, LF_IQ3_S, LF_IQ3_XXS};
    one->type = fuzz_one_in(random, 8)
                    ? random_below(random, 44)
                    : known[random_below(random, sizeof known / sizeof known[0])];
}

static void change_tensor(gguf_tree *t, uint64_t *random)
{
    if (t->n_tensors == 0) {
        return;
    }
    uint32_t i = random_below(random, t->n_tensors);
    uint32_t j = random_below(random, t->n_tensors);
    gt_tensor *one = &t->tensors[i];
    gt_tensor other = t->tensors[j];
    switch (random_below(random, 16)) {
    case 0: /* remove */
        memmove(one, one + 1, (t->n_tensors - i - 1) * sizeof *one);
        t->said_tensors = --t->n_tensors;
        return;
    case 1: /* a copy with another name */
        if (t->n_tensors < GT_MAX_TENSORS) {
            t->tensors[t->n_tensors] = *one;
            t->tensors[t->n_tensors].name = change_text(t, random, other.name);
            t->said_tensors = ++t->n_tensors;
        }
        return;
    case 2: /* exchange names */
        t->tensors[j].name = one->name;
        one->name = other.name;
        return;
    case 3:
        one->name = change_text(t, random, one->name);
        return;
    case 4: /* the offset of another tensor, or any */
        one->keep_offset = true;
        one->offset = fuzz_one_in(random, 2) ? other.offset : fuzz_integer(random, one->offset);
        return;
    case 5:
    case 6:
        change_shape(random, one);
        return;
    case 7:
    case 8:
    case 9:
        change_type(random, one);
        return;
    default:
        change_data(t, random, one);
    }
}

/* Vocabulary, kinds and embedding (and the head) grow or shrink together. */
static void change_vocab(gguf_tree *t, uint64_t *random)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < t->n_keys; i++) {
        gt_key *k = &t->keys[i];
        gt_bytes tokens = text_bytes("tokenizer.ggml.tokens");
        gt_bytes kinds = text_bytes("tokenizer.ggml.token_type");
        bool same =
            k->name.size == tokens.size && memcmp(k->name.data, tokens.data, tokens.size) == 0;
        if (same ||
            (k->name.size == kinds.size && memcmp(k->name.data, kinds.data, kinds.size) == 0)) {
            count = count > 0 ? count : fuzz_integer(random, k->count);
            if (k->type == GT_ARRAY) {
                resize_array(t, k, count);
            }
        }
    }
    for (uint32_t i = 0; i < t->n_tensors; i++) {
        gt_tensor *one = &t->tensors[i];
        gt_bytes embed = text_bytes("token_embd.weight");
        gt_bytes head = text_bytes("output.weight");
        if ((one->name.size == embed.size && memcmp(one->name.data, embed.data, embed.size) == 0) ||
            (one->name.size == head.size && memcmp(one->name.data, head.data, head.size) == 0)) {
            one->dims[1] = count;
        }
    }
}

/* ---- Files ---- */

/* Replaces one size by another everywhere, and its half and triple accordingly (in the corpus, the
 * dimension of heads and the input of the convolution): models of other shapes, many of them valid.
 */
static void change_size(gguf_tree *t, uint64_t *random)
{
    if (t->n_tensors == 0) {
        return;
    }
    const gt_tensor *one = &t->tensors[random_below(random, t->n_tensors)];
    uint64_t old = one->dims[random_below(random, 2)];
    uint64_t size = 2 * (1 + random_below(random, fuzz_one_in(random, 4) ? 160 : 20));
    const uint64_t from[3] = {old, old / 2, 3 * old};
    const uint64_t to[3] = {size, size / 2, 3 * size};
    for (uint32_t i = 0; i < t->n_tensors; i++) {
        for (uint32_t d = 0; d < GT_MAX_DIMS; d++) {
            uint64_t *dim = &t->tensors[i].dims[d];
            for (int f = 0; f < 3; f++) {
                if (d < t->tensors[i].n_dims && *dim == from[f]) {
                    *dim = to[f];
                    break;
                }
            }
        }
    }
    for (uint32_t i = 0; i < t->n_keys; i++) {
        gt_key *k = &t->keys[i];
        if (is_integer(k->type) && fuzz_get(k->value.data, k->value.size) == old && old > 3) {
            gt_bytes copy = copy_bytes(t, k->value, k->value.size);
            if (copy.data != k->value.data) {
                fuzz_put(t->pool + (copy.data - t->pool), size, k->value.size);
                k->value = copy;
            }
        }
    }
}

static void change_file(gguf_tree *t, uint64_t *random)
{
    switch (random_below(random, 64)) {
    case 0:
        t->version = (uint32_t)fuzz_integer(random, t->version);
        return;
    case 1:
        t->said_keys = fuzz_integer(random, t->said_keys);
        return;
    case 2:
        t->said_tensors = fuzz_integer(random, t->said_tensors);
        return;
    case 3: { /* an array that states a wrong length */
        gt_key *k = &t->keys[random_below(random, t->n_keys > 0 ? t->n_keys : 1)];
        k->count = t->n_keys > 0 ? fuzz_integer(random, k->count) : 0;
        return;
    }
    case 4:
        change_vocab(t, random);
        return;
    case 5:
    case 6:
    case 7:
    case 8:
        change_size(t, random);
        return;
    default:
        if (fuzz_one_in(random, 2)) {
            change_key(t, random);
        } else {
            change_tensor(t, random);
        }
    }
}

size_t fuzz_mutate_gguf(uint64_t *random, uint8_t *data, size_t size, size_t max_size)
{
    static gguf_tree tree;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    size_t written = 0;
    if (copy == NULL || size == 0 || fuzz_one_in(random, 32)) {
        free(copy);
        return LLVMFuzzerMutate(data, size, max_size);
    }
    memcpy(copy, data, size);
    if (gt_read(&tree, copy, size)) {
        for (uint32_t n = 1 + random_below(random, 3); n > 0; n--) {
            change_file(&tree, random);
        }
        written = gt_write(&tree, data, max_size);
        if (written == 0) {
            memcpy(data, copy, size);
        }
    }
    free(copy);
    return written > 0 ? written : LLVMFuzzerMutate(data, size, max_size);
}
