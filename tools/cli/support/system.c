/* SPDX-License-Identifier: Apache-2.0 */
/* What the program asks the operating system: random seeds, time, memory in use. */
#include "cli/support/system.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

uint64_t random_seed(void)
{
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
        /* There are no random bytes: early during boot, or in a sandbox. */
        struct timespec now = {0};
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t mixed = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 30) ^ (uint64_t)getpid();
        seed = (uint32_t)((mixed * 0x9e3779b97f4a7c15U) >> 32);
    }
    return seed;
}

double now_seconds(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void wait_seconds(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void local_time(lfm2_time *out)
{
    struct tm parts = {0};
    time_t now = time(NULL);
    *out = (lfm2_time){.size = sizeof *out, .year = 1970, .month = 1, .day = 1};
    if (localtime_r(&now, &parts) == NULL || parts.tm_year < 70 || parts.tm_year > 9999 - 1900) {
        return;
    }
    out->year = parts.tm_year + 1900;
    out->month = parts.tm_mon + 1;
    out->day = parts.tm_mday;
    out->hour = parts.tm_hour;
    out->minute = parts.tm_min;
    out->second = parts.tm_sec < 60 ? parts.tm_sec : 59; /* 60 in a leap second */
}

uint64_t peak_rss(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

void peak_rss_restart(void)
{
    /* proc(5): 5 resets the high-water mark */
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file >= 0) {
        ssize_t written = write(file, "5", 1);
        (void)written;
        close(file);
    }
}
