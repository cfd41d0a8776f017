/* SPDX-License-Identifier: Apache-2.0 */
/* Options of llama.cpp and ollama that have no effect here, or that are refused with what to do
 * instead. Options with the same meaning are aliases of ours. */
#ifndef LFM2_CLI_COMPAT_OPTIONS_H
#define LFM2_CLI_COMPAT_OPTIONS_H

#include "cli/options/options.h"

/* For every command that runs a model; for run and chat. */
extern const opt_spec compat_specs[], compat_text_specs[];

/* Entries for a command's table of groups. */
#define COMPAT_GROUP                                                                               \
    {                                                                                              \
        NULL, compat_specs, 0, NULL                                                                \
    }
#define COMPAT_TEXT_GROUP                                                                          \
    {                                                                                              \
        NULL, compat_text_specs, 0, NULL                                                           \
    }

#endif /* LFM2_CLI_COMPAT_OPTIONS_H */
