/* SPDX-License-Identifier: Apache-2.0 */
/* Constraints and matchers through the API: masks, forced tokens, refused calls, failing memory. */
#include "support/constraints.h"
#include "support/failing.h"

#include "model/workspace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static lft_memory memory;
static lfm2_model *model;
static uint32_t n_vocab;

/* ---- Kinds and options ---- */

static void kinds(void **state)
{
    (void)state;
    lfm2_constraint *c = lft_constraint(model, LFM2_CONSTRAINT_REGEX, "(cat|dog)s?");
    assert_true(lft_allows(c, "cat") && lft_allows(c, "dogs"));
    assert_false(lft_allows(c, "cow") || lft_allows(c, "ca") || lft_allows(c, "catss"));
    lfm2_constraint_free(c);
    c = lft_constraint(model, LFM2_CONSTRAINT_GBNF, lft_record_grammar);
    assert_true(lft_allows(c, "{\"name\": \"ann\", \"age\": 41, \"favorite colors\": [\"red\", "
                              "\"dark blue\"], \"checked\": true}"));
    assert_false(lft_allows(c, "{\"name\": \"Ann\", \"age\": 41, \"favorite colors\": []}"));
    lfm2_constraint_free(c);
    assert_string_equal(lfm2_constraint_ignored(NULL), "");
    assert_null(lfm2_constraint_retain(NULL));
    lfm2_constraint_free(NULL);
    lfm2_matcher_free(NULL);
    assert_int_equal(lfm2_matcher_is_complete(NULL), 0);
}

/* Whether the tokens of the text, with control tokens, are allowed and the text may end. */
static bool allows_tokens(lfm2_constraint *constraint, const char *text)
{
    int32_t ids[256];
    size_t n = 0;
    lfm2_matcher *m = lft_matcher(constraint);
    int32_t status = LFM2_OK;
    LFT_OK(lfm2_tokenize(model, text, strlen(text), LFM2_TOKENIZE_SPECIAL, ids, 256, &n));
    for (size_t i = 0; i < n && status == LFM2_OK; i++) {
        status = lfm2_matcher_accept(m, ids[i]);
    }
    bool is = status == LFM2_OK && lfm2_matcher_is_complete(m) == 1;
    lfm2_matcher_free(m);
    return is;
}

static void reasoning(void **state)
{
    (void)state;
    static const char text[] = "yes|no";
    lfm2_constraint_options o;
    lfm2_constraint_options_init(&o, sizeof o);
    lfm2_constraint *c = NULL;
    o.reasoning = LFM2_REASONING_ALLOWED;
    LFT_OK(lfm2_constraint_create(model, LFM2_CONSTRAINT_REGEX, text, sizeof text - 1, &o, &c));
    assert_true(allows_tokens(c, "yes"));
    assert_true(allows_tokens(c, "<think></think>no"));
    assert_true(allows_tokens(c, "<think>hm, < or </thin?<|tool_call_start|></think>\n\nno"));
    assert_false(allows_tokens(c, "<think>hm</think>maybe"));
    assert_false(allows_tokens(c, "<think>no"));
    assert_false(allows_tokens(c, "hm</think>no"));
    assert_false(allows_tokens(c, "<think>hm<|im_end|></think>no"));
    lfm2_constraint_free(c);
    o.reasoning = LFM2_REASONING_OPEN;
    LFT_OK(lfm2_constraint_create(model, LFM2_CONSTRAINT_REGEX, text, sizeof text - 1, &o, &c));
    assert_true(allows_tokens(c, "hm</think> no"));
    assert_true(allows_tokens(c, "</think>yes"));
    assert_false(allows_tokens(c, "yes"));
    lfm2_constraint_free(c);
}

static void expect_refused(int32_t kind, const char *text, const lfm2_constraint_options *o,
                           int32_t status, const char *code)
{
    lfm2_constraint *constraint = NULL;
    LFT_FAILS(lfm2_constraint_create(model, kind, text, strlen(text), o, &constraint), status);
    if (strcmp(lfm2_last_error_code(), code) != 0) {
        fail_msg("%s: %s, not %s", text, lfm2_last_error_code(), code);
    }
    assert_null(constraint);
}

