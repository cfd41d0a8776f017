/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: constructors against a slow matcher, patterns against Python's `re`
 * (golden/text/patterns.jsonl), escapes and errors, hostile patterns, failing memory.
 * ctest-labels: golden */
#include "common/json.h"
#include "support/counting_alloc.h"
#include "support/random.h"
#include "support/schema_match.h"
#include "support/text_vocab.h"
#include "text/grammar/grammar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static lf_grammar *new_grammar(const lf_alloc *alloc, const lf_grammar_limits *limits)
{
    lf_grammar *g = NULL;
    assert_int_equal(lf_grammar_create(alloc, limits, &g), LFM2_OK);
    return g;
}

static lf_grammar *usual_grammar(void)
{
    lf_alloc alloc = lf_alloc_default();
    lf_grammar_limits limits;
    lf_grammar_limits_default(&limits);
    limits.compile_steps = UINT64_MAX;
    return new_grammar(&alloc, &limits);
}

static lf_rx derive_all(lf_rx_set *set, lf_rx a, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        a = lf_rx_derive(set, a, (uint8_t)text[i]);
    }
    return a;
}

static bool matches(lf_rx_set *set, lf_rx a, const char *text, size_t len)
{
    return lf_rx_nullable(set, derive_all(set, a, text, len));
}

/* ---- The slow matcher ---- */

typedef struct tree {
    char kind; /* '.' byte class, ',' concatenation, '|', '&', '!', '*' repetition, 'e' empty */
    uint8_t bytes;
    uint32_t min, max;
    struct tree *a, *b;
} tree;

enum { MOST = 8 }; /* bytes of a text */

/* The ends of the matches that begin at `from`, as bits. */
static uint32_t ends(const tree *t, const char *text, uint32_t len, uint32_t from);

static uint32_t ends_of_all(const tree *t, const char *text, uint32_t len, uint32_t starts)
{
    uint32_t result = 0;
    for (uint32_t i = 0; i <= len; i++) {
        result |= (starts >> i & 1) != 0 ? ends(t, text, len, i) : 0;
    }
    return result;
}

static uint32_t ends_of_repeat(const tree *t, const char *text, uint32_t len, uint32_t from)
{
    uint32_t now = 1U << from, result = t->min == 0 ? now : 0;
    /* After so many more repetitions than bytes nothing changes. */
    uint32_t last = t->min + MOST + 1 < t->max ? t->min + MOST + 1 : t->max;
    for (uint32_t k = 1; k <= last; k++) {
        now = ends_of_all(t->a, text, len, now);
        result |= k >= t->min ? now : 0;
    }
    return result;
}

static uint32_t ends(const tree *t, const char *text, uint32_t len, uint32_t from)
{
    uint32_t above = (2U << len) - (1U << from); /* from .. len */
    switch (t->kind) {
    case 'e':
        return 1U << from;
    case '.':
        return from < len && (t->bytes >> (text[from] - 'a') & 1) != 0 ? 2U << from : 0;
    case ',':
        return ends_of_all(t->b, text, len, ends(t->a, text, len, from));
    case '|':
        return ends(t->a, text, len, from) | ends(t->b, text, len, from);
    case '&':
        return ends(t->a, text, len, from) & ends(t->b, text, len, from);
    case '!':
        return ~ends(t->a, text, len, from) & above;
    default:
        return ends_of_repeat(t, text, len, from);
    }
}

enum { TREES = 64 };

static tree *random_tree(uint64_t *random, tree *trees, size_t *n, int depth)
{
    static const char kinds[] = ",,,|||&!**";
    tree *t = &trees[(*n)++];
    *t = (tree){.kind = '.', .bytes = (uint8_t)(1 + random_below(random, 7))};
    if (depth > 0 && *n + 2 < TREES && random_below(random, 8) > 0) {
        t->kind = kinds[random_below(random, sizeof kinds - 1)];
        t->min = random_below(random, 4);
        t->max = random_below(random, 3) == 0 ? LF_RX_UNLIMITED : t->min + random_below(random, 4);
        t->a = random_tree(random, trees, n, depth - 1);
        t->b = random_tree(random, trees, n, depth - 1);
    } else if (random_below(random, 8) == 0) {
        t->kind = 'e';
    }
    return t;
}

