/* SPDX-License-Identifier: Apache-2.0 */
/* Options and calls that the sampler must refuse. */
#include "support/models.h"

#include "run/sampler.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

static lfm2_runtime *runtime;

static lfm2_sampler_options plain(void)
{
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, NULL);
    o.temperature = 1;
    o.min_p = 0;
    o.repetition_penalty = 1;
    return o;
}

/* The options are refused with a message that begins with `says`. */
static void refuse(const lfm2_sampler_options *o, const char *says)
{
    lfm2_sampler *s = NULL;
    LFT_FAILS(lf_sampler_create(runtime, 4, o, &s), LFM2_E_ARGUMENT);
    assert_null(s);
    if (strncmp(lfm2_last_error(), says, strlen(says)) != 0) {
        fail_msg("'%s' does not begin with '%s'", lfm2_last_error(), says);
    }
}

static void test_refused(void **state)
{
    (void)state;
    const float nan = NAN, inf = INFINITY;
    const struct {
        const char *says;
        size_t field;
        float values[5];
        int n;
    } floats[] = {
        {"temperature is ",
         offsetof(lfm2_sampler_options, temperature),
         {-0.1f, nan, inf, -inf},
         4},
        {"top_p is ", offsetof(lfm2_sampler_options, top_p), {0, -1, 1.01f, nan, inf}, 5},
        {"min_p is ", offsetof(lfm2_sampler_options, min_p), {-0.01f, 1.01f, nan, inf}, 4},
        {"repetition_penalty is ",
         offsetof(lfm2_sampler_options, repetition_penalty),
         {0, -1, nan, inf},
         4},
        {"frequency_penalty is ",
         offsetof(lfm2_sampler_options, frequency_penalty),
         {nan, inf, -inf},
         3},
        {"presence_penalty is ",
         offsetof(lfm2_sampler_options, presence_penalty),
         {nan, inf, -inf},
         3},
    };
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        for (int v = 0; v < floats[i].n; v++) {
            lfm2_sampler_options o = plain();
            memcpy((char *)&o + floats[i].field, &floats[i].values[v], sizeof(float));
            refuse(&o, floats[i].says);
        }
    }
    lfm2_sampler_options o = plain();
    o.top_k = -1;
    refuse(&o, "top_k is -1; allowed: 0 or more");
    o = plain();
    o.penalty_last_n = -2;
    refuse(&o, "penalty_last_n is -2; allowed: -1 to ");
    o.penalty_last_n = INT32_MAX;
    refuse(&o, "penalty_last_n is ");
    o = plain();
    o.n_bias = 1;
    refuse(&o, "bias_ids is NULL although n_bias is 1");
    const int32_t bad_ids[] = {-1, 4, 1, 1};
    const float bad_values[] = {0, 0, nan, inf};
    o.bias_ids = &bad_ids[3];
    refuse(&o, "bias_values is NULL although n_bias is 1");
    const char *says[] = {"bias_ids[0] is -1; allowed: 0 to 3", "bias_ids[0] is 4; allowed: 0 to 3",
                          "bias_values[0] is ", "bias_values[0] is inf; allowed: "};
    for (int i = 0; i < 4; i++) {
        o.bias_ids = &bad_ids[i];
        o.bias_values = &bad_values[i];
        refuse(&o, says[i]);
    }
}

static void test_calls(void **state)
{
    (void)state;
    lfm2_sampler_options o = plain();
    lfm2_sampler *s = NULL;
    LFT_OK(lf_sampler_create(runtime, 4, &o, &s));
    const float logits[4] = {0};
    int32_t id = -7;
    LFT_FAILS(lfm2_sampler_sample(NULL, logits, 4, &id), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_sampler_sample(s, NULL, 4, &id), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_sampler_sample(s, logits, 4, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_sampler_sample(s, logits, 3, &id), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_sampler_accept(NULL, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_sampler_accept(s, -1), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_sampler_accept(s, 4), LFM2_E_ARGUMENT);
    assert_int_equal(id, -7);
    lfm2_sampler_reset(NULL);
    lfm2_sampler_free(NULL);
    lfm2_sampler_free(s);
}

static int begin(void **state)
{
    (void)state;
    runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_runtime_free(runtime);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_calls),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
