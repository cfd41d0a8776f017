/* SPDX-License-Identifier: Apache-2.0 */
/* Grammars: random ones against a slow recognizer, those that are refused, limits. */
#include "support/counting_alloc.h"
#include "support/grammars.h"
#include "support/models.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- A slow recognizer ---- */

typedef struct tree {
    char kind; /* 't' text, ',' sequence, '|' choice, '*' repetition, 'r' the root again */
    char text[4];
    uint32_t min, max;
    struct tree *a, *b;
} tree;

enum { TREES = 40, MOST = 6 };

enum { FUEL = MOST + 2 };

/* Matches of a tree in a text. `known` are those of the root by start and fuel, plus 1; 0: not
 * known. */
typedef struct recognizer {
    const tree *root;
    const char *text;
    uint32_t len;
    uint32_t known[MOST + 1][FUEL + 1];
} recognizer;

/* The ends of the matches of a tree that begin at `from`, as bits. Recursion ends after `fuel`
 * rules: no text needs more than it has letters. */
static uint32_t ends(recognizer *r, const tree *t, uint32_t from, int fuel);

static uint32_t ends_of_all(recognizer *r, const tree *t, uint32_t starts, int fuel)
{
    uint32_t result = 0;
    for (uint32_t i = 0; i <= r->len; i++) {
        result |= (starts >> i & 1) != 0 ? ends(r, t, i, fuel) : 0;
    }
    return result;
}

static uint32_t ends_of_root(recognizer *r, uint32_t from, int fuel)
{
    uint32_t *known = &r->known[from][fuel];
    if (*known == 0) {
        *known = ends(r, r->root, from, fuel) + 1;
    }
    return *known - 1;
}

static uint32_t ends(recognizer *r, const tree *t, uint32_t from, int fuel)
{
    uint32_t starts = 1U << from, result = 0;
    size_t len = strlen(t->text);
    switch (t->kind) {
    case 't':
        return strncmp(r->text + from, t->text, len) == 0 ? starts << len : 0;
    case '|':
        return ends(r, t->a, from, fuel) | ends(r, t->b, from, fuel);
    case 'r':
        return fuel > 0 ? ends_of_root(r, from, fuel - 1) : 0;
    case ',':
        return ends_of_all(r, t->b, ends(r, t->a, from, fuel), fuel);
    default:
        result = t->min == 0 ? starts : 0;
        for (uint32_t k = 1; k <= t->max && k <= t->min + MOST + 1; k++) {
            starts = ends_of_all(r, t->a, starts, fuel);
            result |= k >= t->min ? starts : 0;
        }
        return result;
    }
}

static bool recognize(const tree *root, const char *text)
{
    recognizer r = {.root = root, .text = text, .len = (uint32_t)strlen(text)};
    return (ends_of_root(&r, 0, FUEL) >> r.len & 1) != 0;
}

static tree *random_tree(uint64_t *random, tree *trees, size_t *n, int depth, bool first)
{
    static const char *const texts[] = {"a", "b", "ab", "ba", "aa", ""};
    tree *t = &trees[(*n)++];
    *t = (tree){.kind = 't'};
    if (depth == 0 || *n + 3 >= TREES || random_below(random, 6) == 0) {
        /* A rule again only behind a text: no left recursion. */
        bool again = !first && random_below(random, 4) == 0;
        t->kind = again ? 'r' : 't';
        snprintf(t->text, sizeof t->text, "%s", texts[random_below(random, first ? 5 : 6)]);
        return t;
    }
    t->kind = ",,||*"[random_below(random, 5)];
    t->min = random_below(random, 3);
    t->max = random_below(random, 2) == 0 ? LF_RX_UNLIMITED : t->min + random_below(random, 3);
    t->a = random_tree(random, trees, n, depth - 1, first);
    t->b = random_tree(random, trees, n, depth - 1, first && t->kind != ',');
    return t;
}

static lf_node build(lf_grammar *g, const tree *t, lf_node rule)
{
    switch (t->kind) {
    case 't':
        return text_node(g, t->text);
    case 'r':
        return rule;
    case '|':
        return lf_grammar_choice(g, (lf_node[]){build(g, t->a, rule), build(g, t->b, rule)}, 2);
    case ',':
        return lf_grammar_sequence(g, (lf_node[]){build(g, t->a, rule), build(g, t->b, rule)}, 2);
    default:
        return lf_grammar_repeat(g, build(g, t->a, rule), t->min, t->max);
    }
}

/* Every text of up to MOST letters: complete as the recognizer says, and accepted if it begins a
 * text that is. */
