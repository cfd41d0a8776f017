/* SPDX-License-Identifier: Apache-2.0 */
/* The API as a whole: its state, routes, and the events of the engine. */
#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const api_route routes[] = {
    {"POST", "/v1/chat/completions", STYLE_OPENAI, handle_chat_completions},
    {"POST", "/v1/chat/completions/input_tokens", STYLE_OPENAI, handle_input_tokens},
    {"POST", "/v1/completions", STYLE_OPENAI, handle_completions},
    {"GET", "/v1/models", STYLE_OPENAI, handle_models},
    {"GET", "/v1/models/{}", STYLE_OPENAI, handle_model},
    {"POST", "/v1/responses", STYLE_OPENAI, handle_responses},
    {"GET", "/v1/responses/{}", STYLE_OPENAI, handle_response},
    {"DELETE", "/v1/responses/{}", STYLE_OPENAI, handle_response_delete},
    {"POST", "/v1/messages", STYLE_ANTHROPIC, handle_messages},
    {"POST", "/v1/messages/count_tokens", STYLE_ANTHROPIC, handle_count_tokens},
    {"POST", "/api/chat", STYLE_OLLAMA, handle_ollama_chat},
    {"POST", "/api/generate", STYLE_OLLAMA, handle_ollama_generate},
    {"GET", "/api/tags", STYLE_OLLAMA, handle_ollama_tags},
    {"GET", "/api/ps", STYLE_OLLAMA, handle_ollama_ps},
    {"POST", "/api/show", STYLE_OLLAMA, handle_ollama_show},
    {"GET", "/api/version", STYLE_OLLAMA, handle_ollama_version},
    {"POST", "/v1/tokenize", STYLE_OPENAI, handle_tokenize},
    {"POST", "/v1/detokenize", STYLE_OPENAI, handle_detokenize},
    {"POST", "/v1/render", STYLE_OPENAI, handle_render},
    {"GET", "/v1/sessions", STYLE_OPENAI, handle_sessions},
    {"POST", "/v1/sessions/{}/save", STYLE_OPENAI, handle_session_save},
    {"POST", "/v1/sessions/{}/restore", STYLE_OPENAI, handle_session_restore},
    {"POST", "/v1/sessions/{}/fork", STYLE_OPENAI, handle_session_fork},
    {"DELETE", "/v1/sessions/{}", STYLE_OPENAI, handle_session_delete},
    /* The names of the same in other servers. */
    {"POST", "/chat/completions", STYLE_OPENAI, handle_chat_completions},
    {"POST", "/chat/completions/input_tokens", STYLE_OPENAI, handle_input_tokens},
    {"POST", "/completions", STYLE_OPENAI, handle_completions},
    {"POST", "/responses", STYLE_OPENAI, handle_responses},
    {"GET", "/models", STYLE_OPENAI, handle_models},
    {"POST", "/tokenize", STYLE_OPENAI, handle_tokenize},
    {"POST", "/detokenize", STYLE_OPENAI, handle_detokenize},
    {"POST", "/render", STYLE_OPENAI, handle_render},
    {"POST", "/apply-template", STYLE_OPENAI, handle_render},
};

/* ---- Creation ---- */

/* The beginning of a saved session names all that the bits of a text depend on: the model, the
 * kernels and the KV type. */
static int32_t make_fingerprint(api *a)
{
    lfm2_session_options options;
    lfm2_session_options_init(&options, sizeof options);
    options.kv_type = a->options.kv_type;
    lfm2_session *session = NULL;
    int32_t status = lfm2_session_create(a->model, &options, &session);
    size_t size = 0;
    uint8_t *bytes = NULL;
    if (status == LFM2_OK) {
        status = lfm2_session_save_memory(session, LFM2_SAVE_NO_LOGITS, NULL, 0, &size);
        bytes = status == LFM2_E_BUFFER ? malloc(size) : NULL;
        status = status == LFM2_E_BUFFER && bytes == NULL ? LFM2_E_MEMORY : status;
    }
    if (bytes != NULL) {
        status = lfm2_session_save_memory(session, LFM2_SAVE_NO_LOGITS, bytes, size, &size);
    }
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size && bytes != NULL; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    snprintf(a->fingerprint, sizeof a->fingerprint, "fp_%016llx", (unsigned long long)hash);
    free(bytes);
    lfm2_session_free(session);
    return status;
}

/* A start for random ids: from the system, or the time where it gives none. */
static uint64_t random_start(const api *a)
{
    uint64_t start = 0;
    FILE *file = fopen("/dev/urandom", "rb");
    if (file != NULL) {
        if (fread(&start, sizeof start, 1, file) != 1) {
            start = 0;
        }
        fclose(file);
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return start ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)a;
}

