/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as tokens and merges added to the 256 bytes: refused, or a tokenizer whose ids decode
 * to its texts. The input is a list of records: a byte for the kind, a byte for the length, a text.
 * Greater values than the kinds of tokens make merges of two texts, divided at (kind - 8). */
#include "fuzz/target.h"
#include "support/text_vocab.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_MERGES = 256 };

static void read_vocab(text_vocab *v, lf_vocab_merge *merges, const uint8_t *data, size_t size)
{
    v->data.merges = merges;
    for (size_t i = 0; i + 2 <= size;) {
        uint32_t kind = data[i] & 31u;
        uint32_t len = data[i + 1];
        i += 2;
        len = len > size - i ? (uint32_t)(size - i) : len;
        const char *text = (const char *)data + i;
        if (kind < 8) {
            text_vocab_add(v, text, len, (int32_t)kind);
        } else if (v->data.n_merges < MAX_MERGES) {
            uint32_t cut = kind - 8 < len ? kind - 8 : len;
            merges[v->data.n_merges++] = (lf_vocab_merge){text, text + cut, cut, len - cut};
        }
        i += len;
    }
}

static void use(const lf_tokenizer *t, const uint8_t *data, size_t size)
{
    int32_t *ids = malloc((size + 1) * sizeof *ids);
    fuzz_must(ids != NULL);
    for (int special = 0; special < 2; special++) {
        size_t n = 0;
        lf_span span = {(const char *)data, size, special == 1};
        fuzz_must(lf_tokenizer_encode(t, &span, 1, false, ids, size, &n) == LFM2_OK);
        size_t at = 0;
        for (size_t i = 0; i < n; i++) {
            const char *bytes = NULL;
            size_t len = 0;
            fuzz_must(lf_tokenizer_token(t, ids[i], &bytes, &len, NULL) == LFM2_OK);
            fuzz_must(len <= size - at && memcmp(bytes, data + at, len) == 0);
            at += len;
        }
        fuzz_must(at == size);
    }
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    text_vocab v;
    lf_vocab_merge merges[MAX_MERGES];
    text_vocab_init(&v);
    read_vocab(&v, merges, data, size);
    v.data.bos_id = size > 0 ? data[0] : -1;
    lf_alloc alloc = lf_alloc_default();
    lf_tokenizer *t = NULL;
    int32_t status = lf_tokenizer_create(&alloc, &v.data, size % 2 == 1, &t);
    text_vocab_free(&v);
    if (status == LFM2_OK) {
        use(t, data, size);
        lf_tokenizer_free(t);
    } else {
        fuzz_must(status == LFM2_E_FORMAT && t == NULL);
    }
    return 0;
}
