/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfm2: runs Liquid AI's LFM2 language models on CPUs.
 *
 * This header declares what an application needs, in the order of use: version, status, runtime,
 * model, text, session, batch, prefix cache, sampler, constraint, generation, stream, chat, chat
 * parser, engine. Its ABI is stable within 0.2. lfm2_tools.h declares functions that make model
 * files and measure speed; its ABI is not stable.
 *
 * Rules for all functions:
 *  - Status: a function that can fail returns LFM2_OK (0) or one of LFM2_E_* as an int32_t. The
 *    comments list errors without the prefix: "Errors: MEMORY". "(also: ...)" lists causes beyond
 *    the general meaning of the status. Each of these functions can return ARGUMENT. After a
 *    failure, lfm2_last_error() and lfm2_last_error_code() describe it in the same thread; a
 *    successful call does not change them. A failing call leaves its outputs unchanged unless its
 *    comment says otherwise.
 *  - Process: the library never aborts, exits, prints, installs signal handlers or reads the
 *    environment. One thing can still end the process: a mapped file that shrinks (SIGBUS).
 *    Library threads block all signals except those that a thread's own instructions raise
 *    (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT).
 *  - Stack: a call uses at most 64 KiB of the calling thread's stack, plus what callbacks and
 *    signal handlers use.
 *  - Text is UTF-8 with an explicit length in bytes. Paths, names and stop strings are
 *    NUL-terminated. Strings to which the library returns a pointer are NUL-terminated, too.
 *  - Later versions may add statuses, finish reasons, token kinds and log levels. Treat an unknown
 *    status as a failure and an unknown finish reason as the end of the text.
 *  - Option structs begin with `size`. Pass sizeof the struct to the matching _init function: it
 *    clears the struct and sets `size` and the defaults. Then change fields and pass the struct;
 *    NULL means the defaults. Structs grow only at their end, and an added field defaults to 0: a
 *    program built with an older header keeps working. A program built with a newer header may pass
 *    a larger struct; a field that is set but unknown to this library is an ARGUMENT error.
 *  - Result structs begin with `size`, too: set it to sizeof the struct before the call. If the
 *    struct is larger than this library's, the rest is cleared.
 *  - Undefined bits of `flags`, and `reserved` fields other than 0, are ARGUMENT errors.
 *  - Handles may move between threads. Several threads may use one runtime, model, prefix cache,
 *    constraint or engine at once. A session, batch, sampler, matcher, stream, decoder or chat
 *    parser may be used by one thread at a time; lfm2_session_cancel is the exception.
 *  - Every _free function accepts NULL.
 *  - Callbacks other than the allocator and an engine's `notify` run on the thread that called the
 *    library. They must not use the session or stream of that call; they may use everything else.
 *    If a callback returns non-zero, the call ends with LFM2_E_STOPPED. lfm2_session_cancel ends a
 *    call with LFM2_E_CANCELLED.
 *  - No function needs a macro: every language with a C FFI can call all of them.
 *
 * Concurrency: calls that compute on the same runtime take turns, in the order in which they were
 * made. A turn is one pass: a chunk of a prompt or one decoding step. Waiting callers sleep. A
 * runtime with one thread has no turns: its callers compute at the same time. Two sessions on two
 * idle cores then generate up to twice as many tokens per second as one, unless memory bandwidth
 * is the limit.
 *
 * fork: a child process does not have the runtime's threads. In the child every handle may be
 * freed, and functions that need no threads work; functions that compute return LFM2_E_STATE with
 * the code "runtime.forked" at once. This includes a runtime that uses the application's thread
 * pool. A runtime with one thread keeps working in the child, with all sessions but those that
 * another thread was using during the fork. The child may create runtimes.
 *
 * Reproducibility: the logits of a token depend only on the model file, the preceding tokens, the
 * KV type, and whose kernels compute each weight format: this library's or XNNPACK's
 * (lfm2_tools.h lists them). This library's kernels give the same bits on every CPU; choose
 * LFM2_KERNELS_OWN if two kinds of CPU must give the same text. The number of threads, the chunk
 * size and the other tokens of a pass do not affect the logits. The calling thread must have the
 * default floating-point environment: round to nearest, keep subnormals.
 */
#ifndef LFM2_H
#define LFM2_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LFM2_API __attribute__((visibility("default")))
#else
#define LFM2_API
#endif

/* ---- Version ------------------------------------------------------------------------------ */

/* The version of this header. */
#define LFM2_VERSION_MAJOR 0
#define LFM2_VERSION_MINOR 2
#define LFM2_VERSION_PATCH 0
#define LFM2_VERSION_STRING "0.2.0"

/* major * 1000000 + minor * 1000 + patch, as lfm2_version_number() returns it. */
#define LFM2_VERSION_NUMBER 2000

/* The version of the library, such as "0.2.0". The string is static. */
LFM2_API const char *lfm2_version(void);
LFM2_API uint32_t lfm2_version_number(void);

/* ---- Status ------------------------------------------------------------------------------- */

enum {
    LFM2_OK = 0,
    LFM2_E_ARGUMENT = 1,    /* an argument is NULL, out of range or inconsistent */
    LFM2_E_MEMORY = 2,      /* an allocation failed; existing handles stay valid */
    LFM2_E_IO = 3,          /* the system could not open, read, map or write a file */
    LFM2_E_FORMAT = 4,      /* a file is invalid; the message names the file, the key or tensor,
                               and the offset */
    LFM2_E_UNSUPPORTED = 5, /* a valid file or request that this library does not handle */
    LFM2_E_THREAD = 6,      /* the system could not start a thread */
    LFM2_E_LIMIT = 7,       /* the session's context is full, or a documented limit is exceeded */
    LFM2_E_BUFFER = 8,      /* the caller's buffer is too small; the needed size was returned */
    LFM2_E_STOPPED = 9,     /* a callback returned non-zero; not a fault */
    LFM2_E_CANCELLED = 10,  /* lfm2_session_cancel was called; not a fault */
    LFM2_E_TEXT = 11,       /* the caller's JSON is invalid */
    LFM2_E_STATE = 12,      /* the handle is in a state in which the call is not allowed */
    LFM2_E_INTERNAL = 13    /* a bug in the library: please report it */
};

/* The name of a status, such as "LFM2_E_FORMAT"; "LFM2_E_?" for an unknown value. The string is
 * static. */
LFM2_API const char *lfm2_status_name(int32_t status);

/* Describes this thread's last failure in one line of English, for example
 * "model.gguf: tensor 'blk.3.attn_q.weight': offset 0x1234: ends beyond the file".
 * Returns "" before the first failure. The text is valid until this thread's next failure. */
LFM2_API const char *lfm2_last_error(void);

/* A stable name for the cause of this thread's last failure, such as "gguf.tensor.bounds".
 * Returns "" before the first failure. The string is static. */
LFM2_API const char *lfm2_last_error_code(void);

/* ---- Runtime: threads, allocator, log, instruction sets ----------------------------------- */

typedef struct lfm2_runtime lfm2_runtime;

/* Log levels. */
enum { LFM2_LOG_ERROR = 0, LFM2_LOG_WARN = 1, LFM2_LOG_INFO = 2, LFM2_LOG_DEBUG = 3 };

/* Instruction sets. Disabling one also disables those that need it. AVX and GFNI need SSE4.1; AVX2
 * needs AVX; AVX-VNNI and all of AVX-512 need AVX2; DOTPROD needs NEON; I8MM needs DOTPROD. On
 * arm64 the portable C code also contains NEON instructions. LFM2_CPU_ALL includes all bits that
 * later versions of this library define. */
enum {
    LFM2_CPU_AVX2 = 1,       /* with FMA and F16C */
    LFM2_CPU_AVXVNNI = 2,
    LFM2_CPU_AVX512 = 4,     /* F, BW, DQ, VL, CD */
    LFM2_CPU_AVX512VNNI = 8,
    LFM2_CPU_AVX512BF16 = 16,
    LFM2_CPU_GFNI = 32,
    LFM2_CPU_SSE41 = 64,
    LFM2_CPU_AVX = 128,
    LFM2_CPU_NEON = 256,     /* Advanced SIMD of arm64 */
    LFM2_CPU_DOTPROD = 512,  /* int8 dot products of arm64 */
    LFM2_CPU_I8MM = 1024,    /* int8 matrix products of arm64 */
    LFM2_CPU_ALL = 0x7fffffff
};

/* The implementation of the quantized matrix products. */
enum {
    LFM2_KERNELS_AUTO = 0,    /* the fastest for each weight format on this CPU, by a built-in
                                 ranking: measured on x86-64, estimated on arm64 */
    LFM2_KERNELS_SCALAR = 1,  /* portable C only */
    LFM2_KERNELS_OWN = 2,     /* this library's kernels; SCALAR for formats that they lack */
    LFM2_KERNELS_XNNPACK = 3  /* XNNPACK's kernels; OWN for formats that they lack */
};

typedef struct lfm2_runtime_options {
    size_t size;
    int32_t n_threads;    /* threads that compute, including the caller: 1 to 1024; 0 = one for each
                             physical core that this process may use, without efficiency cores,
                             within the CPU quota of its cgroups */
    uint32_t cpu_disable; /* LFM2_CPU_* bits of instruction sets not to use, or LFM2_CPU_ALL */
    int32_t kernels;      /* LFM2_KERNELS_* */
    int32_t log_level;    /* messages above this level are dropped; default LFM2_LOG_WARN */
    /* Allocator; set both functions or neither. It provides all memory except the stacks of threads
     * and one page that detects forks. alloc returns `bytes` bytes aligned to `align` (a power of
     * 2, at most 4096), or NULL. free receives the same `bytes` and `align`, and never NULL. The
     * library may call both from several threads at once. They must not call the library. */
    void *(*alloc)(void *user, size_t bytes, size_t align);
    void (*free)(void *user, void *ptr, size_t bytes, size_t align);
    void *alloc_user;
    /* Receives log messages; NULL = no log. Called only on threads that call the library. */
    void (*log)(void *user, int32_t level, const char *text, size_t len);
    void *log_user;
    /* A pthreadpool_t of the application, which the runtime uses instead of starting threads, or
     * NULL. With a pool, n_threads is ignored. The pool must outlive the runtime and all objects
     * that hold a reference to it. Threads of a pool and their caller spin while they wait, so busy
     * processors slow a pool down far more than they slow the runtime's own threads. */
    void *threadpool;
} lfm2_runtime_options;

LFM2_API void lfm2_runtime_options_init(lfm2_runtime_options *options, size_t size);

/* Detects the CPU, selects kernels and starts n_threads - 1 threads.
 * Between passes the threads spin for some milliseconds before they sleep; they sleep at once if
 * there are more threads than processors. While other programs keep processors busy, fewer threads
 * compute, unless the runtime uses the application's pool or has more threads than processors. If
 * /proc or /sys is missing, the log says at LFM2_LOG_WARN what could not be determined.
 * Models and samplers hold a reference to the runtime, so it may be freed before them.
 * Errors: ARGUMENT, MEMORY, THREAD. */
LFM2_API int32_t lfm2_runtime_create(const lfm2_runtime_options *options, lfm2_runtime **out);

/* Releases the caller's reference. */
LFM2_API void lfm2_runtime_free(lfm2_runtime *runtime);

/* The number of threads, including the caller. */
LFM2_API int32_t lfm2_runtime_threads(const lfm2_runtime *runtime);

/* The LFM2_CPU_* bits in use: detected and not disabled. */
LFM2_API uint32_t lfm2_runtime_cpu(const lfm2_runtime *runtime);

/* ---- Model: loading ----------------------------------------------------------------------- */

/* Immutable and reference-counted. */
typedef struct lfm2_model lfm2_model;

/* What to load. Packing a weight matrix rearranges it into the layout that the kernels read. */
enum {
    LFM2_LOAD_FULL = 0,      /* everything: sessions can be created */
    LFM2_LOAD_TOKENIZER = 1, /* the tokenizer only: no weights are read */
    LFM2_LOAD_INSPECT = 2    /* everything is parsed and checked; weights are not packed */
};

/* How BPE handles a pre-token that is itself in the vocabulary. */
enum {
    LFM2_MERGES_FILE = 0,  /* follow ignore_merges of tokenizer.json; for GGUF files, APPLY */
    LFM2_MERGES_APPLY = 1, /* apply the merges (Hugging Face with ignore_merges false) */
    LFM2_MERGES_IGNORE = 2 /* emit it as one token (llama.cpp) */
};

/* The pack cache is a file with the packed weights; lfm2_model_save_cache writes it. A load with a
 * cache maps it instead of packing the weights, and takes milliseconds. A cache is valid if its
 * size and header are correct, this CPU's kernels read its layout, and the model's files are
 * unchanged (sizes, times, tensor table, samples of the data). Only VERIFY detects damage inside
 * the weights. The checks of model files and caches protect memory, whatever a file holds; they
 * cannot tell wrong weights from right ones. Model files and caches must not shrink while the model
 * exists; with LFM2_MODEL_COPY they may shrink after the load. */
enum {
    LFM2_CACHE_USE = 0,    /* use the cache if it exists and is valid, else pack the weights */
    LFM2_CACHE_OFF = 1,    /* pack the weights */
    LFM2_CACHE_VERIFY = 2, /* like USE, but read the whole cache and compare all checksums; FORMAT
                              if one differs */
    LFM2_CACHE_REQUIRE = 3 /* fail without it: IO if it cannot be read, FORMAT if it is not valid,
                              ARGUMENT if neither the model nor the cache has a path */
};

enum {
    /* Read the files (or the caller's memory, or the cache) into memory of the library instead of
     * using them in place. The model does not depend on them after the load call. A file that
     * shrinks during the call is an IO error that names the offset. */
    LFM2_MODEL_COPY = 1
};

