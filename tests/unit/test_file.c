/* SPDX-License-Identifier: Apache-2.0 */
/* Maps, the bounded reader, and the writer of files that appear complete or not at all. */
#include "support/models.h"

#include "common/file.h"
#include "common/index.h"
#include "common/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static lf_alloc heap;

static int setup(void **state)
{
    (void)state;
    heap = lf_alloc_default();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void refused(const char *path, const char *code)
{
    lf_file file = {.size = 7};
    assert_int_equal(lf_file_open(&heap, path, &file), LFM2_E_IO);
    assert_string_equal(lf_fail_code(), code);
    assert_non_null(strstr(lf_fail_text(), path));
    assert_int_equal(file.size, 7); /* unchanged */
}

/* ---- Maps ---- */

static void test_open(void **state)
{
    (void)state;
    const char *path = lft_temp("a");
    write_file(path, "hello");
    lf_file file;
    LFT_OK(lf_file_open(&heap, path, &file));
    assert_int_equal(file.size, 5);
    assert_memory_equal(file.data, "hello", 5);
    assert_string_equal(file.path, path);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(file.mtime_ns / 1000000000u, st.st_mtim.tv_sec);
    lf_file_close(&file);
    lf_file_close(&file); /* harmless */
}

static void test_open_empty(void **state)
{
    (void)state;
    lf_file file;
    write_file(lft_temp("empty"), "");
    LFT_OK(lf_file_open(&heap, lft_temp("empty"), &file));
    assert_int_equal(file.size, 0);
    assert_null(file.data);
    lf_file_huge_pages(&file);
    lf_file_drop(&file, 0, 1);
    lf_file_close(&file);
}

static void test_open_refused(void **state)
{
    (void)state;
    refused(lft_temp("missing"), "io.open");
    refused("/", "io.directory");
    refused("/dev/null", "io.not_regular");
    refused("/dev/zero", "io.not_regular");
    refused("", "io.open");
    const char *fifo = lft_temp("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refused(fifo, "io.not_regular"); /* does not wait for a writer */
    const char *loop = lft_temp("loop");
    assert_int_equal(symlink(loop, loop), 0);
    refused(loop, "io.open");
}

/* Dropped pages are read again with the same content. */
static void test_advice(void **state)
{
    (void)state;
    enum { BYTES = 40000 };
    char *text = malloc(BYTES + 1);
    assert_non_null(text);
    memset(text, 'x', BYTES);
    text[BYTES] = '\0';
    text[12345] = 'y';
    write_file(lft_temp("big"), text);
    lf_file file;
    LFT_OK(lf_file_open(&heap, lft_temp("big"), &file));
    lf_file_huge_pages(&file);
    assert_memory_equal(file.data, text, BYTES);
    const uint64_t ranges[][2] = {
        {0, BYTES}, {1, 5},          {4096, 4096}, {5000, 20000},   {39999, 1},
        {40000, 1}, {UINT64_MAX, 1}, {0, 0},       {1, UINT64_MAX}, {39000, UINT64_MAX}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        lf_file_drop(&file, ranges[i][0], ranges[i][1]);
        assert_memory_equal(file.data, text, BYTES);
    }
    lf_file_close(&file);
    free(text);
}

/* ---- Reader ---- */

static void test_reader(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xFF};
    lf_reader r = {.data = data, .size = sizeof data, .file = "f", .code = "f.truncated"};
    uint8_t a = 0;
    uint16_t b = 0;
    uint32_t c = 0;
    uint64_t d = 0;
    const uint8_t *p = NULL;
    LFT_OK(lf_read_u8(&r, "a", &a));
    LFT_OK(lf_read_u16(&r, "b", &b));
    LFT_OK(lf_read_u32(&r, "c", &c));
    LFT_OK(lf_read_u64(&r, "d", &d));
    assert_int_equal(a, 1);
    assert_int_equal(b, 0x0302);
    assert_int_equal(c, 0x07060504);
    assert_true(d == 0x0F0E0D0C0B0A0908u);
    LFT_OK(lf_read_bytes(&r, "e", 0, &p));
    LFT_FAILS(lf_read_u16(&r, "key", &b), LFM2_E_FORMAT);
    assert_string_equal(lf_fail_code(), "f.truncated");
    assert_string_equal(lf_fail_text(), "f: key: offset 0xf: needs 2 bytes, the file has 1 more");
    LFT_FAILS(lf_read_bytes(&r, "e", UINT64_MAX, &p), LFM2_E_FORMAT);
    assert_int_equal(r.pos, 15); /* a failure does not move the position */
    LFT_OK(lf_read_bytes(&r, "e", 1, &p));
    assert_int_equal(*p, 0xFF);
    LFT_FAILS(lf_read_u8(&r, "e", &a), LFM2_E_FORMAT);
}

/* ---- Writer ---- */

/* Files in the temporary folder. */
static int count_files(void)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s", lft_temp("x"));
    *strrchr(folder, '/') = '\0';
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int n = 0;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        n += e->d_name[0] != '.';
    }
    closedir(dir);
    return n;
}