static lf_rx build(lf_rx_set *set, const tree *t)
{
    uint64_t bits[4] = {0, (uint64_t)t->bytes << ('a' - 64), 0, 0};
    switch (t->kind) {
    case 'e':
        return LF_RX_EMPTY;
    case '.':
        return lf_rx_byte_class(set, bits);
    case ',':
        return lf_rx_concat(set, build(set, t->a), build(set, t->b));
    case '|':
        return lf_rx_alt(set, build(set, t->a), build(set, t->b));
    case '&':
        return lf_rx_and(set, build(set, t->a), build(set, t->b));
    case '!':
        return lf_rx_not(set, build(set, t->a));
    default:
        return lf_rx_repeat(set, build(set, t->a), t->min, t->max);
    }
}

/* All texts of up to `most` bytes of "abc": the same matches, and "matches nothing" is right as far
 * as these texts show. */
static void check_tree(lf_rx_set *set, const tree *t, lf_rx rx, uint32_t most)
{
    bool any = false;
    char text[MOST];
    for (uint32_t len = 0; len <= most; len++) {
        uint32_t count = 1;
        for (uint32_t i = 0; i < len; i++) {
            count *= 3;
        }
        for (uint32_t k = 0; k < count; k++) {
            for (uint32_t i = 0, rest = k; i < len; i++, rest /= 3) {
                text[i] = (char)('a' + rest % 3);
            }
            bool want = (ends(t, text, len, 0) >> len & 1) != 0;
            assert_int_equal(matches(set, rx, text, len), want);
            any = any || want;
        }
    }
    assert_false(any && lf_rx_is_none(set, rx));
}

static void constructors(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int i = 0; i < 1500; i++) {
        lf_grammar *g = usual_grammar();
        lf_rx_set *set = lf_grammar_rx(g);
        tree trees[TREES + 2];
        size_t n = 0;
        const tree *t = random_tree(&random, trees, &n, 4);
        lf_rx rx = build(set, t);
        check_tree(set, t, rx, i % 50 == 0 ? 6 : 4);
        /* An expression and its complement have nothing in common, and all texts together. */
        lf_rx other = lf_rx_not(set, rx);
        assert_true(lf_rx_is_none(set, lf_rx_and(set, rx, other)));
        assert_true(lf_rx_is_none(set, lf_rx_not(set, lf_rx_alt(set, rx, other))));
        assert_int_equal(lf_rx_status(set), LFM2_OK);
        lf_grammar_free(g);
    }
}

/* ---- Patterns ---- */

/* A text that grows. */
typedef struct buffer {
    char text[4096];
    size_t len;
} buffer;

static void put(void *user, const char *text, size_t len)
{
    buffer *b = user;
    assert_true(b->len + len < sizeof b->text);
    memcpy(b->text + b->len, text, len);
    b->len += len;
    b->text[b->len] = '\0';
}

static void put_string(buffer *b, const char *text, size_t len)
{
    const lf_json_writer writer = {.write = put, .user = b};
    lf_json_write_string(&writer, text, len);
}

/* The matcher of the strings in which a pattern matches: in a schema a character has several
 * spellings, and the rest is the same. */
static lf_compiled *schema_of(const char *pattern, size_t len)
{
    lft_schema setup;
    lf_compiled *matcher = NULL;
    buffer b = {.len = 0};
    lft_schema_init(&setup);
    setup.limits.compile_steps = UINT64_MAX;
    static const char begin[] = "{\"type\": \"string\", \"pattern\": ";
    put(&b, begin, sizeof begin - 1);
    put_string(&b, pattern, len);
    put(&b, "}", 1);
    int32_t status = lft_schema_compile(&setup, b.text, b.len, &matcher);
    if (status != LFM2_OK) {
        assert_non_null(strstr(lf_fail_code(), ".empty"));
        return NULL; /* it matches no string */
    }
    return matcher;
}

static bool schema_matches(lf_compiled *matcher, const char *text, size_t len)
{
    buffer b = {.len = 0};
    put_string(&b, text, len);
    return matcher != NULL && lft_schema_accepts_text(matcher, b.text);
}

