/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server with an API that only tests it: no model, answers on demand.
 *   fake_server [NAME=VALUE]...        names: fields of http_options
 * Requests: /echo replies with what arrived; /stream?N,MS sends N pieces, one in MS milliseconds;
 * /flood never ends, as fast as the client reads; /late?MS replies then, and cannot be stopped;
 * /counts replies with the number of requests that the client left. SIGUSR1 makes one of `fail`
 * allocations fail, SIGUSR2 none. */
#include "serve/http.h"

#include <event2/event.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct work {
    struct work *next;
    exchange *x;
    char kind; /* 's'tream, 'f'lood, 'l'ate */
    long left, milliseconds;
    double due;
} work;

struct api {
    work *works;
    uint32_t active, left, ticks;
    api_histogram histogram;
};

static char piece[65536];

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- Allocations ---------------------------------------------------------------------------- */

static atomic_uint failing; /* one of how many; 0 = none */
static atomic_uint n_allocations;

static bool fails(void)
{
    unsigned each = atomic_load(&failing);
    return each > 0 && atomic_fetch_add(&n_allocations, 1) % each == each - 1;
}

/* The linker lets the server and the library call these. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
int __real_posix_memalign(void **p, size_t align, size_t size);
int __wrap_posix_memalign(void **p, size_t align, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

int __wrap_posix_memalign(void **p, size_t align, size_t size)
{
    return fails() ? 12 : __real_posix_memalign(p, align, size);
}

static unsigned fail_each;

static void on_fail(int number)
{
    atomic_store(&failing, number == SIGUSR1 ? fail_each : 0);
}

/* ---- The API -------------------------------------------------------------------------------- */

static void on_gone(exchange *x)
{
    work *w = x->work;
    w->x = NULL; /* removed with the next events */
}

static void start_work(api *a, exchange *x, char kind)
{
    work *w = calloc(1, sizeof *w);
    char *end = NULL;
    if (w == NULL) {
        x->sink->reply(x, 503, "application/json", NULL, "{}", 2);
        return;
    }
    w->x = x;
    w->kind = kind;
    w->left = strtol(x->query, &end, 10);
    w->milliseconds = *end == ',' ? strtol(end + 1, NULL, 10) : w->left;
    w->due = now_seconds() + 1e-3 * (double)w->milliseconds;
    w->next = a->works;
    a->works = w;
    a->active++;
    x->work = w;
    if (kind != 'l') {
        x->gone = on_gone;
        x->sink->begin(x, "text/event-stream");
    }
}

void api_handle(api *a, exchange *x)
{
    char text[512];
    x->log.prompt_tokens = 7;
    x->log.finish = "stop";
    if (strcmp(x->path, "/stream") == 0) {
        start_work(a, x, 's');
    } else if (strcmp(x->path, "/flood") == 0) {
        start_work(a, x, 'f');
    } else if (strcmp(x->path, "/late") == 0) {
        start_work(a, x, 'l');
    } else if (strcmp(x->path, "/counts") == 0) {
        int n = snprintf(text, sizeof text, "{\"left\":%u,\"active\":%u,\"ticks\":%u}", a->left,
                         a->active, a->ticks);
        x->sink->reply(x, 200, "application/json", NULL, text, (size_t)n);
    } else if (strcmp(x->path, "/echo") == 0) {
        unsigned sum = 0;
        for (size_t i = 0; i < x->body_len; i++) {
            sum = sum * 31 + (unsigned char)x->body[i];
        }
        int n = snprintf(text, sizeof text,
                         "{\"method\":\"%s\",\"query\":\"%.99s\",\"length\":%zu,\"sum\":%u,"
                         "\"owner\":%llu,\"scope\":%llu}",
                         x->method, x->query, x->body_len, sum, (unsigned long long)x->owner,
                         (unsigned long long)x->cache_scope);
        x->sink->reply(x, 200, "application/json", "X-Test: yes\r\n", text, (size_t)n);
    } else {
        x->sink->reply(x, 404, "application/json", NULL, "{}", 2);
    }
}

/* Makes the progress of one work. Returns whether it is over. */
static bool advance(api *a, work *w, double now)
{
    if (w->x == NULL) {
        a->left++;
        return true;
    }
    if (w->kind == 'f') {
        w->x->sink->write(w->x, piece, sizeof piece);
        return false;
    }
    if (now < w->due) {
        return false;
    }
    if (w->kind == 'l') {
        w->x->sink->reply(w->x, 200, "text/plain", NULL, "late", 4);
        return true;
    }
    w->due += 1e-3 * (double)w->milliseconds;
    w->x->sink->write(w->x, "data: piece\n\n", 13);
    a->histogram.counts[0]++;
    if (--w->left <= 0) {
        w->x->sink->end(w->x);
        return true;
    }
    return false;
}

