/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the helpers of the tests of grammars. */
#include "support/grammars.h"

#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- The vocabulary ---- */

vocabulary vocab;

/* Tokens of up to `most` bytes, of few letters, so that grammars use them. */
static void add_tokens(text_vocab *v, const char *letters, size_t most, uint32_t count)
{
    uint64_t random = 7;
    for (uint32_t i = 0; i < count; i++) {
        char text[64];
        size_t len = 2 + random_below(&random, (uint32_t)most - 1);
        for (size_t k = 0; k < len; k++) {
            text[k] = letters[random_below(&random, (uint32_t)strlen(letters))];
        }
        bool known = false;
        for (uint32_t k = 0; k < v->data.n_tokens && !known; k++) {
            known = v->tokens[k].len == len && memcmp(v->tokens[k].text, text, len) == 0;
        }
        if (!known) {
            text_vocab_add(v, text, len, LFM2_TOKEN_NORMAL);
        }
    }
}

int make_vocabulary(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    /* In byte-level form these are the bytes of e acute and of the snowman. */
    static const char *const wide[] = {"\xC3\x83\xC2\xA9", "a\xC3\x83\xC2\xA9",
                                       "\xC3\xA2\xC4\xBA\xC4\xA5", "\"\xC3\x83"};
    text_vocab *v = &vocab.source;
    text_vocab_init_small(v);
    add_tokens(v, "abc", 4, 60);
    add_tokens(v, "ab\",:[]{}", 5, 150);
    add_tokens(v, "01a", 4, 40);
    add_tokens(v, "aa\"", 40, 60);
    add_tokens(v, "ab", 30, 40);
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        text_vocab_add_string(v, wide[i], LFM2_TOKEN_NORMAL);
    }
    text_vocab_add_string(v, "<think>", LFM2_TOKEN_USER);
    text_vocab_add_string(v, "abba", LFM2_TOKEN_USER);
    text_vocab_add_string(v, "unused", LFM2_TOKEN_UNUSED);
    assert_int_equal(lf_tokenizer_create(&alloc, &v->data, false, &vocab.tokenizer), LFM2_OK);
    assert_int_equal(lf_token_trie_create(&alloc, vocab.tokenizer, &vocab.trie), LFM2_OK);
    vocab.n = lf_tokenizer_size(vocab.tokenizer);
    vocab.n_words = (vocab.n + 31) / 32;
    assert_true(vocab.n_words <= MAX_WORDS);
    vocab.call = lf_tokenizer_find_added(vocab.tokenizer, "<|tool_call_start|>");
    vocab.think = lf_tokenizer_find_added(vocab.tokenizer, "<think>");
    assert_true(vocab.call >= 0 && vocab.think >= 0);
    return 0;
}

int free_vocabulary(void **state)
{
    (void)state;
    lf_token_trie_free(vocab.trie);
    lf_tokenizer_free(vocab.tokenizer);
    text_vocab_free(&vocab.source);
    return 0;
}

lf_grammar_limits usual_limits(void)
{
    lf_grammar_limits limits;
    lf_grammar_limits_default(&limits);
    return limits;
}

lf_grammar *new_grammar(const lf_grammar_limits *limits)
{
    lf_alloc alloc = lf_alloc_default();
    lf_grammar *g = NULL;
    assert_int_equal(lf_grammar_create(&alloc, limits, &g), LFM2_OK);
    return g;
}

lf_compiled *new_matcher(lf_grammar *g, lf_node root)
{
    lf_compiled *m = NULL;
    if (lf_compiled_create(g, root, vocab.trie, &m) != LFM2_OK) {
        fail_msg("%s", lf_fail_text());
    }
    return m;
}

lf_match *new_match(lf_compiled *m)
{
    lf_match *match = NULL;
    assert_int_equal(lf_match_create(m, &match), LFM2_OK);
    return match;
}

lf_node text_node(lf_grammar *g, const char *text)
{
    return lf_grammar_text(g, lf_rx_text(lf_grammar_rx(g), text, strlen(text)));
}

lf_node regex_node(lf_grammar *g, const char *pattern)
{
    lf_node node = LF_NODE_NONE;
    assert_int_equal(lf_regex_build(g, "p", pattern, strlen(pattern), &node), LFM2_OK);
    return node;
}

