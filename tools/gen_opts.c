/* SPDX-License-Identifier: Apache-2.0 */
/* Options of sessions and samplers, shared by the commands that use them. */
#include "gen_opts.h"

const opt_choice kv_choices[] = {
    {"f16", LFM2_KV_F16},
    {"f32", LFM2_KV_F32},
    {"q8", LFM2_KV_Q8},
    {NULL, 0},
};

const opt_spec session_specs[SESSION_SPECS] = {
    {.kind = OPT_U32,
     .letter = 'c',
     .name = "ctx",
     .arg = "N",
     .help = "most tokens the session can hold; 0 = the smaller of 4096 and the model's limit "
             "(default)",
     .offset = offsetof(session_opts, n_ctx),
     .max = INT32_MAX},
    {.kind = OPT_U32,
     .name = "chunk",
     .arg = "N",
     .help = "most prompt tokens computed in one pass; 0 = 512 (default)",
     .offset = offsetof(session_opts, n_chunk),
     .max = INT32_MAX},
    {.kind = OPT_CHOICE,
     .name = "kv",
     .arg = "TYPE",
     .help = "attention memory: f16, f32 or q8 (default f16; logits: f32)",
     .offset = offsetof(session_opts, kv),
     .choices = kv_choices},
};

void session_options_fill(const session_opts *opts, lfm2_session_options *out)
{
    lfm2_session_options_init(out, sizeof *out);
    out->n_ctx = opts->n_ctx;
    out->n_chunk = opts->n_chunk;
    out->kv_type = (int32_t)opts->kv;
}

int session_open(const session_opts *opts, lfm2_model *model, lfm2_session **out)
{
    lfm2_session_options options;
    session_options_fill(opts, &options);
    return lfm2_session_create(model, &options, out) == LFM2_OK ? EXIT_OK : fail_library();
}

const opt_spec sampler_specs[SAMPLER_SPECS] = {
    {.kind = OPT_REAL,
     .name = "temp",
     .arg = "T",
     .help = "temperature; 0 always takes the most likely token (default 0.3)",
     .offset = offsetof(sampler_opts, temperature),
     .max = 1000},
    {.kind = OPT_U32,
     .name = "top-k",
     .arg = "K",
     .help = "only the K most likely tokens; 0 = off (default)",
     .offset = offsetof(sampler_opts, top_k),
     .max = INT32_MAX},
    {.kind = OPT_REAL,
     .name = "top-p",
     .arg = "P",
     .help = "only the smallest set of tokens whose probability reaches P; 1 = off (default)",
     .offset = offsetof(sampler_opts, top_p),
     .max = 1},
    {.kind = OPT_REAL,
     .name = "min-p",
     .arg = "P",
     .help = "only tokens at least P times as likely as the likeliest; 0 = off (default 0.15)",
     .offset = offsetof(sampler_opts, min_p),
     .max = 1},
    {.kind = OPT_REAL,
     .name = "repeat-penalty",
     .arg = "R",
     .help = "divides the logits of tokens that were there; 1 = off (default 1.05)",
     .offset = offsetof(sampler_opts, repeat_penalty),
     .min = 0.01,
     .max = 100},
    {.kind = OPT_I32,
     .name = "repeat-last-n",
     .arg = "N",
     .help = "how many tokens the penalties look at; -1 = all (default)",
     .offset = offsetof(sampler_opts, repeat_last_n),
     .min = -1,
     .max = INT32_MAX},
    {.kind = OPT_REAL,
     .name = "frequency-penalty",
     .arg = "F",
     .help = "taken off the logit for each time the token was there (default 0)",
     .offset = offsetof(sampler_opts, frequency_penalty),
     .min = -100,
     .max = 100},
    {.kind = OPT_REAL,
     .name = "presence-penalty",
     .arg = "P",
     .help = "taken off the logit once if the token was there (default 0)",
     .offset = offsetof(sampler_opts, presence_penalty),
     .min = -100,
     .max = 100},
    {.kind = OPT_U64,
     .name = "seed",
     .arg = "S",
     .help = "same seed, same text (default 0)",
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
        .seed = defaults.seed,
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

void notice_timing(const lfm2_generate_result *r)
{
    /* The first token's time belongs to the prompt. */
    uint32_t rest = r->n_generated > 0 ? r->n_generated - 1 : 0;
    notice("prompt %u tokens in %.3f s (%.1f tokens/s), answer %u tokens in %.3f s (%.1f "
           "tokens/s), ended by %s",
           r->n_prompt, r->prompt_seconds, rate(r->n_prompt, r->prompt_seconds), r->n_generated,
           r->generate_seconds, rate(rest, r->generate_seconds), finish_name(r->finish));
}
