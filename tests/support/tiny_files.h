/* SPDX-License-Identifier: Apache-2.0 */
/* One tiny model as a GGUF file and as a Hugging Face folder, for tests of loading: right, or wrong
 * in one chosen place. The weights are bytes without meaning. */
#ifndef LF_TESTS_TINY_FILES_H
#define LF_TESTS_TINY_FILES_H

#include "support/gguf_builder.h"

enum { TINY_VOCAB = 300, TINY_MERGES = 4, TINY_LAYERS = 3 };

/* What to change in the GGUF file. */
typedef struct tiny_change {
    const char *skip;   /* key or tensor that is left out */
    const char *tensor; /* tensor that gets this type, and these dimensions unless all are 0 */
    uint32_t type;
    uint64_t dims[4];
    const char *extra; /* an additional tensor, [4] of F32 */
    const char *key;   /* an integer key that gets this value */
    uint32_t value;
    bool untied; /* with output.weight */
    bool no_vocab;
} tiny_change;

/* Layer 0: convolution, dense; 1: attention; 2: convolution; the last two with experts if moe.
 * Calls gb_init and adds everything; gb_finish is left to the caller. NULL: no change. */
void tiny_gguf(gguf_builder *b, bool moe, const tiny_change *change);

/* The same model's folder as texts, each of which a test may replace (they are on the heap) or set
 * to NULL: no such file. */
typedef struct tiny_folder {
    char *config, *tokenizer, *settings, *header;
    uint8_t *data; /* behind the header of model.safetensors */
    size_t n_data;
} tiny_folder;

void tiny_folder_init(tiny_folder *f, bool moe);
/* The same model in MLX's layout: taps before channels, stacked experts, other names. */
void tiny_folder_init_mlx(tiny_folder *f, bool moe);
void tiny_folder_free(tiny_folder *f);

/* Writes config.json, tokenizer.json, tokenizer_config.json, model.safetensors into a folder, which
 * is made; files whose text is NULL are removed. */
void tiny_folder_write(const tiny_folder *f, const char *folder);

/* A safetensors file. */
void tiny_safetensors(const char *path, const char *header, const void *data, size_t n_data);

/* Replaces the first `from` in *text, which must be there. */
void tiny_replace(char **text, const char *from, const char *to);

#endif /* LF_TESTS_TINY_FILES_H */
