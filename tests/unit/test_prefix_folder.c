/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a prefix cache: sessions that start from its files have the bits of sessions that
 * computed all tokens, whatever happens to the files, also when processes that share the folder are
 * killed. */
#include "support/sessions.h"

#include "common/os.h"
#include "run/prefix_folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { N = 150 };

static const int32_t kv_types[] = {LFM2_KV_F16, LFM2_KV_F32, LFM2_KV_Q8};

static lfm2_model *model;
static int32_t *ids;
static char folder[256];

static lfm2_cache *open_cache(uint64_t disk_bytes)
{
    lfm2_cache_options o;
    lfm2_cache_options_init(&o, sizeof o);
    o.ram_bytes = UINT64_MAX;
    o.folder = folder;
    o.disk_bytes = disk_bytes;
    lfm2_cache *cache = NULL;
    LFT_OK(lfm2_cache_create(model, &o, &cache));
    return cache;
}

/* ---- Files ---- */

typedef struct files {
    uint32_t n;
    char first[LF_FOLDER_PATH]; /* the path of one */
} files;

static int32_t note_file(void *user, const char *name)
{
    files *f = user;
    if (f->n++ == 0) {
        snprintf(f->first, sizeof f->first, "%s/%s", folder, name);
    }
    return LFM2_OK;
}

static files list_files(void)
{
    files f = {0};
    assert_int_equal(lf_os_list(folder, 1000, note_file, &f), LFM2_OK);
    return f;
}