static void refused(void **state)
{
    (void)state;
    lfm2_constraint_options o;
    lfm2_constraint_options_init(&o, sizeof o);
    expect_refused(0, "a", NULL, LFM2_E_ARGUMENT, "constraint.option");
    expect_refused(6, "a", NULL, LFM2_E_ARGUMENT, "constraint.option");
    o.space = 3;
    expect_refused(LFM2_CONSTRAINT_REGEX, "a", &o, LFM2_E_ARGUMENT, "constraint.option");
    lfm2_constraint_options_init(&o, sizeof o);
    o.tool_name = "f";
    expect_refused(LFM2_CONSTRAINT_REGEX, "a", &o, LFM2_E_ARGUMENT, "constraint.option");
    lfm2_constraint_options_init(&o, sizeof o);
    o.flags = 1u << 31;
    expect_refused(LFM2_CONSTRAINT_REGEX, "a", &o, LFM2_E_ARGUMENT, "argument.flags");
    lfm2_constraint_options_init(&o, sizeof o);
    o.compile_steps = 10;
    expect_refused(LFM2_CONSTRAINT_GBNF, lft_record_grammar, &o, LFM2_E_LIMIT, "gbnf.steps");
    lfm2_constraint_options_init(&o, sizeof o);
    o.memory = 4096;
    expect_refused(LFM2_CONSTRAINT_GBNF, lft_record_grammar, &o, LFM2_E_LIMIT, "gbnf.memory");
    lfm2_constraint_options_init(&o, sizeof o);
    o.depth = 2;
    expect_refused(LFM2_CONSTRAINT_GBNF, "root ::= (((\"a\")))", &o, LFM2_E_LIMIT, "gbnf.depth");
    expect_refused(LFM2_CONSTRAINT_GBNF, "root ::= x", NULL, LFM2_E_TEXT, "gbnf.undefined");
    expect_refused(LFM2_CONSTRAINT_GBNF, "root ::= \"a\" root", NULL, LFM2_E_TEXT,
                   "constraint.empty");
    LFT_FAILS(lfm2_constraint_create(NULL, 2, "a", 1, NULL, NULL), LFM2_E_ARGUMENT);
    lfm2_constraint *c = NULL;
    LFT_FAILS(lfm2_constraint_create(model, 2, NULL, 1, NULL, &c), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_matcher_create(NULL, NULL), LFM2_E_ARGUMENT);
}

/* A text of 2 bytes for each value, whose parsed values take more memory than the limit. */
static void refused_documents(void **state)
{
    (void)state;
    enum { N_VALUES = 200 * 1000 };
    static const int32_t kinds_of_json[] = {LFM2_CONSTRAINT_JSON_SCHEMA, LFM2_CONSTRAINT_CHOICES,
                                            LFM2_CONSTRAINT_TOOLS};
    static const char begin_text[] = "{\"x\": [";
    char *text = malloc(sizeof begin_text + 2 * (size_t)N_VALUES + 3);
    assert_non_null(text);
    memcpy(text, begin_text, sizeof begin_text);
    for (int i = 0; i < N_VALUES; i++) {
        strcpy(text + sizeof begin_text - 1 + 2 * (size_t)i, "1,");
    }
    strcpy(text + sizeof begin_text - 1 + 2 * (size_t)N_VALUES, "1]}");
    lfm2_constraint_options o;
    lfm2_constraint_options_init(&o, sizeof o);
    for (int i = 0; i < 3; i++) {
        expect_refused(kinds_of_json[i], text, NULL, LFM2_E_LIMIT, "constraint.memory");
        o.memory = 100 * 1000; /* less than the text */
        expect_refused(kinds_of_json[i], text, &o, LFM2_E_LIMIT, "constraint.memory");
    }
    o.memory = (uint64_t)64 << 20;
    lfm2_constraint *c = NULL;
    LFT_OK(lfm2_constraint_create(model, LFM2_CONSTRAINT_JSON_SCHEMA, text, strlen(text), &o, &c));
    lfm2_constraint_free(c);
    free(text);
}

/* ---- Matchers ---- */

static bool is_set(const uint32_t *bits, int32_t id)
{
    return (bits[id / 32] >> id % 32 & 1) != 0;
}

