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

/* Which of a K format's files: some matrices have more bits than the rest. */
typedef enum { LF_PRESET_PLAIN, LF_PRESET_SMALL, LF_PRESET_MEDIUM } lf_preset_size;

/* A kind of file. */
typedef struct lf_preset {
    const char *name;   /* "q4_k_m" */
    lf_type type;       /* of most matrices */
    lf_preset_size mix; /* how the others deviate */
    uint32_t file_type; /* general.file_type */
} lf_preset;

/* The kind of a name in any case; NULL if it cannot be written. Static storage. */
const lf_preset *lf_preset_find(const char *name);

/* The kind asked for. ARGUMENT if it cannot be written. */
int32_t lf_rule_parse(const lfm2_convert_options *options, const lf_preset **out);

typedef struct lf_rule {
    const lf_preset *kind;
    const lf_hparams *hparams; /* of the model */
    bool tied;                 /* no output.weight: the embedding is the head */
} lf_rule;

lf_type lf_rule_type(const lf_rule *rule, const char *name, uint32_t n_dims, uint64_t row);

/* Sorts by layer (tensors outside the layers first), then by name. */
void lf_rule_sort(lf_out_tensor *tensors, size_t n);

/* Declares the tensors in their order. */
int32_t lf_rule_declare(lf_gguf_writer *g, const lf_out_tensor *tensors, size_t n);

/* Rows that a thread takes at once: an even number, enough to be worth a hand-over. */
size_t lf_rule_grain(size_t row);

/* Calls the progress function with done / total; STOPPED if it says so. */
int32_t lf_rule_progress(const lfm2_convert_options *options, uint64_t done, uint64_t total);

/* ---- meta.c: what a file says about its model; lf_meta_file comes last ---- */

/* general.* and the architecture's keys, as llama.cpp's converter names them. */
int32_t lf_meta_model(lf_gguf_writer *g, const lf_hparams *h, const char *name);
/* tokenizer.*; nothing for an empty vocabulary. */
int32_t lf_meta_vocab(lf_gguf_writer *g, const lf_vocab_data *vocab);
/* All pairs of a GGUF file as they are, except those that lf_meta_file writes and those that belong
 * to the old container. */
int32_t lf_meta_copy(lf_gguf_writer *g, const lf_gguf *old);
/* The keys that depend on the type asked for. */
int32_t lf_meta_file(lf_gguf_writer *g, const lf_preset *kind);

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

/* The model of a shape's name, written as `kind`; lives in `arena`. ARGUMENT for unknown names. */
int32_t lf_synth_model_of(lf_arena *arena, const char *shape, const lf_preset *kind,
                          lf_synth_model *out);

#endif /* LF_CONVERT_RULE_H */