typedef struct lfm2_model_options {
    size_t size;
    int32_t mode;   /* LFM2_LOAD_* */
    int32_t merges; /* LFM2_MERGES_* */
    int32_t cache;  /* LFM2_CACHE_* */
    uint32_t flags; /* LFM2_MODEL_COPY or 0 */
    const char *cache_path; /* NULL = the path of the GGUF file with ".lfm2pack" appended, or
                               model.lfm2pack in a Hugging Face folder; no cache if the model
                               has no path */
    /* Called from time to time with the fraction done, 0 to 1; NULL = no calls. */
    int32_t (*progress)(void *user, double done);
    void *progress_user;
} lfm2_model_options;

LFM2_API void lfm2_model_options_init(lfm2_model_options *options, size_t size);

/*
 * Four functions load a model, from a path, a file descriptor, memory or a callback. They take the
 * same options and give models with the same logits, bit for bit.
 *  - Time: packing reads every weight once. With a pack cache, loading reads the header, at most
 *    128 bytes of each tensor, and the small tensors. LFM2_MODEL_COPY also reads the embedding and
 *    the whole pack cache. If a Hugging Face folder says that the embedding is the output matrix,
 *    but has an output matrix too, every load compares the two.
 *  - Memory: the packed weights, unless they are in a mapped pack cache; while packing, also a
 *    buffer of about 32 MiB. The token embedding is used in place, in the mapped file or the
 *    caller's memory. Three cases need a copy of it: LFM2_MODEL_COPY, lfm2_model_load_reader, and
 *    GGUF data whose address or offset in the file is not a multiple of 8. lfm2_estimate_memory
 *    includes the copy.
 * The header (metadata, vocabulary and tensor table; at most 128 MiB) is copied before it is
 * checked: later changes to the file cannot invalidate the checks.
 * Errors: ARGUMENT, MEMORY, IO, FORMAT, UNSUPPORTED, STOPPED, STATE (in the child of a fork).
 */

/* Loads a GGUF file (of a split model: its first part), a folder with exactly one GGUF model, or a
 * Hugging Face folder with config.json, *.safetensors and tokenizer.json. Of a vision model
 * (lfm2_vl) the text model is loaded. Without LFM2_MODEL_COPY the file is mapped: it must not
 * shrink while the model exists. */
LFM2_API int32_t lfm2_model_load(lfm2_runtime *runtime, const char *path,
                                 const lfm2_model_options *options, lfm2_model **out);

/* Loads a GGUF file from `bytes` bytes of an open file at `offset`; `bytes` 0 means up to its end.
 * fd must be readable and refer to a regular file (IO otherwise); a range beyond the file is an
 * ARGUMENT error. The call keeps the file position and does not close fd; the caller may close it
 * after the call. Without LFM2_MODEL_COPY the file is mapped: it must not shrink while the model
 * exists. Messages call the file "<fd N>". A part of a split model is UNSUPPORTED. */
LFM2_API int32_t lfm2_model_load_fd(lfm2_runtime *runtime, int32_t fd, uint64_t offset,
                                    uint64_t bytes, const lfm2_model_options *options,
                                    lfm2_model **out);

/* Loads a GGUF file from memory, at any alignment. The memory is only read. Without LFM2_MODEL_COPY
 * it must stay valid and unchanged while the model exists. The check of a pack cache uses the size,
 * the tensor table and samples of the data. Messages name the file "<memory>". A part of a split
 * model is UNSUPPORTED. */
LFM2_API int32_t lfm2_model_load_memory(lfm2_runtime *runtime, const void *data, uint64_t bytes,
                                        const lfm2_model_options *options, lfm2_model **out);

typedef struct lfm2_model_reader {
    size_t size;    /* sizeof(lfm2_model_reader) */
    uint64_t bytes; /* size of the GGUF file */
    /* Copies the n bytes at `offset` to `buffer` and returns 0; any other result ends the load with
     * STOPPED. n is at least 1 byte and at most 4 MiB; offset + n is at most `bytes`. Each byte of
     * the header is requested once; weights are requested in any order, some of them repeatedly.
     * Each tensor also costs two requests of at most 64 bytes: if requests are slow, read ahead. */
    int32_t (*read)(void *user, uint64_t offset, void *buffer, size_t n);
    void *user;
} lfm2_model_reader;

/* Loads a GGUF file through a callback, which runs on the calling thread and during this call only.
 * `reader` need not outlive the call. A pack cache is checked as in lfm2_model_load_memory.
 * Messages name the file "<reader>". A part of a split model is UNSUPPORTED. */
LFM2_API int32_t lfm2_model_load_reader(lfm2_runtime *runtime, const lfm2_model_reader *reader,
                                        const lfm2_model_options *options, lfm2_model **out);

/* Writes the pack cache of a model that was loaded with LFM2_LOAD_FULL. `path` NULL means the path
 * at which lfm2_model_load looks for it. The file appears complete or not at all, even if two
 * processes write it at once. Its size is about lfm2_model_info.packed_bytes. Errors: ARGUMENT
 * (`path` is a file of the model, or NULL for a model without a path), STATE, MEMORY, IO. */
LFM2_API int32_t lfm2_model_save_cache(const lfm2_model *model, const char *path);

/* Adds a reference and returns `model`. */
LFM2_API lfm2_model *lfm2_model_retain(lfm2_model *model);

/* Releases a reference. Sessions and decoders hold one each. */
LFM2_API void lfm2_model_free(lfm2_model *model);

/* ---- Model: information ------------------------------------------------------------------- */

typedef struct lfm2_model_info {
    size_t size;
    const char *arch;        /* "lfm2" or "lfm2moe"; the strings live as long as the model */
    const char *name;        /* general.name, or "" */
    const char *file_type;   /* the type of most weights, such as "Q4_0" */
    uint64_t n_params;       /* stored weights; a tied embedding counts once */
    uint64_t n_params_active;/* those that one token uses */
    uint64_t file_bytes;     /* of all parts */
    uint64_t weight_bytes;   /* tensor data in the files */
    uint64_t packed_bytes;   /* memory of the packed weights; 0 unless LFM2_LOAD_FULL */
    /* n_layer_attn layers have attention, the others a convolution. The first n_layer_dense layers
     * have a feed-forward network of width n_ff. Each other layer has n_expert networks of width
     * n_ff_expert, of which a token uses n_expert_used. */
    uint32_t n_vocab, n_embd, n_layer, n_layer_attn, n_layer_dense;
    uint32_t n_head, n_head_kv, head_dim;
    uint32_t n_ff, n_expert, n_expert_used, n_ff_expert;
    uint32_t conv_kernel, n_ctx_train;
    float rope_theta, norm_eps;
    int32_t bos_id, eos_id, pad_id;  /* -1 = none */
    uint32_t n_tensors, n_meta;
    uint32_t from_cache;     /* 1: the packed weights are from a pack cache */
    /* What one token costs at least: bytes of packed weights read, and multiply-adds of the
     * matrices. They include the experts used and the output matrix (the head), but not the
     * embedding or attention itself. 0 with LFM2_LOAD_TOKENIZER. */
    uint64_t token_bytes, token_macs;
    uint64_t head_bytes, head_macs; /* the cost of the head alone; a prompt pays it only once */
    const char *sampling;    /* source of the model's defaults in lfm2_sampler_options_init */
    uint32_t n_chat_templates; /* at least 1, the built-in LFM2 format */
    uint32_t reserved;       /* 0 */
} lfm2_model_info;

LFM2_API int32_t lfm2_model_get_info(const lfm2_model *model, lfm2_model_info *info);

typedef struct lfm2_tensor_info {
    size_t size;
    const char *name; /* GGUF name; lives as long as the model */
    const char *type; /* "Q4_0", "F32", ... */
    uint32_t n_dims;
    uint32_t part;    /* index of the file among the parts */
    uint64_t dims[4]; /* dims[0] is contiguous */
    uint64_t bytes;
    uint64_t offset;  /* of the data, from the start of its file */
} lfm2_tensor_info;

/* Tensor `index`, 0 to n_tensors - 1, in file order. */
LFM2_API int32_t lfm2_model_get_tensor(const lfm2_model *model, uint32_t index,
                                       lfm2_tensor_info *info);

/* Metadata entry `index`, 0 to n_meta - 1, as text; an array is "[type x count]". The strings
 * live as long as the model. */
LFM2_API int32_t lfm2_model_get_meta(const lfm2_model *model, uint32_t index, const char **key,
                                     const char **value);

/* ---- Text --------------------------------------------------------------------------------- */

/* The text functions need a model with a tokenizer (STATE without one). Files without a tokenizer
 * load, too. */

enum {
    LFM2_TOKENIZE_BOS = 1,    /* prepend the BOS token if the model asks for one */
    LFM2_TOKENIZE_SPECIAL = 2 /* control tokens written in the text ("<|im_end|>") become tokens;
                                 otherwise they are plain text. Do not set it for user input. The
                                 same applies to user-defined tokens with names in <>: "<think>". */
};

/* Converts text to token ids. Bytes that are not UTF-8 are encoded byte by byte, so detokenizing
 * restores them. *n_ids receives the number of ids of the whole text. If it exceeds `capacity`, the
 * first `capacity` ids are written and the call returns BUFFER. `ids` may be NULL if `capacity` is
 * 0. Errors: ARGUMENT, STATE, MEMORY, BUFFER, LIMIT (a single pre-token of 2 GiB). */
LFM2_API int32_t lfm2_tokenize(const lfm2_model *model, const char *text, size_t len,
                               uint32_t flags, int32_t *ids, size_t capacity, size_t *n_ids);

/* Kinds of tokens; the values are those of tokenizer.ggml.token_type in GGUF. */
enum {
    LFM2_TOKEN_NORMAL = 1,
    LFM2_TOKEN_UNKNOWN = 2,
    LFM2_TOKEN_CONTROL = 3,
    LFM2_TOKEN_USER = 4,
    LFM2_TOKEN_UNUSED = 5,
    LFM2_TOKEN_BYTE = 6
};

/* The bytes of a token (for a control token, its name) and the token's kind, LFM2_TOKEN_*. Each
 * output may be NULL. The bytes live as long as the model and may end inside a
 * UTF-8 character. */
LFM2_API int32_t lfm2_token_get(const lfm2_model *model, int32_t id, const char **bytes,
                                size_t *len, int32_t *kind);

/* Whether generation stops at a token: 1 for the EOS token, the other end tokens that the model's
 * files list, and tokens named as ends of a turn, such as "<|im_end|>"; 0 for all others, for ids
 * outside the vocabulary, and for models without a tokenizer. */
LFM2_API int32_t lfm2_token_is_end(const lfm2_model *model, int32_t id);

enum { LFM2_DETOKENIZE_SPECIAL = 1 /* write control tokens by name; otherwise omit them */ };

/* Converts token ids to text, not NUL-terminated. *len receives the length of the whole text. If it
 * exceeds `capacity`, the first `capacity` bytes are written and the call returns BUFFER.
 * `text` may be NULL if `capacity` is 0. Errors: ARGUMENT, STATE, BUFFER, LIMIT. */
LFM2_API int32_t lfm2_detokenize(const lfm2_model *model, const int32_t *ids, size_t n_ids,
                                 uint32_t flags, char *text, size_t capacity, size_t *len);

/* Converts a stream of token ids to whole UTF-8 characters. */
typedef struct lfm2_decoder lfm2_decoder;

/* flags: LFM2_DETOKENIZE_SPECIAL or 0. Errors: ARGUMENT, STATE, MEMORY. */
LFM2_API int32_t lfm2_decoder_create(lfm2_model *model, uint32_t flags, lfm2_decoder **out);
LFM2_API void lfm2_decoder_free(lfm2_decoder *decoder);

/* Adds a token. *text and *len receive the characters that it completes, possibly none; they are
 * valid until the next call. Bytes that cannot become UTF-8 are replaced by U+FFFD. Errors:
 * ARGUMENT, MEMORY; the decoder is then unchanged. */
LFM2_API int32_t lfm2_decoder_push(lfm2_decoder *decoder, int32_t id, const char **text,
                                   size_t *len);

/* Ends the text and resets the decoder. An incomplete character is replaced by U+FFFD. The outputs
 * are as in lfm2_decoder_push. */
LFM2_API int32_t lfm2_decoder_flush(lfm2_decoder *decoder, const char **text, size_t *len);

/* ---- Session: one sequence of tokens ------------------------------------------------------ */

/* A session holds the ids of its tokens and what the network keeps of them: keys and values, in
 * pages of 64 tokens, and the state of the convolutions. Memory is taken as tokens are appended.
 * Before each step MEMORY or LIMIT (the KV budget of the model) may be returned, and then the
 * session is unchanged. n_reserve excludes that. */
typedef struct lfm2_session lfm2_session;

/* The type of stored keys and values. Q8 is int8 with a scale for each position and head: about
 * half the memory of F16, faster with long contexts, slightly less accurate. */
enum { LFM2_KV_F16 = 0, LFM2_KV_F32 = 1, LFM2_KV_Q8 = 2 };

typedef struct lfm2_session_options {
    size_t size;
    uint32_t n_ctx;     /* capacity in tokens, at most the model's context (n_ctx_train);
                           0 = the model's context. Capacity costs nothing until it is used */
    uint32_t n_chunk;   /* token limit of one pass of prefill and eval: 1 to 8192, capped at n_ctx;
                           0 = 512 */
    int32_t kv_type;    /* LFM2_KV_* */
    uint32_t reserved;
    uint32_t n_reserve; /* 0 to n_ctx; default 0. If it is not 0, the session is created with the
                           memory of this many tokens and with its own workspace; appending up to
                           them then allocates nothing */
    uint32_t reserved2;
    uint64_t cache_scope; /* a prefix cache gives the session only what sessions with the same scope
                             have stored; default 0. Forks have the same scope, restored
                             sessions 0 */
} lfm2_session_options;

