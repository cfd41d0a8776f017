/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the commands that constrain a text. */
#ifndef LFM2_CLI_CONSTRAINT_OPTIONS_H
#define LFM2_CLI_CONSTRAINT_OPTIONS_H

#include "cli/options/options.h"

typedef struct constraint_options {
    /* At most one is not NULL. */
    const char *json_schema; /* a JSON text or a file */
    const char *grammar;     /* a file */
    const char *regex;
    const char *choices; /* comma-separated */
    uint32_t space;      /* LFM2_SPACE_*, or CONSTRAINT_SPACE_DEFAULT */
    bool lenient;
    /* Of calls of the tools that the command has. */
    const char *tool_choice; /* auto, none, required or the name of a tool; NULL: not constrained */
    bool one_call;
} constraint_options;

enum { CONSTRAINT_SPACE_DEFAULT = 100 };

extern const opt_spec constraint_specs[], tool_choice_specs[];
int constraint_options_check(const command *self, void *options);

/* An entry for a command's table of groups. */
#define CONSTRAINT_GROUP(type, member)                                                             \
    {                                                                                              \
        "Constraint", constraint_specs, offsetof(type, member), constraint_options_check           \
    }

#define TOOL_CHOICE_GROUP(type, member)                                                            \
    {                                                                                              \
        "Constraint", tool_choice_specs, offsetof(type, member), NULL                              \
    }

void constraint_options_init(constraint_options *options);

/* Whether a schema, grammar, expression or list of choices was given. */
bool constraint_options_given(const constraint_options *options);

#endif /* LFM2_CLI_CONSTRAINT_OPTIONS_H */
