/* SPDX-License-Identifier: Apache-2.0 */
/* Saving sessions to files, pipes and full disks, and restoring them: what appears, what is
 * refused, and processes that are killed while they save.
 * link-wrap: fsync */
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONG = 300, SHORT = 70 };

static lfm2_model *model;
static lfm2_session *sessions[2]; /* with LONG and SHORT tokens */
static const uint32_t lengths[2] = {LONG, SHORT};
static uint8_t *bytes[2]; /* saved */
static size_t sizes[2];

int __wrap_fsync(int fd);
int __real_fsync(int fd);
static int n_syncs;

int __wrap_fsync(int fd)
{
    n_syncs++;
    return __real_fsync(fd);
}

/* The session is the saved one of this number. */
static void expect(const lfm2_session *session, int which)
{
    uint8_t *again = malloc(sizes[which]);
    size_t n = 0;
    assert_non_null(again);
    LFT_OK(lfm2_session_save_memory(session, 0, again, sizes[which], &n));
    assert_int_equal(n, sizes[which]);
    assert_memory_equal(again, bytes[which], n);
    free(again);
}

static uint64_t used(void)
{
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    return usage.used;
}

static void restore_from(const char *path, int which)
{
    lfm2_session *session = NULL;
    LFT_OK(lfm2_session_restore(model, path, NULL, &session));
    expect(session, which);
    lfm2_session_free(session);
}

static void refuse(const char *path, int32_t status, const char *code)
{
    uint64_t before = used();
    lfm2_session *session = NULL;
    lft_expect(lfm2_session_restore(model, path, NULL, &session), status, path);
    assert_string_equal(lfm2_last_error_code(), code);
    assert_non_null(strstr(lfm2_last_error(), path));
    assert_null(session);
    assert_int_equal(used(), before);
}

static void write_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Files in the folder of `path` whose names begin like its name; removes all but `path`. */
static int count_files(const char *path)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s", path);
    char *name = strrchr(folder, '/');
    *name++ = '\0';
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int n = 0;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strncmp(e->d_name, name, strlen(name)) == 0) {
            n++;
            if (strcmp(e->d_name, name) != 0) {
                assert_int_equal(unlinkat(dirfd(dir), e->d_name, 0), 0);
            }
        }
    }
    closedir(dir);
    return n;
}

/* ---- Files ---- */

static void test_file(void **state)
{
    (void)state;
    const char *path = lft_temp("session");
    struct stat st;
    mode_t mask = umask(0);
    for (int i = 0; i < 4; i++) {
        if (i == 2) {
            write_file(path, "old", 3);
            assert_int_equal(chmod(path, 0666), 0);
        }
        n_syncs = 0;
        LFT_OK(lfm2_session_save(sessions[i % 2], path, i < 2 ? 0 : LFM2_SAVE_NO_SYNC));
        assert_int_equal(n_syncs, i < 2 ? 2 : 0); /* the file and its folder */
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(st.st_size, sizes[i % 2]);
        restore_from(path, i % 2);
        assert_int_equal(count_files(path), 1);
    }
    umask(mask);
    size_t n = 0;
    char *file = lft_read_file(path, &n);
    assert_true(n == sizes[1] && memcmp(file, bytes[1], n) == 0);
    free(file);
    lfm2_session *session = NULL; /* the file is not needed any more */
    LFT_OK(lfm2_session_restore(model, path, NULL, &session));
    assert_int_equal(truncate(path, 0), 0);
    expect(session, 1);
    lfm2_session_free(session);
    refuse(path, LFM2_E_FORMAT, "session_file.truncated");
    assert_int_equal(unlink(path), 0);
}

static void test_file_refused(void **state)
{
    (void)state;
    const char *path = lft_temp("session");
    refuse(path, LFM2_E_IO, "io.open");
    write_file(path, bytes[0], 127);
    refuse(path, LFM2_E_FORMAT, "session_file.truncated");
    write_file(path, bytes[0], sizes[0] - 1);
    LFT_OK(lfm2_model_set_kv_budget(model, 1)); /* refused before memory is taken */
    refuse(path, LFM2_E_FORMAT, "session_file.truncated");
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    uint8_t *longer = calloc(1, sizes[0] + 1);
    assert_non_null(longer);
    memcpy(longer, bytes[0], sizes[0]);
    write_file(path, longer, sizes[0] + 1);
    refuse(path, LFM2_E_FORMAT, "session_file.size");
    longer[sizes[0] - 9] ^= 1; /* the last byte of the last page */
    write_file(path, longer, sizes[0]);
    refuse(path, LFM2_E_FORMAT, "session_file.checksum");
    free(longer);
    refuse(lft_tiny("q4_0"), LFM2_E_FORMAT, "session_file.magic");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse(path, LFM2_E_IO, "io.not_regular");
    LFT_FAILS(lfm2_session_save(sessions[0], path, 0), LFM2_E_IO);
    assert_int_equal(unlink(path), 0);
    LFT_FAILS(lfm2_session_save(sessions[0], "", 0), LFM2_E_IO);
    LFT_FAILS(lfm2_session_save(sessions[0], "/missing/session", 0), LFM2_E_IO);
    LFT_FAILS(lfm2_session_save(sessions[0], "/dev/null", 0), LFM2_E_IO);
}

