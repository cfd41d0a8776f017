/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfm2: Liquid AI's LFM2 language models on ordinary CPUs.
 *
 * This header is what an application needs, with its contract. It reads top to bottom in the order
 * in which a program uses it: status, runtime, model, text, session, sampler, generation, chat.
 * lfm2_tools.h has what makes and measures model files; only this header has a stable ABI.
 *
 * Rules that hold for every function:
 *  - Fallible functions return an int32_t status: LFM2_OK (0) or one of LFM2_E_*. After a failure
 *    lfm2_last_error() and lfm2_last_error_code() of the same thread say what and where.
 *    A call that succeeds leaves both alone. On failure every output is left untouched unless its
 *    comment says otherwise.
 *  - The library never aborts, exits, prints, installs signal handlers or reads the environment.
 *    Its threads block every signal but those that a thread raises by its own fault (SIGSEGV,
 *    SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT).
 *  - A thread that calls the library needs 64 KiB of stack for it, plus what callbacks and signal
 *    handlers use.
 *  - Text is UTF-8 with an explicit length in bytes. Paths, names and stop strings are
 *    0-terminated, and so is every text that the library returns.
 *  - Later versions may add statuses, finish reasons, token kinds and log levels. Treat a status
 *    that you do not know as a failure, and a finish reason that you do not know as an end.
 *  - Option structs start with `size`, the caller's sizeof. Call the matching _init function with
 *    that size: it clears the struct and sets `size` and the defaults. Change what you need, then
 *    pass the pointer; NULL means defaults. Structs only grow at their end, and zero is the default
 *    of every field that a later version adds, so a program built against an older header keeps
 *    working. A newer program may pass a larger struct to this library: LFM2_E_ARGUMENT if it set
 *    a field that this version does not know.
 *  - Output structs start with `size` too: set it to sizeof the struct before the call. Of a struct
 *    larger than this version's, the rest is cleared.
 *  - Bits of a `flags` argument or field that this version does not define, and `reserved` fields
 *    that are not 0, are LFM2_E_ARGUMENT.
 *  - A pointer to a handle may be passed between threads freely. A runtime and a model may be used
 *    by several threads at once; a session, a sampler and a decoder by one thread at a time
 *    (lfm2_session_cancel is the exception).
 *  - Passes that use a runtime's threads take turns: one chunk of a prompt or one step of decoding
 *    at a time, in the order of the calls. Callers sleep until it is their turn. A runtime of one
 *    thread has nothing to share: calls from several threads run at the same time, so that two
 *    sessions on two free cores give up to twice the tokens of one, as far as the memory's
 *    bandwidth goes.
 *  - fork: the threads of a runtime exist in the parent only. In the child every handle may be
 *    freed, what needs no threads works, and what computes returns LFM2_E_STATE with the code
 *    "runtime.forked" at once. The same holds for a thread pool of the host. A runtime of one
 *    thread continues to work in the child, with the sessions that no other thread used during the
 *    fork. A child may create its own runtimes.
 *  - free functions accept NULL.
 *  - Callbacks run on the thread that called the library; they must not call back into the same
 *    session. A callback that returns non-zero stops the call, which returns LFM2_E_STOPPED. A call
 *    ended by lfm2_session_cancel returns LFM2_E_CANCELLED.
 *  - Every function can be called without macros, from any language with a C FFI.
 *
 * Numerical law: the logits of a token depend on the model file, the tokens before it, the KV type
 * and the kernel family only: never on how many tokens share a call, on chunk sizes, or on the
 * number of threads. Bit for bit. The calling thread must have the default floating-point
 * environment (round to nearest, subnormal numbers kept).
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

/* major * 1000000 + minor * 1000 + patch, to compare with lfm2_version_number(). */
#define LFM2_VERSION_NUMBER 2000

/* The version of the library, "0.2.0". Static storage. */
LFM2_API const char *lfm2_version(void);
LFM2_API uint32_t lfm2_version_number(void);

/* ---- Status ------------------------------------------------------------------------------- */