LFM2_API void lfm2_session_options_init(lfm2_session_options *options, size_t size);

/* Errors: ARGUMENT, MEMORY, STATE (the model was not loaded in full), and with n_reserve LIMIT (the
 * KV budget). */
LFM2_API int32_t lfm2_session_create(lfm2_model *model, const lfm2_session_options *options,
                                     lfm2_session **out);
LFM2_API void lfm2_session_free(lfm2_session *session);

/* Removes all tokens, and frees their memory unless it is reserved. */
LFM2_API int32_t lfm2_session_reset(lfm2_session *session);

/* The number of tokens in the session, and the most it can hold. */
LFM2_API uint32_t lfm2_session_length(const lfm2_session *session);
LFM2_API uint32_t lfm2_session_capacity(const lfm2_session *session);

/* Appends n >= 1 tokens and computes the logits after the last. LIMIT (they do not fit, or the KV
 * budget is used up), MEMORY and ARGUMENT (an id outside the vocabulary) append nothing; after
 * CANCELLED the chunks computed so far stay. The pass uses a workspace that the model keeps between
 * calls, one for each call at the same time. Errors: ARGUMENT, LIMIT, MEMORY, CANCELLED, STATE (in
 * the child of a fork). */
LFM2_API int32_t lfm2_session_prefill(lfm2_session *session, const int32_t *ids, size_t n);

/* The same for one token, with the same errors. */
LFM2_API int32_t lfm2_session_decode(lfm2_session *session, int32_t id);

/* Appends ids[i] to sessions[i] for n different sessions of one model, 1 to 8192, in a single pass.
 * The weights are read once, so a batch costs little more than one token. Each session then has
 * the same logits, bit for bit, as if it had been decoded alone. Contexts, lengths and KV types may
 * differ. lfm2_batch_run does the same for prompts, and lets items fail one by one; here all
 * sessions are computed or none is.
 * LIMIT (also: a session is full), MEMORY, ARGUMENT (also: an id outside the vocabulary, a session
 * given twice or of another model) and CANCELLED change no session; all logits stay valid.
 * Cancelling any of the sessions cancels the call. The call clears the cancellation requests of all
 * its sessions, unless an argument is NULL or n is 0. No other thread may use any of the sessions
 * during the call. */
LFM2_API int32_t lfm2_session_decode_many(lfm2_session *const *sessions, const int32_t *ids,
                                          uint32_t n);

/* Appends n >= 1 tokens and writes the logits after each to out: float[n][n_vocab], row-major.
 * After CANCELLED, the rows of the chunks computed so far are written. Errors: those of
 * lfm2_session_prefill. */
LFM2_API int32_t lfm2_session_eval(lfm2_session *session, const int32_t *ids, size_t n, float *out);

/* The logits after the last token: n_vocab floats, valid until a call changes the tokens of the
 * session or frees it. `n_vocab` may be NULL. After lfm2_generate this call may have to compute
 * the last token first. Errors: those of lfm2_session_decode, and STATE (also: there is no token
 * yet, the last call computed no logits, or it failed after it had appended tokens). */
LFM2_API int32_t lfm2_session_logits(lfm2_session *session, const float **logits,
                                     size_t *n_vocab);

/* Cancels the session's current call, or the next one if there is none. The call returns
 * LFM2_E_CANCELLED: a computing call before its next layer, a waiting one when the current turn
 * ends. The call clears the request however it ends; so does lfm2_session_reset. The session
 * stays usable. May be called from any thread and from signal handlers: it is one atomic store. */
LFM2_API void lfm2_session_cancel(lfm2_session *session);

/* ---- Operations on the tokens of a session ------------------------------------------------ */

/* None of these functions changes a bit of any later logits: they are those of a session that was
 * given the remaining tokens, whatever the KV type, the kernels and the number of threads. They may
 * allocate memory whatever n_reserve is. A failure leaves the session unchanged. */

/* Creates a session with the same tokens, logits and options, but without reserve.
 * The two share memory: the cost is that of a copy of the page table, 8 bytes for 64 tokens. A page
 * is copied when one of them appends tokens to it; so a fork takes at most one page more than the
 * tokens that are appended later. What the session shares no longer counts as reserved. The two may
 * be used by different threads. Errors: ARGUMENT, MEMORY. */
LFM2_API int32_t lfm2_session_fork(const lfm2_session *session, lfm2_session **out);

/* Copies the ids of n tokens, from position `first` on, to ids[0..n). Errors: ARGUMENT (also: the
 * session has fewer tokens). */
LFM2_API int32_t lfm2_session_tokens(const lfm2_session *session, uint32_t first, uint32_t n,
                                     int32_t *ids);

/* Removes the tokens from position `length` on, and frees their memory unless it is reserved. If
 * computed tokens are removed, there are no logits until tokens are appended; to get those of the
 * last kept token, rewind to one token less and append it. The keys and values of the kept tokens
 * stay. The state of the convolutions is computed: they are finite filters, so a pass without
 * logits over the last (conv_kernel - 1) * (number of convolution layers) kept tokens rebuilds it
 * exactly. These are 36 tokens for LFM2-8B-A1B, 44 for 2.6B, 60 for 24B-A2B, fewer if fewer are
 * kept, none for length 0. Errors: ARGUMENT (also: the session has fewer tokens), MEMORY,
 * CANCELLED, STATE (in the child of a fork). */
LFM2_API int32_t lfm2_session_rewind(lfm2_session *session, uint32_t length);

typedef struct lfm2_remove_result {
    size_t size;
    uint32_t n_reused;   /* tokens before the removed ones, whose keys and values stay */
    uint32_t n_computed; /* tokens after them, which were computed again */
} lfm2_remove_result;

/* Removes n >= 1 tokens from position `first` on, such as the oldest turns of a chat after its
 * system prompt. The tokens after them move to other positions and depend on other tokens, so they
 * are computed again: the cost is that of rewinding to `first` and of a prefill of n_computed
 * tokens, and until it is done the memory of both. There are logits if n_computed is not 0.
 * `result` may be NULL. Errors: ARGUMENT (also: the session has fewer tokens), LIMIT (the KV
 * budget), MEMORY, CANCELLED, STATE (in the child of a fork). */
LFM2_API int32_t lfm2_session_remove(lfm2_session *session, uint32_t first, uint32_t n,
                                     lfm2_remove_result *result);

/* ---- Saving and restoring sessions -------------------------------------------------------- */

/* A saved session has the token ids, the keys and values, the state of the convolutions, and the
 * logits after the last token if there are any. A restored session continues with the bits with
 * which the saved one would have continued. Samplers and streams are not saved.
 *
 * A saved session belongs to a model, to the kernels that compute each of its matrices (see
 * "Reproducibility" above; of XNNPACK's kernels also to which one) and to a KV type; others are
 * refused. A model is known by its hyperparameters, the names, types and shapes of its tensors, and
 * the first and last 64 bytes of each; its path and file times do not count.
 *
 * Every part has a checksum. Bytes that were truncated or changed are refused and never restored in
 * part; no bytes endanger memory. The checksums do not show who wrote a file: somebody who can
 * write it decides what the session continues with. The file contains the conversation.
 *
 * Size: that of the keys and values (lfm2_memory.kv_page for each 64 tokens begun), of the
 * convolution state (lfm2_memory.conv), 4 bytes for each token, 4 * n_vocab bytes of logits.
 * Cost: one write or read of these bytes and a checksum of them. Nothing is computed, so the
 * functions work in the child of a fork, too. Memory: while saving a buffer of 256 KiB, a page and
 * the token ids; while restoring the session and the token ids. */

enum {
    LFM2_SAVE_NO_SYNC = 1,  /* lfm2_session_save returns before the bytes are on the device: if the
                               system crashes, the file may be lost or refused */
    LFM2_SAVE_NO_LOGITS = 2 /* the restored session has no logits until a token is appended */
};

/* Saves a session to a file that only its owner may read (mode 0600). The file appears complete or
 * not at all, and replaces an older one at once: the bytes are written to a temporary file next to
 * `path`, synced and renamed. A killed process leaves at most the temporary file,
 * "PATH.tmp-PID-N". The session does not change. `flags`: LFM2_SAVE_* or 0. Errors: ARGUMENT,
 * MEMORY, IO (also: `path` exists and is not a regular file). */
LFM2_API int32_t lfm2_session_save(const lfm2_session *session, const char *path, uint32_t flags);

/* The same to a descriptor, at its position: a file, a pipe or a socket, in blocking mode. It is
 * neither synced nor closed. A pipe without a reader is an IO error and raises no SIGPIPE. After a
 * failure some bytes may have been written. Messages call it "<fd N>". Errors: ARGUMENT, MEMORY,
 * IO. */
LFM2_API int32_t lfm2_session_save_fd(const lfm2_session *session, int32_t fd, uint32_t flags);

/* The same to memory. *bytes receives the size of the saved session. If it exceeds `capacity`,
 * nothing is written and the call returns BUFFER. `buffer` may be NULL if `capacity` is 0. Errors:
 * ARGUMENT, MEMORY, BUFFER. */
LFM2_API int32_t lfm2_session_save_memory(const lfm2_session *session, uint32_t flags, void *buffer,
                                          size_t capacity, size_t *bytes);

/* Restore a session with the KV type that was saved, whatever it is. */
enum { LFM2_KV_ANY = -1 };

typedef struct lfm2_restore_options {
    size_t size;
    uint32_t n_ctx, n_chunk; /* as in lfm2_session_options, whatever the saved session had */
    int32_t kv_type;         /* LFM2_KV_ANY, the default, or the type that must have been saved */
    uint32_t n_reserve;      /* as in lfm2_session_options */
} lfm2_restore_options;

LFM2_API void lfm2_restore_options_init(lfm2_restore_options *options, size_t size);

/* Creates a session from a file. The file is read, not mapped: it may change or vanish after the
 * call. *out is set only after the last byte has been checked; a failure leaves nothing behind.
 * Errors: ARGUMENT, MEMORY, IO; FORMAT (not a saved session, truncated, longer than the session,
 * damaged); UNSUPPORTED (saved with another model, other kernels, another KV type than the options
 * ask for, or another version of the format: the codes are "session_file.model", ".kernels",
 * ".kv_type" and ".version"); LIMIT (the KV budget, or more tokens than n_ctx); STATE (the model
 * was not loaded in full). */
LFM2_API int32_t lfm2_session_restore(lfm2_model *model, const char *path,
                                      const lfm2_restore_options *options, lfm2_session **out);

/* The same from a descriptor: reads a session from its position, and not a byte more, so that other
 * data may follow. It may be a file, a pipe or a socket, in blocking mode; a read waits until the
 * bytes have come. Memory is taken as they come. After a failure the position is undefined. fd is
 * not closed. Errors: those of lfm2_session_restore. */
LFM2_API int32_t lfm2_session_restore_fd(lfm2_model *model, int32_t fd,
                                         const lfm2_restore_options *options, lfm2_session **out);

/* The same from `bytes` bytes of memory at any alignment, which are copied. Errors: those of
 * lfm2_session_restore but IO. */
LFM2_API int32_t lfm2_session_restore_memory(lfm2_model *model, const void *data, size_t bytes,
                                             const lfm2_restore_options *options,
                                             lfm2_session **out);

/* ---- Memory of sessions ------------------------------------------------------------------- */

typedef struct lfm2_memory {
    size_t size;
    uint64_t weights; /* packed weights, and the copy of the embedding if the load makes one; shared
                         by the model's sessions */
    uint64_t mapped;  /* bytes of the file used in place: the embedding */
    uint64_t kv;      /* keys and values of one full session */
    uint64_t conv;    /* convolution state of one session */
    uint64_t scratch; /* workspace of a call on one session, and its logits */
    uint64_t total;   /* the sum, including `mapped` */
    uint64_t kv_page;   /* keys and values of 64 tokens: what a session takes at a time */
    uint64_t kv_budget; /* of the model's sessions together, now; UINT64_MAX = no limit */
    uint64_t cache;     /* budgets of the model's prefix caches that exist now; in `total`, both are
                           UINT64_MAX if there is no limit */
    uint64_t cache_checkpoint; /* what a prefix cache keeps for one end of a prefix: convolution
                                  state and logits */
} lfm2_memory;

/* Computes the bytes that a fully loaded model and one full session need; a session with fewer
 * tokens needs less `kv`. Needs a model loaded with LFM2_LOAD_FULL or LFM2_LOAD_INSPECT; allocates
 * nothing large. Errors: ARGUMENT, MEMORY, STATE. */
LFM2_API int32_t lfm2_estimate_memory(const lfm2_model *model, const lfm2_session_options *options,
                                      lfm2_memory *memory);

/* The memory for keys and values of all sessions and prefix caches of a model. */
typedef struct lfm2_kv_usage {
    size_t size;
    uint64_t budget; /* bytes; UINT64_MAX = no limit */
    uint64_t used;   /* bytes of the pages in use; a page that sessions or caches share counts once.
                        Pages are allocated up to 8 MiB at a time; what is no longer used serves
                        other sessions of the KV type, and is freed with the last page of them */
    uint64_t cached; /* bytes of the pages that prefix caches hold, even if sessions share them */
} lfm2_kv_usage;

LFM2_API int32_t lfm2_model_kv_usage(const lfm2_model *model, lfm2_kv_usage *usage);

