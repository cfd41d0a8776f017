/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target without a fuzzing engine, so that any compiler can build it: over every file
 * of its corpus, and over mutations of them that depend only on the seed.
 *
 *   fuzz_NAME [--mutate N] [--seed S] [--past-syntax P] [--codes] FILE-OR-FOLDER...
 *
 * N mutations in all (a few more, because every file gets some), made by the target's mutator if it
 * has one. At least P percent of them must pass the checks of syntax. --codes lists the
 * errors. An input that kills the program, or takes a minute, is written to the current folder
 * as crash-fuzz_NAME. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"

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

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
    __attribute__((weak));
/* Present in programs built with a sanitizer. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

enum { MAX_INPUT = 1 << 22, MAX_FILES = 4096, PATH_BYTES = 4096, MOST_SECONDS = 60 };

typedef struct input_file {
    char *path;
    uint8_t *data;
    size_t size;
    uint64_t weight; /* relative number of mutations */
} input_file;

static struct {
    const uint8_t *data;
    size_t size;
    uint64_t runs, empty, random;
    char crash_file[256];
    input_file files[MAX_FILES];
    size_t n_files;
    fuzz_counts corpus; /* before the first mutation */
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

/* Runs one input from a buffer of exactly its size, so that sanitizers detect reads past the end.
 */
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
    alarm(MOST_SECONDS);
    LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    replay.runs++;
    replay.empty += size == 0;
    replay.data = NULL;
    replay.size = 0;
    free(copy);
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    size_t at = below(size);
    size_t n = 1 + below(16);
    if (size == 0) {
        if (max_size > 0) {
            data[0] = (uint8_t)next_random();
        }
        return max_size > 0 ? 1 : 0;
    }
    switch (below(7)) {
    case 0: /* one bit */
        data[at] = (uint8_t)(data[at] ^ (1u << below(8)));
        return size;
    case 1: /* one byte */
        data[at] = (uint8_t)next_random();
        return size;
    case 2: { /* a boundary value, little-endian, 1 to 8 bytes */
        uint64_t value = fuzz_integer(&replay.random, 0);
        size_t bytes = (size_t)1 << below(4);
        fuzz_put(data + at, value, bytes < size - at ? bytes : size - at);
        return size;
    }
    case 3: /* truncate */
        return at > 0 ? at : size;
    case 4: /* remove some bytes */
        if (size - at > n) {
            memmove(data + at, data + at + n, size - at - n);
            return size - n;
        }
        return size;
    case 5: /* repeat some bytes */
        if (n <= max_size - size && n <= size - at) {
            memmove(data + at + n, data + at, size - at);
            return size + n;
        }
        return size;
    default:            /* copy some bytes elsewhere */
        if (size > n) { /* fixes the order of the two calls */
            size_t to = below(size - n);
            size_t from = below(size - n);
            memmove(data + to, data + from, n);
        }
        return size;
    }
}

/* Changes buffer[0..size) a few times, or once by a mutator that makes several changes itself. */
static size_t mutate(uint8_t *buffer, size_t size)
{
    if (LLVMFuzzerCustomMutator != NULL) {
        /* the input may grow by a long string and a long name */
        size_t most = size + (1 << 18) < MAX_INPUT ? size + (1 << 18) : MAX_INPUT;
        return LLVMFuzzerCustomMutator(buffer, size, most, (unsigned)next_random());
    }
    for (size_t changes = 1 + below(4); changes > 0; changes--) {
        size = LLVMFuzzerMutate(buffer, size, MAX_INPUT);
    }
    return size;
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
    replay.files[replay.n_files++].path = copy;
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
    return strcmp(((const input_file *)a)->path, ((const input_file *)b)->path);
}

static int read_file(input_file *f)
{
    FILE *file = fopen(f->path, "rb");
    if (file == NULL) {
        fprintf(stderr, "replay: %s: %s\n", f->path, strerror(errno));
        return 2;
    }
    f->data = malloc(MAX_INPUT);
    f->size = f->data != NULL ? fread(f->data, 1, MAX_INPUT, file) : 0;
    bool whole = f->data != NULL && ferror(file) == 0 && fgetc(file) == EOF;
    fclose(file);
    if (!whole) {
        fprintf(stderr, "replay: %s: unreadable, or larger than %d bytes\n", f->path, MAX_INPUT);
        return 2;
    }
    uint8_t *fitted = realloc(f->data, f->size > 0 ? f->size : 1);
    f->data = fitted != NULL ? fitted : f->data;
    return 0;
}

