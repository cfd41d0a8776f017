/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of fuzz targets: counting results, a bound on memory, a folder for files. */
#ifndef LF_TESTS_FUZZ_TARGET_H
#define LF_TESTS_FUZZ_TARGET_H

#include "lfm2.h"

#include "load/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program, as a crash does. */
void fuzz_must(bool condition);

/* ---- How far inputs get: replay_main.c prints it ---- */

enum { FUZZ_MAX_CODES = 256 };

typedef struct fuzz_counts {
    uint64_t accepted, refused, syntax; /* syntax: of those refused */
    size_t n_codes;
    struct {
        const char *code;
        uint64_t n;
    } codes[FUZZ_MAX_CODES]; /* lfm2_last_error_code of refused inputs */
} fuzz_counts;

const fuzz_counts *fuzz_counted(void);

/* Notes a status. `syntax` lists the error codes of the container, up to a NULL: an input whose
 * code begins with one of them did not reach the later checks. */
void fuzz_count(int32_t status, const char *const *syntax);

/* The lists for the two containers. */
extern const char *const fuzz_gguf_syntax[];
extern const char *const fuzz_folder_syntax[];

/* ---- Memory: bounded by the size of the input ---- */

/* An allocator that ends the program when more than the limit is allocated. fuzz_memory_begin sets
 * the limit for an input; fuzz_memory_end checks that all memory allocated since is freed. */
lf_alloc fuzz_memory(void);
void fuzz_memory_begin(size_t input_size);
void fuzz_memory_end(void);

/* Raises the limit of the current input. */
void fuzz_memory_allow(size_t bytes);

/* A runtime of one thread with this allocator, valid until the process ends. `kernels`:
 * LFM2_KERNELS_*. */
lfm2_runtime *fuzz_runtime(int32_t kernels);

/* ---- Files ---- */

/* "FOLDER/NAME" in a folder of this process, in memory if the system has such a file system. Folder
 * and named files are removed at exit. At most 16 names, valid until the process ends. */
const char *fuzz_file(const char *name);
void fuzz_write(const char *path, const void *data, size_t size);

/* ---- Models ---- */

/* Checks what later code relies on: limits, token kinds and ids, tensors inside the files that do
 * not overlap. */
void fuzz_check_source(const lf_source *source);

/* Computes with an accepted model: a few tokens at once and one by one, which must agree bit for
 * bit, a sampled text with and without drafts, a text encoded and decoded. `choice` selects
 * variants. */
void fuzz_use_model(lfm2_model *model, uint32_t choice);

/* Whether n floats have the same bits, or are both NaN: the bits of NaNs are not specified. */
bool fuzz_same(const float *a, const float *b, size_t n);

#endif /* LF_TESTS_FUZZ_TARGET_H */
