/* SPDX-License-Identifier: Apache-2.0 */
/* Implements support/retype.h. */
#include "support/retype.h"

#include "convert/rule.h"
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a block has its f16 scale and minimum (-1: none), and a scale with which values are about
 * 0.05. */
typedef struct scale_place {
    lf_type type;
    int d, dmin;
    float scale;
} scale_place;

static const scale_place places[] = {
    {LF_Q4_0, 0, -1, 0.01f},      {LF_Q4_1, 0, 2, 0.01f},      {LF_Q5_0, 0, -1, 0.005f},
    {LF_Q5_1, 0, 2, 0.005f},      {LF_Q8_0, 0, -1, 0.0006f},   {LF_Q2_K, 80, 82, 0.004f},
    {LF_Q3_K, 108, -1, 0.0015f},  {LF_Q4_K, 0, 2, 0.0003f},    {LF_Q5_K, 0, 2, 0.00015f},
    {LF_Q6_K, 208, -1, 0.00005f}, {LF_IQ1_S, 0, -1, 0.006f},   {LF_IQ2_XXS, 0, -1, 0.001f},
    {LF_IQ2_XS, 0, -1, 0.001f},   {LF_IQ2_S, 0, -1, 0.001f},   {LF_IQ3_XXS, 0, -1, 0.0004f},
    {LF_IQ3_S, 0, -1, 0.0004f},   {LF_IQ4_NL, 0, -1, 0.0008f}, {LF_IQ4_XS, 0, -1, 0.00005f},
};

static void set_half(uint8_t *at, float value)
{
    uint16_t half = lf_f32_to_f16(value);
    memcpy(at, &half, sizeof half);
}

static void set_scale(uint64_t *seed, lf_type type, uint8_t *block)
{
    float factor = 0.5f + (float)lft_unit(seed);
    if (type == LF_NVFP4) {
        for (size_t g = 0; g < 4; g++) {
            block[g] = (uint8_t)(1 + lft_random(seed) % 16);
        }
    } else if (type == LF_MXFP4) {
        block[0] = (uint8_t)(119 + lft_random(seed) % 3);
    } else if (type == LF_IQ1_M) { /* a nibble of d on top of each of the words at 48 */
        unsigned d = lf_f32_to_f16(0.006f * factor);
        for (size_t w = 0; w < 4; w++) {
            uint8_t *top = block + 49 + 2 * w;
            *top = (uint8_t)((*top & 15u) | (d >> 4 * w & 15u) << 4);
        }
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const scale_place *p = &places[i];
        if (p->type == type) {
            set_half(block + p->d, p->scale * factor);
            if (p->dmin >= 0) { /* added by Q4_1 and Q5_1 */
                bool added = type == LF_Q4_1 || type == LF_Q5_1;
                set_half(block + p->dmin, p->scale * (added ? -7.5f : 1.5f) * factor);
            }
        }
    }
}

void lft_random_blocks(uint64_t *seed, lf_type type, size_t n, uint8_t *blocks)
{
    const lf_type_info *info = lf_type_get((uint32_t)type);
    for (size_t b = 0; b < n / info->block; b++, blocks += info->block_bytes) {
        for (size_t i = 0; i < info->block_bytes; i++) {
            blocks[i] = (uint8_t)lft_random(seed);
        }
        set_scale(seed, type, blocks);
    }
}

static bool is_matrix(const lf_tensor *t)
{
    return t->n_dims >= 2 && strstr(t->name, "shortconv.conv") == NULL;
}

/* Values of an f32 tensor in `type`: random, rounded or copied. */
static void *make_data(uint64_t *seed, const float *values, lf_type type, size_t n, size_t *bytes)
{
    *bytes = lf_row_bytes(type, n);
    uint8_t *data = malloc(*bytes);
    assert_non_null(data);
    if (lf_type_get((uint32_t)type)->group == 0) {
        assert_true(lf_encode_row(type, values, data, n));
    } else {
        lft_random_blocks(seed, type, n, data);
    }
    return data;
}

static void write_tensors(lf_gguf_writer *out, const lf_source *source, const lf_type *types)
{
    uint64_t seed = 7;
    LFT_OK(lf_gguf_begin_data(out));
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const lf_tensor *t = &source->tensors[i];
        size_t n = (size_t)(t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]);
        float *values = malloc((size_t)t->bytes);
        assert_non_null(values);
        assert_int_equal(t->type, LF_F32);
        size_t expert = (size_t)(t->bytes / t->ne[2]);
        for (uint64_t e = 0; e < t->ne[2]; e++) {
            LFT_OK(lf_tensor_read(source, t, e, 0, (uint8_t *)values + e * expert, expert));
        }
        size_t bytes = 0;
        void *data = make_data(&seed, values, types[i], n, &bytes);
        LFT_OK(lf_gguf_data(out, data, bytes));
        free(data);
        free(values);
    }
}

const char *lft_retyped(const char *name, lft_type_of *type_of, const void *ctx)
{
    const char *path = lft_temp(name);
    const lf_alloc alloc = lf_alloc_default();
    const lf_log log = {0};
    lf_source *source = NULL;
    LFT_OK(lf_source_open(&alloc, &log, lft_tiny("f32"), &source));
    lf_gguf_writer *out = NULL;
    LFT_OK(lf_gguf_create(&alloc, path, &out));
    LFT_OK(lf_meta_copy(out, source->gguf));
    lf_type *types = calloc(source->n_tensors, sizeof *types);
    assert_non_null(types);
    size_t matrices = 0;
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const lf_tensor *t = &source->tensors[i];
        types[i] = is_matrix(t) ? type_of(t->name, matrices++, ctx) : LF_F32;
        if (lf_row_bytes(types[i], (size_t)t->ne[0]) == 0) {
            types[i] = LF_F32;
        }
        LFT_OK(lf_gguf_tensor(out, t->name, types[i], t->n_dims, t->ne));
    }
    write_tensors(out, source, types);
    LFT_OK(lf_gguf_commit(out));
    lf_gguf_free(out);
    free(types);
    lf_source_close(source);
    return path;
}

static lf_type one_type(const char *tensor, size_t index, const void *ctx)
{
    (void)index;
    return strstr(tensor, "ffn_gate_inp") != NULL ? LF_F32 : *(const lf_type *)ctx;
}

const char *lft_retyped_all(lf_type type)
{
    char file[32];
    snprintf(file, sizeof file, "%s.gguf", lf_type_get((uint32_t)type)->name);
    return lft_retyped(file, one_type, &type);
}
