/* SPDX-License-Identifier: Apache-2.0 */
/* A chat parser in a stream and in lfm2_generate: it gets what pushing the ids would give it, as
 * far as no stop string cuts the text, and never more than the final text. */
#include "support/dictation.h"
#include "support/failing.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S "<|tool_call_start|>"
#define E "<|tool_call_end|>"

enum { MAX_IDS = 512, MAX_LOG = 16384 };

static lft_memory memory;
static lfm2_runtime *runtime;
static lfm2_model *model;

static const char *const answers[] = {
    "Hello.",
    "Yes. " S "[get_time(city='Rome', at={\"h\": 7})]" E "<|im_end|>",
    "<think>why < 2 > 1</think>\n\n" S "[a(x=1), b(y='it is')]" E " done <b> \xC3\xA9\xE2\x82\xAC",
    S "[f(a='<|im_start|>\xF0\x9F\x98\x80')]" E S "[g()]" E "<|im_start|>",
    "\xC3 a\xE2\x82 b\xF0\x9F\xC3\xA9\xA9\xFF <think>\xE2</think>\xE2\x82",
    "a<|startoftext|>b\xC3<|im_start|>\xA9 " S E S "[f(x='\xC3" E "')]",
    "[f(a=1)]\n{\"name\": \"f\", \"arguments\": {\"a\": [1, 2]}}",
    "",
};
enum { N_ANSWERS = sizeof answers / sizeof *answers };

/* ---- Helpers ---- */

/* Events as text, one a line. */
typedef struct event_log {
    char text[MAX_LOG];
    size_t len;
} event_log;

static void take_events(lfm2_chat_parser *p, event_log *log)
{
    lfm2_chat_event e = {.size = sizeof e};
    for (;;) {
        LFT_OK(lfm2_chat_parser_next(p, &e));
        if (e.kind == LFM2_CHAT_EVENT_NONE) {
            return;
        }
        int n = snprintf(log->text + log->len, MAX_LOG - log->len, "%d %u %llu %s %s ", e.kind,
                         e.call, (unsigned long long)e.offset, e.id, e.name);
        assert_true(n > 0 && log->len + (size_t)n + e.len + 2 < MAX_LOG);
        log->len += (size_t)n;
        memcpy(log->text + log->len, e.text, e.len);
        log->len += e.len;
        log->text[log->len++] = '\n';
        log->text[log->len] = '\0';
    }
}

static lfm2_chat_parser *new_parser(uint64_t max_bytes)
{
    static const char tools[] =
        "[{\"name\": \"f\", \"parameters\": {\"properties\": {\"a\": {\"type\": \"string\"}}}}]";
    lfm2_chat_parser_options o;
    lfm2_chat_parser *p = NULL;
    lfm2_chat_parser_options_init(&o, sizeof o);
    o.tools = tools;
    o.tools_len = sizeof tools - 1;
    o.max_bytes = max_bytes;
    LFT_OK(lfm2_chat_parser_create(model, &o, &p));
    return p;
}

static lfm2_stream *new_stream(const lfm2_stream_options *options)
{
    lfm2_sampler *sampler = NULL;
    lfm2_stream *stream = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    LFT_OK(lfm2_stream_create(model, sampler, options, &stream));
    lfm2_sampler_free(sampler);
    return stream;
}

static lfm2_stream_options stream_options(lfm2_chat_parser *parser, const char *const *stop,
                                          uint32_t flags)
{
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    o.parser = parser;
    o.flags = flags;
    o.stop_strings = stop;
    o.n_stop_strings = stop != NULL;
    return o;
}

