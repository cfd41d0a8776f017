/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of the tokenizer: merges, spans, capacities, arbitrary bytes. */
#include "support/counting_alloc.h"
#include "support/random.h"
#include "support/text_vocab.h"
#include "text/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_IDS = 4096 };

static lf_tokenizer *create(const text_vocab *v, bool ignore_merges)
{
    lf_alloc alloc = lf_alloc_default();
    lf_tokenizer *t = NULL;
    int32_t status = lf_tokenizer_create(&alloc, &v->data, ignore_merges, &t);
    if (status != LFM2_OK) {
        fail_msg("%s: %s", lf_fail_code(), lf_fail_text());
    }
    return t;
}

static size_t encode(const lf_tokenizer *t, const char *text, size_t len, bool special,
                     int32_t *ids)
{
    size_t n = 0;
    lf_span span = {text, len, special};
    assert_int_equal(lf_tokenizer_encode(t, &span, 1, false, ids, MAX_IDS, &n), LFM2_OK);
    return n;
}

/* The pieces of the ids, joined by '/'. */
static const char *spell(const lf_tokenizer *t, const int32_t *ids, size_t n)
{
    static char out[1024];
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const char *bytes = NULL;
        size_t len = 0;
        int32_t kind = 0;
        assert_int_equal(lf_tokenizer_token(t, ids[i], &bytes, &len, &kind), LFM2_OK);
        assert_int_equal(bytes[len], 0);
        assert_int_not_equal(kind, LFM2_TOKEN_UNUSED);
        assert_true(strlen(out) + len + 2 < sizeof out);
        strcat(out, i > 0 ? "/" : "");
        strcat(out, bytes);
    }
    return out;
}

static void check(const lf_tokenizer *t, const char *text, bool special, const char *want)
{
    int32_t ids[MAX_IDS];
    size_t n = encode(t, text, strlen(text), special, ids);
    assert_string_equal(spell(t, ids, n), want);
}

static void small_texts(void **state)
{
    (void)state;
    text_vocab v;
    text_vocab_init_small(&v);
    lf_tokenizer *t = create(&v, false);
    lf_tokenizer *ignore = create(&v, true);
    check(t, "", false, "");
    check(t, "hello hell", false, "hello/ /hell");
    check(t, "hello world", false, "hello/ /w/o/r/l/d");
    check(ignore, "hello world", false, "hello/ world");
    check(t, "aaaaaaaaaaa", false, "aaaaaaaa/aa/a");
    check(t, "a python pythonic", false, "a/ /python/ /python/i/c");
    check(t, "[PAD268]", true, "[/P/A/D/2/6/8/]");
    check(t, "x<|im_end|>", true, "x/<|im_end|>");
    check(t, "x<|im_end|>", false, "x/<|/im/_/e/n/d/|/>");
    check(t, "<|im_<|im_end|>|>", true, "<|/im/_/<|im_end|>/|/>");
    check(t, "he<|pad|>llo", true, "he/<|pad|>/ll/o"); /* no merge across a token */
    check(t, " <|pad|> t", true, " /<|pad|>/ t");
    check(t, "  <|pad|>", true, "  /<|pad|>"); /* a token ends the text before it */
    text_vocab_free(&v);
    lf_tokenizer_free(t);
    lf_tokenizer_free(ignore);
}

