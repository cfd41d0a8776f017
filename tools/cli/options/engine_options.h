/* SPDX-License-Identifier: Apache-2.0 */
/* Options of lfm2_engine, for the commands that answer many requests. */
#ifndef LFM2_CLI_ENGINE_OPTIONS_H
#define LFM2_CLI_ENGINE_OPTIONS_H

#include "cli/options/session_options.h"

typedef struct engine_options {
    uint32_t parallel;        /* 0 = the library's default */
    uint32_t cache_mib;       /* memory of the prefix cache; 0 = the library's default */
    bool no_cache;            /* no prefix cache */
    const char *prompt_cache; /* a folder; NULL = none */
} engine_options;

extern const opt_spec engine_specs[];
int engine_options_check(const command *self, void *options);

/* An entry for a command's table of groups. */
#define ENGINE_GROUP(type, member)                                                                 \
    {                                                                                              \
        "Requests", engine_specs, offsetof(type, member), engine_options_check                     \
    }

/* Fills the library's struct with its defaults and these options. */
void engine_options_fill(const engine_options *options, const session_options *session,
                         const lfm2_model *model, lfm2_engine_options *out);

#endif /* LFM2_CLI_ENGINE_OPTIONS_H */
