/* SPDX-License-Identifier: Apache-2.0 */
/* Streams fed with made-up logits: text, stop conditions, forced tokens, the hook, refused calls.
 */
#include "support/dictation.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static lfm2_model *model;
static uint32_t n_vocab;
static int32_t eos;
static float *logits; /* [n_vocab] without a clear favorite */

/* ---- Helpers ---- */

static lfm2_stream_options defaults(void)
{
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    return o;
}

/* The stream holds the only reference to its sampler, which draws at random. */
static lfm2_stream *make(const lfm2_stream_options *options)
{
    lfm2_sampler_options so;
    lfm2_sampler_options_init(&so, sizeof so, NULL);
    so.temperature = 1;
    so.min_p = 0;
    so.seed = 3;
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, &so, &sampler));
    lfm2_stream *stream = NULL;
    LFT_OK(lfm2_stream_create(model, sampler, options, &stream));
    assert_ptr_equal(lfm2_stream_sampler(stream), sampler);
    lfm2_sampler_free(sampler);
    return stream;
}

static lfm2_stream_step force(lfm2_stream *stream, int32_t id)
{
    lfm2_stream_step step = {.size = sizeof step};
    LFT_OK(lfm2_stream_force(stream, id, NULL, 0, &step));
    assert_int_equal(step.id, id);
    assert_int_equal(step.text[step.len], '\0');
    assert_true(step.logprob == 0 && step.n_top == 0);
    return step;
}

static lfm2_stream_step sample(lfm2_stream *stream)
{
    lfm2_stream_step step = {.size = sizeof step};
    LFT_OK(lfm2_stream_sample(stream, logits, n_vocab, &step));
    assert_int_equal(step.text[step.len], '\0');
    return step;
}

static lfm2_stream_step flush(lfm2_stream *stream)
{
    lfm2_stream_step step = {.size = sizeof step};
    LFT_OK(lfm2_stream_flush(stream, &step));
    assert_int_equal(step.id, -1);
    assert_int_equal(step.text[step.len], '\0');
    return step;
}

typedef struct written {
    char text[256];
    size_t len;
    lfm2_stream_step last;
} written;

static void append(written *w, const lfm2_stream_step *step)
{
    assert_true(w->len + step->len < sizeof w->text);
    memcpy(w->text + w->len, step->text, step->len);
    w->len += step->len;
    w->text[w->len] = '\0';
    w->last = *step;
}

/* Forces the bytes of a text until it ends, then flushes. */
static written write_down(lfm2_stream *stream, const char *text)
{
    written w = {.text = ""};
    int32_t ids[256];
    size_t n = lft_spell(model, text, ids);
    for (size_t i = 0; i < n && w.last.finish == 0; i++) {
        lfm2_stream_step step = force(stream, ids[i]);
        assert_int_equal(step.n_generated, i + 1);
        append(&w, &step);
    }
    lfm2_stream_step last = w.last;
    lfm2_stream_step step = flush(stream);
    assert_int_equal(step.finish, last.finish);
    assert_int_equal(step.n_generated, last.n_generated);
    append(&w, &step);
    w.last = last;
    return w;
}

/* ---- Text ---- */

static void test_characters(void **state)
{
    (void)state;
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF0\x9F!";
    static const size_t lens[] = {1, 0, 2, 0, 0, 3, 0, 0, 0, 4, 0, 0, 4};
    lfm2_stream *stream = make(NULL);
    int32_t ids[64];
    size_t n = lft_spell(model, text, ids);
    assert_int_equal(n, 13);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(force(stream, ids[i]).len, lens[i]);
    }
    assert_int_equal(flush(stream).len, 0);
    written w = write_down(stream, "x\xF0\x9F"); /* another text */
    assert_string_equal(w.text, "x\xEF\xBF\xBD");
    lfm2_stream_free(stream);
}

static void test_control_tokens(void **state)
{
    (void)state;
    int32_t id = 0;
    const char *name = NULL;
    size_t len = 0;
    for (int32_t kind = 0; kind != LFM2_TOKEN_CONTROL || lfm2_token_is_end(model, id) != 0; id++) {
        LFT_OK(lfm2_token_get(model, id + 1, &name, &len, &kind));
    }
    lfm2_stream *stream = make(NULL);
    assert_int_equal(force(stream, id).len, 0);
    lfm2_stream_free(stream);
    lfm2_stream_options o = defaults();
    o.flags = LFM2_STREAM_SPECIAL;
    stream = make(&o);
    lfm2_stream_step step = force(stream, id);
    assert_int_equal(step.len, len);
    assert_memory_equal(step.text, name, len);
    lfm2_stream_free(stream);
}

/* ---- Ends ---- */

