/* SPDX-License-Identifier: Apache-2.0 */
/* Writing model files on several threads gives the same bytes and errors as on one. Also for the
 * thread sanitizer. */
#include "support/models.h"

#include "model/model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lfm2_tools.h"

static lfm2_runtime *open_runtime(int32_t threads)
{
    lfm2_runtime_options options;
    lfm2_runtime_options_init(&options, sizeof options);
    options.n_threads = threads;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&options, &runtime));
    return runtime;
}

static void same_files(const char *a, const char *b)
{
    size_t na = 0;
    size_t nb = 0;
    char *da = lft_read_file(a, &na);
    char *db = lft_read_file(b, &nb);
    assert_int_equal(na, nb);
    assert_memory_equal(da, db, na);
    free(da);
    free(db);
}

/* Callbacks are not in a turn, so they may use the runtime. */
static int32_t has_no_turn(void *user, double done)
{
    (void)done;
    lfm2_runtime *runtime = user;
    return runtime->sched.turns.taken;
}

static void test_bytes(void **state)
{
    (void)state;
    const char *full = lft_temp("full.gguf");
    const char *want = lft_temp("want.gguf");
    const char *out = lft_temp("out.gguf");
    lfm2_convert_options options;
    lfm2_convert_options_init(&options, sizeof options);
    lfm2_runtime *one = open_runtime(1);
    options.type = "f32";
    LFT_OK(lfm2_synthesize(one, "tiny", 3, full, &options));
    options.type = "q4_k_m";
    LFT_OK(lfm2_synthesize(one, "tiny", 3, want, &options));
    for (int32_t n = 2; n <= 5; n += 3) {
        lfm2_runtime *several = open_runtime(n);
        options.progress = has_no_turn;
        options.progress_user = several;
        LFT_OK(lfm2_synthesize(several, "tiny", 3, out, &options));
        same_files(want, out);
        LFT_OK(lfm2_quantize(several, full, out, &options));
        same_files(want, out);
        lfm2_runtime_free(several);
    }
    lfm2_runtime_free(one);
}

/* A NaN and a value that is too large in the same rows: the message names the NaN. */
static void test_refusal(void **state)
{
    (void)state;
    const char *in = lft_temp("full.gguf");
    const char *out = lft_temp("refused.gguf");
    size_t size = 0;
    char *data = lft_read_file(in, &size);
    static const float large = 3e38f;
    static const float nan = NAN;
    /* The last matrix is at the end of the file; its last rows are one chunk. */
    memcpy(data + size - 64 * 1024, &large, sizeof large);
    memcpy(data + size - 8 * 1024, &nan, sizeof nan);
    FILE *f = fopen(in, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    free(data);
    lfm2_convert_options options;
    lfm2_convert_options_init(&options, sizeof options);
    options.type = "q4_k_m";
    for (int32_t n = 1; n <= 4; n++) {
        lfm2_runtime *runtime = open_runtime(n);
        LFT_FAILS(lfm2_quantize(runtime, in, out, &options), LFM2_E_FORMAT);
        assert_non_null(strstr(lfm2_last_error(), "not a number"));
        lfm2_runtime_free(runtime);
    }
}

static int finish(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
