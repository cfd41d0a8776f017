/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of loading with faults: every read and every allocation fails once, headers change after
 * they were read, files shrink. Also tests how much is read and how much memory is used. */
#include "support/counting_alloc.h"
#include "support/models.h"
#include "support/tiny_files.h"

#include "load/gguf.h"
#include "load/pack.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gguf_builder file; /* a small model with a header of several MB */
static size_t header;     /* bytes before its data */

/* ---- A callback that counts, returns wrong data and fails ---- */

typedef struct source {
    const uint8_t *data;
    size_t size;
    uint8_t *seen;       /* how often each byte was read; NULL: not counted */
    long calls, fail_at; /* the call (from 1) that fails; 0: none */
} source;

/* A second read of a byte of the header returns 0xFF. */
static int32_t read_source(void *user, uint64_t offset, void *buffer, size_t n)
{
    source *s = user;
    s->calls++;
    if (s->calls == s->fail_at) {
        memset(buffer, 0xA5, n);
        return -7;
    }
    assert_true(n > 0 && offset <= s->size && n <= s->size - offset);
    memcpy(buffer, s->data + offset, n);
    for (size_t i = 0; s->seen != NULL && i < n; i++) {
        uint8_t *seen = &s->seen[offset + i];
        bool again = *seen > 0;
        if (again && offset + i < header) {
            ((uint8_t *)buffer)[i] = 0xFF;
        }
        *seen = (uint8_t)(*seen + 1);
    }
    return 0;
}

static int32_t load(lfm2_runtime *runtime, source *s, lfm2_model **out)
{
    lfm2_model_reader reader = {sizeof reader, s->size, read_source, s};
    *out = NULL;
    return lfm2_model_load_reader(runtime, &reader, NULL, out);
}

static void test_header_once(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    lfm2_model *model = NULL;
    source s = {file.file.data, file.file.size, calloc(file.file.size, 1), 0, 0};
    assert_non_null(s.seen);
    LFT_OK(load(runtime, &s, &model));
    for (size_t i = 0; i < s.size; i++) {
        if (i < header ? s.seen[i] != 1 : s.seen[i] > 4) {
            fail_msg("byte %zu of %zu (header %zu) was read %u times", i, s.size, header,
                     s.seen[i]);
        }
    }
    /* no reads after loading */
    long calls = s.calls;
    const char *bytes = NULL;
    size_t len = 0;
    int32_t kind = 0;
    LFT_OK(lfm2_token_get(model, TINY_VOCAB - 1, &bytes, &len, &kind));
    LFT_OK(lfm2_model_save_cache(model, lft_temp("faults.lfm2pack")));
    assert_int_equal(s.calls, calls);
    lfm2_model_free(model);
    free(s.seen);
    lfm2_runtime_free(runtime);
}

/* Changes of the header's bytes after they were read have no effect. */
static void test_header_changes(void **state)
{
    (void)state;
    lf_alloc heap = lf_alloc_default();
    lf_source *a = NULL;
    lf_source *b = NULL;
    uint8_t *copy = malloc(file.file.size);
    assert_non_null(copy);
    memcpy(copy, file.file.data, file.file.size);
    lf_origin origin = {.kind = LF_FROM_MEMORY, .memory = copy, .bytes = file.file.size};
    LFT_OK(lf_source_open_from(&heap, NULL, &origin, &a));
    memset(copy, 0xFF, header);
    origin.memory = file.file.data;
    LFT_OK(lf_source_open_from(&heap, NULL, &origin, &b));
    assert_int_equal(a->gguf->n_values, b->gguf->n_values);
    for (uint32_t i = 0; i < a->gguf->n_values; i++) {
        const lf_gguf_value *v = &a->gguf->values[i];
        const lf_gguf_value *w = &b->gguf->values[i];
        assert_string_equal(v->key, w->key);
        assert_int_equal(v->bytes, w->bytes);
        assert_memory_equal(v->data, w->data, v->bytes);
    }
    for (uint32_t i = 0; i < a->vocab.n_tokens; i++) {
        assert_memory_equal(a->vocab.tokens[i].text, b->vocab.tokens[i].text,
                            b->vocab.tokens[i].len);
    }
    for (uint32_t i = 0; i < a->n_tensors; i++) {
        assert_string_equal(a->tensors[i].name, b->tensors[i].name);
    }
    lf_source_close(a);
    lf_source_close(b);
    free(copy);
}