static void golden(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    size_t size = 0, lines = 0, refused = 0, wrong = 0;
    uint8_t *file = text_golden_read("patterns.jsonl", &size);
    assert_non_null(file);
    for (const char *line = (const char *)file, *end; *line != '\0'; line = end + 1, lines++) {
        end = strchr(line, '\n');
        assert_non_null(end);
        lf_arena arena;
        const lf_json *json = NULL;
        lf_arena_init(&arena, &alloc);
        assert_int_equal(
            lf_json_parse(&arena, "line", LFM2_E_TEXT, line, (size_t)(end - line), &json), LFM2_OK);
        const lf_json *pattern = lf_json_get(json, "p");
        bool search = lf_json_get(json, "search")->kind == LF_JSON_TRUE;
        lf_grammar *g = usual_grammar();
        lf_rx_set *set = lf_grammar_rx(g);
        lf_rx rx = LF_RX_NONE;
        int32_t status = lf_rx_parse(set, "p", pattern->text, pattern->len, search, &rx);
        if (status == LFM2_OK) {
            const char *want = lf_json_get(json, "m")->text;
            lf_compiled *matcher = search ? schema_of(pattern->text, pattern->len) : NULL;
            for (const lf_json *t = lf_json_get(json, "t")->child; t != NULL; t = t->next, want++) {
                if (matches(set, rx, t->text, t->len) != (*want == '1') ||
                    (search && schema_matches(matcher, t->text, t->len) != (*want == '1'))) {
                    print_error("line %zu: %s: %s\n", lines + 1, pattern->text, t->text);
                    wrong++;
                }
            }
            lf_compiled_free(matcher);
        } else {
            assert_int_equal(status, LFM2_E_UNSUPPORTED);
            assert_non_null(strstr(lf_fail_text(), "an anchor inside a repetition"));
            refused++;
        }
        lf_grammar_free(g);
        lf_arena_free(&arena);
    }
    free(file);
    assert_int_equal(wrong, 0);
    assert_true(lines >= 900 && refused < lines / 8);
}

typedef struct pattern_case {
    const char *pattern;
    const char *yes[4], *no[4];
} pattern_case;

