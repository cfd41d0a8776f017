/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the helpers of fuzz targets, except those that use models. */
#include "fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fuzz_must(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* ---- Counting ---- */

static fuzz_counts counts;

const char *const fuzz_gguf_syntax[] = {"gguf.magic",         "gguf.big_endian", "gguf.version",
                                        "gguf.truncated",     "gguf.key.count",  "gguf.key.length",
                                        "gguf.key.duplicate", "gguf.key.nested", "gguf.key.type",
                                        "gguf.alignment",     "gguf.tensor.",    NULL};
const char *const fuzz_folder_syntax[] = {"json.",      "safetensors.", "hf.index",
                                          "hf.weights", "io.",          NULL};

const fuzz_counts *fuzz_counted(void)
{
    return &counts;
}

void fuzz_count(int32_t status, const char *const *syntax)
{
    if (status == LFM2_OK) {
        counts.accepted++;
        return;
    }
    const char *code = lfm2_last_error_code();
    counts.refused++;
    for (size_t i = 0; syntax[i] != NULL; i++) {
        if (strncmp(code, syntax[i], strlen(syntax[i])) == 0) {
            counts.syntax++;
            break;
        }
    }
    size_t i = 0;
    while (i < counts.n_codes && strcmp(counts.codes[i].code, code) != 0) {
        i++;
    }
    if (i < FUZZ_MAX_CODES) {
        counts.codes[i].code = code; /* static storage */
        counts.codes[i].n++;
        counts.n_codes += i == counts.n_codes;
    }
}

/* ---- Memory ---- */

static struct {
    size_t held, before, limit;
} memory = {.limit = SIZE_MAX};

static void *take(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (bytes > memory.limit - memory.held) {
        fprintf(stderr, "fuzz: an allocation of %zu bytes in addition to %zu; the limit is %zu\n",
                bytes, memory.held, memory.limit);
        abort();
    }
    void *p = NULL;
    if (posix_memalign(&p, align, bytes > 0 ? bytes : 1) != 0) {
        return NULL;
    }
    memset(p, 0xA5, bytes);
    memory.held += bytes;
    return p;
}

static void give(void *user, void *p, size_t bytes, size_t align)
{
    (void)user;
    (void)align;
    if (p != NULL) {
        memory.held -= bytes;
        free(p);
    }
}

lf_alloc fuzz_memory(void)
{
    return (lf_alloc){.alloc = take, .free = give};
}

/* A JSON value of two bytes is a node of about 80, panels are padded to 16 columns, quants of four
 * bits may become f32; the constant is for tables of fixed size. */
enum { MEMORY_FACTOR = 96, MEMORY_BASE = 4 << 20 };

void fuzz_memory_begin(size_t input_size)
{
    memory.before = memory.held;
    memory.limit = memory.held + MEMORY_BASE + input_size * MEMORY_FACTOR;
}

void fuzz_memory_allow(size_t bytes)
{
    memory.limit = bytes < SIZE_MAX - memory.limit ? memory.limit + bytes : SIZE_MAX;
}

void fuzz_memory_end(void)
{
    memory.limit = SIZE_MAX;
    if (memory.held != memory.before) {
        fprintf(stderr, "fuzz: %zu bytes were not freed\n", memory.held - memory.before);
        abort();
    }
}

lfm2_runtime *fuzz_runtime(int32_t kernels)
{
    lfm2_runtime_options options;
    lfm2_runtime_options_init(&options, sizeof options);
    options.n_threads = 1;
    options.kernels = kernels;
    options.alloc = take;
    options.free = give;
    lfm2_runtime *runtime = NULL;
    fuzz_must(lfm2_runtime_create(&options, &runtime) == LFM2_OK);
    return runtime;
}

/* ---- Files ---- */

enum { MAX_NAMES = 16, PATH = 256 };

static char folder[PATH];
static struct {
    char names[MAX_NAMES][PATH + 64];
    size_t n;
} files;

static void remove_files(void)
{
    for (size_t i = 0; i < files.n; i++) {
        unlink(files.names[i]);
    }
    rmdir(folder);
}

const char *fuzz_file(const char *name)
{
    if (files.n == 0) {
        const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(folder, sizeof folder, "%s/lfm2-fuzz-XXXXXX", place);
        fuzz_must(mkdtemp(folder) != NULL);
        atexit(remove_files);
    }
    fuzz_must(files.n < MAX_NAMES);
    char *path = files.names[files.n++];
    snprintf(path, sizeof files.names[0], "%s/%s", folder, name);
    return path;
}

void fuzz_write(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    fuzz_must(f != NULL);
    fuzz_must(size == 0 || fwrite(data, 1, size, f) == size);
    fuzz_must(fclose(f) == 0);
}
