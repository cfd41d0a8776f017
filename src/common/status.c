/* SPDX-License-Identifier: Apache-2.0 */
/* Stores the message and the code of each thread's last failure. */
#include "common/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The default TLS model: initial-exec uses static TLS space, of which dlopen has little. */
static _Thread_local lf_failure last;

int32_t lf_fail(int32_t status, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last.text, sizeof last.text, format, args);
    va_end(args);
    last.code = code;
    return status;
}

int32_t lf_fail_errno(int error, const char *code, const char *path, const char *what)
{
    char text[128] = "";
    if (strerror_r(error, text, sizeof text) != 0 && text[0] == 0) {
        snprintf(text, sizeof text, "error %d", error);
    }
    return lf_fail(error == ENOMEM ? LFM2_E_MEMORY : LFM2_E_IO, code, "%s: %s: %s", path, what,
                   text);
}

int32_t lf_fail_prefix(int32_t status, const char *format, ...)
{
    char old[sizeof last.text];
    memcpy(old, last.text, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(last.text, sizeof last.text, format, args);
    va_end(args);
    if (n < 0) {
        n = 0;
    }
    if ((size_t)n < sizeof last.text) {
        snprintf(last.text + n, sizeof last.text - (size_t)n, "%s", old);
    }
    return status;
}

void lf_fail_save(lf_failure *out)
{
    *out = last;
}

void lf_fail_restore(const lf_failure *saved)
{
    last = *saved;
}

const char *lf_fail_text(void)
{
    return last.text;
}

const char *lf_fail_code(void)
{
    return last.code ? last.code : "";
}
