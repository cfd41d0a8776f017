/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target without a fuzzing engine: over every file of its corpus, and over mutations of
 * them drawn from a fixed seed, so that any compiler and any test run gets some of the benefit.
 *
 *   fuzz_NAME [--mutate N] [--seed S] FILE-OR-FOLDER...
 *
 * An input that kills the program is left in the current folder as crash-fuzz_NAME. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Present in programs built with a sanitizer. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

enum { MAX_INPUT = 1 << 22, MAX_FILES = 4096, PATH_BYTES = 4096 };

static struct {
    const uint8_t *data;
    size_t size;
    uint64_t runs, random;
    unsigned long mutations;
    char crash_file[256];
    char *files[MAX_FILES];
    size_t n_files;
} replay;

/* ---- An input that kills the program ---- */

static void save_input(void)
{
    int fd = open(replay.crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0) {
        ssize_t written = replay.size > 0 ? write(fd, replay.data, replay.size) : 0;
        static const char text[] = "replay: the input that did it is in ";
        if (written == (ssize_t)replay.size && write(2, text, sizeof text - 1) > 0 &&
            write(2, replay.crash_file, strlen(replay.crash_file)) > 0) {
            written = write(2, "\n", 1);
        }
        close(fd);
    }
}

static void on_signal(int number)
{
    save_input();
    signal(number, SIG_DFL);
    raise(number);
}

/* ---- Running ---- */

static uint64_t next_random(void)
{
    /* xorshift64* */
    replay.random ^= replay.random >> 12;
    replay.random ^= replay.random << 25;
    replay.random ^= replay.random >> 27;
    return replay.random * UINT64_C(2685821657736338717);
}

static size_t below(size_t n)
{
    return n == 0 ? 0 : (size_t)(next_random() % n);
}

/* Runs one input from a buffer of exactly its size, so that a read past the end is seen. */
static void run_input(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        fprintf(stderr, "replay: out of memory\n");
        exit(2);
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    replay.data = copy;
    replay.size = size;
    LLVMFuzzerTestOneInput(copy, size);
    replay.runs++;
    replay.data = NULL;
    replay.size = 0;
    free(copy);
}

/* One change to buffer[0..size), which has room for MAX_INPUT bytes; returns the new size. */
static size_t mutate(uint8_t *buffer, size_t size)
{
    static const uint64_t interesting[] = {
        0,          1,          0x7f,       0x80,      0xff,       0x7fff,     0x8000, 0xffff,
        0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX, 1ull << 62, 32};
    size_t at = below(size), run = 1 + below(16);
    switch (below(7)) {
    case 0: /* one bit */
        if (size > 0) {
            buffer[at] = (uint8_t)(buffer[at] ^ (1u << below(8)));
        }
        return size;
    case 1: /* one byte */
        if (size > 0) {
            buffer[at] = (uint8_t)next_random();
        }
        return size;
    case 2: { /* a telling number, little-endian, 1 to 8 bytes */
        uint64_t value = interesting[below(sizeof interesting / sizeof interesting[0])];
        size_t bytes = (size_t)1 << below(4);
        for (size_t i = 0; i < bytes && at + i < size; i++) {
            buffer[at + i] = (uint8_t)(value >> (8 * i));
        }
        return size;
    }
    case 3: /* cut off */
        return at;
    case 4: /* remove a run */
        if (size - at > run) {
            memmove(buffer + at, buffer + at + run, size - at - run);
            return size - run;
        }
        return size;
    case 5: /* repeat a run */
        if (size > 0 && size + run <= MAX_INPUT && at + run <= size) {
            memmove(buffer + at + run, buffer + at, size - at);
            return size + run;
        }
        return size;
    default: /* copy a run elsewhere */
        if (size > run) {
            memmove(buffer + below(size - run), buffer + below(size - run), run);
        }
        return size;
    }
}

static void run_mutations(const uint8_t *data, size_t size, uint8_t *buffer)
{
    for (unsigned long i = 0; i < replay.mutations; i++) {
        if (size > 0) {
            memcpy(buffer, data, size);
        }
        size_t new_size = size;
        for (size_t changes = 1 + below(4); changes > 0; changes--) {
            new_size = mutate(buffer, new_size);
        }
        run_input(buffer, new_size);
    }
}

/* ---- Corpus ---- */

static int add_file(const char *path)
{
    if (replay.n_files == MAX_FILES) {
        fprintf(stderr, "replay: more than %d files\n", MAX_FILES);
        return -1;
    }
    char *copy = malloc(strlen(path) + 1);
    if (copy == NULL) {
        return -1;
    }
    memcpy(copy, path, strlen(path) + 1);
    replay.files[replay.n_files++] = copy;
    return 0;
}

static int add_path(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(info.st_mode)) {
        return add_file(path);
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return -1;
    }
    int status = 0;
    for (struct dirent *entry; status == 0 && (entry = readdir(folder)) != NULL;) {
        char name[PATH_BYTES];
        int n = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && n > 0 && n < PATH_BYTES) {
            status = add_file(name);
        }
    }
    closedir(folder);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int run_file(const char *path, uint8_t *input, uint8_t *buffer)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return -1;
    }
    size_t size = fread(input, 1, MAX_INPUT, file);
    bool whole = ferror(file) == 0 && fgetc(file) == EOF;
    fclose(file);
    if (!whole) {
        fprintf(stderr, "replay: %s: unreadable, or larger than %d bytes\n", path, MAX_INPUT);
        return -1;
    }
    run_input(input, size);
    run_mutations(input, size, buffer);
    return 0;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    snprintf(replay.crash_file, sizeof replay.crash_file, "crash-%s",
             slash != NULL ? slash + 1 : argv[0]);
    uint64_t seed = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--mutate") == 0 && i + 1 < argc) {
            replay.mutations = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);
        } else if (add_path(argv[i]) != 0) {
            return 2;
        }
    }
    replay.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(save_input);
    } else {
        signal(SIGSEGV, on_signal);
        signal(SIGBUS, on_signal);
        signal(SIGFPE, on_signal);
    }
    signal(SIGABRT, on_signal);

    uint8_t *input = malloc(MAX_INPUT), *buffer = malloc(MAX_INPUT);
    int status = input != NULL && buffer != NULL ? 0 : 2;
    if (status == 0) {
        qsort(replay.files, replay.n_files, sizeof replay.files[0], by_name);
        run_input(input, 0);
        run_mutations(input, 0, buffer);
    }
    for (size_t i = 0; i < replay.n_files; i++) {
        if (status == 0 && run_file(replay.files[i], input, buffer) != 0) {
            status = 2;
        }
        free(replay.files[i]);
    }
    free(input);
    free(buffer);
    printf("replay: %zu files, %lu mutations each, seed %llu: %llu inputs\n", replay.n_files,
           replay.mutations, (unsigned long long)seed, (unsigned long long)replay.runs);
    return status;
}