enum {
    LFM2_OK = 0,
    LFM2_E_ARGUMENT = 1,    /* a parameter is NULL, out of range or inconsistent */
    LFM2_E_MEMORY = 2,      /* an allocation failed; nothing was lost */
    LFM2_E_IO = 3,          /* the operating system could not open, read, map or write a file */
    LFM2_E_FORMAT = 4,      /* a file is broken: the message names file, key or tensor, offset */
    LFM2_E_UNSUPPORTED = 5, /* a valid file or request that this library does not handle */
    LFM2_E_THREAD = 6,      /* the system refused to start a thread */
    LFM2_E_LIMIT = 7,       /* the session's context is full, or a documented limit is exceeded */
    LFM2_E_BUFFER = 8,      /* the caller's buffer is too small; the needed size was returned */
    LFM2_E_STOPPED = 9,     /* a callback returned non-zero; not a fault */
    LFM2_E_CANCELLED = 10,  /* lfm2_session_cancel was called; not a fault */
    LFM2_E_TEXT = 11,       /* invalid JSON given by the caller */
    LFM2_E_STATE = 12,      /* the call does not fit the state of the handle */
    LFM2_E_INTERNAL = 13    /* a broken promise inside the library: please report it */
};

/* Name of a status, e.g. "LFM2_E_FORMAT"; "LFM2_E_?" for other values. Static storage. */
LFM2_API const char *lfm2_status_name(int32_t status);

/* Text of this thread's last failure, English, one line, e.g.
 * "model.gguf: tensor 'blk.3.attn_q.weight': offset 0x1234: ends beyond the file".
 * "" before the first failure. Valid until this thread's next failing call. */
LFM2_API const char *lfm2_last_error(void);

/* Stable machine-readable name of this thread's last failure, e.g. "gguf.tensor.bounds". */
LFM2_API const char *lfm2_last_error_code(void);

/* ---- Runtime: threads, allocator, log, CPU mask ------------------------------------------- */

typedef struct lfm2_runtime lfm2_runtime;

/* Log levels. */
enum { LFM2_LOG_ERROR = 0, LFM2_LOG_WARN = 1, LFM2_LOG_INFO = 2, LFM2_LOG_DEBUG = 3 };

/* Instruction sets that cpu_disable can switch off. Disabling one also disables those that build on
 * it: AVX2 off means AVX-VNNI and all AVX-512 off, DOTPROD off means I8MM off, NEON off means both
 * off. On arm64 the portable C code is compiled for NEON in any case. LFM2_CPU_ALL stands for every
 * instruction set, those of later versions included. */
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
    LFM2_CPU_DOTPROD = 512,  /* its int8 dot products */
    LFM2_CPU_I8MM = 1024,    /* its int8 matrix products */
    LFM2_CPU_ALL = 0x7fffffff
};

/* Who supplies the quantised matrix kernels. */
enum {
    LFM2_KERNELS_AUTO = 0,    /* the winner for each format on this CPU: measured on x86-64,
                                 supposed on arm64 */
    LFM2_KERNELS_SCALAR = 1,  /* portable C only */
    LFM2_KERNELS_OWN = 2,     /* this library's kernels; scalar where there is none */
    LFM2_KERNELS_XNNPACK = 3  /* XNNPACK's where one fits the format; else as OWN */
};

typedef struct lfm2_runtime_options {
    size_t size;
    int32_t n_threads;    /* threads that compute, the caller included, at most 1024; 0 = the
                             physical cores that this process may use, but no more than its
                             cgroups' CPU quota is enough for */
    uint32_t cpu_disable; /* LFM2_CPU_* bits not to be used, or LFM2_CPU_ALL */
    int32_t kernels;      /* LFM2_KERNELS_* */
    int32_t log_level;    /* messages above this level are not delivered */
    /* Allocator of everything but the threads' stacks and one page that notices forks: both or
     * neither. alloc returns memory of `bytes` bytes aligned to `align` (a power of two, at most
     * 4096) or NULL. They must be callable from any thread. */
    void *(*alloc)(void *user, size_t bytes, size_t align);
    void (*free)(void *user, void *ptr, size_t bytes, size_t align);
    void *alloc_user;
    /* Log sink; NULL = silent. May be called from the thread that calls the library only. */
    void (*log)(void *user, int32_t level, const char *text, size_t len);
    void *log_user;
    /* A pthreadpool_t of the host; its size counts, not n_threads. It must outlive the
     * runtime. Its threads and its caller spin while they wait, so busy neighbours slow it down far
     * more than a pool of the runtime's own. */
    void *threadpool;
} lfm2_runtime_options;

LFM2_API void lfm2_runtime_options_init(lfm2_runtime_options *options, size_t size);

/* Detects the CPU, selects kernels, starts n_threads - 1 threads. They wait in a loop for some
 * milliseconds after each pass before they sleep, and sleep at once if there are more of them
 * than processors. While other programs keep processors busy, fewer of them work, unless the
 * pool is the host's or has more threads than processors. What cannot be determined for lack of
 * /proc or /sys is logged at LFM2_LOG_WARN. Errors: ARGUMENT, MEMORY, THREAD. Models and
 * samplers hold a reference to their runtime: it may be freed before them, and goes away with
 * the last of them. */
