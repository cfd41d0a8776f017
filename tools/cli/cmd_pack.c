/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 pack: writes the pack cache of a model, with which it loads in milliseconds. */
#include "cli/commands.h"
#include "cli/options/model_options.h"
#include "cli/support/json.h"
#include "cli/support/model_open.h"
#include "cli/support/number.h"
#include "cli/support/system.h"

#include <inttypes.h>
#include <string.h>

typedef struct pack_options {
    model_options model;
    bool verify, json;
} pack_options;

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .name = "cache",
     .arg = "FILE",
     .help = "path of the cache",
     .default_text =
         "the path of the model with .lfm2pack appended; for a folder, model.lfm2pack in it",
     .offset = offsetof(pack_options, model) + offsetof(model_options, cache)},
    {.type = OPT_FLAG,
     .name = "verify",
     .help = "verify the checksums of an existing cache instead of writing one",
     .offset = offsetof(pack_options, verify)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print a summary as one JSON object",
     .offset = offsetof(pack_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Cache", specs, 0, NULL},
    MODEL_FILE_GROUP(pack_options, model),
    MODEL_THREAD_GROUP(pack_options, model),
    MODEL_KERNEL_GROUP(pack_options, model),
};

static int summarize(const open_model *opened, const pack_options *opts, const char *what,
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
    pack_options opts = {.verify = false};
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
            code = fail("cli.pack", "%s: there is no pack cache that matches this model and CPU",
                        opened.path);
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
    .summary = "Write a model's pack cache, so that it loads in milliseconds.",
    .synopsis = "[MODEL | -m PATH] [--cache FILE] [--verify] [--json]",
    .details = "The cache contains the weights in the order in which the kernels read them, and is "
               "about as large as the model. Other commands use it automatically if model file, "
               "kernels and CPU are the same. Processes that use it share its memory. If writing "
               "fails, no incomplete file is left.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
