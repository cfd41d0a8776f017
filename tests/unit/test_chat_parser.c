/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of answers: golden cases in every division, random texts, tokens, events, limits.
 * ctest-labels: golden */
#include "common/json.h"
#include "support/answers.h"
#include "support/random.h"
#include "support/text_vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S "<|tool_call_start|>"
#define E "<|tool_call_end|>"

static lf_tokenizer *plain;    /* its vocabulary has no token "<think>" */
static lf_tokenizer *thinking; /* its vocabulary has them */

static int set_up(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    text_vocab v;
    text_vocab_init_small(&v);
    assert_int_equal(lf_tokenizer_create(&alloc, &v.data, false, &plain), LFM2_OK);
    text_vocab_add_string(&v, "<think>", LFM2_TOKEN_USER);
    text_vocab_add_string(&v, "</think>", LFM2_TOKEN_USER);
    assert_int_equal(lf_tokenizer_create(&alloc, &v.data, false, &thinking), LFM2_OK);
    text_vocab_free(&v);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf_tokenizer_free(plain);
    lf_tokenizer_free(thinking);
    return 0;
}

static const lfm2_chat_parser_options defaults = {.size = sizeof defaults};

/* Parses a text in one way; its message must be `want`, or is returned if that is NULL. The caller
 * frees it. */
static char *parse(const lf_tokenizer *t, const lfm2_chat_parser_options *o, const char *text,
                   size_t len, lft_feed feed, uint64_t seed, const char *want)
{
    lf_alloc alloc = lf_alloc_default();
    char *message = NULL;
    const char *broken = lft_answer(&alloc, t, o, text, len, feed, seed, &message);
    if (broken != NULL) {
        fail_msg("feed %d, seed %llu: %s: %s", (int)feed, (unsigned long long)seed, broken, text);
    }
    if (want != NULL && strcmp(message, want) != 0) {
        fail_msg("feed %d, seed %llu: %s\ngives %s\nnot   %s", (int)feed, (unsigned long long)seed,
                 text, message, want);
    }
    return message;
}

/* The same in every way. With `tokens`, too; otherwise tokens may give another message: an end
 * token ends a call even inside of a string. */
static void parse_all(const lfm2_chat_parser_options *o, const char *text, size_t len,
                      const char *want, uint32_t n_random, bool tokens)
{
    free(parse(plain, o, text, len, LFT_WHOLE, 0, want));
    free(parse(plain, o, text, len, LFT_BYTES, 0, want));
    free(parse(plain, o, text, len, LFT_TOKENS, 1, tokens ? want : NULL));
    for (uint32_t seed = 1; seed <= n_random; seed++) {
        free(parse(plain, o, text, len, LFT_RANDOM, seed, want));
    }
}

/* ---- Golden cases ---- */

typedef struct buffer {
    char text[1 << 14];
    size_t len;
} buffer;

static void put(void *user, const char *text, size_t len)
{
    buffer *b = user;
    assert_true(len < sizeof b->text - b->len);
    memcpy(b->text + b->len, text, len);
    b->len += len;
    b->text[b->len] = '\0';
}

static const char *json_of(const lf_json *value, buffer *out)
{
    const lf_json_writer writer = {.write = put, .user = out};
    out->len = 0;
    lf_json_write(&writer, value);
    return out->text;
}

static void check_line(const lf_json *line)
{
    static buffer want;
    static buffer tools;
    const lf_json *text = lf_json_get(line, "t");
    lfm2_chat_parser_options o = defaults;
    if (lf_json_get(line, "tools") != NULL) {
        o.tools = json_of(lf_json_get(line, "tools"), &tools);
        o.tools_len = tools.len;
    }
    o.flags = lf_json_get(line, "o") != NULL ? LFM2_CHAT_PARSE_REASONING : 0;
    json_of(lf_json_get(line, "x"), &want);
    const bool tokens = lf_json_get(line, "text") == NULL;
    parse_all(&o, text->text, text->len, want.text, 3, tokens);
    o.flags |= LFM2_CHAT_PARSE_WHOLE_CALLS;
    parse_all(&o, text->text, text->len, want.text, 1, tokens);
}

static void golden(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    size_t size = 0;
    size_t n = 0;
    char *data = (char *)text_golden_read("parser_cases.jsonl", &size);
    assert_non_null(data);
    for (char *at = data; at < data + size; n++) {
        char *end = memchr(at, '\n', (size_t)(data + size - at));
        assert_non_null(end);
        lf_arena arena;
        const lf_json *line = NULL;
        lf_arena_init(&arena, &alloc);
        assert_int_equal(lf_json_parse(&arena, "case", LFM2_E_TEXT, at, (size_t)(end - at), &line),
                         LFM2_OK);
        check_line(line);
        lf_arena_free(&arena);
        at = end + 1;
    }
    free(data);
    assert_true(n >= 480);
}