LFM2_API int32_t lfm2_runtime_create(const lfm2_runtime_options *options, lfm2_runtime **out);
LFM2_API void lfm2_runtime_free(lfm2_runtime *runtime);

LFM2_API int32_t lfm2_runtime_threads(const lfm2_runtime *runtime);

/* LFM2_CPU_* bits in use (detected and not disabled). */
LFM2_API uint32_t lfm2_runtime_cpu(const lfm2_runtime *runtime);

/* ---- Model: immutable, shared, reference-counted ------------------------------------------ */

typedef struct lfm2_model lfm2_model;

enum {
    LFM2_LOAD_FULL = 0,     /* ready to run */
    LFM2_LOAD_TOKENIZER = 1, /* tokenizer only: no weights are read */
    LFM2_LOAD_INSPECT = 2   /* everything is parsed and checked, nothing is packed */
};

/* Which of the two published BPE rules holds for a piece that is itself a vocabulary entry. */
enum {
    LFM2_MERGES_FILE = 0,   /* tokenizer.json's ignore_merges; for GGUF files: false */
    LFM2_MERGES_APPLY = 1,  /* always merge step by step (Hugging Face, ignore_merges false) */
    LFM2_MERGES_IGNORE = 2  /* emit such a piece whole (llama.cpp) */
};

/* The pack cache holds the weights as the kernels read them, in a file beside the model: a start
 * with it maps that file and is ready in milliseconds. lfm2_model_save_cache makes it. It is not
 * used when the model's files (sizes, times, tensor table, samples of the data) or the kernels'
 * layouts have changed, or when its size or header is wrong; damage inside the weights only VERIFY
 * finds. Like the model file it must not shrink while the model lives (LFM2_MODEL_COPY lifts that
 * for both), and must be as trusted. */
enum {
    LFM2_CACHE_USE = 0,   /* if there is one that fits */
    LFM2_CACHE_OFF = 1,
    LFM2_CACHE_VERIFY = 2, /* as USE, and every checksum is compared: reads the whole file; FORMAT
                              if one differs */
    LFM2_CACHE_REQUIRE = 3 /* an error if it cannot be used: IO if it cannot be read, FORMAT if it
                              does not fit, ARGUMENT if the model is not loaded from a path and
                              cache_path is NULL */
};

enum {
    /* Read everything into own memory and map nothing. The model does not depend on its files (or
     * on the caller's memory) once the load call has returned. Reading replaces mapping also for
     * the pack cache. A file that shrinks during the call is an IO error that names the offset. */
    LFM2_MODEL_COPY = 1
};

typedef struct lfm2_model_options {
    size_t size;
    int32_t mode;   /* LFM2_LOAD_FULL, LFM2_LOAD_TOKENIZER or LFM2_LOAD_INSPECT */
    int32_t merges; /* LFM2_MERGES_* */
    int32_t cache;  /* LFM2_CACHE_* */
    uint32_t flags; /* LFM2_MODEL_COPY or 0 */
    const char *cache_path; /* NULL: model path + ".lfm2pack" (folder: /model.lfm2pack in it); no
                               pack cache if the model is not loaded from a path */
    /* Called now and then while loading, done in 0..1; NULL = none. */
    int32_t (*progress)(void *user, double done);
    void *progress_user;
} lfm2_model_options;

LFM2_API void lfm2_model_options_init(lfm2_model_options *options, size_t size);

/*
 * Four ways to load a model. They accept the same options and give the same model: logits do not
 * depend on the way, bit for bit. What they cost:
 *  - Time: packing reads every weight once. With a pack cache that fits, a start reads the header,
 *    at most 128 bytes of each tensor, and the small tensors; LFM2_MODEL_COPY also reads the
 *    embedding and the whole pack cache.
 *  - Memory: the packed weights (none of their own if they are a mapped pack cache), plus, while
 *    packing, a buffer of some 32 MiB. The token embedding is used where it lies in the mapping or
 *    in the caller's memory; it is copied under LFM2_MODEL_COPY, by lfm2_model_load_reader, and
 *    when the file does not begin at a multiple of 8 bytes. lfm2_estimate_memory counts it.
 * The header (metadata, vocabulary, tensor table; at most 128 MiB) is read once, into own memory,
 * before any of it is used: a check that was made holds whatever becomes of the file.
 * Errors of all four: ARGUMENT, MEMORY, IO, FORMAT, UNSUPPORTED, STOPPED, STATE (in the child of
 * a fork).
 */

