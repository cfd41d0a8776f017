/* SPDX-License-Identifier: Apache-2.0 */
/* Measured times of lfm2 constrain. */
#include "cli/constrain/constrain.h"

#include <stdlib.h>

int times_add(time_list *times, double microseconds)
{
    if (times->n == times->capacity) {
        size_t capacity = times->capacity * 2 + 256;
        float *items = realloc(times->items, capacity * sizeof *items);
        if (items == NULL) {
            return fail("cli.memory", "out of memory");
        }
        times->items = items;
        times->capacity = capacity;
    }
    times->items[times->n++] = (float)microseconds;
    return EXIT_OK;
}

void times_free(time_list *times)
{
    free(times->items);
    *times = (time_list){0};
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The smallest time that `part` of all times do not exceed. */
static double percentile(const time_list *times, double part)
{
    size_t at = (size_t)(part * (double)times->n);
    return (double)times->items[at < times->n ? at : times->n - 1];
}

time_summary times_summarize(time_list *times)
{
    time_summary s = {.n = times->n};
    if (times->n == 0) {
        return s;
    }
    qsort(times->items, times->n, sizeof *times->items, compare);
    double sum = 0;
    for (size_t i = 0; i < times->n; i++) {
        sum += (double)times->items[i];
    }
    s.average = sum / (double)times->n;
    s.p50 = percentile(times, 0.5);
    s.p95 = percentile(times, 0.95);
    s.p99 = percentile(times, 0.99);
    s.p999 = percentile(times, 0.999);
    s.most = (double)times->items[times->n - 1];
    return s;
}

void times_print(const char *name, const time_summary *s, bool milli)
{
    double unit = milli ? 1e-3 : 1;
    int digits = milli ? 2 : 1;
    out_printf("%s: average %.*f, p50 %.*f, p95 %.*f, p99 %.*f, p99.9 %.*f, max %.*f %s (%zu)\n",
               name, digits, s->average * unit, digits, s->p50 * unit, digits, s->p95 * unit,
               digits, s->p99 * unit, digits, s->p999 * unit, digits, s->most * unit,
               milli ? "ms" : "us", s->n);
}

void times_print_json(const time_summary *s)
{
    out_printf("{\"n\":%zu,\"avg\":%.3f,\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"p99.9\":%.3f,"
               "\"max\":%.3f}",
               s->n, s->average, s->p50, s->p95, s->p99, s->p999, s->most);
}
