/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions for names of tensors: matches, refusals, bounds. */
#include "convert/overrides.h"
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static lf_alloc alloc;
static lf_arena arena;

static bool matches(const char *expression, const char *name)
{
    lf_pattern p;
    LFT_OK(lf_pattern_compile(&arena, expression, strlen(expression), &p));
    return lf_pattern_matches(&p, name);
}

/* An expression, names that it matches, and names that it does not match, divided by spaces. */
static const struct {
    const char *expression, *yes, *no;
} cases[] = {
    {"attn_v", "blk.1.attn_v.weight attn_v", "attn_k attn.v"},
    {"ffn_(up|gate)", "ffn_up ffn_gate_exps", "ffn_down ffn_"},
    {"^blk\\.(1|2[0-9])\\.", "blk.1.x blk.20.x", "blk.2.x blk.30.x xblk.1."},
    {"a.c", "abc a.c xaxcx", "ac"},
    {"a*$", "b baa", ""},
    {"^a+b?$", "a aab", "b abb"},
    {"^(ab)*c$", "c ababc", "abac"},
    {"^a{2}$", "aa", "a aaa"},
    {"^a{2,}$", "aa aaaaa", "a"},
    {"^a{1,3}$", "a aaa", "aaaa"},
    {"^a{0}b$", "b", "ab"},
    {"^(a|b){0,2}?c", "c abc", "aabc"},
    {"[^a-c]x", "dx", "ax cx"},
    {"^[a\\]-]+$", "a] -", "b"},
    {"\\d\\w\\.", "1a. 12.", "a1. 1-."},
    {"[[:digit:]_]$", "a1 a_", "aa"},
    {"\\bk\\b", "a.k.b k", "ak k1"},
    {"ATTN_[QK]", "attn_q attn_k", "attn_v"},
    {"(?:a|b|)c", "ac bc c", "d"},
    {"^(a|ab)(c|bcd)$", "abcd ac abc", "abbc"},
    {"^((a*)*)*b$", "b aab", "c"},
    {"x|^$", "ax", "a"},
};

static void check_names(const char *expression, const char *names, bool want)
{
    char copy[128];
    strcpy(copy, names);
    for (char *name = strtok(copy, " "); name != NULL; name = strtok(NULL, " ")) {
        if (matches(expression, name) != want) {
            fail_msg("'%s' and '%s': %s", expression, name, want ? "no match" : "a match");
        }
    }
}

static void test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_names(cases[i].expression, cases[i].yes, true);
        check_names(cases[i].expression, cases[i].no, false);
    }
    assert_true(matches("^$", ""));
    assert_false(matches(".", ""));
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "(a",
        "a)",
        "[a",
        "[]",
        "[b-a]",
        "[\\d-z]",
        "a**",
        "*",
        "a|*",
        "{2}",
        "a{",
        "a{2",
        "a{2,1}",
        "a{1025}",
        "\\",
        "\\D",
        "\\1",
        "\\x41",
        "(?=a)",
        "(?!a)",
        "^*",
        "\\b+",
        "a{,2}",
        "[[:no:]]",
        "[[.",
        "a{900}{9}",
        "[a",
        "$?",
        "(((((((((((((((((((((((((((((((((a)))))))))))))))))))))))))))))))))",
    };
    lf_pattern p;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        LFT_FAILS(lf_pattern_compile(&arena, bad[i], strlen(bad[i]), &p), LFM2_E_ARGUMENT);
        assert_string_equal(lfm2_last_error_code(), "convert.pattern");
    }
    char large[LF_PATTERN_BYTES + 1];
    memset(large, 'a', sizeof large);
    LFT_FAILS(lf_pattern_compile(&arena, large, sizeof large, &p), LFM2_E_ARGUMENT);
}

/* Nested repetitions and long names take bounded time. */
static void test_bounds(void **state)
{
    (void)state;
    char name[4097];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(matches("^((a*)*)*((a|a)*)*b", name));
    lf_pattern p;
    const char *nested = "((((((((((((((((((((a*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*";
    LFT_FAILS(lf_pattern_compile(&arena, nested, strlen(nested), &p), LFM2_E_ARGUMENT);
}

static void test_overrides(void **state)
{
    (void)state;
    static const char *const good[] = {"ffn=q6_K", "ffn_down=Q2_K", "embd=f16"};
    static const char *const bad[] = {"ffn", "=q4_0", "ffn=", "ffn=q9", "ffn=iq2_xs", "(=q4_0"};
    lf_overrides o;
    lfm2_convert_options options = {.tensor_types = good, .n_tensor_types = 3};
    LFT_OK(lf_overrides_parse(&arena, &options, &o));
    assert_int_equal(lf_overrides_find(&o, "blk.0.ffn_down.weight")->type, LF_Q6_K);
    assert_int_equal(lf_overrides_find(&o, "token_embd.weight")->type, LF_F16);
    assert_null(lf_overrides_find(&o, "attn_v"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        options.tensor_types = &bad[i];
        options.n_tensor_types = 1;
        LFT_FAILS(lf_overrides_parse(&arena, &options, &o), LFM2_E_ARGUMENT);
    }
    options.tensor_types = NULL;
    LFT_FAILS(lf_overrides_parse(&arena, &options, &o), LFM2_E_ARGUMENT);
    options.n_tensor_types = LF_MAX_OVERRIDES + 1;
    options.tensor_types = good;
    LFT_FAILS(lf_overrides_parse(&arena, &options, &o), LFM2_E_ARGUMENT);
}

int main(void)
{
    alloc = lf_alloc_default();
    lf_arena_init(&arena, &alloc);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_overrides),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lf_arena_free(&arena);
    return failed;
}
