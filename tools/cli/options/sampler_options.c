/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a sampler, for the commands that generate text. */
#include "cli/options/sampler_options.h"
#include "cli/support/system.h"

static const opt_special top_k_specials[] = {
    {0, 0, "off"},
    {-1, 0, "off"},
    {0, 0, NULL},
};

const opt_spec sampler_specs[] = {
    {.type = OPT_REAL,
     .name = "temp",
     .aliases = "--temperature",
     .arg = "T",
     .help = "temperature; 0 = always choose the most likely token",
     .default_text = "as the model says",
     .offset = offsetof(sampler_options, temperature),
     .max = 1000},
    {.type = OPT_U32,
     .name = "top-k",
     .arg = "K",
     .help = "sample from the K most likely tokens",
     .default_text = "as the model says",
     .offset = offsetof(sampler_options, top_k),
     .min = 1,
     .max = INT32_MAX,
     .specials = top_k_specials},
    {.type = OPT_REAL,
     .name = "top-p",
     .arg = "P",
     .help =
         "sample from the smallest set of tokens whose total probability is at least P; 1 = off",
     .default_text = "as the model says",
     .offset = offsetof(sampler_options, top_p),
     .max = 1},
    {.type = OPT_REAL,
     .name = "min-p",
     .arg = "P",
     .help = "sample from tokens at least P times as likely as the most likely one; 0 = off",
     .default_text = "as the model says",
     .offset = offsetof(sampler_options, min_p),
     .max = 1},
    {.type = OPT_REAL,
     .name = "repeat-penalty",
     .aliases = "--repetition-penalty",
     .arg = "R",
     .help = "penalize tokens that have already occurred: divide positive logits by R and multiply "
             "negative ones; 1 = off",
     .default_text = "as the model says",
     .offset = offsetof(sampler_options, repeat_penalty),
     .min = 0.01,
     .max = 100},
    {.type = OPT_I32,
     .name = "repeat-last-n",
     .aliases = "--penalty-last-n",
     .arg = "N",
     .help = "number of recent tokens that the penalties consider; 0 = none, -1 = all",
     .default_text = "as the model says",
     .offset = offsetof(sampler_options, repeat_last_n),
     .min = -1,
     .max = 1 << 24},
    {.type = OPT_REAL,
     .name = "frequency-penalty",
     .arg = "F",
     .help = "subtract F from a token's logit for each time that it has occurred",
     .default_text = "0",
     .offset = offsetof(sampler_options, frequency_penalty),
     .min = -100,
     .max = 100},
    {.type = OPT_REAL,
     .name = "presence-penalty",
     .arg = "P",
     .help = "subtract P once from the logit of a token that has occurred",
     .default_text = "0",
     .offset = offsetof(sampler_options, presence_penalty),
     .min = -100,
     .max = 100},
    {.type = OPT_SEED,
     .letter = 's',
     .name = "seed",
     .arg = "S",
     .help = "seed of the random choices: the same seed gives the same text; -1 = a random seed, "
             "which -v prints",
     .default_text = "-1",
     .offset = offsetof(sampler_options, seed)},
    {.type = OPT_END},
};

/* Values that no option has: the model's default applies. */
enum { UNSET_LAST_N = INT32_MIN };
static const uint32_t unset_top_k = UINT32_MAX;
static const double unset = -1;

void sampler_options_init(sampler_options *options)
{
    *options = (sampler_options){
        .temperature = unset,
        .top_k = unset_top_k,
        .top_p = unset,
        .min_p = unset,
        .repeat_penalty = unset,
        .repeat_last_n = UNSET_LAST_N,
        .seed = random_seed(),
    };
}

static void set_real(float *out, double value)
{
    if (value >= 0) {
        *out = (float)value;
    }
}

int sampler_open(const sampler_options *options, const lfm2_model *model, lfm2_sampler **out)
{
    lfm2_sampler_options library;
    lfm2_sampler_options_init(&library, sizeof library, model);
    set_real(&library.temperature, options->temperature);
    set_real(&library.top_p, options->top_p);
    set_real(&library.min_p, options->min_p);
    set_real(&library.repetition_penalty, options->repeat_penalty);
    if (options->top_k != unset_top_k) {
        library.top_k = (int32_t)options->top_k;
    }
    if (options->repeat_last_n != UNSET_LAST_N) {
        library.penalty_last_n = options->repeat_last_n;
    }
    library.frequency_penalty = (float)options->frequency_penalty;
    library.presence_penalty = (float)options->presence_penalty;
    library.seed = options->seed;
    return lfm2_sampler_create(model, &library, out) == LFM2_OK ? EXIT_OK : fail_library();
}
