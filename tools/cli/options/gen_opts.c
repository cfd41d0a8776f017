/* SPDX-License-Identifier: Apache-2.0 */
/* Options of sessions and samplers, shared by the commands that use them. */
#include "cli/options/gen_opts.h"

#include <inttypes.h>

const opt_choice kv_choices[] = {
    {"f16", LFM2_KV_F16}, {"f32", LFM2_KV_F32}, {"q8_0", LFM2_KV_Q8}, {"q8", LFM2_KV_Q8}, {NULL, 0},
};

static const opt_choice pair_choices[] = {
    {"f16", LFM2_KV_F16 + 1},
    {"f32", LFM2_KV_F32 + 1},
    {"q8_0", LFM2_KV_Q8 + 1},
    {"q8", LFM2_KV_Q8 + 1},
    {NULL, 0},
};

const opt_special no_limit[] = {
    {-1, 0, "until it ends or the context is full"},
    {-2, 0, "until it ends or the context is full"},
    {0, 0, NULL},
};

const opt_special ctx_specials[] = {
    {0, SESSION_CTX_MODEL, "as many as the model was trained for"},
    {-1, SESSION_CTX_MODEL, "as many as the model was trained for"},
    {0, 0, NULL},
};

static const opt_special top_k_specials[] = {
    {0, 0, "off"},
    {-1, 0, "off"},
    {0, 0, NULL},
};

const opt_spec session_specs[SESSION_SPECS] = {
    {.kind = OPT_U32,
     .letter = 'c',
     .name = "ctx",
     .aliases = "--ctx-size --context-size",
     .arg = "N",
     .help = "most tokens the session can hold",
     .default_text = "4096, or what the model was trained for if that is less",
     .offset = offsetof(session_opts, n_ctx),
     .min = 1,
     .max = INT32_MAX,
     .specials = ctx_specials},
    {.kind = OPT_U32,
     .name = "chunk",
     .aliases = "-ub --ubatch-size",
     .arg = "N",
     .help = "most prompt tokens computed in one pass; 0 = the default",
     .default_text = "512",
     .offset = offsetof(session_opts, n_chunk),
     .max = INT32_MAX},
    {.kind = OPT_CHOICE,
     .name = "kv",
     .arg = "TYPE",
     .help = "type that keys and values are kept in",
     .default_text = "f16",
     .offset = offsetof(session_opts, kv),
     .choices = kv_choices},
};

/* llama.cpp keeps keys and values in a type each. */
const opt_spec session_pair_specs[SESSION_PAIR_SPECS] = {
    {.kind = OPT_CHOICE,
     .aliases = "-ctk --cache-type-k",
     .arg = "TYPE",
     .help = "as --kv, which sets the type of keys and values together: both must be given, and "
             "be the same",
     .offset = offsetof(session_opts, kv_k),
     .choices = pair_choices},
    {.kind = OPT_CHOICE,
     .aliases = "-ctv --cache-type-v",
     .arg = "TYPE",
     .help = "as --cache-type-k",
     .offset = offsetof(session_opts, kv_v),
     .choices = pair_choices},
};

int session_check(const command *self, void *opts)
{
    session_opts *o = opts;
    uint32_t k = o->kv_k != 0 ? o->kv_k - 1 : o->kv;
    uint32_t v = o->kv_v != 0 ? o->kv_v - 1 : o->kv;
    if (k != v) {
        return fail_usage(self->name, "keys (%s) and values (%s) are kept in one type: --kv TYPE",
                          choice_name(kv_choices, k), choice_name(kv_choices, v));
    }
    o->kv = k;
    return PARSED;
}

void session_options_fill(const session_opts *opts, const lfm2_model *model,
                          lfm2_session_options *out)
{
    lfm2_session_options_init(out, sizeof *out);
    out->n_ctx = opts->n_ctx;
    lfm2_model_info info = {.size = sizeof info};
    if (opts->n_ctx == SESSION_CTX_MODEL && lfm2_model_get_info(model, &info) == LFM2_OK) {
        out->n_ctx = info.n_ctx_train;
    }
    out->n_chunk = opts->n_chunk;
    out->kv_type = (int32_t)opts->kv;
}

int session_open(const session_opts *opts, lfm2_model *model, lfm2_session **out)
{
    lfm2_session_options options;
    session_options_fill(opts, model, &options);
    return lfm2_session_create(model, &options, out) == LFM2_OK ? EXIT_OK : fail_library();
}

