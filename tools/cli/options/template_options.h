/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the commands that render conversations: the chat template, and what becomes of the
 * reasoning in an answer. */
#ifndef LFM2_CLI_TEMPLATE_OPTIONS_H
#define LFM2_CLI_TEMPLATE_OPTIONS_H

#include "cli/options/options.h"

typedef struct template_options {
    const char *source; /* a file, or the name of a template of the model; NULL: the model's */
    const char *args;   /* a JSON object; NULL: none */
    const char *date;   /* YYYY-MM-DD; NULL: now */
    int32_t year, month, day; /* of `date` */
} template_options;

extern const opt_spec template_specs[];
int template_options_check(const command *self, void *options);

/* An entry for a command's table of groups. */
#define TEMPLATE_GROUP(type, member)                                                               \
    {                                                                                              \
        "Chat template", template_specs, offsetof(type, member), template_options_check            \
    }

/* Whether one of the options was given. */
bool template_options_given(const template_options *options);

typedef enum reasoning_mode {
    REASONING_DEFAULT, /* as SHOW */
    REASONING_SHOW,
    REASONING_HIDE,
    REASONING_OFF
} reasoning_mode;

typedef struct reasoning_options {
    uint32_t mode;  /* reasoning_mode */
    int32_t budget; /* tokens; -1 = no limit */
} reasoning_options;

enum { REASONING_NO_BUDGET = -1 };

extern const opt_spec reasoning_specs[];
int reasoning_options_check(const command *self, void *options);

#define REASONING_GROUP(type, member)                                                              \
    {                                                                                              \
        "Reasoning", reasoning_specs, offsetof(type, member), reasoning_options_check              \
    }

void reasoning_options_init(reasoning_options *options);
bool reasoning_options_given(const reasoning_options *options);

#endif /* LFM2_CLI_TEMPLATE_OPTIONS_H */
