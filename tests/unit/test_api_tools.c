/* SPDX-License-Identifier: Apache-2.0 */
/* The measuring functions of lfm2_tools.h: kernels, prefetching, the machine, a model's weights. */
#include "support/models.h"

#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

static lfm2_runtime *runtime;

static void test_kernels(void **state)
{
    (void)state;
    uint32_t n = 0;
    uint32_t chosen = 0;
    lfm2_kernel_info k = {.size = sizeof k};
    for (; lfm2_kernel_get(runtime, n, &k) == LFM2_OK; n++) {
        assert_true(strlen(k.name) > 0 && k.mr > 0 && k.nr > 0);
        assert_true(k.available == 1 || k.chosen == 0);
        chosen += k.chosen;
    }
    assert_true(n >= 9 && chosen >= 6); /* scalar alone has that many */
    LFT_FAILS(lfm2_kernel_get(runtime, n, &k), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_kernel_get(NULL, 0, &k), LFM2_E_ARGUMENT);
    double ops = 0;
    double bytes = 0;
    LFT_OK(lfm2_kernel_bench(runtime, n - 1, 3, 40, 256, 1, 0, &ops, &bytes));
    assert_true(ops > 0 && bytes > 0);
    LFT_FAILS(lfm2_kernel_bench(runtime, n, 1, 64, 256, 1, 0, &ops, &bytes), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_kernel_bench(runtime, 0, 0, 64, 256, 1, 0, &ops, &bytes), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_kernel_bench(runtime, 0, 1, 64, 256, 1, -1, &ops, &bytes), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_kernel_bench(runtime, 0, 1, 64, 256, 1, 0, NULL, &bytes), LFM2_E_ARGUMENT);
}

static void test_prefetch(void **state)
{
    (void)state;
    const lf_prefetch_policy usual = lf_prefetch_now(runtime->prefetch, LF_W_Q4, 1);
    uint32_t n = 0;
    for (; lfm2_prefetch_name(n) != NULL; n++) {
        LFT_OK(lfm2_runtime_set_prefetch(runtime, lfm2_prefetch_name(n)));
        LFT_FAILS(lfm2_runtime_set_prefetch(runtime, "sideways"), LFM2_E_ARGUMENT);
        const lf_prefetch_policy now = lf_prefetch_now(runtime->prefetch, LF_W_Q4, 1);
        assert_memory_equal(&now, &lf_prefetch_table[n].policy, sizeof now);
    }
    assert_int_equal(n, LF_PREFETCH_POLICIES);
    LFT_FAILS(lfm2_runtime_set_prefetch(NULL, NULL), LFM2_E_ARGUMENT);
    LFT_OK(lfm2_runtime_set_prefetch(runtime, NULL));
    lf_prefetch_policy now = lf_prefetch_now(runtime->prefetch, LF_W_Q4, 1);
    assert_memory_equal(&now, &usual, sizeof now);
    LFT_OK(lfm2_runtime_set_prefetch(runtime, "none"));
    LFT_OK(lfm2_runtime_set_prefetch(runtime, "auto"));
    now = lf_prefetch_now(runtime->prefetch, LF_W_Q4, 1);
    assert_memory_equal(&now, &usual, sizeof now);

    LFT_FAILS(lfm2_prefetch_get(NULL, 0, &(lfm2_prefetch_info){.size = sizeof(lfm2_prefetch_info)}),
              LFM2_E_ARGUMENT);
}

/* Before anything is measured there is an entry for each format and row class. */
static void test_prefetch_start(void **state)
{
    (void)state;
    lfm2_prefetch_info info = {.size = sizeof info};
    uint32_t n = 0;
    for (; lfm2_prefetch_get(runtime, n, &info) == LFM2_OK; n++) {
        static const uint32_t least[LF_ROW_CLASSES] = {1, 2, 3, 5, 17};
        uint32_t row_class = n % LF_ROW_CLASSES;
        uint32_t policy =
            lf_prefetch_policy_index(runtime->prefetch, n / LF_ROW_CLASSES, row_class);
        assert_string_equal(info.policy, lf_prefetch_table[policy].name);
        assert_int_equal(info.least_rows, least[row_class]);
        assert_int_equal(info.chosen, 1);
        assert_true(info.rounds == 0 && info.comparisons == 0);
        assert_true(info.bytes_per_second == 0 && info.relative_time == 0);
    }
    assert_int_equal(n, LF_PREFETCH_FORMATS * LF_ROW_CLASSES);
    assert_string_equal(lfm2_last_error_code(), "prefetch.index");
    LFT_OK(lfm2_runtime_set_prefetch(runtime, "l2-9k"));
    LFT_OK(lfm2_prefetch_get(runtime, 0, &info));
    assert_string_equal(info.policy, "l2-9k");
    LFT_OK(lfm2_runtime_set_prefetch(runtime, NULL));
}

