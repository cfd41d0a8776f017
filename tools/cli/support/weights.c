/* SPDX-License-Identifier: Apache-2.0 */
/* What quantize and synth share: weight types, progress, the summary. */
#include "cli/support/weights.h"
#include "cli/support/interrupt.h"
#include "cli/support/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

const opt_choice weight_choices[] = {
    {"q4_0", WEIGHTS_Q4_0},
    {"q4_k_s", WEIGHTS_Q4_K_S},
    {"q4_k_m", WEIGHTS_Q4_K_M},
    {"q5_k_s", WEIGHTS_Q5_K_S},
    {"q5_k_m", WEIGHTS_Q5_K_M},
    {"q6_k", WEIGHTS_Q6_K},
    {"q8_0", WEIGHTS_Q8_0},
    {"f16", WEIGHTS_F16},
    {"bf16", WEIGHTS_BF16},
    {"f32", WEIGHTS_F32},
    {NULL, 0},
};

bool weights_find(const char *name, uint32_t *type)
{
    for (const opt_choice *choice = weight_choices; choice->name != NULL; choice++) {
        if (strcasecmp(choice->name, name) == 0) {
            *type = choice->value;
            return true;
        }
    }
    return false;
}

int weights_parse(const command *self, const char *name, uint32_t *type)
{
    if (weights_find(name, type)) {
        return EXIT_OK;
    }
    char list[256] = "";
    size_t used = 0;
    for (const opt_choice *choice = weight_choices; choice->name != NULL; choice++) {
        int n =
            snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", choice->name);
        used += n > 0 && (size_t)n < sizeof list - used ? (size_t)n : 0;
    }
    return fail_usage(self->name, "'%s' is not a type of weights that can be written: %s", name,
                      list);
}

void weights_begin(lfm2_convert_options *options, uint32_t type, progress *bar, const char *label)
{
    lfm2_convert_options_init(options, sizeof *options);
    options->type = choice_name(weight_choices, type);
    options->progress = progress_update;
    options->progress_user = bar;
    progress_begin(bar, label);
    interrupt_begin(NULL);
}

int weights_end(progress *bar, int32_t status, const char *path, uint32_t type, bool json)
{
    double seconds = now_seconds() - bar->start;
    interrupt_end();
    progress_end(bar);
    if (status != LFM2_OK && strcmp(lfm2_last_error_code(), "convert.requantize") == 0) {
        return fail(lfm2_last_error_code(), "%s, or allow it with --allow-requantize",
                    lfm2_last_error());
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
                   choice_name(weight_choices, type), (uint64_t)info.st_size);
        json_number(seconds);
        out_printf("}\n");
    } else {
        char size[32];
        out_name(path);
        out_printf(": %s, %s, %.2f s\n", choice_name(weight_choices, type),
                   format_bytes((uint64_t)info.st_size, size), seconds);
    }
    return EXIT_OK;
}
