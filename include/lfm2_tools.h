/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfm2_tools: makes model files and measures kernels, machines and models.
 *
 * The program lfm2 uses these functions; an application needs only lfm2.h. The rules of lfm2.h
 * apply with one exception: this ABI is not stable. The functions have their own symbol version,
 * LFM2_TOOLS_0.2, and a program that uses them must be rebuilt for each minor version.
 */
#ifndef LFM2_TOOLS_H
#define LFM2_TOOLS_H

#include "lfm2.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Making model files ------------------------------------------------------------------- */

enum { LFM2_CONVERT_REQUANTIZE = 1 /* let weights that are already quantized change type */ };

typedef struct lfm2_convert_options {
    size_t size;
    /* The preset: "q4_0" (default), "q4_k_m", "q4_k_s", "q5_k_m", "q5_k_s", "q6_k", "q8_0",
     * "q3_k_l", "q3_k_m", "q3_k_s", "q2_k", "iq4_nl", "iq4_xs", "f16", "bf16" or "f32" */
    const char *type;
    /* Called from time to time with the fraction done, 0 to 1; NULL = no calls. */
    int32_t (*progress)(void *user, double done);
    void *progress_user;
    uint32_t flags; /* LFM2_CONVERT_*; default 0 */
    uint32_t reserved;
    /* lfm2_quantize: an importance matrix in llama.cpp's GGUF form; NULL = none. */
    const char *imatrix;
    /* lfm2_quantize: types of tensors, each "REGEX=TYPE"; the first that matches some part of a
     * tensor's name counts. REGEX has ECMAScript syntax without look-ahead and back references; its
     * upper-case letters match as lower-case ones. TYPE is a type of GGUF such as "q6_k" or "f16".
     * Needs a quantized preset, and does not apply to tensors that are F32 in every preset. */
    const char *const *tensor_types;
    size_t n_tensor_types; /* up to 4096 */
} lfm2_convert_options;

LFM2_API void lfm2_convert_options_init(lfm2_convert_options *options, size_t size);

/* Reads a GGUF file or a Hugging Face folder and writes a GGUF file with the preset options->type.
 * Each tensor gets the type that llama-quantize with the same options gives it. The output
 * appears complete or not at all. F32, F16 and BF16 weights can become any type. Quantized weights
 * keep their type or become F32. Any other type would round them a second time; it requires
 * LFM2_CONVERT_REQUANTIZE, else UNSUPPORTED (code "convert.requantize"). Errors: ARGUMENT (also:
 * the output is one of the inputs), MEMORY, IO, FORMAT, UNSUPPORTED, STOPPED, STATE (in the child
 * of a fork). */
LFM2_API int32_t lfm2_quantize(lfm2_runtime *runtime, const char *in_path, const char *out_path,
                               const lfm2_convert_options *options);

/* Writes a valid model with a working tokenizer and random weights from `seed`. `shape` is one of
 * "lfm2-350m", "lfm2-700m", "lfm2-1.2b", "lfm2-2.6b", "lfm2-8b-a1b", "lfm2-24b-a2b", "lfm2.5-230m",
 * "lfm2.5-2.6b", "lfm2.5-8b-a1b" and "tiny". Which layers of lfm2-700m, lfm2-24b-a2b and
 * lfm2.5-230m have attention is inferred. Errors: ARGUMENT, MEMORY, IO, STOPPED, STATE (in the
 * child of a fork). */
LFM2_API int32_t lfm2_synthesize(lfm2_runtime *runtime, const char *shape, uint64_t seed,
                                 const char *out_path, const lfm2_convert_options *options);

typedef struct lfm2_imatrix_options {
    size_t size;
    uint32_t n_ctx;      /* tokens of a chunk, at least 16; default 512 */
    uint32_t n_chunks;   /* chunks that are used, from the start; 0 = all (default) */
    const char *dataset; /* name of the text, which the file stores; NULL (default) = "" */
    /* Called after each chunk with the fraction done, 0 to 1; NULL = no calls. */
    int32_t (*progress)(void *user, double done);
    void *progress_user;
} lfm2_imatrix_options;

LFM2_API void lfm2_imatrix_options_init(lfm2_imatrix_options *options, size_t size);

/* Computes an importance matrix: for each matrix of the layers, and each of its experts, the sums
 * of the squares of its inputs over a text of n_ids tokens, and the number of inputs. Writes it in
 * llama.cpp's GGUF form. Each chunk of n_ctx tokens is a sequence, whose first token is replaced by
 * the model's BOS if it adds one; the rest of the text is not used. Sums are computed in double and
 * in the order of the tokens, so they do not depend on the number of threads. The output appears
 * complete or not at all. *n_done (or NULL) receives the number of chunks. Errors: ARGUMENT (also:
 * fewer than n_ctx tokens, an id outside the vocabulary), STATE (not loaded with LFM2_LOAD_FULL; in
 * the child of a fork), MEMORY, IO, FORMAT (code "imatrix.values": an input is not finite),
 * STOPPED. */
LFM2_API int32_t lfm2_imatrix_compute(lfm2_model *model, const int32_t *ids, size_t n_ids,
                                      const char *out_path, const lfm2_imatrix_options *options,
                                      uint32_t *n_done);

/* ---- Kernels and their speed -------------------------------------------------------------- */

/* Each measurement below is one turn (see lfm2.h): other calls that compute on the runtime wait
 * until it ends. */

