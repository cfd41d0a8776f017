/* SPDX-License-Identifier: Apache-2.0 */
/* Grammars in GBNF: texts against llguidance (golden/text/gbnf.jsonl), tokens, errors with their
 * places, hostile grammars, failing memory.
 * ctest-labels: golden */
#include "common/json.h"
#include "support/counting_alloc.h"
#include "support/text_vocab.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/matcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static counting_alloc counter;
static lf_alloc alloc;
static lf_tokenizer *tokenizer;
static lf_token_trie *trie;
static lf_grammar_limits limits;

static int32_t compile(const char *text, size_t len, lf_compiled **out)
{
    const lf_gbnf_options options = {&alloc, &limits, tokenizer};
    lf_grammar *grammar = NULL;
    lf_node root = LF_NODE_NONE;
    LF_TRY(lf_grammar_create(&alloc, &limits, &grammar));
    int32_t status = lf_gbnf_build(grammar, &options, text, len, &root);
    if (status != LFM2_OK) {
        lf_grammar_free(grammar);
        return status;
    }
    return lf_compiled_create(grammar, root, trie, out);
}

static bool accepts(lf_compiled *m, const char *text, size_t len)
{
    lf_match *match = NULL;
    assert_int_equal(lf_match_create(m, &match), LFM2_OK);
    bool is = lf_match_accept_bytes(match, text, len) == LFM2_OK && lf_match_complete(match);
    lf_match_free(match);
    return is;
}

/* ---- Texts ---- */

static size_t check_texts(lf_compiled *m, const char *grammar, const lf_json *texts, bool expected)
{
    size_t wrong = 0;
    for (const lf_json *t = texts->child; t != NULL; t = t->next) {
        if (accepts(m, t->text, t->len) != expected) {
            print_error("%s\n%s: %s\n", grammar, expected ? "refuses" : "accepts", t->text);
            wrong++;
        }
    }
    return wrong;
}

static void golden(void **state)
{
    (void)state;
    size_t size = 0, texts = 0, wrong = 0;
    uint8_t *file = text_golden_read("gbnf.jsonl", &size);
    assert_non_null(file);
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    for (const char *line = (const char *)file; *line != '\0';) {
        const char *end = strchr(line, '\n');
        assert_non_null(end);
        const lf_json *json = NULL;
        assert_int_equal(
            lf_json_parse(&arena, "line", LFM2_E_TEXT, line, (size_t)(end - line), &json), LFM2_OK);
        line = end + 1;
        const lf_json *grammar = lf_json_get(json, "g");
        lf_compiled *m = NULL;
        if (compile(grammar->text, grammar->len, &m) != LFM2_OK) {
            fail_msg("%s: %s", grammar->text, lf_fail_text());
        }
        wrong += check_texts(m, grammar->text, lf_json_get(json, "ok"), true);
        wrong += check_texts(m, grammar->text, lf_json_get(json, "no"), false);
        texts += lf_json_get(json, "ok")->count + lf_json_get(json, "no")->count;
        lf_compiled_free(m);
    }
    lf_arena_free(&arena);
    free(file);
    assert_true(texts > 200);
    assert_int_equal(wrong, 0);
}

typedef struct text_case {
    const char *grammar, *accepted[3], *refused[3];
} text_case;