/* Loads a GGUF file (the first part of a split one), or a Hugging Face folder (config.json,
 * *.safetensors, tokenizer.json). Unless LFM2_MODEL_COPY is set, the file is mapped into memory: it
 * must not shrink while the model lives. */
LFM2_API int32_t lfm2_model_load(lfm2_runtime *runtime, const char *path,
                                 const lfm2_model_options *options, lfm2_model **out);

/* Loads a GGUF file that fills `bytes` bytes of an open file from `offset` on: any offset; bytes 0
 * means to the end. fd must be open for reading and refer to a regular file (IO for a pipe, a
 * socket or a directory; ARGUMENT if the range exceeds the file). The call neither moves the file
 * position nor closes fd, and the caller may close it afterwards; the mapping is kept as in
 * lfm2_model_load. Messages call the file "<fd N>". One part of a split model is UNSUPPORTED. */
LFM2_API int32_t lfm2_model_load_fd(lfm2_runtime *runtime, int32_t fd, uint64_t offset,
                                    uint64_t bytes, const lfm2_model_options *options,
                                    lfm2_model **out);

/* Loads a GGUF file that lies in the caller's memory, at any alignment. Unless LFM2_MODEL_COPY is
 * set, the memory must stay valid and unchanged while the model lives. It is never written. A pack
 * cache is recognised by the file's size, tensor table and samples alone. Messages call the file
 * "<memory>". One part of a split model is UNSUPPORTED. */
LFM2_API int32_t lfm2_model_load_memory(lfm2_runtime *runtime, const void *data, uint64_t bytes,
                                        const lfm2_model_options *options, lfm2_model **out);

typedef struct lfm2_model_reader {
    size_t size;    /* sizeof(lfm2_model_reader) */
    uint64_t bytes; /* of the whole GGUF file */
    /* Copies n bytes from `offset` on to `buffer` and returns 0; any other result ends the load
     * with STOPPED. Requests are for 1 byte to 4 MiB, never beyond `bytes`. Every header byte is
     * requested once, weights in any order, some of them several times. Each tensor takes two
     * requests of at most 64 bytes: a callback that is costly should buffer them. */
    int32_t (*read)(void *user, uint64_t offset, void *buffer, size_t n);
    void *user;
} lfm2_model_reader;

/* Loads a GGUF file through a callback. It is called on the calling thread and during this call
 * only; `reader` need not outlive the call. A pack cache is recognised as for
 * lfm2_model_load_memory. Messages call the file "<reader>". One part of a split model is
 * UNSUPPORTED. */
LFM2_API int32_t lfm2_model_load_reader(lfm2_runtime *runtime, const lfm2_model_reader *reader,
                                        const lfm2_model_options *options, lfm2_model **out);

/* Writes the pack cache of a model loaded in full to `path` (NULL: where lfm2_model_load looks for
 * it; ARGUMENT if the model was not loaded from a path). It appears complete or not at all; two
 * processes may do it at once. Its size is about lfm2_model_info.packed_bytes. Errors: ARGUMENT
 * (also when `path` is one of the model's files), STATE, MEMORY, IO. */
LFM2_API int32_t lfm2_model_save_cache(const lfm2_model *model, const char *path);

/* Takes one more reference. Returns its argument. */
LFM2_API lfm2_model *lfm2_model_retain(lfm2_model *model);

/* Gives one reference back; sessions and decoders hold one each. */
LFM2_API void lfm2_model_free(lfm2_model *model);

typedef struct lfm2_model_info {
    size_t size;
    const char *arch;        /* "lfm2" or "lfm2moe"; strings live as long as the model */
    const char *name;        /* general.name or "" */
    const char *file_type;   /* dominant weight type, e.g. "Q4_0" */
    uint64_t n_params;       /* every stored weight, a tied embedding counted once */
    uint64_t n_params_active;/* of those, used for one token */
    uint64_t file_bytes;     /* all parts */
    uint64_t weight_bytes;   /* tensor data in the file */
    uint64_t packed_bytes;   /* memory of the packed weights (0 unless LFM2_LOAD_FULL) */
    uint32_t n_vocab, n_embd, n_layer, n_layer_attn, n_layer_dense;
    uint32_t n_head, n_head_kv, head_dim;
    uint32_t n_ff, n_expert, n_expert_used, n_ff_expert;
    uint32_t conv_kernel, n_ctx_train;
    float rope_theta, norm_eps;
    int32_t bos_id, eos_id, pad_id;  /* -1 = none */
    uint32_t n_tensors, n_meta;
    uint32_t from_cache;     /* 1: the packed weights come from a pack cache */
    /* What one token costs at least (0 if loaded with LFM2_LOAD_TOKENIZER): bytes of packed weights
     * read, with the used ones of the experts alone, and multiply-adds of all matrices; both with
     * the head. The row of the embedding and what attention does are not counted. */
    uint64_t token_bytes, token_macs;
    uint64_t head_bytes, head_macs; /* of these, the head's: once for all tokens of a prompt */
} lfm2_model_info;

