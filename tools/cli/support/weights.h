/* SPDX-License-Identifier: Apache-2.0 */
/* What quantize and synth share: weight types, progress, the summary. */
#ifndef LFM2_TOOLS_WEIGHTS_H
#define LFM2_TOOLS_WEIGHTS_H

#include "cli/options/options.h"
#include "cli/support/progress.h"

#include "lfm2_tools.h"

enum {
    WEIGHTS_Q4_0,
    WEIGHTS_Q4_K_S,
    WEIGHTS_Q4_K_M,
    WEIGHTS_Q5_K_S,
    WEIGHTS_Q5_K_M,
    WEIGHTS_Q6_K,
    WEIGHTS_Q8_0,
    WEIGHTS_F16,
    WEIGHTS_BF16,
    WEIGHTS_F32
};
extern const opt_choice weight_choices[];

/* Whether `name` is a type, in any case; *type is then set. */
bool weights_find(const char *name, uint32_t *type);

/* The WEIGHTS_* of a name in upper or lower case; EXIT_OK, or EXIT_USAGE after a message. */
int weights_parse(const command *self, const char *name, uint32_t *type);

/* Prepares the library's options; Ctrl-C stops the work from here on. */
void weights_begin(lfm2_convert_options *options, uint32_t type, progress *bar, const char *label);

/* Ends what weights_begin started and prints the outcome of `status`. Returns the exit code. */
int weights_end(progress *bar, int32_t status, const char *path, uint32_t type, bool json);

#endif /* LFM2_TOOLS_WEIGHTS_H */
