/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes, checks and encodes UTF-8, and prepares untrusted text for messages. */
#include "common/utf8.h"

#include <string.h>

size_t lf_utf8_decode(const uint8_t *p, size_t len, uint32_t *code_point)
{
    uint8_t lead = p[0];
    if (lead < 0x80) {
        *code_point = lead;
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) { /* continuation bytes, overlong ASCII, above U+10FFFF */
        *code_point = LF_UTF8_BAD;
        return 1;
    }
    size_t n_more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    uint32_t value = lead & (0x3Fu >> n_more);
    /* The range of the second byte excludes overlong forms, surrogates and too large code points.
     */
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 1; i <= n_more; i++) {
        if (i == len) {
            *code_point = LF_UTF8_CUT;
            return i;
        }
        if (p[i] < low || p[i] > high) {
            *code_point = LF_UTF8_BAD;
            return i;
        }
        value = value << 6 | (p[i] & 0x3Fu);
        low = 0x80;
        high = 0xBF;
    }
    *code_point = value;
    return n_more + 1;
}

size_t lf_utf8_char(const char *text, size_t len)
{
    uint32_t code_point = 0;
    size_t n = len > 0 ? lf_utf8_decode((const uint8_t *)text, len, &code_point) : 0;
    return code_point < LF_UTF8_BAD ? n : 0;
}

bool lf_utf8_valid(const char *text, size_t len)
{
    size_t n = 1;
    for (size_t i = 0; i < len && n > 0; i += n) {
        n = lf_utf8_char(text + i, len - i);
    }
    return n > 0;
}

size_t lf_utf8_encode(uint32_t code_point, char out[4])
{
    uint32_t c = code_point;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    static const uint8_t lead[] = {0xC0, 0xE0, 0xF0};
    out[0] = (char)(lead[n - 2] | c);
    return n;
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
