/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the translation of errno. */
#include "common/os.h"

#include <errno.h>
#include <string.h>

int32_t lf_fail_errno(int error, const char *code, const char *path, const char *what)
{
    char text[128];
    if (strerror_r(error, text, sizeof text) != 0) {
        text[0] = '?';
        text[1] = '\0';
    }
    return lf_fail(error == ENOMEM ? LFM2_E_MEMORY : LFM2_E_IO, code, "%s: %s: %s", path, what,
                   text);
}
