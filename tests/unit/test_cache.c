/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the pack cache: the same results as without it; an unusable file is never used. */
#include "support/models.h"
#include "support/retype.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_IDS = 9 };

static void write_file(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void copy_file(const char *from, const char *to)
{
    size_t size = 0;
    char *data = lft_read_file(from, &size);
    write_file(to, data, size);
    free(data);
}

static lfm2_model *load(lfm2_runtime *runtime, const char *path, const char *cache, int32_t mode)
{
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.cache = mode;
    options.cache_path = cache;
    lfm2_model *model = NULL;
    LFT_OK(lfm2_model_load(runtime, path, &options, &model));
    return model;
}

static bool from_cache(const lfm2_model *model)
{
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(model, &info));
    return info.from_cache != 0;
}

/* Whether loading `path` with the cache at `cache` uses it. */
static bool used(lfm2_runtime *runtime, const char *path, const char *cache)
{
    lfm2_model *model = load(runtime, path, cache, LFM2_CACHE_USE);
    bool answer = from_cache(model);
    lfm2_model_free(model);
    return answer;
}

static float *logits(lfm2_model *model)
{
    uint32_t n_vocab = lft_vocab(model);
    float *out = malloc(N_IDS * n_vocab * sizeof *out);
    int32_t *ids = lft_ids(N_IDS, n_vocab, 7);
    lfm2_session *session = lft_session(model, 64, 4, LFM2_KV_F16);
    LFT_OK(lfm2_session_eval(session, ids, N_IDS, out));
    lfm2_session_free(session);
    free(ids);
    return out;
}

/* A copy of a model file, with its cache at the default path. */
static const char *packed_copy(lfm2_runtime *runtime, const char *name, const char *from)
{
    const char *path = lft_temp(name);
    copy_file(from, path);
    lfm2_model *model = load(runtime, path, NULL, LFM2_CACHE_OFF);
    assert_false(from_cache(model));
    LFT_OK(lfm2_model_save_cache(model, NULL));
    lfm2_model_free(model);
    return path;
}

static const char *packed_model(lfm2_runtime *runtime, const char *name)
{
    return packed_copy(runtime, name, lft_tiny("q4_0"));
}

static void check_same_numbers(const char *name, const char *from)
{
    lfm2_runtime *runtime = lft_runtime(2, LFM2_KERNELS_AUTO, 0);
    const char *path = packed_copy(runtime, name, from);
    lfm2_model *plain = load(runtime, path, NULL, LFM2_CACHE_OFF);
    lfm2_model *cached = load(runtime, path, NULL, LFM2_CACHE_VERIFY);
    assert_true(from_cache(cached));
    float *a = logits(plain);
    float *b = logits(cached);
    assert_memory_equal(a, b, N_IDS * lft_vocab(plain) * sizeof *a);
    free(a);
    free(b);
    lfm2_model_free(plain);
    lfm2_model_free(cached);
    lfm2_runtime_free(runtime);
}

static void same_numbers(void **state)
{
    (void)state;
    check_same_numbers("same.gguf", lft_tiny("q4_0"));
    /* panels that hold the blocks of the file */
    check_same_numbers("same-blocks.gguf", lft_retyped_all(LF_IQ2_XS));
}

/* Kernels with other panels do not use the cache; kernels with the same panels do. */
static void other_kernels(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_OWN, 0);
    const char *path = packed_model(runtime, "kernels.gguf");
    lfm2_runtime *scalar = lft_runtime(1, LFM2_KERNELS_SCALAR, 0);
    lfm2_runtime *foreign = lft_runtime(1, LFM2_KERNELS_XNNPACK, 0);
    assert_true(used(runtime, path, NULL));
    assert_true(used(scalar, path, NULL));
    const uint32_t cpu = (uint32_t)lfm2_runtime_cpu(foreign);
    if ((cpu & (LFM2_CPU_SSE41 | LFM2_CPU_NEON)) != 0) {
        assert_false(used(foreign, path, NULL));
    }
    /* XNNPACK's panels for NEON all have 16 columns and differ in kr. */
    static const uint32_t steps[] = {LFM2_CPU_I8MM, LFM2_CPU_DOTPROD};
    path = packed_model(foreign, "kr.gguf");
    for (size_t i = 0; i < 2; i++) {
        lfm2_runtime *other = lft_runtime(1, LFM2_KERNELS_XNNPACK, steps[i]);
        assert_int_equal(used(other, path, NULL), (cpu & steps[i]) == 0);
        lfm2_runtime_free(other);
    }
    lfm2_runtime_free(runtime);
    lfm2_runtime_free(scalar);
    lfm2_runtime_free(foreign);
}