void api_events(api *a)
{
    double now = now_seconds();
    for (work **at = &a->works; *at != NULL;) {
        work *w = *at;
        if (advance(a, w, now)) {
            *at = w->next;
            free(w);
            a->active--;
        } else {
            at = &w->next;
        }
    }
}

void api_tick(api *a, double now)
{
    (void)now;
    a->ticks++;
}

uint32_t api_active(const api *a)
{
    return a->active;
}

const api_histogram *api_histograms(const api *a, uint32_t *n)
{
    *n = 1;
    return &a->histogram;
}

/* ---- The program ---------------------------------------------------------------------------- */

static atomic_bool stop;

/* Stands for the engine: notifies every millisecond. */
static void *engine(void *user)
{
    struct timespec pause = {.tv_nsec = 1000000};
    while (!atomic_load(&stop)) {
        http_notify(user);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void on_say(const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
}

static void on_figures(void *user, http_figures *out)
{
    (void)user;
    out->engine.n_running = 16;
    out->engine.n_waiting = 3;
    out->engine.steps_by_rows[2] = 5;
    out->kv.budget = 1000;
    out->kv.used = 300;
    out->kv.cached = 100;
    out->page_bytes = 10;
    out->page_tokens = 64;
}

/* Takes NAME=VALUE. */
static bool take(http_options *o, const char *name, const char *value)
{
    static const char *hosts[4];
    const struct {
        const char *name;
        const char **text;
        double *number;
        uint32_t *count;
    } fields[] = {
        {"host", &o->host, NULL, NULL},
        {"port", NULL, NULL, &o->port},
        {"unix", &o->unix_path, NULL, NULL},
        {"admin", &o->admin, NULL, NULL},
        {"agent", &o->agent, NULL, NULL},
        {"keys", &o->key_file, NULL, NULL},
        {"log", &o->log_path, NULL, NULL},
        {"fail", NULL, NULL, &fail_each},
        {"max_connections", NULL, NULL, &o->max_connections},
        {"max_per_client", NULL, NULL, &o->max_per_client},
        {"header_seconds", NULL, &o->header_seconds, NULL},
        {"body_seconds", NULL, &o->body_seconds, NULL},
        {"idle_seconds", NULL, &o->idle_seconds, NULL},
        {"write_seconds", NULL, &o->write_seconds, NULL},
        {"drain_seconds", NULL, &o->drain_seconds, NULL},
        {"allow", &hosts[o->n_allowed_hosts % 4], NULL, NULL},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].name, name) != 0) {
            continue;
        }
        if (fields[i].text != NULL) {
            *fields[i].text = value[0] != 0 ? value : NULL;
        } else if (fields[i].number != NULL) {
            *fields[i].number = strtod(value, NULL);
        } else {
            *fields[i].count = (uint32_t)strtoul(value, NULL, 10);
        }
        o->allowed_hosts = hosts;
        o->n_allowed_hosts += strcmp(name, "allow") == 0 ? 1 : 0;
        return true;
    }
    o->no_auth = o->no_auth || strcmp(name, "no_auth") == 0;
    o->shared_cache = o->shared_cache || strcmp(name, "shared_cache") == 0;
    return strcmp(name, "no_auth") == 0 || strcmp(name, "shared_cache") == 0;
}

static bool take_all(http_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL) {
            return false;
        }
        *equals = 0;
        if (!take(o, argv[i], equals + 1)) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    http_options options;
    http_server *server = NULL;
    char message[HTTP_MESSAGE];
    api fake = {
        .histogram = {.name = "test_seconds", .help = "Test.", .n_bounds = 1, .bounds = {1}}};
    pthread_t thread;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, on_fail);
    signal(SIGUSR2, on_fail);
    event_set_mem_functions(__wrap_malloc, __wrap_realloc, free);
    http_options_init(&options);
    options.port = 0;
    options.say = on_say;
    options.figures = on_figures;
    options.max_running = 64;
    memset(piece, 'x', sizeof piece);
    if (!take_all(&options, argc, argv)) {
        return 2;
    }
    if (!http_create(&options, &server, message)) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    if (pthread_create(&thread, NULL, engine, server) != 0) {
        return 1;
    }
    bool good = http_run(server, &fake, message);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    while (fake.works != NULL) {
        work *next = fake.works->next;
        free(fake.works);
        fake.works = next;
    }
    http_free(server);
    return good ? 0 : 1;
}
