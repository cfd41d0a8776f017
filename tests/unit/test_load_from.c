/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of loading by path, from a descriptor, from memory and through a callback, in place and
 * copied: the same logits bit for bit, the same model information, and the errors of each. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "support/models.h"
#include "support/tiny_files.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { N_IDS = 9 };

static lfm2_runtime *runtime;

/* ---- One file in all forms ---- */

/* A whole file in memory, and a callback that reads from it. */
typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static bytes read_all(const char *path)
{
    bytes b;
    b.data = (uint8_t *)lft_read_file(path, &b.size);
    return b;
}

static int32_t read_bytes(void *user, uint64_t offset, void *buffer, size_t n)
{
    const bytes *b = user;
    assert_in_range(n, 1, 4 << 20);
    assert_true(offset <= b->size && n <= b->size - offset);
    memcpy(buffer, b->data + offset, n);
    return 0;
}

static lfm2_model_options options(uint32_t flags, const char *cache)
{
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.flags = flags;
    o.cache_path = cache;
    o.cache = cache == NULL ? LFM2_CACHE_OFF : LFM2_CACHE_USE;
    return o;
}

/* Writes the bytes into a file, with others before and after; returns a descriptor for reading. */
static int embed(const bytes *b, size_t before, size_t behind)
{
    const char *path = lft_temp("archive");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (size_t i = 0; i < before; i++) {
        fputc('#', file);
    }
    assert_int_equal(fwrite(b->data, 1, b->size, file), b->size);
    for (size_t i = 0; i < behind; i++) {
        fputc('#', file);
    }
    assert_int_equal(fclose(file), 0);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    return fd;
}

static lfm2_model *load_fd(const bytes *b, size_t before, size_t behind, uint32_t flags)
{
    lfm2_model_options o = options(flags, NULL);
    lfm2_model *model = NULL;
    int fd = embed(b, before, behind);
    LFT_OK(lfm2_model_load_fd(runtime, fd, before, behind > 0 ? b->size : 0, &o, &model));
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0); /* the file position is unchanged */
    assert_int_equal(close(fd), 0);              /* the descriptor is still open */
    return model;
}

static lfm2_model *load_reader(const bytes *b, uint32_t flags, const char *cache)
{
    lfm2_model_options o = options(flags, cache);
    bytes copy = *b;
    lfm2_model_reader reader = {sizeof reader, b->size, read_bytes, &copy};
    lfm2_model *model = NULL;
    LFT_OK(lfm2_model_load_reader(runtime, &reader, &o, &model));
    memset(&reader, 0, sizeof reader);
    memset(&copy, 0, sizeof copy);
    return model;
}

static lfm2_model *load_path(const char *path, uint32_t flags)
{
    lfm2_model_options o = options(flags, NULL);
    lfm2_model *model = NULL;
    LFT_OK(lfm2_model_load(runtime, path, &o, &model));
    return model;
}

/* ---- Comparing ---- */

static float *logits(lfm2_model *model)
{
    uint32_t n_vocab = lft_vocab(model);
    float *out = malloc(N_IDS * n_vocab * sizeof *out);
    assert_non_null(out);
    int32_t *ids = lft_ids(N_IDS, n_vocab, 7);
    lfm2_session *session = lft_session(model, 64, 4, LFM2_KV_F16);
    LFT_OK(lfm2_session_eval(session, ids, N_IDS, out));
    lfm2_session_free(session);
    free(ids);
    return out;
}

static void same_facts(const lfm2_model *a, const lfm2_model *b)
{
    lfm2_model_info ia = {.size = sizeof ia};
    lfm2_model_info ib = {.size = sizeof ib};
    LFT_OK(lfm2_model_get_info(a, &ia));
    LFT_OK(lfm2_model_get_info(b, &ib));
    assert_string_equal(ia.name, ib.name);
    assert_int_equal(ia.file_bytes, ib.file_bytes);
    assert_int_equal(ia.n_tensors, ib.n_tensors);
    assert_int_equal(ia.n_meta, ib.n_meta);
    for (uint32_t i = 0; i < ia.n_tensors; i++) {
        lfm2_tensor_info ta = {.size = sizeof ta};
        lfm2_tensor_info tb = {.size = sizeof tb};
        LFT_OK(lfm2_model_get_tensor(a, i, &ta));
        LFT_OK(lfm2_model_get_tensor(b, i, &tb));
        assert_string_equal(ta.name, tb.name);
        assert_int_equal(ta.offset, tb.offset);
        assert_memory_equal(ta.dims, tb.dims, sizeof ta.dims);
    }
    for (uint32_t i = 0; i < ia.n_meta; i++) {
        const char *key[2];
        const char *value[2];
        LFT_OK(lfm2_model_get_meta(a, i, &key[0], &value[0]));
        LFT_OK(lfm2_model_get_meta(b, i, &key[1], &value[1]));
        assert_string_equal(key[0], key[1]);
        assert_string_equal(value[0], value[1]);
    }
}

