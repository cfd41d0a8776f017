/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 serve: answers requests over HTTP. */
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/options/engine_options.h"
#include "cli/support/model_open.h"
#include "serve/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_BYTES = 16 << 20, PAGE_TOKENS = 64, DEFAULT_RUNNING = 64, DEFAULT_STEP_MS = 300 };

typedef struct serve_options {
    model_options model;
    session_options session;
    engine_options engine;
    uint32_t step_ms, max_queue;
    double decode_share;
    const char *host, *unix_path, *admin, *agent, *alias, *key_file, *session_folder, *log;
    uint32_t port, max_tokens;
    opt_texts keys, hosts;
    bool no_auth, shared_cache, no_page;
    uint32_t max_body; /* MiB */
    uint32_t max_connections, max_per_client;
    double header_seconds, body_seconds, idle_seconds, write_seconds, drain_seconds, ping_seconds;
} serve_options;

#define AT(member) offsetof(serve_options, member)

static const opt_spec listen_specs[] = {
    {.type = OPT_TEXT,
     .name = "host",
     .arg = "HOST",
     .help = "address to listen on. Beyond loopback --api-key-file is required, or --no-auth",
     .default_text = "127.0.0.1",
     .offset = AT(host)},
    {.type = OPT_U32,
     .name = "port",
     .arg = "PORT",
     .help = "port to listen on; 0 = a free one",
     .default_text = "8080",
     .offset = AT(port),
     .max = 65535},
    {.type = OPT_TEXT,
     .name = "unix",
     .arg = "PATH",
     .help = "listen on a UNIX socket, to which only its owner may connect; TCP then needs --host",
     .offset = AT(unix_path)},
    {.type = OPT_TEXT,
     .name = "admin",
     .arg = "HOST:PORT",
     .help = "answer /health/live, /health/ready, /metrics (Prometheus) and /agent on this "
             "address, without keys",
     .offset = AT(admin)},
    {.type = OPT_TEXT,
     .name = "agent",
     .arg = "HOST:PORT",
     .help = "answer HAProxy's agent checks on this address",
     .offset = AT(agent)},
    {.type = OPT_TEXT,
     .letter = 'a',
     .name = "alias",
     .arg = "NAME",
     .help = "name of the model; requests that name another model are then refused",
     .default_text = "the name of the file; any name is accepted",
     .offset = AT(alias)},
    {.type = OPT_FLAG,
     .name = "no-page",
     .aliases = "--no-webui --no-ui",
     .help = "do not answer / with the chat page",
     .offset = AT(no_page)},
    {.type = OPT_END},
};

static const opt_spec access_specs[] = {
    {.type = OPT_TEXT,
     .name = "api-key-file",
     .arg = "FILE",
     .help = "accept only requests with one of these keys: one a line, or NAME:KEY. SIGHUP reads "
             "the file again",
     .offset = AT(key_file)},
    {.type = OPT_TEXTS,
     .name = "api-key",
     .arg = "KEY",
     .help = "one more key, or NAME:KEY; users of the machine can see it. May be repeated",
     .offset = AT(keys)},
    {.type = OPT_FLAG,
     .name = "no-auth",
     .help = "listen beyond loopback without keys: anybody on the network can use the server",
     .offset = AT(no_auth)},
    {.type = OPT_TEXTS,
     .name = "allowed-host",
     .arg = "NAME",
     .help = "accept requests for this host name; * = any. May be repeated",
     .default_text = "localhost, loopback addresses and the address of the server",
     .offset = AT(hosts)},
    {.type = OPT_FLAG,
     .name = "shared-cache",
     .help = "requests find cached prompts of other keys, which their time can reveal",
     .offset = AT(shared_cache)},
    {.type = OPT_TEXT,
     .name = "session-folder",
     .aliases = "--slot-save-path",
     .arg = "DIR",
     .help = "folder in which requests may save sessions",
     .offset = AT(session_folder)},
    {.type = OPT_TEXT,
     .name = "log",
     .aliases = "--log-file",
     .arg = "FILE",
     .help = "append a JSON object for each request to FILE, without prompts and answers; - = "
             "standard output",
     .offset = AT(log)},
    {.type = OPT_END},
};

