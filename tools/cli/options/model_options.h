/* SPDX-License-Identifier: Apache-2.0 */
/* Options that select the model and how it is loaded and computed. */
#ifndef LFM2_CLI_MODEL_OPTIONS_H
#define LFM2_CLI_MODEL_OPTIONS_H

#include "cli/options/options.h"

typedef struct model_options {
    const char *path; /* NULL: the demo model */
    uint32_t threads; /* 0 = one for each performance core */
    uint32_t cpu_disable;
    uint32_t kernels;  /* LFM2_KERNELS_* */
    uint32_t prefetch; /* index in prefetch_choices */
    uint32_t merges;   /* LFM2_MERGES_* */
    bool no_cache;     /* pack the weights even if there is a pack cache */
    bool no_mmap;      /* LFM2_MODEL_COPY */
    const char *cache; /* pack cache; NULL: the default path */
    bool verbose;
} model_options;

/* The names of LFM2_KERNELS_*, and of prefetch policies. */
extern const opt_choice kernel_choices[], prefetch_choices[];

/* Special numbers of -t: stored as 0. */
extern const opt_special thread_specials[];
enum { MAX_THREADS = 1024 };

/* Options that fill a model_options: the file, its tokenizer's merge rule, threads, kernels, the
 * pack cache. A command has those that have an effect in it. */
extern const opt_spec model_file_specs[], model_merges_specs[], model_thread_specs[],
    model_kernel_specs[], model_cache_specs[];

/* Entries for a command's table of groups. */
#define MODEL_GROUP(specs, type, member)                                                           \
    {                                                                                              \
        "Model", specs, offsetof(type, member), NULL                                               \
    }
#define MODEL_FILE_GROUP(type, member)   MODEL_GROUP(model_file_specs, type, member)
#define MODEL_MERGES_GROUP(type, member) MODEL_GROUP(model_merges_specs, type, member)
#define MODEL_THREAD_GROUP(type, member) MODEL_GROUP(model_thread_specs, type, member)
#define MODEL_KERNEL_GROUP(type, member) MODEL_GROUP(model_kernel_specs, type, member)
#define MODEL_CACHE_GROUP(type, member)  MODEL_GROUP(model_cache_specs, type, member)

/* All but the merge rule. */
#define MODEL_GROUPS(type, member)                                                                 \
    MODEL_FILE_GROUP(type, member), MODEL_THREAD_GROUP(type, member),                              \
        MODEL_KERNEL_GROUP(type, member), MODEL_CACHE_GROUP(type, member)

/* Takes the model from the only argument, if there is one. Returns PARSED, or an exit code after a
 * message. */
int model_argument(const command *self, const opt_args *args, model_options *options);

/* "avx2 avx512 ...": the names of LFM2_CPU_* bits. Returns `out`. */
const char *cpu_names(uint32_t bits, char *out, size_t size);

#endif /* LFM2_CLI_MODEL_OPTIONS_H */