typedef struct lfm2_kernel_info {
    size_t size;
    const char *name;     /* e.g. "i8b32_f32_q4_gemm_12x16c4__avx512vnni"; static storage */
    const char *provider; /* "scalar", "lfm2", "xnnpack" */
    const char *isa;      /* "scalar", "avx2", "avx512vnni", ... */
    const char *weights;  /* format of the packed weights */
    const char *activations; /* format of the activations that the kernel reads */
    uint32_t mr, nr;      /* most rows of activations in a call; columns computed together */
    uint32_t available;   /* 1: the CPU supports it and its instruction set is not disabled */
    uint32_t chosen;      /* 1: the runtime uses it for its panel format */
} lfm2_kernel_info;

/* Matrix kernel `index`, from 0. Errors: ARGUMENT (also: `index` is past the last kernel). */
LFM2_API int32_t lfm2_kernel_get(const lfm2_runtime *runtime, uint32_t index,
                                 lfm2_kernel_info *info);

/* Multiplies m rows by k x n weights with matrix kernel `index`, on all threads for about `seconds`
 * (0 to 3600). Successive products use different copies of the weights, which fill pool_bytes bytes
 * of memory. *ops receives operations per second (2 m n k for one product), *bytes the bytes of
 * weights read per second.
 * Errors: ARGUMENT (no such kernel on this CPU; a size is out of range; k is not a multiple of 64),
 * UNSUPPORTED (k does not fit the kernel's format: K formats need a multiple of 256), MEMORY. */
LFM2_API int32_t lfm2_kernel_bench(lfm2_runtime *runtime, uint32_t index, uint32_t m, uint32_t n,
                                   uint32_t k, uint64_t pool_bytes, double seconds, double *ops,
                                   double *bytes);

/* How kernels prefetch weights and KV blocks from memory. It does not affect results. For each
 * format and number of rows a runtime measures during its passes which of a few policies is the
 * fastest on this machine, and uses that policy. */

/* The name of policy `index`, from 0, such as "l2-9k"; NULL past the last one. Static storage. */
LFM2_API const char *lfm2_prefetch_name(uint32_t index);

/* Uses the policy `name` always and measures nothing; NULL or "auto": the policies that are
 * measured (default). Any thread may call it; passes that run at the time may use either. Errors:
 * ARGUMENT (no policy has this name). */
LFM2_API int32_t lfm2_runtime_set_prefetch(lfm2_runtime *runtime, const char *name);

/* What a runtime knows about a policy for a format and a number of rows. */
typedef struct lfm2_prefetch_info {
    size_t size;
    const char *format; /* "q4", "q4k", ... (weights), "kv-f16", ... (KV blocks); static storage */
    const char *policy; /* static storage */
    uint32_t least_rows, most_rows; /* of activations or queries; most_rows 0: no limit */
    uint32_t chosen;      /* 1: in use for this format and these rows */
    uint32_t rounds;      /* in which all these policies were measured once; 0: not measured */
    uint32_t comparisons; /* that are complete; 0: the first one is not */
    uint32_t reserved;    /* 0 */
    double bytes_per_second; /* read by one thread, when this policy was last measured; 0: never */
    double relative_time; /* compared with the fastest policy at that time: 1 and more; 0: never */
} lfm2_prefetch_info;

/* Entry `index`, from 0: for every format and number of rows the policies that this runtime has
 * measured; before that, only the policy in use: that of lfm2_runtime_set_prefetch, or the one that
 * the vendor and the generation of the CPU decide. Other threads may compute meanwhile; each number
 * is then from before or after a measurement, and entries may be added. A call takes some
 * microseconds and waits for nothing. Errors: ARGUMENT (also: `index` is past the last entry). */
LFM2_API int32_t lfm2_prefetch_get(const lfm2_runtime *runtime, uint32_t index,
                                   lfm2_prefetch_info *info);

/* The limits of this machine with the runtime's instruction sets: upper bounds for the speed of a
 * model. Weights that fit the caches can be read faster. */
typedef struct lfm2_machine {
    size_t size;
    double read_bytes;    /* bytes per second that all threads together load from memory */
    double int8_ops;      /* int8 multiplications and additions per second of all threads, on
                             registers, with the instructions that the kernels use */
    const char *read_isa; /* widest loads, such as "avx512"; static storage */
    const char *int8_isa; /* such as "avx512vnni"; static storage */
    int32_t n_threads;
    uint32_t reserved;    /* 0 */
} lfm2_machine;

/* Measures both limits in about `seconds` (0 to 60), plus some tenths of a second to fill 512 MiB
 * of memory, which it frees at the end. One pass over that memory for each of several prefetch
 * distances finds the best distance. read_bytes is the mean of the passes with it, int8_ops is the
 * best of many short measurements. At least eight passes and one measurement of int8_ops run. Other
 * work on the machine lowers the results. Errors: ARGUMENT, MEMORY. */
LFM2_API int32_t lfm2_machine_bench(lfm2_runtime *runtime, double seconds, lfm2_machine *out);

/* Measures the bytes per second at which all threads of the model's runtime together load its
 * packed weights in place. Takes about `seconds` (0 to 60) and measures like lfm2_machine_bench. A
 * pass reads 512 MiB, or all weights if they are fewer, and begins where the previous one ended.
 * The result is 0 if there is too little to measure. Weights that fit the caches are read from
 * them. The pages of a mapped pack cache may have to be read from disk first, and may be in slower
 * memory than new pages. Errors: ARGUMENT, STATE (not loaded with LFM2_LOAD_FULL), MEMORY. */
LFM2_API int32_t lfm2_model_read_bench(const lfm2_model *model, double seconds,
                                       double *bytes_per_second);

/* The bytes of packed weights that the passes of this model have read since it was loaded: each
 * matrix once a pass, of experts those that some token uses. */
LFM2_API int32_t lfm2_model_bytes_read(const lfm2_model *model, uint64_t *bytes);

#ifdef __cplusplus
}
#endif

#endif /* LFM2_TOOLS_H */
