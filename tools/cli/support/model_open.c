/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a runtime and a model as the command line asks for. */
#include "cli/support/model_open.h"
#include "cli/support/progress.h"
#include "cli/support/system.h"

#include "lfm2_tools.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEMO_FILE "lfm2-demo-q4_0.gguf"

static void on_log(void *user, int32_t level, const char *text, size_t len)
{
    static const char *const prefixes[] = {"error: ", "warning: ", "", ""};
    (void)user;
    notice("%s%.*s", level >= 0 && level < 4 ? prefixes[level] : "", (int)len, text);
}

void model_name(const char *path, char *out, size_t size)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    end -= model_is_gguf_name(path) ? strlen(".gguf") : 0;
    snprintf(out, size, "%.*s", (int)(end - start < size ? end - start : size - 1), path + start);
}

int runtime_open(const model_options *options, lfm2_runtime **out)
{
    lfm2_runtime_options library;
    lfm2_runtime_options_init(&library, sizeof library);
    library.n_threads = (int32_t)options->threads;
    library.cpu_disable = options->cpu_disable;
    library.kernels = (int32_t)options->kernels;
    library.log_level = options->verbose ? LFM2_LOG_INFO : LFM2_LOG_WARN;
    library.log = on_log;
    if (lfm2_runtime_create(&library, out) != LFM2_OK) {
        return fail_library();
    }
    if (lfm2_runtime_set_prefetch(*out, prefetch_choices[options->prefetch].name) != LFM2_OK) {
        int code = fail_library();
        lfm2_runtime_free(*out);
        *out = NULL;
        return code;
    }
    if (options->verbose) {
        char names[128];
        int n_threads = (int)lfm2_runtime_threads(*out);
        notice("%d thread%s, prefetch: %s, instruction sets: %s", n_threads,
               plural((uint64_t)n_threads),
               options->prefetch == 0 ? "auto (measured in passes)"
                                      : prefetch_choices[options->prefetch].name,
               cpu_names(lfm2_runtime_cpu(*out), names, sizeof names));
    }
    return EXIT_OK;
}

static bool is_readable(const char *path)
{
    return path[0] != 0 && access(path, R_OK) == 0;
}

/* Finds the demo model: relative to the program, which may have been moved with its folder; in the
 * source tree; in the folder of the installation. */
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
            if (is_readable(path)) {
                return true;
            }
        }
    }
#ifdef LFM2_MODEL_REPO
    snprintf(path, size, "%s", LFM2_MODEL_REPO);
    if (is_readable(path)) {
        return true;
    }
#endif
#ifdef LFM2_MODEL_INSTALLED
    snprintf(path, size, "%s", LFM2_MODEL_INSTALLED);
    if (is_readable(path)) {
        return true;
    }
#endif
    return false;
}

/* Writes the path of the model that `options` selects. */
static int model_path(const model_options *options, char *path, size_t size)
{
    if (options->path != NULL) {
        if (strlen(options->path) >= size) {
            return fail("cli.model", "the path of the model has %zu bytes; allowed: up to %zu",
                        strlen(options->path), size - 1);
        }
        snprintf(path, size, "%s", options->path);
        return EXIT_OK;
    }
    if (!find_demo(path, size)) {
        return fail("cli.model", "the demo model %s was not found: give a model with -m PATH",
                    DEMO_FILE);
    }
    if (options->verbose) {
        notice("demo model: %s", path);
    }
    return EXIT_OK;
}

/* Whether the name ends with one of the endings, in any case. */
static bool ends_with_one(const char *name, const char *const *endings, size_t n_endings)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < n_endings; i++) {
        size_t n = strlen(endings[i]);
        if (len > n && strcasecmp(name + len - n, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool model_is_gguf_name(const char *text)
{
    static const char *const ending[] = {".gguf"};
    return ends_with_one(text, ending, 1);
}

static bool is_model_file(const char *name)
{
    static const char *const names[] = {"config.json", "tokenizer.json", "adapter_config.json"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return model_is_gguf_name(name);
}

/* Weights that the library may refuse with advice. */
static bool is_weight_file(const char *name)
{
    static const char *const endings[] = {".safetensors", ".bin",  ".pt", ".pth",
                                          ".ckpt",        ".onnx", ".h5", ".msgpack"};
    return ends_with_one(name, endings, COUNT(endings));
}

static bool folder_has(const char *path, bool (*wanted)(const char *name))
{
    bool found = false;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return false;
    }
    for (struct dirent *e = readdir(folder); e != NULL && !found; e = readdir(folder)) {
        found = wanted(e->d_name);
    }
    closedir(folder);
    return found;
}

bool model_is_folder(const char *path)
{
    return folder_has(path, is_model_file);
}

int model_check_path(const char *path)
{
    struct stat info;
    if (path[0] == 0) {
        return fail("cli.model", "the path of the model is empty");
    }
    bool exists = stat(path, &info) == 0;
    if (!exists && errno != ENOENT) {
        return EXIT_OK; /* the library reports the error */
    }
    if (!exists) {
        fail("cli.model.missing", "%s: no such model file", path);
    } else if (S_ISDIR(info.st_mode) && !model_is_folder(path) &&
               !folder_has(path, is_weight_file)) {
        fail("cli.model.missing",
             "%s: this folder is not a model: it has no config.json and no GGUF file", path);
    } else {
        return EXIT_OK;
    }
    fputs("A model is a GGUF file or a Hugging Face folder (config.json, tokenizer.json and\n"
          "*.safetensors). Download one from https://huggingface.co/LiquidAI: for example\n"
          "LFM2-8B-A1B-Q4_0.gguf from https://huggingface.co/LiquidAI/LFM2-8B-A1B-GGUF.\n",
          stderr);
    return EXIT_FAILED;
}

int model_open(const model_options *options, int32_t mode, open_model *out)
{
    int32_t cache = options->no_cache        ? LFM2_CACHE_OFF
                    : options->cache != NULL ? LFM2_CACHE_REQUIRE
                                             : LFM2_CACHE_USE;
    return model_open_cache(options, mode, cache, out);
}

int model_open_cache(const model_options *options, int32_t mode, int32_t cache, open_model *out)
{
    *out = (open_model){0};
    int code = model_path(options, out->path, sizeof out->path);
    if (code == EXIT_OK) {
        code = model_check_path(out->path);
    }
    if (code == EXIT_OK) {
        code = runtime_open(options, &out->runtime);
    }
    if (code != EXIT_OK) {
        return code;
    }
    lfm2_model_options library;
    lfm2_model_options_init(&library, sizeof library);
    library.mode = mode;
    library.merges = (int32_t)options->merges;
    library.cache = cache;
    library.cache_path = options->cache;
    library.flags = options->no_mmap ? LFM2_MODEL_COPY : 0;
    progress bar;
    progress_begin(&bar, "loading");
    library.progress = progress_update;
    library.progress_user = &bar;
    double start = now_seconds();
    int32_t status = lfm2_model_load(out->runtime, out->path, &library, &out->model);
    out->load_seconds = now_seconds() - start;
    progress_end(&bar);
    if (status != LFM2_OK) {
        code = fail_library();
        model_close(out);
        return code;
    }
    if (options->verbose && mode == LFM2_LOAD_FULL) {
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
