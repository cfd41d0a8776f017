/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schemas as grammars: verdicts of another implementation, spellings, what is refused or
 * ignored. */
#include "support/models.h"
#include "support/schema_match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct notes {
    char text[2000];
} notes;

static int32_t note(void *user, const char *pointer, const char *why)
{
    notes *n = user;
    (void)why;
    if (n != NULL) {
        strncat(n->text, pointer, sizeof n->text - strlen(n->text) - 1);
        strncat(n->text, "\n", sizeof n->text - strlen(n->text) - 1);
    }
    return LFM2_OK;
}

static void init(lft_schema *u)
{
    lft_schema_init(u);
    u->options.ignored = note;
}

/* ---- Verdicts of jsonschema ---- */

static char *read_all(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *len = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(*len + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, *len, f), *len);
    text[*len] = 0;
    fclose(f);
    return text;
}

typedef struct text {
    char bytes[4000];
    size_t len;
} text;

static void append(void *user, const char *bytes, size_t len)
{
    text *t = user;
    assert_true(t->len + len < sizeof t->bytes);
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    t->bytes[t->len] = 0;
}

/* Checks the values from `v` on; returns the digit behind their verdicts. */
static const char *check_values(lf_compiled *matcher, const lf_json *v, const char *verdict,
                                const text *schema)
{
    for (; v != NULL; v = v->next, verdict++) {
        int32_t status = LFM2_OK;
        if (*verdict != '-' &&
            lft_schema_accepts(matcher, v, false, &status) != (*verdict == '1')) {
            text shown = {.len = 0};
            lf_json_write(&(lf_json_writer){.write = append, .user = &shown}, v);
            fail_msg("%s: %s is %s", schema->bytes, shown.bytes,
                     *verdict == '1' ? "valid" : "not valid");
        }
        assert_int_equal(status, LFM2_OK);
    }
    return verdict;
}

static void test_verdicts(void **state)
{
    (void)state;
    lft_schema u;
    size_t len = 0;
    uint32_t n = 0;
    lf_arena pool_arena;
    const lf_json *pool = NULL;
    char *file = read_all(LFM2_TEST_DATA "/golden/text/schema_cases.jsonl", &len);
    init(&u);
    lf_arena_init(&pool_arena, &u.alloc);
    for (char *line = file; *line != 0; n++) {
        char *end = strchr(line, '\n');
        lf_arena arena;
        const lf_json *c = NULL;
        lf_arena_init(&arena, &u.alloc);
        assert_int_equal(lf_json_parse(n == 0 ? &pool_arena : &arena, "cases", LFM2_E_TEXT, line,
                                       (size_t)(end - line), &c),
                         LFM2_OK);
        line = end + 1;
        if (n == 0) {
            pool = lf_json_get(c, "pool");
        } else if (!lft_sampled() || n % 4 == 0) {
            lf_compiled *matcher = NULL;
            text schema = {.len = 0};
            const char *verdicts = lf_json_get(c, "valid")->text;
            lf_json_write(&(lf_json_writer){.write = append, .user = &schema},
                          lf_json_get(c, "schema"));
            const int32_t status = lft_schema_compile(&u, schema.bytes, schema.len, &matcher);
            if (status == LFM2_OK) {
                verdicts = check_values(matcher, pool->child, verdicts, &schema);
                verdicts =
                    check_values(matcher, lf_json_get(c, "values")->child, verdicts, &schema);
                assert_int_equal(*verdicts, 0);
            } else {
                /* Refused only because nothing is valid. */
                assert_string_equal(lf_fail_code(), "schema.empty");
                assert_null(strchr(verdicts, '1'));
            }
            lf_compiled_free(matcher);
        }
        lf_arena_free(&arena);
    }
    lf_arena_free(&pool_arena);
    free(file);
    assert_true(n > 300);
}

/* ---- Spellings ---- */

typedef struct spelling {
    const char *schema;
    lf_schema_space space;
    const char *accepted[8], *rejected[8];
} spelling;

#define JSON     LF_SCHEMA_SPACE_JSON
#define COMPACT  LF_SCHEMA_SPACE_COMPACT
#define FLEXIBLE LF_SCHEMA_SPACE_FLEXIBLE
#define INTEGER  "{\"type\": \"integer\"}"
#define AB       "{\"properties\": {\"a\": " INTEGER ", \"b\": " INTEGER "}}"