/* Sets the budget in bytes. 0 = the default, computed now as when the model was loaded: half of the
 * memory that the machine and the control groups of the process leave, counting what the system can
 * reclaim; no limit where the system does not say. A budget below `used` frees nothing: steps that
 * need pages evict prefixes from caches, then return LIMIT until enough is freed. May be called
 * from any thread at any time. */
LFM2_API int32_t lfm2_model_set_kv_budget(lfm2_model *model, uint64_t bytes);

/* ---- Batch: many sessions in one pass ----------------------------------------------------- */

/* The working memory of passes over sessions of one model. One thread at a time may use it. */
typedef struct lfm2_batch lfm2_batch;

typedef struct lfm2_batch_options {
    size_t size;
    uint32_t n_rows; /* most tokens of a pass, all items together: 1 to 8192; 0 = 512 */
    uint32_t n_ctx;  /* memory for sessions of up to this length is allocated at once, and grows
                        when a longer session takes part; default 0 */
} lfm2_batch_options;

LFM2_API void lfm2_batch_options_init(lfm2_batch_options *options, size_t size);

/* Holds a reference to the model. Errors: ARGUMENT, MEMORY, STATE (the model was not loaded in
 * full). */
LFM2_API int32_t lfm2_batch_create(lfm2_model *model, const lfm2_batch_options *options,
                                   lfm2_batch **out);
LFM2_API void lfm2_batch_free(lfm2_batch *batch);

/* Which logits an item wants: none; those of its last token, for lfm2_session_logits; or those of
 * all its tokens in `out`, and the last also for lfm2_session_logits. */
enum { LFM2_LOGITS_NONE = 0, LFM2_LOGITS_LAST = 1, LFM2_LOGITS_ALL = 2 };

/* n tokens to append to a session. */
typedef struct lfm2_batch_item {
    size_t size;      /* sizeof(lfm2_batch_item), in every item of a call */
    lfm2_session *session;
    const int32_t *ids;
    uint32_t n;       /* at least 1 */
    int32_t logits;   /* LFM2_LOGITS_* */
    float *out;       /* float[n][n_vocab] for LFM2_LOGITS_ALL, else NULL */
    int32_t status;   /* result */
    uint32_t reserved;/* 0 */
} lfm2_batch_item;

/* Appends the tokens of `n` items, at least 1, to their sessions in one pass, any mix of prompts
 * and single tokens. Each weight matrix is read once, and each session has the same bits as if it
 * had been computed alone. Every item gets a status. OK: its tokens are appended. ARGUMENT (an id
 * outside the vocabulary, no tokens), LIMIT (the session is full or the KV budget is used up),
 * MEMORY, CANCELLED (lfm2_session_cancel of its session), STATE (in the child of a fork): its
 * session is unchanged, `out` too, and the other items go on. If tokens of lfm2_generate are
 * pending, they are computed first, in another pass.
 * Returns OK if all items are computed, else the status of one that is not, the one that
 * lfm2_last_error describes. If the call cannot run as a whole, nothing is computed, and each item
 * gets the status that the call returns: ARGUMENT (a session given twice or of another model,
 * another value out of range), LIMIT (more tokens than n_rows: the caller divides the work). If
 * `items`, a `size` or a pointer in an item is wrong, no status is set. The call clears the
 * cancellation requests of its sessions. */
LFM2_API int32_t lfm2_batch_run(lfm2_batch *batch, lfm2_batch_item *items, uint32_t n);

/* ---- Prefix cache ------------------------------------------------------------------------- */

/* Keeps what sessions computed for their tokens, so that later sessions that begin with the same
 * tokens need not compute them. A typical request is:
 *
 *     lfm2_cache_start(cache, session, prompt, n, &n_reused);
 *     if (n_reused < n) lfm2_session_prefill(session, prompt + n_reused, n - n_reused);
 *     lfm2_cache_insert(cache, session, 0);
 *     ... generate
 *     lfm2_cache_insert(cache, session, 0);    for the next turn of the conversation
 *
 * No later logits differ in any bit from those of a session that was given the same tokens. A
 * session finds only what sessions with its KV type and its cache_scope have stored; capacity and
 * n_chunk may differ.
 * A cache is a tree of pages of 64 tokens, which it shares with the sessions; nothing is copied.
 * All functions but lfm2_cache_free may be called by any thread at any time. They hold a lock only
 * while they look through the tree, never while they compute.
 *
 * Memory. The budget covers all that the cache holds, even what sessions share with it: pages
 * (lfm2_memory.kv_page bytes and less than 1 KiB for the tree; two prefixes that differ within a
 * page have a page each) and checkpoints. A checkpoint, of lfm2_memory.cache_checkpoint bytes or
 * less, is what continues a prefix without computing: convolution state and perhaps logits. There
 * is one at the end of what a session stored, and one where a session continued differently; up to
 * 4 for each page. If the budget is exceeded, the pages that were not used for the longest time are
 * evicted, the ends of prefixes first. Pages also count in the KV budget of the model, once with
 * the sessions that share them. Before a step returns LIMIT because that is used up, caches evict
 * all pages that no session shares.
 *
 * Folder. A cache may have one, in which sessions outlive the process. Several processes and models
 * may use the same folder. Its files are saved sessions, with what is said there about identity and
 * checksums; their names are hashes of model, KV type, tokens and scope. They are written as
 * lfm2_session_save does, without sync, and never changed. A file that is damaged is deleted and
 * counted; it is as if it had not existed. If the budget is exceeded, the files of all models that
 * were not used for the longest time are deleted. The folder must belong to the user and not be
 * writable by others (mode 700, or 755), as somebody who can write files decides what sessions
 * continue with. What a killed process had not finished is deleted after 10 minutes. */
typedef struct lfm2_cache lfm2_cache;

typedef struct lfm2_cache_options {
    size_t size;
    uint64_t ram_bytes;  /* the budget; 0 = a quarter of the KV budget of the model, now;
                            UINT64_MAX = no limit */
    const char *folder;  /* where lfm2_cache_save writes; NULL, the default = nowhere */
    uint64_t disk_bytes; /* the budget of the folder; 0 = 4 GiB */
} lfm2_cache_options;

LFM2_API void lfm2_cache_options_init(lfm2_cache_options *options, size_t size);

/* Holds a reference to the model. Sessions that share pages with a cache may outlive it. In the
 * child of a fork a cache works, unless another thread was inside a cache function of the model
 * during the fork: then caches find and store nothing, and this call returns STATE. A folder is
 * created, for its owner alone, unless it exists. Errors: ARGUMENT (also: others may write to the
 * folder), MEMORY, IO (the folder), STATE (also: the model was not loaded in full). */
LFM2_API int32_t lfm2_cache_create(lfm2_model *model, const lfm2_cache_options *options,
                                   lfm2_cache **out);
LFM2_API void lfm2_cache_free(lfm2_cache *cache);

/* Gives an empty session the longest prefix of ids[0..n) that the cache holds. *n_reused receives
 * the number of its tokens, from 0 to n. It is n only if logits are stored for all n tokens;
 * lfm2_session_logits then returns them. Otherwise there are no logits, and the caller appends the
 * remaining tokens, at least one. A prefix that ends at a checkpoint is not computed at all. After
 * any other prefix, the state of the convolutions is computed as in lfm2_session_rewind, and kept
 * in the cache as a checkpoint. If a checkpoint is no further back than the tokens of that pass,
 * the prefix ends there, because appending them costs less.
 * Cost otherwise: time linear in n and in the number of continuations that are stored after a page.
 * With a folder, a file is read, and then also kept in memory, if it has more tokens by more than
 * those of that pass; what a session with n_reserve reads is not kept. The first call after the
 * folder has changed lists it and reads the token ids of new files. An index takes 8 bytes for each
 * 64 tokens in the folder.
 * A session with n_reserve gets copies of the pages, so that its reserve stays. A failure leaves
 * the session empty. Errors: ARGUMENT (also: an id outside the vocabulary, another model), STATE
 * (also: the session is not empty; in the child of a fork), LIMIT (the tokens do not fit), MEMORY,
 * CANCELLED. */
LFM2_API int32_t lfm2_cache_start(lfm2_cache *cache, lfm2_session *session, const int32_t *ids,
                                  size_t n, uint32_t *n_reused);

/* Stores the first n tokens of a session; 0 = all that are computed (not the last one of
 * lfm2_generate, which is computed by the next call). Without logits and convolution state unless
 * they are all. What the cache already holds is marked as used; full pages that are equal in the
 * session and the cache are from then on shared, unless the session has n_reserve. The session
 * must not be used by another thread. Afterwards it copies the last page when it appends, and what
 * it shares no longer counts as reserved. Time as in lfm2_cache_start. MEMORY leaves the
 * session unchanged; a part may be stored. Errors: ARGUMENT (also: the session has fewer tokens, or
 * another model), MEMORY. */
LFM2_API int32_t lfm2_cache_insert(lfm2_cache *cache, lfm2_session *session, uint32_t n);

/* Saves the computed tokens of a session in the folder, whether they are in memory or not; does
 * nothing if they are fewer than 64, if a file has them, or if they alone exceed the budget. A file
 * whose tokens are the beginning of the session's is deleted afterwards. Cost: that of
 * lfm2_session_save without sync, and of listing the folder with the size and time of each
 * file. Errors: ARGUMENT (also: another model), MEMORY, IO, STATE (the cache has no folder). */
LFM2_API int32_t lfm2_cache_save(lfm2_cache *cache, const lfm2_session *session);

/* Sets the budgets as in lfm2_cache_options, and evicts what exceeds them. Errors: ARGUMENT, IO
 * (the folder cannot be listed; the budgets are set). */
LFM2_API int32_t lfm2_cache_set_budget(lfm2_cache *cache, uint64_t ram_bytes, uint64_t disk_bytes);

/* Removes everything from memory. The files stay; any program may delete them at any time. */
LFM2_API int32_t lfm2_cache_clear(lfm2_cache *cache);

typedef struct lfm2_cache_usage {
    size_t size;
    uint64_t ram_budget, ram_bytes; /* the budget, and what is in use */
    uint64_t pages, checkpoints;    /* held now */
    uint64_t hits, misses;          /* calls of lfm2_cache_start that reused tokens, and that did
                                       not; failed calls do not count */
    uint64_t tokens_asked, tokens_reused; /* of these calls */
    uint64_t pages_evicted;         /* because of a budget or lfm2_cache_clear */
    /* The folder; 0 without one. */
    uint64_t disk_budget;
    uint64_t disk_bytes, files;     /* of all models, when this cache last counted them: creation,
                                       save, change of the budget */
    uint64_t files_read;            /* calls of lfm2_cache_start that used one */
    uint64_t files_evicted;         /* by this cache, because of the budget */
    uint64_t files_bad;             /* damaged ones that this cache deleted */
} lfm2_cache_usage;

LFM2_API int32_t lfm2_cache_get_usage(lfm2_cache *cache, lfm2_cache_usage *usage);

/* ---- Sampler ------------------------------------------------------------------------------ */

typedef struct lfm2_sampler lfm2_sampler;

/* The sampling steps, in the order of Hugging Face. The values of the model card assume this order.
 *  1. Logit bias.
 *  2. Penalties for tokens that occur among the last penalty_last_n. First repetition_penalty:
 *     logit / penalty if the logit is positive, else logit * penalty. Then
 *     count * frequency_penalty is subtracted, then presence_penalty.
 *  3. Temperature: logit / temperature. 0 chooses the largest logit (the lowest id among equals)
 *     and skips the remaining steps.
 *  4. Top-k.
 *  5. Top-p: the smallest set with a total probability of at least top_p.
 *  6. Min-p: the tokens with a probability of at least min_p times the largest. Steps 4 to 6 each
 *     use the renormalized result of the step before and keep at least one token.
 *  7. A draw with the seeded generator. */
typedef struct lfm2_sampler_options {
    size_t size;
    float temperature;        /* >= 0; 0 = greedy */
    int32_t top_k;            /* >= 0; 0 = off */
    float top_p;              /* above 0, to 1; 1 = off */
    float min_p;              /* 0 to 1; 0 = off */
    float repetition_penalty; /* above 0; 1 = off */
    float frequency_penalty;  /* any finite number; 0 = off (default) */
    float presence_penalty;   /* any finite number; 0 = off (default) */
    int32_t penalty_last_n;   /* up to 16777216; 0 = none, -1 = all tokens */
    uint64_t seed;            /* the same seed, model and prompt give the same text; default 0 */
    /* bias_values[i] is added to the logit of token bias_ids[i]; -INFINITY excludes the token. Both
     * arrays are copied. */
    const int32_t *bias_ids;
    const float *bias_values;
    size_t n_bias;
} lfm2_sampler_options;

/* Sets the model's defaults: those in generation_config.json or a GGUF file's general.sampling.*;
 * values not set there are the model card's, by size, vocabulary and name. top_k, top_p and min_p
 * count together: if the file sets one of them, the others are off. For `model` NULL and models
 * that are not recognized, the card is LFM2's: temperature 0.3, min_p 0.15, repetition_penalty
 * 1.05, the rest off. lfm2_model_info.sampling says which of these was used. */
LFM2_API void lfm2_sampler_options_init(lfm2_sampler_options *options, size_t size,
                                        const lfm2_model *model);

/* Holds a reference to the model's runtime, not to the model. Errors: ARGUMENT (a value is out of
 * range or not finite), MEMORY. */
LFM2_API int32_t lfm2_sampler_create(const lfm2_model *model, const lfm2_sampler_options *options,
                                     lfm2_sampler **out);

/* Releases the caller's reference. Streams hold one each. */
LFM2_API void lfm2_sampler_free(lfm2_sampler *sampler);

