/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles the constraint that the command line asks for. Functions return an exit code, after a
 * message unless it is EXIT_OK. */
#ifndef LFM2_CLI_CONSTRAINT_OPEN_H
#define LFM2_CLI_CONSTRAINT_OPEN_H

#include "cli/options/constraint_options.h"

/* The text of a constraint and its kind, LFM2_CONSTRAINT_*; 0: none. */
typedef struct constraint_text {
    int32_t kind;
    text_buffer text;
} constraint_text;

/* Reads what the options name; with --tool-choice nothing, the tools are added later. */
int constraint_read(const constraint_options *options, constraint_text *out);

/* Makes the tools the text if there is a --tool-choice. */
int constraint_take_tools(const constraint_options *options, const text_buffer *tools,
                          constraint_text *out);

/* Sets the options of lfm2_constraint_create, with `space` instead of the default. */
void constraint_set_options(const constraint_options *options, int32_t space, int32_t reasoning,
                            lfm2_constraint_options *out);

/* Compiles it; *out is NULL if `text` has no kind. With --lenient a message says what is ignored.
 */
int constraint_open(lfm2_model *model, const constraint_options *options,
                    const constraint_text *text, int32_t reasoning, lfm2_constraint **out);

#endif /* LFM2_CLI_CONSTRAINT_OPEN_H */
