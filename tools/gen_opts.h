/* SPDX-License-Identifier: Apache-2.0 */
/* Options of sessions and samplers, shared by the commands that use them. */
#ifndef LFM2_TOOLS_GEN_OPTS_H
#define LFM2_TOOLS_GEN_OPTS_H

#include "options.h"

typedef struct session_opts {
    uint32_t n_ctx;   /* 0 = min(4096, the model's) */
    uint32_t n_chunk; /* 0 = the library's choice */
    uint32_t kv;      /* LFM2_KV_* */
} session_opts;

extern const opt_choice kv_choices[];
extern const opt_spec session_specs[];
enum { SESSION_SPECS = 3 };
#define SESSION_GROUP(type, member)                                                                \
    {                                                                                              \
        "Session", session_specs, SESSION_SPECS, offsetof(type, member)                            \
    }

/* EXIT_OK, or EXIT_FAILED after a message. */
int session_open(const session_opts *opts, lfm2_model *model, lfm2_session **out);

/* The same values as the library's struct. */
void session_options_fill(const session_opts *opts, lfm2_session_options *out);

typedef struct sampler_opts {
    double temperature;
    uint32_t top_k;
    double top_p, min_p;
    double repeat_penalty;
    int32_t repeat_last_n; /* -1 = all tokens */
    double frequency_penalty, presence_penalty;
    uint64_t seed;
} sampler_opts;

extern const opt_spec sampler_specs[];
enum { SAMPLER_SPECS = 9 };
#define SAMPLER_GROUP(type, member)                                                                \
    {                                                                                              \
        "Sampling", sampler_specs, SAMPLER_SPECS, offsetof(type, member)                           \
    }

/* The library's defaults. */
void sampler_opts_init(sampler_opts *opts);

int sampler_open(const sampler_opts *opts, const lfm2_model *model, lfm2_sampler **out);

/* "stop_token" and so on. */
const char *finish_name(int32_t finish);

/* One line about the speed of an answer, on stderr. */
void notice_timing(const lfm2_generate_result *result);

#endif /* LFM2_TOOLS_GEN_OPTS_H */
