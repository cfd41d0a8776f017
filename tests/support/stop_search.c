/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the slow searches: every string at every position. */
#include "support/stop_search.h"

#include <string.h>

bool lft_find_stop(const char *const *strings, size_t n, const char *text, size_t begin, size_t end,
                   lf_stop_match *match)
{
    bool found = false;
    for (size_t at = 0; at < end && !found; at++) {
        size_t shortest = SIZE_MAX;
        for (size_t i = 0; i < n; i++) {
            size_t len = strlen(strings[i]);
            if (len <= end - at && at + len > begin && memcmp(text + at, strings[i], len) == 0 &&
                len < shortest) {
                *match = (lf_stop_match){at, (uint32_t)i};
                shortest = len;
                found = true;
            }
        }
    }
    return found;
}

size_t lft_held_back(const char *const *strings, size_t n, const char *text, size_t end)
{
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t len = strlen(strings[i]) - 1; len > longest; len--) {
            if (len <= end && memcmp(text + end - len, strings[i], len) == 0) {
                longest = len;
            }
        }
    }
    return longest;
}
