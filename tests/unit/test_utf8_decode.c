/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 decoding, encoding and the stream assembler against slow references. */
#include "common/utf8.h"
#include "support/random.h"
#include "text/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t put(uint32_t c, uint8_t *p)
{
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (uint8_t)(0xC0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (uint8_t)(0xE0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        p[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    p[0] = (uint8_t)(0xF0 | c >> 18);
    p[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    p[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    p[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

static void every_character(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        uint8_t p[4];
        size_t n = put(c, p);
        bool surrogate = c >= 0xD800 && c < 0xE000;
        uint32_t got = 0;
        assert_int_equal(lf_utf8_decode(p, n, &got), surrogate ? 1 : n);
        assert_int_equal(got, surrogate ? LF_UTF8_BAD : c);
        char written[4];
        assert_int_equal(lf_utf8_encode(c, written), n);
        assert_memory_equal(written, p, n);
        for (size_t cut = 1; cut < n && !surrogate; cut++) {
            assert_int_equal(lf_utf8_decode(p, cut, &got), cut);
            assert_int_equal(got, LF_UTF8_CUT);
        }
    }
}

static void validity(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82";
    static const size_t ends[] = {0, 1, 3, 6, 10};
    for (size_t len = 0, next = 0; len < sizeof text; len++) {
        bool whole = len == ends[next];
        next += whole;
        assert_int_equal(lf_utf8_valid(text, len), whole);
    }
    assert_false(lf_utf8_valid("a\x80z", 3));
    assert_int_equal(lf_utf8_char("", 0), 0);
}

/* Whether n bytes are a well-formed character: written back they are the same. */
static bool is_character(const uint8_t *p, size_t n)
{
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return false;
        }
        c = c << 6 | (p[i] & 63);
    }
    uint8_t again[4] = {0};
    bool value = c < 0x110000 && (c < 0xD800 || c > 0xDFFF);
    return value && put(c, again) == n && memcmp(again, p, n) == 0;
}

/* Whether n bytes begin a well-formed character longer than n, found by trying tails. */
static bool is_beginning(const uint8_t *p, size_t n)
{
    static const uint8_t tails[] = {0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF};
    for (size_t total = n + 1; total <= 4; total++) {
        for (size_t i = 0; i < 6 * 6 * 6; i++) {
            uint8_t q[4];
            size_t pick = i;
            memcpy(q, p, n);
            for (size_t k = n; k < total; k++, pick /= 6) {
                q[k] = tails[pick % 6];
            }
            if (is_character(q, total)) {
                return true;
            }
        }
    }
    return false;
}

static void check_sequence(const uint8_t *p, size_t len)
{
    uint32_t got = 0;
    size_t n = lf_utf8_decode(p, len, &got);
    assert_in_range(n, 1, len);
    if (got < 0x110000) {
        assert_true(is_character(p, n));
        return;
    }
    for (size_t k = 1; k <= len && k <= 4; k++) {
        assert_false(is_character(p, k));
    }
    /* The maximal subpart: one byte, or as many as still begin a character. */
    assert_true(n == 1 || is_beginning(p, n));
    assert_true(n == len || !is_beginning(p, n + 1 <= 4 ? n + 1 : 4));
    assert_int_equal(got == LF_UTF8_CUT, n == len && is_beginning(p, n));
}

static void every_kind_of_sequence(void **state)
{
    (void)state;
    static const uint8_t picks[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                    0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xF4, 0xFF};
    enum { N = sizeof picks };
    for (unsigned lead = 0; lead < 256; lead++) {
        for (unsigned i = 0; i < N * N * N; i++) {
            uint8_t p[4] = {(uint8_t)lead, picks[i % N], picks[i / N % N], picks[i / N / N]};
            for (size_t len = 1; len <= 4; len++) {
                check_sequence(p, len);
            }
            if (lead < 0xC0) {
                break; /* one byte in any case */
            }
        }
    }
}

/* What a stream should give: all in one go, U+FFFD for each maximal subpart. */
static size_t replace(const uint8_t *p, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t k = lf_utf8_decode(p + i, len - i, &c);
        if (c < 0x110000) {
            memcpy(out + n, p + i, k);
            n += k;
        } else {
            memcpy(out + n, "\xEF\xBF\xBD", 3);
            n += 3;
        }
        i += k;
    }
    return n;
}

static void stream_of_the_standard(void **state)
{
    (void)state;
    static const char in[] = "\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64";
    static const char want[] = "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                               "b\xEF\xBF\xBD"
                               "c\xEF\xBF\xBD\xEF\xBF\xBD"
                               "d";
    for (size_t portion = 1; portion < sizeof in; portion++) {
        lf_utf8_stream s = {0};
        char out[64];
        size_t n = 0;
        for (size_t i = 0; i < sizeof in - 1; i += portion) {
            size_t len = sizeof in - 1 - i < portion ? sizeof in - 1 - i : portion;
            n += lf_utf8_push(&s, in + i, len, out + n);
        }
        assert_int_equal(lf_utf8_flush(&s, out + n), 0);
        assert_int_equal(n, sizeof want - 1);
        assert_memory_equal(out, want, n);
    }
}

static void stream_in_portions(void **state)
{
    (void)state;
    static const uint8_t picks[] = {'a',  0x80, 0xBF, 0xA0, 0x8F, 0x9F, 0xC3,
                                    0xE2, 0xE0, 0xED, 0xF0, 0xF4, 0xFF, 0xF1};
    uint64_t seed = 7;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 20000; round++) {
        uint8_t in[24];
        size_t len = random_below(&seed, sizeof in + 1);
        for (size_t i = 0; i < len; i++) {
            in[i] = picks[random_below(&seed, sizeof picks)];
        }
        char want[80];
        size_t n_want = replace(in, len, want);
        lf_utf8_stream s = {0};
        char got[160];
        size_t n = 0;
        for (size_t i = 0; i < len;) {
            size_t portion = random_below(&seed, 6);
            portion = portion < len - i ? portion : len - i;
            size_t more = lf_utf8_push(&s, (const char *)in + i, portion, got + n);
            assert_true(more <= lf_utf8_push_bound(portion));
            /* Only whole characters come out. */
            char again[160];
            size_t n_again = replace((const uint8_t *)got + n, more, again);
            assert_int_equal(n_again, more);
            assert_memory_equal(again, got + n, more);
            n += more;
            i += portion;
        }
        size_t last = lf_utf8_flush(&s, got + n);
        assert_true(last == 0 || last == 3);
        n += last;
        assert_int_equal(s.n_pending, 0);
        assert_int_equal(n, n_want);
        assert_memory_equal(got, want, n);
    }
    assert_true(lf_utf8_push_bound(SIZE_MAX) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character),        cmocka_unit_test(validity),
        cmocka_unit_test(every_kind_of_sequence), cmocka_unit_test(stream_of_the_standard),
        cmocka_unit_test(stream_in_portions),
    };
    return cmocka_run_group_tests_name("utf8_decode", tests, NULL, NULL);
}
