/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the translation of errno, the clock, the count of processors and waiting. */
#define _GNU_SOURCE /* sched_getaffinity; strerror_r is then GNU's */
#include "common/os.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

int32_t lf_fail_errno(int error, const char *code, const char *path, const char *what)
{
    char buffer[128];
    const char *text = strerror_r(error, buffer, sizeof buffer);
    return lf_fail(error == ENOMEM ? LFM2_E_MEMORY : LFM2_E_IO, code, "%s: %s: %s", path, what,
                   text);
}

double lf_os_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

uint32_t lf_os_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 0; /* more processors than the set holds */
    }
    return (uint32_t)CPU_COUNT(&set);
}

void lf_os_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