LFM2_API int32_t lfm2_model_get_info(const lfm2_model *model, lfm2_model_info *info);

typedef struct lfm2_tensor_info {
    size_t size;
    const char *name; /* GGUF name; lives as long as the model */
    const char *type; /* "Q4_0", "F32", ... */
    uint32_t n_dims;
    uint32_t part;    /* index of the file among the parts */
    uint64_t dims[4]; /* dims[0] contiguous */
    uint64_t bytes;
    uint64_t offset;  /* of the data, from the start of its file */
} lfm2_tensor_info;

/* Tensor `index` of 0..n_tensors-1, in file order. */
LFM2_API int32_t lfm2_model_get_tensor(const lfm2_model *model, uint32_t index,
                                       lfm2_tensor_info *info);

/* Metadata entry `index` of 0..n_meta-1: key and value as text (arrays as "[type x count]").
 * The strings live as long as the model. */
LFM2_API int32_t lfm2_model_get_meta(const lfm2_model *model, uint32_t index, const char **key,
                                     const char **value);

/* ---- Text --------------------------------------------------------------------------------- */

enum {
    LFM2_TOKENIZE_BOS = 1,    /* prepend the model's BOS if the model asks for one */
    LFM2_TOKENIZE_SPECIAL = 2 /* control tokens written in the text ("<|im_end|>") become tokens;
                                 without it they are ordinary text: leave it off for user input */
};

/* Text to token ids. Bytes that are not UTF-8 are kept: they are encoded byte by byte, and
 * decoding gives the same bytes back. `ids` may be NULL when capacity is 0. *n_ids receives the
 * number of ids of the whole text, also when it exceeds capacity (LFM2_E_BUFFER; the first
 * `capacity` ids are then written). Errors: ARGUMENT, MEMORY, BUFFER, LIMIT (a single
 * word of 2 GiB). */
LFM2_API int32_t lfm2_tokenize(const lfm2_model *model, const char *text, size_t len,
                               uint32_t flags, int32_t *ids, size_t capacity, size_t *n_ids);

enum {
    LFM2_TOKEN_NORMAL = 1,
    LFM2_TOKEN_UNKNOWN = 2,
    LFM2_TOKEN_CONTROL = 3,
    LFM2_TOKEN_USER = 4,
    LFM2_TOKEN_UNUSED = 5,
    LFM2_TOKEN_BYTE = 6
};

/* Bytes of one token as decoding writes them (control tokens: their name) and its LFM2_TOKEN_*
 * kind; any output may be NULL. The bytes live as long as the model; they may end inside a UTF-8
 * character. */
LFM2_API int32_t lfm2_token_get(const lfm2_model *model, int32_t id, const char **bytes,
                                size_t *len, int32_t *kind);

enum { LFM2_DETOKENIZE_SPECIAL = 1 /* write control tokens by name instead of skipping them */ };

/* Token ids to bytes. *len receives the whole length, also when it exceeds capacity
 * (LFM2_E_BUFFER; the first `capacity` bytes are then written). No terminator is added. */
LFM2_API int32_t lfm2_detokenize(const lfm2_model *model, const int32_t *ids, size_t n_ids,
                                 uint32_t flags, char *text, size_t capacity, size_t *len);

/* Streaming decoder: takes ids one at a time, hands out whole UTF-8 characters. */
typedef struct lfm2_decoder lfm2_decoder;

/* flags: LFM2_DETOKENIZE_SPECIAL or 0. Errors: ARGUMENT, STATE (no tokenizer), MEMORY. */
LFM2_API int32_t lfm2_decoder_create(lfm2_model *model, uint32_t flags, lfm2_decoder **out);
LFM2_API void lfm2_decoder_free(lfm2_decoder *decoder);

/* Adds a token; *text and *len receive the characters that are now complete (possibly none).
 * Bytes that can never become UTF-8 come out as U+FFFD. Valid until the next call. */
LFM2_API int32_t lfm2_decoder_push(lfm2_decoder *decoder, int32_t id, const char **text,
                                   size_t *len);

