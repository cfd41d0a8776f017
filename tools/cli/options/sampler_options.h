/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a sampler, for the commands that generate text. */
#ifndef LFM2_CLI_SAMPLER_OPTIONS_H
#define LFM2_CLI_SAMPLER_OPTIONS_H

#include "cli/options/options.h"

typedef struct sampler_options {
    double temperature;
    uint32_t top_k;
    double top_p, min_p;
    double repeat_penalty;
    int32_t repeat_last_n; /* -1 = all tokens */
    double frequency_penalty, presence_penalty;
    uint64_t seed;
} sampler_options;

extern const opt_spec sampler_specs[];

/* An entry for a command's table of groups. */
#define SAMPLER_GROUP(type, member)                                                                \
    {                                                                                              \
        "Sampling", sampler_specs, offsetof(type, member), NULL                                    \
    }

/* Marks what the model's defaults decide as not given, and sets a random seed. */
void sampler_options_init(sampler_options *options);

/* Returns EXIT_OK, or EXIT_FAILED after a message. */
int sampler_open(const sampler_options *options, const lfm2_model *model, lfm2_sampler **out);

#endif /* LFM2_CLI_SAMPLER_OPTIONS_H */