static void expect_content(const char *path, const char *text)
{
    size_t n = 0;
    char *got = lft_read_file(path, &n);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(got, text, n);
    free(got);
}

static void test_write(void **state)
{
    (void)state;
    const char *path = lft_temp("out");
    lf_writer *w = NULL;
    LFT_OK(lf_writer_create(&heap, path, 0, &w));
    LFT_OK(lf_writer_write(w, "abc", 3));
    LFT_OK(lf_writer_zeros(w, 70000));
    enum { BIG = 700000 };
    char *big = malloc(BIG);
    assert_non_null(big);
    for (size_t i = 0; i < BIG; i++) {
        big[i] = (char)(i * 31 % 251);
    }
    LFT_OK(lf_writer_write(w, big, BIG)); /* larger than the buffer */
    LFT_OK(lf_writer_write(w, "", 0));
    LFT_OK(lf_writer_write(w, "z", 1));
    assert_int_equal(lf_writer_offset(w), 70004 + BIG);
    assert_int_not_equal(access(path, F_OK), 0); /* does not exist before the commit */
    LFT_OK(lf_writer_commit(w));
    LFT_FAILS(lf_writer_write(w, "z", 1), LFM2_E_STATE);
    lf_writer_free(w);
    size_t n = 0;
    char *got = lft_read_file(path, &n);
    assert_int_equal(n, 70004 + BIG);
    assert_memory_equal(got, "abc\0\0", 5);
    assert_memory_equal(got + 70003, big, BIG);
    assert_int_equal(got[70003 + BIG], 'z');
    free(got);
    free(big);
    assert_int_equal(count_files(), 1);
}

static void test_write_replaces(void **state)
{
    (void)state;
    const char *path = lft_temp("out");
    write_file(path, "old");
    lf_writer *w = NULL;
    LFT_OK(lf_writer_create(&heap, path, 0, &w));
    LFT_OK(lf_writer_write(w, "new", 3));
    lf_writer_free(w); /* not committed: only the old file remains */
    expect_content(path, "old");
    assert_int_equal(count_files(), 1);
    LFT_OK(lf_writer_create(&heap, path, 0, &w));
    LFT_OK(lf_writer_write(w, "new", 3));
    LFT_OK(lf_writer_commit(w));
    lf_writer_free(w);
    expect_content(path, "new");
    assert_int_equal(count_files(), 1);
    lf_writer_free(NULL);
}

/* Single bytes fill the buffer exactly. */
static void test_write_bytes(void **state)
{
    (void)state;
    enum { BYTES = 600000 };
    const char *path = lft_temp("out");
    lf_writer *w = NULL;
    LFT_OK(lf_writer_create(&heap, path, 0, &w));
    for (size_t i = 0; i < BYTES; i++) {
        uint8_t byte = (uint8_t)(i % 251);
        LFT_OK(lf_writer_write(w, &byte, 1));
    }
    LFT_OK(lf_writer_commit(w));
    lf_writer_free(w);
    size_t n = 0;
    char *got = lft_read_file(path, &n);
    assert_int_equal(n, BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        assert_true((uint8_t)got[i] == i % 251);
    }
    free(got);
}

/* Two writers of one target do not disturb each other; the last to commit wins. */
static void test_write_twice(void **state)
{
    (void)state;
    const char *path = lft_temp("out");
    lf_writer *a = NULL;
    lf_writer *b = NULL;
    LFT_OK(lf_writer_create(&heap, path, 0, &a));
    LFT_OK(lf_writer_create(&heap, path, 0, &b));
    LFT_OK(lf_writer_write(a, "aa", 2));
    LFT_OK(lf_writer_write(b, "b", 1));
    LFT_OK(lf_writer_commit(a));
    expect_content(path, "aa");
    LFT_OK(lf_writer_commit(b));
    expect_content(path, "b");
    lf_writer_free(a);
    lf_writer_free(b);
    assert_int_equal(count_files(), 1);
}

static void test_write_refused(void **state)
{
    (void)state;
    lf_writer *w = NULL;
    char path[600];
    snprintf(path, sizeof path, "%s/missing/out", lft_temp("dir"));
    LFT_FAILS(lf_writer_create(&heap, path, 0, &w), LFM2_E_IO);
    assert_non_null(strstr(lf_fail_text(), path));
    assert_int_equal(mkdir(lft_temp("dir"), 0700), 0);
    LFT_FAILS(lf_writer_create(&heap, lft_temp("dir"), 0, &w), LFM2_E_IO);
    LFT_FAILS(lf_writer_create(&heap, "/dev/null", 0, &w), LFM2_E_IO);
    assert_null(w);
}

/* The target becomes a folder while the file is written: the rename fails. */
static void test_write_displaced(void **state)
{
    (void)state;
    const char *path = lft_temp("out");
    lf_writer *w = NULL;
    LFT_OK(lf_writer_create(&heap, path, 0, &w));
    LFT_OK(lf_writer_write(w, "new", 3));
    assert_int_equal(mkdir(path, 0700), 0);
    LFT_FAILS(lf_writer_commit(w), LFM2_E_IO);
    assert_string_equal(lf_fail_code(), "io.rename");
    assert_non_null(strstr(lf_fail_text(), path));
    LFT_FAILS(lf_writer_commit(w), LFM2_E_IO);
    lf_writer_free(w);
    assert_int_equal(count_files(), 1); /* the folder; the temporary file was removed */
}

