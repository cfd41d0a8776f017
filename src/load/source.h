/* SPDX-License-Identifier: Apache-2.0 */
/* A source: the common description of a model, whatever its container (GGUF, split GGUF, Hugging
 * Face folder). It has checked hyperparameters, tokenizer data, and tensors under GGUF names. All
 * of it is in the source's arena, its copy of the header or its files, and is freed with it. */
#ifndef LF_LOAD_SOURCE_H
#define LF_LOAD_SOURCE_H

#include "common/file.h"
#include "common/index.h"
#include "common/log.h"
#include "quant/quant.h"

enum { LF_MAX_LAYERS = 256, LF_MAX_DIMS = 4, LF_MAX_PARTS = 1024 };

/* Limits that lf_hparams_check enforces; a pass has arrays of these sizes on the stack. */
enum {
    LF_MAX_HEADS = 1024,
    LF_MAX_HEAD_DIM = 512,
    LF_MAX_EXPERTS = 1024,
    LF_MAX_EXPERTS_USED = 64,
    LF_MAX_TAPS = 8
};

typedef enum { LF_ARCH_LFM2, LF_ARCH_LFM2MOE } lf_arch;

/* Checked by lf_hparams_check; users need not check again. */
typedef struct lf_hparams {
    lf_arch arch;
    uint32_t n_vocab, n_embd, n_layer;
    uint32_t n_head, head_dim;
    uint32_t n_head_kv[LF_MAX_LAYERS];             /* 0: convolution layer */
    uint32_t n_ff;                                 /* width of dense feed-forward layers */
    uint32_t n_dense;                              /* leading layers without experts (lfm2: all) */
    uint32_t n_expert, n_expert_used, n_ff_expert; /* 0 for lfm2 */
    uint32_t conv_kernel;                          /* taps, l_cache */
    uint32_t n_ctx_train;
    float norm_eps, rope_theta, expert_scale; /* routed_scaling_factor, 1 when absent */
    bool norm_topk;   /* divide the selected experts' weights by their sum */
    bool expert_bias; /* add a bias for the selection of experts */
    bool tied;        /* the embedding is the head: no output tensor */
} lf_hparams;

/* Checks ranges and relations (config.c has the list); `name` is the file, for messages. Errors:
 * FORMAT, UNSUPPORTED. */
int32_t lf_hparams_check(const lf_hparams *h, const char *name);

/* An offset in one of the source's files. */
typedef struct lf_place {
    uint32_t part;
    uint64_t offset;
} lf_place;

typedef struct lf_tensor {
    const char *name; /* GGUF name */
    lf_type type;
    uint32_t n_dims;
    uint64_t ne[LF_MAX_DIMS]; /* ne[0] contiguous; unused ones are 1 */
    uint64_t bytes;
    /* A contiguous tensor has places == NULL; its data is in files[part] at `offset`. A tensor that
     * a folder stores expert by expert has the ne[0] x ne[1] values of expert e at places[e]; part
     * and offset then equal places[0]. Data is aligned to its elements (4 bytes for F32, 2 for F16
     * and BF16); in GGUF files to 8 bytes. */
    const lf_place *places;
    uint32_t part;
    uint64_t offset;
} lf_tensor;

typedef struct lf_vocab_token {
    const char *text; /* as stored: byte-mapped for normal tokens, literal for others */
    uint32_t len;
    int32_t kind; /* LFM2_TOKEN_* */
} lf_vocab_token;

typedef struct lf_vocab_merge {
    const char *left, *right;
    uint32_t left_len, right_len;
} lf_vocab_merge;

/* The tokens at which generation stops, as the files list them. */
enum { LF_MAX_ENDS = 64 };
typedef struct lf_ends {
    uint32_t n;
    int32_t ids[LF_MAX_ENDS];
} lf_ends;

/* A chat template as the model's files contain it; not interpreted. */
typedef struct lf_vocab_template {
    const char *name;   /* "default", "tool_use", ... */
    const char *origin; /* the key or the file, such as "tokenizer.chat_template" */
    const char *text;
    size_t len;
} lf_vocab_template;

/* The special tokens that chat templates can name: bos_token, ... */
enum {
    LF_SPECIAL_BOS,
    LF_SPECIAL_EOS,
    LF_SPECIAL_UNK,
    LF_SPECIAL_SEP,
    LF_SPECIAL_PAD,
    LF_SPECIAL_CLS,
    LF_SPECIAL_MASK,
    LF_N_SPECIAL
};