/* The tokens of an answer. `pieces`: those of its bytes, between its control tokens. */
static size_t tokens_of(const char *text, bool pieces, int32_t *ids)
{
    size_t n = 0;
    size_t len = strlen(text);
    if (!pieces) {
        LFT_OK(lfm2_tokenize(model, text, len, LFM2_TOKENIZE_SPECIAL, ids, MAX_IDS, &n));
        return n;
    }
    int32_t whole[MAX_IDS];
    size_t n_whole = 0;
    LFT_OK(lfm2_tokenize(model, text, len, LFM2_TOKENIZE_SPECIAL, whole, MAX_IDS, &n_whole));
    for (size_t i = 0; i < n_whole; i++) {
        const char *bytes = "";
        size_t n_bytes = 0;
        int32_t kind = 0;
        LFT_OK(lfm2_token_get(model, whole[i], &bytes, &n_bytes, &kind));
        if (kind != LFM2_TOKEN_NORMAL) {
            ids[n++] = whole[i];
            continue;
        }
        for (size_t k = 0; k < n_bytes; k++) {
            ids[n++] = lft_byte_token(model, (uint8_t)bytes[k]);
        }
    }
    return n;
}

static void expect_same(lfm2_chat_parser *a, lfm2_chat_parser *b)
{
    static char x[MAX_LOG], y[MAX_LOG];
    size_t n = 0, m = 0;
    assert_string_equal(lfm2_chat_parser_source(a, &n), lfm2_chat_parser_source(b, &m));
    assert_int_equal(n, m);
    LFT_OK(lfm2_chat_parser_message(a, x, MAX_LOG - 1, &n));
    LFT_OK(lfm2_chat_parser_message(b, y, MAX_LOG - 1, &m));
    x[n] = y[m] = '\0';
    assert_string_equal(x, y);
}

/* Whether the stream leaves the token out: an end token that it ignores and does not show. */
static bool is_left_out(int32_t id, uint32_t flags)
{
    return flags == LFM2_STREAM_IGNORE_EOS && lfm2_token_is_end(model, id) != 0;
}

/* ---- Without stop strings ---- */

/* Step by step the events of pushing the ids. */
static void check_steps(const int32_t *ids, size_t n, uint32_t flags)
{
    static event_log pushed, streamed;
    pushed.len = streamed.len = 0;
    pushed.text[0] = streamed.text[0] = '\0';
    lfm2_chat_parser *a = new_parser(0);
    lfm2_chat_parser *b = new_parser(0);
    const lfm2_stream_options o = stream_options(b, NULL, flags);
    lfm2_stream *stream = new_stream(&o);
    lfm2_stream_step step = {.size = sizeof step};
    for (size_t i = 0; i < n && step.finish == 0; i++) {
        LFT_OK(lfm2_chat_parser_push(a, ids + i, !is_left_out(ids[i], flags)));
        LFT_OK(lfm2_stream_force(stream, ids[i], NULL, 0, &step));
        take_events(a, &pushed);
        take_events(b, &streamed);
        assert_string_equal(pushed.text, streamed.text);
    }
    LFT_OK(lfm2_chat_parser_finish(a));
    LFT_OK(lfm2_stream_flush(stream, &step));
    take_events(a, &pushed);
    take_events(b, &streamed);
    assert_string_equal(pushed.text, streamed.text);
    expect_same(a, b);
    lfm2_stream_free(stream);
    lfm2_chat_parser_free(a);
    lfm2_chat_parser_free(b);
}

static void without_stop_strings(void **state)
{
    (void)state;
    int32_t ids[MAX_IDS];
    for (size_t i = 0; i < 2 * N_ANSWERS; i++) {
        size_t n = tokens_of(answers[i / 2], i % 2 == 1, ids);
        check_steps(ids, n, 0);
        check_steps(ids, n, LFM2_STREAM_SPECIAL);
        check_steps(ids, n, LFM2_STREAM_IGNORE_EOS);
    }
}

/* An end token in the middle of a text shows its name only if the text does. */
static void ignored_end_tokens(void **state)
{
    (void)state;
    const char *const stop[] = {"never"};
    int32_t ids[MAX_IDS];
    size_t n = tokens_of("a<|im_end|>b " S "[f(a=1)]" E "<|im_end|>", false, ids);
    for (uint32_t i = 0; i < 4; i++) {
        lfm2_chat_parser *p = new_parser(0);
        uint32_t special = i % 2 == 0 ? 0 : LFM2_STREAM_SPECIAL;
        const lfm2_stream_options o =
            stream_options(p, i < 2 ? NULL : stop, LFM2_STREAM_IGNORE_EOS | special);
        lfm2_stream *stream = new_stream(&o);
        lfm2_stream_step step = {.size = sizeof step};
        for (size_t k = 0; k < n; k++) {
            LFT_OK(lfm2_stream_force(stream, ids[k], NULL, 0, &step));
        }
        LFT_OK(lfm2_stream_flush(stream, &step));
        assert_string_equal(lfm2_chat_parser_source(p, NULL),
                            special == 0 ? "ab " S "[f(a=1)]" E
                                         : "a<|im_end|>b " S "[f(a=1)]" E "<|im_end|>");
        assert_int_equal(lfm2_chat_parser_calls(p), 1);
        lfm2_stream_free(stream);
        lfm2_chat_parser_free(p);
    }
}

