/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits. */
#ifndef LF_COMMON_HEX_H
#define LF_COMMON_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a digit, or -1. */
static inline int lf_hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The value of n digits, at most 8; false if one is none. */
static inline bool lf_hex_read(const char *digits, size_t n, uint32_t *out)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = lf_hex_digit(digits[i]);
        if (digit < 0) {
            return false;
        }
        value = value << 4 | (uint32_t)digit;
    }
    *out = value;
    return true;
}

#endif /* LF_COMMON_HEX_H */
