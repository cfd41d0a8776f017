/* SPDX-License-Identifier: Apache-2.0 */
/* Log messages: which levels a sink receives, and their text. */
#include "support/models.h"

#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The messages that a sink received. */
typedef struct received {
    int n[LFM2_LOG_DEBUG + 1]; /* by level */
    char text[2048];           /* of the last message */
} received;

static void sink(void *user, int32_t level, const char *text, size_t len)
{
    received *h = user;
    assert_in_range(level, LFM2_LOG_ERROR, LFM2_LOG_DEBUG);
    assert_true(len < sizeof h->text);
    assert_int_equal(strlen(text), len);
    memcpy(h->text, text, len + 1);
    h->n[level]++;
}

/* ---- The filter ---- */

static void test_levels(void **state)
{
    (void)state;
    for (int32_t limit = LFM2_LOG_ERROR - 1; limit <= LFM2_LOG_DEBUG + 1; limit++) {
        for (int32_t level = LFM2_LOG_ERROR; level <= LFM2_LOG_DEBUG; level++) {
            received h = {{0}, ""};
            lf_log log = {sink, &h, limit};
            lf_log_write(&log, level, "%s %d", "message", level);
            for (int32_t i = LFM2_LOG_ERROR; i <= LFM2_LOG_DEBUG; i++) {
                assert_int_equal(h.n[i], i == level && level <= limit);
            }
            char want[32];
            snprintf(want, sizeof want, "message %d", level);
            assert_string_equal(h.text, level <= limit ? want : "");
        }
    }
    lf_log_write(NULL, LFM2_LOG_ERROR, "nobody");
    lf_log_write(&(lf_log){.level = LFM2_LOG_DEBUG}, LFM2_LOG_ERROR, "nobody");
}

/* A message is cut at 1023 bytes. */
static void test_long_messages(void **state)
{
    (void)state;
    char text[1100];
    memset(text, 'x', sizeof text);
    for (size_t n = 1020; n < 1027; n++) {
        received h = {{0}, ""};
        lf_log log = {sink, &h, LFM2_LOG_INFO};
        lf_log_write(&log, LFM2_LOG_INFO, "%.*s", (int)n, text);
        assert_int_equal(strlen(h.text), n < 1023 ? n : 1023);
        assert_memory_equal(h.text, text, strlen(h.text));
    }
}

/* ---- Through the public API ---- */

static lfm2_runtime *runtime_with(received *h, int32_t level)
{
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    assert_int_equal(o.log_level, LFM2_LOG_WARN);
    o.n_threads = 1;
    o.log = sink;
    o.log_user = h;
    o.log_level = level;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    return runtime;
}

/* Loading logs at INFO; converting a folder without tokenizer.json also at WARN. */
static void test_runtime(void **state)
{
    (void)state;
    const char *model_path = lft_tiny("q4_0");
    const char *folder = lft_golden_folder("dense-plain");
    for (int32_t level = LFM2_LOG_ERROR; level <= LFM2_LOG_DEBUG; level++) {
        received h = {{0}, ""};
        lfm2_runtime *runtime = runtime_with(&h, level);
        lfm2_model_free(lft_load(runtime, model_path));
        assert_int_equal(h.n[LFM2_LOG_INFO] > 0, level >= LFM2_LOG_INFO);
        if (level >= LFM2_LOG_INFO) {
            assert_non_null(strstr(h.text, model_path));
        }
        lfm2_convert_options o;
        lfm2_convert_options_init(&o, sizeof o);
        o.type = "f32";
        LFT_OK(lfm2_quantize(runtime, folder, lft_temp("log.gguf"), &o));
        assert_int_equal(h.n[LFM2_LOG_WARN], level >= LFM2_LOG_WARN);
        assert_int_equal(h.n[LFM2_LOG_ERROR], 0);
        lfm2_runtime_free(runtime);
    }
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
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