/* Copies a sampler with its options, the accepted tokens and the position of its generator: both
 * choose the same tokens from then on. Costs about 16 bytes a token of the vocabulary. Errors:
 * ARGUMENT, MEMORY. */
LFM2_API int32_t lfm2_sampler_clone(const lfm2_sampler *sampler, lfm2_sampler **out);

/* Changes the options and keeps the state: the accepted tokens that the new penalty_last_n covers,
 * and the position of the generator, which restarts only if the seed changes. Tokens that the old
 * penalty_last_n no longer covered stay forgotten. A failure changes nothing. Errors: those of
 * lfm2_sampler_create, and STATE (penalty_last_n changes from -1 to a limit although tokens were
 * accepted: with -1 their order is not kept). */
LFM2_API int32_t lfm2_sampler_configure(lfm2_sampler *sampler,
                                        const lfm2_sampler_options *options);

/* Forgets the accepted tokens and restarts the generator from the seed. */
LFM2_API void lfm2_sampler_reset(lfm2_sampler *sampler);

/* Tells the sampler that a token was appended to the text, as prompt or output. */
LFM2_API int32_t lfm2_sampler_accept(lfm2_sampler *sampler, int32_t id);

/* Chooses a token. It changes no logits and does not accept the token. NaN counts as -INFINITY.
 * Errors: ARGUMENT, STATE (all logits are -INFINITY; the generator did not advance). */
LFM2_API int32_t lfm2_sampler_sample(lfm2_sampler *sampler, const float *logits, size_t n_vocab,
                                     int32_t *id);

/* ---- Constraint: which texts may be generated --------------------------------------------- */

/* Compiled from a JSON schema, a regular expression, a grammar, a list of choices or a list of
 * tools. It tells at each place of a text which tokens may follow, so that every text that ends is
 * one that it allows. It works on bytes: any division of an allowed text into tokens is allowed.
 * Text that is no control token is always UTF-8. A constraint does not change, and may be used by
 * any number of threads; it holds a reference to its model, of which only the tokenizer is used.
 * Masks that were computed once are kept in it. */
typedef struct lfm2_constraint lfm2_constraint;

/* What the text of a constraint is. */
enum {
    /* A JSON schema of draft 4, 6, 7, 2019-09 or 2020-12, as "$schema" says; without it 2020-12.
     * Keywords of different drafts may be mixed. The text is a JSON value that is valid. Members
     * have the order of the schema. */
    LFM2_CONSTRAINT_JSON_SCHEMA = 1,
    /* A regular expression of ECMA-262 with the flag u, which matches the whole text. Look-around,
     * back-references and \b are UNSUPPORTED. */
    LFM2_CONSTRAINT_REGEX = 2,
    /* A grammar in GBNF, the language of llama.cpp, whose rule "root" matches the text. Left
     * recursion is UNSUPPORTED. A negated token must be repeated with * or +. */
    LFM2_CONSTRAINT_GBNF = 3,
    /* A JSON array of strings: the text is one of them. */
    LFM2_CONSTRAINT_CHOICES = 4,
    /* A JSON array of tools in OpenAI's format: calls are written as LFM2 writes them, between
     * "<|tool_call_start|>" and "<|tool_call_end|>", with arguments that their schemas allow. Or
     * an object {"tools": ARRAY, "content_schema": SCHEMA}: a text that calls nothing is then a
     * JSON value of this schema. */
    LFM2_CONSTRAINT_TOOLS = 5
};

/* White space of JSON. */
enum {
    LFM2_SPACE_JSON = 0,    /* one space after each ':' and ',', as LFM2 and Python write it */
    LFM2_SPACE_COMPACT = 1, /* none */
    LFM2_SPACE_FLEXIBLE = 2 /* at each place nothing, one space, or a newline with an indent */
};

/* Whether tools are called. */
enum {
    LFM2_TOOL_CHOICE_AUTO = 0,     /* free text, which may contain calls */
    LFM2_TOOL_CHOICE_NONE = 1,     /* free text without calls */
    LFM2_TOOL_CHOICE_REQUIRED = 2, /* at least one call, of any tool, and no text */
    LFM2_TOOL_CHOICE_NAMED = 3     /* the same, of the tool `tool_name` */
};

/* Whether reasoning precedes the text: what is between "<think>" and "</think>" is free, and the
 * constraint applies to what follows it and white space. */
enum {
    LFM2_REASONING_NONE = 0,
    LFM2_REASONING_ALLOWED = 1, /* the text may begin with "<think>" */
    LFM2_REASONING_OPEN = 2     /* the prompt ends with "<think>": "</think>" must follow */
};

enum {
    LFM2_CONSTRAINT_LENIENT = 1,  /* JSON_SCHEMA, TOOLS: ignore what is UNSUPPORTED in a schema;
                                     lfm2_constraint_ignored lists it */
    LFM2_CONSTRAINT_ONE_CALL = 2  /* TOOLS: at most one call */
};

typedef struct lfm2_constraint_options {
    size_t size;
    uint32_t flags;        /* LFM2_CONSTRAINT_LENIENT, LFM2_CONSTRAINT_ONE_CALL */
    int32_t space;         /* LFM2_SPACE_*; of JSON_SCHEMA */
    int32_t reasoning;     /* LFM2_REASONING_* */
    int32_t tool_choice;   /* LFM2_TOOL_CHOICE_*; of TOOLS */
    const char *tool_name; /* with LFM2_TOOL_CHOICE_NAMED; else NULL */
    /* Limits, for texts that are not trusted. 0 = the default. */
    uint64_t compile_steps; /* steps of compilation; a million takes some 10 to 35 ms */
    uint64_t token_steps;   /* steps of one mask or one accepted token */
    uint64_t memory;        /* bytes that the constraint takes with its caches */
    uint32_t depth;         /* nesting of schemas, expressions and grammars */
    uint32_t stack;         /* nesting of the generated text */
} lfm2_constraint_options;

LFM2_API void lfm2_constraint_options_init(lfm2_constraint_options *options, size_t size);

/* Compiles a constraint. `kind` is LFM2_CONSTRAINT_*. The text is not used after the call. What
 * cannot be enforced is refused, with its place in the message. Errors: ARGUMENT; TEXT (the text is
 * invalid, or no text at all is allowed); UNSUPPORTED; LIMIT; MEMORY; STATE (no tokenizer).
 * The first constraint of a model also builds a tree of the vocabulary, which the model keeps
 * (LFM2's 65,536 tokens: some 20 ms and 3 MB). */
LFM2_API int32_t lfm2_constraint_create(lfm2_model *model, int32_t kind, const char *text,
                                        size_t len, const lfm2_constraint_options *options,
                                        lfm2_constraint **out);

/* Adds a reference and returns `constraint`. */
LFM2_API lfm2_constraint *lfm2_constraint_retain(lfm2_constraint *constraint);

/* Releases a reference. Matchers and streams hold one each. */
LFM2_API void lfm2_constraint_free(lfm2_constraint *constraint);

/* What is ignored in a schema: a JSON array of strings, each the JSON pointer of a keyword and a
 * reason; "[]" if nothing is. Without LFM2_CONSTRAINT_LENIENT these are only formats that no draft
 * defines. Lives as long as the constraint. "" if `constraint` is NULL. */
LFM2_API const char *lfm2_constraint_ignored(const lfm2_constraint *constraint);

/* ---- Matcher: where a text is -------------------------------------------------------------- */

/* A place in a text that a constraint allows. Streams have their own; hosts need one for a sampler
 * of their own, or to check a text. One thread at a time may use a matcher; those of one constraint
 * may be used at once. In the child of a fork, calls fail with STATE if another thread was using
 * the constraint during the fork. */
typedef struct lfm2_matcher lfm2_matcher;

/* At the beginning of a text. Errors: ARGUMENT, MEMORY. */
LFM2_API int32_t lfm2_matcher_create(lfm2_constraint *constraint, lfm2_matcher **out);

/* Copies a matcher at its place, without what the constraint keeps. Errors: ARGUMENT, MEMORY. */
LFM2_API int32_t lfm2_matcher_clone(const lfm2_matcher *matcher, lfm2_matcher **out);
LFM2_API void lfm2_matcher_free(lfm2_matcher *matcher);

/* Returns to the beginning. Errors: ARGUMENT. */
LFM2_API int32_t lfm2_matcher_reset(lfm2_matcher *matcher);

/* Sets bit id % 32 of bits[id / 32] for each token that may follow, and clears the others. n_words
 * is (n_vocab + 31) / 32. End tokens (lfm2_token_is_end) may follow where the text may end; after
 * one, nothing may. Errors: ARGUMENT, MEMORY, LIMIT. */
LFM2_API int32_t lfm2_matcher_mask(lfm2_matcher *matcher, uint32_t *bits, size_t n_words);

/* Advance by a token, or by text. A failure changes nothing. Errors: ARGUMENT with the code
 * "constraint.rejected" (it may not follow), MEMORY, LIMIT. */
LFM2_API int32_t lfm2_matcher_accept(lfm2_matcher *matcher, int32_t id);
LFM2_API int32_t lfm2_matcher_accept_text(lfm2_matcher *matcher, const char *text, size_t len);

/* Whether the text may end here: 1 or 0; 0 also behind the end token, and if `matcher` is NULL. */
LFM2_API int32_t lfm2_matcher_is_complete(const lfm2_matcher *matcher);

/* The tokens that are forced here, possibly none. The constraint forces a text if each of its bytes
 * is the only one that may follow and the text may not end before it. Its tokens are those of
 * lfm2_tokenize; the last one is left out, because a longer token could begin like it, unless the
 * text must end behind it or a certain control token must follow. Such a control token is forced,
 * too, and so is the end of the text: as the EOS token, or without one as the end token with the
 * lowest id. At most 256 tokens. `ids`, `capacity` and *n are as in lfm2_tokenize. The matcher does
 * not advance. Errors: ARGUMENT, BUFFER, MEMORY, LIMIT. */
LFM2_API int32_t lfm2_matcher_forced(lfm2_matcher *matcher, int32_t *ids, size_t capacity,
                                     size_t *n);

/* ---- Generation --------------------------------------------------------------------------- */

/* Passed to the callback for each token; valid during the callback. */
typedef struct lfm2_generated_token {
    size_t size;       /* sizeof in this library */
    const char *text;  /* the new text, possibly empty; incomplete characters and beginnings of stop
                          strings are held back */
    size_t len;
    int32_t id;        /* -1 for the rest of the text, which is flushed at the end */
    float logprob;     /* of id: natural logarithm of the softmax of the raw logits */
    /* The n_top most likely tokens and their log-probabilities, best first. */
    const int32_t *top_ids;
    const float *top_logprobs;
    size_t n_top;
    uint32_t forced;   /* 1: the constraint left no choice; then logprob is 0 and n_top 0 */
    uint32_t reserved; /* 0 */
} lfm2_generated_token;

enum {
    LFM2_FINISH_LENGTH = 1,      /* max_tokens were generated */
    LFM2_FINISH_STOP_TOKEN = 2,  /* an end token or a stop token, which is not part of the text */
    LFM2_FINISH_STOP_STRING = 3, /* a stop string; the text ends before it */
    LFM2_FINISH_CONTEXT = 4,     /* the session is full */
    LFM2_FINISH_CALLBACK = 5,    /* the callback returned non-zero (LFM2_E_STOPPED) */
    LFM2_FINISH_CANCELLED = 6    /* lfm2_session_cancel (LFM2_E_CANCELLED) */
};

enum {
    LFM2_GENERATE_IGNORE_EOS = 1, /* do not stop at the tokens of lfm2_token_is_end */
    LFM2_GENERATE_SPECIAL = 2,    /* include the names of control tokens in the text */
    LFM2_GENERATE_DRAFT = 4       /* guess tokens and compute several in one pass: see below */
};

typedef struct lfm2_generate_options {
    size_t size;
    uint32_t max_tokens;          /* 0 = no limit */
    uint32_t flags;               /* LFM2_GENERATE_* */
    const int32_t *stop_ids;      /* in addition to the tokens of lfm2_token_is_end */
    size_t n_stop_ids;
    const char *const *stop_strings; /* UTF-8, 1 to 65536 bytes each, NUL-terminated */
    size_t n_stop_strings;        /* at most 4096 */
    int32_t (*callback)(void *user, const lfm2_generated_token *token);
    void *callback_user;
    uint32_t n_top;               /* most likely tokens to report with each token: 0 to 64 */
    uint32_t reserved;
    /* With LFM2_GENERATE_DRAFT: what the text is expected to be, such as the text before an edit.
     * Used during the call; ignored without the flag. */
    const int32_t *draft_ids;
    size_t n_draft_ids;
    lfm2_constraint *constraint;  /* the texts that are allowed, of this model; NULL = all. Used
                                     during the call */
    /* As in lfm2_stream_options. The callback takes its events (lfm2_chat_parser_next); those of a
     * stop token and of the end of the text are left when the call returns. The call finishes the
     * answer where it fills the result. If the parser fails, so does the call. NULL = none. */
    struct lfm2_chat_parser *parser;
} lfm2_generate_options;

LFM2_API void lfm2_generate_options_init(lfm2_generate_options *options, size_t size);

typedef struct lfm2_generate_result {
    size_t size;
    int32_t finish;         /* LFM2_FINISH_* */
    int32_t stop_id;        /* the stop token, or -1 */
    uint32_t n_prompt;      /* prompt tokens appended */
    uint32_t n_generated;   /* tokens chosen, not counting a stop token */
    int32_t excluded_id;    /* the last chosen token if the session was too full to append it, else
                               -1. This token was reported, unless it equals stop_id */
    uint32_t reserved;      /* 0 */
    double prompt_seconds;  /* until the first token was reported */
    double generate_seconds;/* from then on */
    uint32_t n_drafted;     /* guessed tokens that were computed */
    uint32_t n_accepted;    /* those of them that were chosen */
    uint32_t n_forced;      /* tokens that the constraint forced, including a stop token */
    uint32_t reserved2;     /* 0 */
} lfm2_generate_result;

