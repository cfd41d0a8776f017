/* SPDX-License-Identifier: Apache-2.0 */
/* Options that choose the model and how it runs, and opening it. */
#include "cli/options/model_opts.h"
#include "cli/support/progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEMO_FILE "lfm2-demo-q4_0.gguf"

const opt_choice kernel_choices[] = {
    {"auto", LFM2_KERNELS_AUTO},
    {"scalar", LFM2_KERNELS_SCALAR},
    {"own", LFM2_KERNELS_OWN},
    {"xnnpack", LFM2_KERNELS_XNNPACK},
    {NULL, 0},
};

const opt_choice cpu_choices[] = {
    {"sse41", LFM2_CPU_SSE41},
    {"avx", LFM2_CPU_AVX},
    {"avx2", LFM2_CPU_AVX2},
    {"avxvnni", LFM2_CPU_AVXVNNI},
    {"gfni", LFM2_CPU_GFNI},
    {"avx512", LFM2_CPU_AVX512},
    {"avx512vnni", LFM2_CPU_AVX512VNNI},
    {"avx512bf16", LFM2_CPU_AVX512BF16},
    {"neon", LFM2_CPU_NEON},
    {"dotprod", LFM2_CPU_DOTPROD},
    {"i8mm", LFM2_CPU_I8MM},
    {"all", LFM2_CPU_ALL},
    {NULL, 0},
};

static const opt_choice merge_choices[] = {
    {"file", LFM2_MERGES_FILE},
    {"apply", LFM2_MERGES_APPLY},
    {"ignore", LFM2_MERGES_IGNORE},
    {NULL, 0},
};

const opt_spec model_file_specs[] = {
    {.kind = OPT_TEXT,
     .letter = 'm',
     .name = "model",
     .arg = "PATH",
     .help = "GGUF file (the first part of a split one) or Hugging Face folder",
     .default_text = "the built-in demo model",
     .offset = offsetof(model_opts, path)},
    {.kind = OPT_FLAG,
     .letter = 'v',
     .name = "verbose",
     .aliases = "--log-verbose",
     .help = "messages and timing on standard error",
     .offset = offsetof(model_opts, verbose)},
};
_Static_assert(COUNT(model_file_specs) == MODEL_FILE_SPECS, "rows");

const opt_spec model_merges_specs[] = {
    {.kind = OPT_CHOICE,
     .name = "merges",
     .arg = "RULE",
     .help = "whether a piece of text that is a token itself is still merged step by step: as the "
             "model file says, always (Hugging Face) or never (llama.cpp)",
     .default_text = "file",
     .offset = offsetof(model_opts, merges),
     .choices = merge_choices},
};
_Static_assert(COUNT(model_merges_specs) == MODEL_MERGES_SPECS, "rows");

const opt_special default_threads[] = {
    {0, 0, "one for each physical core"},
    {-1, 0, "one for each physical core"},
    {0, 0, NULL},
};

const opt_spec model_thread_specs[] = {
    {.kind = OPT_U32,
     .letter = 't',
     .name = "threads",
     .arg = "N",
     .help = "threads that compute",
     .default_text = "0",
     .offset = offsetof(model_opts, threads),
     .min = 1,
     .max = MAX_THREADS,
     .specials = default_threads},
};
_Static_assert(COUNT(model_thread_specs) == MODEL_THREAD_SPECS, "rows");

const opt_spec model_kernel_specs[] = {
    {.kind = OPT_CHOICE,
     .name = "kernels",
     .arg = "WHOSE",
     .help = "whose matrix kernels compute; auto takes the fastest for this CPU",
     .default_text = "auto",
     .offset = offsetof(model_opts, kernels),
     .choices = kernel_choices},
    {.kind = OPT_CHOICES,
     .name = "cpu-disable",
     .arg = "LIST",
     .help = "instruction sets not to be used",
     .offset = offsetof(model_opts, cpu_disable),
     .choices = cpu_choices},
};
_Static_assert(COUNT(model_kernel_specs) == MODEL_KERNEL_SPECS, "rows");

