/* SPDX-License-Identifier: Apache-2.0 */
/* Vocabularies that must be refused, and every allocation failing in turn. */
#include "support/counting_alloc.h"
#include "support/text_vocab.h"
#include "text/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void no_change(text_vocab *v)
{
    (void)v;
}

static void no_tokens(text_vocab *v)
{
    v->data.n_tokens = 0;
}

static void bad_bos(text_vocab *v)
{
    v->data.bos_id = (int32_t)v->data.n_tokens;
}

static void bad_eos(text_vocab *v)
{
    v->data.eos_id = -2;
}

static void bad_pad(text_vocab *v)
{
    v->data.pad_id = INT32_MAX;
}

static void bad_kind(text_vocab *v)
{
    v->tokens[270].kind = 7;
}

static void unmapped_text(text_vocab *v)
{
    text_vocab_add_string(v, "two words", LFM2_TOKEN_NORMAL); /* a raw space is never mapped */
}

static void outside_alphabet(text_vocab *v)
{
    text_vocab_add_string(v, "\xE6\x97\xA5", LFM2_TOKEN_NORMAL);
}

static void broken_text(text_vocab *v)
{
    text_vocab_add_string(v, "a\xC3", LFM2_TOKEN_NORMAL);
}

static void empty_normal(text_vocab *v)
{
    text_vocab_add_string(v, "", LFM2_TOKEN_NORMAL);
}

static void empty_control(text_vocab *v)
{
    text_vocab_add_string(v, "", LFM2_TOKEN_CONTROL);
}

static void long_control(text_vocab *v)
{
    char text[257];
    memset(text, 'x', sizeof text);
    text_vocab_add(v, text, sizeof text, LFM2_TOKEN_CONTROL);
}

static void normal_twice(text_vocab *v)
{
    text_vocab_add_string(v, "hello", LFM2_TOKEN_NORMAL);
}

static void control_twice(text_vocab *v)
{
    text_vocab_add_string(v, "<|im_end|>", LFM2_TOKEN_CONTROL);
}

static void user_twice(text_vocab *v)
{
    text_vocab_add_string(v, "two words", LFM2_TOKEN_USER);
    text_vocab_add_string(v, "two words", LFM2_TOKEN_USER);
}

static void user_and_normal(text_vocab *v)
{
    text_vocab_add_string(v, "python", LFM2_TOKEN_NORMAL);
}

static void missing_byte(text_vocab *v)
{
    v->tokens[0xAD].kind = LFM2_TOKEN_UNUSED;
}

static void unknown_left(text_vocab *v)
{
    v->merges[3].left = "hexx";
    v->merges[3].left_len = 4;
}

static void unknown_right(text_vocab *v)
{
    v->merges[3].right = "";
    v->merges[3].right_len = 0;
}

static void unknown_result(text_vocab *v)
{
    v->merges[0].left = "o";
    v->merges[0].left_len = 1;
}

static void control_side(text_vocab *v)
{
    v->merges[0].left = "<|im_end|>";
    v->merges[0].left_len = 10;
}

static void unmapped_merge(text_vocab *v)
{
    v->merges[5].right = " a";
    v->merges[5].right_len = 2;
}

static void unmapped_left_merge(text_vocab *v)
{
    v->merges[5].left = " a";
    v->merges[5].left_len = 2;
}

static void merge_twice(text_vocab *v)
{
    v->merges[9] = v->merges[2];
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        void (*change)(text_vocab *v);
        const char *code, *text; /* code NULL: accepted; text: a substring of the message */
    } cases[] = {
        {no_change, NULL, NULL},
        {no_tokens, "vocab.size", "has 0 tokens; allowed: 1 to 2147483647"},
        {bad_bos, "vocab.id", "BOS token id is "},
        {bad_eos, "vocab.id", "EOS token id is -2; allowed: 0 to "},
        {bad_pad, "vocab.id", "padding token id is 2147483647; allowed: 0 to "},
        {bad_kind, "vocab.token.kind", "token 270"},
        {unmapped_text, "vocab.token.text", "'two words'"},
        {outside_alphabet, "vocab.token.text", "outside the byte-level BPE alphabet"},
        {broken_text, "vocab.token.text", "outside the byte-level BPE alphabet"},
        {empty_normal, "vocab.token.text", "empty"},
        {empty_control, "vocab.token.length", "empty"},
        {long_control, "vocab.token.length", "256"},
        {normal_twice, "vocab.token.duplicate", "'hello'"},
        {control_twice, "vocab.token.duplicate", "'<|im_end|>'"},
        {user_twice, "vocab.token.duplicate", "'two words'"},
        {user_and_normal, "vocab.token.duplicate", "'python'"},
        {missing_byte, "vocab.bytes", "0xAD"},
        {unknown_left, "vocab.merge.unknown", "merge 3 'hexx' 'o': left"},
        {unknown_right, "vocab.merge.unknown", "merge 3 'hell' '': right"},
        {unknown_result, "vocab.merge.unknown", "merge 0 'o' 'e': the result"},
        {control_side, "vocab.merge.unknown", "left"},
        {unmapped_merge, "vocab.merge.text", "right"},
        {unmapped_left_merge, "vocab.merge.text", "left"},
        {merge_twice, "vocab.merge.duplicate", "merge 9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        counting_alloc counter;
        lf_alloc alloc = counting_alloc_init(&counter);
        text_vocab v;
        text_vocab_init_small(&v);
        cases[i].change(&v);
        lf_tokenizer *t = NULL;
        int32_t status = lf_tokenizer_create(&alloc, &v.data, i % 2 == 0, &t);
        if (cases[i].code == NULL) {
            assert_int_equal(status, LFM2_OK);
            lf_tokenizer_free(t);
        } else {
            assert_int_equal(status, LFM2_E_FORMAT);
            assert_string_equal(lf_fail_code(), cases[i].code);
            if (strstr(lf_fail_text(), cases[i].text) == NULL ||
                strstr(lf_fail_text(), "test vocabulary: ") != lf_fail_text()) {
                fail_msg("case %zu: '%s' lacks '%s'", i, lf_fail_text(), cases[i].text);
            }
            assert_null(t);
        }
        assert_int_equal(counter.live, 0);
        assert_int_equal(counter.mistakes, 0);
        text_vocab_free(&v);
    }
}