/* Appends the prompt, then samples, appends and reports tokens until one of LFM2_FINISH_* occurs.
 * The prompt may be empty if the session holds tokens. The sampler accepts the prompt and each
 * token. Afterwards the session holds every chosen token, including the stop token, so that the
 * next turn of a chat can follow; result->excluded_id names the one exception. `result` may be
 * NULL. Returns OK for LENGTH, STOP_TOKEN, STOP_STRING and CONTEXT. STOPPED and CANCELLED also fill
 * the result, and the session stays usable with the tokens it holds. Other errors leave the result
 * unchanged: ARGUMENT, STATE (also: all logits are -INFINITY), LIMIT (the prompt does not fit;
 * nothing is appended), MEMORY. After such an error the session stays usable, too: it holds the
 * tokens that were computed before (lfm2_session_length).
 *
 * LFM2_GENERATE_DRAFT makes the call faster where the text repeats draft_ids, earlier tokens of the
 * session, or itself. The call guesses which tokens follow and computes them in one pass with the
 * last chosen token, up to 64 tokens together and at most n_chunk. A guess is accepted exactly if
 * the sampler chooses it; wrong ones are removed. Nothing else changes, bit for bit: tokens, text,
 * log-probabilities, session, sampler, and the order of callbacks.
 * A guess continues from the place among these tokens that the text has followed so far. At first
 * this is the beginning of draft_ids; a token that differs does not end it. Or a guess continues
 * the last earlier occurrence of the last 8 tokens, or of the last 3. How many guesses are computed
 * depends on how often they were right and on the time that passes take; where they do not pay, a
 * pass has one token.
 * A call with drafts allocates, whatever n_reserve is, 64 rows of n_vocab logits and 64 inputs of
 * each convolution (together 25 MiB for LFM2-8B-A1B), and up to 24 bytes for each token of
 * draft_ids and the session; the time for it is linear in these tokens. If this fails, the call
 * returns MEMORY and has changed nothing. If a later pass or token lacks memory or KV budget for
 * drafts, the call goes on without them. Errors: ARGUMENT (also: an id in draft_ids outside the
 * vocabulary), LIMIT (also: draft_ids, session and prompt have more than 2^31 - 1 tokens).
 *
 * With a constraint the text is allowed by it, unless something else than an end token ends the
 * text: LENGTH, STOP_STRING, CONTEXT, a stop token that the constraint allows in the text.
 * lfm2_stream_sample says how tokens are chosen. Forced tokens are computed in one pass with the
 * token before them, up to 64 together and at most n_chunk; they need no logits. For such passes
 * the call allocates, whatever n_reserve is, 64 inputs of each convolution; if this or a later pass
 * lacks memory or KV budget, each forced token is computed alone. Constraint and drafts can be
 * combined; neither changes what the other does to the text. Errors: ARGUMENT (also: the constraint
 * is of another model), LIMIT (also: a limit of the constraint). */
LFM2_API int32_t lfm2_generate(lfm2_session *session, lfm2_sampler *sampler, const int32_t *prompt,
                               size_t n_prompt, const lfm2_generate_options *options,
                               lfm2_generate_result *result);

/* ---- Stream: generation step by step ------------------------------------------------------ */

/* Turns logits into text, one token a step. lfm2_generate is a loop over a session and a stream. A
 * host that computes many sessions in one pass uses a stream for each:
 *
 *     lfm2_session_prefill(session, prompt, n); lfm2_stream_prompt(stream, prompt, n);
 *     do {
 *         lfm2_session_logits(session, &logits, &n_vocab);
 *         lfm2_stream_sample(stream, logits, n_vocab, &step);
 *         ... step.text is final
 *         lfm2_session_decode(session, step.id), or lfm2_session_decode_many with others
 *     } while (step.finish == 0);
 *     lfm2_stream_flush(stream, &step);
 *
 * A stream never computes and never touches a session: the host appends the tokens. The last one
 * must be appended, too, if another turn follows. */
typedef struct lfm2_stream lfm2_stream;

enum {
    LFM2_STREAM_IGNORE_EOS = 1, /* do not end at the tokens of lfm2_token_is_end */
    LFM2_STREAM_SPECIAL = 2,    /* include the names of control tokens in the text */
    LFM2_STREAM_LOGPROBS = 4    /* compute log-probabilities; n_top > 0 sets it */
};

typedef struct lfm2_stream_options {
    size_t size;
    uint32_t max_tokens; /* 0 = no limit */
    uint32_t flags;      /* LFM2_STREAM_* */
    /* As in lfm2_generate_options. Both arrays and the strings are copied. */
    const int32_t *stop_ids;
    size_t n_stop_ids;
    const char *const *stop_strings;
    size_t n_stop_strings;
    uint32_t n_top; /* most likely tokens to report with each token: 0 to 64 */
    uint32_t reserved;
    lfm2_constraint *constraint; /* the texts that are allowed; NULL = all. The stream holds a
                                    reference */
    /* Divides the text into content, reasoning and tool calls; NULL = no parser. Each step gives it
     * what becomes final, and the host takes its events between two calls
     * (lfm2_chat_parser_next). It must not push meanwhile; what it pushed before the first token
     * precedes the text. Without stop strings the parser gets each token as with
     * lfm2_chat_parser_push; with them it gets the same later, as far as no stop string cuts it
     * off. Control tokens count as such without LFM2_STREAM_SPECIAL, too; but end tokens that do
     * not end the text (LFM2_STREAM_IGNORE_EOS) are then left out. A stop token counts if it begins
     * or ends calls or reasoning, or is an end token. lfm2_stream_flush finishes the answer, and
     * the host resets the parser before the next text. A step never fails because the parser lacks
     * memory or max_bytes are reached: lfm2_chat_parser_next and the next step do. The parser is of
     * the same model and must outlive the stream; a clone of the stream has none. */
    struct lfm2_chat_parser *parser;
} lfm2_stream_options;

LFM2_API void lfm2_stream_options_init(lfm2_stream_options *options, size_t size);

typedef struct lfm2_stream_step {
    size_t size;
    int32_t id;          /* the token, including a stop token; -1 after lfm2_stream_flush */
    int32_t finish;      /* 0 = the text goes on, or LFM2_FINISH_LENGTH, STOP_TOKEN, STOP_STRING */
    int32_t stop_string; /* the index in stop_strings of the string that ended the text, or -1 */
    uint32_t n_generated;/* tokens of the text so far, not counting a stop token */
    /* The text that became final, possibly empty. Incomplete characters and beginnings of stop
     * strings are held back. The pointers of a step are valid until the next call that is given its
     * stream. */
    const char *text;
    size_t len;
    /* Natural logarithms of the softmax of the raw logits: of `id`, and of the n_top most likely
     * tokens, best first. 0 and none without LFM2_STREAM_LOGPROBS and for a stop token. */
    float logprob;
    uint32_t n_top;
    const int32_t *top_ids;
    const float *top_logprobs;
    uint32_t forced;    /* 1: the constraint left no choice; then logprob is 0 and n_top 0 */
    uint32_t reserved;  /* 0 */
} lfm2_stream_step;

/* Holds references to the model and the sampler. One thread at a time may use the stream and its
 * sampler. Of the model only the tokenizer is used. Time and memory are linear in the stop strings
 * (13 bytes for each of their bytes). Errors: ARGUMENT (also: the constraint is of another model),
 * MEMORY, LIMIT (of the constraint), STATE (no tokenizer). */
LFM2_API int32_t lfm2_stream_create(lfm2_model *model, lfm2_sampler *sampler,
                                    const lfm2_stream_options *options, lfm2_stream **out);
LFM2_API void lfm2_stream_free(lfm2_stream *stream);

/* Copies a stream in its present state, with a clone of its sampler and its place in the
 * constraint. The copy has the same hook and `user` pointer, and no chat parser. Errors: ARGUMENT,
 * MEMORY. */
LFM2_API int32_t lfm2_stream_clone(const lfm2_stream *stream, lfm2_stream **out);

/* The stream's sampler, which lives at least as long as the stream: for example to give a clone
 * another seed with lfm2_sampler_configure. NULL if `stream` is NULL. */
LFM2_API lfm2_sampler *lfm2_stream_sampler(const lfm2_stream *stream);

/* Sets a function that lfm2_stream_sample calls before the sampler chooses, with a copy of the
 * logits that it may change: -INFINITY excludes a token. Bias, penalties and temperature apply
 * afterwards; log-probabilities stay those of the raw logits. If it returns non-zero, the call ends
 * with STOPPED. It must not use the stream or its sampler. Without a hook (NULL) nothing is copied.
 * Errors: ARGUMENT. */
LFM2_API int32_t lfm2_stream_set_hook(lfm2_stream *stream,
                                      int32_t (*hook)(void *user, float *logits, size_t n_vocab),
                                      void *user);

/* Tells the sampler which tokens precede the text. Errors: ARGUMENT (then it accepted none). */
LFM2_API int32_t lfm2_stream_prompt(lfm2_stream *stream, const int32_t *ids, size_t n);

/* Chooses the next token from the logits after the last one, and tells the sampler. After a failure
 * the stream and its sampler are unchanged. A step costs one lfm2_sampler_sample, one softmax with
 * LFM2_STREAM_LOGPROBS, and time linear in the token's text. Errors: ARGUMENT, MEMORY, STOPPED (the
 * hook), STATE (the text has ended; the parser was not reset; all logits are -INFINITY).
 * With a constraint: a token that is forced (lfm2_matcher_forced) is taken whatever the logits are,
 * without the hook and without advancing the sampler's generator. Otherwise the tokens that the
 * constraint excludes get -INFINITY, after the hook and before bias, penalties and temperature, and
 * the draw is from what is left; this costs one mask and a copy of the logits. Log-probabilities
 * stay those of the raw logits. With LFM2_STREAM_IGNORE_EOS end tokens are excluded where something
 * else can follow; where nothing can, they end the text all the same. More errors: LIMIT (of the
 * constraint); STATE also if hook and bias exclude all tokens that the constraint allows. */
LFM2_API int32_t lfm2_stream_sample(lfm2_stream *stream, const float *logits, size_t n_vocab,
                                    lfm2_stream_step *step);

/* The same with a token that the caller chose: it is part of the text, can end it, and counts as
 * generated. The hook is not called and the sampler's generator does not advance. `logits` NULL
 * means no log-probabilities. Errors: ARGUMENT (with the code "constraint.rejected": the constraint
 * does not allow the token here), MEMORY, LIMIT (of the constraint), STATE (the text has ended). */
LFM2_API int32_t lfm2_stream_force(lfm2_stream *stream, int32_t id, const float *logits,
                                   size_t n_vocab, lfm2_stream_step *step);

/* The tokens that the next calls of lfm2_stream_sample take whatever the logits are; none without a
 * constraint. A host gives each of them to lfm2_stream_force, until one ends the text, and computes
 * all in one pass (lfm2_session_prefill, lfm2_batch_run) without logits between them: the text is
 * the same as with single steps. The outputs are as in lfm2_matcher_forced. Errors: ARGUMENT,
 * BUFFER, MEMORY, LIMIT, STATE (the text has ended). */
LFM2_API int32_t lfm2_stream_forced(lfm2_stream *stream, int32_t *ids, size_t capacity, size_t *n);

/* Ends the text: the step has the text that was held back, an incomplete character as U+FFFD, and
 * the last finish and n_generated. The stream can then generate another text, from the beginning of
 * the constraint; the sampler keeps its state. May be called at any time. Errors: ARGUMENT. */
LFM2_API int32_t lfm2_stream_flush(lfm2_stream *stream, lfm2_stream_step *step);

/* ---- Chat --------------------------------------------------------------------------------- */

/* A chat template turns a conversation into the text that a model expects. It is a Jinja program
 * that comes with the model, and runs as in Hugging Face's transformers. The library does not trust
 * it: a template reads only the conversation and the options, and its steps, memory and output are
 * limited. Control tokens and user-defined tokens such as "<think>" become token ids only where the
 * template wrote them; in everything that the application passes they stay plain text. */
typedef struct lfm2_chat_template lfm2_chat_template;

typedef struct lfm2_chat_template_info {
    size_t size;
    const char *name;   /* "default", "tool_use", ...; "lfm2" for the built-in format; "" if created
                           from text */
    const char *origin; /* "tokenizer.chat_template" and the like, a file such as
                           "chat_template.jinja", "built-in" or "application" */
    const char *text;   /* the source; not compiled, so it can be invalid */
    size_t len;
} lfm2_chat_template_info;

/* Template `index` of a model, 0 to lfm2_model_info.n_chat_templates - 1. The last one is the
 * built-in LFM2 format, "lfm2". The strings live as long as the model. Errors: ARGUMENT (also:
 * there is no such template). */
LFM2_API int32_t lfm2_model_get_chat_template(const lfm2_model *model, uint32_t index,
                                              lfm2_chat_template_info *info);

/* Compiles a template that the application provides. The text is copied. The template does not
 * change, so threads can share it; it holds a reference to the runtime. It can be used with every
 * model: special tokens are those of the model that a call names. Takes time and memory in
 * proportion to the text. Errors: ARGUMENT, MEMORY, FORMAT (the template is invalid; the message
 * names the line), UNSUPPORTED (it uses what this library does not implement), LIMIT (more than 512
 * KiB, or nested too deep). */