/* A file with a huge stated size; all bytes after its start are zeros. */
static int32_t read_zeros(void *user, uint64_t offset, void *buffer, size_t n)
{
    const gb_bytes *head = user;
    memset(buffer, 0, n);
    for (size_t i = 0; i < n && offset + i < head->size; i++) {
        ((uint8_t *)buffer)[i] = head->data[offset + i];
    }
    return 0;
}

static void test_header_limit(void **state)
{
    (void)state;
    static const struct {
        uint32_t type, item;
        uint64_t count;
    } cases[] = {{8, 0, UINT64_C(1) << 27}, {9, 0, UINT64_C(1) << 39}, {9, 10, UINT64_C(1) << 30}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        counting_alloc counter;
        lf_alloc alloc = counting_alloc_init(&counter);
        gguf_builder b;
        uint8_t value[12];
        size_t n = cases[i].type == 9 ? 12 : 8;
        memcpy(value, &cases[i].item, 4);
        memcpy(value + n - 8, &cases[i].count, 8);
        gb_init(&b);
        gb_raw(&b, "tokenizer.ggml.tokens", cases[i].type, value, n);
        gb_finish(&b);
        lfm2_model_reader reader = {sizeof reader, UINT64_C(1) << 40, read_zeros, &b.file};
        lf_origin origin = {.kind = LF_FROM_READER, .reader = &reader};
        lf_source *s = NULL;
        LFT_FAILS(lf_source_open_from(&alloc, NULL, &origin, &s), LFM2_E_FORMAT);
        assert_string_equal(lfm2_last_error_code(), "file.header");
        assert_non_null(strstr(lfm2_last_error(), "tokenizer.ggml.tokens: offset 0x"));
        assert_true(counter.peak < 4 << 20);
        assert_int_equal(counter.live, 0);
        gb_free(&b);
    }
}

/* ---- Everything fails once ---- */

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    int n = 0;
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

static lfm2_runtime *counted_runtime(lft_memory *memory)
{
    lfm2_runtime_options o;
    lfm2_runtime *runtime = NULL;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 1;
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = memory;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    return runtime;
}

static void test_failing_reads(void **state)
{
    (void)state;
    lft_memory memory = {0};
    lfm2_runtime *runtime = counted_runtime(&memory);
    long long blocks = atomic_load(&memory.live_blocks);
    lfm2_model *model = NULL;
    source s = {file.file.data, file.file.size, NULL, 0, 0};
    LFT_OK(load(runtime, &s, &model));
    lfm2_model_free(model);
    long all = s.calls;
    assert_in_range(all, 20, 1000);
    for (long k = 1; k <= all; k++) {
        s.calls = 0;
        s.fail_at = k;
        LFT_FAILS(load(runtime, &s, &model), LFM2_E_STOPPED);
        assert_int_equal(s.calls, k);
        assert_null(model);
        assert_non_null(strstr(lfm2_last_error(), "<reader>: offset 0x"));
        assert_non_null(strstr(lfm2_last_error(), "returned -7"));
        assert_int_equal(atomic_load(&memory.live_blocks), blocks);
    }
    lfm2_runtime_free(runtime);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_false(memory.broken);
}

enum { BY_READER, BY_PATH, BY_FD, BY_MEMORY, WITH_CACHE, WAYS };

/* The model as m.gguf, and at offset 1 of the file `shifted`. */
static int32_t load_way(lfm2_runtime *runtime, int way, lfm2_model **out)
{
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.flags = LFM2_MODEL_COPY;
    o.cache = way == WITH_CACHE ? LFM2_CACHE_VERIFY : LFM2_CACHE_OFF;
    *out = NULL;
    if (way == BY_READER) {
        source s = {file.file.data, file.file.size, NULL, 0, 0};
        return load(runtime, &s, out);
    }
    if (way == BY_FD) { /* mapped at an unaligned address: no data is in place */
        o.flags = 0;
        int fd = open(lft_temp("shifted"), O_RDONLY);
        int32_t status = lfm2_model_load_fd(runtime, fd, 1, 0, &o, out);
        close(fd);
        return status;
    }
    if (way == BY_MEMORY) {
        return lfm2_model_load_memory(runtime, file.file.data, file.file.size, &o, out);
    }
    return lfm2_model_load(runtime, lft_temp("m.gguf"), &o, out);
}