/* A runtime of two threads with counted allocations. */
static lfm2_runtime *counted_runtime(lft_memory *memory)
{
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 2;
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = memory;
    lfm2_runtime *r = NULL;
    LFT_OK(lfm2_runtime_create(&o, &r));
    return r;
}

static void test_machine(void **state)
{
    (void)state;
    lft_memory memory = {0};
    lfm2_runtime *r = counted_runtime(&memory);
    long long live = atomic_load(&memory.live_bytes);
    lfm2_machine machine, before;
    memset(&before, 0xEE, sizeof before);
    before.size = sizeof before;
    machine = before;
    for (long long fails = 1; fails <= 2; fails++) {
        atomic_store(&memory.calls, 0);
        atomic_store(&memory.fail_at, fails);
        LFT_FAILS(lfm2_machine_bench(r, 0, &machine), LFM2_E_MEMORY);
        assert_memory_equal(&machine, &before, sizeof machine);
        assert_int_equal(atomic_load(&memory.live_bytes), live);
    }
    atomic_store(&memory.fail_at, 0);
    LFT_OK(lfm2_machine_bench(r, 0, &machine));
    assert_true(machine.read_bytes > 0 && machine.int8_ops > 0 && machine.n_threads == 2);
    assert_true(strlen(machine.read_isa) > 0 && strlen(machine.int8_isa) > 0);
    assert_int_equal(atomic_load(&memory.live_bytes), live);
    /* An older caller's struct ends after the first figure. */
    lfm2_machine older = {.size = offsetof(lfm2_machine, int8_ops), .n_threads = 77};
    LFT_OK(lfm2_machine_bench(r, 0, &older));
    assert_true(older.read_bytes > 0 && older.int8_ops == 0 && older.n_threads == 77);
    machine.size = 0;
    LFT_FAILS(lfm2_machine_bench(r, 0, &machine), LFM2_E_ARGUMENT);
    machine.size = sizeof machine;
    LFT_FAILS(lfm2_machine_bench(r, -1, &machine), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_machine_bench(r, (double)NAN, &machine), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_machine_bench(r, 61, &machine), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_machine_bench(r, 0, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_machine_bench(NULL, 0, &machine), LFM2_E_ARGUMENT);
    lfm2_runtime_free(r);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_false(atomic_load(&memory.broken));
}

static void test_model_read(void **state)
{
    (void)state;
    lft_memory memory = {0};
    lfm2_runtime *r = counted_runtime(&memory);
    lfm2_model *m = lft_load(r, lft_tiny("q4_0"));
    double rate = -1;
    long long live = atomic_load(&memory.live_bytes);
    atomic_store(&memory.calls, 0);
    atomic_store(&memory.fail_at, 1);
    LFT_FAILS(lfm2_model_read_bench(m, 0, &rate), LFM2_E_MEMORY);
    assert_true(rate == -1);
    atomic_store(&memory.fail_at, 0);
    LFT_OK(lfm2_model_read_bench(m, 0, &rate));
    assert_true(rate > 0 && isfinite(rate));
    assert_int_equal(atomic_load(&memory.live_bytes), live);
    LFT_FAILS(lfm2_model_read_bench(m, -1, &rate), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_read_bench(m, (double)NAN, &rate), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_read_bench(m, 0, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_read_bench(NULL, 0, &rate), LFM2_E_ARGUMENT);
    lfm2_model_free(m);
    const int32_t modes[] = {LFM2_LOAD_INSPECT, LFM2_LOAD_TOKENIZER};
    for (size_t i = 0; i < 2; i++) {
        lfm2_model_options mo;
        lfm2_model_options_init(&mo, sizeof mo);
        mo.mode = modes[i];
        LFT_OK(lfm2_model_load(r, lft_tiny("q4_0"), &mo, &m));
        LFT_FAILS(lfm2_model_read_bench(m, 0, &rate), LFM2_E_STATE);
        lfm2_model_free(m);
    }
    lfm2_runtime_free(r);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_false(atomic_load(&memory.broken));
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
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels),        cmocka_unit_test(test_prefetch),
        cmocka_unit_test(test_prefetch_start), cmocka_unit_test(test_machine),
        cmocka_unit_test(test_model_read),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