static void test_stop_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
        int32_t stop; /* -1: none */
    } cases[] = {
        {"xSTOPy", "x", 0},
        {"xSTy", "xSTy", -1},
        {"xSTO", "xSTO", -1},
        {"STSTOP", "ST", 0},
        {"a\n\nb", "a", 1},
        {"z\xE2\x82\xAC.", "z", 2},
        {"\xE2\x82", "\xEF\xBF\xBD", -1},
    };
    static const char *const stops[] = {"STOP", "\n\n", "\xE2\x82\xAC."};
    lfm2_stream_options o = defaults();
    o.stop_strings = stops;
    o.n_stop_strings = 3;
    lfm2_stream *stream = make(&o); /* for all texts */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        written w = write_down(stream, cases[i].text);
        assert_string_equal(w.text, cases[i].expected);
        assert_int_equal(w.last.finish, cases[i].stop < 0 ? 0 : LFM2_FINISH_STOP_STRING);
        assert_int_equal(w.last.stop_string, cases[i].stop);
    }
    lfm2_stream_free(stream);
}

/* The options are copied. */
static void test_copied(void **state)
{
    (void)state;
    char first[] = "no";
    const char *stops[] = {first};
    int32_t ids[] = {lft_byte_token(model, 'q')};
    lfm2_stream_options o = defaults();
    o.stop_strings = stops;
    o.n_stop_strings = 1;
    o.stop_ids = ids;
    o.n_stop_ids = 1;
    lfm2_stream *stream = make(&o);
    first[0] = 'x';
    stops[0] = NULL;
    int32_t q = ids[0];
    ids[0] = 0;
    assert_int_equal(write_down(stream, "ano").last.finish, LFM2_FINISH_STOP_STRING);
    assert_int_equal(force(stream, q).finish, LFM2_FINISH_STOP_TOKEN);
    lfm2_stream_free(stream);
}

static void test_stop_tokens(void **state)
{
    (void)state;
    const int32_t b = lft_byte_token(model, 'b');
    const char *string = "abc";
    lfm2_stream_options o = defaults();
    o.stop_ids = &b;
    o.n_stop_ids = 1;
    o.stop_strings = &string;
    o.n_stop_strings = 1;
    lfm2_stream *stream = make(&o);
    force(stream, lft_byte_token(model, 'x'));
    force(stream, lft_byte_token(model, 'a')); /* held back */
    lfm2_stream_step step = force(stream, b);
    assert_true(step.finish == LFM2_FINISH_STOP_TOKEN && step.len == 0 && step.n_generated == 2);
    assert_int_equal(step.stop_string, -1);
    LFT_FAILS(lfm2_stream_force(stream, b, NULL, 0, &step), LFM2_E_STATE);
    assert_string_equal(lfm2_last_error_code(), "stream.finished");
    LFT_FAILS(lfm2_stream_sample(stream, logits, n_vocab, &step), LFM2_E_STATE);
    step = flush(stream);
    assert_int_equal(step.finish, LFM2_FINISH_STOP_TOKEN);
    assert_string_equal(step.text, "a");
    assert_int_equal(force(stream, eos).finish, LFM2_FINISH_STOP_TOKEN); /* after the flush */
    lfm2_stream_free(stream);
    o.flags = LFM2_STREAM_IGNORE_EOS;
    stream = make(&o);
    assert_int_equal(force(stream, eos).finish, 0);
    assert_int_equal(force(stream, b).finish, LFM2_FINISH_STOP_TOKEN);
    lfm2_stream_free(stream);
}

static void test_length(void **state)
{
    (void)state;
    const char *string = "ab";
    lfm2_stream_options o = defaults();
    o.max_tokens = 2;
    o.stop_strings = &string;
    o.n_stop_strings = 1;
    lfm2_stream *stream = make(&o);
    for (int i = 0; i < 2; i++) { /* the flush resets the count */
        written w = write_down(stream, "xaz");
        assert_int_equal(w.last.finish, LFM2_FINISH_LENGTH);
        assert_int_equal(w.last.n_generated, 2);
        assert_string_equal(w.text, "xa");
    }
    assert_int_equal(write_down(stream, "ab").last.finish, LFM2_FINISH_STOP_STRING);
    lfm2_stream_free(stream);
}

/* ---- Log-probabilities and forced tokens ---- */

static void expect_logprobs(const lfm2_stream_step *step, const double *expected, uint32_t n_top)
{
    assert_true(fabs((double)step->logprob - expected[step->id]) < 1e-4);
    assert_int_equal(step->n_top, n_top);
    for (uint32_t i = 0; i < n_top; i++) {
        assert_true(fabs((double)step->top_logprobs[i] - expected[step->top_ids[i]]) < 1e-4);
        assert_true(i == 0 || step->top_logprobs[i] <= step->top_logprobs[i - 1]);
    }
}

