/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers: masks against every token of the vocabulary, forced text, copies, threads, failing
 * memory.
 * ctest-labels: threads */
#include "support/counting_alloc.h"
#include "support/grammars.h"
#include "support/models.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void masks(void **state)
{
    (void)state;
    static const char *const strings[] = {
        "\"[^\"\\\\\\u0000-\\u001f]*\"",
        "\"[^\"\\\\\\u0000-\\u001f]{0,5}\"",
        "\"[^\"\\\\\\u0000-\\u001f]{3,30}\"",
        "\"[ab]{2,20}\"",
        "\"[a-z]{0,3}\"",
        "\"(?:ab|b)*\"",
        "\"(?:[ab]+[ c]+){0,40}[ab]+\"",
        "\"(?:(?:ab|\\u00e9)c?){15,19}(?:b|cc){17,40}\"",
        "\"(?:[a-c]|\\u00e9|\\\\\\\\.){1,18}\"",
        "\"(?:[^\"\\\\\\u0000-\\u001f]|\\\\[\"\\\\nrt])*\"",
        "(?:a|\"b)+",
        "[^:,\\[\\]{}]{1,25}",
    };
    uint64_t random = 3;
    size_t n = lft_sampled() ? 3 : sizeof strings / sizeof *strings;
    for (size_t i = 0; i < n; i++) {
        lf_grammar_limits limits = usual_limits();
        lf_grammar *g = new_grammar(&limits);
        lf_compiled *m = new_matcher(g, json_node(g, strings[i]));
        check_texts(m, 12, 30, &random);
        lf_compiled_free(m);
    }
}

/* Strings in quotes that `any` matches and `but` does not. */
static lf_node strings_but(lf_grammar *g, const char *any, const char *but)
{
    lf_rx_set *set = lf_grammar_rx(g);
    lf_rx all = LF_RX_NONE, some = LF_RX_NONE, quote = lf_rx_text(set, "\"", 1);
    assert_int_equal(lf_rx_parse(set, "p", any, strlen(any), false, &all), LFM2_OK);
    assert_int_equal(lf_rx_parse(set, "p", but, strlen(but), false, &some), LFM2_OK);
    lf_rx text = lf_rx_and(set, all, lf_rx_not(set, some));
    return lf_grammar_text(g, lf_rx_concat(set, quote, lf_rx_concat(set, text, quote)));
}

/* Names of members other than some: as one expression, and as an expression between quotes. */
static void differences(void **state)
{
    (void)state;
    static const char *const strings[] = {"(?:[^\"\\\\]|\\\\.)*", "[^\"\\\\]{1,12}", "[ab]*",
                                          "a*b?", "(?:[^\"]|a\")*"};
    static const char *const parts[] = {"a|ab|bb|", "(?:a|\\\\b)(?:b|\\\\a){2}|aaa", "a*b?.*c|a",
                                        "[ab]{2,}", "ab.*"};
    uint64_t random = 5;
    for (size_t i = 0; i < 25; i++) {
        lf_grammar_limits limits = usual_limits();
        lf_grammar *g = new_grammar(&limits);
        lf_rx_set *set = lf_grammar_rx(g);
        lf_rx known = LF_RX_NONE, any = LF_RX_NONE;
        char text[100];
        snprintf(text, sizeof text, "\"%s\"", strings[i / 5]);
        assert_int_equal(lf_rx_parse(set, "p", text, strlen(text), false, &any), LFM2_OK);
        snprintf(text, sizeof text, "\"(?:%s)\"", parts[i % 5]);
        assert_int_equal(lf_rx_parse(set, "p", text, strlen(text), false, &known), LFM2_OK);
        lf_node name = lf_grammar_text(g, lf_rx_and(set, any, lf_rx_not(set, known)));
        lf_node root =
            sequence(g, strings_but(g, strings[i / 5], parts[i % 5]), text_node(g, ":"), name);
        lf_compiled *m = new_matcher(g, root);
        check_texts(m, lft_sampled() ? 1 : 8, 12, &random);
        lf_compiled_free(m);
    }
}