typedef struct lf_vocab_data {
    uint32_t n_tokens, n_merges;
    const lf_vocab_token *tokens;   /* by id; unused rows are LFM2_TOKEN_UNUSED */
    const lf_vocab_merge *merges;   /* by rank */
    int32_t bos_id, eos_id, pad_id; /* -1: none */
    lf_ends ends;                   /* in addition to eos_id */
    bool add_bos;
    bool ignore_merges;                /* tokenizer.json's value; false for GGUF */
    const char *special[LF_N_SPECIAL]; /* texts; NULL: none */
    lf_vocab_template *templates;      /* names differ; the default first */
    uint32_t n_templates;
    const char *name; /* the file, for messages */
} lf_vocab_data;

/* Defaults of the sampler for this model. */
typedef struct lf_sampling {
    float temperature, top_p, min_p, repetition_penalty;
    int32_t top_k, penalty_last_n;
    bool from_file;     /* the model's files set at least one of them */
    const char *origin; /* where they are from, as text */
    const void *given;  /* private to generation.c */
} lf_sampling;

typedef struct lf_meta {
    const char *key;
    const char *value; /* as text */
} lf_meta;

typedef struct lf_source {
    lf_alloc alloc;
    lf_arena arena;
    lf_origin origin; /* what it points to is valid until lf_source_release */
    lf_file *files;   /* GGUF parts or safetensors files; lf_tensor.part is an index */
    uint32_t n_files;
    struct lf_gguf *gguf; /* header of a GGUF file (the first part's), or NULL */
    bool hugging_face;
    const char *hf_prefix; /* of a folder's tensor names, such as "model." */
    const lf_log *log;     /* NULL after opening */
    const char *missing;   /* a file without which a folder serves only its tokenizer, or NULL */
    const char *weights_advice; /* of a folder whose weights have another format, or NULL */
    const char *path;           /* as given, or a name such as "<memory>" */
    const char *name;           /* general.name or folder name */
    const char *file_type;      /* the type with the most bytes among matrices, such as "Q4_0" */
    lf_hparams hparams;
    lf_vocab_data vocab;
    lf_sampling sampling;
    const lf_tensor *tensors;
    uint32_t n_tensors;
    const lf_meta *meta;
    uint32_t n_meta;
    lf_index index; /* of tensor names, private to source.c */
} lf_source;

/* Opens a model and checks its header, every key, and every tensor's name, type, shape and bounds.
 * Reads no weights; the cost depends on the size of the header. A folder without tokenizer.json and
 * a GGUF file without tokens get an empty vocab (n_tokens 0); text functions fail later. Errors:
 * IO, FORMAT, UNSUPPORTED, MEMORY, ARGUMENT (a part of a split model other than the first). */
int32_t lf_source_open(const lf_alloc *alloc, const lf_log *log, const char *path, lf_source **out);

/* The same from any origin. Origins other than paths must be single GGUF files (UNSUPPORTED for a
 * part of a split model). What `origin` points to must stay valid until lf_source_release. */
int32_t lf_source_open_from(const lf_alloc *alloc, const lf_log *log, const lf_origin *origin,
                            lf_source **out);

/* LFM2_E_FORMAT if the folder has a tokenizer but no config.json or no weights. */
int32_t lf_source_need_weights(const lf_source *source);

/* Frees what only loading needs: the copy of the header (vocab.tokens, vocab.merges and gguf become
 * NULL) and access to files that are not in place. */
void lf_source_release(lf_source *source);
void lf_source_close(lf_source *source);

/* In the functions below, e is the expert: 0 for a dense matrix. */

/* Where the data of expert e is. */
lf_place lf_tensor_place(const lf_tensor *tensor, uint64_t e);

/* The data of expert e in place; NULL if its file is not in memory, see lf_tensor_read. */
const uint8_t *lf_tensor_expert(const lf_source *source, const lf_tensor *tensor, uint64_t e);

/* Copies n bytes of expert e, from byte `begin` on. Errors: IO, STOPPED. */
int32_t lf_tensor_read(const lf_source *source, const lf_tensor *tensor, uint64_t e, uint64_t begin,
                       void *buffer, size_t n);

/* ARGUMENT if writing to `path` would overwrite a file of the source. */
int32_t lf_source_refuse_overwrite(const lf_source *source, const char *path);

/* By GGUF name; NULL if absent. */
const lf_tensor *lf_source_find(const lf_source *source, const char *name);

#endif /* LF_LOAD_SOURCE_H */