static uint32_t check_language(lf_compiled *m, const tree *root)
{
    uint32_t matches = 0;
    bool begins[MOST + 1][1 << MOST] = {{false}};
    for (uint32_t len = MOST + 1; len-- > 0;) {
        for (uint32_t k = 0; k < 1U << len; k++) {
            char text[MOST + 1] = "";
            for (uint32_t i = 0; i < len; i++) {
                text[i] = (char)('a' + (k >> (len - 1 - i) & 1));
            }
            bool want = recognize(root, text);
            begins[len][k] =
                want || (len < MOST && (begins[len + 1][2 * k] || begins[len + 1][2 * k + 1]));
            lf_match *match = new_match(m);
            int32_t status = lf_match_accept_bytes(match, text, len);
            bool complete = status == LFM2_OK && lf_match_complete(match);
            lf_match_free(match);
            if (status == LFM2_E_LIMIT) {
                continue; /* a grammar with very many derivations of a text */
            }
            assert_true(status == LFM2_OK || !begins[len][k]);
            assert_int_equal(complete, want);
            matches += want;
        }
    }
    return matches;
}

static void languages(void **state)
{
    (void)state;
    uint64_t random = 11;
    uint32_t matches = 0, empty = 0;
    int count = lft_sampled() ? 30 : 400;
    for (int i = 0; i < count; i++) {
        tree trees[TREES + 3];
        size_t n = 0;
        const tree *t = random_tree(&random, trees, &n, 5, true);
        lf_grammar_limits limits = usual_limits();
        limits.token_steps = 50000;
        lf_grammar *g = new_grammar(&limits);
        lf_node rule = lf_grammar_rule(g);
        lf_grammar_define(g, rule, build(g, t, rule));
        lf_compiled *m = NULL;
        int32_t status = lf_compiled_create(g, rule, vocab.trie, &m);
        if (status != LFM2_OK) {
            const char *code = lf_fail_code();
            empty++;
            assert_int_equal(status, LFM2_E_TEXT);
            assert_true(strcmp(code, "constraint.recursion") == 0 || !recognize(t, ""));
            continue;
        }
        matches += check_language(m, t);
        if (i % 8 == 0) {
            check_texts(m, 2, 8, &random);
        }
        lf_compiled_free(m);
    }
    assert_true(matches > 10 * (uint32_t)count && empty < (uint32_t)count / 3);
}

/* ---- Grammars that are refused, limits ---- */

static void expect_refused(lf_grammar *g, lf_node root, int32_t status, const char *code)
{
    lf_compiled *m = NULL;
    assert_int_equal(lf_compiled_create(g, root, vocab.trie, &m), status);
    assert_string_equal(lf_fail_code(), code);
}

static void refused(void **state)
{
    (void)state;
    lf_grammar_limits limits = usual_limits();
    lf_grammar *g = new_grammar(&limits);
    expect_refused(g, LF_NODE_NONE, LFM2_E_TEXT, "constraint.empty");
    g = new_grammar(&limits);
    lf_node rule = lf_grammar_rule(g); /* x = "a" x */
    lf_grammar_define(g, rule, sequence(g, text_node(g, "a"), rule, LF_NODE_EMPTY));
    expect_refused(g, rule, LFM2_E_TEXT, "constraint.empty");
    g = new_grammar(&limits);
    rule = lf_grammar_rule(g); /* x = x "a" | "b" */
    lf_node again = sequence(g, rule, text_node(g, "a"), LF_NODE_EMPTY);
    lf_grammar_define(g, rule, choice(g, again, text_node(g, "b"), LF_NODE_NONE));
    expect_refused(g, rule, LFM2_E_TEXT, "constraint.recursion");
    g = new_grammar(&limits);
    rule = lf_grammar_rule(g); /* x = ("c"? y "a")? ; y = x* "b" */
    lf_node other = lf_grammar_rule(g);
    lf_grammar_define(g, other,
                      sequence(g, lf_grammar_repeat(g, rule, 0, LF_RX_UNLIMITED), text_node(g, "b"),
                               LF_NODE_EMPTY));
    again = sequence(g, lf_grammar_repeat(g, text_node(g, "c"), 0, 1), other, text_node(g, "a"));
    lf_grammar_define(g, rule, lf_grammar_repeat(g, again, 0, 1));
    expect_refused(g, rule, LFM2_E_TEXT, "constraint.recursion");
    /* x = x | "b" adds nothing to "b". */
    g = new_grammar(&limits);
    rule = lf_grammar_rule(g);
    other = lf_grammar_rule(g);
    lf_grammar_define(g, other, rule);
    lf_grammar_define(g, rule, choice(g, other, text_node(g, "b"), LF_NODE_NONE));
    lf_compiled *m = new_matcher(g, rule);
    lf_match *match = new_match(m);
    assert_int_equal(lf_match_accept_bytes(match, "b", 1), LFM2_OK);
    assert_true(lf_match_complete(match));
    lf_match_free(match);
    lf_compiled_free(m);
}