/* ---- Forced text, tokens ---- */

static void check_forced(lf_match *match, const char *want, int32_t want_id)
{
    char text[100];
    size_t len = 0;
    int32_t id = 0;
    assert_int_equal(lf_match_forced(match, text, sizeof text, &len, &id), LFM2_OK);
    assert_int_equal(len, strlen(want));
    assert_memory_equal(text, want, len);
    assert_int_equal(id, want_id);
}

static void forced(void **state)
{
    (void)state;
    lf_grammar_limits limits = usual_limits();
    lf_grammar *g = new_grammar(&limits);
    lf_node name =
        choice(g, text_node(g, "{\"name\":1"), text_node(g, "{\"named\":1"), LF_NODE_NONE);
    lf_node body = sequence(g, lf_grammar_token(g, vocab.call), name, text_node(g, "}"));
    lf_node root = sequence(g, body, lf_grammar_token(g, vocab.think),
                            lf_grammar_repeat(g, text_node(g, "b"), 0, 1));
    lf_compiled *m = new_matcher(g, root);
    lf_match *match = new_match(m);
    check_forced(match, "", vocab.call);
    assert_int_equal(lf_match_accept_bytes(match, "<|tool_call_start|>", 19), LFM2_E_ARGUMENT);
    assert_int_equal(lf_match_accept(match, vocab.call), LFM2_OK);
    check_forced(match, "{\"name", -1);
    assert_int_equal(lf_match_accept_bytes(match, "{\"named", 7), LFM2_OK);
    check_forced(match, "\":1}", -1);
    assert_int_equal(lf_match_accept_bytes(match, "\":1}", 4), LFM2_OK);
    check_forced(match, "", vocab.think);
    assert_false(lf_match_complete(match));
    assert_int_equal(lf_match_accept(match, vocab.think), LFM2_OK);
    assert_true(lf_match_complete(match));
    check_forced(match, "", -1);
    /* A failure changes nothing. */
    assert_int_equal(lf_match_accept_bytes(match, "bb", 2), LFM2_E_ARGUMENT);
    assert_string_equal(lf_fail_text(), "byte 1: the text does not satisfy the constraint");
    assert_int_equal(lf_match_accept_bytes(match, "b", 1), LFM2_OK);
    assert_true(lf_match_complete(match));
    lf_match_free(match);
    lf_compiled_free(m);
}

static void choices(void **state)
{
    (void)state;
    static const char list[] = "[\"aab\", \"ab\", \"a\", \"\\u00e9\", \"0\"]";
    lf_grammar_limits limits = usual_limits();
    lf_grammar *g = new_grammar(&limits);
    lf_node node = LF_NODE_NONE;
    assert_int_equal(lf_choices_build(g, "list", list, strlen(list), &node), LFM2_OK);
    static const char *const wrong[] = {"[]", "{}", "[1]", "[\"a\"", "[\"a\", null]"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lf_node none;
        assert_int_equal(lf_choices_build(g, "list", wrong[i], strlen(wrong[i]), &none),
                         LFM2_E_TEXT);
    }
    lf_compiled *m = new_matcher(g, node);
    static const char *const yes[] = {"aab", "ab", "a", "\xC3\xA9", "0"};
    static const char *const no[] = {"aa", "", "b", "abb"};
    for (size_t i = 0; i < 5; i++) {
        lf_match *match = new_match(m);
        assert_int_equal(lf_match_accept_bytes(match, yes[i], strlen(yes[i])), LFM2_OK);
        assert_true(lf_match_complete(match));
        lf_match_free(match);
    }
    for (size_t i = 0; i < 4; i++) {
        lf_match *match = new_match(m);
        assert_false(lf_match_accept_bytes(match, no[i], strlen(no[i])) == LFM2_OK &&
                     lf_match_complete(match));
        lf_match_free(match);
    }
    uint64_t random = 1;
    check_texts(m, 10, 5, &random);
    lf_compiled_free(m);
}