/* What the reference does not read: escapes in literals, nested counts. */
static const text_case cases[] = {
    {"root ::= \"\\x41\\u0042\\U00000043\"", {"ABC"}, {"AB", "abc"}},
    {"root ::= \"\\u00e9t\\u00E9\"", {"\xC3\xA9t\xC3\xA9"}, {"ete"}},
    {"root ::= \"\\U0001F600\"+", {"\xF0\x9F\x98\x80"}, {"", "\xF0\x9F\x98\x81"}},
    {"root ::= [\\u0430-\\u044f]+", {"\xD0\xBF\xD1\x80"}, {"p", "\xD0\xAF"}},
    {"root ::= \"\\[\\]\\-\"", {"[]-"}, {"[]"}},
    {"root ::= [a\\-z]", {"a", "-", "z"}, {"b"}},
    {"root ::= (\"a\"{2}){3}", {"aaaaaa"}, {"aaaa", "aaaaa"}},
    {"root ::= \"a\"{0} \"b\"", {"b"}, {"ab"}},
    {"root ::= \"a\"{ 1 , 2 }", {"a", "aa"}, {"", "aaa"}},
    {"root ::= (\"a\"{\n1\n,\n2\n})", {"a", "aa"}, {"", "aaa"}},
    {"root ::= \"a\"*?", {"", "a", "aa"}, {"b"}},
    {"root ::= \"a\"+{2}", {"aa", "aaa"}, {"a"}},
    {"root ::= \"\" | \"a\"", {"", "a"}, {"aa"}},
    {"root ::= \"\"*", {""}, {"a"}},
    {"root ::= ", {""}, {"a"}},
    {"root ::= |", {""}, {"a"}},
    {"root ::= \"a\" |\r\n\"b\"\r\n", {"a", "b"}, {"ab"}},
    {"root::=\"a\"b\nb::=\"b\"", {"ab"}, {"a"}},
    {"root ::= a_b\na_b ::= 1\n1 ::= \"x\"", {"x"}, {"1"}},
    {"  root\t::=\t\"a\"\t#c\n\n\n", {"a"}, {""}},
    {"unused ::= unused2\nunused2 ::= \"x\"\nroot ::= \"a\"", {"a"}, {"x"}},
    /* A rule that can never end is no alternative. */
    {"root ::= \"a\" | \"b\" x\nx ::= \"c\" x", {"a"}, {"b", "bc"}},
    {"root ::= \"a\" x* \"b\"\nx ::= \"c\" x", {"ab"}, {"acb"}},
    /* Rules that use each other, also where one matches the empty string. */
    {"root ::= a \".\"\na ::= \"\" | \"x\" b\nb ::= \"y\" a", {".", "xy.", "xyxy."}, {"x."}},
    {"root ::= (\"a\" root \"b\")? \"c\"?", {"", "ab", "aacbcb"}, {"a", "ac"}},
    {"root ::= (\"(\" root \")\")*", {"", "()", "(()())()"}, {"(", "())"}},
    {"root ::= x{2,3}\nx ::= \"<\" x? \">\"", {"<><>", "<<>><><<<>>>"}, {"<>", "<><><><>"}},
    {"root ::= .*", {"", "\xC3\xA9\n\xF0\x9F\x98\x80"}, {"\xC3", "\xED\xA0\x80"}},
    {"root ::= [^\\u0000-\\uD7FF]", {"\xEE\x80\x80", "\xF0\x9F\x98\x80"}, {"a", "\xED\x9F\xBF"}},
};

static void texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const text_case *c = &cases[i];
        lf_compiled *m = NULL;
        if (compile(c->grammar, strlen(c->grammar), &m) != LFM2_OK) {
            fail_msg("%s: %s", c->grammar, lf_fail_text());
        }
        for (size_t k = 0; k < 3; k++) {
            if (c->accepted[k] != NULL && !accepts(m, c->accepted[k], strlen(c->accepted[k]))) {
                fail_msg("%s refuses '%s'", c->grammar, c->accepted[k]);
            }
            if (c->refused[k] != NULL && accepts(m, c->refused[k], strlen(c->refused[k]))) {
                fail_msg("%s accepts '%s'", c->grammar, c->refused[k]);
            }
        }
        lf_compiled_free(m);
    }
}

/* ---- Tokens ---- */

static int32_t added(const char *name)
{
    int32_t id = lf_tokenizer_find_added(tokenizer, name);
    assert_true(id >= 0);
    return id;
}

/* Whether the text of "x" for the byte x, and "S", "E" for the tokens of tool calls, matches. */
static bool accepts_tokens(const char *grammar, const char *text)
{
    lf_compiled *m = NULL;
    lf_match *match = NULL;
    if (compile(grammar, strlen(grammar), &m) != LFM2_OK) {
        fail_msg("%s: %s", grammar, lf_fail_text());
    }
    assert_int_equal(lf_match_create(m, &match), LFM2_OK);
    bool is = true;
    for (; *text != '\0' && is; text++) {
        int32_t id = *text == 'S'   ? added("<|tool_call_start|>")
                     : *text == 'E' ? added("<|tool_call_end|>")
                                    : (uint8_t)*text;
        is = lf_match_accept(match, id) == LFM2_OK;
    }
    is = is && lf_match_complete(match);
    lf_match_free(match);
    lf_compiled_free(m);
    return is;
}