/* ---- Random texts: the laws, and the same message for every division ---- */

static size_t random_text(uint64_t *random, char *out, size_t capacity)
{
    static const char *const parts[] = {S,
                                        E,
                                        "<think>",
                                        "</think>",
                                        "<|im_end|>",
                                        "[",
                                        "]",
                                        "f(",
                                        ")",
                                        "a=",
                                        "b=",
                                        ", ",
                                        "'",
                                        "\"",
                                        "'''",
                                        "\\",
                                        "\\u00e9",
                                        "{",
                                        "}",
                                        ": ",
                                        "07",
                                        "1.5e3",
                                        "True",
                                        "null",
                                        "x",
                                        " ",
                                        "\n",
                                        "it's",
                                        "(1, 2)",
                                        "b'",
                                        "f'",
                                        "\xE2\x82\xAC",
                                        "\xE2\x82",
                                        "\xFF",
                                        "<",
                                        "[f(a='b')]",
                                        "f(a=1)",
                                        "g()",
                                        "\"name\": \"f\"",
                                        "{\"name\": \"f\", \"arguments\": {",
                                        "\"arguments\": \"{}\"",
                                        "<|tool_call_",
                                        "\\ud83d"};
    size_t len = 0;
    uint32_t n = random_below(random, 24);
    bool starts = random_below(random, 2) == 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = random_below(random, sizeof parts / sizeof parts[0]);
        const char *part = i == 0 && starts ? S "[" : parts[k];
        size_t bytes = strlen(part);
        if (bytes <= capacity - len) {
            memcpy(out + len, part, bytes);
            len += bytes;
        }
    }
    out[len] = '\0';
    return len;
}

static void random_texts(void **state)
{
    (void)state;
    static const char tools[] =
        "[{\"function\": {\"name\": \"f\", \"parameters\": {\"properties\": "
        "{\"a\": {\"type\": \"string\"}}}}}]";
    uint64_t random = 20260307;
    for (uint32_t i = 0; i < 6000; i++) {
        char text[1024];
        lfm2_chat_parser_options o = defaults;
        o.flags = random_below(&random, 4);
        if (random_below(&random, 2) == 0) {
            o.tools = tools;
            o.tools_len = sizeof tools - 1;
        }
        size_t len = random_text(&random, text, sizeof text - 1);
        char *whole = parse(plain, &o, text, len, LFT_WHOLE, 0, NULL);
        parse_all(&o, text, len, whole, 1, false);
        free(whole);
        whole = parse(thinking, &o, text, len, LFT_WHOLE, 0, NULL);
        free(parse(thinking, &o, text, len, LFT_BYTES, 0, whole));
        free(parse(thinking, &o, text, len, LFT_TOKENS, i, NULL));
        free(whole);
    }
}

/* ---- Tokens ---- */

static lf_chat_parser *create(const lf_alloc *alloc, const lf_tokenizer *t,
                              const lfm2_chat_parser_options *o)
{
    lf_chat_parser *p = NULL;
    assert_int_equal(lf_chat_parser_create(alloc, t, o, &p), LFM2_OK);
    return p;
}

static const char *message_of(const lf_chat_parser *p)
{
    static buffer out;
    const lf_json_writer writer = {.write = put, .user = &out};
    out.len = 0;
    lf_chat_parser_write(p, &writer);
    return out.text;
}

#define CONTENT(text) "{\"role\": \"assistant\", \"content\": \"" text "\""

/* Pushes a text as tokens; `special`: control tokens that it spells become tokens. */
static const char *tokens_give(const lf_tokenizer *t, const char *text, bool special)
{
    lf_alloc alloc = lf_alloc_default();
    int32_t ids[256];
    size_t n = 0;
    const lf_span span = {text, strlen(text), special};
    lf_chat_parser *p = create(&alloc, t, &defaults);
    assert_int_equal(lf_tokenizer_encode(t, &span, 1, false, ids, 256, &n), LFM2_OK);
    assert_int_equal(lf_chat_parser_push(p, ids, n), LFM2_OK);
    assert_int_equal(lf_chat_parser_finish(p), LFM2_OK);
    const char *message = message_of(p);
    lf_chat_parser_free(p);
    return message;
}