static const spelling spellings[] = {
    {AB,
     JSON,
     {"{\"a\": 1, \"b\": 2}", "{}", "{\"b\": 2}", "{\"b\": 2, \"c\": []}"},
     {"{\"a\":1}", "{ \"a\": 1}", "{\"a\": 1,\"b\": 2}", "{\"a\": 1 }", "{\"b\": 2, \"a\": 1}",
      " {}", "{} ", "{\"c\": [], \"b\": 2}"}},
    {AB,
     COMPACT,
     {"{\"a\":1,\"b\":2}", "{}", "{\"a\":1,\"c\":[1,{\"x\":null}]}"},
     {"{\"a\": 1}", "{\"a\":1, \"b\":2}", "{\"a\":1,\"c\":[1, 2]}"}},
    {AB,
     FLEXIBLE,
     {"{\"a\":1,\"b\":2}", "{ \"a\" : 1 , \"b\" : 2 }", "{\n  \"a\": 1,\n  \"b\": 2\n}", "{ }",
      "{\"a\": 1}", "{\n\t\"a\": 1}"},
     {"{  \"a\": 1}", "{\"a\":  1}", "{\n\n}", " {}", "{\r\n}", "{\"a\": 1}\n"}},
    {"{\"type\": \"array\", \"items\": {\"type\": \"integer\"}}",
     FLEXIBLE,
     {"[]", "[ ]", "[1,2]", "[ 1 , 2 ]", "[\n  1,\n  2\n]"},
     {"[  1]", "[,1]", "[1,]", "[1 2]"}},
    {"{\"type\": \"string\"}",
     JSON,
     {"\"a\"", "\"\\u0061\"", "\"\\ud83d\\uDE00\"", "\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"", "\"\x7f\"",
      "\"\xc3\xa9\"", "\"\\u0000\"", "\"\xf0\x9f\x98\x80\""},
     {"\"\n\"", "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0061\"", "\"\\x\"", "\"\xff\"",
      "\"\xed\xa0\x80\"", "\"\\u12\""}},
    {"{\"maxLength\": 1, \"type\": \"string\"}",
     JSON,
     {"\"a\"", "\"\\u0061\"", "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", "\"\\n\"", "\"\""},
     {"\"ab\"", "\"\\u0061b\"", "\"\\ud83d\\ude00a\"", "\"\\n\\n\""}},
    {"{\"pattern\": \"^[a-c\xc3\xa9]$\"}",
     JSON,
     {"\"a\"", "\"\\u0062\"", "\"\\u00e9\"", "\"\\u00E9\"", "\"\xc3\xa9\"", "1"},
     {"\"d\"", "\"\\u0064\"", "\"\\u00ea\"", "\"A\""}},
    {"{\"const\": \"a/\xc3\xa9\\n\"}",
     JSON,
     {"\"a/\xc3\xa9\\n\""},
     {"\"\\u0061/\xc3\xa9\\n\"", "\"a\\/\xc3\xa9\\n\"", "\"a/\\u00e9\\n\""}},
    {"{\"properties\": {\"\xc3\xa9\": true}, \"additionalProperties\": {\"type\": \"null\"}}",
     JSON,
     {"{\"\xc3\xa9\": 1}", "{\"e\": null}", "{\"\\u0065\": null}"},
     {"{\"\\u00e9\": null}", "{\"\\u00E9\": 1}", "{\"e\": 1}"}},
    {"{\"type\": \"integer\"}",
     JSON,
     {"0", "-0", "10", "-7", "7.0", "123456789012345678901234567890"},
     {"01", "+1", "1.", "7.00", "1e3", "1.5", "-", "1.0.0"}},
    {"{\"type\": \"integer\", \"$schema\": \"http://json-schema.org/draft-04/schema#\"}",
     JSON,
     {"7"},
     {"7.0"}},
    {"{\"type\": \"number\"}",
     JSON,
     {"0", "-0.0", "1.50", "1e5", "1E-05", "12.5e+16", "9.9e307", "1e-300"},
     {"1e999", "1e-400", ".5", "1.", "00", "1e", "99e307", "NaN"}},
    {"{\"type\": \"number\", \"minimum\": 0.5, \"maximum\": 12.25}",
     JSON,
     {"0.5", "0.50", "12.25", "12.2500", "1.2e+1", "5e-1", "12.249999", "9"},
     {"0.49", "0.4999999", "12.26", "12.2500001", "1.3e1", "4.9e-1", "-1", "13"}},
    {"{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 1250}",
     JSON,
     {"0", "9", "10", "999", "1000", "1249", "1250"},
     {"00", "05", "0120", "1251", "1300", "-0"}},
    {"{\"pattern\": \"^[\\\\u{1F3F0}-\\\\u{1F810}]$\"}",
     JSON,
     {"\"\\ud83c\\udff0\"", "\"\\uD83C\\uDFFF\"", "\"\\ud83d\\udc00\"", "\"\\ud83e\\udc10\"",
      "\"\xf0\x9f\x98\x80\""},
     {"\"\\ud83c\\udfef\"", "\"\\ud83e\\udc11\"", "\"\\ud83c\\udc00\"", "\"\\ud83b\\udff0\"",
      "\"a\""}},
    {"{\"type\": \"number\", \"exclusiveMinimum\": 0}",
     JSON,
     {"0.1", "1e-05", "0.00001", "5"},
     {"0", "0.0", "-0", "-1", "0e5"}},
    {"{\"type\": \"integer\", \"minimum\": -5, \"maximum\": 120}",
     JSON,
     {"-5", "-1", "0", "9", "99", "120", "120.0", "-5.0"},
     {"-6", "121", "1000", "-10", "120.5"}},
    {"{\"multipleOf\": 0.01, \"type\": \"number\"}",
     JSON,
     {"1", "1.5", "1.25", "-0.01", "0"},
     {"1.255", "0.001", "1e-3"}},
    {"{\"multipleOf\": 2.5, \"type\": \"number\"}",
     JSON,
     {"0", "2.5", "5", "-7.5", "100", "12.50"},
     {"2", "2.25", "7", "2.55"}},
    {"{\"const\": 1}", JSON, {"1", "1.0"}, {"1.00", "1e0", "10"}},
    {"{\"const\": {\"b\": 1, \"a\": [true]}}",
     COMPACT,
     {"{\"b\":1,\"a\":[true]}"},
     {"{\"a\":[true],\"b\":1}", "{\"b\":1}", "{\"b\":1,\"a\":[true],\"c\":1}"}},
    {"{\"required\": [\"z\", \"b\"], \"properties\": {\"a\": true, \"b\": true}}",
     COMPACT,
     {"{\"a\":1,\"b\":1,\"z\":1}", "{\"b\":1,\"z\":1,\"x\":1}"},
     {"{\"z\":1,\"b\":1}", "{\"b\":1,\"x\":1,\"z\":1}", "{\"b\":1}"}},
};