/* ---- With stop strings ---- */

/* Pushes the bytes of tokens that are final: `len` bytes of text, which are those of the tokens. */
static void push_final(lfm2_chat_parser *p, const int32_t *ids, size_t n, size_t len, bool special)
{
    for (size_t i = 0; i < n; i++) {
        const char *bytes = "";
        size_t n_bytes = 0;
        int32_t kind = 0;
        LFT_OK(lfm2_token_get(model, ids[i], &bytes, &n_bytes, &kind));
        if (kind == LFM2_TOKEN_CONTROL && !special) {
            n_bytes = 0;
        }
        if (n_bytes <= len) {
            bool left_out = is_left_out(ids[i], special ? 0 : LFM2_STREAM_IGNORE_EOS);
            LFT_OK(lfm2_chat_parser_push(p, ids + i, !left_out));
            len -= n_bytes;
            continue;
        }
        for (size_t k = 0; k < len; k++) {
            const int32_t id = lft_byte_token(model, (uint8_t)bytes[k]);
            LFT_OK(lfm2_chat_parser_push(p, &id, 1));
        }
        return;
    }
}

/* The parser has the final text; `exact`: which is the source, as no token is without text. */
static void check_cut(const int32_t *ids, size_t n, const char *stop, bool special, bool exact)
{
    lfm2_chat_parser *a = new_parser(0);
    lfm2_chat_parser *b = new_parser(0);
    const lfm2_stream_options o =
        stream_options(b, &stop, LFM2_STREAM_IGNORE_EOS | (special ? LFM2_STREAM_SPECIAL : 0u));
    lfm2_stream *stream = new_stream(&o);
    lfm2_stream_step step = {.size = sizeof step};
    size_t final = 0, source = 0, used = 0;
    for (; used < n && step.finish == 0; used++) {
        LFT_OK(lfm2_stream_force(stream, ids[used], NULL, 0, &step));
        final += step.len;
        lfm2_chat_parser_source(b, &source);
        assert_true(!exact || source == final);
    }
    LFT_OK(lfm2_stream_flush(stream, &step));
    final += step.len;
    push_final(a, ids, used, final, special);
    LFT_OK(lfm2_chat_parser_finish(a));
    expect_same(a, b);
    lfm2_stream_free(stream);
    lfm2_chat_parser_free(a);
    lfm2_chat_parser_free(b);
}

/* Stop strings from every place of the answers that are UTF-8, and some that do not occur. */
static void with_stop_strings(void **state)
{
    (void)state;
    static const char *const never[] = {"!!", "<|tool", "\xC3\xA8", ")]x", "<think>?"};
    int32_t ids[MAX_IDS];
    uint64_t random = 7;
    for (size_t i = 0; i < 2 * N_ANSWERS; i++) {
        const char *text = answers[i / 2];
        const bool special = strchr(text, '|') == NULL || random_below(&random, 2) == 0;
        size_t n = tokens_of(text, i % 2 == 1, ids);
        bool utf8 = strstr(text, "\xC3 ") == NULL && strstr(text, "\xC3<") == NULL;
        for (size_t at = 0; utf8 && at < strlen(text); at++) {
            char stop[32];
            size_t len = 1 + random_below(&random, 12);
            snprintf(stop, sizeof stop, "%.*s", (int)len, text + at);
            bool whole = ((unsigned char)stop[0] & 0xC0) != 0x80 &&
                         ((unsigned char)text[at + strlen(stop)] & 0xC0) != 0x80;
            if (whole) {
                check_cut(ids, n, stop, special, strchr(text, '<') == NULL);
            }
        }
        for (size_t k = 0; utf8 && k < sizeof never / sizeof *never; k++) {
            check_cut(ids, n, never[k], special, false);
        }
    }
}

