/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a session, for every command that opens one. */
#ifndef LFM2_CLI_SESSION_OPTIONS_H
#define LFM2_CLI_SESSION_OPTIONS_H

#include "cli/options/options.h"

typedef struct session_options {
    uint32_t n_ctx;      /* 0 = min(32768, the model's), SESSION_CTX_MODEL = the model's */
    uint32_t n_chunk;    /* 0 = the library's default */
    uint32_t kv;         /* LFM2_KV_* */
    uint32_t kv_k, kv_v; /* llama.cpp's two options: LFM2_KV_* + 1, 0 = not given */
} session_options;

#define SESSION_CTX_MODEL UINT32_MAX

extern const opt_choice kv_choices[];
extern const opt_special ctx_specials[]; /* store SESSION_CTX_MODEL */

/* Special numbers of -n, the limit of an answer: stored as 0. The default of run and chat. */
extern const opt_special predict_specials[];
enum { DEFAULT_PREDICT = 8192 };

/* --draft, for commands that generate: a uint32_t, LFM2_GENERATE_DRAFT or 0. `title` is that of the
 * group before it. */
extern const opt_spec draft_specs[];
#define DRAFT_GROUP(title, type, member)                                                           \
    {                                                                                              \
        title, draft_specs, offsetof(type, member), NULL                                           \
    }

/* -c; --chunk and --kv; llama.cpp's types of keys and of values. */
extern const opt_spec session_ctx_specs[], session_memory_specs[], session_kv_pair_specs[];
int session_options_check(const command *self, void *options);

/* Entries for a command's table of groups. SESSION_MEMORY_GROUPS has no -c, for commands that
 * determine the context themselves. */
#define SESSION_MEMORY_GROUPS(type, member)                                                        \
    {"Session", session_memory_specs, offsetof(type, member), NULL},                               \
    {                                                                                              \
        NULL, session_kv_pair_specs, offsetof(type, member), session_options_check                 \
    }
#define SESSION_GROUPS(type, member)                                                               \
    {"Session", session_ctx_specs, offsetof(type, member), NULL},                                  \
        SESSION_MEMORY_GROUPS(type, member)

/* Returns EXIT_OK, or EXIT_FAILED after a message. */
int session_open(const session_options *options, lfm2_model *model, lfm2_session **out);

/* Fills the library's struct from `options`. */
void session_options_fill(const session_options *options, const lfm2_model *model,
                          lfm2_session_options *out);

#endif /* LFM2_CLI_SESSION_OPTIONS_H */
