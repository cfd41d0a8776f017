/* SPDX-License-Identifier: Apache-2.0 */
/* The number of working threads on busy machines, simulated, and the meter on this machine. */
#include "runtime/crowding.h"
#include "runtime/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static const uint64_t MS = 1000000;

/* Processors that `active` threads lose to `others` busy programs on `cpus` processors. */
static double lost(uint32_t active, uint32_t others, uint32_t cpus)
{
    uint32_t crowded = active + others > cpus ? active + others - cpus : 0;
    return crowded < active ? crowded * 0.5 : active * 0.5;
}

typedef struct machine {
    lf_crowding c;
    uint32_t cpus, others;
    uint64_t now;
    double active_ms; /* of the last run_for, summed over threads */
} machine;

static void run_for(machine *m, uint64_t ms)
{
    m->active_ms = 0;
    for (uint64_t end = m->now + ms * MS; m->now < end; m->now += MS) {
        if (lf_crowding_due(&m->c, m->now)) {
            lf_crowding_decide(&m->c, lost(m->c.active, m->others, m->cpus), m->now);
        }
        m->active_ms += m->c.active;
        assert_in_range(m->c.active, 1, m->c.n_threads);
    }
}

static void check_machine(uint32_t cpus, uint32_t others, uint32_t expected)
{
    machine m = {.cpus = cpus, .others = 0};
    lf_crowding_init(&m.c, cpus);
    run_for(&m, 1000);
    assert_int_equal(m.active_ms, 1000 * cpus); /* an idle machine: all threads, always */
    m.others = others;
    run_for(&m, 1000);
    run_for(&m, 20000);
    assert_true(m.active_ms >= 20000.0 * expected);
    assert_true(m.active_ms <= 20000.0 * expected * 1.02); /* retries are rare */
    m.others = 0;
    run_for(&m, 2000 + 25 * cpus);
    run_for(&m, 1000);
    assert_int_equal(m.active_ms, 1000 * cpus);
}

static void test_machines(void **state)
{
    (void)state;
    check_machine(2, 2, 1);
    check_machine(2, 1, 1);
    check_machine(4, 1, 3);
    check_machine(16, 2, 14);
    check_machine(16, 40, 1);
}

/* A few percent lost by each of many threads do not count. */
static void test_little(void **state)
{
    (void)state;
    assert_true(lf_crowding_counts(0.1) == 0);
    assert_true(lf_crowding_counts(0.5) == 0.5);
    lf_crowding c;
    lf_crowding_init(&c, 8);
    lf_crowding_decide(&c, 0.2, MS);
    assert_int_equal(c.active, 8);
    assert_false(lf_crowding_due(&c, 2 * MS));
    assert_true(lf_crowding_due(&c, 100 * MS));
}

/* Sleeping is not lost time. */
static void test_meter(void **state)
{
    (void)state;
    lf_meter m = {0};
    lf_meter_step(&m);
    for (int i = 0; i < 3; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 30 * 1000 * 1000}, NULL);
        lf_meter_step(&m);
        assert_int_equal(atomic_load(&m.watched), 0);
    }
    assert_true(lf_meter_take(&m) == 0);
    /* At least 100 ms, more if another program had the processor. */
    uint64_t begin = lf_os_ns();
    for (uint64_t now = begin;
         now < begin + 100 * MS || (atomic_load(&m.watched) == 0 && now < begin + 60000 * MS);
         now = lf_os_ns()) {
        lf_meter_step(&m);
    }
    assert_true(atomic_load(&m.watched) > 0);
    assert_true(atomic_load(&m.lost) <= atomic_load(&m.watched));
    atomic_store(&m.watched, 100);
    atomic_store(&m.lost, 25);
    assert_true(lf_meter_take(&m) == 0.25);
    assert_true(lf_meter_take(&m) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_little),
        cmocka_unit_test(test_meter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