static void same_text(const lfm2_model *a, const lfm2_model *b)
{
    static const char text[] = "Hello, w\xC3\xB6rld! 12345\n";
    int32_t ids[2][64];
    size_t n[2];
    LFT_OK(lfm2_tokenize(a, text, sizeof text - 1, LFM2_TOKENIZE_BOS, ids[0], 64, &n[0]));
    LFT_OK(lfm2_tokenize(b, text, sizeof text - 1, LFM2_TOKENIZE_BOS, ids[1], 64, &n[1]));
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(ids[0], ids[1], n[0] * sizeof ids[0][0]);
}

/* Frees `model`. `copied`: its embedding is in allocated memory. */
static void expect_same(lfm2_model *original, const float *want, lfm2_model *model, bool copied)
{
    lfm2_memory a = {.size = sizeof a};
    lfm2_memory b = {.size = sizeof b};
    float *have = logits(model);
    assert_memory_equal(have, want, N_IDS * lft_vocab(original) * sizeof *want);
    free(have);
    same_facts(original, model);
    same_text(original, model);
    LFT_OK(lfm2_estimate_memory(original, NULL, &a));
    LFT_OK(lfm2_estimate_memory(model, NULL, &b));
    assert_int_equal(a.total, b.total);
    assert_int_equal(b.mapped, copied ? 0 : a.mapped);
    lfm2_model_free(model);
}

static void same_from_memory(const bytes *b, lfm2_model *original, const float *want, size_t lead)
{
    for (uint32_t flags = 0; flags <= LFM2_MODEL_COPY; flags++) {
        lfm2_model_options o = options(flags, NULL);
        lfm2_model *model = NULL;
        /* private pages: they would reveal changes by the library */
        uint8_t *data =
            mmap(NULL, lead + b->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(data != MAP_FAILED);
        memcpy(data + lead, b->data, b->size);
        LFT_OK(lfm2_model_load_memory(runtime, data + lead, b->size, &o, &model));
        assert_memory_equal(data + lead, b->data, b->size);
        if (flags != 0) {
            assert_int_equal(munmap(data, lead + b->size), 0);
        }
        expect_same(original, want, model, flags != 0 || lead % 8 != 0);
        if (flags == 0) {
            assert_memory_equal(data + lead, b->data, b->size);
            assert_int_equal(munmap(data, lead + b->size), 0);
        }
    }
}

static void test_same_logits(void **state)
{
    (void)state;
    static const char *const types[] = {"q4_0", "q4_k_m", "f16", "q8_0"};
    static const size_t offsets[] = {0, 1, 7, 8, 4095, 4096, 12352};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        bytes b = read_all(lft_tiny(types[t]));
        lfm2_model *original = load_path(lft_tiny(types[t]), 0);
        float *want = logits(original);
        expect_same(original, want, load_path(lft_tiny(types[t]), LFM2_MODEL_COPY), true);
        expect_same(original, want, load_reader(&b, 0, NULL), true);
        expect_same(original, want, load_reader(&b, LFM2_MODEL_COPY, NULL), true);
        /* all origins for one type, some for the others */
        size_t n_offsets = t == 0 ? sizeof offsets / sizeof offsets[0] : 2;
        for (size_t i = 0; i < n_offsets; i++) {
            size_t at = offsets[i];
            expect_same(original, want, load_fd(&b, at, 0, 0), at % 8 != 0);
            expect_same(original, want, load_fd(&b, at, 100, 0), at % 8 != 0);
            expect_same(original, want, load_fd(&b, at, at, LFM2_MODEL_COPY), true);
        }
        for (size_t lead = 0; lead <= (t == 0 ? 8 : 1); lead++) {
            same_from_memory(&b, original, want, lead);
        }
        free(want);
        lfm2_model_free(original);
        free(b.data);
    }
}