/* Where bytes are no UTF-8, the cut is found in the text with U+FFFD. */
static void cut_after_invalid_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *stop, *source;
    } cases[] = {
        {"a\xC3z", "z", "a\xC3"},
        {"a\xC3z", "\xEF\xBF\xBD", "a"},
        {"a\xC3z", "q", "a\xC3z"},
        {"a\xF0\x9F\x98!b", "!", "a\xF0\x9F\x98"},
        {"a\xF0\x9F\xC3\xA9!", "\xC3\xA9", "a\xF0\x9F"},
        {"a\xF0\x9F\xC3\xA9!", "\xEF\xBF\xBD\xC3", "a\xF0\x9F\xC3\xA9!"},
        {"\xFF\xFF\xFE<b", "\xEF\xBF\xBD<b", "\xFF\xFF"},
        {"\xE2\x82", "\xE2\x82\xAC", "\xE2\x82"},
        {"x\xE2\x82\xAC", "\xE2\x82\xAC", "x"},
        {"\xE2\xE2\x82\xAC\xE2", "\xE2\x82\xAC", "\xE2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* A stop string that is no UTF-8 is refused: cases with one use its first character. */
        int32_t ids[64];
        size_t n = lft_spell(model, cases[i].text, ids);
        lfm2_chat_parser *p = new_parser(0);
        char stop[16];
        strcpy(stop, cases[i].stop);
        stop[strlen(stop) - (stop[strlen(stop) - 1] == '\xC3')] = '\0';
        if (strcmp(stop, cases[i].stop) != 0) {
            strcat(stop, "\xC3\xA8");
        }
        const char *const strings[] = {stop};
        const lfm2_stream_options o = stream_options(p, strings, 0);
        lfm2_stream *stream = new_stream(&o);
        lfm2_stream_step step = {.size = sizeof step};
        for (size_t k = 0; k < n && step.finish == 0; k++) {
            LFT_OK(lfm2_stream_force(stream, ids[k], NULL, 0, &step));
        }
        LFT_OK(lfm2_stream_flush(stream, &step));
        assert_string_equal(lfm2_chat_parser_source(p, NULL), cases[i].source);
        lfm2_stream_free(stream);
        lfm2_chat_parser_free(p);
    }
}

/* ---- Stop tokens ---- */

static void stop_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *text, *stop, *source;
    } cases[] = {
        {"a " S "[f(a=1)]" E "b", E, "a " S "[f(a=1)]" E},
        {"a<|im_end|>", NULL, "a<|im_end|>"},
        {"a<|im_start|>", "<|im_start|>", "a"},
        {"ab", "b", "a"},
        {"a(b", "b", "a("}, /* "(" is held back */
    };
    const char *const held[] = {"(((", "<|im_end|>x"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t ids[64];
        int32_t stop = 0;
        size_t one = 0;
        size_t n = tokens_of(cases[i].text, true, ids);
        lfm2_chat_parser *p = new_parser(0);
        lfm2_stream_options o = stream_options(p, held, 0);
        o.n_stop_strings = 2;
        if (cases[i].stop != NULL) {
            LFT_OK(lfm2_tokenize(model, cases[i].stop, strlen(cases[i].stop), LFM2_TOKENIZE_SPECIAL,
                                 &stop, 1, &one));
            o.stop_ids = &stop;
            o.n_stop_ids = 1;
        }
        lfm2_stream *stream = new_stream(&o);
        lfm2_stream_step step = {.size = sizeof step};
        for (size_t k = 0; k < n && step.finish == 0; k++) {
            LFT_OK(lfm2_stream_force(stream, ids[k], NULL, 0, &step));
        }
        assert_int_equal(step.finish, LFM2_FINISH_STOP_TOKEN);
        assert_string_equal(lfm2_chat_parser_source(p, NULL), cases[i].source);
        LFT_OK(lfm2_stream_flush(stream, &step));
        assert_int_equal(lfm2_chat_parser_calls(p), i == 0);
        lfm2_stream_free(stream);
        lfm2_chat_parser_free(p);
    }
}

