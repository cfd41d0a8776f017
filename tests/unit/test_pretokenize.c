/* SPDX-License-Identifier: Apache-2.0 */
/* The pre-tokens of texts chosen for each rule; test_tokenizer_golden.c replays thousands of
 * texts. */
#include "support/random.h"
#include "text/pretokenize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A text, then its pre-tokens. */
static const char *const cases[][10] = {
    {"hello world", "hello", " world"},
    {"84721", "847", "21"},
    {" 1234", " ", "123", "4"},
    {"3.14159265358979", "3", ".", "141", "592", "653", "589", "79"},
    {"I'm you'RE he'Ll", "I", "'m", " you", "'RE", " he", "'Ll"},
    {"'s't'd'm", "'s", "'t", "'d", "'m"},
    {"'sky", "'s", "ky"},
    {"'\xC5\xBF\xC5\xBF", "'\xC5\xBF", "\xC5\xBF"}, /* long s */
    {"'re 're'r", "'re", " '", "re", "'r"},
    {"don\xE2\x80\x99t", "don", "\xE2\x80\x99t"}, /* typographic: no contraction */
    {"'l", "'l"},
    {"'", "'"},
    {"' ", "'", " "}, /* a last character that is not a letter */
    {"'1", "'", "1"},
    {"!abc", "!abc"},
    {"\tabc", "\tabc"},
    {"\nabc", "\n", "abc"},
    {"a  b", "a", " ", " b"},
    {"a   ", "a", "   "},
    {"a \n b", "a", " \n", " b"},
    {"a \n \n  b", "a", " \n \n", " ", " b"},
    {"a\r\n\r\nb", "a", "\r\n\r\n", "b"},
    {" ...\n\nx", " ...\n\n", "x"},
    {"  ...", " ", " ..."},
    {"\t...", "\t", "..."},
    {" \xC2\xA0x", " ", "\xC2\xA0x"},
    {"\xE3\x80\x80\xE3\x80\x80"
     "1",
     "\xE3\x80\x80", "\xE3\x80\x80", "1"},
    {"e\xCC\x81t\xC3\xA9", "e", "\xCC\x81t\xC3\xA9"}, /* a combining mark is not a letter */
    {"\xE6\x97\xA5\xE6\x9C\xAC 1\xC2\xB2", "\xE6\x97\xA5\xE6\x9C\xAC", " ", "1\xC2\xB2"},
    {"a\xFF\xFE!", "a", "\xFF\xFE!"}, /* invalid bytes are symbols */
    {"\xE2\x82 b", "\xE2\x82", " b"},
    {"\xE2\x82x\xE2", "\xE2\x82x", "\xE2"}, /* one of them can begin a word */
    {"\x1C\x1C", "\x1C\x1C"},               /* not White_Space */
};

static void chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i][0];
        size_t len = strlen(text);
        size_t pos = 0;
        for (size_t k = 1; k < 10 && cases[i][k] != NULL; k++) {
            size_t end = lf_pretoken_end((const uint8_t *)text, pos, len);
            size_t want = strlen(cases[i][k]);
            if (end - pos != want || memcmp(text + pos, cases[i][k], want) != 0) {
                fail_msg("case %zu '%s': pre-token %zu is '%.*s'", i, text, k, (int)(end - pos),
                         text + pos);
            }
            pos = end;
        }
        assert_int_equal(pos, len);
    }
}

/* Bytes after the end change nothing, and no pre-token is empty. */
static void end_is_the_end(void **state)
{
    (void)state;
    static const char *const samples[] = {
        "a",        "'s",   " ",    "\n", "12",           "!",
        "\xC3\xA9", "\xE2", "\xCC", "\r", "\xE3\x80\x80", "\xF0\x9F"};
    uint64_t seed = 11;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 20000; round++) {
        char text[64] = "";
        for (uint32_t n = 1 + random_below(&seed, 8); n > 0; n--) {
            strcat(text, samples[random_below(&seed, sizeof samples / sizeof *samples)]);
        }
        size_t len = strlen(text);
        size_t end = 1 + random_below(&seed, (uint32_t)len);
        uint8_t alone[64];
        memset(alone, 'x', sizeof alone);
        memcpy(alone, text, end);
        size_t pos = 0;
        while (pos < end) {
            size_t next = lf_pretoken_end((const uint8_t *)text, pos, end);
            assert_int_equal(lf_pretoken_end(alone, pos, end), next);
            assert_in_range(next, pos + 1, end);
            pos = next;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chosen), cmocka_unit_test(end_is_the_end)};
    return cmocka_run_group_tests_name("pretokenize", tests, NULL, NULL);
}