/* Folders with one tensor per expert and with fused experts. */
static void test_folders(void **state)
{
    (void)state;
    for (size_t i = 0; lft_cases[i] != NULL; i++) {
        const char *path = lft_golden_folder(lft_cases[i]);
        lfm2_model *original = load_path(path, 0);
        lfm2_model *copy = load_path(path, LFM2_MODEL_COPY);
        float *want = logits(original);
        float *have = logits(copy);
        assert_memory_equal(have, want, N_IDS * lft_vocab(original) * sizeof *want);
        same_facts(original, copy);
        free(want);
        free(have);
        lfm2_model_free(original);
        lfm2_model_free(copy);
    }
}

/* The other modes load from all origins too and do not keep the file. */
static void test_modes(void **state)
{
    (void)state;
    bytes b = read_all(lft_tiny("q4_0"));
    lfm2_model *original = load_path(lft_tiny("q4_0"), 0);
    lfm2_memory want = {.size = sizeof want};
    LFT_OK(lfm2_estimate_memory(original, NULL, &want));
    for (int32_t mode = LFM2_LOAD_TOKENIZER; mode <= LFM2_LOAD_INSPECT; mode++) {
        lfm2_model_reader reader = {sizeof reader, b.size, read_bytes, &b};
        lfm2_model_options o = options(0, NULL);
        lfm2_model *model = NULL;
        o.mode = mode;
        LFT_OK(lfm2_model_load_reader(runtime, &reader, &o, &model));
        same_facts(original, model);
        same_text(original, model);
        if (mode == LFM2_LOAD_INSPECT) {
            lfm2_memory have = {.size = sizeof have};
            LFT_OK(lfm2_estimate_memory(model, NULL, &have));
            assert_int_equal(have.total, want.total);
            assert_int_equal(have.mapped, 0);
        }
        lfm2_model_free(model);
    }
    lfm2_model_free(original);
    free(b.data);
}

/* ---- Independence ---- */

/* Overwrites a file, then truncates it to 0 bytes. */
static void destroy(const char *path)
{
    int fd = open(path, O_RDWR);
    uint8_t noise[4096];
    memset(noise, 0xA5, sizeof noise);
    assert_true(fd >= 0);
    for (off_t at = 0; at < lseek(fd, 0, SEEK_END); at += (off_t)sizeof noise) {
        assert_int_equal(pwrite(fd, noise, sizeof noise, at), sizeof noise);
    }
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
}

static bool from_cache(const lfm2_model *model)
{
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(model, &info));
    return info.from_cache != 0;
}

static void test_destroyed_files(void **state)
{
    (void)state;
    bytes b = read_all(lft_tiny("q4_0"));
    const char *path = lft_temp("copy.gguf");
    const char *cache = lft_temp("copy.lfm2pack");
    lfm2_model *original = load_path(lft_tiny("q4_0"), 0);
    float *want = logits(original);
    for (int cached = 0; cached < 2; cached++) {
        gb_write(path, b.data, b.size);
        lfm2_model *model = load_path(path, LFM2_MODEL_COPY);
        if (cached != 0) {
            LFT_OK(lfm2_model_save_cache(model, cache));
            lfm2_model_free(model);
            lfm2_model_options o = options(LFM2_MODEL_COPY, cache);
            o.cache = LFM2_CACHE_VERIFY;
            LFT_OK(lfm2_model_load(runtime, path, &o, &model));
            assert_true(from_cache(model));
            destroy(cache);
        }
        destroy(path);
        LFT_OK(lfm2_model_save_cache(model, lft_temp("later.lfm2pack")));
        expect_same(original, want, model, true);
    }
    free(want);
    lfm2_model_free(original);
    free(b.data);
}

/* ---- Pack cache ---- */

static bool reader_uses(const bytes *b, const char *cache)
{
    lfm2_model *model = load_reader(b, 0, cache);
    bool used = from_cache(model);
    lfm2_model_free(model);
    return used;
}

static bool fd_uses(const char *path, const char *cache)
{
    lfm2_model_options o = options(0, cache);
    lfm2_model *model = NULL;
    int fd = open(path, O_RDONLY);
    LFT_OK(lfm2_model_load_fd(runtime, fd, 0, 0, &o, &model));
    close(fd);
    bool used = from_cache(model);
    lfm2_model_free(model);
    return used;
}

