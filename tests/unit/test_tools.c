/* SPDX-License-Identifier: Apache-2.0 */
/* Constraints from tool lists: calls against Python and jsonschema (golden/text/tool_calls.jsonl),
 * choices, reasoning, refused lists, sampled calls.
 * ctest-labels: golden */
#include "common/json.h"
#include "support/models.h"
#include "support/text_vocab.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START "<|tool_call_start|>"
#define END   "<|tool_call_end|>"

static lfm2_model *model;

static const char tools[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": {\"type\": "
    "\"object\", \"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": {\"type\": \"string\"}}, "
    "\"required\": [\"a\"]}}}, {\"name\": \"g\"}]";

static lfm2_constraint *compile(const char *list, size_t len, int32_t choice, const char *name,
                                uint32_t flags, int32_t reasoning)
{
    lfm2_constraint_options o;
    lfm2_constraint_options_init(&o, sizeof o);
    o.tool_choice = choice;
    o.tool_name = name;
    o.flags = flags;
    o.reasoning = reasoning;
    lfm2_constraint *constraint = NULL;
    LFT_OK(lfm2_constraint_create(model, LFM2_CONSTRAINT_TOOLS, list, len, &o, &constraint));
    return constraint;
}

/* Whether the tokens of the text, with control tokens, are allowed and the text may end. */
static bool allows(lfm2_constraint *constraint, const char *text)
{
    int32_t ids[1024];
    size_t n = 0;
    lfm2_matcher *m = NULL;
    int32_t status = LFM2_OK;
    LFT_OK(lfm2_matcher_create(constraint, &m));
    LFT_OK(lfm2_tokenize(model, text, strlen(text), LFM2_TOKENIZE_SPECIAL, ids, 1024, &n));
    for (size_t i = 0; i < n && status == LFM2_OK; i++) {
        status = lfm2_matcher_accept(m, ids[i]);
    }
    assert_true(status == LFM2_OK || status == LFM2_E_ARGUMENT);
    bool is = status == LFM2_OK && lfm2_matcher_is_complete(m) == 1;
    lfm2_matcher_free(m);
    return is;
}

/* ---- Calls ---- */

static void golden(void **state)
{
    (void)state;
    size_t size = 0, texts = 0, wrong = 0;
    uint8_t *file = text_golden_read("tool_calls.jsonl", &size);
    assert_non_null(file);
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    lfm2_constraint *c = NULL;
    for (const char *line = (const char *)file; *line != '\0'; texts++) {
        const char *end = strchr(line, '\n');
        const lf_json *json = NULL;
        assert_non_null(end);
        assert_int_equal(
            lf_json_parse(&arena, "line", LFM2_E_TEXT, line, (size_t)(end - line), &json), LFM2_OK);
        if (texts == 0) {
            size_t skip = strlen("{\"tools\": ");
            c = compile(line + skip, (size_t)(end - line) - skip - 1, LFM2_TOOL_CHOICE_REQUIRED,
                        NULL, 0, 0);
        } else {
            char text[2048];
            snprintf(text, sizeof text, START "%s" END, lf_json_get(json, "t")->text);
            if (allows(c, text) != (lf_json_get(json, "ok")->kind == LF_JSON_TRUE)) {
                print_error("wrong: %s\n", text);
                wrong++;
            }
        }
        line = end + 1;
    }
    lfm2_constraint_free(c);
    lf_arena_free(&arena);
    free(file);
    assert_true(texts > 300);
    assert_int_equal(wrong, 0);
}

/* ---- Choices ---- */

static void expect(lfm2_constraint *c, const char *const *accepted, const char *const *refused)
{
    for (; *accepted != NULL; accepted++) {
        if (!allows(c, *accepted)) {
            fail_msg("refused: %s", *accepted);
        }
    }
    for (; *refused != NULL; refused++) {
        if (allows(c, *refused)) {
            fail_msg("accepted: %s", *refused);
        }
    }
    lfm2_constraint_free(c);
}

#define CALL START "[f(a=1)]" END
#define TWO  START "[f(a=1), g()]" END

static void choices(void **state)
{
    (void)state;
    const size_t len = sizeof tools - 1;
    expect(compile(tools, len, LFM2_TOOL_CHOICE_REQUIRED, NULL, 0, 0),
           (const char *const[]){CALL, TWO, START "[g()]" END, START "[f(a=-3, b='x')]" END, NULL},
           (const char *const[]){"", "text", "text " CALL, CALL " text", CALL CALL, START "[]" END,
                                 START "[f(b='x')]" END, START "[f(b='x', a=1)]" END,
                                 START "[f(a=1)]", "[f(a=1)]", START "[h()]" END, NULL});
    expect(compile(tools, len, LFM2_TOOL_CHOICE_REQUIRED, NULL, LFM2_CONSTRAINT_ONE_CALL, 0),
           (const char *const[]){CALL, NULL}, (const char *const[]){TWO, "", NULL});
    expect(compile(tools, len, LFM2_TOOL_CHOICE_NAMED, "g", 0, 0),
           (const char *const[]){START "[g()]" END, START "[g(), g()]" END, NULL},
           (const char *const[]){CALL, TWO, "", NULL});
    expect(compile(tools, len, LFM2_TOOL_CHOICE_AUTO, NULL, 0, 0),
           (const char *const[]){"", "text", "t\xC3\xA9xt " CALL, CALL " text", CALL CALL,
                                 "a " TWO " b " CALL " c", "[f(a=1)]", "<|tool_list_start|>", NULL},
           (const char *const[]){START, START "[f(a='x')]" END, "text " START "[h()]" END,
                                 CALL START, NULL});
    expect(compile(tools, len, LFM2_TOOL_CHOICE_AUTO, NULL, LFM2_CONSTRAINT_ONE_CALL, 0),
           (const char *const[]){"", "text", "text " CALL " text", NULL},
           (const char *const[]){CALL CALL, TWO, CALL " text " CALL, NULL});
    expect(compile(tools, len, LFM2_TOOL_CHOICE_NONE, NULL, 0, 0),
           (const char *const[]){"", "text", "[f(a=1)]", NULL},
           (const char *const[]){CALL, "text " CALL, START, NULL});
    expect(compile("[]", 2, LFM2_TOOL_CHOICE_AUTO, NULL, 0, 0),
           (const char *const[]){"", "text", NULL}, (const char *const[]){CALL, START, NULL});
    /* Nothing in reasoning is constrained. */
    expect(compile(tools, len, LFM2_TOOL_CHOICE_REQUIRED, NULL, 0, LFM2_REASONING_OPEN),
           (const char *const[]){"hm " START "[ </think>\n" CALL, NULL},
           (const char *const[]){CALL, "hm</think>text", "hm " CALL, NULL});
    expect(compile(tools, len, LFM2_TOOL_CHOICE_NONE, NULL, 0, LFM2_REASONING_ALLOWED),
           (const char *const[]){"<think>" CALL "</think>text", "text", NULL},
           (const char *const[]){"<think></think>" CALL, NULL});
    static const char formatted[] =
        "{\"tools\": [{\"name\": \"g\"}], \"content_schema\": {\"type\": \"boolean\"}}";
    const size_t n = sizeof formatted - 1;
    expect(compile(formatted, n, LFM2_TOOL_CHOICE_AUTO, NULL, 0, 0),
           (const char *const[]){"true", "false", START "[g()]" END, START "[g(), g()]" END, NULL},
           (const char *const[]){"", "text", "true " START "[g()]" END, START "[g()]" END "true",
                                 "1", NULL});
    expect(compile(formatted, n, LFM2_TOOL_CHOICE_NONE, NULL, 0, 0),
           (const char *const[]){"true", NULL},
           (const char *const[]){"", "text", START "[g()]" END, NULL});
    expect(compile(formatted, n, LFM2_TOOL_CHOICE_REQUIRED, NULL, 0, 0),
           (const char *const[]){START "[g()]" END, NULL}, (const char *const[]){"", "true", NULL});
}

/* ---- Refused lists ---- */

static void expect_refused(const char *list, int32_t choice, const char *name, uint32_t flags,
                           int32_t status, const char *code, const char *message)
{
    lfm2_constraint_options o;
    lfm2_constraint_options_init(&o, sizeof o);
    o.tool_choice = choice;
    o.tool_name = name;
    o.flags = flags;
    lfm2_constraint *constraint = NULL;
    LFT_FAILS(
        lfm2_constraint_create(model, LFM2_CONSTRAINT_TOOLS, list, strlen(list), &o, &constraint),
        status);
    if (strcmp(lfm2_last_error_code(), code) != 0 || strstr(lfm2_last_error(), message) == NULL) {
        fail_msg("%s: %s: %s", list, lfm2_last_error_code(), lfm2_last_error());
    }
}

static void refused(void **state)
{
    (void)state;
    const char *odd = "[{\"name\": \"f\", \"parameters\": {\"properties\": {\"a b\": {}}}}]";
    const char *unsupported = "[{\"name\": \"f\", \"parameters\": {\"type\": \"object\", "
                              "\"properties\": {\"a\": {\"$ref\": \"https://example.org/s\"}}}}]";
    expect_refused("{}", 0, NULL, 0, LFM2_E_TEXT, "tools.list", "not a JSON array");
    expect_refused("[", 0, NULL, 0, LFM2_E_TEXT, "json.truncated", "tools");
    expect_refused("[1]", 0, NULL, 0, LFM2_E_TEXT, "tools.name", "tool 0");
    expect_refused("[{\"name\": \"f\"}, {}]", 0, NULL, 0, LFM2_E_TEXT, "tools.name", "tool 1");
    expect_refused("[{\"name\": \"f(\"}]", 0, NULL, 0, LFM2_E_TEXT, "tools.name", "tool 0");
    expect_refused("[]", LFM2_TOOL_CHOICE_REQUIRED, NULL, 0, LFM2_E_TEXT, "tools.missing", "");
    expect_refused(tools, LFM2_TOOL_CHOICE_NAMED, "h", 0, LFM2_E_TEXT, "tools.missing", "'h'");
    expect_refused(tools, LFM2_TOOL_CHOICE_NAMED, NULL, 0, LFM2_E_ARGUMENT, "constraint.option",
                   "tool_name");
    expect_refused(odd, 0, NULL, 0, LFM2_E_UNSUPPORTED, "schema.unsupported", "tool 'f'");
    expect_refused(unsupported, 0, NULL, 0, LFM2_E_UNSUPPORTED, "schema.unsupported", "tool 'f'");
}

/* ---- Sampled calls ---- */

/* What a model with random weights generates under the constraint is a call. */
static void sampled(void **state)
{
    (void)state;
    static const int32_t prompt[] = {1, 300, 301};
    lfm2_constraint *c =
        compile(tools, sizeof tools - 1, LFM2_TOOL_CHOICE_REQUIRED, NULL, 0, LFM2_REASONING_NONE);
    for (uint64_t seed = 0; seed < 10; seed++) {
        lfm2_session *session = lft_session(model, 512, 0, LFM2_KV_F16);
        lfm2_sampler_options so;
        lfm2_sampler_options_init(&so, sizeof so, NULL);
        so.temperature = 1.2f;
        so.min_p = 0;
        so.seed = seed;
        lfm2_sampler *sampler = NULL;
        LFT_OK(lfm2_sampler_create(model, &so, &sampler));
        lfm2_generate_options o;
        lfm2_generate_options_init(&o, sizeof o);
        o.constraint = c;
        o.max_tokens = 400;
        lfm2_generate_result result = {.size = sizeof result};
        LFT_OK(lfm2_generate(session, sampler, prompt, 3, &o, &result));
        if (result.finish == LFM2_FINISH_STOP_TOKEN) {
            int32_t ids[512];
            char text[4096];
            size_t len = 0;
            uint32_t n = lfm2_session_length(session);
            LFT_OK(lfm2_session_tokens(session, 0, n, ids));
            LFT_OK(lfm2_detokenize(model, ids + 3, n - 4, LFM2_DETOKENIZE_SPECIAL, text,
                                   sizeof text - 1, &len));
            text[len] = '\0';
            if (!allows(c, text)) {
                fail_msg("not allowed: %s", text);
            }
        }
        lfm2_sampler_free(sampler);
        lfm2_session_free(session);
    }
    lfm2_constraint_free(c);
}

static int setup(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("Q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(choices),
        cmocka_unit_test(refused),
        cmocka_unit_test(sampled),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
