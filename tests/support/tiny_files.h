/* SPDX-License-Identifier: Apache-2.0 */
/* One tiny model as a GGUF file and as a Hugging Face folder, for tests of loading: valid, or with
 * one chosen error. Its weights are arbitrary bytes. */
#ifndef LF_TESTS_TINY_FILES_H
#define LF_TESTS_TINY_FILES_H

#include "support/gguf_builder.h"

enum { TINY_VOCAB = 300, TINY_MERGES = 4, TINY_LAYERS = 3 };

/* A change of the GGUF file. */
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
 * Calls gb_init and adds all keys and tensors; the caller calls gb_finish. NULL: no change. */
void tiny_gguf(gguf_builder *b, bool moe, const tiny_change *change);

/* The same model's folder as texts on the heap. A test may replace each or set it to NULL, which
 * means: no such file. */
typedef struct tiny_folder {
    char *config, *tokenizer, *settings, *header;
    uint8_t *data; /* after the header of model.safetensors */
    size_t n_data;
} tiny_folder;

void tiny_folder_init(tiny_folder *f, bool moe);
/* The same model in MLX's layout: taps before channels, stacked experts, other names. */
void tiny_folder_init_mlx(tiny_folder *f, bool moe);
void tiny_folder_free(tiny_folder *f);

/* Creates a folder with config.json, tokenizer.json, tokenizer_config.json and model.safetensors;
 * removes files whose text is NULL. */
void tiny_folder_write(const tiny_folder *f, const char *folder);

/* A safetensors file. */
void tiny_safetensors(const char *path, const char *header, const void *data, size_t n_data);

/* Replaces the first `from` in *text, which must contain it. */
void tiny_replace(char **text, const char *from, const char *to);

#endif /* LF_TESTS_TINY_FILES_H */