static void tokens(void **state)
{
    (void)state;
    const char call[] = S "[f()]" E;
    assert_string_equal(tokens_give(plain, call, false), CONTENT(S "[f()]" E) "}");
    assert_non_null(strstr(tokens_give(plain, call, true), "\"name\": \"f\""));
    /* "<think>" as text begins reasoning only without tokens for it. */
    const char thought[] = "<think>a</think>b";
    assert_string_equal(tokens_give(plain, thought, false),
                        CONTENT("b") ", \"reasoning_content\": \"a\"}");
    assert_string_equal(tokens_give(thinking, thought, false), CONTENT("<think>a</think>b") "}");
    assert_string_equal(tokens_give(thinking, thought, true),
                        CONTENT("b") ", \"reasoning_content\": \"a\"}");
    assert_string_equal(tokens_give(thinking, "x <think>a</think>b", true),
                        CONTENT("x b") ", \"reasoning_content\": \"a\"}");
    /* Other control tokens are content, by name; an end token ends the answer. */
    assert_string_equal(tokens_give(plain, "a<|im_start|>b<|im_end|>\n", true),
                        CONTENT("a<|im_start|>b") "}");
    int32_t id = 1 << 30;
    lf_alloc alloc = lf_alloc_default();
    lf_chat_parser *p = create(&alloc, plain, &defaults);
    assert_int_equal(lf_chat_parser_push(p, &id, 1), LFM2_E_ARGUMENT);
    assert_int_equal(lf_chat_parser_finish(p), LFM2_OK);
    lf_chat_parser_free(p);
}

/* ---- Events ---- */

/* Pushes text and takes the events, as "c:text|..." */
static const char *events(lf_chat_parser *p, const char *text)
{
    static const char kinds[] = "-crsaeu";
    static char out[1024];
    lfm2_chat_event e = {.size = sizeof e};
    size_t n = 0;
    out[0] = '\0';
    assert_int_equal(text != NULL ? lf_chat_parser_push_text(p, text, strlen(text))
                                  : lf_chat_parser_finish(p),
                     LFM2_OK);
    for (;;) {
        assert_int_equal(lf_chat_parser_next(p, &e), LFM2_OK);
        if (e.kind == LFM2_CHAT_EVENT_NONE) {
            return out;
        }
        n += (size_t)snprintf(out + n, sizeof out - n, "%c%u%s:%s%s|", kinds[e.kind], e.call, e.id,
                              e.name, e.text);
    }
}

static void arguments_stream(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lf_chat_parser *p = create(&alloc, plain, &defaults);
    assert_string_equal(events(p, "Hi \xC3"), "c0:Hi |");
    assert_string_equal(events(p, "\xA9 " S "[wr"), "c0:\xC3\xA9 |");
    assert_string_equal(events(p, "ite("), "s0call_0:write|a0:{|");
    assert_string_equal(events(p, "n=1"), "a0:\"n\": |");
    assert_string_equal(events(p, "2, text='It"), "a0:12, \"text\": \"It|");
    assert_string_equal(events(p, " is \\"), "a0: is |");
    assert_string_equal(events(p, "n late"), "a0:\\n late|");
    assert_string_equal(events(p, "'"), "");
    assert_string_equal(events(p, ", x={"), "a0:\", \"x\": |");
    assert_string_equal(events(p, "'k'"), "");
    assert_string_equal(events(p, ": 1"), "a0:{\"k\": |");
    assert_string_equal(events(p, "}), g("), "a0:1}}|e0:|s1call_1:g|a1:{|");
    assert_string_equal(message_of(p),
                        CONTENT("Hi \xC3\xA9 ") ", \"tool_calls\": [{\"id\": \"call_0\", "
                                                "\"type\": \"function\", \"function\": {\"name\": "
                                                "\"write\", \"arguments\": \"{\\\"n\\\": "
                                                "12, \\\"text\\\": \\\"It is \\\\n late\\\", "
                                                "\\\"x\\\": {\\\"k\\\": 1}}\"}}]}");
    assert_string_equal(events(p, "b'x'"), "u1:|");
    assert_string_equal(events(p, "), h()]" E), "c0:g(b'x')|s1call_1:h|a1:{}|e1:|");
    assert_string_equal(events(p, NULL), "");
    lf_chat_parser_reset(p);
    assert_string_equal(events(p, S "[f(x=1"), "s0call_0:f|a0:{\"x\": |");
    assert_string_equal(events(p, NULL), "u0:|c0:" S "[f(x=1|");
    lf_chat_parser_free(p);
}

/* Text is held back only while it may be a call. */
static void content_streams(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lfm2_chat_parser_options o = defaults;
    o.tools = "[{\"name\": \"get_time\"}]";
    o.tools_len = strlen(o.tools);
    lf_chat_parser *p = create(&alloc, plain, &o);
    assert_string_equal(events(p, "g"), "");
    assert_string_equal(events(p, "ood"), "c0:good|");
    assert_string_equal(events(p, " ["), "c0: |");
    assert_string_equal(events(p, "1"), "");
    assert_string_equal(events(p, "]"), "c0:[1]|");
    assert_string_equal(events(p, "<|tool"), "");
    assert_string_equal(events(p, "s"), "c0:<|tools|");
    lf_chat_parser_reset(p);
    assert_string_equal(events(p, "H"), "c0:H|");
    lf_chat_parser_reset(p);
    assert_string_equal(events(p, "get_time"), "");
    assert_string_equal(events(p, "s"), "c0:get_times|");
    lf_chat_parser_reset(p);
    assert_string_equal(events(p, "{\"a"), "");
    assert_string_equal(events(p, "\": 1"), "c0:{\"a\": 1|");
    lf_chat_parser_free(p);
}