static void test_logprobs(void **state)
{
    (void)state;
    double *expected = calloc(n_vocab, sizeof *expected);
    assert_non_null(expected);
    lft_log_softmax(logits, n_vocab, expected);
    lfm2_stream_options o = defaults();
    o.flags = LFM2_STREAM_IGNORE_EOS;
    lfm2_stream *none = make(&o);
    o.flags |= LFM2_STREAM_LOGPROBS;
    lfm2_stream *own = make(&o);
    o.flags = LFM2_STREAM_IGNORE_EOS;
    o.n_top = 5;
    lfm2_stream *top = make(&o);
    for (int i = 0; i < 10; i++) { /* the same sampler: the same tokens */
        lfm2_stream_step step = sample(top);
        expect_logprobs(&step, expected, 5);
        int32_t id = step.id;
        step = sample(own);
        expect_logprobs(&step, expected, 0);
        assert_int_equal(step.id, id);
        step = sample(none);
        assert_true(step.id == id && step.logprob == 0 && step.n_top == 0);
    }
    /* A forced token does not advance the generator. */
    lfm2_stream_step step = {.size = sizeof step};
    LFT_OK(lfm2_stream_force(top, 300, logits, n_vocab, &step));
    expect_logprobs(&step, expected, 5);
    force(own, 300);
    LFT_OK(lfm2_stream_force(none, 300, logits, n_vocab, &step));
    assert_true(step.logprob == 0 && step.n_generated == 11);
    assert_int_equal(sample(top).id, sample(own).id);
    assert_int_equal(lfm2_stream_sampler(top)->counts[300], lfm2_stream_sampler(own)->counts[300]);
    assert_true(lfm2_stream_sampler(top)->counts[300] >= 1);
    lfm2_stream_free(none);
    lfm2_stream_free(own);
    lfm2_stream_free(top);
    free(expected);
}

/* Equal logits: the lower id is first, and is reported. */
static void test_ties(void **state)
{
    (void)state;
    float *equal = calloc(n_vocab, sizeof *equal);
    assert_non_null(equal);
    equal[10] = 2;
    equal[20] = 2;
    lfm2_stream_options o = defaults();
    o.n_top = 4;
    lfm2_stream *stream = make(&o);
    lfm2_stream_step step = {.size = sizeof step};
    LFT_OK(lfm2_stream_force(stream, 300, equal, n_vocab, &step));
    static const int32_t expected[] = {10, 20, 0, 1};
    assert_int_equal(step.n_top, 4);
    assert_memory_equal(step.top_ids, expected, sizeof expected);
    lfm2_stream_free(stream);
    free(equal);
}

static void test_prompt(void **state)
{
    (void)state;
    lfm2_stream *stream = make(NULL);
    const uint32_t *counts = lfm2_stream_sampler(stream)->counts;
    const int32_t ids[] = {307, 308, 307, (int32_t)n_vocab};
    LFT_FAILS(lfm2_stream_prompt(stream, ids, 4), LFM2_E_ARGUMENT);
    assert_non_null(strstr(lfm2_last_error(), "ids[3] is "));
    assert_int_equal(counts[307], 0);
    LFT_OK(lfm2_stream_prompt(stream, ids, 3));
    LFT_OK(lfm2_stream_prompt(stream, NULL, 0));
    assert_true(counts[307] == 2 && counts[308] == 1);
    lfm2_stream_step step = force(stream, 307);
    assert_int_equal(step.n_generated, 1); /* the prompt does not count */
    assert_int_equal(counts[307], 3);
    force(stream, eos); /* accepted, too */
    assert_int_equal(counts[eos], 1);
    lfm2_stream_free(stream);
}

/* ---- The hook ---- */

typedef struct hook_state {
    int32_t only; /* the token that the hook leaves; -1: none */
    int32_t result;
    int calls;
} hook_state;

static int32_t leave_one(void *user, float *values, size_t n)
{
    hook_state *h = user;
    assert_int_equal(n, n_vocab);
    assert_ptr_not_equal(values, logits);
    assert_memory_equal(values, logits, n * sizeof *values);
    for (size_t i = 0; i < n; i++) {
        values[i] = (int32_t)i == h->only ? NAN : -INFINITY;
    }
    if (h->only >= 0) {
        values[h->only] = -50;
    }
    h->calls++;
    return h->result;
}

