/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfm2_tools: making model files, and measuring kernels and machines.
 *
 * The program uses these functions; an application needs lfm2.h alone. The rules of lfm2.h hold
 * here, too, but for one: this header has no stable ABI. Its functions have a symbol version of
 * their own, LFM2_TOOLS_ and the library's version, and a program that uses them must be built
 * again for each minor version.
 */
#ifndef LFM2_TOOLS_H
#define LFM2_TOOLS_H

#include "lfm2.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Making model files ------------------------------------------------------------------- */

enum { LFM2_CONVERT_REQUANTIZE = 1 /* change the type of weights that are quantised already */ };

typedef struct lfm2_convert_options {
    size_t size;
    /* "q4_0" (default), "q4_k_m", "q4_k_s", "q5_k_m", "q5_k_s", "q6_k", "q8_0", "f16", "bf16" or
     * "f32" */
    const char *type;
    int32_t (*progress)(void *user, double done);
    void *progress_user;
    uint32_t flags; /* LFM2_CONVERT_*; default 0 */
    uint32_t reserved;
} lfm2_convert_options;

LFM2_API void lfm2_convert_options_init(lfm2_convert_options *options, size_t size);

/* Reads a GGUF file or Hugging Face folder, writes a GGUF file with weights of options->type (which
 * tensor gets which type as llama.cpp's plain quantisation does it). The output appears complete or
 * not at all. Weights that are F32, F16 or BF16 take any type. Quantised ones stay as they are or
 * become F32; another type would round them a second time and is UNSUPPORTED, with the code
 * "convert.requantize", unless options->flags has LFM2_CONVERT_REQUANTIZE. Errors: ARGUMENT (also
 * when the output is one of the inputs), MEMORY, IO, FORMAT, UNSUPPORTED, STOPPED, STATE (in the
 * child of a fork). */
LFM2_API int32_t lfm2_quantize(lfm2_runtime *runtime, const char *in_path, const char *out_path,
                               const lfm2_convert_options *options);

/* Writes a valid model of the named shape ("lfm2-8b-a1b", "lfm2-24b-a2b", "lfm2-350m",
 * "lfm2-1.2b", "tiny") with seeded random weights and a working tokenizer. Errors: ARGUMENT,
 * MEMORY, IO, STOPPED, STATE (in the child of a fork). */
LFM2_API int32_t lfm2_synthesize(lfm2_runtime *runtime, const char *shape, uint64_t seed,
                                 const char *out_path, const lfm2_convert_options *options);

/* ---- Kernels: what this machine would run, and how fast ----------------------------------- */

/* The three measurements below keep their turn of the runtime's threads from beginning to end, so
 * other calls wait that long. */

typedef struct lfm2_kernel_info {
    size_t size;
    const char *name;     /* e.g. "i8b32_f32_q4_gemm_12x16c4__avx512vnni"; static storage */
    const char *provider; /* "scalar", "lfm2", "xnnpack" */
    const char *isa;      /* "scalar", "avx2", "avx512vnni", ... */
    const char *weights;  /* panel format */
    const char *activations;
    uint32_t mr, nr;      /* most rows, and columns, of one tile */
    uint32_t available;   /* 1: this runtime's CPU can run it */
    uint32_t chosen;      /* 1: this runtime uses it for its panel format */
} lfm2_kernel_info;

/* Matrix kernel `index`; LFM2_E_ARGUMENT past the last one. */
LFM2_API int32_t lfm2_kernel_get(const lfm2_runtime *runtime, uint32_t index,
                                 lfm2_kernel_info *info);

/* Runs matrix kernel `index` on m rows, k x n weights streamed from a pool of pool_bytes, on all
 * threads for about `seconds` (0 to 3600); gives 2*m*n*k operations a second and weight bytes read
 * a second.
 * Errors: ARGUMENT (no such kernel here; sizes; k not a multiple of 64), UNSUPPORTED (k does not
 * fit the kernel's format: the K formats take multiples of 256), MEMORY. */
LFM2_API int32_t lfm2_kernel_bench(lfm2_runtime *runtime, uint32_t index, uint32_t m, uint32_t n,
                                   uint32_t k, uint64_t pool_bytes, double seconds, double *ops,
                                   double *bytes);

/* How kernels prefetch weights. No result depends on it. */
enum {
    LFM2_PREFETCH_CPU = 0,   /* chosen by the CPU's vendor and generation: the default */
    LFM2_PREFETCH_L2_L1 = 1, /* into the second level cache first, from there into the first */
    LFM2_PREFETCH_L1 = 2,    /* into the first level cache only: AMD with AVX2 */
    LFM2_PREFETCH_L2 = 3     /* with few rows into the second level only: AMD with AVX-512 */
};

/* Sets it for measurements. Call it while nothing else uses the runtime. Errors: ARGUMENT. */
LFM2_API int32_t lfm2_runtime_set_prefetch(lfm2_runtime *runtime, int32_t prefetch);

/* The limits of this machine, for this runtime's instruction sets, against which speed is to be
 * seen. Weights that fit the caches can be read faster. */
typedef struct lfm2_machine {
    size_t size;
    double read_bytes;    /* bytes a second that all threads together load from memory */
    double int8_ops;      /* int8 multiplications and additions a second of all threads, by the
                             instructions that the kernels use, in registers */
    const char *read_isa; /* widest loads, e.g. "avx512"; static storage */
    const char *int8_isa; /* e.g. "avx512vnni"; static storage */
    int32_t n_threads;
    uint32_t reserved;    /* 0 */
} lfm2_machine;

/* Measures both within about `seconds` (0 to 60), plus some tenths of a second for 512 MiB of
 * memory, which are freed afterwards: reading as the mean of passes over that memory, after a pass
 * for each of some prefetch distances has found the best; products as the best of many short
 * pieces. At least eight passes and one piece are run. Other work on the machine lowers the
 * results. Errors: ARGUMENT, MEMORY. */
LFM2_API int32_t lfm2_machine_bench(lfm2_runtime *runtime, double seconds, lfm2_machine *out);

/* Bytes a second that all threads of the model's runtime together load of its packed weights, where
 * they lie, measured in the same manner, 512 MiB a pass if the model has that many, each pass from
 * where the one before ended; 0 if there is too little to measure. What fits the caches is read
 * from them; the pages of a mapped pack cache may have to come from the disk first, and may lie in
 * slower memory than new ones do. Errors: ARGUMENT, STATE (not loaded with LFM2_LOAD_FULL),
 * MEMORY. */
LFM2_API int32_t lfm2_model_read_bench(const lfm2_model *model, double seconds,
                                       double *bytes_per_second);

#ifdef __cplusplus
}
#endif

#endif /* LFM2_TOOLS_H */