/* ---- Copies and threads ---- */

enum { THREADS = 4 };

static void *run_thread(void *shared)
{
    uint64_t random = 17;
    check_texts(shared, lft_sampled() ? 2 : 6, 20, &random);
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    lf_grammar_limits limits = usual_limits();
    lf_grammar *g = new_grammar(&limits);
    lf_compiled *m = new_matcher(g, json_node(g, "\"[ab]{2,20}\""));
    pthread_t ids[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&ids[i], NULL, run_thread, m), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    }
    lf_compiled_free(m);
}

/* ---- Failing memory ---- */

static int32_t use_match(lf_match *match)
{
    uint32_t bits[MAX_WORDS];
    char text[16];
    size_t len;
    int32_t id;
    LF_TRY(lf_match_mask(match, bits));
    LF_TRY(lf_match_accept_bytes(match, "[\"ab\"", 5));
    LF_TRY(lf_match_mask(match, bits));
    lf_match *copy = NULL;
    LF_TRY(lf_match_clone(match, &copy));
    int32_t status = lf_match_accept_bytes(copy, ",\"a", 3);
    status = status == LFM2_OK ? lf_match_mask(copy, bits) : status;
    status = status == LFM2_OK ? lf_match_forced(copy, text, sizeof text, &len, &id) : status;
    lf_match_free(copy);
    return status;
}

static int32_t use(const lf_alloc *alloc)
{
    lf_grammar_limits limits = usual_limits();
    lf_token_trie *trie = NULL;
    LF_TRY(lf_token_trie_create(alloc, vocab.tokenizer, &trie));
    lf_grammar *g = NULL;
    lf_compiled *m = NULL;
    lf_match *match = NULL;
    int32_t status;
    lf_node string = LF_NODE_NONE, list = LF_NODE_NONE;
    LF_TRY_DONE(lf_grammar_create(alloc, &limits, &g));
    static const char pattern[] = "\"[^\"\\\\]{0,30}\"";
    status = lf_regex_build(g, "p", pattern, strlen(pattern), &string);
    if (status == LFM2_OK) {
        lf_node more = sequence(g, text_node(g, ","), string, LF_NODE_EMPTY);
        list =
            sequence(g, text_node(g, "["), string, lf_grammar_repeat(g, more, 0, LF_RX_UNLIMITED));
        list = sequence(g, list, text_node(g, "]"), LF_NODE_EMPTY);
    }
    if (status != LFM2_OK) {
        lf_grammar_free(g);
        goto done;
    }
    LF_TRY_DONE(lf_compiled_create(g, list, trie, &m));
    LF_TRY_DONE(lf_match_create(m, &match));
    status = use_match(match);
done:
    lf_match_free(match);
    lf_compiled_free(m);
    lf_token_trie_free(trie);
    return status;
}

/* A long text whose states fill the memory over and over: what is not needed is given back, and
 * masks stay what they are with much memory. */
