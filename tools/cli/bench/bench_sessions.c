/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench --sessions: compares N sessions, each in its own thread, with one. On a runtime with
 * several threads they take turns; on one with a single thread they run in parallel. */
#include "cli/bench/bench.h"
#include "cli/support/interrupt.h"
#include "cli/support/system.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { RUNTIMES = 2 };

/* A gate that opens when all threads wait at it, or is aborted if one cannot be started. */
typedef struct bench_gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t n_ready;
    enum { GATE_CLOSED, GATE_OPEN, GATE_ABORTED } state;
} bench_gate;

/* A session and its thread. */
typedef struct bench_user {
    lfm2_session *session;
    uint32_t n_gen;
    bench_gate *gate;
    double end;
    int32_t status;
    char why[256];
} bench_user;

/* A line of the table: n_sessions on one of the runtimes. */
typedef struct bench_line {
    uint32_t runtime, n_sessions;
    double sum; /* of the tokens per second of all repetitions */
} bench_line;

typedef struct bench_comparison {
    const bench_options *opts;
    uint32_t n_gen;
    open_model opened[RUNTIMES]; /* with one thread, and with -t threads */
    bench_user *users;
    bench_line lines[2 * RUNTIMES];
    uint32_t n_lines;
} bench_comparison;

/* Waits until the gate opens. Returns false if it is aborted. */
static bool gate_wait(bench_gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->n_ready++;
    pthread_cond_broadcast(&g->changed);
    while (g->state == GATE_CLOSED) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    bool open = g->state == GATE_OPEN;
    pthread_mutex_unlock(&g->lock);
    return open;
}

/* Waits for n threads and opens the gate. Returns the time. */
static double gate_open(bench_gate *g, uint32_t n)
{
    pthread_mutex_lock(&g->lock);
    while (g->n_ready < n) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    g->state = GATE_OPEN;
    double begin = now_seconds();
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
    return begin;
}