/* A limit on file sizes instead of a full disk: the file that exists stays. */
static void test_full(void **state)
{
    (void)state;
    const char *path = lft_temp("session");
    LFT_OK(lfm2_session_save(sessions[1], path, LFM2_SAVE_NO_SYNC));
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t limit = 0; limit < sizes[0]; limit += 1 + sizes[0] / 7) {
        const struct rlimit small = {.rlim_cur = limit, .rlim_max = old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int32_t status = lfm2_session_save(sessions[0], path, 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, LFM2_E_IO);
        assert_int_equal(count_files(path), 1);
        restore_from(path, 1);
    }
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(unlink(path), 0);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full >= 0) {
        LFT_FAILS(lfm2_session_save_fd(sessions[0], full, 0), LFM2_E_IO);
        assert_non_null(strstr(lfm2_last_error(), "<fd "));
        close(full);
    }
}

/* ---- Descriptors ---- */

/* Sessions one after another in a file, with other bytes around them. */
static void test_fd(void **state)
{
    (void)state;
    const char *path = lft_temp("many");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    LFT_OK(lfm2_session_save_fd(sessions[0], fd, 0));
    LFT_OK(lfm2_session_save_fd(sessions[1], fd, 0));
    assert_int_equal(write(fd, "z", 1), 1);
    assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
    for (int i = 0; i < 2; i++) {
        lfm2_session *session = NULL;
        LFT_OK(lfm2_session_restore_fd(model, fd, NULL, &session));
        expect(session, i);
        lfm2_session_free(session);
    }
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 3 + sizes[0] + sizes[1]);
    lfm2_session *session = NULL;
    LFT_FAILS(lfm2_session_restore_fd(model, fd, NULL, &session), LFM2_E_FORMAT);
    assert_int_equal(lseek(fd, 1 << 30, SEEK_SET), 1 << 30); /* beyond the end */
    LFT_FAILS(lfm2_session_restore_fd(model, fd, NULL, &session), LFM2_E_FORMAT);
    assert_int_equal(ftruncate(fd, (off_t)(3 + sizes[0] - 1)), 0);
    assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
    uint64_t before = used();
    LFT_FAILS(lfm2_session_restore_fd(model, fd, NULL, &session), LFM2_E_FORMAT);
    assert_string_equal(lfm2_last_error_code(), "session_file.truncated");
    assert_int_equal(used(), before);
    close(fd);
    LFT_FAILS(lfm2_session_restore_fd(model, fd, NULL, &session), LFM2_E_IO);
    LFT_FAILS(lfm2_session_save_fd(sessions[0], fd, 0), LFM2_E_IO);
    LFT_FAILS(lfm2_session_restore_fd(model, -1, NULL, &session), LFM2_E_IO);
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    LFT_FAILS(lfm2_session_restore_fd(model, folder, NULL, &session), LFM2_E_IO);
    close(folder);
    int only = open(path, O_WRONLY | O_CLOEXEC);
    LFT_FAILS(lfm2_session_restore_fd(model, only, NULL, &session), LFM2_E_IO);
    close(only);
    assert_null(session);
    assert_int_equal(unlink(path), 0);
}

/* Writes bytes to a pipe in pieces, with signals in between. */
typedef struct feed {
    int fd;
    size_t n;
    pthread_t reader;
} feed;

static void on_signal(int number)
{
    (void)number;
}

static void *feed_thread(void *arg)
{
    const feed *f = arg;
    uint64_t seed = 5;
    for (size_t at = 0; at < f->n;) {
        size_t step = 1 + (size_t)(lft_random(&seed) % 20000);
        step = step < f->n - at ? step : f->n - at;
        ssize_t n = write(f->fd, bytes[0] + at, step);
        if (n > 0) {
            at += (size_t)n;
        }
        pthread_kill(f->reader, SIGUSR1);
    }
    close(f->fd);
    return NULL;
}

static void test_pipe_in(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
    struct sigaction old;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    const size_t ends[] = {sizes[0], sizes[0] - 1, 5000, 128, 60, 0};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        feed f = {.fd = fds[1], .n = ends[i], .reader = pthread_self()};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, feed_thread, &f), 0);
        lfm2_session *session = NULL;
        uint64_t before = used();
        int32_t status = lfm2_session_restore_fd(model, fds[0], NULL, &session);
        lft_expect(status, i == 0 ? LFM2_OK : LFM2_E_FORMAT, "from a pipe");
        if (i == 0) {
            expect(session, 0);
            lfm2_session_free(session);
        } else {
            assert_string_equal(lfm2_last_error_code(), "session_file.truncated");
            assert_null(session);
        }
        assert_int_equal(used(), before);
        assert_int_equal(pthread_join(thread, NULL), 0);
        close(fds[0]);
    }
    sigaction(SIGUSR1, &old, NULL);
}

