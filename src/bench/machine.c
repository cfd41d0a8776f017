/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the limits of the machine: memory bandwidth and int8 products. */
#include "bench/bench.h"

#include "common/os.h"

#include <string.h>

/* POOL_BYTES: far more than caches hold; a pass over a model's weights reads as many. CHUNK_BYTES:
 * what a thread reads of them at a time; long compared with the time to start a stream. */
enum { POOL_BYTES = 512 << 20, POOL_STEPS = POOL_BYTES / LF_PEAK_STEP, CHUNK_BYTES = 4 << 20 };

/* The totals of one thread, on its own cache line. */
typedef struct thread_totals {
    _Alignas(LF_ALIGN) uint64_t sum;
    uint64_t bytes;
} thread_totals;

/* The work of all threads. */
typedef struct job {
    const lf_peak *peak;
    uint8_t *pool; /* [POOL_BYTES], a contiguous range for each thread */
    const lfm2_model *model;
    uint64_t begin, pass_bytes; /* of the model's weights: the next pass reads from begin on */
    size_t ahead;               /* prefetch distance */
    size_t rounds;              /* of dot, per thread */
    size_t threads;
    thread_totals *totals; /* [threads] */
} job;

/* The thread that reads a range also writes it first, so on NUMA machines the range is in that
 * thread's memory. The values vary because memory may be compressed. */
static void fill_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const job *j = ctx;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        memset(j->pool + i * LF_PEAK_STEP, (int)(i % 251 + 1), LF_PEAK_STEP);
    }
}

/* Reads the range of a thread, in whole steps. */
static void read_range(const job *j, size_t thread, const uint8_t *at, size_t bytes)
{
    size_t steps = bytes / LF_PEAK_STEP;
    size_t begin = steps * thread / j->threads * LF_PEAK_STEP;
    size_t end = steps * (thread + 1) / j->threads * LF_PEAK_STEP;
    thread_totals *t = &j->totals[thread];
    t->sum += j->peak->read(at + begin, end - begin, j->ahead);
    t->bytes += end - begin;
}

static void read_pool(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        const job *j = ctx;
        read_range(j, i, j->pool, POOL_BYTES);
    }
}

typedef struct reader {
    const job *j;
    size_t thread;
} reader;

static void visit(void *ctx, const uint8_t *at, size_t bytes)
{
    const reader *r = ctx;
    read_range(r->j, r->thread, at, bytes);
}

static void read_weights(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const job *j = ctx;
    for (size_t i = begin; i < end; i++) {
        reader r = {j, i};
        lf_model_walk(j->model, j->begin, j->pass_bytes, CHUNK_BYTES * j->threads, visit, &r);
    }
}

static void dot_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const job *j = ctx;
    for (size_t i = begin; i < end; i++) {
        j->totals[thread].sum += j->peak->dot(j->rounds);
    }
}

static double timed(const lf_sched *sched, size_t n, lf_body body, job *j)
{
    double start = lf_os_seconds();
    lf_parallel(sched, n, 0, body, j);
    return lf_os_seconds() - start;
}

static uint64_t bytes_read(const job *j)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < j->threads; i++) {
        bytes += j->totals[i].bytes;
    }
    return bytes;
}

/* Bytes a second of one pass; 0 if the clock does not advance. */
static double read_pass(const lf_sched *sched, lf_body body, job *j, double *spent, double *bytes)
{
    uint64_t before = bytes_read(j);
    double seconds = timed(sched, j->threads, body, j);
    double n = (double)(bytes_read(j) - before);
    if (j->model != NULL) {
        j->begin = (j->begin + j->pass_bytes) % j->model->packed_bytes;
    }
    *spent += seconds;
    *bytes += n;
    return seconds > 0 ? n / seconds : 0;
}

/* Bytes a second: the mean of passes with the prefetch distance that was fastest in a single pass.
 * The mean, because the result is compared with means. */
