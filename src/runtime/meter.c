/* SPDX-License-Identifier: Apache-2.0 */
/* Measures lost time as wall-clock time minus processor time, over windows in which the thread did
 * not sleep. */
#include "runtime/meter.h"

static const uint64_t WINDOW_NS = 10000000;

void lf_meter_step(lf_meter *meter)
{
    uint64_t now = lf_os_ns();
    if (meter->open && now - meter->begin < WINDOW_NS) {
        return;
    }
    uint64_t cpu = 0, sleeps = 0;
    if (!lf_os_usage(&cpu, &sleeps)) {
        return;
    }
    if (meter->open && sleeps == meter->sleeps) {
        uint64_t wall = now - meter->begin;
        uint64_t ran = cpu - meter->cpu;
        atomic_fetch_add_explicit(&meter->lost, wall > ran ? wall - ran : 0, memory_order_relaxed);
        atomic_fetch_add_explicit(&meter->watched, wall, memory_order_relaxed);
    }
    meter->open = true;
    meter->begin = now;
    meter->cpu = cpu;
    meter->sleeps = sleeps;
}

void lf_meter_reset(lf_meter *meter)
{
    meter->open = false;
}

double lf_meter_take(lf_meter *meter)
{
    uint64_t watched = atomic_exchange_explicit(&meter->watched, 0, memory_order_relaxed);
    uint64_t lost = atomic_exchange_explicit(&meter->lost, 0, memory_order_relaxed);
    if (watched == 0) {
        return 0;
    }
    double share = (double)lost / (double)watched;
    return share < 1 ? share : 1;
}