static void queries(void **state)
{
    (void)state;
    text_vocab v;
    text_vocab_init_small(&v);
    lf_tokenizer *t = create(&v, false);
    uint32_t size = v.data.n_tokens;
    text_vocab_free(&v); /* the tokenizer does not refer to it */
    assert_int_equal(lf_tokenizer_size(t), size);
    assert_int_equal(lf_tokenizer_bos(t), 257);
    assert_int_equal(lf_tokenizer_eos(t), 260);
    assert_int_equal(lf_tokenizer_pad(t), 256);
    assert_true(lf_tokenizer_add_bos(t));
    for (int32_t id = -2; id < (int32_t)size + 2; id++) {
        assert_int_equal(lf_tokenizer_is_end(t, id), id == 258 || id == 260);
    }
    const char *bytes = NULL;
    size_t len = 0;
    int32_t kind = 0;
    assert_int_equal(lf_tokenizer_token(t, 0x0A, &bytes, &len, &kind), LFM2_OK);
    assert_int_equal(len, 1);
    assert_int_equal(bytes[0], '\n');
    assert_int_equal(kind, LFM2_TOKEN_NORMAL);
    assert_int_equal(lf_tokenizer_token(t, 257, &bytes, &len, &kind), LFM2_OK);
    assert_string_equal(bytes, "<|startoftext|>");
    assert_int_equal(kind, LFM2_TOKEN_CONTROL);
    assert_int_equal(lf_tokenizer_token(t, 257, NULL, NULL, NULL), LFM2_OK);
    assert_int_equal(lf_tokenizer_token(t, -1, &bytes, &len, &kind), LFM2_E_ARGUMENT);
    assert_int_equal(lf_tokenizer_token(t, (int32_t)size, &bytes, &len, &kind), LFM2_E_ARGUMENT);
    assert_string_equal(lf_fail_code(), "token.id");
    lf_tokenizer_free(t);
    lf_tokenizer_free(NULL);
}

/* ---- Merges against the definition ---- */

typedef struct rule {
    int32_t left, right, result;
} rule;

/* Merges the pair of lowest rank, the leftmost on ties, until no pair has a rank. */
static size_t slow_merge(const rule *rules, size_t n_rules, const uint8_t *text, size_t len,
                         int32_t *ids)
{
    size_t n = len;
    for (size_t i = 0; i < n; i++) {
        ids[i] = text[i];
    }
    for (;;) {
        size_t best = n_rules;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            for (size_t r = 0; r < best; r++) {
                if (rules[r].left == ids[i] && rules[r].right == ids[i + 1]) {
                    best = r;
                    at = i;
                }
            }
        }
        if (best == n_rules) {
            return n;
        }
        ids[at] = rules[best].result;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
}

static void merges_as_defined(void **state)
{
    (void)state;
    enum { N_RULES = 40, MAX_LEN = 120 };
    uint64_t seed = 5;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 60; round++) {
        text_vocab v;
        text_vocab_init(&v);
        uint32_t letters = 1 + random_below(&seed, 4);
        rule rules[N_RULES];
        size_t n_rules = 0;
        int32_t known[N_RULES + 4] = {'a', 'b', 'c', 'd'};
        uint32_t n_known = letters;
        /* Rules in any order: a rule can precede those that produce its sides. */
        for (int i = 0; i < N_RULES; i++) {
            int32_t left = known[random_below(&seed, n_known)];
            int32_t right = known[random_below(&seed, n_known)];
            if (v.tokens[left].len + v.tokens[right].len > 20) {
                continue;
            }
            int32_t result = text_vocab_merge(&v, v.tokens[left].text, v.tokens[right].text);
            if (result >= 0) {
                rules[n_rules++] = (rule){left, right, result};
                known[n_known++] = result;
            }
        }
        for (size_t i = n_rules; i-- > 1;) {
            size_t k = random_below(&seed, (uint32_t)i + 1);
            rule r = rules[i];
            rules[i] = rules[k];
            rules[k] = r;
            lf_vocab_merge m = v.merges[i];
            v.merges[i] = v.merges[k];
            v.merges[k] = m;
        }
        lf_tokenizer *t = create(&v, false);
        for (int k = 0; k < 40; k++) {
            char text[MAX_LEN];
            size_t len = 1 + random_below(&seed, k % 2 == 0 ? 25 : MAX_LEN);
            for (size_t i = 0; i < len; i++) {
                text[i] = (char)('a' + (char)random_below(&seed, letters));
            }
            int32_t want[MAX_LEN];
            int32_t got[MAX_IDS];
            size_t n_want = slow_merge(rules, n_rules, (const uint8_t *)text, len, want);
            size_t n_got = encode(t, text, len, false, got);
            assert_int_equal(n_got, n_want);
            assert_memory_equal(got, want, n_want * sizeof *want);
        }
        lf_tokenizer_free(t);
        text_vocab_free(&v);
    }
}