/* Runs an unchanged file. A file with wrong syntax gets few mutations, which would be wrong, too.
 */
static void run_file(input_file *f)
{
    enum { FEW = 1, MANY = 16 };
    uint64_t before = fuzz_counted()->syntax;
    run_input(f->data, f->size);
    f->weight = fuzz_counted()->syntax > before ? FEW : MANY;
}

static void run_mutations(const input_file *f, unsigned long n)
{
    static uint8_t buffer[MAX_INPUT];
    for (unsigned long i = 0; i < n; i++) {
        memcpy(buffer, f->data, f->size);
        run_input(buffer, mutate(buffer, f->size));
    }
}

static int run_files(unsigned long mutations)
{
    int status = 0;
    uint64_t weights = 0;
    qsort(replay.files, replay.n_files, sizeof replay.files[0], by_name);
    run_input((const uint8_t *)"", 0);
    for (size_t i = 0; i < replay.n_files && status == 0; i++) {
        status = read_file(&replay.files[i]);
        if (status == 0) {
            run_file(&replay.files[i]);
            weights += replay.files[i].weight;
        }
    }
    replay.corpus = *fuzz_counted();
    for (size_t i = 0; i < replay.n_files && status == 0; i++) {
        const input_file *f = &replay.files[i];
        run_mutations(f, (unsigned long)((mutations * f->weight + weights - 1) / weights));
    }
    for (size_t i = 0; i < replay.n_files; i++) {
        free(replay.files[i].path);
        free(replay.files[i].data);
    }
    return status;
}

/* ---- How far inputs get ---- */

static int report(unsigned long past_syntax, bool codes)
{
    const fuzz_counts *c = fuzz_counted();
    uint64_t accepted = c->accepted - replay.corpus.accepted;
    uint64_t syntax = c->syntax - replay.corpus.syntax;
    uint64_t all = accepted + c->refused - replay.corpus.refused;
    uint64_t past = all - syntax;
    if (all > 0) {
        printf(
            "replay: of the mutations %llu were accepted, %llu refused after the checks of syntax, "
            "%llu refused by them: %llu %% passed them\n",
            (unsigned long long)accepted, (unsigned long long)(past - accepted),
            (unsigned long long)syntax, (unsigned long long)(past * 100 / all));
    }
    for (size_t i = 0; codes && i < c->n_codes; i++) {
        printf("%8llu %s\n", (unsigned long long)c->codes[i].n, c->codes[i].code);
    }
    if (past * 100 < past_syntax * all || (past_syntax > 0 && accepted == 0)) {
        fprintf(stderr,
                "replay: at least %lu %% must pass the checks of syntax, and some be accepted\n",
                past_syntax);
        return 1;
    }
    return 0;
}

static void catch_deaths(void)
{
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(save_input);
    } else {
        signal(SIGSEGV, on_signal);
        signal(SIGBUS, on_signal);
        signal(SIGFPE, on_signal);
    }
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    snprintf(replay.crash_file, sizeof replay.crash_file, "crash-%s",
             slash != NULL ? slash + 1 : argv[0]);
    uint64_t seed = 1;
    unsigned long mutations = 0;
    unsigned long past_syntax = 0;
    bool codes = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--mutate") == 0 && i + 1 < argc) {
            mutations = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--past-syntax") == 0 && i + 1 < argc) {
            past_syntax = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--codes") == 0) {
            codes = true;
        } else if (add_path(argv[i]) != 0) {
            return 2;
        }
    }
    replay.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    catch_deaths();
    int status = run_files(mutations);
    printf("replay: %zu files, %lu mutations, seed %llu: %llu inputs, %llu of them empty\n",
           replay.n_files, mutations, (unsigned long long)seed, (unsigned long long)replay.runs,
           (unsigned long long)replay.empty);
    int far = report(past_syntax, codes);
    return status != 0 ? status : far;
}
