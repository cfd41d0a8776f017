/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms of what requests took, as their events pass. */
#ifndef LFM2_SERVE_OBSERVE_H
#define LFM2_SERVE_OBSERVE_H

#include "serve/api.h"

typedef enum observed_time {
    OBSERVED_QUEUE,       /* waiting for the first step */
    OBSERVED_PROMPT,      /* from then to the first token */
    OBSERVED_FIRST_TOKEN, /* from the request to the first token */
    OBSERVED_GAP,         /* between two tokens of a choice */
    OBSERVED_DECODE,      /* from the first token to the end */
    OBSERVED_REQUEST,     /* the whole */
    N_OBSERVED
} observed_time;

typedef struct observations {
    api_histogram all[N_OBSERVED];
} observations;

void observe_init(observations *o);
void observe(observations *o, observed_time kind, double seconds);

#endif /* LFM2_SERVE_OBSERVE_H */