/* Unused and byte tokens may repeat and be empty: encoding never produces them. */
static void accepted(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    text_vocab v;
    text_vocab_init_small(&v);
    text_vocab_add_string(&v, "[PAD268]", LFM2_TOKEN_UNUSED);
    text_vocab_add_string(&v, "", LFM2_TOKEN_UNUSED);
    text_vocab_add_string(&v, "<0x0A>", LFM2_TOKEN_BYTE);
    text_vocab_add_string(&v, "hello", LFM2_TOKEN_UNUSED);
    int32_t unknown = text_vocab_add_string(&v, "<unk>", LFM2_TOKEN_UNKNOWN);
    int32_t space = text_vocab_add_string(&v, " \xC3\xA9 ", LFM2_TOKEN_USER);
    v.data.bos_id = v.data.eos_id = v.data.pad_id = -1;
    v.data.name = NULL;
    lf_tokenizer *t = NULL;
    assert_int_equal(lf_tokenizer_create(&alloc, &v.data, false, &t), LFM2_OK);
    lf_span span = {"<unk>x \xC3\xA9 ", 10, true};
    int32_t ids[16];
    size_t n = 0;
    assert_int_equal(lf_tokenizer_encode(t, &span, 1, true, ids, 16, &n), LFM2_OK);
    assert_int_equal(n, 3); /* no BOS: there is none */
    assert_int_equal(ids[0], unknown);
    assert_int_equal(ids[1], 'x');
    assert_int_equal(ids[2], space);
    lf_tokenizer_free(t);
    text_vocab_free(&v);
}

static void create_without_memory(void **state)
{
    (void)state;
    text_vocab v;
    text_vocab_init_small(&v);
    size_t needed = SIZE_MAX;
    for (size_t fail_at = 0; fail_at < needed; fail_at++) {
        counting_alloc counter;
        lf_alloc alloc = counting_alloc_init(&counter);
        counter.fail_at = fail_at;
        lf_tokenizer *t = NULL;
        int32_t status = lf_tokenizer_create(&alloc, &v.data, fail_at % 2 == 0, &t);
        if (status == LFM2_OK) {
            needed = fail_at;
            lf_tokenizer_free(t);
        } else {
            assert_int_equal(status, LFM2_E_MEMORY);
            assert_null(t);
        }
        assert_int_equal(counter.live, 0);
        assert_int_equal(counter.mistakes, 0);
    }
    print_message("%zu allocations\n", needed);
    assert_in_range(needed, 5, 100);
    text_vocab_free(&v);
}

static void encode_without_memory(void **state)
{
    (void)state;
    enum { LEN = 3000 };
    static char text[LEN];
    static int32_t ids[LEN];
    memset(text, 'a', sizeof text);
    text_vocab v;
    text_vocab_init_small(&v);
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    lf_tokenizer *t = NULL;
    assert_int_equal(lf_tokenizer_create(&alloc, &v.data, false, &t), LFM2_OK);
    lf_span spans[2] = {{"hello ", 6, false}, {text, LEN, true}};
    size_t before = counter.live;
    size_t calls = counter.calls;
    size_t needed = SIZE_MAX;
    for (size_t fail_at = 0; fail_at < needed; fail_at++) {
        counter.calls = 0;
        counter.fail_at = fail_at;
        memset(ids, 0x55, sizeof ids);
        size_t n = 77;
        int32_t status = lf_tokenizer_encode(t, spans, 2, true, ids, LEN, &n);
        if (status == LFM2_OK) {
            needed = fail_at;
            assert_int_equal(n, 1 + 2 + 375); /* BOS, "hello", " aaa..." as one pre-token */
        } else {
            assert_int_equal(status, LFM2_E_MEMORY);
            assert_int_equal(n, 77);
            assert_int_equal(ids[0], 0x55555555);
        }
        assert_int_equal(counter.live, before);
        assert_int_equal(counter.mistakes, 0);
    }
    assert_int_equal(needed, 3);
    assert_true(calls > 0);
    /* The workspace depends on the longest pre-token, not on the length of the text. */
    for (size_t i = 0; i < LEN; i += 10) {
        text[i] = ' ';
    }
    counter.fail_at = SIZE_MAX;
    counter.peak = counter.live;
    size_t n = 0;
    assert_int_equal(lf_tokenizer_encode(t, spans + 1, 1, true, ids, LEN, &n), LFM2_OK);
    assert_true(counter.peak - before < 1000);
    lf_tokenizer_free(t);
    assert_int_equal(counter.live, 0);
    text_vocab_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(accepted),
        cmocka_unit_test(create_without_memory),
        cmocka_unit_test(encode_without_memory),
    };
    return cmocka_run_group_tests_name("tokenizer_errors", tests, NULL, NULL);
}