static void making_room(void **state)
{
    (void)state;
    enum { MEMORY = 300 * 1000, BYTES = 30 * 1000 };
    static const char pattern[] = "(?:(?:ab|b){0,999}c(?:a|ba){0,999}\"){0,9999}";
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    lf_grammar_limits limits = usual_limits();
    lf_grammar *large = new_grammar(&limits), *g = NULL;
    lf_compiled *m = NULL, *other = new_matcher(large, regex_node(large, pattern));
    limits.memory = MEMORY;
    assert_int_equal(lf_grammar_create(&alloc, &limits, &g), LFM2_OK);
    assert_int_equal(lf_compiled_create(g, regex_node(g, pattern), vocab.trie, &m), LFM2_OK);
    lf_match *match = NULL, *want = NULL;
    assert_int_equal(lf_match_create(m, &match), LFM2_OK);
    assert_int_equal(lf_match_create(other, &want), LFM2_OK);
    size_t most = 0, before = 0;
    uint32_t given_back = 0;
    for (uint32_t i = 0; i < BYTES; i++) {
        uint32_t bits[MAX_WORDS], expected[MAX_WORDS];
        char c = "bbabc\""[i % 900 < 890 ? (i % 2) * 3 : i % 900 < 891 ? 4 : i % 900 < 899 ? 2 : 5];
        before = counter.live;
        if (lf_match_accept_bytes(match, &c, 1) != LFM2_OK) {
            fail_msg("byte %u: %s", i, lf_fail_text());
        }
        assert_int_equal(lf_match_accept_bytes(want, &c, 1), LFM2_OK);
        if (i % 100 == 0) {
            assert_int_equal(lf_match_mask(match, bits), LFM2_OK);
            assert_int_equal(lf_match_mask(want, expected), LFM2_OK);
            assert_memory_equal(bits, expected, vocab.n_words * sizeof *bits);
        }
        most = counter.live > most ? counter.live : most;
        given_back += counter.live < before / 2;
    }
    assert_true(counter.peak <= MEMORY + 64 * 1024);
    assert_true(given_back > 2);
    lf_match_free(match);
    lf_match_free(want);
    lf_compiled_free(m);
    lf_compiled_free(other);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
}

/* Grammars with very many stacks: a call ends within the limits, or says that one is reached, and
 * takes no more memory. */
static void ambiguous(void **state)
{
    (void)state;
    enum { RULES = 300, MEMORY = 4 << 20 };
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    lf_grammar_limits limits = usual_limits();
    lf_grammar *g = NULL;
    lf_compiled *m = NULL;
    lf_match *match = NULL;
    limits.memory = MEMORY;
    assert_int_equal(lf_grammar_create(&alloc, &limits, &g), LFM2_OK);
    /* x0 = x1 x1 | "a", x1 = x2 x2 | "a", ... */
    lf_node rule = text_node(g, "b");
    for (int i = 0; i < RULES; i++) {
        rule = choice(g, sequence(g, rule, rule, LF_NODE_EMPTY), text_node(g, "a"), LF_NODE_NONE);
    }
    assert_int_equal(lf_compiled_create(g, rule, vocab.trie, &m), LFM2_OK);
    assert_int_equal(lf_match_create(m, &match), LFM2_OK);
    bool limited = false;
    for (int i = 0; i < 40 && !limited; i++) {
        uint32_t bits[MAX_WORDS];
        int32_t status = lf_match_mask(match, bits);
        status = status == LFM2_OK ? lf_match_accept_bytes(match, "a", 1) : status;
        assert_true(status == LFM2_OK || status == LFM2_E_LIMIT);
        limited = status == LFM2_E_LIMIT;
    }
    assert_true(limited);
    assert_true(counter.peak <= MEMORY + 64 * 1024);
    lf_match_free(match);
    lf_compiled_free(m);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
}

static void failing_memory(void **state)
{
    (void)state;
    int32_t status = LFM2_E_MEMORY;
    for (size_t n = 0; status != LFM2_OK; n++) {
        counting_alloc counter;
        lf_alloc alloc = counting_alloc_init(&counter);
        counter.fail_at = n;
        status = use(&alloc);
        if (status != LFM2_OK && status != LFM2_E_MEMORY) {
            fail_msg("allocation %zu: %s", n, lf_fail_text());
        }
        assert_int_equal(counter.live, 0);
        assert_int_equal(counter.mistakes, 0);
        assert_true(n < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks),       cmocka_unit_test(differences),
        cmocka_unit_test(forced),      cmocka_unit_test(choices),
        cmocka_unit_test(threads),     cmocka_unit_test(failing_memory),
        cmocka_unit_test(making_room), cmocka_unit_test(ambiguous),
    };
    return cmocka_run_group_tests(tests, make_vocabulary, free_vocabulary);
}