/* The int8 panels of arm64's kernels hold the quants themselves, unlike those of portable C. */
static void other_quants(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_OWN, 0);
    lfm2_runtime *scalar = lft_runtime(1, LFM2_KERNELS_SCALAR, 0);
    const char *path = packed_copy(scalar, "quants.gguf", lft_tiny("q8_0"));
    const uint32_t cpu = (uint32_t)lfm2_runtime_cpu(runtime);
    assert_int_equal(used(runtime, path, NULL), (cpu & LFM2_CPU_DOTPROD) == 0);
    lfm2_model *model = load(runtime, path, NULL, LFM2_CACHE_USE);
    lfm2_model *portable = load(scalar, path, NULL, LFM2_CACHE_USE);
    assert_true(from_cache(portable));
    float *a = logits(model);
    float *b = logits(portable);
    assert_memory_equal(a, b, N_IDS * lft_vocab(model) * sizeof *a);
    free(a);
    free(b);
    lfm2_model_free(model);
    lfm2_model_free(portable);
    lfm2_runtime_free(runtime);
    lfm2_runtime_free(scalar);
}

static void other_source(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    const char *path = packed_model(runtime, "source.gguf");
    assert_true(used(runtime, path, NULL));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    times[1].tv_sec += 5; /* the same bytes with a later time */
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_false(used(runtime, path, NULL));
    lfm2_runtime_free(runtime);
}

/* Other weights in a file with the same shapes, size and time. */
static void other_weights(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    const char *path = packed_model(runtime, "weights.gguf");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    lfm2_convert_options options;
    lfm2_convert_options_init(&options, sizeof options);
    LFT_OK(lfm2_synthesize(runtime, "tiny", 99, path, &options));
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_false(used(runtime, path, NULL));
    lfm2_runtime_free(runtime);
}

/* The cache must not overwrite the model. */
static void never_over_the_model(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    const char *path = packed_model(runtime, "over.gguf");
    lfm2_model *model = load(runtime, path, NULL, LFM2_CACHE_USE);
    LFT_FAILS(lfm2_model_save_cache(model, path), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "source.same_file");
    lfm2_model_free(model);
    lfm2_model_free(load(runtime, path, NULL, LFM2_CACHE_OFF)); /* the model is intact */
    lfm2_runtime_free(runtime);
}

/* Damage to the header or the checksum table, and a wrong size, are always detected. */
static void damaged(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    const char *path = packed_model(runtime, "damaged.gguf");
    const char *good = lft_temp("damaged.gguf.lfm2pack");
    const char *bad = lft_temp("bad.lfm2pack");
    size_t size = 0;
    char *data = lft_read_file(good, &size);
    static const size_t places[] = {0, 8, 12, 16, 24, 32, 40, 48, 56, 64, 4096, 4104};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        data[places[i]] ^= 4;
        write_file(bad, data, size);
        data[places[i]] ^= 4;
        assert_false(used(runtime, path, bad));
    }
    static const size_t cuts[] = {0, 1, 80, 4096, 8192};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        write_file(bad, data, cuts[i]);
        assert_false(used(runtime, path, bad));
    }
    write_file(bad, data, size - 4096);
    assert_false(used(runtime, path, bad));
    assert_false(used(runtime, path, lft_temp("absent.lfm2pack")));
    assert_false(used(runtime, path, "/"));
    write_file(bad, data, size);
    assert_true(used(runtime, path, bad));
    free(data);
    lfm2_runtime_free(runtime);
}

