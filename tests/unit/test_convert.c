/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of quantization: bytes, metadata, errors; a failure leaves no file. */
#include "convert/rule.h"
#include "support/counting_alloc.h"
#include "support/models.h"
#include "support/tiny_files.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const lf_log silent;
static lf_sched alone = {.n_threads = 1};

static int32_t quantize(const char *type, const char *in, const char *out)
{
    lf_alloc alloc = lf_alloc_default();
    lfm2_convert_options options = {.size = sizeof options, .type = type};
    return lf_quantize(&alloc, &silent, &alone, in, out, &options);
}

static lf_source *open_source(const char *path)
{
    static lf_alloc alloc;
    alloc = lf_alloc_default();
    lf_source *source = NULL;
    LFT_OK(lf_source_open(&alloc, &silent, path, &source));
    return source;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Gives F32 data exponents near 2^-7: no infinities, no overflow in 16 bits. */
static void tame(uint8_t *data, size_t bytes)
{
    for (size_t i = 3; i < bytes; i += 4) {
        data[i] = (uint8_t)((data[i] & 0x80) | 0x3C);
    }
}

/* Finishes the file with such weights; returns the offset of its data. */
static size_t finish_tame(gguf_builder *b)
{
    size_t begin = (gb_finish(b) + 31) / 32 * 32;
    tame(b->file.data + begin, b->file.size - begin);
    return begin;
}

/* The tiny GGUF file with F32 weights; `spoiled` (or NULL) becomes the first weight. */
static const char *gguf_input(bool moe, const tiny_change *change, const float *spoiled)
{
    gguf_builder b;
    tiny_gguf(&b, moe, change);
    size_t begin = finish_tame(&b);
    if (spoiled != NULL) {
        memcpy(b.file.data + begin, spoiled, sizeof *spoiled);
    }
    const char *path = lft_temp("in.gguf");
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
    return path;
}

/* ---- Values ---- */

/* Checks that every tensor of `out` equals the tensor of that name in `in`, decoded and encoded. */
static void check_tensors(const char *in_path, const char *out_path, const char *asked)
{
    lf_source *in = open_source(in_path);
    lf_source *out = open_source(out_path);
    assert_int_equal(in->n_tensors, out->n_tensors);
    lf_rule rule = {
        .preset = lf_preset_find(asked), .hparams = &in->hparams, .tied = in->hparams.tied};
    lf_rule_count(&rule);
    for (uint32_t i = 0; i < out->n_tensors; i++) {
        const lf_tensor *o = &out->tensors[i];
        const lf_tensor *s = lf_source_find(in, o->name);
        assert_non_null(s);
        assert_int_equal(o->n_dims, s->n_dims);
        assert_memory_equal(o->ne, s->ne, sizeof o->ne);
        assert_int_equal(o->type, lf_rule_type(&rule, o->name, o->n_dims, o->ne[0]));
        size_t n = (size_t)(o->ne[0] * o->ne[1]);
        float *values = malloc(n * sizeof *values);
        uint8_t *bytes = malloc(n * sizeof *values);
        assert_true(values != NULL && bytes != NULL);
        for (uint64_t e = 0; e < o->ne[2]; e++) {
            lf_decode_row(s->type, lf_tensor_expert(in, s, e), values, n);
            assert_true(lf_encode_row(o->type, values, bytes, n));
            assert_memory_equal(lf_tensor_expert(out, o, e), bytes, lf_row_bytes(o->type, n));
        }
        free(values);
        free(bytes);
    }
    lf_source_close(in);
    lf_source_close(out);
}

static const char *const type_names[] = {"f32",    "F16",    "bf16",   "q8_0", "q4_k_s",
                                         "q4_k_m", "q5_k_s", "Q5_K_M", "q6_k", "q4_0"};
enum { N_TYPES = sizeof type_names / sizeof type_names[0] };

static void test_gguf(void **state)
{
    (void)state;
    static const tiny_change untied = {.untied = true};
    const char *out = lft_temp("out.gguf");
    for (int moe = 0; moe < 2; moe++) {
        for (int i = 0; i < N_TYPES; i++) {
            const char *in = gguf_input(moe != 0, i == N_TYPES - 1 ? &untied : NULL, NULL);
            LFT_OK(quantize(type_names[i], in, out));
            check_tensors(in, out, type_names[i]);
        }
    }
}

/* A row longer than the blocks that are decoded at a time. */
static void test_long_row(void **state)
{
    (void)state;
    static const char name[] = "rope_freqs.weight"; /* the only tensor that may have any length */
    enum { LONG = 300000 };
    gguf_builder b;
    tiny_gguf(&b, false, NULL);
    gb_tensor(&b, name, LF_F16, 1, (const uint64_t[]){LONG}, 2 * LONG);
    uint8_t *data = gb_last_data(&b, 2 * LONG);
    for (uint32_t i = 0; i < LONG; i++) {
        uint16_t half = (uint16_t)(i % 0x7C00);
        memcpy(data + 2 * i, &half, 2);
    }
    size_t begin = (gb_finish(&b) + 31) / 32 * 32;
    tame(b.file.data + begin, b.file.size - begin - 2 * LONG);
    gb_write(lft_temp("in.gguf"), b.file.data, b.file.size);
    gb_free(&b);
    LFT_OK(quantize("q8_0", lft_temp("in.gguf"), lft_temp("out.gguf")));
    lf_source *out = open_source(lft_temp("out.gguf"));
    const lf_tensor *t = lf_source_find(out, name);
    assert_non_null(t);
    assert_int_equal(t->type, LF_F32);
    assert_int_equal(t->ne[0], LONG);
    const uint8_t *stored = lf_tensor_expert(out, t, 0);
    for (uint32_t i = 0; i < LONG; i++) {
        float value = 0;
        memcpy(&value, stored + 4 * (size_t)i, 4);
        assert_true(value == lf_f16_to_f32((uint16_t)(i % 0x7C00)));
    }
    lf_source_close(out);
}

static void same_vocab(const lf_vocab_data *a, const lf_vocab_data *b)
{
    assert_int_equal(a->n_tokens, b->n_tokens);
    assert_int_equal(a->n_merges, b->n_merges);
    for (uint32_t i = 0; i < a->n_tokens; i++) {
        assert_int_equal(a->tokens[i].kind, b->tokens[i].kind);
        if (a->tokens[i].kind != LFM2_TOKEN_UNUSED) {
            assert_int_equal(a->tokens[i].len, b->tokens[i].len);
            assert_memory_equal(a->tokens[i].text, b->tokens[i].text, a->tokens[i].len);
        }
    }
    for (uint32_t i = 0; i < a->n_merges; i++) {
        assert_int_equal(a->merges[i].left_len, b->merges[i].left_len);
        assert_memory_equal(a->merges[i].left, b->merges[i].left, a->merges[i].left_len);
        assert_int_equal(a->merges[i].right_len, b->merges[i].right_len);
        assert_memory_equal(a->merges[i].right, b->merges[i].right, a->merges[i].right_len);
    }
    assert_int_equal(a->bos_id, b->bos_id);
    assert_int_equal(a->eos_id, b->eos_id);
    assert_int_equal(a->pad_id, b->pad_id);
    assert_int_equal(a->add_bos, b->add_bos);
    assert_int_equal(a->n_templates, b->n_templates);
    for (uint32_t i = 0; i < a->n_templates; i++) {
        assert_string_equal(a->templates[i].name, b->templates[i].name);
        assert_int_equal(a->templates[i].len, b->templates[i].len);
        assert_string_equal(a->templates[i].text, b->templates[i].text);
    }
}

/* The support files have one model in both containers; converting the folder gives the file. */
static void test_hugging_face(void **state)
{
    (void)state;
    const char *folder = lft_temp("hf");
    const char *out = lft_temp("out.gguf");
    for (int moe = 0; moe < 2; moe++) {
        tiny_folder f;
        tiny_folder_init(&f, moe != 0);
        tame(f.data, f.n_data);
        tiny_folder_write(&f, folder);
        tiny_folder_free(&f);
        for (int i = 0; i < N_TYPES; i++) {
            LFT_OK(quantize(type_names[i], folder, out));
            check_tensors(gguf_input(moe != 0, NULL, NULL), out, type_names[i]);
        }
        lf_source *a = open_source(folder);
        lf_source *b = open_source(out);
        assert_memory_equal(&a->hparams, &b->hparams, sizeof a->hparams);
        same_vocab(&a->vocab, &b->vocab);
        assert_string_equal(b->name, a->name);
        assert_string_equal(b->file_type, "Q4_0");
        lf_source_close(a);
        lf_source_close(b);
    }
}

/* Converting to the same preset again changes nothing. Quantized files convert to F32 exactly, and
 * to no other preset. */
static void test_requantize(void **state)
{
    (void)state;
    const char *first = lft_temp("first.gguf");
    const char *out = lft_temp("out.gguf");
    LFT_OK(quantize("q4_0", gguf_input(true, NULL, NULL), first));
    LFT_OK(quantize("q4_0", first, out));
    size_t n_first = 0;
    size_t n_out = 0;
    char *a = lft_read_file(first, &n_first);
    char *b = lft_read_file(out, &n_out);
    assert_int_equal(n_first, n_out);
    assert_memory_equal(a, b, n_first);
    free(a);
    free(b);
    LFT_OK(quantize("f32", first, out));
    check_tensors(first, out, "f32");
    static const char *const refused[] = {"q8_0", "f16", "bf16", "q4_k_m", "q6_k"};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(unlink(out) == 0 || i > 0, 1);
        LFT_FAILS(quantize(refused[i], first, out), LFM2_E_UNSUPPORTED);
        assert_string_equal(lf_fail_code(), "convert.requantize");
        assert_non_null(strstr(lf_fail_text(), ".weight"));
        assert_false(exists(out));
    }
    /* With the flag the result equals a conversion to F32 and then to the preset. */
    const char *full = lft_temp("full.gguf");
    const char *twice = lft_temp("twice.gguf");
    LFT_OK(quantize("f32", first, full));
    for (int i = 0; i < 5; i++) {
        lf_alloc alloc = lf_alloc_default();
        lfm2_convert_options options = {
            .size = sizeof options, .type = refused[i], .flags = LFM2_CONVERT_REQUANTIZE};
        LFT_OK(lf_quantize(&alloc, &silent, &alone, first, out, &options));
        LFT_OK(quantize(refused[i], full, twice));
        a = lft_read_file(out, &n_first);
        b = lft_read_file(twice, &n_out);
        assert_int_equal(n_first, n_out);
        assert_memory_equal(a, b, n_first);
        free(a);
        free(b);
    }
}