lf_node sequence(lf_grammar *g, lf_node a, lf_node b, lf_node c)
{
    return lf_grammar_sequence(g, (lf_node[]){a, b, c}, 3);
}

lf_node choice(lf_grammar *g, lf_node a, lf_node b, lf_node c)
{
    return lf_grammar_choice(g, (lf_node[]){a, b, c}, 3);
}

lf_node json_node(lf_grammar *g, const char *string)
{
    lf_node value = lf_grammar_rule(g), text = regex_node(g, string);
    lf_node comma = text_node(g, ",");
    lf_node more = sequence(g, comma, value, LF_NODE_EMPTY);
    lf_node items =
        sequence(g, value, lf_grammar_repeat(g, more, 0, LF_RX_UNLIMITED), LF_NODE_EMPTY);
    lf_node list =
        sequence(g, text_node(g, "["), lf_grammar_repeat(g, items, 0, 1), text_node(g, "]"));
    lf_node member = sequence(g, text, text_node(g, ":"), value);
    lf_node members = sequence(
        g, member,
        lf_grammar_repeat(g, sequence(g, comma, member, LF_NODE_EMPTY), 0, LF_RX_UNLIMITED),
        LF_NODE_EMPTY);
    lf_node object =
        sequence(g, text_node(g, "{"), lf_grammar_repeat(g, members, 0, 1), text_node(g, "}"));
    lf_grammar_define(g, value,
                      choice(g, choice(g, list, object, text), regex_node(g, "0|1[01]{0,20}"),
                             lf_grammar_token(g, vocab.call)));
    return value;
}

/* ---- Masks against every token ---- */

static bool bit(const uint32_t *bits, int32_t id)
{
    return (bits[id / 32] >> (id % 32) & 1) != 0;
}

uint32_t check_mask(lf_match *match, uint32_t *bits)
{
    uint32_t count = 0;
    int32_t status = lf_match_mask(match, bits);
    if (status == LFM2_E_LIMIT && strcmp(lf_fail_code(), "constraint.steps") == 0) {
        return 0;
    }
    if (status != LFM2_OK) {
        fail_msg("%s", lf_fail_text());
    }
    for (int32_t id = 0; id < (int32_t)vocab.n; id++) {
        lf_match *copy = NULL;
        assert_int_equal(lf_match_clone(match, &copy), LFM2_OK);
        bool accepted = lf_match_accept(copy, id) == LFM2_OK;
        lf_match_free(copy);
        if (accepted != bit(bits, id)) {
            const char *text = NULL;
            lf_tokenizer_token(vocab.tokenizer, id, &text, NULL, NULL);
            fail_msg("token %d, \"%s\": %s", id, text,
                     accepted ? "follows, but is not in the mask" : "does not follow");
        }
        count += accepted;
        assert_true(!lf_tokenizer_is_end(vocab.tokenizer, id) ||
                    accepted == lf_match_complete(match));
    }
    assert_true(count > 0);
    return count;
}

static int32_t pick(const uint32_t *bits, uint32_t n, uint64_t *random)
{
    uint32_t left = random_below(random, n);
    for (int32_t id = 0;; id++) {
        if (bit(bits, id) && left-- == 0) {
            return id;
        }
    }
}

void check_texts(lf_compiled *m, uint32_t texts, uint32_t most, uint64_t *random)
{
    for (uint32_t i = 0; i < texts; i++) {
        lf_match *match = new_match(m);
        uint32_t bits[MAX_WORDS] = {0};
        for (uint32_t k = 0; k < most; k++) {
            uint32_t n = check_mask(match, bits);
            if (n == 0) {
                break;
            }
            int32_t id = pick(bits, n, random);
            assert_int_equal(lf_match_accept(match, id), LFM2_OK);
            if (lf_tokenizer_is_end(vocab.tokenizer, id)) {
                lf_match_mask(match, bits);
                for (uint32_t w = 0; w < vocab.n_words; w++) {
                    assert_int_equal(bits[w], 0);
                }
                assert_int_equal(lf_match_accept(match, id), LFM2_E_ARGUMENT);
                break;
            }
        }
        lf_match_free(match);
    }
}