static void whole_calls(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lfm2_chat_parser_options o = defaults;
    o.flags = LFM2_CHAT_PARSE_WHOLE_CALLS;
    o.id_prefix = "m7-";
    lf_chat_parser *p = create(&alloc, plain, &o);
    assert_string_equal(events(p, S "[f(x=1"), "");
    assert_string_equal(events(p, "), g("), "s0m7-0:f|a0:{\"x\": 1}|e0:|");
    assert_string_equal(events(p, "1)]" E), "c0:g(1)|");
    assert_string_equal(events(p, NULL), "");
    lf_chat_parser_free(p);
}

static void calls_know_their_text(void **state)
{
    (void)state;
    static const char text[] = "Hi " S "[f(x=1) , g.h( y = 'z' )]" E "!";
    lf_alloc alloc = lf_alloc_default();
    lf_chat_parser *p = create(&alloc, plain, &defaults);
    size_t n = 0;
    events(p, text);
    events(p, NULL);
    const char *source = lf_chat_parser_source(p, &n);
    assert_int_equal(n, strlen(text));
    assert_string_equal(source, text);
    assert_int_equal(lf_chat_parser_calls(p), 2);
    lfm2_chat_call call = lf_chat_parser_call(p, 1);
    assert_string_equal(call.name, "g.h");
    assert_string_equal(call.arguments, "{\"y\": \"z\"}");
    assert_int_equal(call.arguments_len, strlen(call.arguments));
    assert_int_equal(call.source_len, strlen("g.h( y = 'z' )"));
    assert_memory_equal(source + call.offset, "g.h( y = 'z' )", call.source_len);
    lf_chat_parser_free(p);
}

/* ---- Options, limits, states ---- */

static int32_t create_with(const char *tools, const char *prefix)
{
    lf_alloc alloc = lf_alloc_default();
    lfm2_chat_parser_options o = defaults;
    lf_chat_parser *p = NULL;
    o.tools = tools;
    o.tools_len = tools != NULL ? strlen(tools) : 0;
    o.id_prefix = prefix;
    int32_t status = lf_chat_parser_create(&alloc, plain, &o, &p);
    lf_chat_parser_free(p);
    return status;
}

static void options(void **state)
{
    (void)state;
    char longest[258];
    memset(longest, 'x', sizeof longest);
    longest[257] = '\0';
    assert_int_equal(create_with("[]", ""), LFM2_OK);
    assert_int_equal(create_with("[1, \"f\", {}, {\"function\": 3}, {\"name\": 4}]", NULL),
                     LFM2_OK);
    assert_int_equal(create_with("{}", NULL), LFM2_E_TEXT);
    assert_int_equal(create_with("[", NULL), LFM2_E_TEXT);
    assert_int_equal(create_with("", NULL), LFM2_OK); /* not known */
    assert_int_equal(create_with(NULL, longest), LFM2_E_ARGUMENT);
    assert_int_equal(create_with(NULL, longest + 1), LFM2_OK);
    assert_int_equal(create_with(NULL, "\xFF"), LFM2_E_ARGUMENT);
}

static void limits(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lfm2_chat_parser_options o = defaults;
    o.max_bytes = 10;
    lf_chat_parser *p = create(&alloc, plain, &o);
    assert_string_equal(events(p, "12345678"), "c0:12345678|");
    assert_int_equal(lf_chat_parser_push_text(p, "901", 3), LFM2_E_LIMIT);
    assert_string_equal(events(p, "90"), "c0:90|");
    assert_string_equal(events(p, NULL), "");
    assert_int_equal(lf_chat_parser_push_text(p, "", 0), LFM2_E_STATE);
    assert_int_equal(lf_chat_parser_finish(p), LFM2_E_STATE);
    lf_chat_parser_reset(p);
    assert_string_equal(events(p, "1"), "c0:1|");
    lf_chat_parser_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(random_texts),
        cmocka_unit_test(tokens),
        cmocka_unit_test(arguments_stream),
        cmocka_unit_test(content_streams),
        cmocka_unit_test(whole_calls),
        cmocka_unit_test(calls_know_their_text),
        cmocka_unit_test(options),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