static void fail_allocations(int way)
{
    lft_memory memory = {0};
    lfm2_runtime *runtime = counted_runtime(&memory);
    long long blocks = atomic_load(&memory.live_blocks);
    int descriptors = open_descriptors();
    int32_t status = LFM2_E_MEMORY;
    lfm2_model *model = NULL;
    for (long long k = 1; status != LFM2_OK; k++) {
        assert_in_range(k, 1, 500);
        atomic_store(&memory.calls, 0);
        atomic_store(&memory.fail_at, k);
        status = load_way(runtime, way, &model);
        atomic_store(&memory.fail_at, 0);
        if (status != LFM2_OK) {
            lft_expect(status, LFM2_E_MEMORY, "load");
            assert_null(model);
            assert_int_equal(atomic_load(&memory.live_blocks), blocks);
        } else {
            lfm2_model_info info = {.size = sizeof info};
            LFT_OK(lfm2_model_get_info(model, &info));
            assert_int_equal(info.from_cache, way == WITH_CACHE);
            print_message("%lld allocations\n", k - 1);
        }
        assert_int_equal(open_descriptors(), descriptors); /* no descriptor stays open */
    }
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_false(memory.broken);
}

static void test_failing_allocator(void **state)
{
    (void)state;
    FILE *shifted = fopen(lft_temp("shifted"), "wb");
    assert_non_null(shifted);
    fputc('#', shifted);
    assert_int_equal(fwrite(file.file.data, 1, file.file.size, shifted), file.file.size);
    assert_int_equal(fclose(shifted), 0);
    gb_write(lft_temp("m.gguf"), file.file.data, file.file.size);
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    lfm2_model *model = lft_load(runtime, lft_temp("m.gguf"));
    LFT_OK(lfm2_model_save_cache(model, NULL));
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    for (int way = 0; way < WAYS; way++) {
        fail_allocations(way);
    }
}

/* ---- Files that shrink ---- */

static int32_t shrink(void *user, double done)
{
    (void)done;
    assert_int_equal(truncate(user, (off_t)header + 8), 0);
    return 0;
}

static void test_shrinking(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    char *path = strdup(lft_temp("shrinks.gguf"));
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.flags = LFM2_MODEL_COPY;
    o.progress = shrink;
    o.progress_user = path;
    for (int by_fd = 0; by_fd < 2; by_fd++) {
        lfm2_model *model = NULL;
        gb_write(path, file.file.data, file.file.size);
        int fd = open(path, O_RDONLY);
        LFT_FAILS(by_fd ? lfm2_model_load_fd(runtime, fd, 0, 0, &o, &model)
                        : lfm2_model_load(runtime, path, &o, &model),
                  LFM2_E_IO);
        close(fd);
        assert_null(model);
        assert_string_equal(lfm2_last_error_code(), "io.short");
        assert_non_null(strstr(lfm2_last_error(), "tensor 'blk."));
        assert_non_null(strstr(lfm2_last_error(), "offset 0x"));
    }
    free(path);
    lfm2_runtime_free(runtime);
}

/* ---- Places ---- */

/* A tensor whose experts are in two files. */
static void test_places(void **state)
{
    (void)state;
    static const uint64_t parts[2][2] = {{1, 2}, {3, 4}};
    static const lf_place places[] = {{1, 8}, {0, 8}, {1, 0}};
    static const uint64_t want[] = {4, 2, 3};
    lf_file files[2] = {{.data = (const uint8_t *)parts[0], .size = sizeof parts[0]},
                        {.data = (const uint8_t *)parts[1], .size = sizeof parts[1]}};
    lf_source s = {.files = files, .n_files = 2};
    lf_tensor t = {.name = "t",
                   .type = LF_F32,
                   .n_dims = 3,
                   .ne = {2, 1, 3, 1},
                   .bytes = 24,
                   .places = places,
                   .part = 1,
                   .offset = 8};
    for (uint64_t e = 0; e < 3; e++) {
        uint64_t have = 0;
        LFT_OK(lf_tensor_read(&s, &t, e, 0, &have, sizeof have));
        assert_int_equal(have, want[e]);
        assert_memory_equal(lf_tensor_expert(&s, &t, e), &want[e], sizeof want[e]);
    }
}

/* ---- Large matrices ---- */

