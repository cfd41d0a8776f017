/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers that must grow: of the decoder, for a token of 256 bytes (the longest allowed), and of
 * generation, for text that is held back because a stop string may follow. */
#include "support/models.h"
#include "support/tiny_files.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The decoder ---- */

enum { LONG = 256, LONG_ID = 268, SHORT_ID = 105 }; /* an added token, and "a" */

/* The tokenizer of the tiny model, with a text of LONG bytes for the token LONG_ID. */
static lfm2_model *long_token_model(lft_memory *memory, const char *text)
{
    tiny_folder folder;
    tiny_folder_init(&folder, true);
    char with[LONG + 64];
    snprintf(with, sizeof with, "{\"id\": %d, \"content\": \"%s\"", LONG_ID, text);
    tiny_replace(&folder.tokenizer, "{\"id\": 268, \"content\": \"python\"", with);
    tiny_folder_write(&folder, lft_temp("long"));
    tiny_folder_free(&folder);
    lfm2_runtime_options ro;
    lfm2_runtime_options_init(&ro, sizeof ro);
    ro.n_threads = 1;
    ro.alloc = lft_memory_alloc;
    ro.free = lft_memory_free;
    ro.alloc_user = memory;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&ro, &runtime));
    lfm2_model_options mo;
    lfm2_model_options_init(&mo, sizeof mo);
    mo.mode = LFM2_LOAD_TOKENIZER;
    lfm2_model *model = NULL;
    LFT_OK(lfm2_model_load(runtime, lft_temp("long"), &mo, &model));
    lfm2_runtime_free(runtime);
    return model;
}

static void push(lfm2_decoder *decoder, int32_t id, const char *want)
{
    const char *text = NULL;
    size_t len = 0;
    LFT_OK(lfm2_decoder_push(decoder, id, &text, &len));
    assert_string_equal(text, want);
    assert_int_equal(len, strlen(want));
}

static void test_decoder(void **state)
{
    (void)state;
    char text[LONG + 1];
    for (int i = 0; i < LONG; i++) {
        text[i] = (char)('A' + i % 26);
    }
    text[LONG] = '\0';
    lft_memory memory = {0};
    lfm2_model *model = long_token_model(&memory, text);
    lfm2_decoder *decoder = NULL;
    LFT_OK(lfm2_decoder_create(model, 0, &decoder));
    push(decoder, SHORT_ID, "a");
    const char *none = NULL;
    size_t len = 77;
    atomic_store(&memory.calls, 0);
    atomic_store(&memory.fail_at, 1);
    LFT_FAILS(lfm2_decoder_push(decoder, LONG_ID, &none, &len), LFM2_E_MEMORY);
    atomic_store(&memory.fail_at, 0);
    assert_true(none == NULL && len == 77);
    push(decoder, LONG_ID, text); /* the failed call had no effect */
    push(decoder, SHORT_ID, "a");
    push(decoder, LONG_ID, text);
    lfm2_decoder_free(decoder);
    lfm2_model_free(model);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_false(atomic_load(&memory.broken));
}

/* ---- Generation ---- */

enum { N_TOKENS = 90 };

typedef struct collected {
    char text[4 * N_TOKENS];
    size_t len;
    int early; /* calls with text before the last one */
} collected;

static int32_t collect(void *user, const lfm2_generated_token *token)
{
    collected *c = user;
    assert_true(c->len + token->len < sizeof c->text);
    memcpy(c->text + c->len, token->text, token->len);
    c->len += token->len;
    c->early += token->id >= 0 && token->len > 0;
    return 0;
}

/* Generates N_TOKENS times "a" with one stop string. Returns the finish reason. */
static int32_t generate(lfm2_model *model, const char *stop, collected *out)
{
    int32_t a = 0;
    size_t n = 0;
    LFT_OK(lfm2_tokenize(model, "a", 1, 0, &a, 1, &n));
    const float value = 1e30f;
    lfm2_sampler_options po;
    lfm2_sampler_options_init(&po, sizeof po, model);
    po.bias_ids = &a;
    po.bias_values = &value;
    po.n_bias = 1;
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, &po, &sampler));
    lfm2_session *session = lft_session(model, 128, 0, LFM2_KV_F16);
    lfm2_generate_options go;
    lfm2_generate_options_init(&go, sizeof go);
    go.max_tokens = N_TOKENS;
    go.stop_strings = &stop;
    go.n_stop_strings = 1;
    go.callback = collect;
    go.callback_user = out;
    lfm2_generate_result result = {.size = sizeof result};
    *out = (collected){.len = 0};
    LFT_OK(lfm2_generate(session, sampler, &a, 1, &go, &result));
    lfm2_session_free(session);
    lfm2_sampler_free(sampler);
    return result.finish;
}

/* The stop string begins with more "a" than are generated: all are held back until the end. */
static void test_held_back(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    char stop[N_TOKENS + 3], want[N_TOKENS + 1];
    memset(want, 'a', N_TOKENS);
    want[N_TOKENS] = '\0';
    snprintf(stop, sizeof stop, "%sab", want);
    collected c;
    assert_int_equal(generate(model, stop, &c), LFM2_FINISH_LENGTH);
    assert_int_equal(c.len, N_TOKENS);
    assert_memory_equal(c.text, want, N_TOKENS);
    assert_int_equal(c.early, 0);
    /* A stop string that is complete with the last token: no text is left. */
    assert_int_equal(generate(model, want, &c), LFM2_FINISH_STOP_STRING);
    assert_int_equal(c.len, 0);
    lfm2_model_free(model);
}

static int teardown(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoder),
        cmocka_unit_test(test_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
