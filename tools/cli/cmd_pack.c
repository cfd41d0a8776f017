/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 pack: the pack cache of a model, so that later starts take milliseconds. */
#include "cli/support/json.h"
#include "cli/options/model_opts.h"

#include <inttypes.h>
#include <string.h>

typedef struct pack_opts {
    model_opts model;
    bool verify, json;
} pack_opts;

static const opt_spec specs[] = {
    {.kind = OPT_TEXT,
     .name = "cache",
     .arg = "FILE",
     .help = "where the cache is written, or with --verify read",
     .default_text = "the model's path with .lfm2pack; of a folder, model.lfm2pack in it",
     .offset = offsetof(pack_opts, model) + offsetof(model_opts, cache)},
    {.kind = OPT_FLAG,
     .name = "verify",
     .help = "write nothing: compare every checksum of the cache that is there",
     .offset = offsetof(pack_opts, verify)},
    {.kind = OPT_FLAG,
     .name = "json",
     .help = "print a summary as one JSON object",
     .offset = offsetof(pack_opts, json)},
};

static const opt_group groups[] = {
    {"Cache", specs, COUNT(specs), 0, NULL},
    MODEL_FILE_GROUP(pack_opts, model),
    MODEL_THREAD_GROUP(pack_opts, model),
    MODEL_KERNEL_GROUP(pack_opts, model),
};

static int summarize(const open_model *opened, const pack_opts *opts, const char *what,
                     double seconds)
{
    lfm2_model_info info = {.size = sizeof info};
    if (lfm2_model_get_info(opened->model, &info) != LFM2_OK) {
        return fail_library();
    }
    char size[32];
    if (opts->json) {
        out_printf("{\"model\":");
        json_string(opened->path, strlen(opened->path));
        out_printf(",\"action\":\"%s\",\"bytes\":%" PRIu64 ",\"seconds\":", what,
                   info.packed_bytes);
        json_number(seconds);
        out_printf("}\n");
        return EXIT_OK;
    }
    out_name(opened->path);
    out_printf(": pack cache %s, %s, %.2f s\n", what, format_bytes(info.packed_bytes, size),
               seconds);
    return EXIT_OK;
}

static int run(const command *self, int argc, char **argv)
{
    pack_opts opts = {.verify = false};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code != PARSED) {
        return code;
    }
    open_model opened;
    double start = now_seconds();
    code = model_open_cache(&opts.model, LFM2_LOAD_FULL,
                            opts.verify ? LFM2_CACHE_VERIFY : LFM2_CACHE_OFF, &opened);
    if (code != EXIT_OK) {
        return code;
    }
    if (opts.verify) {
        lfm2_model_info info = {.size = sizeof info};
        if (lfm2_model_get_info(opened.model, &info) != LFM2_OK) {
            code = fail_library();
        } else if (info.from_cache == 0) {
            code = fail("cli.pack", "%s: there is no pack cache that fits", opened.path);
        }
    } else if (lfm2_model_save_cache(opened.model, opts.model.cache) != LFM2_OK) {
        code = fail_library();
    }
    if (code == EXIT_OK) {
        code =
            summarize(&opened, &opts, opts.verify ? "verified" : "written", now_seconds() - start);
    }
    model_close(&opened);
    return code;
}

const command cmd_pack = {
    .name = "pack",
    .summary = "Write the pack cache of a model, so that it starts in milliseconds.",
    .synopsis = "[MODEL | -m PATH] [--cache FILE] [--verify] [--json]",
    .details = "The cache is the weights as the kernels read them, about as large as the model.\n"
               "Later starts with the same model, kernels and file times use it unasked; several\n"
               "processes share its memory. It appears complete or not at all.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