enum { ROWS = 1 << 15, COLUMNS = 1024, QUARTER = ROWS / 4 };

/* Packs one pair of matrices from `origin` as `experts` stacked ones. Returns the panels, which the
 * caller frees. */
static uint8_t *pack(const lf_origin *origin, uint64_t experts, lf_packed *out, size_t *peak)
{
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    lf_alloc heap = lf_alloc_default();
    lf_sched sched;
    lf_kernels kernels;
    lf_file opened;
    LFT_OK(lf_file_open_from(&heap, origin, &opened));
    LFT_OK(lf_sched_init(&sched, &heap, 2, NULL));
    lf_kernels_init(&kernels, 0, LF_PICK_SCALAR);
    lf_source model = {.alloc = heap, .files = &opened, .n_files = 1};
    uint64_t bytes = opened.size / 2;
    lf_tensor first = {.name = "gate",
                       .type = LF_Q4_0,
                       .n_dims = 3,
                       .ne = {COLUMNS, ROWS / experts, experts, 1},
                       .bytes = bytes};
    lf_tensor second = first;
    second.offset = bytes;
    LFT_OK(lf_pack_plan(&kernels, &first, &second, out));
    LFT_OK(lf_pack_fill(&alloc, &sched, &model, &first, &second, out));
    uint8_t *panels = malloc(out->bytes);
    assert_non_null(panels);
    memcpy(panels, out->panels, out->bytes);
    *peak = counter.peak;
    lf_pack_free(&alloc, out);
    assert_int_equal(counter.live, 0);
    lf_sched_free(&sched);
    lf_file_close(&opened);
    return panels;
}

/* An expert larger than a step is packed in several steps. The panels equal those of its quarters,
 * which are smaller than a step, both in place and through a buffer no larger than the step. */
static void test_large_expert(void **state)
{
    (void)state;
    size_t n = (size_t)ROWS * COLUMNS / 32 * 18 * 2;
    uint8_t *data = malloc(n);
    uint64_t random = 5;
    assert_non_null(data);
    for (size_t i = 0; i < n; i++) {
        data[i] = (uint8_t)lft_random(&random) & 0x3F; /* scales are finite */
    }
    lf_packed whole;
    lf_packed quarters;
    size_t peak = 0;
    lf_origin in_place = {.kind = LF_FROM_MEMORY, .memory = data, .bytes = n};
    lf_origin copied = in_place;
    copied.copy = true;
    uint8_t *want = pack(&in_place, 4, &quarters, &peak);
    assert_true(quarters.expert_bytes < 32 << 20);
    uint8_t *have = pack(&in_place, 1, &whole, &peak);
    assert_true(whole.expert_bytes > 32 << 20);
    assert_int_equal(whole.bytes, quarters.bytes);
    assert_memory_equal(have, want, whole.bytes);
    free(have);
    for (uint64_t experts = 1; experts <= 4; experts += 3) {
        have = pack(&copied, experts, &whole, &peak);
        assert_memory_equal(have, want, whole.bytes);
        assert_true(peak < whole.bytes + (33 << 20));
        free(have);
    }
    free(want);
    free(data);
}

/* A string of `len` bytes. */
static void add_long(const char *key, uint64_t len)
{
    uint8_t *text = malloc(8 + len);
    assert_non_null(text);
    memcpy(text, &len, sizeof len);
    for (size_t i = 0; i < len; i++) {
        text[8 + i] = (uint8_t)('a' + i % 23);
    }
    gb_raw(&file, key, 8, text, 8 + (size_t)len);
    free(text);
}

/* The copy of the header grows within the first long string, after it, within the second one, and
 * in the tensor table after that. */
static void make_file(void)
{
    static const char *const strings[] = {"between", "", "long ones"};
    tiny_gguf(&file, true, NULL);
    add_long("extra.long", 3 << 19);
    gb_strings(&file, "extra.strings", strings, 3);
    add_long("extra.longer", 5 << 20);
    header = gb_finish(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_limit),      cmocka_unit_test(test_header_once),
        cmocka_unit_test(test_header_changes),    cmocka_unit_test(test_failing_reads),
        cmocka_unit_test(test_failing_allocator), cmocka_unit_test(test_places),
        cmocka_unit_test(test_shrinking),         cmocka_unit_test(test_large_expert),
    };
    make_file();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gb_free(&file);
    lft_end();
    return failed;
}
