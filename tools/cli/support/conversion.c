/* SPDX-License-Identifier: Apache-2.0 */
/* What quantize and synth share: presets, progress and the summary. */
#include "cli/support/conversion.h"
#include "cli/support/interrupt.h"
#include "cli/support/json.h"
#include "cli/support/number.h"
#include "cli/support/system.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const opt_choice preset_choices[] = {
    {"q4_0", PRESET_Q4_0, NULL},
    {"q4_k_s", PRESET_Q4_K_S, NULL},
    {"q4_k_m", PRESET_Q4_K_M, NULL},
    {"q5_k_s", PRESET_Q5_K_S, NULL},
    {"q5_k_m", PRESET_Q5_K_M, NULL},
    {"q6_k", PRESET_Q6_K, NULL},
    {"q8_0", PRESET_Q8_0, NULL},
    {"q2_k", PRESET_Q2_K, NULL},
    {"q3_k_s", PRESET_Q3_K_S, NULL},
    {"q3_k_m", PRESET_Q3_K_M, NULL},
    {"q3_k_l", PRESET_Q3_K_L, NULL},
    {"iq4_nl", PRESET_IQ4_NL, NULL},
    {"iq4_xs", PRESET_IQ4_XS, NULL},
    {"f16", PRESET_F16, NULL},
    {"bf16", PRESET_BF16, NULL},
    {"f32", PRESET_F32, NULL},
    {NULL, 0, NULL},
};

int preset_parse(const command *self, const char *name, uint32_t *preset)
{
    char names[256];
    if (choice_find(preset_choices, name, strlen(name), preset)) {
        return EXIT_OK;
    }
    return fail_usage(self->name, "unknown type '%s'; allowed: %s", name,
                      choice_list(preset_choices, names, sizeof names));
}

void conversion_begin(lfm2_convert_options *options, uint32_t preset, progress *bar,
                      const char *label)
{
    lfm2_convert_options_init(options, sizeof *options);
    options->type = choice_name(preset_choices, preset);
    options->progress = progress_update;
    options->progress_user = bar;
    progress_begin(bar, label);
    interrupt_begin(NULL);
}

int conversion_end(progress *bar, int32_t status, const char *path, uint32_t preset, bool json)
{
    double seconds = now_seconds() - bar->start;
    interrupt_end();
    progress_end(bar);
    if (status == LFM2_E_STOPPED && interrupt_seen()) {
        return interrupt_code(LFM2_E_CANCELLED);
    }
    if (status != LFM2_OK && strcmp(lfm2_last_error_code(), "convert.requantize") == 0) {
        return fail(lfm2_last_error_code(), "%s, or use --allow-requantize", lfm2_last_error());
    }
    if (status != LFM2_OK) {
        return fail_library();
    }
    struct stat info;
    if (stat(path, &info) != 0) {
        return fail("cli.output", "%s: %s", path, strerror(errno));
    }
    if (json) {
        out_printf("{\"file\":");
        json_string(path, strlen(path));
        out_printf(",\"type\":\"%s\",\"bytes\":%" PRIu64 ",\"seconds\":",
                   choice_name(preset_choices, preset), (uint64_t)info.st_size);
        json_number(seconds);
        out_printf("}\n");
    } else {
        char size[32];
        out_name(path);
        out_printf(": %s, %s, %.2f s\n", choice_name(preset_choices, preset),
                   format_bytes((uint64_t)info.st_size, size), seconds);
    }
    return EXIT_OK;
}