const opt_spec model_cache_specs[] = {
    {.kind = OPT_TEXT,
     .name = "cache",
     .arg = "FILE",
     .help = "pack cache to use; an error if it does not fit the model",
     .default_text = "the model's path with .lfm2pack, if 'lfm2 pack' made it and it fits",
     .offset = offsetof(model_opts, cache)},
    {.kind = OPT_FLAG,
     .name = "no-cache",
     .help = "pack the weights even if there is a pack cache",
     .offset = offsetof(model_opts, no_cache)},
    {.kind = OPT_FLAG,
     .name = "no-mmap",
     .help = "read the files into memory instead of mapping them: they may change afterwards",
     .offset = offsetof(model_opts, no_mmap)},
};
_Static_assert(COUNT(model_cache_specs) == MODEL_CACHE_SPECS, "rows");

const char *cpu_names(uint32_t bits, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (const opt_choice *choice = cpu_choices; choice->value != LFM2_CPU_ALL; choice++) {
        if ((bits & choice->value) != 0) {
            int n = snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "", choice->name);
            if (n < 0 || (size_t)n >= size - used) {
                break;
            }
            used += (size_t)n;
        }
    }
    if (used == 0) {
        snprintf(out, size, "none");
    }
    return out;
}

static void on_log(void *user, int32_t level, const char *text, size_t len)
{
    static const char *const before[] = {"error: ", "warning: ", "", ""};
    (void)user;
    notice("%s%.*s", level >= 0 && level < 4 ? before[level] : "", (int)len, text);
}

int runtime_open(const model_opts *opts, lfm2_runtime **out)
{
    lfm2_runtime_options options;
    lfm2_runtime_options_init(&options, sizeof options);
    options.n_threads = (int32_t)opts->threads;
    options.cpu_disable = opts->cpu_disable;
    options.kernels = (int32_t)opts->kernels;
    options.log_level = opts->verbose ? LFM2_LOG_INFO : LFM2_LOG_WARN;
    options.log = on_log;
    if (lfm2_runtime_create(&options, out) != LFM2_OK) {
        return fail_library();
    }
    if (opts->verbose) {
        char names[128];
        notice("%d threads, instruction sets: %s", (int)lfm2_runtime_threads(*out),
               cpu_names(lfm2_runtime_cpu(*out), names, sizeof names));
    }
    return EXIT_OK;
}

static bool readable(const char *path)
{
    return path[0] != 0 && access(path, R_OK) == 0;
}

/* The demo model of an installed program (which may have been moved as a whole), in the source
 * tree of a program that was only built, or where it was installed to. */
static bool find_demo(char *path, size_t size)
{
    char self[3072];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len > 0) {
        self[len] = 0;
        char *slash = strrchr(self, '/');
        if (slash != NULL) {
            *slash = 0;
            snprintf(path, size, "%s/../share/lfm2/%s", self, DEMO_FILE);
            if (readable(path)) {
                return true;
            }
        }
    }
#ifdef LFM2_MODEL_REPO
    snprintf(path, size, "%s", LFM2_MODEL_REPO);
    if (readable(path)) {
        return true;
    }
#endif
#ifdef LFM2_MODEL_INSTALLED
    snprintf(path, size, "%s", LFM2_MODEL_INSTALLED);
    if (readable(path)) {
        return true;
    }
#endif
    return false;
}

int model_path(const model_opts *opts, char *path, size_t size)
{
    if (opts->path != NULL) {
        if (opts->path[0] == 0) {
            return fail("cli.model", "the path of the model is empty");
        }
        if (strlen(opts->path) >= size) {
            return fail("cli.model", "the path of the model is too long");
        }
        snprintf(path, size, "%s", opts->path);
        return EXIT_OK;
    }
    if (!find_demo(path, size)) {
        return fail("cli.model",
                    "the built-in model %s is not there: give the path of a model with -m",
                    DEMO_FILE);
    }
    if (opts->verbose) {
        notice("built-in model %s", path);
    }
    return EXIT_OK;
}