LFM2_API int32_t lfm2_chat_template_create(lfm2_runtime *runtime, const char *text, size_t len,
                                           lfm2_chat_template **out);

/* Compiles the template of this name, as lfm2_model_get_chat_template lists them. The result does
 * not depend on the model. Errors: those of lfm2_chat_template_create, and ARGUMENT with the code
 * "chat.template_name" (no such template; the message lists the names). */
LFM2_API int32_t lfm2_chat_template_find(const lfm2_model *model, const char *name,
                                         lfm2_chat_template **out);

/* Adds a reference and returns `chat_template`. */
LFM2_API lfm2_chat_template *lfm2_chat_template_retain(lfm2_chat_template *chat_template);

/* Releases a reference. Calls that use the template must have returned: they hold none. */
LFM2_API void lfm2_chat_template_free(lfm2_chat_template *chat_template);

/* A local time, which templates may write. The library reads no clock. */
typedef struct lfm2_time {
    size_t size;              /* sizeof(lfm2_time) */
    int32_t year, month, day; /* 1970 to 9999, 1 to 12, 1 to 31 */
    int32_t hour, minute, second;
} lfm2_time;

enum {
    LFM2_CHAT_GENERATION_PROMPT = 1, /* end with the opening of an assistant message */
    LFM2_CHAT_NO_BOS = 2,            /* remove a leading BOS: the text continues a conversation */
    LFM2_CHAT_JOIN_PARTS = 4         /* templates see an array of text parts as one string */
};

typedef struct lfm2_chat_options {
    size_t size;
    const char *tools; /* JSON array of tools in OpenAI's format; NULL or tools_len 0 = none */
    size_t tools_len;
    uint32_t flags;    /* LFM2_CHAT_*; default 0 */
    uint32_t reserved;
    /* JSON object of further variables of the template, such as {"enable_thinking": false}; NULL or
     * length 0 = none. A member may replace a special token, but not messages, tools or
     * add_generation_prompt (ARGUMENT). */
    const char *template_args;
    size_t template_args_len;
    /* NULL = the model's template: with tools the one named "tool_use" if there is one, else
     * "default"; the built-in LFM2 format if the model has neither. */
    const lfm2_chat_template *chat_template;
    const lfm2_time *now; /* NULL = unknown: a template that asks for the time fails with TEXT and
                             the code "template.date" */
} lfm2_chat_options;

LFM2_API void lfm2_chat_options_init(lfm2_chat_options *options, size_t size);

/*
 * Renders a conversation. `text`, `capacity` and *len are as in lfm2_detokenize. The model may be
 * loaded in any mode. The template writes BOS; no other is added.
 *
 * `messages` is a JSON array of objects in OpenAI's format. Each has "role", a string. The template
 * decides which roles and members it accepts, and sees them unchanged with these exceptions:
 *  - content: a string, null, absent, an object, or an array of text parts ({"type": "text",
 *    "text": ...}); other parts are UNSUPPORTED.
 *  - null members are left out.
 *  - If the template fails with TEXT, it runs once more with "" for each content that is null or
 *    absent, and with arrays of parts joined as LFM2_CHAT_JOIN_PARTS does.
 *  - tool_calls[].function.arguments: text that is a JSON object is replaced by this object, and ""
 *    by {}.
 *  - reasoning_content, thinking, reasoning: the first of these that is present is also given as
 *    reasoning_content, and as thinking if that is absent.
 * Other variables are tools and documents (none if absent), add_generation_prompt, the special
 * tokens of the model's files (bos_token, eos_token, ...) and the members of template_args.
 *
 * Errors: ARGUMENT, BUFFER, MEMORY; TEXT (messages, tools or template_args do not have this format,
 * or the template refuses the conversation); UNSUPPORTED (also: a template that is not
 * implemented); FORMAT (the model's template is invalid); LIMIT. The text may have 1 MiB, plus 4
 * times the bytes of messages and tools; memory and steps are limited in proportion. All JSON may
 * nest 512 levels deep.
 */
LFM2_API int32_t lfm2_chat_render(const lfm2_model *model, const char *messages,
                                  size_t messages_len, const lfm2_chat_options *options,
                                  char *text, size_t capacity, size_t *len);

/* Renders a conversation as token ids. They are those of Hugging Face's apply_chat_template, unless
 * the application's strings contain control tokens. `ids`, `capacity` and *n_ids are as in
 * lfm2_tokenize. Errors: those of lfm2_chat_render, and STATE (no tokenizer). */
LFM2_API int32_t lfm2_chat_tokenize(const lfm2_model *model, const char *messages,
                                    size_t messages_len, const lfm2_chat_options *options,
                                    int32_t *ids, size_t capacity, size_t *n_ids);

/* What a template does, found by rendering short conversations with the given options. */
typedef struct lfm2_chat_info {
    size_t size;
    const char *name, *origin;  /* as in lfm2_chat_template_info */
    const char *reasoning_arg;  /* the template argument, true or false, that changes the text: the
                                   first of "enable_thinking" and "thinking"; "" = none. Static */
    uint32_t system;            /* 1: a system message appears in the text */
    uint32_t tools;             /* 1: the name of a tool appears in the text */
    uint32_t tool_calls;        /* 1: the name of a function in tool_calls appears in the text */
    uint32_t parts;             /* 1: an array of parts appears as their text, not as JSON */
    uint32_t opens_reasoning;   /* 1: the generation prompt has "<think>" without "</think>" */
    int32_t reasoning_start_id; /* the token "<think>"; -1 = none, then it is several tokens */
    int32_t reasoning_end_id;   /* the token "</think>" */
    uint32_t reserved;          /* 0 */
} lfm2_chat_info;

/* Describes the template that lfm2_chat_render uses with these options. Flags and `now` are
 * ignored. The strings live as long as the template, or the model. Costs some 10 renderings. A
 * feature whose conversation the template refuses is 0. Errors: those of lfm2_chat_render without
 * BUFFER. If the template cannot be compiled, the call fails with that error after it has set name
 * and origin and cleared the rest. */
LFM2_API int32_t lfm2_chat_get_info(const lfm2_model *model, const lfm2_chat_options *options,
                                    lfm2_chat_info *info);

/* ---- Chat: parsing answers ---------------------------------------------------------------- */

/* Divides what a model writes into content, reasoning and tool calls, while it comes:
 *
 *     lfm2_chat_parser_push(parser, &step.id, 1);
 *     while (lfm2_chat_parser_next(parser, &event) == LFM2_OK && event.kind != 0) { ... }
 *
 * and at the end lfm2_chat_parser_finish, the last events, and lfm2_chat_parser_message.
 *
 * A call block is between the tokens "<|tool_call_start|>" and "<|tool_call_end|>": a list of
 * Python calls, [name(argument=value, ...), ...], or JSON objects with "name" and "arguments".
 * Values are Python's or JSON's: strings in either quote, also tripled, numbers, True and true,
 * None and null, lists, tuples, sets, dicts. Arguments become a JSON object. Escapes are undone
 * once, digits of numbers are kept, and a quote inside a string needs no escape where the rest of
 * the call shows that it is part of the string. src/text/README.md has all rules.
 *
 * Nothing that a model writes is an error, and no byte is lost: what is no call is content, byte
 * for byte. This includes a call with positional arguments, bytes, infinite numbers, expressions,
 * or a name that occurs twice; a call that the text ends in; and a call block without a call, with
 * its tokens. Beside content and reasoning, byte for byte, and the calls there are only the tokens,
 * and white space and separators around the calls of a call block. Reasoning is between "<think>"
 * and "</think>"; calls in it are reasoning.
 *
 * Where the text is divided does not matter: the events of a text pushed at once and byte by byte
 * give the same message. Time and memory are linear in the text: the parser keeps it, and calls and
 * events. One thread at a time may use a parser. */
typedef struct lfm2_chat_parser lfm2_chat_parser;

enum {
    LFM2_CHAT_PARSE_REASONING = 1,  /* the prompt has opened "<think>": the text begins as reasoning
                                       (lfm2_chat_info.opens_reasoning) */
    LFM2_CHAT_PARSE_WHOLE_CALLS = 2 /* no event of a call before it is complete, so that none is
                                       undone */
};

typedef struct lfm2_chat_parser_options {
    size_t size;
    /* JSON array of the tools that the model knows, as in lfm2_chat_options; "[]" if there are
     * none; NULL or length 0 = not known. They decide two things. A bare number or word for a
     * parameter whose "type" is a string becomes a string. And calls without the start token count
     * without an end token, too, if they begin a line, end the text, name known functions, and do
     * not repeat the call block before them. */
    const char *tools;
    size_t tools_len;
    uint32_t flags;         /* LFM2_CHAT_PARSE_* */
    uint32_t reserved;
    const char *id_prefix;  /* call ids are this text and the number of the call, from 0 on: choose
                               one for each message; at most 256 bytes; NULL = "call_" */
    uint64_t max_bytes;     /* of the text; 0 = 64 MiB */
} lfm2_chat_parser_options;

LFM2_API void lfm2_chat_parser_options_init(lfm2_chat_parser_options *options, size_t size);

/* Holds a reference to the model, of which it uses the tokenizer. Errors: ARGUMENT, MEMORY, STATE
 * (no tokenizer), TEXT (tools). */
LFM2_API int32_t lfm2_chat_parser_create(lfm2_model *model, const lfm2_chat_parser_options *options,
                                         lfm2_chat_parser **out);
LFM2_API void lfm2_chat_parser_free(lfm2_chat_parser *parser);

/* Adds tokens. Control tokens count as such, and text that spells one is text. An end token ends
 * the answer. LIMIT (more than max_bytes) and ARGUMENT add nothing. After MEMORY the parser can be
 * reset or freed only. Errors: ARGUMENT, MEMORY, LIMIT, STATE (the answer was finished). */
LFM2_API int32_t lfm2_chat_parser_push(lfm2_chat_parser *parser, const int32_t *ids, size_t n);

/* Adds text in which control tokens are written by name, such as that of another engine. It may
 * be divided at any byte. "<|im_end|>" and "<|endoftext|>" end the answer if only white space
 * follows. Where the vocabulary has no token "<think>", reasoning can begin only at the start of a
 * line, and after other tokens. Errors: those of lfm2_chat_parser_push. */
LFM2_API int32_t lfm2_chat_parser_push_text(lfm2_chat_parser *parser, const char *text, size_t len);

/* Ends the answer: what was held back becomes events. Errors: those of lfm2_chat_parser_push. */
LFM2_API int32_t lfm2_chat_parser_finish(lfm2_chat_parser *parser);

/* Starts another answer with the same options. */
LFM2_API int32_t lfm2_chat_parser_reset(lfm2_chat_parser *parser);

/* Kinds of events. The message has the texts of all CONTENT events as content, those of REASONING
 * events as reasoning_content, and for each call those of its ARGUMENTS events as arguments. */
enum {
    LFM2_CHAT_EVENT_NONE = 0, /* there is none before more is pushed */
    LFM2_CHAT_EVENT_CONTENT = 1,
    LFM2_CHAT_EVENT_REASONING = 2,
    LFM2_CHAT_EVENT_CALL_START = 3, /* id, name */
    LFM2_CHAT_EVENT_ARGUMENTS = 4,
    LFM2_CHAT_EVENT_CALL_END = 5,
    LFM2_CHAT_EVENT_CALL_UNDONE = 6 /* the last call that has started is none: forget it. Its text
                                       follows as content. The next call has the same index */
};

typedef struct lfm2_chat_event {
    size_t size;
    int32_t kind;     /* LFM2_CHAT_EVENT_* */
    uint32_t call;    /* the index of the call */
    const char *text; /* CONTENT, REASONING, ARGUMENTS; "" for others. Characters are whole */
    size_t len;
    const char *id;   /* CALL_START; "" for others */
    const char *name;
    size_t name_len;
    uint64_t offset;  /* CONTENT, REASONING: of the text in the source; CALL_START: of the call */
} lfm2_chat_event;

/* Takes the next event. Its pointers are valid until the next call that is given its parser or the
 * stream that it belongs to. Errors: ARGUMENT, MEMORY (the event is not taken), and what made an
 * earlier call fail, also one of a stream (then the parser can be reset or freed only). */
LFM2_API int32_t lfm2_chat_parser_next(lfm2_chat_parser *parser, lfm2_chat_event *event);

/* Writes the message as a JSON object, as lfm2_chat_render takes it: "role", "content" (maybe ""),
 * "reasoning_content" if there is reasoning, maybe empty, and "tool_calls" if there are calls, with
 * "arguments" as text. Bytes that are not UTF-8 become U+FFFD. Before lfm2_chat_parser_finish, the
 * message has the content, reasoning and complete calls so far. `text`, `capacity` and *len are as
 * in lfm2_detokenize. Errors: ARGUMENT, BUFFER. */
LFM2_API int32_t lfm2_chat_parser_message(const lfm2_chat_parser *parser, char *text,
                                          size_t capacity, size_t *len);

typedef struct lfm2_chat_call {
    size_t size;
    const char *id;
    const char *name;
    size_t name_len;
    const char *arguments; /* a JSON object */
    size_t arguments_len;
    uint64_t offset;       /* where the model wrote the call: bytes [offset, offset + source_len) */
    uint64_t source_len;   /* of the source */
} lfm2_chat_call;

/* Call `index` of the message. The pointers are valid until the parser changes. Errors: ARGUMENT
 * (also: there is no such call). */
LFM2_API int32_t lfm2_chat_parser_get_call(const lfm2_chat_parser *parser, uint32_t index,
                                           lfm2_chat_call *call);

/* The number of complete calls so far. */
LFM2_API uint32_t lfm2_chat_parser_calls(const lfm2_chat_parser *parser);

