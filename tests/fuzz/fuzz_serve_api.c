/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the body of a request: a byte that chooses the route and what is run, then the body.
 * Every request gets one response, with a status and an error that fit together, or a stream; a
 * client that leaves ends its work. Most requests leave at once; some generate a few tokens. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "serve/api.h"

#include "common/json.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *method, *path;
} routes[] = {
    {"POST", "/v1/chat/completions"},
    {"POST", "/v1/chat/completions"},
    {"POST", "/v1/completions"},
    {"POST", "/v1/responses"},
    {"POST", "/v1/messages"},
    {"POST", "/v1/messages/count_tokens"},
    {"POST", "/api/chat"},
    {"POST", "/api/generate"},
    {"POST", "/v1/render"},
    {"POST", "/v1/tokenize"},
    {"POST", "/v1/detokenize"},
    {"POST", "/v1/sessions/a/fork"},
    {"POST", "/api/show"},
    {"POST", "/v1/chat/completions/input_tokens"},
    {"DELETE", "/v1/sessions/a"},
    {"POST", "/v1/sessions/a/save"},
};
enum { N_ROUTES = sizeof routes / sizeof routes[0], RUN = 0x80, MAX_STEPS = 3 };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    if (size < 2 || fuzz_one_in(&random, 16)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    return 1 + fuzz_mutate_json(&random, data + 1, size - 1, max_size - 1);
}

/* ---- The sink ---- */

static bool begun, over;

static void begin(exchange *x, const char *content_type)
{
    (void)x;
    fuzz_must(!begun && !over && content_type != NULL);
    begun = true;
}

static void add(exchange *x, const char *bytes, size_t len)
{
    (void)x;
    fuzz_must(begun && !over && (len == 0 || bytes != NULL));
}

static void end(exchange *x)
{
    (void)x;
    fuzz_must(begun && !over);
    over = true;
}

/* A whole response is JSON; it has an error exactly if the status says so. */
static void reply(exchange *x, int status, const char *content_type, const char *headers,
                  const char *body, size_t len)
{
    (void)content_type;
    (void)headers;
    fuzz_must(!begun && !over && status >= 200 && status != 500);
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    const lf_json *value = NULL;
    fuzz_must(lf_json_parse(&arena, "response", LFM2_E_INTERNAL, body, len, &value) == LFM2_OK);
    bool error =
        lf_json_get(value, "error") != NULL && lf_json_get(value, "error")->kind != LF_JSON_NULL;
    fuzz_must(error == (status >= 400));
    lf_arena_free(&arena);
    (void)x;
    over = true;
}

static const exchange_sink sink = {.reply = reply, .begin = begin, .write = add, .end = end};

/* ---- Requests ---- */

static lfm2_engine *engine;
static api *server;

static void open_api(void)
{
    static lfm2_model *model;
    static const api_options options = {
        .model_name = "m", .any_model = true, .max_tokens = 4, .replay_bytes = 1 << 20};
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    o.n_ctx = 512;
    o.max_queue = 4;
    fuzz_must(lfm2_model_load(fuzz_runtime(LFM2_KERNELS_AUTO), LFM2_DEMO_MODEL, NULL, &model) ==
              LFM2_OK);
    fuzz_must(lfm2_engine_create(model, &o, &engine) == LFM2_OK);
    fuzz_must(api_create(&options, model, engine, &server) == LFM2_OK);
}

static void run(exchange *x, int steps)
{
    uint32_t left = 1;
    for (int i = 0; i < steps && !over && left > 0; i++) {
        fuzz_must(lfm2_engine_step(engine, &left) == LFM2_OK);
        api_events(server);
        api_tick(server, i);
    }
    if (!over) {
        fuzz_must(x->gone != NULL);
        x->gone(x);
        over = true;
    }
    for (left = 1; left > 0;) {
        fuzz_must(lfm2_engine_step(engine, &left) == LFM2_OK);
        api_events(server);
    }
    fuzz_must(api_active(server) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (server == NULL) {
        open_api();
    }
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    char *body = malloc(size); /* exact, but for the NUL */
    fuzz_must(body != NULL);
    memcpy(body, data + 1, size - 1);
    body[size - 1] = '\0';
    exchange x = {.sink = &sink,
                  .method = routes[data[0] % N_ROUTES].method,
                  .path = routes[data[0] % N_ROUTES].path,
                  .query = "",
                  .body = body,
                  .body_len = size - 1,
                  .arena = &arena};
    begun = over = false;
    api_handle(server, &x);
    static const char *const syntax[] = {"json.", NULL};
    fuzz_count(over && !begun ? LFM2_E_TEXT : LFM2_OK, syntax);
    run(&x, (data[0] & RUN) != 0 ? MAX_STEPS : 0);
    lf_arena_free(&arena);
    free(body);
    return 0;
}
