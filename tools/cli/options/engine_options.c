/* SPDX-License-Identifier: Apache-2.0 */
/* Options of lfm2_engine, for the commands that answer many requests. */
#include "cli/options/engine_options.h"

const opt_spec engine_specs[] = {
    {.type = OPT_U32,
     .name = "parallel",
     .aliases = "-np",
     .arg = "N",
     .help = "most answers that are generated at the same time",
     .default_text = "64",
     .offset = offsetof(engine_options, parallel),
     .min = 1,
     .max = 1024},
    {.type = OPT_U32,
     .name = "cache-ram",
     .arg = "MIB",
     .help = "memory for what was computed, which later prompts with the same beginning use; it "
             "never changes an answer",
     .default_text = "a quarter of the memory for KV",
     .offset = offsetof(engine_options, cache_mib),
     .min = 1,
     .max = INT32_MAX},
    {.type = OPT_FLAG,
     .name = "no-prefix-cache",
     .help = "compute every prompt from its beginning",
     .offset = offsetof(engine_options, no_cache)},
    {.type = OPT_TEXT,
     .name = "prompt-cache",
     .arg = "DIR",
     .help = "keep what was computed in files in DIR as well; above 4 GiB the files not used for "
             "the longest time are deleted",
     .offset = offsetof(engine_options, prompt_cache)},
    {.type = OPT_END},
};

int engine_options_check(const command *self, void *options)
{
    const engine_options *o = options;
    if (o->no_cache && (o->cache_mib > 0 || o->prompt_cache != NULL)) {
        return fail_usage(self->name, "--no-prefix-cache cannot be combined with %s",
                          o->cache_mib > 0 ? "--cache-ram" : "--prompt-cache");
    }
    return PARSED;
}

void engine_options_fill(const engine_options *options, const session_options *session,
                         const lfm2_model *model, lfm2_engine_options *out)
{
    lfm2_session_options filled;
    session_options_fill(session, model, &filled);
    lfm2_engine_options_init(out, sizeof *out);
    out->n_ctx = filled.n_ctx;
    out->kv_type = filled.kv_type;
    out->n_rows = filled.n_chunk;
    out->max_running = options->parallel;
    out->cache_bytes = (uint64_t)options->cache_mib << 20;
    out->cache_folder = options->prompt_cache;
    if (options->no_cache) {
        out->flags |= LFM2_ENGINE_NO_CACHE;
    }
}