/* Ends the text: an unfinished character comes out as U+FFFD; the decoder starts over. */
LFM2_API int32_t lfm2_decoder_flush(lfm2_decoder *decoder, const char **text, size_t *len);

/* ---- Session: one timeline of tokens ------------------------------------------------------ */

typedef struct lfm2_session lfm2_session;

/* What keys and values are kept as. Q8 is int8 with a scale for each position and head: about half
 * of F16 and faster with long contexts, at a small loss. */
enum { LFM2_KV_F16 = 0, LFM2_KV_F32 = 1, LFM2_KV_Q8 = 2 };

typedef struct lfm2_session_options {
    size_t size;
    uint32_t n_ctx;   /* most tokens the session can hold; 0 = min(4096, the model's) */
    uint32_t n_chunk; /* most tokens in one pass, at most 8192; 0 = 512; more than n_ctx counts as
                         n_ctx */
    int32_t kv_type;  /* LFM2_KV_* */
    uint32_t reserved;
} lfm2_session_options;

LFM2_API void lfm2_session_options_init(lfm2_session_options *options, size_t size);

typedef struct lfm2_memory {
    size_t size;
    uint64_t weights; /* packed weights and a copied embedding, shared by the model's sessions */
    uint64_t mapped;  /* file bytes that are read where they lie while running: the embedding */
    uint64_t kv;      /* KV cache of one session */
    uint64_t conv;    /* convolution state of one session */
    uint64_t scratch; /* working memory of one session */
    uint64_t total;   /* of all */
} lfm2_memory;

/* Bytes that loading `model`'s file and one session would take. Works on a model loaded with
 * LFM2_LOAD_INSPECT: nothing big is allocated. */
LFM2_API int32_t lfm2_estimate_memory(const lfm2_model *model, const lfm2_session_options *options,
                                      lfm2_memory *memory);

/* Allocates everything the session will ever need. Errors: ARGUMENT, MEMORY, STATE. */
LFM2_API int32_t lfm2_session_create(lfm2_model *model, const lfm2_session_options *options,
                                     lfm2_session **out);
LFM2_API void lfm2_session_free(lfm2_session *session);

/* Forgets all tokens. */
LFM2_API int32_t lfm2_session_reset(lfm2_session *session);

/* Tokens held, and the most it can hold. */
LFM2_API uint32_t lfm2_session_length(const lfm2_session *session);
LFM2_API uint32_t lfm2_session_capacity(const lfm2_session *session);

/* Appends n >= 1 tokens; afterwards lfm2_session_logits gives the row of the last one. On LIMIT
 * (no room) and ARGUMENT (id outside the vocabulary) nothing was appended; on CANCELLED the chunks
 * computed so far stay. */
LFM2_API int32_t lfm2_session_prefill(lfm2_session *session, const int32_t *ids, size_t n);

/* lfm2_session_prefill for one token. */
LFM2_API int32_t lfm2_session_decode(lfm2_session *session, int32_t id);

/* lfm2_session_decode for n >= 1 different sessions of one model at once: appends ids[i] to
 * sessions[i], all in one pass over the weights, so that many texts cost little more than one.
 * Afterwards each has its logits, the very bits that decoding it alone gives. The pass uses the
 * working memory of sessions[0]: n is at most its n_chunk, and so its n_ctx (LIMIT); the other
 * sessions need no more than an n_chunk of 1. Contexts, lengths and KV types may differ.
 * All or nothing: on LIMIT (too many, or one is full), ARGUMENT (a NULL, an id outside the
 * vocabulary, a session twice or of another model) and CANCELLED no session has changed, its
 * logits included. A request to any of the sessions cancels the call; the call consumes those of
 * all, unless an argument was NULL or n was 0. All sessions are in use by the calling thread while
 * it runs. */
LFM2_API int32_t lfm2_session_decode_many(lfm2_session *const *sessions, const int32_t *ids,
                                          uint32_t n);

/* Appends n >= 1 tokens and writes the logits of each: out is [n][n_vocab] float, row-major. On
 * CANCELLED the rows of the chunks computed so far are written. */
LFM2_API int32_t lfm2_session_eval(lfm2_session *session, const int32_t *ids, size_t n, float *out);

/* Logits after the last token: n_vocab floats, valid until the session's next call. A call that
 * fails or is cancelled before it appended a token leaves them as they were. STATE before the first
 * token and after a call that failed half-way. May compute (and then fail like
 * lfm2_session_decode) after lfm2_generate, which leaves its last token to be computed when it is
 * needed. */
LFM2_API int32_t lfm2_session_logits(lfm2_session *session, const float **logits,
                                     size_t *n_vocab);