static void test_spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        const spelling *c = &spellings[i];
        lft_schema u;
        lf_compiled *matcher = NULL;
        init(&u);
        u.options.space = c->space;
        assert_int_equal(lft_schema_compile(&u, c->schema, strlen(c->schema), &matcher), LFM2_OK);
        for (size_t k = 0; k < 8 && c->accepted[k] != NULL; k++) {
            if (!lft_schema_accepts_text(matcher, c->accepted[k])) {
                fail_msg("%s: %s is not accepted", c->schema, c->accepted[k]);
            }
        }
        for (size_t k = 0; k < 8 && c->rejected[k] != NULL; k++) {
            if (lft_schema_accepts_text(matcher, c->rejected[k])) {
                fail_msg("%s: %s is accepted", c->schema, c->rejected[k]);
            }
        }
        lf_compiled_free(matcher);
    }
}

/* ---- Refused and ignored ---- */

static const struct refused {
    const char *schema;
    int32_t status;
    const char *code, *message; /* the message contains this */
    const char *ignored;        /* what a lenient compilation reports; NULL: it fails too */
} refused[] = {
    {"{\"properties\": {\"a\": {\"uniqueItems\": true}}}", LFM2_E_UNSUPPORTED, "schema.unsupported",
     "#/properties/a/uniqueItems: ", "#/properties/a/uniqueItems\n"},
    {"{\"items\": [{\"format\": \"idn-email\"}]}", LFM2_E_UNSUPPORTED, "schema.unsupported",
     "#/items/0/format: ", "#/items/0/format\n"},
    {"{\"$defs\": {\"a/b\": {\"pattern\": \"(?=a)\"}}, \"$ref\": \"#/$defs/a~1b\"}",
     LFM2_E_UNSUPPORTED, "schema.unsupported", "#/$defs/a~1b/pattern: ", "#/$defs/a~1b/pattern\n"},
    {"{\"pattern\": \"(a)\\\\1\"}", LFM2_E_UNSUPPORTED, "schema.unsupported",
     "#/pattern: ", "#/pattern\n"},
    {"{\"allOf\": [{\"unevaluatedProperties\": false, \"anyOf\": [{}]}]}", LFM2_E_UNSUPPORTED,
     "schema.unsupported",
     "#/allOf/0/unevaluatedProperties: ", "#/allOf/0/unevaluatedProperties\n"},
    {"{\"$ref\": \"http://h.example/x\"}", LFM2_E_UNSUPPORTED, "schema.unsupported",
     "#/$ref: ", "#/$ref\n"},
    {"{\"$ref\": \"#/$defs/none\"}", LFM2_E_UNSUPPORTED, "schema.unsupported",
     "#/$ref: ", "#/$ref\n"},
    {"{\"$ref\": \"#\"}", LFM2_E_UNSUPPORTED, "schema.unsupported", "#: refers to itself", NULL},
    {"{\"$defs\": {\"a\": {\"$ref\": \"#/$defs/b\"}, \"b\": {\"allOf\": [{\"$ref\": "
     "\"#/$defs/a\"}]}}, \"$ref\": \"#/$defs/a\"}",
     LFM2_E_UNSUPPORTED, "schema.unsupported", "refers to itself", NULL},
    {"{\"type\": \"number\", \"multipleOf\": 1e-5000}", LFM2_E_UNSUPPORTED, "schema.unsupported",
     "#/multipleOf: ", "#/multipleOf\n"},
    {"false", LFM2_E_TEXT, "schema.empty", "no value", NULL},
    {"{\"type\": \"integer\", \"minimum\": 2, \"maximum\": 1}", LFM2_E_TEXT, "schema.empty",
     "no value", NULL},
    {"{\"type\": \"text\"}", LFM2_E_TEXT, "schema.invalid", "#/type: ", NULL},
    {"{\"properties\": {\"x\": {\"minimum\": \"1\"}}}", LFM2_E_TEXT, "schema.invalid",
     "#/properties/x/minimum: ", NULL},
    {"{\"minLength\": -1}", LFM2_E_TEXT, "schema.invalid", "#/minLength: ", NULL},
    {"{\"maxItems\": 1.5}", LFM2_E_TEXT, "schema.invalid", "#/maxItems: ", NULL},
    {"{\"pattern\": \"[a\"}", LFM2_E_TEXT, "schema.invalid", "#/pattern: ", NULL},
    {"{\"pattern\": \"a{2,1}\"}", LFM2_E_TEXT, "schema.invalid", "#/pattern: ", NULL},
    {"{\"pattern\": \"a**\"}", LFM2_E_TEXT, "schema.invalid", "#/pattern: ", NULL},
    {"{\"pattern\": \"(?<>a)\"}", LFM2_E_TEXT, "schema.invalid", "#/pattern: ", NULL},
    {"{\"pattern\": \"a)\"}", LFM2_E_TEXT, "schema.invalid", "#/pattern: ", NULL},
    {"{\"pattern\": \"\\\\q\"}", LFM2_E_UNSUPPORTED, "schema.unsupported",
     "#/pattern: ", "#/pattern\n"},
    {"{\"pattern\": \"\\\\p{Greek}\"}", LFM2_E_UNSUPPORTED, "schema.unsupported",
     "#/pattern: ", "#/pattern\n"},
    {"{\"anyOf\": []}", LFM2_E_TEXT, "schema.invalid", "#/anyOf: ", NULL},
    {"{\"enum\": 1}", LFM2_E_TEXT, "schema.invalid", "#/enum: ", NULL},
    {"{\"properties\": {\"a\": 1}}", LFM2_E_TEXT, "schema.invalid", "#/properties: ", NULL},
    {"{\"multipleOf\": 0}", LFM2_E_TEXT, "schema.invalid", "#/multipleOf: ", NULL},
    {"[]", LFM2_E_TEXT, "schema.invalid", "no schema", NULL},
    {"{", LFM2_E_TEXT, "json.truncated", "schema: ", NULL},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct refused *c = &refused[i];
        lft_schema u;
        notes found = {.text = ""};
        lf_compiled *matcher = NULL;
        init(&u);
        const int32_t status = lft_schema_compile(&u, c->schema, strlen(c->schema), &matcher);
        if (status != c->status || strcmp(lf_fail_code(), c->code) != 0 ||
            strstr(lf_fail_text(), c->message) == NULL) {
            fail_msg("%s: %d %s %s", c->schema, (int)status, lf_fail_code(), lf_fail_text());
        }
        assert_null(matcher);
        u.options.lenient = true;
        u.options.user = &found;
        if (c->ignored != NULL) {
            assert_int_equal(lft_schema_compile(&u, c->schema, strlen(c->schema), &matcher),
                             LFM2_OK);
            assert_string_equal(found.text, c->ignored);
        } else {
            assert_int_equal(lft_schema_compile(&u, c->schema, strlen(c->schema), &matcher),
                             c->status);
        }
        lf_compiled_free(matcher);
    }
}