/* LFM2_CACHE_VERIFY detects damage to the weights. */
static void verified(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    const char *path = packed_model(runtime, "verified.gguf");
    const char *bad = lft_temp("verified-bad.lfm2pack");
    size_t size = 0;
    char *data = lft_read_file(lft_temp("verified.gguf.lfm2pack"), &size);
    data[size / 2 / 4096 * 4096] ^=
        1; /* the start of a page: never padding but at a matrix's end */
    write_file(bad, data, size);
    free(data);
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.cache = LFM2_CACHE_VERIFY;
    options.cache_path = bad;
    lfm2_model *model = NULL;
    LFT_FAILS(lfm2_model_load(runtime, path, &options, &model), LFM2_E_FORMAT);
    assert_string_equal(lfm2_last_error_code(), "cache.checksum");
    assert_non_null(strstr(lfm2_last_error(), bad));
    lfm2_runtime_free(runtime);
}

/* LFM2_CACHE_REQUIRE reports why the cache is unusable; other modes load the model without it. */
static void required(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    const char *path = packed_model(runtime, "required.gguf");
    lfm2_model *model = load(runtime, path, NULL, LFM2_CACHE_REQUIRE);
    assert_true(from_cache(model));
    lfm2_model_free(model);
    const char *other = lft_temp("required-other.lfm2pack");
    write_file(other, "no pack cache", 13);
    assert_false(used(runtime, path, other));
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.cache = LFM2_CACHE_REQUIRE;
    options.cache_path = other;
    model = NULL;
    LFT_FAILS(lfm2_model_load(runtime, path, &options, &model), LFM2_E_FORMAT);
    assert_string_equal(lfm2_last_error_code(), "cache.mismatch");
    assert_non_null(strstr(lfm2_last_error(), other));
    assert_null(model);
    options.cache_path = lft_temp("required-missing.lfm2pack");
    LFT_FAILS(lfm2_model_load(runtime, path, &options, &model), LFM2_E_IO);
    assert_non_null(strstr(lfm2_last_error(), "required-missing.lfm2pack"));
    size_t size = 0;
    char *bytes = lft_read_file(path, &size);
    options.cache_path = NULL; /* a model in memory has no default path */
    LFT_FAILS(lfm2_model_load_memory(runtime, bytes, size, &options, &model), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "cache.path");
    assert_null(model);
    free(bytes);
    options.mode = LFM2_LOAD_TOKENIZER; /* no weights, no cache */
    LFT_OK(lfm2_model_load(runtime, path, &options, &model));
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
}

static void cannot_be_written(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    lfm2_model *model = load(runtime, lft_tiny("q4_0"), NULL, LFM2_CACHE_OFF);
    LFT_FAILS(lfm2_model_save_cache(model, "/nowhere/at/all.lfm2pack"), LFM2_E_IO);
    LFT_FAILS(lfm2_model_save_cache(NULL, NULL), LFM2_E_ARGUMENT);
    lfm2_model_free(model);
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.mode = LFM2_LOAD_INSPECT;
    LFT_OK(lfm2_model_load(runtime, lft_tiny("q4_0"), &options, &model));
    LFT_FAILS(lfm2_model_save_cache(model, NULL), LFM2_E_STATE);
    lfm2_model_free(model);
    options.cache = LFM2_CACHE_REQUIRE + 1;
    LFT_FAILS(lfm2_model_load(runtime, lft_tiny("q4_0"), &options, &model), LFM2_E_ARGUMENT);
    lfm2_runtime_free(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_numbers),  cmocka_unit_test(other_kernels),
        cmocka_unit_test(other_quants),  cmocka_unit_test(other_source),
        cmocka_unit_test(other_weights), cmocka_unit_test(never_over_the_model),
        cmocka_unit_test(damaged),       cmocka_unit_test(verified),
        cmocka_unit_test(required),      cmocka_unit_test(cannot_be_written),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lft_end();
    return failed;
}
