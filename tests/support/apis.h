/* SPDX-License-Identifier: Apache-2.0 */
/* The API of the server over the demo model, without HTTP and threads. A failure in a helper fails
 * the test. */
#ifndef LF_TESTS_APIS_H
#define LF_TESTS_APIS_H

#include "serve/api.h"
#include "support/exchanges.h"
#include "support/models.h"

typedef struct lft_api {
    lfm2_model *model;
    lfm2_engine *engine;
    api *api;
} lft_api;

/* Opens the demo model (path NULL) or another one. `options` and `engine_options` may be NULL. */
lft_api lft_api_open(const char *path, const api_options *options,
                     const lfm2_engine_options *engine_options);
void lft_api_close(lft_api *a);

/* The default options of tests. */
api_options lft_api_options(void);

/* Gives the API a request; it may not be over yet. */
lft_exchange *lft_send(lft_api *a, const char *method, const char *path, const char *body);

/* Makes steps until all responses are complete. */
void lft_api_run(lft_api *a);

/* Sends a request with POST and runs it. */
lft_exchange *lft_post(lft_api *a, const char *path, const char *body);

/* The same; the response must have this status, and is returned as JSON. *out (may be NULL)
 * receives the exchange, which the caller frees; without it, it lives until lft_api_close. */
const lf_json *lft_ask(lft_api *a, const char *path, const char *body, int status);

/* The text of all events of a stream at a path, joined: "choices.0.delta.content". */
char *lft_joined(lft_exchange *e, const char *path);

#endif /* LF_TESTS_APIS_H */