/* Makes the session's running call return LFM2_E_CANCELLED: before the next layer while it
 * computes, at the end of another call's turn while it waits for its own. Any thread, signal
 * handlers included: one atomic store. It acts on the call in progress, or else on the next one;
 * that call consumes it, also when it ends for another reason, and so does lfm2_session_reset. The
 * session stays usable. */
LFM2_API void lfm2_session_cancel(lfm2_session *session);

/* ---- Sampler ------------------------------------------------------------------------------ */

typedef struct lfm2_sampler lfm2_sampler;

/* Applied in this order (Hugging Face's, which the model card's figures are meant for):
 *  1. logit bias;
 *  2. repetition penalty r over the last penalty_last_n tokens: logit / r if positive, else * r;
 *     frequency f and presence p over the same tokens: logit - count * f - p;
 *  3. temperature 0: the largest logit (lowest id on ties) is taken. Else logits / temperature;
 *  4. top-k, 5. top-p (smallest set whose probability reaches p), 6. min-p (p >= min_p * largest),
 *     each on what the ones before left, renormalised; at least one token always stays;
 *  7. a draw with the seeded generator. */
typedef struct lfm2_sampler_options {
    size_t size;
    float temperature;        /* 0 = greedy; default 0.3 */
    int32_t top_k;            /* 0 = off (default) */
    float top_p;              /* 1 = off (default) */
    float min_p;              /* 0 = off; default 0.15 */
    float repetition_penalty; /* 1 = off; default 1.05 */
    float frequency_penalty;  /* 0 = off (default) */
    float presence_penalty;   /* 0 = off (default) */
    int32_t penalty_last_n;   /* -1 = all tokens (default) */
    uint64_t seed;            /* same seed, same model, same prompt: same text; default 0 */
    /* Logit bias: bias_values[i] is added to the logit of token bias_ids[i]; -INFINITY forbids the
     * token. Both arrays are copied. */
    const int32_t *bias_ids;
    const float *bias_values;
    size_t n_bias;
} lfm2_sampler_options;

/* The defaults for `model`: the model card's. NULL gives those of LFM2-8B-A1B. */
LFM2_API void lfm2_sampler_options_init(lfm2_sampler_options *options, size_t size,
                                        const lfm2_model *model);

/* Holds a reference to the model's runtime; the model may be freed. Errors: ARGUMENT (a value out
 * of range or not finite), MEMORY. */
LFM2_API int32_t lfm2_sampler_create(const lfm2_model *model, const lfm2_sampler_options *options,
                                     lfm2_sampler **out);
LFM2_API void lfm2_sampler_free(lfm2_sampler *sampler);

/* Forgets the tokens seen and restarts the generator from the seed. */
LFM2_API void lfm2_sampler_reset(lfm2_sampler *sampler);

/* Tells the sampler of a token that is now part of the text (prompt or output). */
LFM2_API int32_t lfm2_sampler_accept(lfm2_sampler *sampler, int32_t id);

/* Chooses a token from n_vocab logits (not changed, not accepted). A logit that is not a number
 * counts as -INFINITY. Errors: ARGUMENT, STATE (every token is at -INFINITY: there is nothing to
 * choose; the generator has not moved). */
LFM2_API int32_t lfm2_sampler_sample(lfm2_sampler *sampler, const float *logits, size_t n_vocab,
                                     int32_t *id);

/* ---- Generation --------------------------------------------------------------------------- */

/* What the callback receives for each token; valid during the call only. */
typedef struct lfm2_generated_token {
    size_t size;       /* this library's */
    const char *text;  /* whole characters that became final with this token; may be empty */
    size_t len;
    int32_t id;        /* -1 for the text flushed at the end */
    float logprob;     /* of id: natural logarithm of softmax over the raw logits */
    /* The n_top most likely tokens and their log-probabilities, best first. */
    const int32_t *top_ids;
    const float *top_logprobs;
    size_t n_top;
} lfm2_generated_token;

enum {
    LFM2_FINISH_LENGTH = 1,      /* max_tokens */
    LFM2_FINISH_STOP_TOKEN = 2,  /* EOS or a stop token; it is not part of the text */
    LFM2_FINISH_STOP_STRING = 3, /* the text ends before the stop string */
    LFM2_FINISH_CONTEXT = 4,     /* the session is full */
    LFM2_FINISH_CALLBACK = 5,    /* the callback returned non-zero (LFM2_E_STOPPED) */
    LFM2_FINISH_CANCELLED = 6    /* lfm2_session_cancel (LFM2_E_CANCELLED) */
};

