/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/convert: quantization presets, the order of tensors in a file, metadata, and
 * synthetic models. */
#ifndef LF_CONVERT_RULE_H
#define LF_CONVERT_RULE_H

#include "convert/convert.h"
#include "convert/gguf_write.h"
#include "convert/overrides.h"

struct lf_imatrix;

/* A tensor of the file being written. */
typedef struct lf_out_tensor {
    const char *name;
    lf_type type;
    uint32_t n_dims;
    uint64_t ne[LF_MAX_DIMS];         /* ne[0] contiguous; unused ones are 1 */
    const lf_tensor *source;          /* quantize: where the values come from */
    const struct lf_synth_fill *fill; /* synthesize: how the values are made */
} lf_out_tensor;

/* The variants of Q3_K, Q4_K and Q5_K presets ("_s", "_m", "_l"): which matrices have more bits
 * than the others. */
typedef enum { LF_PRESET_PLAIN, LF_PRESET_SMALL, LF_PRESET_MEDIUM, LF_PRESET_LARGE } lf_preset_size;

/* A quantization preset; llama.cpp calls it ftype. */
typedef struct lf_preset {
    const char *name; /* "q4_k_m" */
    lf_type type;     /* of most matrices */
    lf_preset_size size;
    uint32_t ftype; /* llama.cpp's number, the value of general.file_type */
} lf_preset;

/* The preset with this name, case-insensitive; NULL if there is none. Static storage. */
const lf_preset *lf_preset_find(const char *name);

/* The preset that the options name. ARGUMENT if there is none. */
int32_t lf_preset_parse(const lfm2_convert_options *options, const lf_preset **out);

/* What decides the types of tensors. */
typedef struct lf_rule {
    const lf_preset *preset;
    const lf_hparams *hparams;     /* of the model */
    bool tied;                     /* no output.weight: the embedding is the head */
    bool imatrix;                  /* an importance matrix is used */
    const lf_overrides *overrides; /* NULL: none */
    /* Of each layer: the attn_v and ffn_down in layers before it that have no override. */
    uint16_t values_before[LF_MAX_LAYERS], downs_before[LF_MAX_LAYERS];
    uint32_t n_values; /* attn_v of all layers */
} lf_rule;

/* Fills in the counts; the other fields are set. */
void lf_rule_count(lf_rule *rule);

/* The type of a tensor with rows of `row` elements. */
lf_type lf_rule_type(const lf_rule *rule, const char *name, uint32_t n_dims, uint64_t row);

/* Sorts by layer (tensors outside the layers come first), then by name. */
void lf_rule_sort(lf_out_tensor *tensors, size_t n);

/* Declares the tensors in the given order. */
int32_t lf_rule_declare(lf_gguf_writer *g, const lf_out_tensor *tensors, size_t n);

/* Rows that a thread takes at a time: an even number, large enough that scheduling costs little. */
size_t lf_rule_grain(size_t row);

/* Progress of writing, in bytes of tensor data. */
typedef struct lf_progress {
    const lfm2_convert_options *options;
    uint64_t done, total;
    uint64_t reported; /* `done` at the last call of the callback */
} lf_progress;

/* Adds written bytes; calls the progress callback every 16 MiB and at the end. STOPPED if it
 * returns nonzero. */
int32_t lf_progress_add(lf_progress *p, uint64_t bytes);

/* ---- meta.c: metadata, in the order of the calls ---- */

/* general.* and the architecture's keys, with the names of llama.cpp's converter. */
int32_t lf_meta_model(lf_gguf_writer *g, const lf_hparams *h, const char *name);
/* tokenizer.*; writes nothing for an empty vocabulary. UNSUPPORTED for a very long merge. */
int32_t lf_meta_vocab(lf_gguf_writer *g, const lf_vocab_data *vocab);
/* general.sampling.*, if the model's files set values. */
int32_t lf_meta_sampling(lf_gguf_writer *g, const lf_sampling *s);
/* Copies all entries of a GGUF file except those that lf_meta_file writes and those that describe
 * the old file. */
int32_t lf_meta_copy(lf_gguf_writer *g, const lf_gguf *old);
/* The keys that depend on the preset. */
int32_t lf_meta_file(lf_gguf_writer *g, const lf_preset *preset);
/* quantize.imatrix.*; writes nothing if `imatrix` is NULL. Comes after lf_meta_file. */
int32_t lf_meta_imatrix(lf_gguf_writer *g, const struct lf_imatrix *imatrix);

/* ---- synth_vocab.c ---- */

/* Makes a byte-level BPE vocabulary of n tokens in LFM2's layout, in `arena`. */
int32_t lf_synth_vocab(lf_arena *arena, uint32_t n, lf_vocab_data *out);

/* ---- synth_shape.c ---- */

/* The random values of a tensor: approximately normal with this mean and standard deviation. With
 * `signs` each value gets a random sign as well. */
typedef struct lf_synth_fill {
    float mean, deviation;
    bool signs;
} lf_synth_fill;

typedef struct lf_synth_model {
    const char *title;
    lf_hparams hparams;
    lf_out_tensor *tensors; /* in file order, types set */
    size_t n_tensors;
} lf_synth_model;

/* The model with the named shape and the types of `preset`, in `arena`. ARGUMENT: unknown name. */
int32_t lf_synth_model_of(lf_arena *arena, const char *shape, const lf_preset *preset,
                          lf_synth_model *out);

#endif /* LF_CONVERT_RULE_H */