/* ---- Spans ---- */

static void spans(void **state)
{
    (void)state;
    text_vocab v;
    text_vocab_init_small(&v);
    lf_tokenizer *t = create(&v, false);
    static const struct {
        lf_span spans[6];
        size_t n;
        const char *want;
    } cases[] = {
        /* pre-tokens and merges cross boundaries between spans */
        {{{"he", 2, true}, {"ll", 2, false}, {"o", 1, true}}, 3, "hello"},
        {{{"pyt", 3, false}, {"hon", 3, true}}, 2, "python"},
        /* a control token needs every byte in spans that allow it */
        {{{"<|im_", 5, true}, {"end|>", 5, true}}, 2, "<|im_end|>"},
        {{{"<|im_", 5, true}, {NULL, 0, true}, {"end|>", 5, true}}, 3, "<|im_end|>"},
        {{{"<|im_", 5, true}, {"end|>", 5, false}}, 2, "<|/im/_/e/n/d/|/>"},
        {{{"<|im_", 5, false}, {"end|>", 5, true}}, 2, "<|/im/_/e/n/d/|/>"},
        {{{"<|im_end|", 9, true}, {">", 1, false}}, 2, "<|/im/_/e/n/d/|/>"},
        {{{"<|pad|>", 7, true}, {"<|pad|>", 7, false}, {"<|pad|>", 7, true}},
         3,
         "<|pad|>/<|/p/a/d/|/>/<|pad|>"},
        {{{"<|im_", 5, false}, {"<|im_end|>", 10, true}, {"|>", 2, false}},
         3,
         "<|/im/_/<|im_end|>/|/>"},
        {{{NULL, 0, false}}, 1, ""},
        {{{NULL, 0, false}}, 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t ids[MAX_IDS];
        size_t n = 99;
        assert_int_equal(
            lf_tokenizer_encode(t, cases[i].spans, cases[i].n, false, ids, MAX_IDS, &n), LFM2_OK);
        assert_string_equal(spell(t, ids, n), cases[i].want);
    }
    text_vocab_free(&v);
    lf_tokenizer_free(t);
}

/* A text of random samples. */
static size_t random_text(uint64_t *seed, char *text, size_t capacity)
{
    static const char *const samples[] = {"hello",
                                          " t",
                                          "python",
                                          "<|im_end|>",
                                          "<|im_",
                                          "aaaaaaaaaa",
                                          "\n\n",
                                          "  ",
                                          "12",
                                          "'s",
                                          "\xE2\x80\x94",
                                          "\xE2",
                                          "\xFF\xFE",
                                          "\xF0\x9F\x98\x80",
                                          " world",
                                          "|>",
                                          "<|pad|>",
                                          "\r\n",
                                          "the quick brown fox",
                                          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    size_t len = 0;
    for (uint32_t n = random_below(seed, 12); n > 0; n--) {
        const char *sample = samples[random_below(seed, sizeof samples / sizeof *samples)];
        size_t more = strlen(sample);
        if (len + more > capacity) {
            break;
        }
        memcpy(text + len, sample, more);
        len += more;
    }
    return len;
}

static void any_cut_gives_the_same(void **state)
{
    (void)state;
    text_vocab v;
    text_vocab_init_small(&v);
    lf_tokenizer *t = create(&v, false);
    uint64_t seed = 23;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 2000; round++) {
        char text[256];
        size_t len = random_text(&seed, text, sizeof text);
        bool special = random_below(&seed, 2) == 0;
        int32_t want[MAX_IDS];
        size_t n_want = encode(t, text, len, special, want);
        lf_span cut[8];
        size_t at = 0;
        for (size_t i = 0; i < 8; i++) {
            size_t more = i == 7 ? len - at : random_below(&seed, (uint32_t)(len - at) + 1);
            cut[i] = (lf_span){text + at, more, special};
            at += more;
        }
        int32_t got[MAX_IDS];
        size_t n_got = 0;
        assert_int_equal(lf_tokenizer_encode(t, cut, 8, false, got, MAX_IDS, &n_got), LFM2_OK);
        assert_int_equal(n_got, n_want);
        assert_memory_equal(got, want, n_want * sizeof *want);
    }
    text_vocab_free(&v);
    lf_tokenizer_free(t);
}

/* ---- Capacities ---- */

static void capacities(void **state)
{
    (void)state;
    text_vocab v;
    text_vocab_init_small(&v);
    lf_tokenizer *t = create(&v, false);
    lf_span span = {"hello<|im_end|> world python", 28, true};
    int32_t all[64];
    size_t n = 0;
    assert_int_equal(lf_tokenizer_encode(t, &span, 1, true, all, 64, &n), LFM2_OK);
    assert_int_equal(n, 11);
    assert_int_equal(all[0], 257);
    for (size_t capacity = 0; capacity <= n; capacity++) {
        int32_t ids[64];
        memset(ids, 0x55, sizeof ids);
        size_t got = 0;
        int32_t status =
            lf_tokenizer_encode(t, &span, 1, true, capacity > 0 ? ids : NULL, capacity, &got);
        assert_int_equal(status, capacity < n ? LFM2_E_BUFFER : LFM2_OK);
        if (capacity < n) {
            assert_string_equal(lf_fail_code(), "text.capacity");
            assert_non_null(strstr(lf_fail_text(), ", needed: 11"));
        }
        assert_int_equal(got, n);
        assert_memory_equal(ids, all, capacity * sizeof *ids);
        assert_int_equal(ids[capacity], 0x55555555);
    }
    text_vocab_free(&v);
    lf_tokenizer_free(t);
}

/* ---- Arbitrary bytes ---- */

static void check_round_trip(const lf_tokenizer *t, const char *text, size_t len, bool special)
{
    size_t n = 0;
    int32_t *ids = malloc((len + 1) * sizeof *ids);
    assert_non_null(ids);
    lf_span span = {text, len, special};
    assert_int_equal(lf_tokenizer_encode(t, &span, 1, false, ids, len, &n), LFM2_OK);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const char *bytes = NULL;
        size_t n_bytes = 0;
        assert_int_equal(lf_tokenizer_token(t, ids[i], &bytes, &n_bytes, NULL), LFM2_OK);
        assert_true(n_bytes <= len - at);
        assert_memory_equal(bytes, text + at, n_bytes);
        at += n_bytes;
    }
    assert_int_equal(at, len);
    free(ids);
}

