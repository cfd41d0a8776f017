/* SPDX-License-Identifier: Apache-2.0 */
/* Formats and filters log messages. */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>

void lf_log_write(const lf_log *log, int32_t level, const char *format, ...)
{
    if (log == NULL || log->sink == NULL || level > log->level) {
        return;
    }
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) {
        return;
    }
    size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    log->sink(log->user, level, text, len);
}
