/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets share: what became of an input, a bound on memory, a folder for files. */
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
    } codes[FUZZ_MAX_CODES]; /* lfm2_last_error_code of the refused */
} fuzz_counts;

const fuzz_counts *fuzz_counted(void);

/* Notes a status. `syntax` lists the error codes of the container, up to a NULL: an input whose
 * code begins with one of them did not reach the checks of meaning. */
void fuzz_count(int32_t status, const char *const *syntax);

/* The lists for the two containers. */
extern const char *const fuzz_gguf_syntax[];
extern const char *const fuzz_folder_syntax[];

/* ---- Memory: what an input makes the library hold is bounded by its size ---- */

/* An allocator that ends the program when more is held than the limit. fuzz_memory_begin sets it
 * for an input; fuzz_memory_end checks that the library gave back all it took since. */
lf_alloc fuzz_memory(void);
void fuzz_memory_begin(size_t input_size);
void fuzz_memory_end(void);

/* A runtime of one thread with this allocator; lives to the end. `kernels`: LFM2_KERNELS_*. */
lfm2_runtime *fuzz_runtime(int32_t kernels);

/* ---- Files ---- */

/* "FOLDER/NAME" in a folder of this process in memory, if the system has one; removed at exit with
 * all that was named. At most 16 names; valid to the end. */
const char *fuzz_file(const char *name);
void fuzz_write(const char *path, const void *data, size_t size);

/* ---- Models ---- */

/* What later code relies on: limits, token kinds and ids, tensors apart from each other inside the
 * files. */
void fuzz_check_source(const lf_source *source);

/* Runs a model that was accepted: a few tokens at once and one by one, which must agree bit for
 * bit, a sampled text, a text there and back. `choice` varies how. */
void fuzz_use_model(lfm2_model *model, uint32_t choice);

#endif /* LF_TESTS_FUZZ_TARGET_H */