static int32_t delete_file(void *user, const char *name)
{
    (void)user;
    char path[LF_FOLDER_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
    return LFM2_OK;
}

static void empty_folder(void)
{
    assert_int_equal(lf_os_list(folder, 1000, delete_file, NULL), LFM2_OK);
}

static void write_file(const char *path, const char *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Sets the time of a file's last use, in seconds before now. */
static void set_age(const char *path, long seconds)
{
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Saves the first n tokens of `tokens`. */
static void save_tokens(lfm2_cache *cache, int32_t kv, const int32_t *tokens, uint32_t n)
{
    lfm2_session *s = lft_session(model, n, 0, kv);
    LFT_OK(lfm2_session_prefill(s, tokens, n));
    LFT_OK(lfm2_cache_save(cache, s));
    lfm2_session_free(s);
}

/* How many tokens a session reuses; all logits are compared. */
static uint32_t reused(lfm2_cache *cache, int32_t kv, const int32_t *tokens, uint32_t n)
{
    lfm2_session *s = lft_session(model, n, 0, kv);
    uint32_t r = lft_start_cached(cache, s, model, kv, tokens, n);
    lfm2_session_free(s);
    return r;
}

/* ---- Reading ---- */

static void check_reading(int32_t kv)
{
    int32_t *other = lft_ids(N + 20, lft_vocab(model), 77);
    memcpy(other, ids, 100 * sizeof *ids);
    lfm2_cache *cache = open_cache(0);
    assert_int_equal(reused(cache, kv, ids, N), 0);
    save_tokens(cache, kv, ids, N);
    assert_int_equal(lft_cache_usage(cache).files, 1);
    lfm2_cache_free(cache);
    struct stat st;
    assert_int_equal(stat(list_files().first, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (int reserve = 0; reserve < 2; reserve++) {
        static const struct {
            uint32_t n, reused;
        } cases[] = {{N, N}, {N + 20, N}, {N - 1, N - 2}, {110, 109}, {65, 64}};
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            cache = open_cache(0);
            uint32_t n = cases[i].n;
            lfm2_session *s =
                reserve ? lft_reserved(model, n, 0, kv) : lft_session(model, n, 0, kv);
            assert_int_equal(lft_start_cached(cache, s, model, kv, ids, n), cases[i].reused);
            lfm2_session_free(s);
            assert_int_equal(lft_cache_usage(cache).files_read, 1);
            assert_true((lft_cache_usage(cache).pages > 0) == (reserve == 0));
            lfm2_cache_free(cache);
        }
    }
    cache = open_cache(0);
    assert_int_equal(reused(cache, kv, other, N), 100);
    assert_int_equal(reused(cache, kv, other, N), 100); /* from memory */
    assert_int_equal(lft_cache_usage(cache).files_read, 1);
    assert_int_equal(reused(cache, kv, ids, 60), 59);         /* the same */
    assert_int_equal(reused(cache, (kv + 1) % 3, ids, N), 0); /* another KV type */
    assert_int_equal(lft_cache_usage(cache).files_read, 1);
    /* The session itself finds nothing better than its tokens in memory. */
    LFT_OK(lfm2_cache_clear(cache));
    assert_int_equal(reused(cache, kv, ids, N), N);
    assert_int_equal(lft_cache_usage(cache).files_read, 2);
    /* No memory for pages: as if there were no file. */
    LFT_OK(lfm2_cache_clear(cache));
    LFT_OK(lfm2_model_set_kv_budget(model, 1));
    lfm2_session *s = lft_session(model, N, 0, kv);
    uint32_t r = 1;
    LFT_OK(lfm2_cache_start(cache, s, ids, N, &r));
    assert_int_equal(r, 0);
    lfm2_session_free(s);
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    lfm2_cache_free(cache);
    empty_folder();
    free(other);
}

static void test_reading(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        check_reading(kv_types[i]);
    }
    assert_int_equal(lft_kv_usage(model).used, 0);
}

/* A file that contains a longer one's beginning is deleted; what a file has is not saved again. */
static void test_beginnings(void **state)
{
    (void)state;
    lfm2_cache *cache = open_cache(0);
    save_tokens(cache, LFM2_KV_F16, ids, 63); /* too short */
    assert_int_equal(list_files().n, 0);
    save_tokens(cache, LFM2_KV_F16, ids, 64);
    save_tokens(cache, LFM2_KV_Q8, ids, 64);
    assert_int_equal(list_files().n, 2);
    save_tokens(cache, LFM2_KV_F16, ids, 70);
    assert_int_equal(list_files().n, 2);
    lfm2_cache *second = open_cache(0); /* another process */
    save_tokens(second, LFM2_KV_F16, ids, 140);
    save_tokens(cache, LFM2_KV_F16, ids, 140);
    save_tokens(cache, LFM2_KV_F16, ids, 128);
    assert_int_equal(list_files().n, 2);
    assert_int_equal(lft_cache_usage(second).files, 2);
    assert_int_equal(reused(cache, LFM2_KV_F16, ids, N), 140);
    assert_int_equal(reused(cache, LFM2_KV_Q8, ids, N), 64);
    int32_t branch[N];
    memcpy(branch, ids, sizeof branch);
    branch[120] = ids[120] == 0;
    save_tokens(cache, LFM2_KV_F16, branch, N);
    assert_int_equal(list_files().n, 3);
    lfm2_cache_free(second);
    lfm2_cache_free(cache);
    empty_folder();
}

static void test_budget(void **state)
{
    (void)state;
    lfm2_cache *cache = open_cache(UINT64_MAX);
    char paths[3][LF_FOLDER_PATH];
    int32_t tokens[3][N];
    struct stat st;
    for (int i = 0; i < 3; i++) {
        memcpy(tokens[i], ids, sizeof tokens[i]);
        tokens[i][0] = i;
        lfm2_cache *one = open_cache(0);
        empty_folder();
        save_tokens(one, LFM2_KV_F16, tokens[i], N);
        strcpy(paths[i], list_files().first);
        lfm2_cache_free(one);
    }
    empty_folder();
    for (int i = 0; i < 3; i++) {
        save_tokens(cache, LFM2_KV_F16, tokens[i], N);
        set_age(paths[i], 100 - i);
    }
    assert_int_equal(stat(paths[0], &st), 0);
    uint64_t size = (uint64_t)st.st_size;
    assert_int_equal(lft_cache_usage(cache).disk_bytes, 3 * size);
    assert_int_equal(reused(cache, LFM2_KV_F16, tokens[0], N), N); /* now the newest */
    LFT_OK(lfm2_cache_set_budget(cache, 0, 3 * size - 1));
    assert_int_equal(access(paths[0], F_OK), 0);
    assert_int_equal(access(paths[1], F_OK), -1);
    assert_int_equal(access(paths[2], F_OK), 0);
    save_tokens(cache, LFM2_KV_F16, tokens[1], N);
    assert_int_equal(access(paths[2], F_OK), -1);
    assert_int_equal(access(paths[1], F_OK), 0);
    assert_int_equal(lft_cache_usage(cache).files_evicted, 2);
    assert_int_equal(lft_cache_usage(cache).files, 2);
    assert_int_equal(lft_cache_usage(cache).disk_bytes, 2 * size);
    assert_int_equal(lft_cache_usage(cache).disk_budget, 3 * size - 1);
    LFT_OK(lfm2_cache_set_budget(cache, 0, size - 1));
    assert_int_equal(list_files().n, 0);
    save_tokens(cache, LFM2_KV_F16, tokens[1], N); /* larger than the budget */
    assert_int_equal(list_files().n, 0);
    lfm2_cache_free(cache);
}

/* Many files: more than one listing is needed to delete the oldest. */
static void test_many(void **state)
{
    (void)state;
    enum { FILES = 200 };
    uint64_t scope_of[FILES];
    for (int i = 0; i < FILES; i++) {
        char path[LF_FOLDER_PATH];
        const lf_disk_name name = {5, (uint64_t)i * 7919 % FILES, (uint64_t)i % 3};
        lf_folder_path(folder, &name, path);
        scope_of[name.hash] = name.scope;
        write_file(path, "0123456789", 10);
        set_age(path, 1000 - (long)name.hash);
    }
    lfm2_cache *cache = open_cache(95);
    assert_int_equal(list_files().n, 9);
    assert_int_equal(lft_cache_usage(cache).files, 9);
    assert_int_equal(lft_cache_usage(cache).files_evicted, FILES - 9);
    for (uint64_t i = FILES - 9; i < FILES; i++) {
        char path[LF_FOLDER_PATH];
        lf_folder_path(folder, &(lf_disk_name){5, i, scope_of[i]}, path);
        assert_int_equal(access(path, F_OK), 0);
    }
    lfm2_cache_free(cache);
    empty_folder();
}

/* ---- Damage ---- */

static void test_damaged(void **state)
{
    (void)state;
    lfm2_cache *cache = open_cache(0);
    save_tokens(cache, LFM2_KV_Q8, ids, N);
    files f = list_files();
    size_t size = 0;
    char *good = lft_read_file(f.first, &size);
    uint64_t seed = 3, bad = 0;
    int tries = lft_sampled() ? 30 : 150;
    for (int i = 0; i < tries; i++) {
        char *data = malloc(size + 1);
        assert_non_null(data);
        memcpy(data, good, size);
        size_t n = size;
        size_t at = (size_t)(lft_random(&seed) % (i % 3 == 0 ? 900 : size));
        if (i % 5 == 0) {
            n = at;
        } else if (i % 7 == 0) {
            n = size + 1;
        } else {
            data[at] ^= (char)(1 << i % 8);
        }
        write_file(f.first, data, n);
        free(data);
        lfm2_cache *fresh = open_cache(0);
        uint32_t r = reused(fresh, LFM2_KV_Q8, ids, N);
        bad += lft_cache_usage(fresh).files_bad;
        assert_true(r == 0 || r == N);
        assert_int_equal(list_files().n, r == 0 ? 0 : 1);
        assert_int_equal(lft_cache_usage(fresh).files_bad, r == 0 ? 1 : 0);
        lfm2_cache_free(fresh);
    }
    assert_int_equal(bad, tries); /* every byte counts */
    /* A file of other tokens under this name, and one of another model. */
    write_file(f.first, good, size);
    char other[LF_FOLDER_PATH];
    snprintf(other, sizeof other, "%s", f.first);
    char *digit = strrchr(other, '-') + 1;
    *digit = *digit == '0' ? '1' : '0';
    assert_int_equal(rename(f.first, other), 0);
    assert_int_equal(reused(cache, LFM2_KV_Q8, ids, N), 0);
    assert_int_equal(lft_cache_usage(cache).files_bad, 1);
    assert_int_equal(list_files().n, 0);
    lfm2_cache_free(cache);
    free(good);
}

static void test_foreign(void **state)
{
    (void)state;
    lfm2_cache *cache = open_cache(0);
    save_tokens(cache, LFM2_KV_F16, ids, N);
    char name[LF_FOLDER_PATH];
    strcpy(name, list_files().first);
    lfm2_model *ours = model;
    model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    int32_t *tokens = lft_ids(N, lft_vocab(model), 1);
    lfm2_cache *foreign = open_cache(0);
    assert_int_equal(reused(foreign, LFM2_KV_F16, tokens, N), 0);
    assert_int_equal(unlink(name), 0);
    save_tokens(foreign, LFM2_KV_F16, tokens, N);
    assert_int_equal(rename(list_files().first, name), 0);
    assert_int_equal(reused(foreign, LFM2_KV_F16, tokens, 64 + 9), 0);
    assert_int_equal(lft_cache_usage(foreign).files_bad, 0); /* not one of its names */
    lfm2_cache_free(foreign);
    lfm2_model_free(model);
    free(tokens);
    model = ours;
    lfm2_cache_free(cache);
    cache = open_cache(0);
    assert_int_equal(reused(cache, LFM2_KV_F16, ids, N), 0);
    assert_int_equal(lft_cache_usage(cache).files_bad, 1);
    assert_int_equal(list_files().n, 0);
    /* Other names are ignored and stay. */
    char path[LF_FOLDER_PATH];
    static const char *const names[] = {"notes", "0123456789abcdef-0123456789ABCDEF.lfm2kv",
                                        "0123456789abcdef-0123456789abcdef.lfm2kv.tmp-1-0"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        write_file(path, "abc", 3);
    }
    LFT_OK(lfm2_cache_set_budget(cache, 0, 1));
    assert_int_equal(list_files().n, 3);
    set_age(path, 3600); /* an abandoned temporary file */
    LFT_OK(lfm2_cache_set_budget(cache, 0, 1));
    assert_int_equal(list_files().n, 2);
    lfm2_cache_free(cache);
    empty_folder();
}

/* ---- Refused ---- */

static void test_refused(void **state)
{
    (void)state;
    lfm2_cache_options o;
    lfm2_cache_options_init(&o, sizeof o);
    lfm2_cache *cache = NULL;
    o.folder = folder;
    static const mode_t modes[] = {0777, 0770, 0702};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(chmod(folder, modes[i]), 0);
        LFT_FAILS(lfm2_cache_create(model, &o, &cache), LFM2_E_ARGUMENT);
        assert_string_equal(lfm2_last_error_code(), "cache.folder_mode");
    }
    assert_int_equal(chmod(folder, 0755), 0);
    LFT_OK(lfm2_cache_create(model, &o, &cache));
    lfm2_cache_free(cache);
    assert_int_equal(chmod(folder, 0700), 0);
    char path[LF_FOLDER_PATH];
    snprintf(path, sizeof path, "%s/a/b", folder);
    o.folder = path;
    LFT_FAILS(lfm2_cache_create(model, &o, &cache), LFM2_E_IO);
    snprintf(path, sizeof path, "%s/a", folder);
    write_file(path, "abc", 3);
    LFT_FAILS(lfm2_cache_create(model, &o, &cache), LFM2_E_ARGUMENT);
    assert_int_equal(unlink(path), 0);
    o.folder = NULL;
    LFT_OK(lfm2_cache_create(model, &o, &cache));
    lfm2_session *s = lft_session(model, N, 0, LFM2_KV_F16);
    LFT_FAILS(lfm2_cache_save(cache, s), LFM2_E_STATE);
    LFT_FAILS(lfm2_cache_save(NULL, s), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_save(cache, NULL), LFM2_E_ARGUMENT);
    lfm2_session_free(s);
    lfm2_cache_free(cache);
}

/* The disk is full in the middle of the file; then the folder is gone. */
static void test_full(void **state)
{
    (void)state;
    lfm2_cache *cache = open_cache(0);
    lfm2_session *s = lft_session(model, N, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(s, ids, N));
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {30000, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    lft_mark_error();
    int32_t status = lfm2_cache_save(cache, s);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    lft_expect(status, LFM2_E_IO, "save");
    assert_int_equal(list_files().n, 0);
    assert_int_equal(rmdir(folder), 0);
    LFT_FAILS(lfm2_cache_save(cache, s), LFM2_E_IO);
    assert_int_equal(reused(cache, LFM2_KV_F16, ids, N), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    LFT_OK(lfm2_cache_save(cache, s));
    lfm2_session_free(s);
    assert_int_equal(reused(cache, LFM2_KV_F16, ids, N), N);
    lfm2_cache_free(cache);
    empty_folder();
}

/* ---- Processes ---- */

enum { PROMPTS = 6 };

static lfm2_session *prompts[PROMPTS];
static int32_t prompt_ids[PROMPTS][N];
static float *prompt_logits[PROMPTS];

/* In a child: saves prompts and starts from them until it is killed. Exits with 1 if a logit
 * differs. */
static void use_folder(uint64_t seed)
{
    size_t vocab = lft_vocab(model);
    for (;;) {
        lfm2_cache_options o;
        lfm2_cache_options_init(&o, sizeof o);
        o.folder = folder;
        o.disk_bytes = 1 + lft_random(&seed) % 4 * 300000;
        lfm2_cache *cache = NULL;
        int32_t status = lfm2_cache_create(model, &o, &cache);
        for (int i = 0; i < 10 && status == LFM2_OK; i++) {
            uint32_t which = (uint32_t)(lft_random(&seed) % PROMPTS);
            uint32_t n = 1 + (uint32_t)(lft_random(&seed) % N);
            lfm2_session *s = NULL;
            const float *logits = NULL;
            uint32_t r = 0;
            status = lfm2_cache_save(cache, prompts[which]);
            status = status == LFM2_OK ? lfm2_session_create(model, NULL, &s) : status;
            status =
                status == LFM2_OK ? lfm2_cache_start(cache, s, prompt_ids[which], n, &r) : status;
            if (status == LFM2_OK && r < n) {
                status = lfm2_session_prefill(s, prompt_ids[which] + r, n - r);
            }
            status = status == LFM2_OK ? lfm2_session_logits(s, &logits, NULL) : status;
            if (status != LFM2_OK || memcmp(logits, prompt_logits[which] + (n - 1) * vocab,
                                            vocab * sizeof *logits) != 0) {
                _exit(1);
            }
            lfm2_session_free(s);
            lfm2_cache_usage usage = {.size = sizeof usage};
            if (lfm2_cache_get_usage(cache, &usage) != LFM2_OK || usage.files_bad > 0) {
                _exit(2); /* no process ever sees a part of a file */
            }
        }
        lfm2_cache_free(cache);
        if (status != LFM2_OK) {
            _exit(3);
        }
    }
}

static void test_killed(void **state)
{
    (void)state;
    const char *text = getenv("LFM2_TEST_KILLS");
    int kills = text != NULL ? atoi(text) : 40;
    uint64_t seed = 5;
    for (int i = 0; i < PROMPTS; i++) {
        int32_t *other = lft_ids(N, lft_vocab(model), 50 + (uint64_t)i);
        memcpy(prompt_ids[i], ids, (size_t)(i * 25) * sizeof *ids);
        memcpy(prompt_ids[i] + i * 25, other, (size_t)(N - i * 25) * sizeof *ids);
        free(other);
        prompt_logits[i] = lft_fresh(model, LFM2_KV_F16, prompt_ids[i], N);
        prompts[i] = lft_session(model, N, 0, LFM2_KV_F16);
        LFT_OK(lfm2_session_prefill(prompts[i], prompt_ids[i], N));
    }
    pid_t children[2] = {0, 0};
    for (int i = 0; i < kills; i++) {
        for (int c = 0; c < 2; c++) {
            if (children[c] == 0) {
                children[c] = fork();
                assert_true(children[c] >= 0);
                if (children[c] == 0) {
                    alarm(600);
                    use_folder(seed + (uint64_t)c);
                }
            }
        }
        const struct timespec pause = {0, (long)(lft_random(&seed) % 30000000)};
        nanosleep(&pause, NULL);
        int status = 0;
        pid_t child = children[i % 2];
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status)) {
            fail_msg("kill %d: the child ended with %d", i, WEXITSTATUS(status));
        }
        children[i % 2] = 0;
    }
    for (int c = 0; c < 2; c++) {
        if (children[c] != 0) {
            kill(children[c], SIGKILL);
            waitpid(children[c], NULL, 0);
        }
    }
    lfm2_cache *cache = open_cache(0);
    for (int i = 0; i < PROMPTS; i++) {
        reused(cache, LFM2_KV_F16, prompt_ids[i], N);
        free(prompt_logits[i]);
        lfm2_session_free(prompts[i]);
    }
    assert_int_equal(lft_cache_usage(cache).files_bad, 0);
    lfm2_cache_free(cache);
    empty_folder();
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    ids = lft_ids(N + 20, lft_vocab(model), 1);
    snprintf(folder, sizeof folder, "%s", lft_temp("cache"));
    lfm2_cache_free(open_cache(0)); /* creates it */
    struct stat st;
    return stat(folder, &st) == 0 && (st.st_mode & 0777) == 0700 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    rmdir(folder);
    free(ids);
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading), cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_budget),  cmocka_unit_test(test_many),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_full),
        cmocka_unit_test(test_killed),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