/* A limit on file sizes instead of a full disk: write fails in the same way. */
static void test_write_full(void **state)
{
    (void)state;
    const char *path = lft_temp("out");
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 300000, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    lf_writer *w = NULL;
    LFT_OK(lf_writer_create(&heap, path, 0, &w));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int32_t status = LFM2_OK;
    for (int i = 0; i < 100 && status == LFM2_OK; i++) {
        status = lf_writer_zeros(w, 10000);
    }
    bool named = strstr(lf_fail_text(), path) != NULL;
    int32_t again = lf_writer_write(w, "x", 1);
    int32_t commit = lf_writer_commit(w);
    lf_writer_free(w);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, LFM2_E_IO);
    assert_true(named);
    assert_int_equal(again, LFM2_E_IO);
    assert_int_equal(commit, LFM2_E_IO);
    assert_int_equal(count_files(), 0);
}

static void test_memory(void **state)
{
    (void)state;
    write_file(lft_temp("a"), "hello");
    for (long long i = 1; i <= 5; i++) {
        lft_memory memory = {.fail_at = i};
        lf_alloc alloc = {lft_memory_alloc, lft_memory_free, &memory};
        lf_file file;
        int32_t status = lf_file_open(&alloc, lft_temp("a"), &file);
        assert_int_equal(status, i == 1 ? LFM2_E_MEMORY : LFM2_OK);
        if (status == LFM2_OK) {
            lf_file_close(&file);
        }
        memory.calls = 0;
        lf_writer *w = NULL;
        status = lf_writer_create(&alloc, lft_temp("out"), 0, &w);
        assert_int_equal(status, i <= 4 ? LFM2_E_MEMORY : LFM2_OK);
        lf_writer_free(w);
        assert_int_equal(memory.live_blocks, 0);
        assert_false(memory.broken);
    }
    assert_int_equal(count_files(), 1);
}

/* ---- Names in messages and in the index ---- */

static void test_printable(void **state)
{
    (void)state;
    char out[16];
    assert_string_equal(lf_printable(out, 8, "abc", 3), "abc");
    assert_string_equal(lf_printable(out, 8, "12345678", 8), "12345678");
    assert_string_equal(lf_printable(out, 8, "123456789", 9), "12345678...");
    assert_string_equal(lf_printable(out, 8, "1234567\303\251", 9), "1234567...");
    assert_string_equal(lf_printable(out, 8, "a\nb\177\302\205c\377\303", 9), "a?b??c??");
    assert_string_equal(lf_printable(out, 8, "\303\251\342\202\254", 5), "\303\251\342\202\254");
    assert_string_equal(lf_printable(out, 8, "", 0), "");
}

static void test_index(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 400; n = n * 2 + 1) {
        lf_arena arena;
        lf_index index;
        char names[400][8];
        lf_arena_init(&arena, &heap);
        LFT_OK(lf_index_new(&arena, n, &index));
        for (uint32_t i = 0; i < n; i++) {
            snprintf(names[i], sizeof names[i], "n%u", i * 7919 % 1000);
            index.entries[i] =
                (lf_index_entry){.text = names[i], .len = (uint32_t)strlen(names[i]), .id = i};
        }
        const lf_index_entry *duplicate = NULL;
        LFT_OK(lf_index_build(&heap, &index, &duplicate));
        assert_null(duplicate);
        for (uint32_t i = 0; i < n; i++) {
            const lf_index_entry *e = lf_index_find(&index, names[i], strlen(names[i]));
            assert_non_null(e);
            assert_int_equal(e->id, i);
        }
        assert_null(lf_index_find(&index, "n", 1));
        assert_null(lf_index_find(&index, "", 0));
        if (n > 1) {
            index.entries[0].text = index.entries[n - 1].text;
            index.entries[0].len = index.entries[n - 1].len;
            LFT_OK(lf_index_build(&heap, &index, &duplicate));
            assert_non_null(duplicate);
        }
        lf_arena_free(&arena);
    }
}

/* If keys are equal, names are compared. Equal entries keep their order. */
static void test_sort(void **state)
{
    (void)state;
    enum { N = 1000 };
    static lf_index_entry e[N];
    static lf_index_entry scratch[N];
    uint64_t random = 1;
    for (uint32_t i = 0; i < N; i++) {
        e[i] = (lf_index_entry){.key = lft_random(&random) % 50, .text = "", .id = i};
    }
    lf_index_sort(e, scratch, N);
    for (uint32_t i = 1; i < N; i++) {
        assert_true(e[i - 1].key < e[i].key || (e[i - 1].key == e[i].key && e[i - 1].id < e[i].id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_advice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_replaces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_displaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_printable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sort, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