static const opt_spec request_specs[] = {
    {.type = OPT_U32,
     .letter = 'n',
     .name = "predict",
     .aliases = "--n-predict",
     .arg = "N",
     .help = "most tokens of an answer whose request sets no limit",
     .default_text = "8192",
     .offset = AT(max_tokens),
     .min = 1,
     .max = INT32_MAX,
     .specials = predict_specials},
    {.type = OPT_U32,
     .name = "step-ms",
     .arg = "MS",
     .help = "most milliseconds of a step, the time between two tokens of an answer while prompts "
             "are computed; 0 = no limit, for throughput",
     .default_text = "300",
     .offset = AT(step_ms),
     .max = 3600000},
    {.type = OPT_REAL,
     .name = "decode-share",
     .arg = "F",
     .help = "least share of their speed that answers keep while prompts are computed",
     .default_text = "0.4",
     .offset = AT(decode_share),
     .max = 1},
    {.type = OPT_U32,
     .name = "max-queue",
     .arg = "N",
     .help = "requests that wait; the next one gets status 429",
     .default_text = "256",
     .offset = AT(max_queue),
     .min = 1,
     .max = 1000000},
    {.type = OPT_REAL,
     .name = "ping",
     .aliases = "--sse-ping-interval",
     .arg = "S",
     .help = "seconds after which a quiet stream gets a comment",
     .default_text = "5",
     .offset = AT(ping_seconds),
     .min = 0.1,
     .max = 86400},
    {.type = OPT_END},
};

#define SECONDS_SPEC(option, text, member, preset)                                                 \
    {                                                                                              \
        .type = OPT_REAL, .name = option, .arg = "S", .help = text, .default_text = preset,        \
        .offset = AT(member), .min = 0.01, .max = 86400                                            \
    }

static const opt_spec limit_specs[] = {
    {.type = OPT_U32,
     .name = "max-body",
     .arg = "MIB",
     .help = "largest request",
     .default_text = "8",
     .offset = AT(max_body),
     .min = 1,
     .max = 1024},
    {.type = OPT_U32,
     .name = "max-connections",
     .arg = "N",
     .help = "open connections",
     .default_text = "10000, or what the limit of open files allows",
     .offset = AT(max_connections),
     .min = 1,
     .max = 1000000},
    {.type = OPT_U32,
     .name = "max-connections-per-client",
     .arg = "N",
     .help = "open connections of an address, or of an IPv6 network",
     .default_text = "256, and no limit for loopback addresses",
     .offset = AT(max_per_client),
     .min = 1,
     .max = 1000000},
    SECONDS_SPEC("header-timeout", "seconds for the head of a request", header_seconds, "15"),
    SECONDS_SPEC("body-timeout", "seconds for the body of a request", body_seconds, "300"),
    SECONDS_SPEC("idle-timeout", "seconds between two requests of a connection", idle_seconds,
                 "75"),
    SECONDS_SPEC("write-timeout", "seconds in which a client takes no byte of its response",
                 write_seconds, "60"),
    SECONDS_SPEC("drain-timeout", "seconds for the requests in progress after SIGTERM or Ctrl-C",
                 drain_seconds, "30"),
    {.type = OPT_END},
};