static void test_cache(void **state)
{
    (void)state;
    const char *path = lft_tiny("q4_0");
    const char *cache = lft_temp("reader.lfm2pack");
    bytes b = read_all(path);
    lfm2_model *original = load_path(path, 0);
    float *want = logits(original);
    lfm2_model *model = load_reader(&b, 0, NULL);
    LFT_FAILS(lfm2_model_save_cache(model, NULL), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "cache.path");
    LFT_OK(lfm2_model_save_cache(model, cache));
    lfm2_model_free(model);
    assert_true(reader_uses(&b, cache));
    lfm2_model_options o = options(0, cache);
    LFT_OK(lfm2_model_load_memory(runtime, b.data, b.size, &o, &model));
    assert_true(from_cache(model));
    expect_same(original, want, model, false);
    assert_false(fd_uses(path, cache)); /* a file has a modification time */
    b.data[b.size - 1] ^= 1;            /* the cache key samples the last byte of a tensor */
    assert_false(reader_uses(&b, cache));
    b.data[b.size - 1] ^= 1;
    LFT_OK(lfm2_model_save_cache(original, cache));
    assert_true(fd_uses(path, cache));
    assert_false(reader_uses(&b, cache));
    free(want);
    lfm2_model_free(original);
    free(b.data);
}

/* A model without a path has no default cache path; its file must not be overwritten. */
static void test_cache_place(void **state)
{
    (void)state;
    bytes b = read_all(lft_tiny("q4_0"));
    const char *path = lft_temp("fd.gguf");
    gb_write(path, b.data, b.size);
    lfm2_model *model = load_path(path, 0);
    LFT_OK(lfm2_model_save_cache(model, NULL));
    lfm2_model_free(model);
    assert_false(fd_uses(path, NULL));
    int fd = open(path, O_RDONLY);
    LFT_OK(lfm2_model_load_fd(runtime, fd, 0, 0, NULL, &model));
    close(fd);
    LFT_FAILS(lfm2_model_save_cache(model, path), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "source.same_file");
    lfm2_model_free(model);
    /* nor a file with the name that messages use for memory */
    LFT_OK(lfm2_model_load_memory(runtime, b.data, b.size, NULL, &model));
    LFT_OK(lfm2_model_save_cache(model, lft_temp("<memory>.lfm2pack")));
    lfm2_model_free(model);
    int here = open(".", O_RDONLY | O_DIRECTORY);
    char folder[512];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    assert_int_equal(chdir(folder), 0);
    LFT_OK(lfm2_model_load_memory(runtime, b.data, b.size, NULL, &model));
    assert_int_equal(fchdir(here), 0);
    close(here);
    assert_false(from_cache(model));
    lfm2_model_free(model);
    free(b.data);
}

/* ---- Refusals ---- */

static void refuse_fd(int fd, uint64_t offset, uint64_t n, int32_t expected, const char *code)
{
    lfm2_model *model = NULL;
    for (uint32_t flags = 0; flags <= LFM2_MODEL_COPY; flags++) {
        lfm2_model_options o = options(flags, NULL);
        LFT_FAILS(lfm2_model_load_fd(runtime, fd, offset, n, &o, &model), expected);
        assert_string_equal(lfm2_last_error_code(), code);
        assert_null(model);
    }
}

