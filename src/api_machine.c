/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the measurement of the machine's limits: reading memory, int8 products. */
#include "api.h"

#include "common/os.h"

#include <string.h>

/* Far more than caches hold; 1 and 2 GiB measured the same with a last-level cache of 260 MiB. */
enum { POOL_BYTES = 512 << 20, POOL_STEPS = POOL_BYTES / LF_PEAK_STEP };

/* All threads do the same piece. */
typedef struct piece {
    const lf_peak *peak;
    uint8_t *pool;  /* [POOL_BYTES], one contiguous range a thread */
    size_t ahead;   /* prefetch distance */
    size_t rounds;  /* of dot, per thread */
    uint64_t *sums; /* [threads][LF_ALIGN / 8] */
} piece;

/* The thread that reads a range also touches it first: on machines with several memories it lies
 * in the nearest. Neither zeros nor one value everywhere: memory might be compressed. */
static void fill_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    const piece *p = ctx;
    (void)part;
    for (size_t i = begin; i < end; i++) {
        memset(p->pool + i * LF_PEAK_STEP, (int)(i % 251 + 1), LF_PEAK_STEP);
    }
}

static void read_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    const piece *p = ctx;
    p->sums[(size_t)part * LF_ALIGN / sizeof(uint64_t)] +=
        p->peak->read(p->pool + begin * LF_PEAK_STEP, (end - begin) * LF_PEAK_STEP, p->ahead);
}

static void dot_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    const piece *p = ctx;
    for (size_t i = begin; i < end; i++) {
        p->sums[(size_t)part * LF_ALIGN / sizeof(uint64_t)] += p->peak->dot(p->rounds);
    }
}

static double timed(const lf_sched *sched, size_t n, lf_body body, piece *p)
{
    double start = lf_os_seconds();
    lf_parallel(sched, n, 0, body, p);
    return lf_os_seconds() - start;
}

/* Bytes a second: passes over the pool, with each prefetch distance in turn; the mean of the best
 * distance. Not the best pass: what is compared with it are means, too, and where others share the
 * memory single passes are up to 10 % faster. */
static double read_rate(const lf_sched *sched, piece *p, double seconds)
{
    static const size_t distances[] = {0, 1024, 2048, 4096};
    enum { N = sizeof distances / sizeof distances[0] };
    double end = lf_os_seconds() + seconds;
    double spent[N] = {0};
    size_t passes[N] = {0};
    for (size_t i = 0; i < N || lf_os_seconds() < end; i++) {
        p->ahead = distances[i % N];
        spent[i % N] += timed(sched, POOL_STEPS, read_body, p);
        passes[i % N]++;
    }
    double best = 0;
    for (size_t d = 0; d < N; d++) {
        double rate = spent[d] > 0 ? (double)passes[d] * (double)POOL_BYTES / spent[d] : 0;
        best = rate > best ? rate : best;
    }
    return best;
}

/* Operations a second. A piece has to be long beside what it takes until all threads run, which is
 * milliseconds where others use the processors, too. Each piece that turns out too short makes the
 * next longer, so that one delay does not end the growth. */
static double dot_rate(const lf_sched *sched, piece *p, double seconds)
{
    const double long_enough = 20e-3;
    const double end = lf_os_seconds() + seconds;
    double spent = 0;
    double best = 0;
    p->rounds = 256;
    do {
        spent = timed(sched, sched->n_threads, dot_body, p);
        double ops = (double)p->rounds * (double)p->peak->dot_ops * sched->n_threads;
        double rate = spent > 0 ? ops / spent : 0;
        best = rate > best ? rate : best;
        p->rounds *= spent < long_enough ? 2 : 1;
    } while (spent < long_enough || lf_os_seconds() < end);
    return best;
}

int32_t lfm2_machine_bench(lfm2_runtime *runtime, double seconds, lfm2_machine *out)
{
    if (runtime == NULL || out == NULL) {
        return lf_api_null(runtime == NULL ? "runtime" : "out");
    }
    if (!(seconds >= 0 && seconds <= 60)) {
        return lf_fail(LFM2_E_ARGUMENT, "machine.seconds", "seconds is %g; allowed: 0 to 60",
                       seconds);
    }
    const lf_alloc *alloc = &runtime->alloc;
    const lf_sched *sched = &runtime->sched;
    const lf_peak *peak = &runtime->kernels.peak;
    lfm2_machine machine = {.read_isa = peak->read_isa,
                            .int8_isa = peak->dot_isa,
                            .n_threads = (int32_t)sched->n_threads};
    /* Before memory is asked for: a struct without size fails at once. */
    LF_TRY(lf_api_write(&machine, 0, out, "out"));
    void *pool = NULL;
    void *sums = NULL;
    int32_t status = LFM2_OK;
    LF_TRY_DONE(lf_new(alloc, POOL_BYTES, 1, "machine bench", &pool));
    LF_TRY_DONE(lf_new_zero(alloc, sched->n_threads, LF_ALIGN, "machine bench", &sums));
    piece p = {.peak = peak, .pool = pool, .sums = sums};
    lf_parallel(sched, POOL_STEPS, 0, fill_body, &p);
    machine.read_bytes = read_rate(sched, &p, seconds / 2);
    machine.int8_ops = dot_rate(sched, &p, seconds / 2);
    status = lf_api_write(&machine, sizeof machine, out, "out");
done:
    lf_free(alloc, sums, sched->n_threads, LF_ALIGN);
    lf_free(alloc, pool, POOL_BYTES, 1);
    return status;
}
