/* SPDX-License-Identifier: Apache-2.0 */
/* Options that choose the model and how it runs, and opening it. */
#ifndef LFM2_TOOLS_MODEL_OPTS_H
#define LFM2_TOOLS_MODEL_OPTS_H

#include "options.h"

typedef struct model_opts {
    const char *path; /* NULL: the built-in model */
    uint32_t threads; /* 0 = physical cores */
    uint32_t cpu_disable;
    uint32_t kernels; /* LFM2_KERNELS_* */
    uint32_t merges;  /* LFM2_MERGES_* */
    bool no_cache;    /* pack even if there is a pack cache */
    bool no_mmap;     /* LFM2_LOAD_COPY */
    const char *cache; /* pack cache; NULL: the usual place */
    bool verbose;
} model_opts;

/* LFM2_KERNELS_* and LFM2_CPU_* by name. */
extern const opt_choice kernel_choices[];
extern const opt_choice cpu_choices[];

/* The group of options that fills a model_opts. */
extern const opt_spec model_specs[];
enum { MODEL_SPECS = 9 };
#define MODEL_GROUP(type, member)                                                                  \
    {                                                                                              \
        "Model", model_specs, MODEL_SPECS, offsetof(type, member)                                  \
    }

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

/* Runtime and model (`mode`: LFM2_LOAD_*). After a failure nothing is held. */
int model_open(const model_opts *opts, int32_t mode, open_model *out);

/* The same with LFM2_CACHE_* given. */
int model_open_cache(const model_opts *opts, int32_t mode, int32_t cache, open_model *out);
void model_close(open_model *opened);

/* "avx2 avx512 ..." of LFM2_CPU_* bits; `out` is returned. */
const char *cpu_names(uint32_t bits, char *out, size_t size);

#endif /* LFM2_TOOLS_MODEL_OPTS_H */