int model_argument(const command *self, const opt_args *args, model_opts *opts)
{
    if (args->n > 0 && opts->path != NULL) {
        return fail_usage(self->name, "give the model as an argument or with -m, not both");
    }
    if (args->n > 0) {
        opts->path = args->items[0];
    }
    return PARSED;
}

/* Whether an argument can only be meant as a model. */
static bool names_model(const char *text)
{
    char config[4096];
    size_t len = strlen(text);
    if (len > 5 && strcasecmp(text + len - 5, ".gguf") == 0) {
        return true;
    }
    int n = snprintf(config, sizeof config, "%s/config.json", text);
    return n > 0 && (size_t)n < sizeof config && readable(config);
}

int prompt_arguments(const command *self, const opt_args *args, model_opts *opts,
                     const char **prompt)
{
    uint32_t at = 0;
    if (args->n == 2 && opts->path != NULL) {
        return fail_usage(self->name, "unexpected argument '%s': one prompt, in quotes, besides -m",
                          args->items[1]);
    }
    if (opts->path == NULL && (args->n == 2 || (args->n == 1 && names_model(args->items[0])))) {
        opts->path = args->items[at++];
    }
    if (at < args->n && *prompt != NULL) {
        return fail_usage(self->name, "give the prompt as an argument or with -p, not both");
    }
    if (at < args->n && strcmp(args->items[at], "-") != 0) {
        *prompt = args->items[at];
    }
    return PARSED;
}

int model_check_path(const char *path)
{
    if (access(path, F_OK) == 0 || errno != ENOENT) {
        return EXIT_OK;
    }
    fail("cli.model.missing", "%s: there is no such model file", path);
    fputs("Models are GGUF files such as LFM2-8B-A1B-Q4_0.gguf, to be had from\n"
          "https://huggingface.co/LiquidAI/LFM2-8B-A1B-GGUF, or Hugging Face folders.\n",
          stderr);
    return EXIT_FAILED;
}

int model_open(const model_opts *opts, int32_t mode, open_model *out)
{
    int32_t cache = opts->no_cache        ? LFM2_CACHE_OFF
                    : opts->cache != NULL ? LFM2_CACHE_REQUIRE
                                          : LFM2_CACHE_USE;
    return model_open_cache(opts, mode, cache, out);
}

int model_open_cache(const model_opts *opts, int32_t mode, int32_t cache, open_model *out)
{
    *out = (open_model){0};
    int code = model_path(opts, out->path, sizeof out->path);
    if (code == EXIT_OK) {
        code = model_check_path(out->path);
    }
    if (code == EXIT_OK) {
        code = runtime_open(opts, &out->runtime);
    }
    if (code != EXIT_OK) {
        return code;
    }
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.mode = mode;
    options.merges = (int32_t)opts->merges;
    options.cache = cache;
    options.cache_path = opts->cache;
    options.flags = opts->no_mmap ? LFM2_MODEL_COPY : 0;
    progress bar;
    progress_begin(&bar, "loading");
    options.progress = progress_update;
    options.progress_user = &bar;
    double start = now_seconds();
    int32_t status = lfm2_model_load(out->runtime, out->path, &options, &out->model);
    out->load_seconds = now_seconds() - start;
    progress_end(&bar);
    if (status != LFM2_OK) {
        code = fail_library();
        model_close(out);
        return code;
    }
    if (opts->verbose && mode == LFM2_LOAD_FULL) {
        lfm2_model_info info = {.size = sizeof info};
        bool cached = lfm2_model_get_info(out->model, &info) == LFM2_OK && info.from_cache != 0;
        notice("loaded in %.3f s%s", out->load_seconds, cached ? " from the pack cache" : "");
    }
    return EXIT_OK;
}

void model_close(open_model *opened)
{
    lfm2_model_free(opened->model);
    lfm2_runtime_free(opened->runtime);
    opened->model = NULL;
    opened->runtime = NULL;
}