static void tokens(void **state)
{
    (void)state;
    char by_id[128];
    const char *named = "root ::= <|tool_call_start|> [a-z]+ <|tool_call_end|>";
    snprintf(by_id, sizeof by_id, "root ::= <[%d]> [a-z]+ <[%d]>", added("<|tool_call_start|>"),
             added("<|tool_call_end|>"));
    const char *both[] = {named, by_id};
    for (size_t i = 0; i < 2; i++) {
        assert_true(accepts_tokens(both[i], "SabcE"));
        assert_false(accepts_tokens(both[i], "SE"));
        assert_false(accepts_tokens(both[i], "abcE"));
        assert_false(accepts_tokens(both[i], "SSabcE"));
    }
    const char *not = "root ::= \"t\" !<|tool_call_start|>* <|tool_call_start|> \"u\"";
    assert_true(accepts_tokens(not, "tSu"));
    assert_true(accepts_tokens(not, "txyzSu"));
    assert_true(accepts_tokens(not, "txEyzSu"));
    assert_false(accepts_tokens(not, "tSxSu"));
    assert_false(accepts_tokens("root ::= !<|tool_call_end|>+", ""));
    assert_true(accepts_tokens("root ::= !<|tool_call_end|>+", "S"));
    /* A token of ordinary text is its text. */
    assert_true(accepts_tokens("root ::= <[97]> \"b\"", "ab"));
    /* Control tokens are no text, and their names are. */
    assert_false(accepts_tokens("root ::= .*", "S"));
    assert_true(accepts_tokens("root ::= \"<|im_end|>\"", "<|im_end|>"));
}

/* ---- Errors ---- */

typedef struct error_case {
    const char *grammar;
    int32_t status;
    const char *code, *message; /* a part of it */
} error_case;

