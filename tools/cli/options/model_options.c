/* SPDX-License-Identifier: Apache-2.0 */
/* Options that select the model and how it is loaded and computed. */
#include "cli/options/model_options.h"

#include <stdio.h>

const opt_choice kernel_choices[] = {
    {"auto", LFM2_KERNELS_AUTO, "the fastest for this CPU"},
    {"scalar", LFM2_KERNELS_SCALAR, "portable C"},
    {"own", LFM2_KERNELS_OWN, "those of lfm2"},
    {"xnnpack", LFM2_KERNELS_XNNPACK, "those of XNNPACK"},
    {NULL, 0, NULL},
};

const opt_choice prefetch_choices[] = {
    {"auto", 0, "what was fastest in the passes so far"},
    {"none", 1, "not at all"},
    {"l2-sparse", 2, "some lines into the L2 cache, 9 KB ahead"},
    {"l1-1k", 3, "into the L1 cache, 1.1 KB ahead"},
    {"l1-4k", 4, "into L1, 4.6 KB ahead"},
    {"l2-4k", 5, "into L2, 4.6 KB ahead"},
    {"l2-9k", 6, "into L2, 9 KB ahead"},
    {"l2-l1-4k", 7, "into L2, 4.6 KB ahead, and into L1, 2.3 KB ahead"},
    {"l2-l1-9k", 8, "into L2, 9 KB ahead, and into L1, 4.6 KB ahead"},
    {NULL, 0, NULL},
};

static const opt_choice cpu_choices[] = {
    {"sse41", LFM2_CPU_SSE41, NULL},
    {"avx", LFM2_CPU_AVX, NULL},
    {"avx2", LFM2_CPU_AVX2, NULL},
    {"avxvnni", LFM2_CPU_AVXVNNI, NULL},
    {"gfni", LFM2_CPU_GFNI, NULL},
    {"avx512", LFM2_CPU_AVX512, NULL},
    {"avx512vnni", LFM2_CPU_AVX512VNNI, NULL},
    {"avx512bf16", LFM2_CPU_AVX512BF16, NULL},
    {"neon", LFM2_CPU_NEON, NULL},
    {"dotprod", LFM2_CPU_DOTPROD, NULL},
    {"i8mm", LFM2_CPU_I8MM, NULL},
    {"all", LFM2_CPU_ALL, NULL},
    {NULL, 0, NULL},
};

static const opt_choice merge_choices[] = {
    {"file", LFM2_MERGES_FILE, "as the model file says"},
    {"apply", LFM2_MERGES_APPLY, "always, like Hugging Face"},
    {"ignore", LFM2_MERGES_IGNORE, "never, like llama.cpp"},
    {NULL, 0, NULL},
};

const opt_spec model_file_specs[] = {
    {.type = OPT_TEXT,
     .letter = 'm',
     .name = "model",
     .arg = "PATH",
     .help = "GGUF file (the first part of a split model) or Hugging Face folder",
     .default_text = "the demo model",
     .offset = offsetof(model_options, path)},
    {.type = OPT_FLAG,
     .letter = 'v',
     .name = "verbose",
     .aliases = "--log-verbose",
     .help = "print more messages, and timing",
     .offset = offsetof(model_options, verbose)},
    {.type = OPT_END},
};

const opt_spec model_merges_specs[] = {
    {.type = OPT_CHOICE,
     .name = "merges",
     .arg = "RULE",
     .help = "whether BPE merges apply to a pre-token that is itself a token",
     .default_text = "file",
     .offset = offsetof(model_options, merges),
     .choices = merge_choices},
    {.type = OPT_END},
};

const opt_special thread_specials[] = {
    {0, 0, "one for each performance core"},
    {-1, 0, "one for each performance core"},
    {0, 0, NULL},
};

const opt_spec model_thread_specs[] = {
    {.type = OPT_U32,
     .letter = 't',
     .name = "threads",
     .arg = "N",
     .help = "number of threads",
     .default_text = "0",
     .offset = offsetof(model_options, threads),
     .min = 1,
     .max = MAX_THREADS,
     .specials = thread_specials},
    {.type = OPT_END},
};

const opt_spec model_kernel_specs[] = {
    {.type = OPT_CHOICE,
     .name = "kernels",
     .arg = "SET",
     .help = "matrix kernels to use",
     .default_text = "auto",
     .offset = offsetof(model_options, kernels),
     .choices = kernel_choices},
    {.type = OPT_CHOICES,
     .name = "cpu-disable",
     .arg = "LIST",
     .help = "instruction sets not to use, comma-separated",
     .offset = offsetof(model_options, cpu_disable),
     .choices = cpu_choices},
    {.type = OPT_CHOICE,
     .name = "prefetch",
     .arg = "POLICY",
     .help =
         "how the kernels prefetch weights, keys and values from memory; 'lfm2 bench -v' prints "
         "what was measured",
     .default_text = "auto",
     .offset = offsetof(model_options, prefetch),
     .choices = prefetch_choices},
    {.type = OPT_END},
};

const opt_spec model_cache_specs[] = {
    {.type = OPT_TEXT,
     .name = "cache",
     .arg = "FILE",
     .help = "pack cache to use; it is an error if it does not match the model",
     .default_text = "the path of the model with .lfm2pack appended, if that file exists and "
                     "matches",
     .offset = offsetof(model_options, cache)},
    {.type = OPT_FLAG,
     .name = "no-cache",
     .help = "do not use a pack cache: pack the weights again",
     .offset = offsetof(model_options, no_cache)},
    {.type = OPT_FLAG,
     .name = "no-mmap",
     .help = "read the files into memory instead of mapping them, so that they may change "
             "afterwards",
     .offset = offsetof(model_options, no_mmap)},
    {.type = OPT_END},
};

const char *cpu_names(uint32_t bits, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (const opt_choice *choice = cpu_choices; choice->value != LFM2_CPU_ALL; choice++) {
        if ((bits & choice->value) != 0) {
            used = append_format(out, size, used, "%s%s", used > 0 ? " " : "", choice->name);
        }
    }
    if (used == 0) {
        snprintf(out, size, "none");
    }
    return out;
}

int model_argument(const command *self, const opt_args *args, model_options *options)
{
    if (args->n > 0 && options->path != NULL) {
        return fail_usage(self->name, "give the model as an argument or with -m, not both");
    }
    if (args->n > 0) {
        options->path = args->items[0];
    }
    return PARSED;
}
