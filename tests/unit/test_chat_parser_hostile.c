/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of answers: failing memory, and hostile texts in bounded time and memory. */
#include "support/answers.h"
#include "support/counting_alloc.h"
#include "support/text_vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S "<|tool_call_start|>"
#define E "<|tool_call_end|>"

static lf_tokenizer *plain;

static int set_up(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    text_vocab v;
    text_vocab_init_small(&v);
    assert_int_equal(lf_tokenizer_create(&alloc, &v.data, false, &plain), LFM2_OK);
    text_vocab_free(&v);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf_tokenizer_free(plain);
    return 0;
}

static const lfm2_chat_parser_options defaults = {.size = sizeof defaults};

/* ---- Failing memory ---- */

static void check_failing(const char *text, lft_feed feed)
{
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    lfm2_chat_parser_options o = defaults;
    o.tools = "[{\"name\": \"f\"}]";
    o.tools_len = strlen(o.tools);
    char *want = NULL;
    assert_null(lft_answer(&alloc, plain, &o, text, strlen(text), LFT_WHOLE, 0, &want));
    for (size_t n = 0;; n++) {
        char *message = NULL;
        counter.fail_at = counter.calls + n;
        const char *broken = lft_answer(&alloc, plain, &o, text, strlen(text), feed, 3, &message);
        bool failed = counter.calls > counter.fail_at;
        assert_int_equal(counter.live, 0);
        assert_int_equal(counter.mistakes, 0);
        if (!failed) {
            assert_null(broken);
            assert_string_equal(message, want);
            free(message);
            break;
        }
        free(message);
        assert_non_null(broken);
    }
    free(want);
}