static double read_rate(const lf_sched *sched, lf_body body, job *j, double seconds)
{
    static const size_t distances[] = {0, 1024, 2048, 4608};
    enum { N = sizeof distances / sizeof distances[0] };
    double end = lf_os_seconds() + seconds;
    double spent = 0;
    double bytes = 0;
    double best = -1;
    size_t best_ahead = 0;
    for (size_t i = 0; i < N; i++) {
        j->ahead = distances[i];
        double rate = read_pass(sched, body, j, &spent, &bytes);
        if (rate > best) {
            best = rate;
            best_ahead = distances[i];
        }
    }
    j->ahead = best_ahead;
    spent = bytes = 0;
    for (size_t i = 0; i < N || lf_os_seconds() < end; i++) {
        read_pass(sched, body, j, &spent, &bytes);
    }
    return spent > 0 ? bytes / spent : 0;
}

/* Operations a second of the fastest repetition. A repetition must be long compared with the time
 * until all threads run, which is milliseconds on a busy machine. Each one that is too short
 * doubles the next, so one delay does not stop the growth. */
static double dot_rate(const lf_sched *sched, job *j, double seconds)
{
    const double long_enough = 20e-3;
    const double end = lf_os_seconds() + seconds;
    double spent = 0;
    double best = 0;
    j->rounds = 256;
    do {
        spent = timed(sched, sched->n_threads, dot_body, j);
        double ops = (double)j->rounds * (double)j->peak->dot_ops * sched->n_threads;
        double rate = spent > 0 ? ops / spent : 0;
        best = rate > best ? rate : best;
        j->rounds *= spent < long_enough ? 2 : 1;
    } while (spent < long_enough || lf_os_seconds() < end);
    return best;
}

int32_t lf_machine_bench(lfm2_runtime *runtime, double seconds, lfm2_machine *out)
{
    const lf_alloc *alloc = &runtime->alloc;
    const lf_sched *sched = &runtime->sched;
    const lf_peak *peak = &runtime->kernels.peak;
    *out = (lfm2_machine){.read_isa = peak->read_isa,
                          .int8_isa = peak->dot_isa,
                          .n_threads = (int32_t)sched->n_threads};
    void *pool = NULL;
    void *totals = NULL;
    int32_t status = LFM2_OK;
    LF_TRY_DONE(lf_new(alloc, POOL_BYTES, 1, "machine bench", &pool));
    LF_TRY_DONE(
        lf_new_zero(alloc, sched->n_threads, sizeof(thread_totals), "machine bench", &totals));
    job j = {.peak = peak, .pool = pool, .threads = sched->n_threads, .totals = totals};
    LF_TRY_DONE(lf_sched_begin(&runtime->sched, NULL, NULL));
    lf_parallel(sched, POOL_STEPS, 0, fill_body, &j);
    out->read_bytes = read_rate(sched, read_pool, &j, seconds / 2);
    out->int8_ops = dot_rate(sched, &j, seconds / 2);
    lf_sched_end(&runtime->sched);
done:
    lf_free(alloc, totals, sched->n_threads, sizeof(thread_totals));
    lf_free(alloc, pool, POOL_BYTES, 1);
    return status;
}

int32_t lf_read_bench(const lfm2_model *model, double seconds, double *bytes_per_second)
{
    lfm2_runtime *runtime = model->runtime;
    lf_sched *sched = &runtime->sched;
    void *totals = NULL;
    LF_TRY(lf_new_zero(&runtime->alloc, sched->n_threads, sizeof(thread_totals), "read bench",
                       &totals));
    uint64_t all = model->packed_bytes;
    job j = {.peak = &runtime->kernels.peak,
             .model = model,
             .pass_bytes = all < POOL_BYTES ? all : POOL_BYTES,
             .threads = sched->n_threads,
             .totals = totals};
    int32_t status = lf_sched_begin(sched, NULL, NULL);
    if (status == LFM2_OK) {
        *bytes_per_second = read_rate(sched, read_weights, &j, seconds);
        lf_sched_end(sched);
    }
    lf_free(&runtime->alloc, totals, sched->n_threads, sizeof(thread_totals));
    return status;
}