const opt_spec sampler_specs[SAMPLER_SPECS] = {
    {.kind = OPT_REAL,
     .name = "temp",
     .aliases = "--temperature",
     .arg = "T",
     .help = "temperature; 0 always takes the most likely token",
     .default_text = "0.3",
     .offset = offsetof(sampler_opts, temperature),
     .max = 1000},
    {.kind = OPT_U32,
     .name = "top-k",
     .arg = "K",
     .help = "only the K most likely tokens",
     .default_text = "0",
     .offset = offsetof(sampler_opts, top_k),
     .min = 1,
     .max = INT32_MAX,
     .specials = top_k_specials},
    {.kind = OPT_REAL,
     .name = "top-p",
     .arg = "P",
     .help = "only the smallest set of tokens whose probability reaches P; 1 = off",
     .default_text = "1",
     .offset = offsetof(sampler_opts, top_p),
     .max = 1},
    {.kind = OPT_REAL,
     .name = "min-p",
     .arg = "P",
     .help = "only tokens at least P times as likely as the likeliest; 0 = off",
     .default_text = "0.15",
     .offset = offsetof(sampler_opts, min_p),
     .max = 1},
    {.kind = OPT_REAL,
     .name = "repeat-penalty",
     .aliases = "--repetition-penalty",
     .arg = "R",
     .help = "divides the logits of tokens that were there; 1 = off",
     .default_text = "1.05",
     .offset = offsetof(sampler_opts, repeat_penalty),
     .min = 0.01,
     .max = 100},
    {.kind = OPT_I32,
     .name = "repeat-last-n",
     .aliases = "--penalty-last-n",
     .arg = "N",
     .help = "how many tokens the penalties look at; 0 = none, -1 = all",
     .default_text = "-1",
     .offset = offsetof(sampler_opts, repeat_last_n),
     .min = -1,
     .max = 1 << 24},
    {.kind = OPT_REAL,
     .name = "frequency-penalty",
     .arg = "F",
     .help = "taken off the logit for each time the token was there",
     .default_text = "0",
     .offset = offsetof(sampler_opts, frequency_penalty),
     .min = -100,
     .max = 100},
    {.kind = OPT_REAL,
     .name = "presence-penalty",
     .arg = "P",
     .help = "taken off the logit once if the token was there",
     .default_text = "0",
     .offset = offsetof(sampler_opts, presence_penalty),
     .min = -100,
     .max = 100},
    {.kind = OPT_SEED,
     .letter = 's',
     .name = "seed",
     .arg = "S",
     .help = "the same seed gives the same text; -1 = a random one, which -v shows",
     .default_text = "-1",
     .offset = offsetof(sampler_opts, seed)},
};

void sampler_opts_init(sampler_opts *opts)
{
    lfm2_sampler_options defaults;
    lfm2_sampler_options_init(&defaults, sizeof defaults, NULL);
    *opts = (sampler_opts){
        .temperature = (double)defaults.temperature,
        .top_k = (uint32_t)defaults.top_k,
        .top_p = (double)defaults.top_p,
        .min_p = (double)defaults.min_p,
        .repeat_penalty = (double)defaults.repetition_penalty,
        .repeat_last_n = defaults.penalty_last_n,
        .frequency_penalty = (double)defaults.frequency_penalty,
        .presence_penalty = (double)defaults.presence_penalty,
        .seed = random_seed(),
    };
}

int sampler_open(const sampler_opts *opts, const lfm2_model *model, lfm2_sampler **out)
{
    lfm2_sampler_options options;
    lfm2_sampler_options_init(&options, sizeof options, model);
    options.temperature = (float)opts->temperature;
    options.top_k = (int32_t)opts->top_k;
    options.top_p = (float)opts->top_p;
    options.min_p = (float)opts->min_p;
    options.repetition_penalty = (float)opts->repeat_penalty;
    options.penalty_last_n = opts->repeat_last_n;
    options.frequency_penalty = (float)opts->frequency_penalty;
    options.presence_penalty = (float)opts->presence_penalty;
    options.seed = opts->seed;
    return lfm2_sampler_create(model, &options, out) == LFM2_OK ? EXIT_OK : fail_library();
}

const char *finish_name(int32_t finish)
{
    switch (finish) {
    case LFM2_FINISH_LENGTH:
        return "length";
    case LFM2_FINISH_STOP_TOKEN:
        return "stop_token";
    case LFM2_FINISH_STOP_STRING:
        return "stop_string";
    case LFM2_FINISH_CONTEXT:
        return "context";
    case LFM2_FINISH_CALLBACK:
        return "callback";
    case LFM2_FINISH_CANCELLED:
        return "cancelled";
    default:
        return "?";
    }
}

static double rate(uint32_t n, double seconds)
{
    return seconds > 0 ? n / seconds : 0;
}

void notice_timing(const lfm2_generate_result *r, uint64_t seed)
{
    /* The first token's time belongs to the prompt. */
    uint32_t rest = r->n_generated > 0 ? r->n_generated - 1 : 0;
    notice("prompt %u tokens in %.3f s (%.1f tokens/s), answer %u tokens in %.3f s (%.1f "
           "tokens/s), ended by %s, seed %" PRIu64,
           r->n_prompt, r->prompt_seconds, rate(r->n_prompt, r->prompt_seconds), r->n_generated,
           r->generate_seconds, rate(rest, r->generate_seconds), finish_name(r->finish), seed);
}
