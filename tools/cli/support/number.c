/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text: parsing those of the command line, formatting sizes and counts for people. */
#include "cli/support/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool parse_real(const char *text, double *out)
{
    if (text[0] == 0 || text[strspn(text, "0123456789+-.eE")] != 0) {
        return false;
    }
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}

bool parse_u64(const char *text, uint64_t *out)
{
    if (text[0] == 0 || text[strspn(text, "0123456789")] != 0) {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *out = value;
    return true;
}

bool parse_i64(const char *text, int64_t *out)
{
    bool negative = text[0] == '-';
    uint64_t value = 0;
    if (!parse_u64(text + negative, &value) || value > INT64_MAX) {
        return false;
    }
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

const char *format_bytes(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    uint32_t unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(out, 32, unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
    return out;
}

const char *format_count(uint64_t count, char out[32])
{
    static const char *const units[] = {"", " K", " M", " B", " T"};
    uint32_t unit = 0;
    double value = (double)count;
    while (value >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    snprintf(out, 32, unit == 0 ? "%.0f%s" : "%.2f%s", value, units[unit]);
    return out;
}