static void failing_memory(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<think>why</think>Hi " S "[f(a='x', b=[1, {'c': (2)}]), g(1), h(x='it's')]" E "!",
        "[f(a=1)]",
        "{\"name\": \"f\", \"arguments\": \"{}\"}",
        S "[g(1), f(a=1, a=2)]" E,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_failing(texts[i], LFT_WHOLE);
        check_failing(texts[i], LFT_BYTES);
    }
}

static void after_a_failure(void **state)
{
    (void)state;
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    lf_chat_parser *p = NULL;
    lfm2_chat_event event = {.size = sizeof event};
    assert_int_equal(lf_chat_parser_create(&alloc, plain, &defaults, &p), LFM2_OK);
    counter.fail_at = counter.calls;
    assert_int_equal(lf_chat_parser_push_text(p, "a", 1), LFM2_E_MEMORY);
    counter.fail_at = SIZE_MAX;
    assert_int_equal(lf_chat_parser_push_text(p, "a", 1), LFM2_E_MEMORY);
    assert_int_equal(lf_chat_parser_finish(p), LFM2_E_MEMORY);
    lf_chat_parser_reset(p);
    assert_int_equal(lf_chat_parser_push_text(p, "1", 1), LFM2_OK);
    counter.fail_at = counter.calls;
    assert_int_equal(lf_chat_parser_next(p, &event), LFM2_E_MEMORY);
    counter.fail_at = SIZE_MAX;
    assert_int_equal(lf_chat_parser_next(p, &event), LFM2_OK);
    assert_string_equal(event.text, "1");
    assert_int_equal(lf_chat_parser_next(p, &event), LFM2_OK);
    assert_int_equal(event.kind, LFM2_CHAT_EVENT_NONE);
    lf_chat_parser_free(p);
    assert_int_equal(counter.live, 0);
}

/* ---- Hostile texts ---- */

/* The head, then the part until the text has about this size, then the tail; whole and in random
 * pieces. What takes more than linear time does not end. */
static void repeat(const char *head, const char *part, const char *tail)
{
    enum { SIZE = 300000 };
    static char text[SIZE + 1024];
    static const char tools[] = "[{\"name\": \"f\"}]";
    lfm2_chat_parser_options o = defaults;
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    size_t len = strlen(head);
    memcpy(text, head, len);
    while (len + strlen(part) < SIZE) {
        memcpy(text + len, part, strlen(part));
        len += strlen(part);
    }
    memcpy(text + len, tail, strlen(tail) + 1);
    len += strlen(tail);
    o.tools = tools;
    o.tools_len = sizeof tools - 1;
    char *messages[3] = {NULL};
    for (size_t i = 0; i < 3; i++) {
        assert_null(lft_answer(&alloc, plain, &o, text, len, (lft_feed)i, 5, &messages[i]));
    }
    assert_string_equal(messages[0], messages[1]);
    assert_string_equal(messages[0], messages[2]);
    for (size_t i = 0; i < 3; i++) {
        free(messages[i]);
    }
    assert_int_equal(counter.live, 0);
    assert_true(counter.peak < 160 * len);
}

static void hostile(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {S "[f(a=", "[", ""},
        {S "[f(a=", "{", ""},
        {S "[f(a=", "(", ""},
        {S "[f(a=", "[{'a': (", ""},
        {S "[f(a='", "'", ""},
        {S "[f(a='", "' ", ")]" E},
        {S "[f(a='", "', a='", ""},
        {S "[f(a='", "',                                                ", ""},
        {S "[f(a='", "' x='", "')]" E},
        {S "[f(a='", "<|im_end|>", ""},
        {S "[f(a='<|im_end|>", " ", ""},
        {S "[f(a='x')]", " ", E},
        {S "[f(a='''", "''' ", ""},
        {S "[f(a='''", "'''), f(", ""},
        {"", "[f(a=1)] ", "x"},
        {S "[f(a='", "\\", "')]" E},
        {S "[f(a='", "\\ud83d", "')]" E},
        {S "[f(a=", "1", ")]" E},
        {S "[f(a=", "0", ")]" E},
        {S "[f(a=", " ", "1)]" E},
        {S "[f(", "a", "=1)]" E},
        {S "[", "f", "(a=1)]" E},
        {S "[", "f(a=1), ", "]" E},
        {S "[", "f(1), ", "]" E},
        {S "[", "f(1), ", "f()]" E},
        {S "[", "f(", "]" E},
        {S "[f(", "a=1, ", ")]" E},
        {S "[f(a=[", "1, ", "])]" E},
        {S "[f(a={", "'x', ", "})]" E},
        {S "[f(a='x", "' 'x", "')]" E},
        {"", S, ""},
        {"", E, ""},
        {"", S "[f()]" E, ""},
        {S "[f()]" E, "[f()]" E, ""},
        {"", "<think></think>", ""},
        {"", "<think>", ""},
        {"", "<", ""},
        {"", "<|tool_call_start|", ""},
        {"", "<|im_end|>", ""},
        {"", "<|im_end|> x", ""},
        {"", "[", ""},
        {"", "[f(a='", ""},
        {"", "[f(a='b')]\n", ""},
        {"", "[f(a='b')] ", E},
        {"", "f(a='b')\n", ""},
        {"", "{\"name\": \"f\", \"arguments\": {}}\n", ""},
        {"{\"name\": \"", "f", "\", \"arguments\": {}}"},
        {"{\"id\": ", "[", ""},
        {S "{\"function\": ", "{\"function\": ", ""},
        {"", "\xE2\x82", ""},
        {"", "\xFF", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        repeat(cases[i][0], cases[i][1], cases[i][2]);
    }
}

/* Brackets nest as deep as JSON may; deeper ones are no call. */
static void depth(void **state)
{
    (void)state;
    for (size_t n = 505; n <= 515; n++) {
        char text[2048];
        size_t len = (size_t)snprintf(text, sizeof text, S "[f(a=");
        memset(text + len, '[', n);
        memset(text + len + n, ']', n);
        len += 2 * n;
        len += (size_t)snprintf(text + len, sizeof text - len, ")]" E);
        char *message = NULL;
        lf_alloc alloc = lf_alloc_default();
        assert_null(lft_answer(&alloc, plain, &defaults, text, len, LFT_WHOLE, 0, &message));
        assert_int_equal(strstr(message, "tool_calls") != NULL, n <= 511);
        free(message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_memory),
        cmocka_unit_test(after_a_failure),
        cmocka_unit_test(hostile),
        cmocka_unit_test(depth),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
