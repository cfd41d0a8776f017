/* SPDX-License-Identifier: Apache-2.0 */
/* Options that users of llama.cpp and ollama type and that do nothing here, or are refused with
 * what to use instead. Those that mean the same are aliases of our own options. */
#ifndef LFM2_TOOLS_COMPAT_OPTS_H
#define LFM2_TOOLS_COMPAT_OPTS_H

#include "cli/options/options.h"

/* Of every command that runs a model. */
extern const opt_spec compat_specs[];
enum { COMPAT_SPECS = 34 };
#define COMPAT_GROUP                                                                               \
    {                                                                                              \
        NULL, compat_specs, COMPAT_SPECS, 0, NULL                                                  \
    }

/* Of run and chat. */
extern const opt_spec compat_text_specs[];
enum { COMPAT_TEXT_SPECS = 8 };
#define COMPAT_TEXT_GROUP                                                                          \
    {                                                                                              \
        NULL, compat_text_specs, COMPAT_TEXT_SPECS, 0, NULL                                        \
    }

#endif /* LFM2_TOOLS_COMPAT_OPTS_H */