/* ---- Refused, failing ---- */

static void refused(void **state)
{
    (void)state;
    lfm2_model *other = NULL;
    lfm2_chat_parser *p = NULL;
    lfm2_chat_event event = {.size = sizeof event};
    lfm2_stream *stream = NULL;
    lfm2_stream *clone = NULL;
    lfm2_sampler *sampler = NULL;
    lfm2_stream_step step = {.size = sizeof step};
    const int32_t a = lft_byte_token(model, 'a');
    LFT_OK(lfm2_model_load(runtime, LFM2_DEMO_MODEL, NULL, &other));
    LFT_OK(lfm2_chat_parser_create(other, NULL, &p));
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    lfm2_stream_options o = stream_options(p, NULL, 0);
    LFT_FAILS(lfm2_stream_create(model, sampler, &o, &stream), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "generate.parser");
    lfm2_chat_parser_free(p);
    lfm2_model_free(other);
    lfm2_sampler_free(sampler);

    /* A clone has no parser; the parser is to be reset before another text. */
    p = new_parser(0);
    o.parser = p;
    stream = new_stream(&o);
    LFT_OK(lfm2_chat_parser_push(p, &a, 1));
    LFT_OK(lfm2_stream_force(stream, a, NULL, 0, &step));
    LFT_OK(lfm2_stream_clone(stream, &clone));
    LFT_OK(lfm2_stream_force(clone, a, NULL, 0, &step));
    LFT_OK(lfm2_stream_flush(clone, &step));
    LFT_OK(lfm2_stream_flush(stream, &step));
    assert_string_equal(lfm2_chat_parser_source(p, NULL), "aa");
    LFT_FAILS(lfm2_stream_force(stream, a, NULL, 0, &step), LFM2_E_STATE);
    assert_string_equal(lfm2_last_error_code(), "chat_parser.finished");
    LFT_OK(lfm2_stream_force(clone, a, NULL, 0, &step));
    LFT_OK(lfm2_chat_parser_reset(p));
    LFT_OK(lfm2_stream_force(stream, a, NULL, 0, &step));
    assert_int_equal(step.n_generated, 1);
    lfm2_stream_free(clone);
    lfm2_stream_free(stream);
    lfm2_chat_parser_free(p);

    /* The step that exceeds max_bytes succeeds; the parser and the next step fail. */
    p = new_parser(2);
    o.parser = p;
    stream = new_stream(&o);
    for (int i = 0; i < 3; i++) {
        LFT_OK(lfm2_stream_force(stream, a, NULL, 0, &step));
    }
    LFT_FAILS(lfm2_chat_parser_next(p, &event), LFM2_E_LIMIT);
    LFT_FAILS(lfm2_stream_force(stream, a, NULL, 0, &step), LFM2_E_LIMIT);
    assert_string_equal(lfm2_last_error_code(), "chat_parser.max_bytes");
    LFT_OK(lfm2_stream_flush(stream, &step));
    LFT_FAILS(lfm2_chat_parser_next(p, &event), LFM2_E_LIMIT);
    lfm2_stream_free(stream);
    lfm2_chat_parser_free(p);
}

/* A stream with a parser, and the failures of both. */
static int32_t parse_streamed(void)
{
    static const char *const stop[] = {"[f(a='never"};
    int32_t ids[MAX_IDS];
    size_t n = 0;
    lfm2_sampler *sampler = NULL;
    lfm2_chat_parser *p = NULL;
    lfm2_stream *stream = NULL;
    lfm2_stream_step step = {.size = sizeof step};
    lfm2_chat_event e = {.size = sizeof e, .kind = LFM2_CHAT_EVENT_CONTENT};
    int32_t status = lfm2_tokenize(model, answers[3], strlen(answers[3]), LFM2_TOKENIZE_SPECIAL,
                                   ids, MAX_IDS, &n);
    status = status != LFM2_OK ? status : lfm2_sampler_create(model, NULL, &sampler);
    status = status != LFM2_OK ? status : lfm2_chat_parser_create(model, NULL, &p);
    const lfm2_stream_options o = stream_options(p, stop, LFM2_STREAM_SPECIAL);
    status = status != LFM2_OK ? status : lfm2_stream_create(model, sampler, &o, &stream);
    for (size_t i = 0; i < n && status == LFM2_OK; i++) {
        status = lfm2_stream_force(stream, ids[i], NULL, 0, &step);
    }
    if (status == LFM2_OK) {
        LFT_OK(lfm2_stream_flush(stream, &step)); /* it never fails */
    }
    while (status == LFM2_OK && e.kind != LFM2_CHAT_EVENT_NONE) {
        status = lfm2_chat_parser_next(p, &e);
    }
    lfm2_stream_free(stream);
    lfm2_chat_parser_free(p);
    lfm2_sampler_free(sampler);
    return status;
}

