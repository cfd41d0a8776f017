/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes through the tokenizer, control tokens on and off, merges applied and ignored: one span
 * and two spans give the same ids, and decoding gives the same bytes. */
#include "fuzz/target.h"
#include "support/text_vocab.h"
#include "text/tokenizer.h"
#include "text/utf8_stream.h"

#include <stdlib.h>
#include <string.h>

static lf_tokenizer *tokenizers[2]; /* merges applied, ignored; until the process ends */

static void set_up(void)
{
    lf_alloc alloc = lf_alloc_default();
    text_vocab v;
    text_vocab_init_small(&v);
    for (int i = 0; i < 2; i++) {
        fuzz_must(lf_tokenizer_create(&alloc, &v.data, i == 1, &tokenizers[i]) == LFM2_OK);
    }
    text_vocab_free(&v);
}

static void check_bytes(const lf_tokenizer *t, const int32_t *ids, size_t n, const uint8_t *data,
                        size_t size, bool special)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const char *bytes = NULL;
        size_t len = 0;
        int32_t kind = 0;
        fuzz_must(lf_tokenizer_token(t, ids[i], &bytes, &len, &kind) == LFM2_OK);
        fuzz_must(kind != LFM2_TOKEN_UNUSED && (special || kind != LFM2_TOKEN_CONTROL));
        fuzz_must(len <= size - at && memcmp(bytes, data + at, len) == 0);
        at += len;
    }
    fuzz_must(at == size);
}

/* The bytes through the UTF-8 stream, all at once and one by one. */
static void check_stream(const uint8_t *data, size_t size)
{
    size_t bound = lf_utf8_push_bound(size);
    char *whole = malloc(bound + 3);
    char *single = malloc(bound + 3 + 6);
    fuzz_must(whole != NULL && single != NULL);
    lf_utf8_stream a = {0};
    lf_utf8_stream b = {0};
    size_t n_whole = lf_utf8_push(&a, (const char *)data, size, whole);
    fuzz_must(n_whole <= bound);
    n_whole += lf_utf8_flush(&a, whole + n_whole);
    size_t n_single = 0;
    for (size_t i = 0; i < size; i++) {
        n_single += lf_utf8_push(&b, (const char *)data + i, 1, single + n_single);
    }
    n_single += lf_utf8_flush(&b, single + n_single);
    fuzz_must(n_whole == n_single && memcmp(whole, single, n_whole) == 0);
    free(whole);
    free(single);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (tokenizers[0] == NULL) {
        set_up();
    }
    int32_t *ids = malloc((2 * size + 2) * sizeof *ids);
    fuzz_must(ids != NULL);
    int32_t *again = ids + size + 1;
    for (int way = 0; way < 4; way++) {
        const lf_tokenizer *t = tokenizers[way / 2];
        bool special = way % 2 == 1;
        const char *text = (const char *)data;
        size_t n = 0;
        lf_span one = {text, size, special};
        fuzz_must(lf_tokenizer_encode(t, &one, 1, true, ids, size + 1, &n) == LFM2_OK);
        fuzz_must(n >= 1 && ids[0] == lf_tokenizer_bos(t));
        check_bytes(t, ids + 1, n - 1, data, size, special);
        size_t cut = size > 0 ? data[0] % (size + 1) : 0;
        lf_span two[2] = {{text, cut, special}, {text + cut, size - cut, special}};
        size_t n_again = 0;
        fuzz_must(lf_tokenizer_encode(t, two, 2, true, again, size + 1, &n_again) == LFM2_OK);
        fuzz_must(n == n_again && memcmp(ids, again, n * sizeof *ids) == 0);
        two[1].special = !special;
        fuzz_must(lf_tokenizer_encode(t, two, 2, false, again, size + 1, &n_again) == LFM2_OK);
        check_bytes(t, again, n_again, data, size, true);
    }
    free(ids);
    check_stream(data, size);
    return 0;
}