/* The mask has exactly the tokens that a copy accepts. */
static void check_mask(const lfm2_matcher *place, uint32_t *bits)
{
    lfm2_matcher *m = NULL;
    LFT_OK(lfm2_matcher_clone(place, &m));
    LFT_OK(lfm2_matcher_mask(m, bits, (n_vocab + 31) / 32));
    lfm2_matcher_free(m);
    for (int32_t id = 0; id < (int32_t)n_vocab; id++) {
        LFT_OK(lfm2_matcher_clone(place, &m));
        lft_mark_error();
        int32_t status = lfm2_matcher_accept(m, id);
        assert_true(status == LFM2_OK || status == LFM2_E_ARGUMENT);
        if ((status == LFM2_OK) != is_set(bits, id)) {
            fail_msg("token %d: the mask has %d", id, is_set(bits, id));
        }
        if (status == LFM2_OK && lfm2_token_is_end(model, id)) {
            assert_int_equal(lfm2_matcher_is_complete(place), 1);
            LFT_FAILS(lfm2_matcher_accept(m, id), LFM2_E_ARGUMENT);
            assert_int_equal(lfm2_matcher_is_complete(m), 0);
        }
        lfm2_matcher_free(m);
    }
}

/* Random walks: masks against each token, forced tokens against the mask. */
static void masks(void **state)
{
    (void)state;
    lfm2_constraint *c = lft_constraint(model, LFM2_CONSTRAINT_GBNF, lft_record_grammar);
    uint32_t *bits = malloc((n_vocab + 31) / 32 * sizeof *bits);
    uint64_t random = 7;
    assert_non_null(bits);
    lfm2_matcher *m = lft_matcher(c);
    LFT_FAILS(lfm2_matcher_mask(m, bits, 1), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_matcher_accept(m, -1), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_matcher_accept(m, (int32_t)n_vocab), LFM2_E_ARGUMENT);
    for (int step = 0, texts = 0; texts < 3; step++) {
        check_mask(m, bits);
        int32_t forced[256];
        size_t n = 0;
        LFT_OK(lfm2_matcher_forced(m, forced, 256, &n));
        assert_true(n == 0 || is_set(bits, forced[0]));
        int32_t id = n > 0 ? forced[0] : -1;
        while (id < 0 || !is_set(bits, id)) {
            id = (int32_t)(lft_random(&random) % n_vocab);
        }
        LFT_OK(lfm2_matcher_accept(m, id));
        if (lfm2_token_is_end(model, id)) {
            LFT_OK(lfm2_matcher_mask(m, bits, (n_vocab + 31) / 32));
            for (uint32_t i = 0; i < (n_vocab + 31) / 32; i++) {
                assert_int_equal(bits[i], 0);
            }
            LFT_OK(lfm2_matcher_forced(m, NULL, 0, &n));
            assert_int_equal(n, 0);
            LFT_OK(lfm2_matcher_reset(m));
            texts++;
        }
        assert_true(step < 1000);
    }
    lfm2_matcher_free(m);
    lfm2_constraint_free(c);
    free(bits);
}

/* The forced tokens of a constraint after `before`, as text; "$" stands for the end. */
static void expect_forced(int32_t kind, const char *constraint, const char *before,
                          const char *expected)
{
    lfm2_constraint *c = lft_constraint(model, kind, constraint);
    lfm2_matcher *m = lft_matcher(c);
    int32_t ids[256];
    char text[512] = "";
    size_t n = 0, len = 0;
    LFT_OK(lfm2_matcher_accept_text(m, before, strlen(before)));
    LFT_OK(lfm2_matcher_forced(m, ids, 256, &n));
    for (size_t i = 0; i < n; i++) {
        const char *bytes = NULL;
        size_t size = 0;
        LFT_OK(lfm2_token_get(model, ids[i], &bytes, &size, NULL));
        if (lfm2_token_is_end(model, ids[i])) {
            bytes = "$";
            size = 1;
        }
        memcpy(text + len, bytes, size);
        len += size;
    }
    text[len] = '\0';
    assert_string_equal(text, expected);
    for (size_t i = 0; i < n; i++) {
        LFT_OK(lfm2_matcher_accept(m, ids[i]));
    }
    if (n > 0) {
        size_t needed = 0;
        LFT_OK(lfm2_matcher_reset(m));
        LFT_OK(lfm2_matcher_accept_text(m, before, strlen(before)));
        LFT_FAILS(lfm2_matcher_forced(m, ids, n - 1, &needed), LFM2_E_BUFFER);
        assert_int_equal(needed, n);
    }
    lfm2_matcher_free(m);
    lfm2_constraint_free(c);
}

