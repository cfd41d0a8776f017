/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the API, for the files that manage it: api.c, job*.c, sessions.c, replay.c. */
#ifndef LFM2_SERVE_STATE_H
#define LFM2_SERVE_STATE_H

#include "serve/api.h"
#include "serve/constraints.h"
#include "serve/observe.h"
#include "serve/replay.h"
#include "serve/responses_store.h"
#include "serve/sessions.h"

struct api {
    api_options options;
    lfm2_model *model;
    lfm2_engine *engine;
    lfm2_model_info info;
    lfm2_chat_info chat;
    char fingerprint[24];
    int64_t created;
    uint64_t random; /* state of the generator */
    uint32_t n_ctx;
    uint64_t kv_page; /* bytes of the keys and values of 64 tokens */
    struct job_state *jobs; /* all that the engine has not finished */
    uint32_t n_active;
    observations observed;
    constraint_cache constraints;
    replay replay;
    response_store responses;
    sessions sessions;
};

/* A random number, for ids and seeds: not for secrets. */
uint64_t api_random_u64(api *a);

/* ---- job.c ---- */

/* Handles an event of the engine. */
void job_engine_event(api *a, const lfm2_engine_event *e);

/* Sends comments to streams that were quiet. */
void job_tick(api *a, double now);

/* Frees all jobs without any call. */
void job_free_all(api *a);

#endif /* LFM2_SERVE_STATE_H */