static void test_descriptors(void **state)
{
    (void)state;
    int fd = open(lft_tiny("q4_0"), O_RDONLY);
    uint64_t size = (uint64_t)lseek(fd, 0, SEEK_END);
    refuse_fd(-1, 0, 0, LFM2_E_ARGUMENT, "model.fd");
    refuse_fd(INT_MIN, 0, 0, LFM2_E_ARGUMENT, "model.fd");
    refuse_fd(fd, size + 1, 0, LFM2_E_ARGUMENT, "io.range");
    refuse_fd(fd, UINT64_MAX, 1, LFM2_E_ARGUMENT, "io.range");
    refuse_fd(fd, 1, size, LFM2_E_ARGUMENT, "io.range");
    refuse_fd(fd, 1, UINT64_MAX, LFM2_E_ARGUMENT, "io.range");
    refuse_fd(fd, 0, UINT64_MAX, LFM2_E_ARGUMENT, "io.range");
    refuse_fd(fd, size, 0, LFM2_E_FORMAT, "gguf.magic");
    refuse_fd(fd, 1, 0, LFM2_E_FORMAT, "gguf.magic");
    refuse_fd(fd, 0, 3, LFM2_E_FORMAT, "gguf.magic");
    refuse_fd(fd, 0, size - 1, LFM2_E_FORMAT, "gguf.tensor.bounds");
    char name[32];
    snprintf(name, sizeof name, "<fd %d>: ", fd);
    assert_ptr_equal(strstr(lfm2_last_error(), name), lfm2_last_error());
    close(fd);
    refuse_fd(fd, 0, 0, LFM2_E_IO, "io.stat");
    fd = open("/tmp", O_RDONLY | O_DIRECTORY);
    refuse_fd(fd, 0, 0, LFM2_E_IO, "io.directory");
    close(fd);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    refuse_fd(ends[0], 0, 0, LFM2_E_IO, "io.not_regular");
    close(ends[0]);
    close(ends[1]);
    lfm2_model *model = NULL;
    gb_write(lft_temp("w"), "GGUF", 4);
    fd = open(lft_temp("w"), O_WRONLY);
    LFT_FAILS(lfm2_model_load_fd(runtime, fd, 0, 0, NULL, &model), LFM2_E_IO);
    close(fd);
}

static void test_arguments(void **state)
{
    (void)state;
    bytes b = read_all(lft_tiny("q4_0"));
    lfm2_model_reader reader = {sizeof reader, b.size, read_bytes, &b};
    lfm2_model_options o = options(2, NULL);
    lfm2_model *m = NULL;
    LFT_FAILS(lfm2_model_load(runtime, lft_tiny("q4_0"), &o, &m), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "argument.flags");
    LFT_FAILS(lfm2_model_load_fd(NULL, 0, 0, 0, NULL, &m), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_load_fd(runtime, 0, 0, 0, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_load_memory(runtime, NULL, 8, NULL, &m), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_load_memory(runtime, b.data, UINT64_MAX, NULL, &m), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_load_memory(runtime, b.data, 0, NULL, &m), LFM2_E_FORMAT);
    assert_string_equal(
        lfm2_last_error(),
        "<memory>: not a GGUF file: it is empty or starts with zeros: the download is "
        "incomplete; download it again");
    LFT_FAILS(lfm2_model_load_memory(runtime, b.data, b.size, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_load_reader(runtime, NULL, NULL, &m), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_load_reader(NULL, &reader, NULL, &m), LFM2_E_ARGUMENT);
    reader.size = 8;
    LFT_FAILS(lfm2_model_load_reader(runtime, &reader, NULL, &m), LFM2_E_ARGUMENT);
    reader = (lfm2_model_reader){.size = sizeof reader, .bytes = b.size};
    LFT_FAILS(lfm2_model_load_reader(runtime, &reader, NULL, &m), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error(), "reader->read is NULL");
    static const uint64_t sizes[] = {0, 3, 4, 23, 24, 100, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        reader = (lfm2_model_reader){sizeof reader, sizes[i], read_bytes, &b};
        LFT_FAILS(lfm2_model_load_reader(runtime, &reader, NULL, &m), LFM2_E_FORMAT);
    }
    reader.bytes = b.size - 1;
    LFT_FAILS(lfm2_model_load_reader(runtime, &reader, NULL, &m), LFM2_E_FORMAT);
    assert_null(m);
    free(b.data);
}

static void test_parts(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 2; number++) {
        gguf_builder g;
        lfm2_model *model = NULL;
        tiny_gguf(&g, false, NULL);
        gb_u32(&g, "split.count", 2);
        gb_u32(&g, "split.no", number);
        gb_finish(&g);
        LFT_FAILS(lfm2_model_load_memory(runtime, g.file.data, g.file.size, NULL, &model),
                  LFM2_E_UNSUPPORTED);
        assert_string_equal(lfm2_last_error_code(), "gguf.split.origin");
        gb_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_logits), cmocka_unit_test(test_folders),
        cmocka_unit_test(test_modes),       cmocka_unit_test(test_destroyed_files),
        cmocka_unit_test(test_cache),       cmocka_unit_test(test_cache_place),
        cmocka_unit_test(test_descriptors), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_parts),
    };
    runtime = lft_runtime(2, LFM2_KERNELS_AUTO, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lfm2_runtime_free(runtime);
    lft_end();
    return failed;
}