static const error_case errors[] = {
    {"", LFM2_E_TEXT, "gbnf.undefined", "'root' is not defined"},
    {"# root ::= \"a\"", LFM2_E_TEXT, "gbnf.undefined", "'root' is not defined"},
    {"a ::= \"a\"", LFM2_E_TEXT, "gbnf.undefined", "'root' is not defined"},
    {"root ::= \"a\" |\n  b", LFM2_E_TEXT, "gbnf.undefined", "line 2, column 3: the rule 'b'"},
    {"root ::= \"a\"\nx ::= y", LFM2_E_TEXT, "gbnf.undefined", "line 2, column 7"},
    {"root ::= \"a\"\nroot ::= \"b\"", LFM2_E_TEXT, "gbnf.duplicate", "line 2, column 1"},
    {"root = \"a\"", LFM2_E_TEXT, "gbnf.syntax", "line 1, column 6: '::=' expected, not '='"},
    {"root", LFM2_E_TEXT, "gbnf.syntax", "column 5: '::=' expected, not the end"},
    {"::= \"a\"", LFM2_E_TEXT, "gbnf.syntax", "column 1: the name of a rule expected, not ':'"},
    {"root ::= \"a", LFM2_E_TEXT, "gbnf.syntax", "column 10: the literal that begins here"},
    {"root ::= \"a\\", LFM2_E_TEXT, "gbnf.syntax", "column 10: the literal that begins here"},
    {"root ::= \"\\q\"", LFM2_E_TEXT, "gbnf.syntax", "column 11: unknown escape"},
    {"root ::= \"\\x4\"", LFM2_E_TEXT, "gbnf.syntax", "2 hexadecimal digits"},
    {"root ::= \"\\u12\"", LFM2_E_TEXT, "gbnf.syntax", "4 hexadecimal digits"},
    {"root ::= \"\\ud800\"", LFM2_E_TEXT, "gbnf.syntax", "U+D800 is not a Unicode character"},
    {"root ::= \"\\U00110000\"", LFM2_E_TEXT, "gbnf.syntax", "U+110000 is not"},
    {"root ::= \"\xFF\"", LFM2_E_TEXT, "gbnf.syntax", "not UTF-8"},
    {"root ::= \xC3\xA9", LFM2_E_TEXT, "gbnf.syntax", "expected, not '\xC3\xA9'"},
    {"root ::= \"\xC3\xA9\" &", LFM2_E_TEXT, "gbnf.syntax", "column 14: the end of the line"},
    {"root ::= [a-z", LFM2_E_TEXT, "gbnf.syntax", "column 10: the class that begins here"},
    {"root ::= []", LFM2_E_TEXT, "gbnf.syntax", "the class is empty"},
    {"root ::= [^]", LFM2_E_TEXT, "gbnf.syntax", "the class is empty"},
    {"root ::= [z-a]", LFM2_E_TEXT, "gbnf.syntax", "column 11: the range ends before"},
    {"root ::= (\"a\"", LFM2_E_TEXT, "gbnf.syntax", "column 10: the group that begins here"},
    {"root ::= \"a\")", LFM2_E_TEXT, "gbnf.syntax", "the end of the line expected, not ')'"},
    {"root ::= \"a\"\n| \"b\"", LFM2_E_TEXT, "gbnf.syntax", "line 2, column 1: the name of"},
    {"root ::= *", LFM2_E_TEXT, "gbnf.syntax", "column 10: nothing precedes '*'"},
    {"root ::= \"a\" | +", LFM2_E_TEXT, "gbnf.syntax", "nothing precedes '+'"},
    {"root ::= ({2})", LFM2_E_TEXT, "gbnf.syntax", "nothing precedes '{'"},
    {"root ::= \"a\"{,}", LFM2_E_TEXT, "gbnf.syntax", "a number expected, not ','"},
    {"root ::= \"a\"{2", LFM2_E_TEXT, "gbnf.syntax", "'}' expected, not the end"},
    {"root ::= \"a\"{2,1}", LFM2_E_TEXT, "gbnf.syntax", "smaller than the first"},
    {"root ::= \"a\"{2;3}", LFM2_E_TEXT, "gbnf.syntax", "'}' expected, not ';'"},
    {"root ::= \"a\"{99999999999}", LFM2_E_LIMIT, "gbnf.repeat", "too many repetitions"},
    {"root ::= root \"a\" | \"b\"", LFM2_E_UNSUPPORTED, "gbnf.left_recursion", "'root' can begin"},
    {"root ::= a\na ::= b \"x\"\nb ::= \"y\"? a | \"z\"", LFM2_E_UNSUPPORTED, "gbnf.left_recursion",
     "can begin with itself"},
    {"root ::= e root \"x\" | \"y\"\ne ::= \"\" | \"z\"", LFM2_E_UNSUPPORTED, "gbnf.left_recursion",
     "line 1, column 1: the rule 'root'"},
    {"root ::= (root)* \"x\"", LFM2_E_UNSUPPORTED, "gbnf.left_recursion", "'root'"},
    {"root ::= \"a\" root", LFM2_E_TEXT, "constraint.empty", ""},
    {"root ::= <|no_such_token|>", LFM2_E_TEXT, "gbnf.token", "'<|no_such_token|>'"},
    {"root ::= <[99999999]>", LFM2_E_TEXT, "gbnf.token", "column 10: the vocabulary has"},
    {"root ::= <[1]", LFM2_E_TEXT, "gbnf.syntax", "<[ID]>"},
    {"root ::= <[x]>", LFM2_E_TEXT, "gbnf.syntax", "<[ID]>"},
    {"root ::= <abc", LFM2_E_TEXT, "gbnf.syntax", "the token that begins here"},
    {"root ::= !\"a\"", LFM2_E_TEXT, "gbnf.syntax", "'!' must be followed by a token"},
    {"root ::= <|im_end|>", LFM2_E_UNSUPPORTED, "gbnf.token", "ends the text"},
    {"root ::= !<[97]>*", LFM2_E_UNSUPPORTED, "gbnf.token", "ordinary text"},
    {"root ::= !<|tool_call_end|>", LFM2_E_UNSUPPORTED, "gbnf.token", "repeated with * or +"},
    {"root ::= !<|tool_call_end|>{2,}", LFM2_E_UNSUPPORTED, "gbnf.token", "repeated with"},
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const error_case *e = &errors[i];
        lf_compiled *m = NULL;
        int32_t status = compile(e->grammar, strlen(e->grammar), &m);
        if (status != e->status || strcmp(lf_fail_code(), e->code) != 0 ||
            strstr(lf_fail_text(), e->message) == NULL) {
            fail_msg("%s: status %d, %s: %s", e->grammar, status,
                     status == LFM2_OK ? "" : lf_fail_code(),
                     status == LFM2_OK ? "" : lf_fail_text());
        }
    }
    /* Without a vocabulary. */
    lf_tokenizer *kept = tokenizer;
    tokenizer = NULL;
    lf_compiled *m = NULL;
    assert_int_equal(compile("root ::= <[1]>", 14, &m), LFM2_E_TEXT);
    tokenizer = kept;
}

/* ---- Hostile grammars ---- */

typedef struct text_buffer {
    char *data;
    size_t len;
} text_buffer;

static void add(text_buffer *b, const char *text)
{
    size_t len = strlen(text);
    memcpy(b->data + b->len, text, len);
    b->len += len;
}

static void add_rule(text_buffer *b, unsigned n)
{
    char name[16];
    snprintf(name, sizeof name, "r%u", n);
    add(b, name);
}

typedef void writer(text_buffer *b, unsigned n);

static void nested_groups(text_buffer *b, unsigned n)
{
    add(b, "root ::= ");
    for (unsigned i = 0; i < n; i++) {
        add(b, "(");
    }
    add(b, "\"a\"");
    for (unsigned i = 0; i < n; i++) {
        add(b, "){1,99999}");
    }
}

