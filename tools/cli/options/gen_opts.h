/* SPDX-License-Identifier: Apache-2.0 */
/* Options of sessions and samplers, shared by the commands that use them. */
#ifndef LFM2_TOOLS_GEN_OPTS_H
#define LFM2_TOOLS_GEN_OPTS_H

#include "cli/options/options.h"

typedef struct session_opts {
    uint32_t n_ctx;      /* 0 = min(4096, the model's), SESSION_CTX_MODEL = the model's */
    uint32_t n_chunk;    /* 0 = the library's choice */
    uint32_t kv;         /* LFM2_KV_* */
    uint32_t kv_k, kv_v; /* llama.cpp's two options: LFM2_KV_* + 1, 0 = not given */
} session_opts;

#define SESSION_CTX_MODEL UINT32_MAX

extern const opt_choice kv_choices[];
extern const opt_special no_limit[];     /* for counts of tokens: stored as 0 */
extern const opt_special ctx_specials[]; /* SESSION_CTX_MODEL */
extern const opt_spec session_specs[];
extern const opt_spec session_pair_specs[];
enum { SESSION_SPECS = 3, SESSION_PAIR_SPECS = 2 };
int session_check(const command *self, void *opts);

/* Two rows of a table of groups each. The second is for commands that size their sessions
 * themselves: without -c. */
#define SESSION_GROUPS(type, member)                                                               \
    {"Session", session_specs, SESSION_SPECS, offsetof(type, member), NULL},                       \
    {                                                                                              \
        NULL, session_pair_specs, SESSION_PAIR_SPECS, offsetof(type, member), session_check        \
    }
#define SESSION_MEMORY_GROUPS(type, member)                                                        \
    {"Session", session_specs + 1, SESSION_SPECS - 1, offsetof(type, member), NULL},               \
    {                                                                                              \
        NULL, session_pair_specs, SESSION_PAIR_SPECS, offsetof(type, member), session_check        \
    }

/* EXIT_OK, or EXIT_FAILED after a message. */
int session_open(const session_opts *opts, lfm2_model *model, lfm2_session **out);

/* The same values as the library's struct. */
void session_options_fill(const session_opts *opts, const lfm2_model *model,
                          lfm2_session_options *out);

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
        "Sampling", sampler_specs, SAMPLER_SPECS, offsetof(type, member), NULL                     \
    }

/* The library's defaults, and a random seed. */
void sampler_opts_init(sampler_opts *opts);

int sampler_open(const sampler_opts *opts, const lfm2_model *model, lfm2_sampler **out);

/* "stop_token" and so on. */
const char *finish_name(int32_t finish);

/* One line about the speed of an answer and its seed, on stderr. */
void notice_timing(const lfm2_generate_result *result, uint64_t seed);

/* Most tokens of an answer of run and chat unless the user says another. */
enum { DEFAULT_PREDICT = 8192 };

#endif /* LFM2_TOOLS_GEN_OPTS_H */