enum {
    LFM2_GENERATE_IGNORE_EOS = 1, /* the model's own end tokens do not end the text */
    LFM2_GENERATE_SPECIAL = 2     /* control tokens appear in the text by name */
};

typedef struct lfm2_generate_options {
    size_t size;
    uint32_t max_tokens;          /* 0 = until something else ends it */
    uint32_t flags;               /* LFM2_GENERATE_* */
    const int32_t *stop_ids;      /* besides the model's own end-of-text tokens */
    size_t n_stop_ids;
    const char *const *stop_strings; /* 0-terminated, not empty */
    size_t n_stop_strings;
    int32_t (*callback)(void *user, const lfm2_generated_token *token);
    void *callback_user;
    uint32_t n_top;               /* alternatives reported per token, 0..64 */
    uint32_t reserved;
} lfm2_generate_options;

LFM2_API void lfm2_generate_options_init(lfm2_generate_options *options, size_t size);

typedef struct lfm2_generate_result {
    size_t size;
    int32_t finish;         /* LFM2_FINISH_* */
    int32_t stop_id;        /* the token that ended it, or -1 */
    uint32_t n_prompt;      /* prompt tokens appended */
    uint32_t n_generated;   /* tokens chosen, without a stop token */
    int32_t excluded_id;    /* the last chosen token if the session had no room for it, else -1:
                               it was reported or is stop_id, but the session does not hold it */
    uint32_t reserved;      /* 0 */
    double prompt_seconds;  /* until the first token was reported */
    double generate_seconds;/* the rest */
} lfm2_generate_result;

/* Appends the prompt (may be empty when the session holds tokens), then samples, appends and
 * reports tokens. The prompt and each generated token are accepted by the sampler. Every token
 * chosen, the stop token included, belongs to the session afterwards, so that a next turn can
 * follow; result->excluded_id names the one exception. `result` may be NULL. OK: the text ended by
 * itself (LENGTH, STOP_TOKEN, STOP_STRING, CONTEXT). STOPPED (the callback) and CANCELLED: the
 * result is filled as well, and the session can go on from what it holds. Other errors leave the
 * result untouched: ARGUMENT, STATE (also: the sampler has nothing left to choose), LIMIT (the
 * prompt does not fit; nothing was appended), MEMORY. */
LFM2_API int32_t lfm2_generate(lfm2_session *session, lfm2_sampler *sampler, const int32_t *prompt,
                               size_t n_prompt, const lfm2_generate_options *options,
                               lfm2_generate_result *result);

/* ---- Chat --------------------------------------------------------------------------------- */

enum {
    LFM2_CHAT_GENERATION_PROMPT = 1, /* end with the assistant's opening */
    LFM2_CHAT_NO_BOS = 2             /* continue a conversation: no leading BOS text or token */
};

typedef struct lfm2_chat_options {
    size_t size;
    const char *tools; /* JSON array of tools in OpenAI's shape; NULL or tools_len 0 = none */
    size_t tools_len;
    uint32_t flags;    /* LFM2_CHAT_*; default 0 */
    uint32_t reserved;
} lfm2_chat_options;

LFM2_API void lfm2_chat_options_init(lfm2_chat_options *options, size_t size);

/* Renders a conversation in LFM2's chat format. `messages` is a JSON array of messages in OpenAI's
 * shape: objects with "role" ("system", "user", "assistant" or "tool") and "content" (a string).
 * The tools are written with Python's json.dumps spacing, key order kept. *len as in
 * lfm2_detokenize. The model may be loaded in any mode. Errors: ARGUMENT, TEXT (messages or tools
 * are not JSON of that shape; the message names index, member and byte offset), UNSUPPORTED
 * (another role, member or kind of content), BUFFER, MEMORY. */
LFM2_API int32_t lfm2_chat_render(const lfm2_model *model, const char *messages,
                                  size_t messages_len, const lfm2_chat_options *options,
                                  char *text, size_t capacity, size_t *len);

/* The token ids of the rendered chat, as Hugging Face gives them, except that control tokens
 * written in the content of user and tool messages stay plain text. *n_ids as in lfm2_tokenize.
 * Errors: those of lfm2_chat_render, and STATE (the model has no tokenizer). */
LFM2_API int32_t lfm2_chat_tokenize(const lfm2_model *model, const char *messages,
                                    size_t messages_len, const lfm2_chat_options *options,
                                    int32_t *ids, size_t capacity, size_t *n_ids);

#ifdef __cplusplus
}
#endif

#endif /* LFM2_H */
