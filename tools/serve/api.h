/* SPDX-License-Identifier: Apache-2.0 */
/* The APIs over one model: everything that is not HTTP. All functions are for one thread, the API
 * thread; lfm2_engine has a thread of its own. */
#ifndef LFM2_SERVE_API_H
#define LFM2_SERVE_API_H

#include "serve/exchange.h"

#include "lfm2.h"

typedef struct api api;

typedef struct api_options {
    const char *model_name; /* what /v1/models lists; any other name in a request is accepted
                               only if `any_model` is set */
    bool any_model;
    const char *session_folder; /* where sessions are saved; NULL = saving is refused */
    uint32_t max_tokens;        /* of an answer whose request has no limit; 0 = the context */
    uint32_t replay_bytes;      /* memory for the exact texts of earlier answers */
    double alive_seconds;       /* a stream without output for so long gets a comment */
    /* Those of the engine. */
    int32_t kv_type;
    uint32_t n_ctx;
} api_options;

/* The engine must not be used by anyone else. Returns an LFM2_* status; lfm2_last_error() describes
 * a failure. */
int32_t api_create(const api_options *options, lfm2_model *model, lfm2_engine *engine, api **out);

/* What APIs write about the model. The strings live as long as the API. */
const char *api_model_name(const api *a);
const char *api_fingerprint(const api *a); /* equal for equal model, kernels and KV type */
int64_t api_created(const api *a);         /* seconds since 1970 */
lfm2_model *api_model(const api *a);
lfm2_engine *api_engine(const api *a);
uint32_t api_context(const api *a); /* most tokens of a prompt and its answer */
const lfm2_chat_info *api_chat(const api *a);

/* Writes `n` random letters and digits and a 0. */
void api_random(api *a, char *out, uint32_t n);

/* Cancels what is running; every exchange must be over. */
void api_free(api *a);

/* Handles a request: replies at once, or keeps the exchange until its work is done. */
void api_handle(api *a, exchange *x);

/* Takes all events of the engine and passes them on. Call after the engine has notified. */
void api_events(api *a);

/* Keeps quiet streams alive. `now`: seconds of a monotonic clock. Call about once a second. */
void api_tick(api *a, double now);

/* Requests whose response is not complete. */
uint32_t api_active(const api *a);

/* Observations for the metrics, made as events pass. Seconds; `sum` of all. `bounds` are the upper
 * bounds of the buckets; the last bucket of `counts` is +Inf. */
enum { API_BUCKETS = 24 };
typedef struct api_histogram {
    const char *name, *help; /* without the prefix "lfm2_" */
    uint32_t n_bounds;
    double bounds[API_BUCKETS];
    uint64_t counts[API_BUCKETS + 1];
    double sum;
} api_histogram;

/* Time to first token, gap between tokens, queue, prompt, decoding, whole request. The array is
 * valid until the API is freed; the API thread changes it. */
const api_histogram *api_histograms(const api *a, uint32_t *n);

#endif /* LFM2_SERVE_API_H */