static void failing_memory(void **state)
{
    (void)state;
    lft_check_failing(&memory, parse_streamed, NULL);
}

/* ---- Generation ---- */

static lfm2_chat_parser *listened;
static event_log heard;
static int heard_calls, stop_after;

static int32_t listen(void *user, const lfm2_generated_token *token)
{
    lft_dictation *d = user;
    take_events(listened, &heard);
    if (token->id >= 0) {
        d->at++;
        d->sampler->bias_ids[0] = d->ids[d->at < d->n ? d->at : d->n - 1];
    }
    return ++heard_calls == stop_after;
}

/* Generates the tokens with a parser that is compared with one that gets the first `n_parsed`. */
static void check_generated(const int32_t *ids, size_t n, size_t n_parsed, int stop,
                            const char *const *strings)
{
    static event_log pushed;
    pushed.len = heard.len = 0;
    lft_dictation d = lft_dictation_begin(model, ids, n);
    lfm2_chat_parser *a = new_parser(0);
    listened = new_parser(0);
    heard_calls = 0;
    stop_after = stop;
    d.options.callback = listen;
    d.options.callback_user = &d;
    d.options.parser = listened;
    d.options.stop_strings = strings;
    d.options.n_stop_strings = strings != NULL;
    d.sampler->bias_ids[0] = ids[0];
    lft_expect(lfm2_generate(d.session, d.sampler, lft_prompt, LFT_N_PROMPT, &d.options, &d.result),
               stop > 0 ? LFM2_E_STOPPED : LFM2_OK, "lfm2_generate");
    take_events(listened, &heard);
    LFT_OK(lfm2_chat_parser_push(a, ids, n_parsed));
    LFT_OK(lfm2_chat_parser_finish(a));
    take_events(a, &pushed);
    expect_same(a, listened);
    LFT_FAILS(lfm2_generate(d.session, d.sampler, lft_prompt, LFT_N_PROMPT, &d.options, &d.result),
              LFM2_E_STATE);
    lfm2_chat_parser_free(a);
    lfm2_chat_parser_free(listened);
    lft_dictation_end(&d);
}

static void generation(void **state)
{
    (void)state;
    static const char *const cut[] = {"(a"};
    static const char *const held[] = {"a=1)x"};
    int32_t ids[64];
    size_t n = tokens_of("Yes" S "[f(a=1)]" E "<|im_end|>", true, ids);
    check_generated(ids, n, n, 0, NULL);         /* a stop token */
    check_generated(ids, n - 2, n - 2, 0, NULL); /* max_tokens */
    check_generated(ids, n, 6, 6, NULL);         /* the callback */
    check_generated(ids, n, 6, 0, cut);          /* "Yes", the start token, "[f" */
    check_generated(ids, n, 7, 9, held); /* "a=" is held back when the callback ends the text */
    check_generated(ids, 9, 9, 0, held);
}

static int begin(void **state)
{
    (void)state;
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 1;
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    model = lft_load(runtime, LFM2_DEMO_MODEL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_stop_strings), cmocka_unit_test(ignored_end_tokens),
        cmocka_unit_test(with_stop_strings),    cmocka_unit_test(cut_after_invalid_bytes),
        cmocka_unit_test(stop_tokens),          cmocka_unit_test(refused),
        cmocka_unit_test(failing_memory),       cmocka_unit_test(generation),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
