/* SPDX-License-Identifier: Apache-2.0 */
/* What quantize and synth share: presets, progress and the summary. */
#ifndef LFM2_CLI_WEIGHTS_H
#define LFM2_CLI_WEIGHTS_H

#include "cli/options/options.h"
#include "cli/support/progress.h"

#include "lfm2_tools.h"

enum {
    PRESET_Q4_0,
    PRESET_Q4_K_S,
    PRESET_Q4_K_M,
    PRESET_Q5_K_S,
    PRESET_Q5_K_M,
    PRESET_Q6_K,
    PRESET_Q8_0,
    PRESET_Q2_K,
    PRESET_Q3_K_S,
    PRESET_Q3_K_M,
    PRESET_Q3_K_L,
    PRESET_IQ4_NL,
    PRESET_IQ4_XS,
    PRESET_F16,
    PRESET_BF16,
    PRESET_F32
};
extern const opt_choice preset_choices[];

/* Finds the preset of a name, in any case. Returns EXIT_OK, or EXIT_USAGE after a message. */
int preset_parse(const command *self, const char *name, uint32_t *preset);

/* Fills the library's options and starts the progress bar. Ctrl-C now stops the conversion. */
void conversion_begin(lfm2_convert_options *options, uint32_t preset, progress *bar,
                      const char *label);

/* Ends the progress bar and prints a summary, or why the conversion failed. Returns the exit code.
 */
int conversion_end(progress *bar, int32_t status, const char *path, uint32_t preset, bool json);

#endif /* LFM2_CLI_WEIGHTS_H */
