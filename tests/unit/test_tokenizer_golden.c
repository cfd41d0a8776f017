/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of thousands of strings against Hugging Face's tokenizers (golden/make_text.py). */
#include "support/text_vocab.h"
#include "text/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Four ways to encode: control tokens off and on, and both with ignore_merges. */
enum { N_WAYS = 4, MAX_IDS = 1024 };

static void print_failure(const char *what, const uint8_t *text, size_t len, const int32_t *ids,
                          size_t n)
{
    print_error("%s: \"", what);
    for (size_t i = 0; i < len; i++) {
        print_error(text[i] >= 0x20 && text[i] < 0x7F ? "%c" : "\\x%02x", text[i]);
    }
    print_error("\"\n  gives");
    for (size_t i = 0; i < n; i++) {
        print_error(" %d", ids[i]);
    }
    print_error("\n");
}

/* Whether the ids decode to the text. */
static bool decodes_to(const lf_tokenizer *t, const int32_t *ids, size_t n, const uint8_t *text,
                       size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const char *bytes = NULL;
        size_t n_bytes = 0;
        if (lf_tokenizer_token(t, ids[i], &bytes, &n_bytes, NULL) != LFM2_OK ||
            n_bytes > len - at || memcmp(bytes, text + at, n_bytes) != 0) {
            return false;
        }
        at += n_bytes;
    }
    return at == len;
}

/* Returns the number of failures (0 or 1). */
static int check(const lf_tokenizer *t, const uint8_t *text, size_t len, int way, uint64_t want)
{
    int32_t ids[MAX_IDS];
    size_t n = 0;
    lf_span span = {(const char *)text, len, (way & 1) != 0};
    assert_int_equal(lf_tokenizer_encode(t, &span, 1, false, ids, MAX_IDS, &n), LFM2_OK);
    static const char *const names[N_WAYS] = {"plain", "control", "ignore", "control, ignore"};
    if (text_hash_ids(ids, n) != want) {
        print_failure(names[way], text, len, ids, n);
        return 1;
    }
    if (!decodes_to(t, ids, n, text, len)) {
        print_failure("round trip", text, len, ids, n);
        return 1;
    }
    return 0;
}

static uint64_t get_hash(const uint8_t **p)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)(*p)[i] << (8 * i);
    }
    *p += 8;
    return value;
}

static void replay(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    text_vocab vocab;
    assert_true(text_vocab_load(&vocab));
    lf_tokenizer *t[2] = {NULL, NULL};
    assert_int_equal(lf_tokenizer_create(&alloc, &vocab.data, false, &t[0]), LFM2_OK);
    assert_int_equal(lf_tokenizer_create(&alloc, &vocab.data, true, &t[1]), LFM2_OK);
    text_vocab_free(&vocab);
    size_t size = 0;
    uint8_t *file = text_golden_read("strings.bin", &size);
    assert_non_null(file);
    uint32_t count = (uint32_t)file[0] | (uint32_t)file[1] << 8 | (uint32_t)file[2] << 16;
    assert_true(count >= 10000);
    const uint8_t *p = file + 4;
    int failures = 0;
    for (uint32_t i = 0; i < count && failures < 20; i++) {
        unsigned set = p[0];
        size_t len = (size_t)(p[1] | p[2] << 8);
        const uint8_t *text = p + 3;
        p = text + len;
        uint64_t want[N_WAYS];
        want[0] = get_hash(&p);
        want[1] = (set & 2) != 0 ? get_hash(&p) : want[0];
        want[2] = (set & 4) != 0 ? get_hash(&p) : want[0];
        want[3] = (set & 8) != 0 ? get_hash(&p) : (set & 2) != 0 ? want[1] : want[2];
        for (int way = 0; way < N_WAYS; way++) {
            failures += check(t[way / 2], text, len, way, want[way]);
        }
    }
    assert_int_equal(failures, 0);
    assert_ptr_equal(p, file + size);
    free(file);
    lf_tokenizer_free(t[0]);
    lf_tokenizer_free(t[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replay)};
    return cmocka_run_group_tests_name("tokenizer_golden", tests, NULL, NULL);
}