/* ---- Metadata ---- */

static void parse(lf_arena *arena, lf_file *file, const char *path, lf_gguf *out)
{
    LFT_OK(lf_file_open(arena->alloc, path, file));
    LFT_OK(lf_gguf_parse(arena, file, 0, out));
}

/* A model with metadata values of every type, at path. */
static void write_metadata(const char *path)
{
    static const char *const strings[] = {"a", "", "\xC3\xA9"};
    static const uint8_t bools[] = {7, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0};
    static const uint8_t wide[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    gguf_builder b;
    tiny_gguf(&b, true, NULL);
    gb_u32(&b, "general.file_type", 0);
    gb_u32(&b, "general.quantization_version", 1);
    gb_u32(&b, "general.alignment", 32);
    for (uint32_t type = 0; type <= 12; type++) {
        static const uint8_t width[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
        char key[16];
        snprintf(key, sizeof key, "extra.%u", type);
        if (width[type] > 0) {
            gb_raw(&b, key, type, wide, width[type]);
        }
    }
    gb_strings(&b, "extra.strings", strings, 3);
    gb_raw(&b, "extra.bools", 9, bools, sizeof bools);
    finish_tame(&b);
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
}

static void test_metadata(void **state)
{
    (void)state;
    const char *in = lft_temp("meta.gguf");
    const char *out = lft_temp("out.gguf");
    write_metadata(in);
    LFT_OK(quantize("q8_0", in, out));
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    lf_file fa;
    lf_file fb;
    lf_gguf ga;
    lf_gguf gb;
    parse(&arena, &fa, in, &ga);
    parse(&arena, &fb, out, &gb);
    assert_null(lf_gguf_find(&gb, "general.alignment"));
    assert_int_equal(gb.n_values, ga.n_values - 1);
    for (uint32_t i = 0; i < ga.n_values; i++) {
        const lf_gguf_value *v = &ga.values[i];
        const lf_gguf_value *w = lf_gguf_find(&gb, v->key);
        if (strcmp(v->key, "general.alignment") != 0 && v->bytes > 0 &&
            strcmp(v->key, "general.file_type") != 0 &&
            strcmp(v->key, "general.quantization_version") != 0) {
            assert_non_null(w);
            assert_int_equal(v->type, w->type);
            assert_int_equal(v->item, w->item);
            assert_int_equal(v->count, w->count);
            assert_int_equal(v->bytes, w->bytes);
            assert_memory_equal(v->data, w->data, v->bytes);
        }
    }
    uint32_t number = 0;
    LFT_OK(lf_gguf_get_u32(&gb, "general.file_type", &number, NULL));
    assert_int_equal(number, 7);
    LFT_OK(lf_gguf_get_u32(&gb, "general.quantization_version", &number, NULL));
    assert_int_equal(number, 2);
    lf_gguf_close(&ga);
    lf_gguf_close(&gb);
    lf_file_close(&fa);
    lf_file_close(&fb);
    lf_arena_free(&arena);
}

/* ---- Refusals ---- */

static void test_arguments(void **state)
{
    (void)state;
    const char *in = gguf_input(false, NULL, NULL);
    const char *out = lft_temp("none.gguf");
    static const char *const types[] = {"q4_k", "q5_0", "mxfp4", "", "q4", NULL};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        LFT_FAILS(quantize(types[i], in, out), LFM2_E_ARGUMENT);
    }
    LFT_FAILS(quantize("q4_0", lft_temp("missing.gguf"), out), LFM2_E_IO);
    LFT_FAILS(quantize("q4_0", in, lft_temp("no/such/folder.gguf")), LFM2_E_IO);
    assert_false(exists(out));
}

static void test_same_file(void **state)
{
    (void)state;
    const char *in = gguf_input(false, NULL, NULL);
    const char *alias = lft_temp("alias.gguf");
    assert_int_equal(link(in, alias), 0);
    LFT_FAILS(quantize("q8_0", in, in), LFM2_E_ARGUMENT);
    LFT_FAILS(quantize("q8_0", in, alias), LFM2_E_ARGUMENT);
    assert_string_equal(lf_fail_code(), "source.same_file");
    lf_source_close(open_source(in)); /* the input is unchanged */
    assert_int_equal(unlink(alias), 0);
}

static void test_values(void **state)
{
    (void)state;
    static const float bad[] = {INFINITY, -INFINITY, NAN};
    const char *out = lft_temp("values.gguf");
    for (int i = 0; i < 3; i++) {
        const char *in = gguf_input(false, NULL, &bad[i]);
        LFT_FAILS(quantize("q8_0", in, out), LFM2_E_FORMAT);
        assert_non_null(strstr(lf_fail_text(), "token_embd.weight"));
        LFT_FAILS(quantize("bf16", in, out), LFM2_E_FORMAT);
    }
    static const float large[] = {65520.0f, 65520.0f * 127.0f, 3.4e38f};
    static const char *const types[] = {"f16", "q8_0", "bf16"};
    for (int i = 0; i < 3; i++) {
        const char *in = gguf_input(false, NULL, &large[i]);
        LFT_FAILS(quantize(types[i], in, out), LFM2_E_FORMAT);
    }
    assert_false(exists(out));
    float fits = 65519.0f;
    LFT_OK(quantize("f16", gguf_input(false, NULL, &fits), out));
    assert_int_equal(unlink(out), 0);
}

/* ---- Progress, failures on the way ---- */

typedef struct steps {
    int calls, stop_at;
    double last;
} steps;

static int32_t on_progress(void *user, double done)
{
    steps *s = user;
    assert_true(done >= s->last && done <= 1.0);
    s->last = done;
    return ++s->calls == s->stop_at;
}

static void test_progress(void **state)
{
    (void)state;
    const char *in = gguf_input(true, NULL, NULL);
    const char *out = lft_temp("progress.gguf");
    gb_write(out, "old", 3);
    lf_alloc alloc = lf_alloc_default();
    steps s = {.stop_at = 1};
    lfm2_convert_options options = {
        .size = sizeof options, .type = "q4_0", .progress = on_progress, .progress_user = &s};
    LFT_FAILS(lf_quantize(&alloc, &silent, &alone, in, out, &options), LFM2_E_STOPPED);
    size_t size = 0;
    char *old = lft_read_file(out, &size);
    assert_int_equal(size, 3); /* the old file is unchanged */
    free(old);
    s = (steps){.stop_at = 0};
    LFT_OK(lf_quantize(&alloc, &silent, &alone, in, out, &options));
    assert_true(s.calls > 0 && s.last >= 1.0);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    const char *in = gguf_input(true, NULL, NULL);
    const char *out = lft_temp("memory.gguf");
    lfm2_convert_options options = {.size = sizeof options, .type = "q4_0"};
    counting_alloc c;
    lf_alloc alloc = counting_alloc_init(&c);
    int32_t status = LFM2_E_MEMORY;
    size_t n = 0;
    for (; status != LFM2_OK && n < 1000; n++) {
        c.calls = 0;
        c.fail_at = n;
        status = lf_quantize(&alloc, &silent, &alone, in, out, &options);
        assert_true(status == LFM2_OK || status == LFM2_E_MEMORY);
        assert_int_equal(exists(out), status == LFM2_OK);
        assert_int_equal(c.live, 0);
        assert_int_equal(c.mistakes, 0);
    }
    assert_int_equal(status, LFM2_OK);
    assert_true(n > 10);
    assert_true(c.peak < 8 * 1024 * 1024);
}

/* ---- The writer ---- */

static void test_writer(void **state)
{
    (void)state;
    const char *path = lft_temp("writer.gguf");
    lf_alloc alloc = lf_alloc_default();
    uint8_t data[64] = {0};
    uint64_t ne[4] = {8, 2, 1, 1};
    for (int i = 0; i < 3; i++) {
        lf_gguf_writer *g = NULL;
        LFT_OK(lf_gguf_create(&alloc, path, &g));
        LFT_OK(lf_gguf_tensor(g, "t", LF_F32, 2, ne));
        LFT_FAILS(lf_gguf_tensor(g, "row", LF_Q4_0, 2, ne), LFM2_E_INTERNAL);
        LFT_FAILS(lf_gguf_tensor(g, "huge", LF_F32, 2, (uint64_t[4]){8, UINT64_MAX / 8, 1, 1}),
                  LFM2_E_INTERNAL);
        LFT_OK(lf_gguf_begin_data(g));
        LFT_OK(lf_gguf_data(g, data, 40));
        if (i == 0) {
            LFT_FAILS(lf_gguf_data(g, data, 25), LFM2_E_INTERNAL);
        } else if (i == 1) {
            LFT_FAILS(lf_gguf_commit(g), LFM2_E_INTERNAL);
        } else {
            LFT_OK(lf_gguf_data(g, data, 24));
            LFT_FAILS(lf_gguf_data(g, data, 1), LFM2_E_INTERNAL);
            LFT_OK(lf_gguf_commit(g));
        }
        lf_gguf_free(g);
        assert_int_equal(exists(path), i == 2);
    }
    size_t size = 0;
    char *file = lft_read_file(path, &size);
    assert_int_equal(size % 32, 0);
    free(file);
}

static int finish(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_row),     cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_hugging_face), cmocka_unit_test(test_requantize),
        cmocka_unit_test(test_metadata),     cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_same_file),    cmocka_unit_test(test_values),
        cmocka_unit_test(test_progress),     cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_writer),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
