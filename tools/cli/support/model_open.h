/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a runtime and a model as the command line asks for. */
#ifndef LFM2_CLI_MODEL_OPEN_H
#define LFM2_CLI_MODEL_OPEN_H

#include "cli/options/model_options.h"

typedef struct open_model {
    lfm2_runtime *runtime;
    lfm2_model *model;
    double load_seconds;
    char path[4096];
} open_model;

/* Whether a path is a folder with a file of a model, an adapter or a tokenizer. */
bool model_is_folder(const char *path);

/* Whether a text ends with ".gguf" in any case. */
bool model_is_gguf_name(const char *text);

/* The name of a model's file or folder, without ".gguf", for answers. */
void model_name(const char *path, char *out, size_t size);

/* These return EXIT_OK, or EXIT_FAILED after a message. */

int runtime_open(const model_options *options, lfm2_runtime **out);

/* Checks that `path` is a file, or a folder with one of these. The message says what a model is
 * and where to get one: a wrong path is the most frequent error of a new user. */
int model_check_path(const char *path);

/* Opens a runtime and a model; `mode` is LFM2_LOAD_*. After a failure there is nothing to close. */
int model_open(const model_options *options, int32_t mode, open_model *out);

/* The same with an explicit LFM2_CACHE_*. */
int model_open_cache(const model_options *options, int32_t mode, int32_t cache, open_model *out);
void model_close(open_model *opened);

#endif /* LFM2_CLI_MODEL_OPEN_H */