static void gate_abort(bench_gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->state = GATE_ABORTED;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void *decode_all(void *argument)
{
    bench_user *u = argument;
    u->status = lfm2_session_reset(u->session);
    if (u->status == LFM2_OK) {
        u->status = lfm2_session_decode(u->session, 1);
    }
    if (!gate_wait(u->gate)) {
        return NULL;
    }
    for (uint32_t i = 0; i < u->n_gen && u->status == LFM2_OK; i++) {
        u->status = interrupt_status(lfm2_session_decode(u->session, (int32_t)(i % 64)));
    }
    u->end = now_seconds();
    if (u->status != LFM2_OK) {
        snprintf(u->why, sizeof u->why, "%s", lfm2_last_error());
    }
    return NULL;
}

static int run_users(bench_user *users, uint32_t n, double *rate)
{
    pthread_t threads[BENCH_MAX_SESSIONS];
    bench_gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    uint32_t started = 0;
    while (started < n) {
        users[started].gate = &gate;
        if (pthread_create(&threads[started], NULL, decode_all, &users[started]) != 0) {
            break;
        }
        started++;
    }
    if (started < n) {
        gate_abort(&gate);
        for (uint32_t i = 0; i < started; i++) {
            pthread_join(threads[i], NULL);
        }
        return fail("cli.threads", "the system could not start %u threads", n);
    }
    double begin = gate_open(&gate, n);
    double end = begin;
    int code = EXIT_OK;
    for (uint32_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        end = users[i].end > end ? users[i].end : end;
    }
    for (uint32_t i = 0; i < n && code == EXIT_OK; i++) {
        if (users[i].status == LFM2_E_CANCELLED) {
            code = interrupt_code(users[i].status);
        } else if (users[i].status != LFM2_OK) {
            code = fail("cli.session", "%s", users[i].why);
        }
    }
    *rate = end > begin ? (double)n * users[0].n_gen / (end - begin) : 0;
    return code;
}

static int run_line(const bench_comparison *s, bench_line *line)
{
    session_options options = s->opts->session;
    options.n_ctx = s->n_gen + 1;
    options.n_chunk = 1;
    double rate = 0;
    int code = EXIT_OK;
    for (uint32_t i = 0; i < line->n_sessions; i++) {
        s->users[i] = (bench_user){.n_gen = s->n_gen};
    }
    for (uint32_t i = 0; i < line->n_sessions && code == EXIT_OK; i++) {
        code = session_open(&options, s->opened[line->runtime].model, &s->users[i].session);
    }
    if (code == EXIT_OK) {
        code = run_users(s->users, line->n_sessions, &rate);
        line->sum += rate;
    }
    for (uint32_t i = 0; i < line->n_sessions; i++) {
        lfm2_session_free(s->users[i].session);
    }
    return code;
}

/* ---- Busy threads ---- */

static atomic_bool busy_over;

static void *keep_busy(void *argument)
{
    (void)argument;
    while (!atomic_load_explicit(&busy_over, memory_order_relaxed)) {
    }
    return NULL;
}

/* ---- The table ---- */

static void print_head(uint32_t format)
{
    if (format == BENCH_MD) {
        out_printf("| threads | sessions | busy | t/s | vs. 1 session | vs. 1 thread |\n"
                   "| ------: | -------: | ---: | --: | ------------: | -----------: |\n");
    } else if (format == BENCH_CSV) {
        out_printf("threads,n_sessions,n_busy,n_gen,tokens_per_second,of_one_session,"
                   "of_one_thread\n");
    }
}

static void print_line(const bench_comparison *s, uint32_t index)
{
    const bench_options *opts = s->opts;
    const bench_line *line = &s->lines[index];
    const bench_line *one = line->n_sessions == 1 ? line : line - 1;
    double rate = line->sum / opts->repetitions;
    int threads = (int)lfm2_runtime_threads(s->opened[line->runtime].runtime);
    double of_one = line->sum / one->sum;
    double of_first = line->sum / s->lines[0].sum;
    if (opts->format == BENCH_MD) {
        out_printf("| %d | %u | %u | %.2f | %.3f | %.3f |\n", threads, line->n_sessions,
                   opts->n_busy, rate, of_one, of_first);
    } else if (opts->format == BENCH_CSV) {
        out_printf("%d,%u,%u,%u,%.9g,%.4g,%.4g\n", threads, line->n_sessions, opts->n_busy,
                   s->n_gen, rate, of_one, of_first);
    } else {
        out_printf("%s{\"threads\":%d,\"n_sessions\":%u,\"n_busy\":%u,\"n_gen\":%u,"
                   "\"tokens_per_second\":%.9g,\"of_one_session\":%.4g,\"of_one_thread\":%.4g}%s",
                   bench_before_object(opts, index == 0), threads, line->n_sessions, opts->n_busy,
                   s->n_gen, rate, of_one, of_first, bench_after_object(opts));
    }
}

static void print_lines(const bench_comparison *s)
{
    print_head(s->opts->format);
    for (uint32_t i = 0; i < s->n_lines; i++) {
        print_line(s, i);
    }
    bench_end_array(s->opts, s->n_lines);
}

/* Measures all lines in alternation, so that changes of the machine affect all of them. */
static int run_lines(bench_comparison *s)
{
    int code = EXIT_OK;
    for (uint32_t r = 0; r < s->opts->repetitions && code == EXIT_OK; r++) {
        for (uint32_t i = 0; i < s->n_lines && code == EXIT_OK; i++) {
            code = run_line(s, &s->lines[i]);
        }
    }
    return code;
}

static int run_while_busy(bench_comparison *s)
{
    pthread_t threads[BENCH_MAX_SESSIONS];
    uint32_t started = 0;
    int code = EXIT_OK;
    while (started < s->opts->n_busy && code == EXIT_OK) {
        if (pthread_create(&threads[started], NULL, keep_busy, NULL) != 0) {
            code = fail("cli.threads", "the system could not start %u threads", s->opts->n_busy);
        } else {
            started++;
        }
    }
    if (code == EXIT_OK) {
        code = run_lines(s);
    }
    atomic_store(&busy_over, true);
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    return code;
}

int bench_sessions(const bench_options *opts)
{
    bench_comparison *s = calloc(1, sizeof *s);
    bench_user *users = calloc(opts->n_sessions, sizeof *users);
    model_options model = opts->model;
    int code = EXIT_OK;
    if (s == NULL || users == NULL) {
        code = fail("cli.memory", "out of memory");
        goto done;
    }
    *s = (bench_comparison){.opts = opts, .n_gen = opts->n_gen.items[0], .users = users};
    for (uint32_t i = 0; i < RUNTIMES && code == EXIT_OK; i++) {
        model.threads = i == 0 ? 1 : opts->threads.items[0];
        code = model_open(&model, LFM2_LOAD_FULL, &s->opened[i]);
        if (code != EXIT_OK || (i > 0 && lfm2_runtime_threads(s->opened[i].runtime) == 1)) {
            break; /* -t 1: the same as the first runtime */
        }
        s->lines[s->n_lines++] = (bench_line){.runtime = i, .n_sessions = 1};
        if (opts->n_sessions > 1) {
            s->lines[s->n_lines++] = (bench_line){.runtime = i, .n_sessions = opts->n_sessions};
        }
    }
    if (code == EXIT_OK) {
        interrupt_begin(NULL);
        code = run_while_busy(s);
        interrupt_end();
    }
    if (code == EXIT_OK) {
        print_lines(s);
        code = out_failed() ? EXIT_FAILED : EXIT_OK;
    }
    for (uint32_t i = 0; i < RUNTIMES; i++) {
        model_close(&s->opened[i]);
    }
done:
    free(users);
    free(s);
    return code;
}