static void doubling(text_buffer *b, unsigned n)
{
    add(b, "root ::= r0\n");
    for (unsigned i = 0; i < n; i++) {
        add_rule(b, i);
        add(b, " ::= ");
        add_rule(b, i + 1);
        add(b, " ");
        add_rule(b, i + 1);
        add(b, "\n");
    }
    add_rule(b, n);
    add(b, " ::= \"a\" | \"b\"\n");
}

static void cycle(text_buffer *b, unsigned n)
{
    add(b, "root ::= r0\n");
    for (unsigned i = 0; i < n; i++) {
        add_rule(b, i);
        add(b, " ::= \"\" | \"a\" ");
        add_rule(b, i + 1);
        add(b, "\n");
    }
    add_rule(b, n);
    add(b, " ::= \"b\" r0 | \"c\"\n");
}

static void many_alternatives(text_buffer *b, unsigned n)
{
    add(b, "root ::= \"x\"");
    for (unsigned i = 0; i < n; i++) {
        add(b, " | \"");
        add_rule(b, i * 2654435761u);
        add(b, "\"");
    }
}

static void many_operators(text_buffer *b, unsigned n)
{
    add(b, "root ::= \"a\"");
    for (unsigned i = 0; i < n; i++) {
        add(b, "*");
    }
}

static void many_ranges(text_buffer *b, unsigned n)
{
    add(b, "root ::= [^");
    for (unsigned i = 0; i < n; i++) {
        char range[16];
        snprintf(range, sizeof range, "\\U%08X", 0x10000 + 2 * i);
        add(b, range);
    }
    add(b, "]");
}

/* Each is compiled or refused with LIMIT or for its recursion, within a bound of memory and of
 * steps that the default limits set. */
static void hostile(void **state)
{
    (void)state;
    static const struct {
        writer *write;
        unsigned n;
    } grammars[] = {
        {nested_groups, 400},
        {nested_groups, 60000},
        {doubling, 60},
        {doubling, 3000},
        {cycle, 1000},
        {cycle, 60000},
        {many_operators, 60000},
        {many_alternatives, 5000},
        {many_alternatives, 60000},
        {many_ranges, 5000},
        {many_ranges, 60000},
    };
    text_buffer b = {malloc(8 << 20), 0};
    assert_non_null(b.data);
    for (size_t i = 0; i < sizeof grammars / sizeof *grammars; i++) {
        lf_compiled *m = NULL;
        b.len = 0;
        grammars[i].write(&b, grammars[i].n);
        size_t before = counter.live;
        counter.peak = counter.live;
        int32_t status = compile(b.data, b.len, &m);
        if (status != LFM2_OK && status != LFM2_E_LIMIT && status != LFM2_E_UNSUPPORTED) {
            fail_msg("grammar %zu: %s", i, lf_fail_text());
        }
        assert_true(counter.peak - before <= (size_t)16 << 20);
        lf_compiled_free(m);
    }
    free(b.data);
}

/* ---- Failing memory ---- */

static void failing_memory(void **state)
{
    (void)state;
    const char *grammar = "root ::= \"a\" x [b-d]* <|tool_call_start|> !<|tool_call_start|>*\n"
                          "x ::= \"(\" y \")\" | \"\"\ny ::= x{2,3} \"z\" | [^q-s] # end\n";
    size_t live = counter.live;
    int32_t status = LFM2_E_MEMORY;
    for (size_t i = 0; status == LFM2_E_MEMORY; i++) {
        lf_compiled *m = NULL;
        counter.fail_at = counter.calls + i;
        status = compile(grammar, strlen(grammar), &m);
        counter.fail_at = SIZE_MAX;
        lf_compiled_free(m);
        assert_int_equal(counter.live, live);
        assert_true(i < 10000);
    }
    assert_int_equal(status, LFM2_OK);
    assert_int_equal(counter.mistakes, 0);
}

static int setup(void **state)
{
    (void)state;
    alloc = counting_alloc_init(&counter);
    lf_grammar_limits_default(&limits);
    text_vocab v;
    text_vocab_init_small(&v);
    assert_int_equal(lf_tokenizer_create(&alloc, &v.data, false, &tokenizer), LFM2_OK);
    text_vocab_free(&v);
    assert_int_equal(lf_token_trie_create(&alloc, tokenizer, &trie), LFM2_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lf_token_trie_free(trie);
    lf_tokenizer_free(tokenizer);
    assert_int_equal(counter.live, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),  cmocka_unit_test(texts),   cmocka_unit_test(tokens),
        cmocka_unit_test(refused), cmocka_unit_test(hostile), cmocka_unit_test(failing_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
