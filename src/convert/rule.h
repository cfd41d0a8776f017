/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/convert: which tensor gets which type, the order of tensors in a file, and the
 * metadata that describes a model. */
#ifndef LF_CONVERT_RULE_H
#define LF_CONVERT_RULE_H

#include "convert/convert.h"
#include "convert/gguf_write.h"

/* A tensor of the file being written. */
typedef struct lf_out_tensor {
    const char *name;
    lf_type type;
    uint32_t n_dims;
    uint64_t ne[LF_MAX_DIMS];         /* ne[0] contiguous; unused ones are 1 */
    const lf_tensor *source;          /* quantize: where the values come from */
    const struct lf_synth_fill *fill; /* synthesize: how the values are made */
} lf_out_tensor;

/* The type asked for: one of "f32", "f16", "bf16", "q8_0", "q4_0" in any case. ARGUMENT if not. */
int32_t lf_rule_parse(const lfm2_convert_options *options, lf_type *out);

/* general.file_type of a file made with `type`. */
uint32_t lf_rule_file_type(lf_type type);

typedef struct lf_rule {
    lf_type type;      /* asked for */
    uint32_t n_expert; /* of the model */
    bool tied;         /* no output.weight: the embedding is the head */
} lf_rule;

lf_type lf_rule_type(const lf_rule *rule, const char *name, uint32_t n_dims, uint64_t row);

/* Sorts by layer (tensors outside the layers first), then by name. */
void lf_rule_sort(lf_out_tensor *tensors, size_t n);

/* Declares the tensors in their order. */
int32_t lf_rule_declare(lf_gguf_writer *g, const lf_out_tensor *tensors, size_t n);

/* Calls the progress function with done / total; STOPPED if it says so. */
int32_t lf_rule_progress(const lfm2_convert_options *options, uint64_t done, uint64_t total);

/* ---- meta.c: what a file says about its model; lf_meta_file comes last ---- */

/* general.* and the architecture's keys, as llama.cpp's converter names them. */
int32_t lf_meta_model(lf_gguf_writer *g, const lf_hparams *h, const char *name);
/* tokenizer.*; nothing for an empty vocabulary. */
int32_t lf_meta_vocab(lf_gguf_writer *g, const lf_vocab_data *vocab);
/* All pairs of a GGUF file as they are, except those that lf_meta_file writes and those that belong
 * to the old container. `arena` takes the parsed header. */
int32_t lf_meta_copy(lf_gguf_writer *g, lf_arena *arena, const lf_file *file);
/* The keys that depend on the type asked for. */
int32_t lf_meta_file(lf_gguf_writer *g, lf_type type);

/* ---- synth_vocab.c ---- */

/* A byte-level BPE vocabulary of n tokens in LFM2's layout, in `arena`. */
int32_t lf_synth_vocab(lf_arena *arena, uint32_t n, lf_vocab_data *out);

/* ---- synth_shape.c ---- */

/* Values of a tensor: mean + deviation * (about normal); with `signs` every value's sign is drawn
 * too. */
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

/* The model of a shape's name, written as `type`; lives in `arena`. ARGUMENT for unknown names. */
int32_t lf_synth_model_of(lf_arena *arena, const char *shape, lf_type type, lf_synth_model *out);

#endif /* LF_CONVERT_RULE_H */