static void forced(void **state)
{
    (void)state;
    /* The end of a text is known, so nothing is held back, and the end is forced, too. */
    expect_forced(LFM2_CONSTRAINT_REGEX, "abc", "", "abc$");
    expect_forced(LFM2_CONSTRAINT_REGEX, "abc", "a", "bc$");
    expect_forced(LFM2_CONSTRAINT_REGEX, "abc", "abc", "$");
    expect_forced(LFM2_CONSTRAINT_REGEX, "", "", "$");
    /* The last token is held back where others could begin like it. */
    expect_forced(LFM2_CONSTRAINT_REGEX, "Q[a-z]", "", "");
    expect_forced(LFM2_CONSTRAINT_REGEX, "(abc)?", "", "");
    expect_forced(LFM2_CONSTRAINT_REGEX, "[ab]", "", "");
    expect_forced(LFM2_CONSTRAINT_REGEX, "[ab]", "a", "$");
    /* A character whose bytes are not all known is not divided. */
    expect_forced(LFM2_CONSTRAINT_REGEX, "[\\u0410-\\u0420]", "", "");
    expect_forced(LFM2_CONSTRAINT_REGEX, "[\\u4E00-\\u4E3E]", "", "");
    /* Control tokens. */
    expect_forced(LFM2_CONSTRAINT_GBNF, "root ::= <|tool_call_start|> \"xy\" <|tool_call_end|>", "",
                  "<|tool_call_start|>xy<|tool_call_end|>$");
    expect_forced(LFM2_CONSTRAINT_GBNF, "root ::= \"xy\" (<|tool_call_start|> | <|tool_call_end|>)",
                  "", "x");
}

/* ---- Failing memory ---- */

static int32_t create_and_match(void)
{
    lfm2_constraint *c = NULL;
    lfm2_matcher *m = NULL;
    lfm2_matcher *clone = NULL;
    uint32_t *bits = malloc((n_vocab + 31) / 32 * sizeof *bits);
    int32_t ids[256];
    size_t n = 0;
    int32_t status = lfm2_constraint_create(model, LFM2_CONSTRAINT_GBNF, lft_record_grammar,
                                            strlen(lft_record_grammar), NULL, &c);
    status = status != LFM2_OK ? status : lfm2_matcher_create(c, &m);
    status = status != LFM2_OK ? status : lfm2_matcher_mask(m, bits, (n_vocab + 31) / 32);
    status = status != LFM2_OK ? status : lfm2_matcher_forced(m, ids, 256, &n);
    for (size_t i = 0; i < n && status == LFM2_OK; i++) {
        status = lfm2_matcher_accept(m, ids[i]);
    }
    status = status != LFM2_OK ? status : lfm2_matcher_clone(m, &clone);
    status = status != LFM2_OK ? status : lfm2_matcher_reset(clone);
    status = status != LFM2_OK ? status : lfm2_matcher_accept_text(clone, "{\"name\": \"ann\"", 14);
    status = status != LFM2_OK ? status : lfm2_matcher_mask(clone, bits, (n_vocab + 31) / 32);
    free(bits);
    lfm2_matcher_free(clone);
    lfm2_matcher_free(m);
    lfm2_constraint_free(c);
    return status;
}

static lfm2_constraint *shared;

static int32_t stream_and_clone(void)
{
    lfm2_sampler *sampler = NULL;
    lfm2_stream *stream = NULL;
    lfm2_stream *clone = NULL;
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    o.constraint = shared;
    int32_t status = lfm2_sampler_create(model, NULL, &sampler);
    status = status != LFM2_OK ? status : lfm2_stream_create(model, sampler, &o, &stream);
    status = status != LFM2_OK ? status : lfm2_stream_clone(stream, &clone);
    lfm2_stream_free(clone);
    lfm2_stream_free(stream);
    lfm2_sampler_free(sampler);
    return status;
}

/* A text of each kind; what is ignored in the schema is listed. */
static const struct {
    int32_t kind;
    const char *text;
} every_kind[] = {
    {LFM2_CONSTRAINT_JSON_SCHEMA,
     "{\"properties\": {\"a\": {\"$ref\": \"https://example.org/a\"}, \"b\": "
     "{\"type\": \"string\", \"pattern\": \"^x+$\"}}}"},
    {LFM2_CONSTRAINT_REGEX, "(a|[b-z]{2,9})+"},
    {LFM2_CONSTRAINT_CHOICES, "[\"one\", \"two\"]"},
    {LFM2_CONSTRAINT_TOOLS,
     "[{\"name\": \"f\", \"parameters\": {\"properties\": {\"a\": {\"items\": "
     "{\"$ref\": \"https://example.org/a\"}}}}}]"},
};
static size_t chosen_kind;

