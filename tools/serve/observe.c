/* SPDX-License-Identifier: Apache-2.0 */
/* Counts durations in buckets. */
#include "serve/observe.h"

#include <string.h>

/* Seconds: from one token on a fast machine to a long prompt on a slow one. */
static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1,
                                0.15,  0.25,   0.5,   0.75, 1,     2.5,  5,     7.5,
                                10,    20,     40,    80,   160,   640,  2560};

static const struct {
    const char *name, *help;
} texts[N_OBSERVED] = {
    [OBSERVED_QUEUE] = {"request_queue_time_seconds", "Time that requests waited in the queue."},
    [OBSERVED_PROMPT] = {"request_prefill_time_seconds",
                         "Time from leaving the queue to the first token."},
    [OBSERVED_FIRST_TOKEN] = {"time_to_first_token_seconds",
                              "Time from the request to its first token."},
    [OBSERVED_GAP] = {"inter_token_latency_seconds", "Time between two tokens of a text."},
    [OBSERVED_DECODE] = {"request_decode_time_seconds",
                         "Time from the first token to the end of a request."},
    [OBSERVED_REQUEST] = {"e2e_request_latency_seconds", "Time of a request as a whole."},
};

void observe_init(observations *o)
{
    *o = (observations){0};
    for (int i = 0; i < N_OBSERVED; i++) {
        api_histogram *h = &o->all[i];
        h->name = texts[i].name;
        h->help = texts[i].help;
        h->n_bounds = sizeof bounds / sizeof bounds[0];
        memcpy(h->bounds, bounds, sizeof bounds);
    }
}

void observe(observations *o, observed_time kind, double seconds)
{
    api_histogram *h = &o->all[kind];
    uint32_t i = 0;
    while (i < h->n_bounds && seconds > h->bounds[i]) {
        i++;
    }
    h->counts[i]++;
    h->sum += seconds;
}