/* Options of llama-server. */
static const char template_reason[] = "the server uses the chat template of the model";
static const char proxy_reason[] = "a proxy in front of the server does this";
static const opt_spec server_compat_specs[] = {
    {.type = OPT_REFUSED,
     .aliases = "--chat-template --chat-template-file",
     .help = template_reason},
    {.type = OPT_REFUSED,
     .aliases = "--metrics",
     .help = "give an address for the metrics with --admin HOST:PORT"},
    {.type = OPT_REFUSED,
     .aliases = "--ssl-key-file --ssl-cert-file --api-prefix",
     .help = proxy_reason},
    {.type = OPT_REFUSED,
     .aliases = "--embedding --embeddings --rerank --reranking --pooling",
     .help = "lfm2 runs text models only"},
    {.type = OPT_IGNORED,
     .aliases = "-cb --cont-batching -nocb --no-cont-batching --slots --no-slots --props --webui "
                "--cache-prompt --no-context-shift --no-cache-idle-slots",
     .help = NULL},
    {.type = OPT_IGNORED,
     .aliases = "--threads-http -to --timeout -sps --slot-prompt-similarity --cache-reuse "
                "--reasoning-format",
     .arg = "VALUE",
     .help = NULL},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Server", listen_specs, 0, NULL},
    {"Access", access_specs, 0, NULL},
    {"Requests", request_specs, 0, NULL},
    ENGINE_GROUP(serve_options, engine),
    {"Limits", limit_specs, 0, NULL},
    MODEL_GROUPS(serve_options, model),
    SESSION_GROUPS(serve_options, session),
    {NULL, server_compat_specs, 0, NULL},
    COMPAT_GROUP,
};

/* ---- Running -------------------------------------------------------------------------------- */

typedef struct service {
    open_model opened;
    lfm2_engine *engine;
    api *api;
    http_options http;
    http_server *server;
    uint64_t page_bytes;
    double longest_step;
    char name[256];
} service;

static void on_say(const char *text)
{
    notice("%s", text);
}

/* On the I/O thread; none of these calls waits for a step. */
static void on_figures(void *user, http_figures *out)
{
    service *s = user;
    out->engine.size = sizeof out->engine;
    out->kv.size = sizeof out->kv;
    out->cache.size = sizeof out->cache;
    lfm2_cache *cache = lfm2_engine_cache(s->engine);
    if (lfm2_engine_get_stats(s->engine, &out->engine) == LFM2_OK &&
        out->engine.longest_step > s->longest_step) {
        s->longest_step = out->engine.longest_step;
    }
    (void)lfm2_model_kv_usage(s->opened.model, &out->kv);
    if (cache != NULL) {
        (void)lfm2_cache_get_usage(cache, &out->cache);
    }
    out->longest_step = s->longest_step;
    out->page_bytes = s->page_bytes;
    out->page_tokens = PAGE_TOKENS;
}

static void fill_http(const serve_options *o, service *s)
{
    http_options *h = &s->http;
    http_options_init(h);
    bool is_path = o->host != NULL && o->host[0] == '/'; /* as llama-server takes UNIX sockets */
    h->unix_path = is_path ? o->host : o->unix_path;
    h->host = is_path || (h->unix_path != NULL && o->host == NULL) ? NULL
              : o->host != NULL                                    ? o->host
                                                                   : h->host;
    h->port = o->port;
    h->admin = o->admin;
    h->agent = o->agent;
    h->key_file = o->key_file;
    h->keys = o->keys.items;
    h->n_keys = o->keys.n;
    h->no_auth = o->no_auth;
    h->shared_cache = o->shared_cache;
    h->allowed_hosts = o->hosts.items;
    h->n_allowed_hosts = o->hosts.n;
    h->max_body = (uint64_t)o->max_body << 20;
    h->max_connections = o->max_connections;
    h->max_per_client = o->max_per_client;
    h->header_seconds = o->header_seconds;
    h->body_seconds = o->body_seconds;
    h->idle_seconds = o->idle_seconds;
    h->write_seconds = o->write_seconds;
    h->drain_seconds = o->drain_seconds;
    h->log_path = o->log;
    h->no_page = o->no_page;
    h->max_running = o->engine.parallel > 0 ? o->engine.parallel : DEFAULT_RUNNING;
    h->figures = on_figures;
    h->say = on_say;
    h->user = s;
}

/* The name of the model: that of its file or folder, without ".gguf". */
static void name_model(const serve_options *o, service *s)
{
    char path[sizeof s->opened.path];
    snprintf(path, sizeof path, "%s", s->opened.path);
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) {
        path[n - 1] = 0;
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t len = strlen(name) - (model_is_gguf_name(name) ? 5 : 0);
    snprintf(s->name, sizeof s->name, "%.*s", (int)(len < 255 ? len : 255), name);
    if (o->alias != NULL) {
        snprintf(s->name, sizeof s->name, "%s", o->alias);
    }
}