static int32_t create_chosen(void)
{
    lfm2_constraint_options o;
    lfm2_constraint_options_init(&o, sizeof o);
    o.flags = LFM2_CONSTRAINT_LENIENT;
    o.reasoning = LFM2_REASONING_ALLOWED;
    lfm2_constraint *c = NULL;
    const char *text = every_kind[chosen_kind].text;
    int32_t status =
        lfm2_constraint_create(model, every_kind[chosen_kind].kind, text, strlen(text), &o, &c);
    bool ignores = strstr(text, "$ref") != NULL;
    assert_true(status != LFM2_OK ||
                (strstr(lfm2_constraint_ignored(c), "\"#/") != NULL) == ignores);
    lfm2_constraint_free(c);
    return status;
}

/* Generation under a constraint goes on without passes of several tokens. */
static void failing_generation(void)
{
    static const int32_t prompt[] = {1, 300, 301};
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.constraint = shared;
    long long blocks = atomic_load(&memory.live_blocks);
    size_t n_ok = 0;
    bool failed = true;
    for (long long n = 1; failed; n++) {
        lfm2_session *session = lft_session(model, 300, 0, LFM2_KV_F16);
        lfm2_sampler *sampler = NULL;
        lfm2_generate_result result = {.size = sizeof result};
        LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
        atomic_store(&memory.calls, 0);
        atomic_store(&memory.fail_at, n);
        int32_t status = lfm2_generate(session, sampler, prompt, 3, &o, &result);
        atomic_store(&memory.fail_at, 0);
        failed = atomic_load(&memory.calls) >= n;
        assert_true(status == LFM2_OK || status == LFM2_E_MEMORY);
        if (status == LFM2_OK) {
            int32_t ids[300];
            uint32_t length = lfm2_session_length(session);
            lfm2_matcher *m = lft_matcher(shared);
            LFT_OK(lfm2_session_tokens(session, 3, length - 3, ids));
            for (uint32_t i = 0; i < length - 3; i++) {
                LFT_OK(lfm2_matcher_accept(m, ids[i]));
            }
            lfm2_matcher_free(m);
            n_ok++;
        }
        lfm2_sampler_free(sampler);
        lfm2_session_free(session);
        lf_workspace_free_idle(model);
    }
    assert_true(n_ok > 1);                                   /* one of them with a failure */
    assert_true(atomic_load(&memory.live_blocks) >= blocks); /* masks are kept */
}

static void failing_memory(void **state)
{
    (void)state;
    lft_check_failing(&memory, create_and_match, NULL);
    for (; chosen_kind < sizeof every_kind / sizeof *every_kind; chosen_kind++) {
        lft_check_failing(&memory, create_chosen, NULL);
    }
    shared = lft_constraint(model, LFM2_CONSTRAINT_GBNF, lft_record_grammar);
    lft_check_failing(&memory, stream_and_clone, NULL);
    failing_generation();
    lfm2_constraint_free(shared);
}

/* ---- ---- */

static int setup(void **state)
{
    (void)state;
    lfm2_runtime_options ro;
    lfm2_runtime_options_init(&ro, sizeof ro);
    ro.n_threads = 1;
    ro.alloc = lft_memory_alloc;
    ro.free = lft_memory_free;
    ro.alloc_user = &memory;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&ro, &runtime));
    model = lft_load(runtime, lft_tiny("Q4_0"));
    lfm2_runtime_free(runtime);
    n_vocab = lft_vocab(model);
    /* The trie stays with the model. */
    lfm2_constraint_free(lft_constraint(model, LFM2_CONSTRAINT_REGEX, "a"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lfm2_model_free(model);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_false(atomic_load(&memory.broken));
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),          cmocka_unit_test(reasoning),
        cmocka_unit_test(refused),        cmocka_unit_test(refused_documents),
        cmocka_unit_test(masks),          cmocka_unit_test(forced),
        cmocka_unit_test(failing_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
