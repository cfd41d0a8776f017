/* SPDX-License-Identifier: Apache-2.0 */
/* Models, sessions and memory for tests: temporary folders, the golden checkpoints, loading through
 * the public API, an allocator that counts and fails. A failure in a helper fails the test. */
#ifndef LF_TESTS_MODELS_H
#define LF_TESTS_MODELS_H

#include "lfm2_tools.h"

#include <stdatomic.h>
#include <stdbool.h>

/* ---- Files ---- */

/* The first call creates a temporary folder of this process; lft_end removes it with all its
 * files. Returns "<folder>/<name>", valid until lft_end (at most 64 of them). */
const char *lft_temp(const char *name);
void lft_end(void);

/* The content of a file with a 0 added. The caller frees it. */
char *lft_read_file(const char *path, size_t *size);

/* Whether the test should try only some of its cases: the environment contains LFM2_TEST_SAMPLE.
 * tools/check sets it for sanitizers and clang, tests/CMakeLists.txt for emulated processors. */
bool lft_sampled(void);

/* ---- Golden checkpoints: see tests/golden/make_forward.py ---- */

extern const char *const lft_cases[]; /* names, NULL at the end */

typedef struct lft_golden {
    int32_t *ids;
    size_t n_ids, n_vocab;
    float *logits; /* [n_ids][n_vocab] */
} lft_golden;

/* Writes the case's Hugging Face folder and returns its path (valid until lft_end). */
const char *lft_golden_folder(const char *name);
/* The same as a GGUF file with weights of `type`. */
const char *lft_golden_gguf(const char *name, const char *type);
void lft_golden_read(const char *name, lft_golden *out);
void lft_golden_free(lft_golden *golden);

/* ---- Handles ---- */

/* Fails the test, with the library's message, unless the call returns `expected`. A call that
 * succeeds must not change lfm2_last_error either. */
void lft_mark_error(void);
void lft_expect(int32_t status, int32_t expected, const char *what);
#define LFT_FAILS(call, expected)                                                                  \
    do {                                                                                           \
        lft_mark_error();                                                                          \
        lft_expect((call), (expected), #call);                                                     \
    } while (0)
#define LFT_OK(call) LFT_FAILS(call, LFM2_OK)

/* kernels: LFM2_KERNELS_*; disable: LFM2_CPU_* bits. */
lfm2_runtime *lft_runtime(int32_t n_threads, int32_t kernels, uint32_t disable);
/* The first matrix kernel that this CPU supports. */
uint32_t lft_kernel(const lfm2_runtime *runtime);

/* Path of the synthetic model "tiny" in `type`, created by the first call (seed 1). */
const char *lft_tiny(const char *type);

lfm2_model *lft_load(lfm2_runtime *runtime, const char *path);
lfm2_session *lft_session(lfm2_model *model, uint32_t n_ctx, uint32_t n_chunk, int32_t kv_type);
/* The same with all memory reserved: it has its own workspace, and steps allocate nothing. */
lfm2_session *lft_reserved(lfm2_model *model, uint32_t n_ctx, uint32_t n_chunk, int32_t kv_type);
uint32_t lft_vocab(const lfm2_model *model);

/* A model with its own runtime of n_threads threads. */
lfm2_model *lft_open(const char *path, int32_t n_threads, int32_t kernels, uint32_t disable);

/* n ids below n_vocab, which depend only on the seed. The caller frees them. */
int32_t *lft_ids(size_t n, uint32_t n_vocab, uint64_t seed);

/* ---- Numbers ---- */

/* SplitMix64. */
uint64_t lft_random(uint64_t *state);
double lft_unit(uint64_t *state); /* [0, 1) */

/* Natural logarithm of softmax, in double. */
void lft_log_softmax(const float *logits, size_t n, double *out);

/* Largest |log softmax difference| of n_rows rows; NaN anywhere gives infinity. */
double lft_log_distance(const float *a, const float *b, size_t n_rows, size_t n_vocab);

/* ---- An allocator that counts and fails ---- */

typedef struct lft_memory {
    atomic_llong live_blocks, live_bytes;
    atomic_llong calls;
    atomic_llong fail_at; /* the call (from 1) that fails, with all after it if fail_on; 0: none */
    atomic_bool fail_on;
    atomic_llong limit; /* of live_bytes; 0: none */
    atomic_bool broken; /* a block was freed with another size or alignment, or was damaged */
} lft_memory;

void *lft_memory_alloc(void *memory, size_t bytes, size_t align);
void lft_memory_free(void *memory, void *ptr, size_t bytes, size_t align);

#endif /* LF_TESTS_MODELS_H */
