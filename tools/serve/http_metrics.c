/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics, in the text format 0.0.4 of Prometheus. */
#include "serve/http_server.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct text {
    char *bytes;
    size_t len, capacity;
    bool failed;
} text;

static void put(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(text *t, const char *format, ...)
{
    char line[512];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (n < 0 || (size_t)n >= sizeof line || t->failed) {
        t->failed = true;
        return;
    }
    if (t->len + (size_t)n + 1 > t->capacity) {
        size_t capacity = t->capacity > 0 ? t->capacity * 2 : 16384;
        char *bytes = realloc(t->bytes, capacity);
        if (bytes == NULL) {
            t->failed = true;
            return;
        }
        t->bytes = bytes;
        t->capacity = capacity;
    }
    memcpy(t->bytes + t->len, line, (size_t)n + 1);
    t->len += (size_t)n;
}

static void number(text *t, double value)
{
    if (isinf(value)) {
        put(t, value > 0 ? " +Inf\n" : " -Inf\n");
    } else {
        put(t, " %.17g\n", value);
    }
}

static void head(text *t, const char *name, const char *type, const char *help)
{
    put(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void metric(text *t, const char *name, const char *type, const char *help, double value)
{
    head(t, name, type, help);
    put(t, "%s", name);
    number(t, value);
}

static void gauge(text *t, const char *name, const char *help, double value)
{
    metric(t, name, "gauge", help, value);
}

static void counter(text *t, const char *name, const char *help, double value)
{
    metric(t, name, "counter", help, value);
}

static void put_engine(text *t, const lfm2_engine_stats *e, double longest_step)
{
    gauge(t, "lfm2_requests_waiting", "Requests in the queue.", e->n_waiting);
    gauge(t, "lfm2_requests_running", "Requests that are computed.", e->n_running);
    gauge(t, "lfm2_sequences_decoding", "Sequences that generate.", e->n_decoding);
    gauge(t, "lfm2_sequences_parked", "Sequences that wait for memory.", e->n_parked);
    counter(t, "lfm2_requests_submitted_total", "Requests that the engine accepted.",
            (double)e->n_submitted);
    head(t, "lfm2_requests_total", "counter", "Requests that are over, by how they ended.");
    put(t, "lfm2_requests_total{outcome=\"finished\"} %llu\n", (unsigned long long)e->n_finished);
    put(t, "lfm2_requests_total{outcome=\"cancelled\"} %llu\n", (unsigned long long)e->n_cancelled);
    put(t, "lfm2_requests_total{outcome=\"failed\"} %llu\n", (unsigned long long)e->n_failed);
    put(t, "lfm2_requests_total{outcome=\"refused\"} %llu\n", (unsigned long long)e->n_refused);
    counter(t, "lfm2_steps_total", "Passes of the engine.", (double)e->n_steps);
    counter(t, "lfm2_parks_total", "Sequences that gave their memory back.", (double)e->n_parks);
    counter(t, "lfm2_prompt_tokens_total", "Prompt tokens that were computed.",
            (double)e->prompt_tokens);
    counter(t, "lfm2_cached_tokens_total", "Prompt tokens that were reused.",
            (double)e->cached_tokens);
    counter(t, "lfm2_generated_tokens_total", "Tokens that were generated.",
            (double)e->generated_tokens);
    counter(t, "lfm2_drafted_tokens_total", "Guesses that were computed.",
            (double)e->drafted_tokens);
    counter(t, "lfm2_accepted_tokens_total", "Guesses that were right.",
            (double)e->accepted_tokens);
    counter(t, "lfm2_busy_seconds_total", "Time inside steps.", e->busy_seconds);
    gauge(t, "lfm2_step_longest_seconds", "The longest step since the start.", longest_step);
    gauge(t, "lfm2_step_fixed_seconds", "Predicted time of a step, without prompt tokens.",
          e->step_fixed_seconds);
    gauge(t, "lfm2_step_row_seconds", "Predicted time that a prompt token adds to a step.",
          e->step_row_seconds);
}

static void put_batches(text *t, const lfm2_engine_stats *e)
{
    static const char *const bounds[] = {"0",  "1",  "2",   "4",   "8",   "16",
                                         "32", "64", "128", "256", "512", "+Inf"};
    uint64_t sum = 0;
    head(t, "lfm2_step_sequences", "histogram",
         "Sequences that generate in a step. The sum is that of the generated tokens.");
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        sum += e->steps_by_rows[i];
        put(t, "lfm2_step_sequences_bucket{le=\"%s\"} %llu\n", bounds[i], (unsigned long long)sum);
    }
    put(t, "lfm2_step_sequences_sum %llu\n", (unsigned long long)e->generated_tokens);
    put(t, "lfm2_step_sequences_count %llu\n", (unsigned long long)sum);
}

static double or_infinity(uint64_t value)
{
    return value == UINT64_MAX ? (double)INFINITY : (double)value;
}

static void put_memory(text *t, const http_figures *f)
{
    const lfm2_cache_usage *c = &f->cache;
    gauge(t, "lfm2_kv_used_bytes", "Keys and values in use.", (double)f->kv.used);
    gauge(t, "lfm2_kv_cached_bytes", "Keys and values that the prefix cache holds.",
          (double)f->kv.cached);
    gauge(t, "lfm2_kv_budget_bytes", "Most keys and values.", or_infinity(f->kv.budget));
    gauge(t, "lfm2_cache_bytes", "Prefix cache in memory.", (double)c->ram_bytes);
    gauge(t, "lfm2_cache_budget_bytes", "Most memory of the prefix cache.",
          or_infinity(c->ram_budget));
    gauge(t, "lfm2_cache_disk_bytes", "Files of the prefix cache.", (double)c->disk_bytes);
    counter(t, "lfm2_cache_hits_total", "Prompts with a cached prefix.", (double)c->hits);
    counter(t, "lfm2_cache_misses_total", "Prompts without one.", (double)c->misses);
    counter(t, "lfm2_cache_tokens_asked_total", "Tokens of these prompts.",
            (double)c->tokens_asked);
    counter(t, "lfm2_cache_tokens_reused_total", "Tokens of the cached prefixes.",
            (double)c->tokens_reused);
    counter(t, "lfm2_cache_pages_evicted_total", "Pages that the cache gave up.",
            (double)c->pages_evicted);
}

static void put_http(text *t, const http_server *s)
{
    struct rusage usage;
    gauge(t, "lfm2_http_connections", "Open connections.", s->n_conns);
    gauge(t, "lfm2_http_requests", "Requests whose response is not complete.", s->n_requests);
    gauge(t, "lfm2_http_body_bytes", "Bodies of requests in memory.", (double)s->body_bytes);
    counter(t, "lfm2_http_connections_total", "Connections that were accepted.",
            (double)s->accepted);
    counter(t, "lfm2_http_connections_rejected_total", "Connections above a limit.",
            (double)s->rejected);
    counter(t, "lfm2_http_disconnects_total", "Clients that left before the end of the response.",
            (double)s->left);
    counter(t, "lfm2_http_slow_clients_total", "Streams that were cut: 1 MiB was not taken.",
            (double)s->slow);
    counter(t, "lfm2_log_lines_lost_total", "Lines that the access log could not take.",
            (double)s->log_lost);
    head(t, "lfm2_http_responses_total", "counter", "Responses by status.");
    for (int status = 0; status < HTTP_STATUSES; status++) {
        if (s->responses[status] > 0) {
            put(t, "lfm2_http_responses_total{code=\"%d\"} %llu\n", status,
                (unsigned long long)s->responses[status]);
        }
    }
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        counter(t, "process_cpu_seconds_total", "Processor time.",
                (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                    1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
        gauge(t, "lfm2_resident_peak_bytes", "The most memory that was resident.",
              1024.0 * (double)usage.ru_maxrss);
    }
    gauge(t, "lfm2_uptime_seconds", "Since the start.", http_now() - s->start);
    gauge(t, "lfm2_draining", "1 if the server is shutting down.", s->draining ? 1 : 0);
}

static void put_histogram(text *t, const api_histogram *h)
{
    uint64_t sum = 0;
    char name[96];
    snprintf(name, sizeof name, "lfm2_%.80s", h->name);
    head(t, name, "histogram", h->help);
    for (uint32_t i = 0; i < h->n_bounds && i < API_BUCKETS; i++) {
        sum += h->counts[i];
        put(t, "%s_bucket{le=\"%.9g\"} %llu\n", name, h->bounds[i], (unsigned long long)sum);
    }
    sum += h->counts[h->n_bounds < API_BUCKETS ? h->n_bounds : API_BUCKETS];
    put(t, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)sum);
    put(t, "%s_sum", name);
    number(t, h->sum);
    put(t, "%s_count %llu\n", name, (unsigned long long)sum);
}

static void put_histograms(text *t, http_bridge *b)
{
    pthread_mutex_lock(&b->lock);
    for (uint32_t i = 0; i < b->n_histograms; i++) {
        put_histogram(t, &b->histograms[i]);
    }
    pthread_mutex_unlock(&b->lock);
}

/* The names of vLLM, which the inference extension of Kubernetes and llm-d read. */
static void put_vllm(text *t, const http_figures *f)
{
    bool limited = f->kv.budget > 0 && f->kv.budget != UINT64_MAX;
    /* Pages that only the cache holds are free for requests. */
    double used = f->kv.used > f->kv.cached ? (double)(f->kv.used - f->kv.cached) : 0;
    gauge(t, "vllm:num_requests_waiting", "As lfm2_requests_waiting.", f->engine.n_waiting);
    gauge(t, "vllm:num_requests_running", "As lfm2_requests_running.", f->engine.n_running);
    gauge(t, "vllm:kv_cache_usage_perc", "Share of the keys and values in use, 0 to 1.",
          limited ? used / (double)f->kv.budget : 0);
    head(t, "vllm:cache_config_info", "gauge",
         "Tokens of a page, and how many pages there may be.");
    put(t, "vllm:cache_config_info{block_size=\"%u\",num_gpu_blocks=\"%llu\"} 1\n", f->page_tokens,
        (unsigned long long)(limited && f->page_bytes > 0 ? f->kv.budget / f->page_bytes : 0));
}

char *http_metrics(http_server *s, size_t *len)
{
    http_figures f = {0};
    text t = {0};
    if (s->options->figures != NULL) {
        s->options->figures(s->options->user, &f);
    }
    head(&t, "lfm2_build_info", "gauge", "The version.");
    put(&t, "lfm2_build_info{version=\"%s\"} 1\n", lfm2_version());
    put_engine(&t, &f.engine, f.longest_step);
    put_batches(&t, &f.engine);
    put_histograms(&t, &s->bridge);
    put_memory(&t, &f);
    put_http(&t, s);
    put_vllm(&t, &f);
    if (t.failed) {
        free(t.bytes);
        return NULL;
    }
    *len = t.len;
    return t.bytes;
}
