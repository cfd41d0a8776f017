/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the conversion of token ids to text. */
#include "text/detokenize.h"

#include <string.h>

int32_t lf_detokenize(const lf_tokenizer *tokenizer, const int32_t *ids, size_t n_ids, bool special,
                      char *text, size_t capacity, size_t *len)
{
    for (size_t i = 0; i < n_ids; i++) { /* before anything is written */
        LF_TRY(lf_tokenizer_token(tokenizer, ids[i], NULL, NULL, NULL));
    }
    size_t used = 0;
    for (size_t i = 0; i < n_ids; i++) {
        const char *bytes = NULL;
        size_t n = 0;
        int32_t kind = 0;
        LF_TRY(lf_tokenizer_token(tokenizer, ids[i], &bytes, &n, &kind));
        if (kind == LFM2_TOKEN_CONTROL && !special) {
            continue;
        }
        if (used < capacity && n > 0) {
            memcpy(text + used, bytes, n < capacity - used ? n : capacity - used);
        }
        if (!lf_add_size(used, n, &used)) {
            return lf_fail(LFM2_E_LIMIT, "text.size", "the text has more than %zu bytes", SIZE_MAX);
        }
    }
    *len = used;
    if (used > capacity) {
        return lf_fail(LFM2_E_BUFFER, "text.capacity", "the text has %zu bytes, the buffer %zu",
                       used, capacity);
    }
    return LFM2_OK;
}