static void escapes(void **state)
{
    (void)state;
    static const pattern_case cases[] = {
        {"^\\cJ\\t\\v\\f\\r\\0$", {NULL}, {"", "J"}},
        {"^[\\b]$", {"\b"}, {"b"}},
        {"^\\uD834\\uDD1E$", {"\xF0\x9D\x84\x9E"}, {""}},
        {"^\\u{1d11e}$", {"\xF0\x9D\x84\x9E"}, {"u{1d11e}"}},
        {"^[\\uD834\\uDD1E-\\u{1d11f}]$", {"\xF0\x9D\x84\x9F"}, {"\xF0\x9D\x84\xA0"}},
        {"^.$", {"\xC2\x85", "a", "\xF4\x8F\xBF\xBF"}, {"\n", "\r", "\xE2\x80\xA8"}},
        {"^\\s$", {"\xEF\xBB\xBF", "\xC2\xA0", "\xE2\x80\xA9"}, {"\xC2\x85", "x"}},
        {"^\\S$", {"\xC2\x85", "x"}, {"\xEF\xBB\xBF", " "}},
        {"^[^]$", {"\n", "\xE2\x98\x83"}, {"", "ab"}},
        {"^(?<year>\\d{4})-(?:0[1-9]|1[0-2])$", {"2026-07"}, {"2026-13", "26-07"}},
        {"^a{,2}$", {"a{,2}"}, {"a", "aa"}},
        {"^{x}$", {"{x}"}, {"x"}},
        {"^[\\w-]+$", {"a-b", "-"}, {"a b"}},
        {"^[+--]$", {"+", ",", "-"}, {"."}},
        {"^[a-]$", {"a", "-"}, {"b"}},
        {"^\\/\\-\\@$", {"/-@"}, {"\\/"}},
        {"^\\p{L}\\p{Nd}\\P{L}$", {"\xC3\xA9\xD9\xA3\xE2\x98\x83"}, {"1a!", "a1b"}},
        {"(^|,)x($|,)", {"x", "a,x", "x,a", "a,x,b"}, {"ax", "xa", "a,xb"}},
        {"a^b|c$d|^e$", {"e"}, {"ab", "cd", "ae"}},
        {"^(a|b$)?c", {"c", "ac"}, {"bc", "dc"}},
        {"^(^a|b|c$)*$", {"", "abbc", "bb", "ac"}, {"ba", "cb", "aa"}},
        {"^(^a|b|c$)+$", {"a", "bc", "abc"}, {"", "ca", "bab"}},
        {"x(^a|b)?", {"x", "axb"}, {"a", "b"}},
        {"(^)*a", {"a", "ba"}, {"b"}},
        {"^\\_\\-\\}]$", {"_-}]"}, {"_"}},
        {"[\\ud800-\\udfff]", {NULL}, {"a", "\xE2\x98\x83"}},
        {"", {"", "a"}, {NULL}},
        {"()", {"", "a"}, {NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lf_grammar *g = usual_grammar();
        lf_rx_set *set = lf_grammar_rx(g);
        lf_rx rx = LF_RX_NONE;
        const pattern_case *c = &cases[i];
        if (lf_rx_parse(set, "p", c->pattern, strlen(c->pattern), true, &rx) != LFM2_OK) {
            fail_msg("%s: %s", c->pattern, lf_fail_text());
        }
        lf_compiled *matcher = schema_of(c->pattern, strlen(c->pattern));
        for (int k = 0; k < 4; k++) {
            const char *yes = c->yes[k], *no = c->no[k];
            if ((yes != NULL && (!matches(set, rx, yes, strlen(yes)) ||
                                 !schema_matches(matcher, yes, strlen(yes)))) ||
                (no != NULL &&
                 (matches(set, rx, no, strlen(no)) || schema_matches(matcher, no, strlen(no))))) {
                fail_msg("%s: text %d", c->pattern, k);
            }
        }
        lf_compiled_free(matcher);
        lf_grammar_free(g);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        int32_t status;
        const char *message;
    } cases[] = {
        {"a)", LFM2_E_TEXT, "p: offset 1: a parenthesis that closes nothing"},
        {"b(a", LFM2_E_TEXT, "p: offset 1: a group without an end"},
        {"[a", LFM2_E_TEXT, "p: offset 2: a class without an end"},
        {"*a", LFM2_E_TEXT, "p: offset 0: a quantifier without anything to repeat"},
        {"a**", LFM2_E_TEXT, "p: offset 2: a quantifier without anything to repeat"},
        {"^*", LFM2_E_TEXT, "p: offset 1: a quantifier without anything to repeat"},
        {"a{3,2}", LFM2_E_TEXT, "p: offset 1: a quantifier that is out of order"},
        {"[b-a]", LFM2_E_TEXT, "p: offset 1: a range that is out of order"},
        {"\\", LFM2_E_TEXT, "p: offset 1: a backslash at the end"},
        {"\\q", LFM2_E_UNSUPPORTED, "p: offset 0: an escape without a meaning"},
        {"\\u12", LFM2_E_TEXT, "p: offset 2: \\u needs four hexadecimal digits"},
        {"\\u{110000}", LFM2_E_TEXT, "p: offset 2: \\u{...} needs a code point"},
        {"\\x1", LFM2_E_TEXT, "p: offset 0: \\x needs two hexadecimal digits"},
        {"(?<>a)", LFM2_E_TEXT, "p: offset 0: a group without a name"},
        {"a\x80", LFM2_E_TEXT, "p: offset 1: not UTF-8"},
        {"(?=a)", LFM2_E_UNSUPPORTED, "p: offset 0: look-around"},
        {"a(?<!b)", LFM2_E_UNSUPPORTED, "p: offset 1: look-around"},
        {"(a)\\1", LFM2_E_UNSUPPORTED, "p: offset 3: a back-reference, which is not regular"},
        {"\\k<a>", LFM2_E_UNSUPPORTED, "p: offset 0: a back-reference, which is not regular"},
        {"a\\b", LFM2_E_UNSUPPORTED, "p: offset 1: a word boundary"},
        {"(?i)a", LFM2_E_UNSUPPORTED, "p: offset 0: an unknown kind of group"},
        {"\\p{Greek}", LFM2_E_UNSUPPORTED,
         "p: offset 2: this property of characters is not supported"},
        {"(^a|b){2}", LFM2_E_UNSUPPORTED, "p: offset 6: an anchor inside a repetition"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lf_grammar *g = usual_grammar();
        lf_rx rx = LF_RX_NONE;
        const char *p = cases[i].pattern;
        int32_t status = lf_rx_parse(lf_grammar_rx(g), "p", p, strlen(p), true, &rx);
        assert_int_equal(status, cases[i].status);
        assert_string_equal(lf_fail_text(), cases[i].message);
        lf_grammar_free(g);
    }
}

/* ---- Hostile patterns ---- */

/* A part of a pattern, so many times. */
typedef struct section {
    const char *text;
    uint32_t times;
} section;

static char *make_pattern(const section *sections, size_t n)
{
    size_t len = 1;
    for (size_t i = 0; i < n && sections[i].text != NULL; i++) {
        len += strlen(sections[i].text) * sections[i].times;
    }
    char *out = malloc(len), *at = out;
    assert_non_null(out);
    for (size_t i = 0; i < n && sections[i].text != NULL; i++) {
        for (uint32_t k = 0; k < sections[i].times; k++) {
            memcpy(at, sections[i].text, strlen(sections[i].text));
            at += strlen(sections[i].text);
        }
    }
    *at = '\0';
    return out;
}

/* Compiles or is refused, and so are the first bytes of a match, within the limits. */
static void hostile(void **state)
{
    (void)state;
    static const section patterns[][4] = {
        {{"(", 60000}, {"a", 1}, {")", 60000}},
        {{"(", 500}, {"a", 1}, {"?)", 500}},
        {{"(a|b|ab|ba)*", 400}},
        {{"(a*)*", 2000}, {"b", 1}},
        {{"a{1000000}", 1}, {"(?:b{1000000}){1000000}", 20}},
        {{"(?:", 400}, {"a", 1}, {"){1,1000}", 400}},
        {{"a?", 3000}, {"a", 3000}},
        {{"(?:a?b?c?)*", 1000}},
        {{".*a.{40}", 30}},
        {{"(?:a|.*b.{30}){9}", 20}},
        {{"(?:x|y", 300}, {"|z", 300}, {"){0,9}", 300}},
        {{"[a-z]*[0-9]?", 3000}},
        {{"abc", 30000}},
        {{"a|", 50000}},
        {{"[", 1}, {"\\u{1000}-\\u{2000}", 3000}, {"]", 1}},
    };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        counting_alloc counter;
        lf_alloc alloc = counting_alloc_init(&counter);
        lf_grammar_limits limits;
        lf_grammar_limits_default(&limits);
        limits.memory = (size_t)16 << 20;
        lf_grammar *g = new_grammar(&alloc, &limits);
        lf_rx_set *set = lf_grammar_rx(g);
        char *pattern = make_pattern(patterns[i], 4);
        lf_rx rx = LF_RX_NONE;
        int32_t status = lf_rx_parse(set, "p", pattern, strlen(pattern), true, &rx);
        assert_true(status == LFM2_OK || status == LFM2_E_LIMIT);
        for (int k = 0; status == LFM2_OK && k < 300; k++) {
            rx = lf_rx_derive(set, rx, (uint8_t) "ab1"[k % 3]);
            status = lf_rx_status(set);
        }
        assert_true(status == LFM2_OK || status == LFM2_E_LIMIT);
        free(pattern);
        lf_grammar_free(g);
        assert_true(counter.peak <= limits.memory + 4096);
        assert_int_equal(counter.live, 0);
        assert_int_equal(counter.mistakes, 0);
    }
}

/* Expressions whose intersection has very many states. */
static void hostile_search(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lf_grammar_limits limits;
    lf_grammar_limits_default(&limits);
    limits.memory = (size_t)16 << 20;
    lf_grammar *g = new_grammar(&alloc, &limits);
    lf_rx_set *set = lf_grammar_rx(g);
    lf_rx all = LF_RX_ANY;
    for (uint32_t prime = 0; prime < 10; prime++) {
        static const uint32_t primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29};
        lf_rx some = lf_rx_repeat(set, lf_rx_text(set, "a", 1), primes[prime], primes[prime]);
        some = lf_rx_repeat(set, some, 0, LF_RX_UNLIMITED);
        all = lf_rx_and(set, all, lf_rx_concat(set, some, lf_rx_text(set, "b", 1)));
        all = lf_rx_and(set, all, lf_rx_not(set, lf_rx_text(set, "b", 1)));
    }
    lf_rx_is_none(set, all);
    assert_int_equal(lf_rx_status(set), LFM2_E_LIMIT);
    assert_false(lf_rx_is_none(set, all));
    lf_grammar_free(g);
}

/* ---- Failing memory ---- */

static int32_t use(const lf_alloc *alloc)
{
    static const char pattern[] = "^(?<a>[^\\d]x{2,7}|\\u00e9+|\\p{Nd})*?b$";
    lf_grammar_limits limits;
    lf_grammar_limits_default(&limits);
    lf_grammar *g = NULL;
    LF_TRY(lf_grammar_create(alloc, &limits, &g));
    lf_rx_set *set = lf_grammar_rx(g);
    lf_rx rx = LF_RX_NONE;
    int32_t status = lf_rx_parse(set, "p", pattern, strlen(pattern), true, &rx);
    if (status == LFM2_OK) {
        lf_rx both = lf_rx_and(set, rx, lf_rx_not(set, lf_rx_text(set, "axxb", 4)));
        lf_rx_is_none(set, both);
        rx = derive_all(set, both, "axxxb", 5);
        status = lf_rx_status(set);
        assert_true(status != LFM2_OK || lf_rx_nullable(set, rx));
    }
    lf_grammar_free(g);
    return status;
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
        assert_true(status == LFM2_OK || status == LFM2_E_MEMORY);
        assert_int_equal(counter.live, 0);
        assert_int_equal(counter.mistakes, 0);
        assert_true(n < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constructors),   cmocka_unit_test(golden),
        cmocka_unit_test(escapes),        cmocka_unit_test(refused),
        cmocka_unit_test(hostile),        cmocka_unit_test(hostile_search),
        cmocka_unit_test(failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