/* What a value cannot reach does not matter; formats without a meaning are reported. */
static void test_ignored(void **state)
{
    (void)state;
    static const char strings[] = "{\"type\": \"string\", \"uniqueItems\": true, "
                                  "\"format\": \"colour\", \"unevaluatedItems\": false, "
                                  "\"contains\": {\"pattern\": \"(?=a)\"}}";
    lft_schema u;
    notes found = {.text = ""};
    lf_compiled *matcher = NULL;
    init(&u);
    u.options.user = &found;
    assert_int_equal(lft_schema_compile(&u, strings, sizeof strings - 1, &matcher), LFM2_OK);
    assert_string_equal(found.text, "#/format\n");
    assert_true(lft_schema_accepts_text(matcher, "\"x\""));
    assert_false(lft_schema_accepts_text(matcher, "[]"));
    lf_compiled_free(matcher);
}

/* What is ignored excludes no value, also where it is negated. */
static void test_ignored_negations(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *yes[3], *no;
    } cases[] = {
        {"{\"oneOf\": [{\"$ref\": \"http://a.example/x\"}, {\"$ref\": \"http://b.example/y\"}]}",
         {"1", "\"a\"", "{}"},
         "x"},
        {"{\"oneOf\": [{\"type\": \"integer\"}, {\"$ref\": \"http://a.example/x\"}]}",
         {"1", "\"a\"", "[]"},
         "x"},
        {"{\"not\": {\"$ref\": \"http://a.example/x\"}}", {"1", "\"a\"", "null"}, "x"},
        {"{\"not\": {\"format\": \"iri\"}}", {"\"a\"", "\"\"", "\"http://a/\""}, "1"},
        {"{\"oneOf\": [{\"format\": \"iri\"}, {\"format\": \"idn-email\"}], \"maxLength\": 1}",
         {"\"a\"", "\"\"", "\"\\n\""},
         "\"ab\""},
        {"{\"not\": {\"patternProperties\": {\"(?=a)\": {\"type\": \"null\"}}}}",
         {"{}", "{\"a\": 1}", "{\"b\": null}"},
         "1"},
        {"{\"not\": {\"uniqueItems\": true}}", {"[1,1]", "[]", "[1,2]"}, "1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lft_schema u;
        notes found = {.text = ""};
        lf_compiled *matcher = NULL;
        init(&u);
        u.options.lenient = true;
        u.options.user = &found;
        assert_int_equal(lft_schema_compile(&u, cases[i].schema, strlen(cases[i].schema), &matcher),
                         LFM2_OK);
        assert_true(strlen(found.text) > 0);
        for (int k = 0; k < 3; k++) {
            if (!lft_schema_accepts_text(matcher, cases[i].yes[k])) {
                fail_msg("%s: %s", cases[i].schema, cases[i].yes[k]);
            }
        }
        assert_false(lft_schema_accepts_text(matcher, cases[i].no));
        lf_compiled_free(matcher);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),          cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_refused),           cmocka_unit_test(test_ignored),
        cmocka_unit_test(test_ignored_negations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