static int32_t set_up(api *a)
{
    a->info.size = sizeof a->info;
    int32_t status = lfm2_model_get_info(a->model, &a->info);
    if (status != LFM2_OK) {
        return status;
    }
    a->n_ctx = a->info.n_ctx_train;
    if (a->options.n_ctx > 0 && a->options.n_ctx < a->n_ctx) {
        a->n_ctx = a->options.n_ctx;
    }
    lfm2_memory memory = {.size = sizeof memory};
    lfm2_session_options options;
    lfm2_session_options_init(&options, sizeof options);
    options.kv_type = a->options.kv_type;
    status = lfm2_estimate_memory(a->model, &options, &memory);
    if (status != LFM2_OK) {
        return status;
    }
    a->kv_page = memory.kv_page;
    /* A template that is not implemented fails with each conversation, and says why. */
    a->chat.size = sizeof a->chat;
    if (lfm2_chat_get_info(a->model, NULL, &a->chat) != LFM2_OK) {
        a->chat = (lfm2_chat_info){.size = sizeof a->chat,
                                   .name = "",
                                   .origin = "",
                                   .reasoning_arg = "",
                                   .reasoning_start_id = -1,
                                   .reasoning_end_id = -1};
    }
    return make_fingerprint(a);
}

int32_t api_create(const api_options *options, lfm2_model *model, lfm2_engine *engine, api **out)
{
    api *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return LFM2_E_MEMORY;
    }
    a->options = *options;
    a->model = model;
    a->engine = engine;
    a->created = (int64_t)time(NULL);
    a->random = random_start(a);
    observe_init(&a->observed);
    replay_init(&a->replay, options->replay_bytes);
    response_store_init(&a->responses, RESPONSE_STORE_BYTES);
    sessions_clean(options->session_folder);
    int32_t status = set_up(a);
    if (status != LFM2_OK) {
        api_free(a);
        return status;
    }
    *out = a;
    return LFM2_OK;
}

void api_free(api *a)
{
    if (a == NULL) {
        return;
    }
    job_free_all(a);
    constraint_cache_free(&a->constraints);
    replay_free(&a->replay);
    response_store_free(&a->responses);
    sessions_free(a);
    free(a);
}

/* ---- Information ---- */

const char *api_model_name(const api *a)
{
    return a->options.model_name;
}

const char *api_fingerprint(const api *a)
{
    return a->fingerprint;
}

int64_t api_created(const api *a)
{
    return a->created;
}

lfm2_model *api_model(const api *a)
{
    return a->model;
}

lfm2_engine *api_engine(const api *a)
{
    return a->engine;
}

uint32_t api_context(const api *a)
{
    return a->n_ctx;
}

const lfm2_chat_info *api_chat(const api *a)
{
    return &a->chat;
}

uint32_t api_active(const api *a)
{
    return a->n_active;
}

const api_histogram *api_histograms(const api *a, uint32_t *n)
{
    *n = N_OBSERVED;
    return a->observed.all;
}

uint64_t api_random_u64(api *a)
{
    uint64_t z = a->random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void api_random(api *a, char *out, uint32_t n)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (uint32_t i = 0; i < n; i++) {
        out[i] = digits[api_random_u64(a) % (sizeof digits - 1)];
    }
    out[n] = '\0';
}

/* ---- Requests and events ---- */

/* Whether a path is that of a route. `argument` receives what stands at the place of "{}". */
static bool path_matches(const api_route *route, exchange *x, const char **argument)
{
    const char *hole = strstr(route->path, "{}");
    *argument = "";
    if (hole == NULL) {
        return strcmp(route->path, x->path) == 0;
    }
    size_t n_head = (size_t)(hole - route->path), n_tail = strlen(hole + 2);
    size_t n = strlen(x->path);
    if (n <= n_head + n_tail || memcmp(x->path, route->path, n_head) != 0 ||
        strcmp(x->path + n - n_tail, hole + 2) != 0) {
        return false;
    }
    return lf_arena_string(x->arena, x->path + n_head, n - n_head - n_tail, argument) == LFM2_OK &&
           (n_tail > 0 || strchr(*argument, '/') == NULL);
}

void api_handle(api *a, exchange *x)
{
    bool known = false;
    x->log.model = a->options.model_name;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const char *argument;
        if (!path_matches(&routes[i], x, &argument)) {
            continue;
        }
        known = true;
        x->style = routes[i].style;
        if (strcmp(routes[i].method, x->method) == 0) {
            reply_hold(x);
            routes[i].handle(a, x, argument);
            reply_release(x);
            return;
        }
    }
    if (known) {
        reply_error(x, 405, "invalid_request_error", NULL, "method_not_allowed",
                    "%.100s does not allow the method %.20s", x->path, x->method);
    } else {
        reply_error(x, 404, "invalid_request_error", NULL, "unknown_url",
                    "Unknown request URL: %.20s %.200s", x->method, x->path);
    }
}

void api_events(api *a)
{
    lfm2_engine_event e = {.size = sizeof e};
    while (lfm2_engine_next(a->engine, &e) == LFM2_OK && e.kind != LFM2_EVENT_NONE) {
        job_engine_event(a, &e);
    }
}

void api_tick(api *a, double now)
{
    job_tick(a, now);
}
