/* SPDX-License-Identifier: Apache-2.0 */
/* A loaded model: packed matrices, small tensors in f32, tokenizer. Immutable and shared by
 * threads, except the memory of its sessions and passes, which any thread may take and return. */
#ifndef LF_MODEL_MODEL_H
#define LF_MODEL_MODEL_H

#include "load/bind.h"
#include "load/cache.h"
#include "load/pack.h"
#include "model/floats.h"
#include "model/kv_pool.h"
#include "runtime/runtime.h"
#include "text/chat_set.h"
#include "text/grammar/matcher.h"
#include "text/tokenizer.h"

typedef struct lf_layer {
    uint32_t n_head_kv;           /* 0: convolution */
    uint32_t kv_block;            /* attention: the layer's first KV block in a page; K, then V */
    uint32_t conv_index;          /* number of convolution layers before this one */
    const float *mixer_norm;      /* [H] */
    const float *ffn_norm;        /* [H] */
    lf_packed in;                 /* conv: [3H, H]; attention: q [heads * head_dim, H] */
    lf_packed k, v;               /* attention: [kv heads * head_dim, H] */
    lf_packed out;                /* conv: [H, H]; attention: [H, heads * head_dim] */
    const float *conv_kernel;     /* [taps][H], oldest tap first */
    const float *q_norm, *k_norm; /* [head_dim] */
    lf_packed gate_up;            /* pair of [F, H], n_expert experts (dense: 1) */
    lf_packed down;               /* [H, F], the same experts */
    lf_packed router;             /* [n_expert, H]; gemm NULL in dense layers */
    const float *router_bias;     /* [n_expert] or NULL */
} lf_layer;

struct lf_workspace;

enum { LF_IDLE_WORKSPACES = 16 };

typedef struct lfm2_model {
    atomic_uint_fast32_t refs;
    lfm2_runtime *runtime;
    lf_source *source;
    lf_weights weights;      /* views into source */
    const uint8_t *embed;    /* data of weights.embed; NULL unless loaded in full */
    uint8_t *embed_owned;    /* the copy that `embed` points to; NULL: it points into the file */
    lf_tokenizer *tokenizer; /* NULL: the source has no vocabulary */
    lf_chat_set *chat;       /* chat templates */
    lf_token_trie *_Atomic trie; /* of the tokenizer; NULL until a constraint needs it */
    int32_t mode;                /* LFM2_LOAD_* */
    lf_arena arena;              /* small tensors */
    lf_layer *layers;            /* [n_layer] */
    const float *final_norm;     /* [H] */
    lf_packed head;              /* [V, H] */
    lf_packed **matrices;        /* all matrices in the order in which a pass reads them */
    size_t n_matrices;
    lf_file *cache;          /* the pack cache that holds the matrices, or NULL */
    lf_identity identity;    /* what results depend on; of a model loaded in full */
    lf_cache_key cache_key;  /* identifies the files of a model loaded in full */
    uint64_t packed_bytes;   /* of all matrices, planned or loaded */
    float *rope_freq;        /* [head_dim / 2] theta^(-2i / head_dim), computed in double */
    uint32_t kv_page_blocks; /* KV blocks of a page */
    uint32_t n_conv;         /* convolution layers */
    lf_kv_pool kv_pool;
    struct lf_workspace *_Atomic idle[LF_IDLE_WORKSPACES]; /* not used by a pass, or NULL */
    atomic_uint_fast64_t bytes_read; /* packed weights that passes have read */
} lfm2_model;

/* `origin` and the objects it points to are used during the call; memory without `copy` must
 * outlive the model. */
int32_t lf_model_load(lfm2_runtime *runtime, const lf_origin *origin,
                      const lfm2_model_options *options, lfm2_model **out);
lfm2_model *lf_model_retain(lfm2_model *model); /* adds a reference */
void lf_model_free(lfm2_model *model);          /* drops a reference; the last one frees */

/* The default budget of the KV pool: half of the memory that the machine and the control groups
 * leave now; UINT64_MAX (no limit) where the system does not say. */
uint64_t lf_model_default_budget(void);

/* Bytes of the embedding that the model copies when it is loaded in full. */
uint64_t lf_model_embed_owned(const lfm2_model *model);

/* Sets the counts in `info`: layers, parameters, bytes and multiply-adds. */
void lf_model_count(const lfm2_model *model, lfm2_model_info *info);

/* Contract: lfm2_model_save_cache. */
int32_t lf_model_save_cache(const lfm2_model *model, const char *path);

/* Calls `visit` for `bytes` bytes of the packed weights in chunks of at most `most`. The matrices
 * count as one sequence that repeats; it starts at byte `begin` < packed_bytes. A chunk lies within
 * one matrix. */
typedef void (*lf_weights_fn)(void *ctx, const uint8_t *at, size_t bytes);
void lf_model_walk(const lfm2_model *model, uint64_t begin, uint64_t bytes, size_t most,
                   lf_weights_fn visit, void *ctx);

/* Decodes one row of the embedding, [H]. */
void lf_model_embed(const lfm2_model *model, int32_t id, float *out);

/* The trie of the tokenizer, which must exist. The first call builds it. Errors: MEMORY. */
int32_t lf_model_trie(lfm2_model *model, const lf_token_trie **out);

/* Errors: STATE if the model was not loaded in full, or has no tokenizer. */
int32_t lf_model_need_full(const lfm2_model *model);
int32_t lf_model_need_text(const lfm2_model *model);

#endif /* LF_MODEL_MODEL_H */
