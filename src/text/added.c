/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the search for added tokens in a sorted array that is walked like a trie. */
#include "text/added.h"

#include "common/sort.h"

#include <string.h>

static int compare(const void *context, const void *first, const void *second)
{
    (void)context;
    const lf_added_token *a = first;
    const lf_added_token *b = second;
    size_t n = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->text, b->text, n);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

const lf_added_token *lf_added_init(lf_added *added, lf_added_token *tokens, uint32_t n)
{
    lf_sort(tokens, n, sizeof *tokens, compare, NULL);
    added->tokens = tokens;
    added->n = n;
    uint32_t i = 0;
    for (uint32_t byte = 0; byte <= 256; byte++) {
        while (i < n && tokens[i].text[0] < byte) {
            i++;
        }
        added->first[byte] = i;
    }
    for (uint32_t k = 1; k < n; k++) {
        if (compare(NULL, &tokens[k - 1], &tokens[k]) == 0) {
            return &tokens[k];
        }
    }
    return NULL;
}

/* The first of tokens low .. high - 1 whose byte at `depth` is at least `byte`; `high` if there is
 * none. The tokens must agree in all bytes before `depth`. */
static uint32_t lower_bound(const lf_added_token *t, uint32_t low, uint32_t high, size_t depth,
                            unsigned byte)
{
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (t[mid].text[depth] < byte) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* The longest token that starts at text[pos], NULL if there is none. */
static const lf_added_token *match(const lf_added *added, const uint8_t *text, size_t pos,
                                   size_t end)
{
    const lf_added_token *t = added->tokens;
    const lf_added_token *best = NULL;
    uint32_t low = added->first[text[pos]];
    uint32_t high = added->first[text[pos] + 1u];
    for (size_t depth = 1; low < high; depth++) {
        if (t[low].len == depth) { /* of tokens with a common prefix the shortest is first */
            best = &t[low];
            low++;
        }
        if (pos + depth == end) {
            break;
        }
        unsigned byte = text[pos + depth];
        low = lower_bound(t, low, high, depth, byte);
        high = lower_bound(t, low, high, depth, byte + 1);
    }
    return best;
}

const lf_added_token *lf_added_find(const lf_added *added, const uint8_t *text, size_t pos,
                                    size_t end, size_t *at)
{
    if (added->n == 0) {
        return NULL;
    }
    for (; pos < end; pos++) {
        unsigned byte = text[pos];
        if (added->first[byte] == added->first[byte + 1]) {
            continue;
        }
        const lf_added_token *found = match(added, text, pos, end);
        if (found != NULL) {
            *at = pos;
            return found;
        }
    }
    return NULL;
}
