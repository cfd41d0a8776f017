/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a session, for every command that opens one. */
#include "cli/options/session_options.h"

enum { DEFAULT_CTX = 32768 };

const opt_choice kv_choices[] = {
    {"f16", LFM2_KV_F16, NULL},
    {"f32", LFM2_KV_F32, NULL},
    {"q8_0", LFM2_KV_Q8, NULL},
    {"q8", LFM2_KV_Q8, NULL},
    {NULL, 0, NULL},
};

static const opt_choice kv_pair_choices[] = {
    {"f16", LFM2_KV_F16 + 1, NULL},
    {"f32", LFM2_KV_F32 + 1, NULL},
    {"q8_0", LFM2_KV_Q8 + 1, NULL},
    {"q8", LFM2_KV_Q8 + 1, NULL},
    {NULL, 0, NULL},
};

const opt_special predict_specials[] = {
    {-1, 0, "no limit but the context"},
    {-2, 0, "no limit but the context"},
    {0, 0, NULL},
};

static const opt_choice draft_choices[] = {
    {"off", 0, NULL},
    {"ngram", LFM2_GENERATE_DRAFT, "what followed the same tokens earlier in the text"},
    {NULL, 0, NULL},
};

const opt_spec draft_specs[] = {
    {.type = OPT_CHOICE,
     .name = "draft",
     .arg = "HOW",
     .help = "guess tokens and compute several at once; the answer stays the same and comes faster "
             "where it repeats the prompt, earlier turns or itself",
     .default_text = "off",
     .choices = draft_choices},
    {.type = OPT_END},
};

const opt_special ctx_specials[] = {
    {0, SESSION_CTX_MODEL, "the context length of the model"},
    {-1, SESSION_CTX_MODEL, "the context length of the model"},
    {0, 0, NULL},
};

const opt_spec session_ctx_specs[] = {
    {.type = OPT_U32,
     .letter = 'c',
     .name = "ctx",
     .aliases = "--ctx-size --context-size",
     .arg = "N",
     .help = "context size in tokens",
     .default_text = "32768, or the context length of the model if that is smaller",
     .offset = offsetof(session_options, n_ctx),
     .min = 1,
     .max = INT32_MAX,
     .specials = ctx_specials},
    {.type = OPT_END},
};

const opt_spec session_memory_specs[] = {
    {.type = OPT_U32,
     .name = "chunk",
     .aliases = "-ub --ubatch-size",
     .arg = "N",
     .help = "maximum number of prompt tokens in one pass; 0 = the default",
     .default_text = "512",
     .offset = offsetof(session_options, n_chunk),
     .max = INT32_MAX},
    {.type = OPT_CHOICE,
     .name = "kv",
     .arg = "TYPE",
     .help = "data type of the KV cache",
     .default_text = "f16",
     .offset = offsetof(session_options, kv),
     .choices = kv_choices},
    {.type = OPT_END},
};

/* llama.cpp has a type for keys and another for values. */
const opt_spec session_kv_pair_specs[] = {
    {.type = OPT_CHOICE,
     .aliases = "-ctk --cache-type-k",
     .arg = "TYPE",
     .help = "like --kv, which sets the type of both keys and values; give both options, with the "
             "same type",
     .offset = offsetof(session_options, kv_k),
     .choices = kv_pair_choices},
    {.type = OPT_CHOICE,
     .aliases = "-ctv --cache-type-v",
     .arg = "TYPE",
     .help = "like --cache-type-k",
     .offset = offsetof(session_options, kv_v),
     .choices = kv_pair_choices},
    {.type = OPT_END},
};

int session_options_check(const command *self, void *options)
{
    session_options *o = options;
    uint32_t k = o->kv_k != 0 ? o->kv_k - 1 : o->kv;
    uint32_t v = o->kv_v != 0 ? o->kv_v - 1 : o->kv;
    if (k != v) {
        return fail_usage(self->name,
                          "keys (%s) and values (%s) must have the same type: use --kv TYPE",
                          choice_name(kv_choices, k), choice_name(kv_choices, v));
    }
    o->kv = k;
    return PARSED;
}

void session_options_fill(const session_options *options, const lfm2_model *model,
                          lfm2_session_options *out)
{
    lfm2_session_options_init(out, sizeof *out);
    out->n_ctx = options->n_ctx == SESSION_CTX_MODEL ? 0 : options->n_ctx;
    lfm2_model_info info = {.size = sizeof info};
    if (options->n_ctx == 0 && lfm2_model_get_info(model, &info) == LFM2_OK) {
        out->n_ctx = info.n_ctx_train < DEFAULT_CTX ? info.n_ctx_train : DEFAULT_CTX;
    }
    out->n_chunk = options->n_chunk;
    out->kv_type = (int32_t)options->kv;
}

int session_open(const session_options *options, lfm2_model *model, lfm2_session **out)
{
    lfm2_session_options library;
    session_options_fill(options, model, &library);
    return lfm2_session_create(model, &library, out) == LFM2_OK ? EXIT_OK : fail_library();
}
