/* SPDX-License-Identifier: Apache-2.0 */
/* An immutable, ready-to-run model: packed matrices, small tensors in f32, tokenizer. */
#ifndef LF_MODEL_MODEL_H
#define LF_MODEL_MODEL_H

#include "load/bind.h"
#include "load/cache.h"
#include "load/pack.h"
#include "runtime/runtime.h"
#include "text/tokenizer.h"

typedef struct lf_layer {
    uint32_t n_head_kv;           /* 0: convolution */
    const float *mixer_norm;      /* [H] */
    const float *ffn_norm;        /* [H] */
    lf_packed in;                 /* conv: [3H, H]; attention: q [heads * head_dim, H] */
    lf_packed k, v;               /* attention: [kv heads * head_dim, H] */
    lf_packed out;                /* conv: [H, H]; attention: [H, heads * head_dim] */
    const float *conv_kernel;     /* [taps][H], oldest tap first */
    const float *q_norm, *k_norm; /* [head_dim] */
    lf_packed gate_up;            /* pair of [F, H], n_expert experts */
    lf_packed down;               /* [H, F], n_expert experts */
    lf_packed router;             /* [n_expert, H]; n 0 in dense layers */
    const float *router_bias;     /* [n_expert] or NULL */
} lf_layer;

typedef struct lfm2_model {
    atomic_uint_fast32_t refs;
    lfm2_runtime *runtime;
    lf_source *source;
    lf_weights weights;      /* views into source */
    const uint8_t *embed;    /* rows of weights.embed as stored; NULL unless loaded in full */
    uint8_t *embed_owned;    /* a copy of them, or NULL: they are used where the file lies */
    lf_tokenizer *tokenizer; /* NULL for a folder without one */
    int32_t mode;            /* LFM2_LOAD_* */
    lf_arena arena;          /* small tensors */
    lf_layer *layers;        /* [n_layer] */
    const float *final_norm; /* [H] */
    lf_packed head;          /* [V, H] */
    lf_packed **matrices;    /* every matrix in the order in which a token needs them */
    size_t n_matrices;
    lf_file *cache;         /* the pack cache that the matrices come from, or NULL */
    lf_cache_key cache_key; /* of what was loaded in full */
    uint64_t packed_bytes;  /* of all matrices, planned or filled */
    float *rope_freq;       /* [head_dim / 2] theta^(-2i / head_dim) as double-rounded f32 */
} lfm2_model;

/* `origin` and what it points at are used during the call, memory without `copy` for as long as the
 * model lives. */
int32_t lf_model_load(lfm2_runtime *runtime, const lf_origin *origin,
                      const lfm2_model_options *options, lfm2_model **out);
lfm2_model *lf_model_retain(lfm2_model *model); /* takes another reference */
void lf_model_free(lfm2_model *model);          /* gives one reference back */

/* Bytes of the embedding that are memory of the model's own once it is loaded in full. */
uint64_t lf_model_embed_owned(const lfm2_model *model);

/* Fills the fields of `info` that are counted: layers, parameters, bytes and multiply-adds. */
void lf_model_count(const lfm2_model *model, lfm2_model_info *info);

/* Contract: lfm2_model_save_cache. */
int32_t lf_model_save_cache(const lfm2_model *model, const char *path);

/* Calls `visit` for `bytes` of the packed weights in pieces of at most `most`: all matrices one
 * after the other, from byte `begin` of them on, and again from the first after the last. begin is
 * less than packed_bytes; a piece lies within one matrix. */
typedef void (*lf_weights_fn)(void *ctx, const uint8_t *at, size_t bytes);
void lf_model_walk(const lfm2_model *model, uint64_t begin, uint64_t bytes, size_t most,
                   lf_weights_fn visit, void *ctx);

/* One embedding row, exact, in f32. */
void lf_model_embed(const lfm2_model *model, int32_t id, float *out);

/* LFM2_E_STATE unless the model was loaded in full / has a tokenizer. */
int32_t lf_model_need_full(const lfm2_model *model);
int32_t lf_model_need_text(const lfm2_model *model);

#endif /* LF_MODEL_MODEL_H */