/* Reads a pipe slowly, up to `n` bytes. */
typedef struct drain {
    int fd;
    size_t n, got;
    uint8_t *at;
    pthread_t writer;
} drain;

static void *drain_thread(void *arg)
{
    drain *d = arg;
    while (d->got < d->n) {
        size_t step = d->n - d->got < 30000 ? d->n - d->got : 30000;
        ssize_t n = read(d->fd, d->at + d->got, step);
        if (n <= 0) {
            break;
        }
        d->got += (size_t)n;
        pthread_kill(d->writer, SIGUSR1);
    }
    close(d->fd);
    return NULL;
}

/* Pipes and sockets, read to the end, or closed before: no SIGPIPE ends the process. */
static void test_pipe_out(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = on_signal};
    struct sigaction old;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    uint8_t *got = malloc(sizes[0]);
    assert_non_null(got);
    for (int i = 0; i < 4; i++) {
        int fds[2];
        assert_int_equal(i < 2 ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        drain d = {
            .fd = fds[0], .n = i % 2 == 0 ? sizes[0] : 100, .at = got, .writer = pthread_self()};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, drain_thread, &d), 0);
        lft_mark_error();
        int32_t status = lfm2_session_save_fd(sessions[0], fds[1], 0);
        if (i % 2 == 1) { /* what is in the pipe's buffer was written without an error */
            while (status == LFM2_OK) {
                status = lfm2_session_save_fd(sessions[0], fds[1], 0);
            }
        }
        lft_expect(status, i % 2 == 0 ? LFM2_OK : LFM2_E_IO, "to a pipe");
        close(fds[1]);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_memory_equal(got, bytes[0], d.n);
    }
    free(got);
    sigaction(SIGUSR1, &old, NULL);
    sigset_t pending;
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
    expect(sessions[0], 0);
}

/* A SIGPIPE that was pending before a failing save is still pending. */
static void test_pending_signal(void **state)
{
    (void)state;
    sigset_t set, old, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
    raise(SIGPIPE);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    LFT_FAILS(lfm2_session_save_fd(sessions[0], fds[1], 0), LFM2_E_IO);
    close(fds[1]);
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 1);
    int number = 0;
    assert_int_equal(sigwait(&set, &number), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
}

/* ---- Killed processes ---- */

/* Saves the two sessions in turn until it is killed. Nothing is computed, so the child of a fork
 * may do that. */
static void save_forever(const char *path, bool sync)
{
    for (int i = 0;; i++) {
        if (lfm2_session_save(sessions[i % 2], path, sync ? 0 : LFM2_SAVE_NO_SYNC) != LFM2_OK) {
            _exit(1);
        }
    }
}

/* The file is always one of the two sessions. LFM2_TEST_KILLS is the number of processes that are
 * killed. */
static void test_killed(void **state)
{
    (void)state;
    const char *text = getenv("LFM2_TEST_KILLS");
    int kills = text != NULL ? atoi(text) : 40;
    const char *path = lft_temp("session");
    uint64_t seed = (uint64_t)time(NULL);
    print_message("%d kills, seed %llu\n", kills, (unsigned long long)seed);
    int found[2] = {0, 0};
    int left = 0;
    LFT_OK(lfm2_session_save(sessions[0], path, 0));
    for (int i = 0; i < kills; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            save_forever(path, i % 4 == 0);
        }
        const struct timespec wait = {.tv_nsec = (long)(lft_random(&seed) % 8000000)};
        nanosleep(&wait, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        lfm2_session *session = NULL;
        LFT_OK(lfm2_session_restore(model, path, NULL, &session));
        int which = lfm2_session_length(session) == lengths[0] ? 0 : 1;
        expect(session, which);
        lfm2_session_free(session);
        found[which]++;
        left += count_files(path) - 1;
    }
    print_message("%d times the long session, %d the short one; %d temporary files\n", found[0],
                  found[1], left);
    assert_true(kills < 40 || left > 0); /* some were killed while they wrote */
    assert_int_equal(unlink(path), 0);
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    int32_t *ids = lft_ids(LONG, lft_vocab(model), 1);
    for (int i = 0; i < 2; i++) {
        sessions[i] = lft_session(model, LONG, 0, LFM2_KV_F32);
        LFT_OK(lfm2_session_prefill(sessions[i], ids, lengths[i]));
        LFT_FAILS(lfm2_session_save_memory(sessions[i], 0, NULL, 0, &sizes[i]), LFM2_E_BUFFER);
        bytes[i] = malloc(sizes[i]);
        assert_non_null(bytes[i]);
        LFT_OK(lfm2_session_save_memory(sessions[i], 0, bytes[i], sizes[i], &sizes[i]));
        print_message("%zu bytes\n", sizes[i]);
    }
    free(ids);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        lfm2_session_free(sessions[i]);
        free(bytes[i]);
    }
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),           cmocka_unit_test(test_file_refused),
        cmocka_unit_test(test_full),           cmocka_unit_test(test_fd),
        cmocka_unit_test(test_pipe_in),        cmocka_unit_test(test_pipe_out),
        cmocka_unit_test(test_pending_signal), cmocka_unit_test(test_killed),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