/* All text that was pushed, tokens by their names: keep it (or the ids) beside the message, to give
 * the model exactly what it wrote where its template would write it in another way. Valid until
 * more is pushed. */
LFM2_API const char *lfm2_chat_parser_source(const lfm2_chat_parser *parser, size_t *len);

/* ---- Engine: many requests ---------------------------------------------------------------- */

/* Generates the texts of many requests at the same time: requests in, events out.
 *
 *     lfm2_engine_submit(engine, &request, &id);
 *     while (lfm2_engine_wait(engine, 1000, &event) == LFM2_OK && event.kind != LFM2_EVENT_END) ...
 *
 * The engine makes steps. A step is one pass over one token of each sequence that generates, and
 * over a part of the prompts that are not computed yet. It is cut so that the predicted time of the
 * step, a linear model fitted to the steps before it, is at most step_ms, and at most the time of a
 * step without prompts divided by decode_share. If even the smallest useful part of a prompt takes
 * longer, steps without prompts follow until the generating sequences have had decode_share of the
 * time again. A long prompt so never stops those who read an answer. Without generating sequences a
 * step takes n_rows tokens.
 *
 * Order. Requests wait in a queue. Those of a lower `priority` come first; among equals the one
 * with the fewest prompt tokens left to compute, less what its waiting is worth, so that short
 * prompts do not wait behind long ones and long ones are not postponed forever. A sequence that
 * generates is not interrupted for a request that waits.
 *
 * Memory. Sequences take pages as they grow. If the KV budget of the model is used up, caches evict
 * first; then the engine parks the sequence that came last among those of the highest `priority`
 * number: it gives its pages back and computes them again when there is room. Only a request that
 * does not fit alone ends with LIMIT. A request that lacks other memory ends with MEMORY.
 *
 * Text. A request's tokens do not depend on what else runs, on step_ms, on caches or on parking:
 * they are those of lfm2_generate with the same prompt, sampler options and constraint, on a new
 * session. The n choices of a request differ in the seed: choice i has seed + i.
 *
 * Threads. With LFM2_ENGINE_THREAD the engine has a thread that makes the steps; otherwise the
 * application calls lfm2_engine_step. All functions may be called by any thread at any time; but
 * events are for one thread at a time, and lfm2_engine_free must be the last call. In the child of
 * a fork every call but lfm2_engine_free fails with STATE. */
typedef struct lfm2_engine lfm2_engine;

enum {
    LFM2_ENGINE_THREAD = 1,  /* a thread of the engine makes the steps */
    LFM2_ENGINE_NO_CACHE = 2 /* no prefix cache */
};

typedef struct lfm2_engine_options {
    size_t size;
    uint32_t flags;       /* LFM2_ENGINE_* */
    uint32_t step_ms;     /* most predicted time of a step in milliseconds; 0 = no limit, for
                             throughput; default 300 */
    float decode_share;   /* 0 to 1: least share of their speed that generating sequences keep while
                             prompts are computed; 1: prompts wait; default 0.4 */
    uint32_t n_ctx;       /* most tokens of a sequence; 0 = the model's context */
    int32_t kv_type;      /* LFM2_KV_* */
    uint32_t max_running; /* sequences that are computed at the same time: 1 to 1024; 0 = 64 */
    uint32_t max_queue;   /* requests that wait: 0 = 256 */
    uint32_t n_rows;      /* most prompt tokens of a step: 1 to 7089; 0 = 512 */
    /* The prefix cache of the engine, as in lfm2_cache_options. Requests find what the folder has;
     * the application saves there (LFM2_REQUEST_KEEP, lfm2_cache_save). */
    uint64_t cache_bytes;
    const char *cache_folder;
    uint64_t cache_disk_bytes;
    /* Called after events have been added to an empty queue, on the thread that makes the steps:
     * for example to write to an eventfd. It must not call the library. */
    void (*notify)(void *user);
    void *notify_user;
} lfm2_engine_options;

LFM2_API void lfm2_engine_options_init(lfm2_engine_options *options, size_t size);

/* Holds a reference to the model. Errors: ARGUMENT, MEMORY, THREAD, IO (the folder), STATE (the
 * model was not loaded in full, or has no tokenizer). */
LFM2_API int32_t lfm2_engine_create(lfm2_model *model, const lfm2_engine_options *options,
                                    lfm2_engine **out);

/* Ends all requests without events, stops the thread, and frees the engine. */
LFM2_API void lfm2_engine_free(lfm2_engine *engine);

/* ---- Engine: requests --------------------------------------------------------------------- */

enum {
    LFM2_REQUEST_IGNORE_EOS = 1, /* do not end at the tokens of lfm2_token_is_end */
    LFM2_REQUEST_SPECIAL = 2,    /* include the names of control tokens in the text */
    LFM2_REQUEST_LOGPROBS = 4,   /* compute log-probabilities; n_top > 0 sets it */
    LFM2_REQUEST_DRAFT = 8,      /* as LFM2_GENERATE_DRAFT; ignored while many sequences run */
    LFM2_REQUEST_NO_CACHE = 16,  /* neither look for the prompt in the cache nor store anything */
    LFM2_REQUEST_KEEP = 32,      /* keep the session of choice 0 for lfm2_engine_take_session */
    LFM2_REQUEST_PROGRESS = 64   /* events about the progress of the prompt */
};

typedef struct lfm2_request_options {
    size_t size;
    uint32_t flags;                      /* LFM2_REQUEST_* */
    int32_t priority;                    /* lower comes first; default 0 */
    const int32_t *prompt;               /* at least 1 token; copied */
    size_t n_prompt;
    const lfm2_sampler_options *sampler; /* copied; NULL = the model's defaults */
    uint32_t n_choices;                  /* texts to generate from the prompt, which is computed
                                            once: 1 to 128; 0 = 1 */
    uint32_t max_tokens;                 /* of each choice; 0 = no limit but the context */
    /* As in lfm2_stream_options; copied. */
    const int32_t *stop_ids;
    size_t n_stop_ids;
    const char *const *stop_strings;
    size_t n_stop_strings;
    uint32_t n_top;                      /* 0 to 64 */
    uint32_t deadline_ms;                /* from the call on: what is not finished then ends with
                                            LFM2_FINISH_DEADLINE; 0 = none */
    lfm2_constraint *constraint;         /* the engine holds a reference; NULL = none */
    const lfm2_chat_parser_options *parser; /* divide the texts into messages: events CHAT instead
                                               of text; copied; NULL = no parser. To the id_prefix
                                               of choice i > 0 is added i and "_" */
    const int32_t *draft_ids;            /* with LFM2_REQUEST_DRAFT: what the text is expected to
                                            be; copied */
    size_t n_draft_ids;
    uint64_t cache_scope;                /* cached prefixes are found by requests of their scope
                                            only: lfm2_session_options.cache_scope */
    /* A session of this model with the tokens of an earlier part of the conversation, or NULL. If
     * it has more tokens in common with the prompt than the cache, the request starts with a fork
     * of it. Used during the call only. */
    const lfm2_session *session;
    void *user;                          /* returned in the events */
} lfm2_request_options;

LFM2_API void lfm2_request_options_init(lfm2_request_options *options, size_t size);

/* Adds a request. *id receives its number, which is never used again. A prompt that leaves no room
 * for a token in n_ctx is a LIMIT error with the code "engine.context"; a full queue is a LIMIT
 * error with the code "engine.queue". Errors: ARGUMENT, MEMORY, LIMIT, TEXT (tools of the parser),
 * STATE (in the child of a fork). */
LFM2_API int32_t lfm2_engine_submit(lfm2_engine *engine, const lfm2_request_options *request,
                                    uint64_t *id);

/* Ends a request: its event END follows within a step, within a layer if its prompt is computed.
 * Events of its tokens that are in the queue stay there. No error if the request is not known. */
LFM2_API int32_t lfm2_engine_cancel(lfm2_engine *engine, uint64_t id);

/* Makes one step on the calling thread. *n_left (may be NULL) receives the number of requests that
 * are not finished. A failing request ends with an event, not with an error of this call. Errors:
 * ARGUMENT, STATE (LFM2_ENGINE_THREAD, another thread makes a step, or in the child of a fork). */
LFM2_API int32_t lfm2_engine_step(lfm2_engine *engine, uint32_t *n_left);

/* ---- Engine: events ----------------------------------------------------------------------- */

/* The events of a request come in this order: START; PROGRESS; then for each choice TOKEN and CHAT
 * and one FINISH, those of different choices mixed; END. A request that fails or is cancelled has
 * END at once: choices without FINISH have none. One that ends in the queue has no START. */
enum {
    LFM2_EVENT_NONE = 0,
    LFM2_EVENT_START = 1,    /* left the queue: n_prompt, n_cached, seconds */
    LFM2_EVENT_PROGRESS = 2, /* n_computed of n_prompt tokens are computed */
    LFM2_EVENT_TOKEN = 3,    /* a token was chosen, but not a stop token: id, text, logprob,
                                top_ids, ...; with a parser `text` is empty */
    LFM2_EVENT_CHAT = 4,     /* what the parser found: `chat` */
    LFM2_EVENT_FINISH = 5,   /* a choice is complete: finish, stop_id, stop_string, n_generated;
                                text: the rest that was held back; with a parser: message, source */
    LFM2_EVENT_END = 6       /* the last event of a request: status, error, error_code, seconds */
};

/* One more reason in which a text of the engine can end. */
enum { LFM2_FINISH_DEADLINE = 7 };

typedef struct lfm2_engine_event {
    size_t size;
    int32_t kind;         /* LFM2_EVENT_* */
    uint32_t choice;      /* 0 to n_choices - 1 */
    uint64_t request;
    void *user;
    double seconds;       /* since lfm2_engine_submit */
    uint32_t n_prompt;    /* tokens of the prompt */
    uint32_t n_cached;    /* those that were not computed, because a cache or session had them */
    uint32_t n_computed;  /* those that are in the session now */
    uint32_t n_generated; /* tokens of the choice so far, not counting a stop token */
    /* TOKEN, FINISH: as in lfm2_stream_step. */
    int32_t id;
    int32_t finish;
    int32_t stop_id;
    int32_t stop_string;
    const char *text;
    size_t len;
    float logprob;
    uint32_t n_top;
    const int32_t *top_ids;
    const float *top_logprobs;
    uint32_t forced;
    uint32_t n_drafted, n_accepted; /* FINISH: as in lfm2_generate_result */
    int32_t status;                 /* END: LFM2_OK, LFM2_E_CANCELLED, LFM2_E_LIMIT, ... */
    const lfm2_chat_event *chat;    /* CHAT */
    const char *message;            /* FINISH with a parser: lfm2_chat_parser_message */
    size_t message_len;
    const char *source;             /* FINISH with a parser: lfm2_chat_parser_source */
    size_t source_len;
    const int32_t *ids;             /* FINISH: the n_ids tokens of the choice, with a stop token */
    size_t n_ids;
    const char *error, *error_code; /* END: as lfm2_last_error and lfm2_last_error_code; "" if OK */
} lfm2_engine_event;

/* Takes the next event; kind NONE if there is none. Its pointers are valid until the next event is
 * taken. Errors: ARGUMENT, STATE (in the child of a fork). */
LFM2_API int32_t lfm2_engine_next(lfm2_engine *engine, lfm2_engine_event *event);

/* The same, and waits for up to `milliseconds` for an event. With LFM2_ENGINE_THREAD. Errors:
 * ARGUMENT, STATE (also: the engine has no thread). */
LFM2_API int32_t lfm2_engine_wait(lfm2_engine *engine, uint32_t milliseconds,
                                  lfm2_engine_event *event);

/* Takes the session of choice 0 of a request with LFM2_REQUEST_KEEP, once its event FINISH has been
 * taken and until its event END has been: afterwards the engine has freed it. It holds the prompt
 * and the tokens of the choice; of one that ended by its deadline perhaps fewer. The caller frees
 * it. Errors: ARGUMENT (also: there is none), STATE. */
LFM2_API int32_t lfm2_engine_take_session(lfm2_engine *engine, uint64_t id, lfm2_session **out);

typedef struct lfm2_engine_stats {
    size_t size;
    uint32_t n_waiting;   /* requests in the queue, now */
    uint32_t n_running;   /* requests that have left it and are not finished, now */
    uint32_t n_decoding;  /* sequences that generate, now */
    uint32_t n_parked;    /* sequences that wait for memory, now */
    uint64_t n_submitted, n_finished, n_cancelled, n_failed; /* requests, since creation */
    uint64_t n_refused;        /* because the queue was full */
    uint64_t n_steps, n_parks;
    uint64_t prompt_tokens;    /* computed */
    uint64_t cached_tokens;    /* prompt tokens that were not computed */
    uint64_t generated_tokens;
    uint64_t drafted_tokens, accepted_tokens;
    double busy_seconds;       /* inside steps */
    double longest_step;       /* seconds, of the steps since the last call of this function */
    /* The fitted model: a step with prompts takes fixed + row * (all its tokens); 0: none yet. */
    double step_fixed_seconds, step_row_seconds;
    uint64_t steps_by_rows[12]; /* steps with 0, 1, 2, 3-4, 5-8, ... 257-512, more rows of
                                   generating sequences */
} lfm2_engine_stats;

LFM2_API int32_t lfm2_engine_get_stats(lfm2_engine *engine, lfm2_engine_stats *stats);

/* The prefix cache of the engine, for lfm2_cache_get_usage, lfm2_cache_save and the like; NULL with
 * LFM2_ENGINE_NO_CACHE. It lives as long as the engine. */
LFM2_API lfm2_cache *lfm2_engine_cache(lfm2_engine *engine);

#ifdef __cplusplus
}
#endif

#endif /* LFM2_H */
