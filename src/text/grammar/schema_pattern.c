/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns as expressions of the spellings of the strings in which they match. */
#include "text/grammar/schema_internal.h"

static lf_rx spell(void *user, uint32_t first, uint32_t last)
{
    return lf_schema_spell(user, first, last);
}

int32_t lf_schema_pattern(lf_schema *s, const char *text, size_t len, bool whole, lf_rx *out,
                          const char **why, bool *unsupported)
{
    lf_rx_problem problem;
    const lf_rx_reading reading = {.whole = whole,
                                   .any = whole ? LF_RX_EMPTY : lf_schema_any_text(s),
                                   .spell = spell,
                                   .user = s};
    int32_t status = lf_rx_read(s->rx, &reading, text, len, out, &problem);
    *why = problem.status != LFM2_OK ? problem.what : NULL;
    *unsupported = problem.status != LFM2_E_TEXT;
    return *why != NULL ? LFM2_OK : status;
}