static int open_engine(const serve_options *o, service *s)
{
    lfm2_engine_options engine;
    lfm2_session_options session;
    lfm2_memory memory = {.size = sizeof memory};
    engine_options_fill(&o->engine, &o->session, s->opened.model, &engine);
    engine.flags |= LFM2_ENGINE_THREAD;
    engine.step_ms = o->step_ms;
    engine.decode_share = (float)o->decode_share;
    engine.max_queue = o->max_queue;
    engine.notify = http_notify;
    engine.notify_user = s->server;
    session_options_fill(&o->session, s->opened.model, &session);
    if (lfm2_estimate_memory(s->opened.model, &session, &memory) == LFM2_OK) {
        s->page_bytes = memory.kv_page;
    }
    if (lfm2_engine_create(s->opened.model, &engine, &s->engine) != LFM2_OK) {
        return fail_library();
    }
    name_model(o, s);
    api_options options = {
        .model_name = s->name,
        .any_model = o->alias == NULL,
        .session_folder = o->session_folder,
        .max_tokens = o->max_tokens,
        .replay_bytes = REPLAY_BYTES,
        .alive_seconds = o->ping_seconds,
        .kv_type = engine.kv_type,
        .n_ctx = engine.n_ctx,
    };
    return api_create(&options, s->opened.model, s->engine, &s->api) == LFM2_OK ? EXIT_OK
                                                                                : fail_library();
}

static int serve(const serve_options *o, service *s)
{
    char message[HTTP_MESSAGE];
    fill_http(o, s);
    /* Before the model is loaded, which takes longer: an address in use is reported at once. */
    if (!http_create(&s->http, &s->server, message)) {
        return fail("serve.start", "%s", message);
    }
    int code = model_open(&o->model, LFM2_LOAD_FULL, &s->opened);
    if (code == EXIT_OK) {
        code = open_engine(o, s);
    }
    if (code != EXIT_OK || http_run(s->server, s->api, message)) {
        return code;
    }
    return message[0] != 0 ? fail("serve.start", "%s", message)
                           : fail("serve.cut", "requests in progress were cut off");
}

static int run(const command *self, int argc, char **argv)
{
    serve_options opts = {
        .step_ms = DEFAULT_STEP_MS,
        .decode_share = 0.4,
        .max_queue = 256,
        .port = 8080,
        .max_tokens = DEFAULT_PREDICT,
        .max_body = 8,
        .max_connections = 10000,
        .header_seconds = 15,
        .body_seconds = 300,
        .idle_seconds = 75,
        .write_seconds = 60,
        .drain_seconds = 30,
        .ping_seconds = 5,
    };
    opt_args args = {.n = 0};
    service s = {.server = NULL};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code == PARSED && opts.model.path != NULL && model_check_path(opts.model.path) != EXIT_OK) {
        code = EXIT_FAILED;
    }
    if (code != PARSED) {
        return code;
    }
    code = serve(&opts, &s);
    api_free(s.api);
    lfm2_engine_free(s.engine);
    model_close(&s.opened);
    http_free(s.server);
    return code;
}

const command cmd_serve = {
    .name = "serve",
    .also = "server start",
    .summary = "Answer requests over HTTP.",
    .synopsis = "[MODEL | -m PATH] [OPTION]...",
    .details =
        "The server has the APIs of OpenAI (/v1/chat/completions, /v1/completions, /v1/responses, "
        "/v1/models), Anthropic (/v1/messages) and Ollama (/api/chat, /api/generate), and a chat "
        "page at /. Requests are computed together; the answer of each does not depend on the "
        "others. The first SIGTERM or Ctrl-C ends the server when the requests in progress are "
        "answered, a second one at once.\n\n"
        "Examples: lfm2 serve\n"
        "          curl localhost:8080/v1/chat/completions \\\n"
        "              -H 'Content-Type: application/json' \\\n"
        "              -d '{\"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}]}'\n"
        "          lfm2 serve LFM2-8B-A1B-Q4_0.gguf --host 0.0.0.0 --api-key-file keys",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
