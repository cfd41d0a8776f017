/* SPDX-License-Identifier: Apache-2.0 */
/* Runs requests to the API with the steps of an engine that has no thread. */
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { MAX_KEPT = 1024 };

/* The exchanges of lft_ask. */
static lft_exchange *kept[MAX_KEPT];
static int n_kept;

api_options lft_api_options(void)
{
    return (api_options){.model_name = "demo", .replay_bytes = 1 << 20, .alive_seconds = 5};
}

lft_api lft_api_open(const char *path, const api_options *options,
                     const lfm2_engine_options *engine_options)
{
    lft_api a = {0};
    api_options defaults = lft_api_options();
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    a.model = lft_open(path != NULL ? path : LFM2_DEMO_MODEL, 1, LFM2_KERNELS_AUTO, 0);
    LFT_OK(lfm2_engine_create(a.model, engine_options != NULL ? engine_options : &o, &a.engine));
    assert_int_equal(api_create(options != NULL ? options : &defaults, a.model, a.engine, &a.api),
                     LFM2_OK);
    return a;
}

void lft_api_close(lft_api *a)
{
    while (n_kept > 0) {
        lft_exchange_free(kept[--n_kept]);
    }
    api_free(a->api);
    lfm2_engine_free(a->engine);
    lfm2_model_free(a->model);
}

lft_exchange *lft_send(lft_api *a, const char *method, const char *path, const char *body)
{
    lft_exchange *e = lft_exchange_new(method, path, body);
    api_handle(a->api, &e->x);
    return e;
}

void lft_api_run(lft_api *a)
{
    uint32_t left = 0;
    do {
        LFT_OK(lfm2_engine_step(a->engine, &left));
        api_events(a->api);
    } while (left > 0);
    assert_int_equal(api_active(a->api), 0);
}

lft_exchange *lft_post(lft_api *a, const char *path, const char *body)
{
    lft_exchange *e = lft_send(a, "POST", path, body);
    lft_api_run(a);
    assert_true(e->over);
    return e;
}

const lf_json *lft_ask(lft_api *a, const char *path, const char *body, int status)
{
    lft_exchange *e = lft_post(a, path, body);
    if (e->status != status) {
        fail_msg("%s: status %d, not %d: %s", body, e->status, status, e->text);
    }
    assert_true(n_kept < MAX_KEPT);
    kept[n_kept++] = e;
    return lft_response(e);
}

char *lft_joined(lft_exchange *e, const char *path)
{
    size_t len = 0;
    char *out = calloc(1, e->len + 1); /* the pieces are in the response */
    assert_non_null(out);
    const char *name = NULL;
    for (uint32_t i = 0;; i++) {
        const lf_json *event = lft_event(e, i, &name);
        if (event == NULL) {
            return out;
        }
        const lf_json *piece = lft_get(event, path);
        if (piece != NULL && piece->kind == LF_JSON_STRING) {
            memcpy(out + len, piece->text, piece->len);
            len += piece->len;
        }
    }
}
