/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the check of single UTF-8 characters and the cleaning of foreign text for messages. */
#include "common/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool is_tail(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

size_t lf_utf8_char(const char *text, size_t len)
{
    const uint8_t *p = (const uint8_t *)text;
    if (len == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] < 0xC2) { /* a tail byte, or an overlong form of ASCII */
        return 0;
    }
    if (p[0] < 0xE0) {
        return len >= 2 && is_tail(p[1]) ? 2 : 0;
    }
    if (p[0] < 0xF0) {
        /* the second byte's range excludes overlong forms (E0) and surrogates (ED) */
        uint8_t low = p[0] == 0xE0 ? 0xA0 : 0x80;
        uint8_t high = p[0] == 0xED ? 0x9F : 0xBF;
        return len >= 3 && p[1] >= low && p[1] <= high && is_tail(p[2]) ? 3 : 0;
    }
    if (p[0] < 0xF5) {
        uint8_t low = p[0] == 0xF0 ? 0x90 : 0x80;
        uint8_t high = p[0] == 0xF4 ? 0x8F : 0xBF;
        return len >= 4 && p[1] >= low && p[1] <= high && is_tail(p[2]) && is_tail(p[3]) ? 4 : 0;
    }
    return 0;
}

const char *lf_printable(char *out, size_t cut, const char *text, size_t len)
{
    size_t used = 0;
    size_t i = 0;
    while (i < len) {
        size_t n = lf_utf8_char(text + i, len - i);
        /* C1 controls are C2 80 .. C2 9F */
        bool control = n == 1 ? (uint8_t)text[i] < 0x20 || text[i] == 0x7F
                              : n == 2 && (uint8_t)text[i] == 0xC2 && (uint8_t)text[i + 1] < 0xA0;
        bool clean = n > 0 && !control;
        size_t want = clean ? n : 1;
        if (want > cut - used) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (clean) {
            memcpy(out + used, text + i, n);
        } else {
            out[used] = '?';
        }
        used += want;
        i += n > 0 ? n : 1;
    }
    out[used] = '\0';
    return out;
}

const char *lf_show(lf_shown *out, const char *text, size_t len)
{
    return lf_printable(out->text, LF_SHOWN, text, len);
}
