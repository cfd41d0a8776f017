/* SPDX-License-Identifier: Apache-2.0 */
/* Options that choose the model and how it runs, and opening it. */
#ifndef LFM2_TOOLS_MODEL_OPTS_H
#define LFM2_TOOLS_MODEL_OPTS_H

#include "cli/options/options.h"

typedef struct model_opts {
    const char *path; /* NULL: the built-in model */
    uint32_t threads; /* 0 = physical cores */
    uint32_t cpu_disable;
    uint32_t kernels;  /* LFM2_KERNELS_* */
    uint32_t merges;   /* LFM2_MERGES_* */
    bool no_cache;     /* pack even if there is a pack cache */
    bool no_mmap;      /* LFM2_MODEL_COPY */
    const char *cache; /* pack cache; NULL: the usual place */
    bool verbose;
} model_opts;

/* LFM2_KERNELS_* and LFM2_CPU_* by name. */
extern const opt_choice kernel_choices[];
extern const opt_choice cpu_choices[];

/* -t: 0 and -1 are the default. */
extern const opt_special default_threads[];
enum { MAX_THREADS = 1024 };

/* Groups of options that fill a model_opts: the file, the rule of its tokenizer, how to compute,
 * the pack cache. A command has those that do something in it. */
extern const opt_spec model_file_specs[], model_merges_specs[], model_thread_specs[],
    model_kernel_specs[], model_cache_specs[];
enum {
    MODEL_FILE_SPECS = 2,
    MODEL_MERGES_SPECS = 1,
    MODEL_THREAD_SPECS = 1,
    MODEL_KERNEL_SPECS = 2,
    MODEL_CACHE_SPECS = 3
};
#define MODEL_GROUP(specs, count, type, member)                                                    \
    {                                                                                              \
        "Model", specs, count, offsetof(type, member), NULL                                        \
    }
#define MODEL_FILE_GROUP(type, member) MODEL_GROUP(model_file_specs, MODEL_FILE_SPECS, type, member)
#define MODEL_MERGES_GROUP(type, member)                                                           \
    MODEL_GROUP(model_merges_specs, MODEL_MERGES_SPECS, type, member)
#define MODEL_THREAD_GROUP(type, member)                                                           \
    MODEL_GROUP(model_thread_specs, MODEL_THREAD_SPECS, type, member)
#define MODEL_KERNEL_GROUP(type, member)                                                           \
    MODEL_GROUP(model_kernel_specs, MODEL_KERNEL_SPECS, type, member)
#define MODEL_CACHE_GROUP(type, member)                                                            \
    MODEL_GROUP(model_cache_specs, MODEL_CACHE_SPECS, type, member)

/* All but the tokenizer's. */
#define MODEL_GROUPS(type, member)                                                                 \
    MODEL_FILE_GROUP(type, member), MODEL_THREAD_GROUP(type, member),                              \
        MODEL_KERNEL_GROUP(type, member), MODEL_CACHE_GROUP(type, member)

/* For commands that take the model as an argument, too. PARSED, or an exit code after a message. */
int model_argument(const command *self, const opt_args *args, model_opts *opts);

/* For run: of the arguments the first is the model if there are two, or if it is a GGUF file's name
 * or a folder with a config.json and there is no -m; the other one is the prompt, where "-" is
 * standard input. */
int prompt_arguments(const command *self, const opt_args *args, model_opts *opts,
                     const char **prompt);

typedef struct open_model {
    lfm2_runtime *runtime;
    lfm2_model *model;
    double load_seconds;
    char path[4096];
} open_model;

/* Only a runtime; EXIT_OK, or EXIT_FAILED after a message. */
int runtime_open(const model_opts *opts, lfm2_runtime **out);

/* The file that `opts` means. */
int model_path(const model_opts *opts, char *path, size_t size);

/* EXIT_OK unless there is no file of that name; then says where to get one. A model that is not
 * there is the first thing that goes wrong for a new user. */
int model_check_path(const char *path);

/* Runtime and model (`mode`: LFM2_LOAD_*). After a failure nothing is held. */
int model_open(const model_opts *opts, int32_t mode, open_model *out);

/* The same with LFM2_CACHE_* given. */
int model_open_cache(const model_opts *opts, int32_t mode, int32_t cache, open_model *out);
void model_close(open_model *opened);

/* "avx2 avx512 ..." of LFM2_CPU_* bits; `out` is returned. */
const char *cpu_names(uint32_t bits, char *out, size_t size);

#endif /* LFM2_TOOLS_MODEL_OPTS_H */