static void round_trips(void **state)
{
    (void)state;
    text_vocab v;
    text_vocab_init_small(&v);
    lf_tokenizer *t[2] = {create(&v, false), create(&v, true)};
    text_vocab_free(&v);
    uint64_t seed = 41;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 6000; round++) {
        char text[300];
        size_t len = 0;
        if (round % 2 == 0) {
            len = random_text(&seed, text, sizeof text);
        } else {
            len = random_below(&seed, sizeof text);
            for (size_t i = 0; i < len; i++) {
                text[i] = (char)random_below(&seed, 256);
            }
        }
        check_round_trip(t[round / 2 % 2], text, len, round / 4 % 2 == 0);
    }
    /* Single pre-tokens of 100,000 bytes. */
    enum { LONG = 100000 };
    char *text = malloc(LONG);
    assert_non_null(text);
    static const char fill[] = {'a', ' ', '\n', '7', '!', '\xFF'};
    for (size_t i = 0; i < sizeof fill; i++) {
        memset(text, fill[i], LONG);
        check_round_trip(t[0], text, LONG, true);
    }
    for (size_t i = 0; i < LONG; i++) {
        text[i] = (char)('a' + (char)random_below(&seed, 26));
    }
    check_round_trip(t[0], text, LONG, true);
    free(text);
    lf_tokenizer_free(t[0]);
    lf_tokenizer_free(t[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_texts),
        cmocka_unit_test(queries),
        cmocka_unit_test(merges_as_defined),
        cmocka_unit_test(spans),
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(capacities),
        cmocka_unit_test(round_trips),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