static void stack_limit(void **state)
{
    (void)state;
    lf_grammar_limits limits = usual_limits();
    limits.stack = 20;
    lf_grammar *g = new_grammar(&limits);
    lf_compiled *m = new_matcher(g, json_node(g, "\"[ab]*\""));
    lf_match *match = new_match(m);
    int32_t status = LFM2_OK;
    uint32_t depth = 0, bits[MAX_WORDS];
    for (; status == LFM2_OK && depth < 100; depth++) {
        check_mask(match, bits);
        status = lf_match_accept_bytes(match, "[", 1);
    }
    assert_true(depth > 4 && depth < 25);
    assert_int_equal(status, LFM2_E_LIMIT);
    assert_string_equal(lf_fail_code(), "constraint.stack");
    for (uint32_t i = 1; i < depth; i++) {
        assert_int_equal(lf_match_accept_bytes(match, "]", 1), LFM2_OK);
    }
    assert_true(lf_match_complete(match));
    lf_match_free(match);
    lf_compiled_free(m);
}

/* Stacks double with every byte: a step ends at its limit, and the matcher stays usable. */
static void step_limit(void **state)
{
    (void)state;
    lf_grammar_limits limits = usual_limits();
    limits.token_steps = 20000;
    lf_grammar *g = new_grammar(&limits);
    lf_node rule = lf_grammar_rule(g);
    lf_node a = sequence(g, text_node(g, "a"), rule, text_node(g, "b"));
    lf_node b = sequence(g, text_node(g, "a"), rule, text_node(g, "c"));
    lf_grammar_define(g, rule, choice(g, a, b, text_node(g, "0")));
    lf_compiled *m = new_matcher(g, rule);
    lf_match *match = new_match(m);
    int32_t status = LFM2_OK;
    int n = 0;
    for (; status == LFM2_OK && n < 100; n++) {
        status = lf_match_accept_bytes(match, "a", 1);
    }
    assert_true(n > 5 && n < 30);
    assert_int_equal(status, LFM2_E_LIMIT);
    assert_string_equal(lf_fail_code(), "constraint.steps");
    assert_int_equal(lf_match_accept_bytes(match, "0bc", 3), LFM2_OK);
    lf_match_free(match);
    lf_compiled_free(m);
}

/* A long text whose states are all different stays within the memory. */
static void memory_limit(void **state)
{
    (void)state;
    lf_alloc alloc;
    counting_alloc counter;
    alloc = counting_alloc_init(&counter);
    lf_grammar_limits limits = usual_limits();
    limits.memory = (size_t)1 << 20;
    lf_grammar *g = NULL;
    assert_int_equal(lf_grammar_create(&alloc, &limits, &g), LFM2_OK);
    lf_compiled *m = new_matcher(g, json_node(g, "\"[ab]{0,100000}\""));
    lf_match *match = new_match(m), *other = new_match(m);
    uint32_t bits[MAX_WORDS], same[MAX_WORDS];
    assert_int_equal(lf_match_accept_bytes(other, "[\"ab", 4), LFM2_OK);
    assert_int_equal(lf_match_mask(other, same), LFM2_OK);
    assert_int_equal(lf_match_accept_bytes(match, "\"", 1), LFM2_OK);
    for (int i = 0; i < 50000; i++) {
        int32_t status = lf_match_accept_bytes(match, i % 3 == 0 ? "a" : "b", 1);
        if (status == LFM2_OK && i % 16 == 0) {
            status = lf_match_mask(match, bits);
        }
        if (status != LFM2_OK) {
            fail_msg("byte %d: %s", i, lf_fail_text());
        }
        assert_true(counter.live <= limits.memory + 16384);
    }
    /* A position that did not move is still right. */
    assert_int_equal(lf_match_mask(other, bits), LFM2_OK);
    assert_memory_equal(bits, same, vocab.n_words * sizeof *bits);
    check_mask(other, bits);
    assert_int_equal(lf_match_accept_bytes(other, "\"]", 2), LFM2_OK);
    assert_true(lf_match_complete(other));
    lf_match_free(match);
    lf_match_free(other);
    lf_compiled_free(m);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(languages),  cmocka_unit_test(refused),      cmocka_unit_test(stack_limit),
        cmocka_unit_test(step_limit), cmocka_unit_test(memory_limit),
    };
    return cmocka_run_group_tests(tests, make_vocabulary, free_vocabulary);
}