static void test_hook(void **state)
{
    (void)state;
    double *expected = calloc(n_vocab, sizeof *expected);
    assert_non_null(expected);
    lft_log_softmax(logits, n_vocab, expected);
    lfm2_stream_options o = defaults();
    o.n_top = 2;
    lfm2_stream *stream = make(&o);
    hook_state h = {.only = lft_byte_token(model, 'h')};
    LFT_OK(lfm2_stream_set_hook(stream, leave_one, &h));
    lfm2_stream_step step = sample(stream);
    assert_int_equal(step.id, h.only);
    assert_string_equal(step.text, "h");
    expect_logprobs(&step, expected, 2); /* of the raw logits */
    force(stream, h.only);
    assert_int_equal(h.calls, 1);

    uint64_t random = lfm2_stream_sampler(stream)->random;
    h.only = -1;
    LFT_FAILS(lfm2_stream_sample(stream, logits, n_vocab, &step), LFM2_E_STATE);
    assert_string_equal(lfm2_last_error_code(), "sampler.empty");
    h = (hook_state){.only = 300, .result = 1};
    LFT_FAILS(lfm2_stream_sample(stream, logits, n_vocab, &step), LFM2_E_STOPPED);
    assert_string_equal(lfm2_last_error_code(), "stream.stopped");
    assert_int_equal(h.calls, 1);
    assert_true(lfm2_stream_sampler(stream)->random == random);
    assert_int_equal(lfm2_stream_sampler(stream)->counts[300], 0);

    lfm2_stream *clone = NULL; /* has the hook, too */
    LFT_OK(lfm2_stream_clone(stream, &clone));
    h = (hook_state){.only = 300};
    assert_int_equal(sample(clone).id, 300);
    LFT_OK(lfm2_stream_set_hook(stream, NULL, NULL));
    assert_int_equal(sample(stream).n_generated, 3);
    assert_int_equal(h.calls, 1);
    lfm2_stream_free(clone);
    lfm2_stream_free(stream);
    free(expected);
}

/* ---- What is refused ---- */

static void test_refused(void **state)
{
    (void)state;
    lfm2_stream *stream = make(NULL);
    lfm2_stream_step step = {.size = sizeof step, .id = 77};
    LFT_FAILS(lfm2_stream_sample(stream, logits, n_vocab - 1, &step), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "sampler.n_vocab");
    LFT_FAILS(lfm2_stream_force(stream, 1, logits, n_vocab + 1, &step), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_stream_force(stream, -1, NULL, 0, &step), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_stream_force(stream, (int32_t)n_vocab, NULL, 0, &step), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "stream.token");
    assert_int_equal(step.id, 77);
    step.size = 0;
    uint64_t random = lfm2_stream_sampler(stream)->random;
    LFT_FAILS(lfm2_stream_sample(stream, logits, n_vocab, &step), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_stream_force(stream, 1, NULL, 0, &step), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_stream_flush(stream, &step), LFM2_E_ARGUMENT);
    assert_true(lfm2_stream_sampler(stream)->random == random);
    assert_int_equal(force(stream, lft_byte_token(model, 'a')).n_generated, 1);

    lfm2_stream_options o = defaults();
    lfm2_stream *other = NULL;
    o.n_top = 65;
    LFT_FAILS(lfm2_stream_create(model, lfm2_stream_sampler(stream), &o, &other), LFM2_E_ARGUMENT);
    o = defaults();
    o.n_stop_ids = 1;
    LFT_FAILS(lfm2_stream_create(model, lfm2_stream_sampler(stream), &o, &other), LFM2_E_ARGUMENT);
    o = defaults();
    o.n_stop_strings = 1;
    LFT_FAILS(lfm2_stream_create(model, lfm2_stream_sampler(stream), &o, &other), LFM2_E_ARGUMENT);
    lfm2_model *textless = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(textless, NULL, &sampler));
    LFT_FAILS(lfm2_stream_create(textless, sampler, NULL, &other), LFM2_E_STATE);
    LFT_FAILS(lfm2_stream_create(model, sampler, NULL, &other), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "generate.sampler");
    assert_null(other);
    lfm2_sampler_free(sampler);
    lfm2_model_free(textless);
    lfm2_stream_free(stream);
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(model, &info));
    n_vocab = info.n_vocab;
    eos = info.eos_id;
    logits = calloc(n_vocab, sizeof *logits);
    assert_non_null(logits);
    uint64_t random = 5;
    for (uint32_t i = 0; i < n_vocab; i++) {
        logits[i] = (float)(6 * lft_unit(&random));
    }
    logits[eos] = -INFINITY;
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(logits);
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),   cmocka_unit_test(test_control_tokens),
        cmocka_unit_test(test_stop_strings), cmocka_unit_test(test_copied),
        cmocka_unit_test(test_stop_tokens),  cmocka_unit_test(test_length),
        cmocka_unit_test(test_logprobs),     cmocka_unit_test(test_ties),
        cmocka_unit_test(test_prompt),       cmocka_unit_test(test_hook),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
