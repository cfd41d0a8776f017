/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the character classes. */
#include "text/unicode.h"

#include <utf8proc.h>

/* 16 characters per line. */
const uint8_t lf_class_ascii[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 0, 0, /* tab, newlines */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* space */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, /* 0-9 */
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* A-Z */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* a-z */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
};

static bool is_space(uint32_t c)
{
    switch (c) {
    case 0x85:
    case 0xA0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202F:
    case 0x205F:
    case 0x3000:
        return true;
    default:
        return c >= 0x2000 && c <= 0x200A;
    }
}

/* Letters and numbers that Unicode 15.1 and 16.0 added, sorted. utf8proc 2.8 (Debian 12) implements
 * Unicode 15.0, 2.9 (Debian 13) 15.1; they report these code points as unassigned. */
static const struct {
    uint32_t first, last;
    lf_class class;
} newer_ranges[] = {
    {0x1C89, 0x1C8A, LF_CLASS_LETTER},   {0xA7CB, 0xA7CD, LF_CLASS_LETTER},
    {0xA7DA, 0xA7DC, LF_CLASS_LETTER},   {0x105C0, 0x105F3, LF_CLASS_LETTER},
    {0x10D40, 0x10D49, LF_CLASS_NUMBER}, {0x10D4A, 0x10D65, LF_CLASS_LETTER},
    {0x10D6F, 0x10D85, LF_CLASS_LETTER}, {0x10EC2, 0x10EC4, LF_CLASS_LETTER},
    {0x11380, 0x11389, LF_CLASS_LETTER}, {0x1138B, 0x1138B, LF_CLASS_LETTER},
    {0x1138E, 0x1138E, LF_CLASS_LETTER}, {0x11390, 0x113B5, LF_CLASS_LETTER},
    {0x113B7, 0x113B7, LF_CLASS_LETTER}, {0x113D1, 0x113D1, LF_CLASS_LETTER},
    {0x113D3, 0x113D3, LF_CLASS_LETTER}, {0x116D0, 0x116E3, LF_CLASS_NUMBER},
    {0x11BC0, 0x11BE0, LF_CLASS_LETTER}, {0x11BF0, 0x11BF9, LF_CLASS_NUMBER},
    {0x13460, 0x143FA, LF_CLASS_LETTER}, {0x16100, 0x1611D, LF_CLASS_LETTER},
    {0x16130, 0x16139, LF_CLASS_NUMBER}, {0x16D40, 0x16D6C, LF_CLASS_LETTER},
    {0x16D70, 0x16D79, LF_CLASS_NUMBER}, {0x18CFF, 0x18CFF, LF_CLASS_LETTER},
    {0x1CCF0, 0x1CCF9, LF_CLASS_NUMBER}, {0x1E5D0, 0x1E5ED, LF_CLASS_LETTER},
    {0x1E5F0, 0x1E5F0, LF_CLASS_LETTER}, {0x1E5F1, 0x1E5FA, LF_CLASS_NUMBER},
    {0x2EBF0, 0x2EE5D, LF_CLASS_LETTER},
};

static lf_class class_of_unassigned(uint32_t c)
{
    size_t low = 0;
    size_t high = sizeof newer_ranges / sizeof *newer_ranges;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (newer_ranges[mid].last < c) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    bool found = low < sizeof newer_ranges / sizeof *newer_ranges && newer_ranges[low].first <= c;
    return found ? newer_ranges[low].class : LF_CLASS_OTHER;
}

lf_class lf_class_of(uint32_t code_point)
{
    if (code_point < 0x80) {
        return (lf_class)lf_class_ascii[code_point];
    }
    if (code_point > 0x10FFFF) {
        return LF_CLASS_OTHER;
    }
    if (is_space(code_point)) {
        return LF_CLASS_SPACE;
    }
    switch (utf8proc_category((utf8proc_int32_t)code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return LF_CLASS_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return LF_CLASS_NUMBER;
    case UTF8PROC_CATEGORY_CN:
        return class_of_unassigned(code_point);
    default:
        return LF_CLASS_OTHER;
    }
}

uint32_t lf_to_upper(uint32_t code_point)
{
    return (uint32_t)utf8proc_toupper((utf8proc_int32_t)code_point);
}

uint32_t lf_to_lower(uint32_t code_point)
{
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)code_point);
}

uint32_t lf_to_title(uint32_t code_point)
{
    return (uint32_t)utf8proc_totitle((utf8proc_int32_t)code_point);
}

bool lf_is_printable(uint32_t code_point)
{
    switch (utf8proc_category((utf8proc_int32_t)code_point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    case UTF8PROC_CATEGORY_ZS:
        return code_point == ' ';
    case UTF8PROC_CATEGORY_CN:
        return class_of_unassigned(code_point) != LF_CLASS_OTHER;
    default:
        return true;
    }
}

bool lf_is_decimal(uint32_t code_point)
{
    return utf8proc_category((utf8proc_int32_t)code_point) == UTF8PROC_CATEGORY_ND;
}
