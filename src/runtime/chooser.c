/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the choice: successive elimination by trimmed means of paired measurements. */
#include "runtime/chooser.h"

#include <string.h>

/* Times below this are not used: reading the clock takes part of them. */
enum { LEAST_NS = 4000 };

/* Rounds from one evaluation to the next. After SETTLE_ROUNDS, candidates that are all equally fast
 * are not compared any longer. */
enum { EVALUATE_ROUNDS = 4, SETTLE_ROUNDS = 12 };

/* Candidates that differ by less are equally fast. */
static const float TIE = 0.01f;

/* The next comparison follows after this many times the bytes of the last one: soon after the
 * first, in which memory may be new; later after every comparison that confirms the choice. */
enum { FIRST_PATIENCE = 4, LEAST_PATIENCE = 16, MOST_PATIENCE = 4096 };

static float smaller(float a, float b)
{
    return a < b ? a : b;
}

static float larger(float a, float b)
{
    return a > b ? a : b;
}

static float norm(float a, float b)
{
    return __builtin_sqrtf(a * a + b * b);
}

static bool contains(uint32_t mask, uint32_t candidate)
{
    return (mask >> candidate & 1) != 0;
}

static uint32_t count(uint32_t mask)
{
    uint32_t n = 0;
    for (; mask != 0; mask &= mask - 1) {
        n++;
    }
    return n;
}

static void begin(lf_chooser *c)
{
    c->left = count(c->all) > 1 ? c->all : 0;
    c->n_rounds = 0;
    c->bytes = 0;
    c->rest = UINT64_MAX;
    memset(c->open, 0, sizeof c->open);
}

void lf_chooser_init(lf_chooser *c, uint32_t candidates, uint32_t start)
{
    *c = (lf_chooser){.all = candidates, .best = start, .random = 0x9E3779B97F4A7C15u};
    begin(c);
}

void lf_chooser_repeat(lf_chooser *c)
{
    begin(c);
}

/* A class for each power of two. */
static lf_open_round *round_of(lf_chooser *c, size_t bytes)
{
    uint32_t size = 0;
    for (bytes /= LF_CHOOSER_BYTES; bytes > 1 && size < LF_CHOOSER_SIZES - 1; bytes /= 2) {
        size++;
    }
    return &c->open[size];
}

/* Marsaglia's xorshift. The order of measurements must not follow the order of layers. */
static uint32_t below(lf_chooser *c, uint32_t n)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (uint32_t)((c->random >> 33) % n);
}

uint32_t lf_chooser_next(lf_chooser *c, size_t bytes)
{
    uint32_t open = c->left & ~round_of(c, bytes)->done;
    if (open == 0) {
        return c->best;
    }
    for (uint32_t skip = below(c, count(open)); skip > 0; skip--) {
        open &= open - 1;
    }
    return count((open & (0u - open)) - 1);
}

/* ---- Evaluation ---- */

typedef struct sample {
    float value, weight;
} sample;

typedef struct estimate {
    float mean;  /* of the middle half of the weight: outliers do not count */
    float error; /* standard error, from the width of that half */
} estimate;

static void sort(sample *samples, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        const sample s = samples[i];
        uint32_t at = i;
        for (; at > 0 && samples[at - 1].value > s.value; at--) {
            samples[at] = samples[at - 1];
        }
        samples[at] = s;
    }
}

static estimate estimate_of(sample *samples, uint32_t n)
{
    float total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += samples[i].weight;
    }
    sort(samples, n);
    const float low = total / 4, high = total - low;
    float before = 0, sum = 0, width = 0;
    for (uint32_t i = 0; i < n; i++) {
        const float after = before + samples[i].weight;
        const float used = smaller(after, high) - larger(before, low);
        sum += used > 0 ? used * samples[i].value : 0;
        width -= before <= low && low < after ? samples[i].value : 0;
        width += before < high && high <= after ? samples[i].value : 0;
        before = after;
    }
    /* The middle half of a normal distribution is 1.35 standard deviations wide; this mean needs
     * 1.2 times as many samples as the mean of all. */
    return (estimate){sum / (high - low), width / 1.35f * 1.1f / __builtin_sqrtf((float)n)};
}

/* The median cost of the remaining candidates in a round: an outlier in one must not make the
 * others look fast. */
static float cost_of_round(const lf_chooser *c, uint32_t round)
{
    sample samples[LF_CANDIDATES];
    uint32_t n = 0;
    for (uint32_t i = 0; i < LF_CANDIDATES; i++) {
        if (contains(c->left, i)) {
            samples[n++] = (sample){c->costs[round][i], 1};
        }
    }
    sort(samples, n);
    return (samples[(n - 1) / 2].value + samples[n / 2].value) / 2;
}

static void finish(lf_chooser *c, uint32_t best)
{
    if (c->patience == 0) {
        c->patience = FIRST_PATIENCE;
    } else if (best != c->best) {
        c->patience = LEAST_PATIENCE;
    } else if (c->patience < MOST_PATIENCE) {
        c->patience *= 4;
    }
    c->best = best;
    c->left = 0;
    c->rest = c->bytes * c->patience;
}

static void evaluate(lf_chooser *c)
{
    estimate ratios[LF_CANDIDATES];
    sample samples[LF_CHOOSER_ROUNDS];
    uint32_t fastest = LF_CANDIDATES;
    for (uint32_t i = 0; i < LF_CANDIDATES; i++) {
        if (!contains(c->left, i)) {
            continue;
        }
        for (uint32_t r = 0; r < c->n_rounds; r++) {
            samples[r] = (sample){c->costs[r][i], c->weights[r]};
        }
        c->cost[i] = estimate_of(samples, c->n_rounds).mean;
        for (uint32_t r = 0; r < c->n_rounds; r++) {
            samples[r] = (sample){c->costs[r][i] / cost_of_round(c, r), c->weights[r]};
        }
        ratios[i] = estimate_of(samples, c->n_rounds);
        if (fastest == LF_CANDIDATES || ratios[i].mean < ratios[fastest].mean) {
            fastest = i;
        }
    }
    const estimate best = ratios[fastest];
    const float surely = 2 + 8.0f / (float)c->n_rounds; /* errors of few samples are uncertain */
    uint32_t left = 0;
    bool equal = true;
    bool keep = false; /* the previous choice is not clearly slower than the fastest */
    for (uint32_t i = 0; i < LF_CANDIDATES; i++) {
        if (!contains(c->left, i)) {
            continue;
        }
        c->relative[i] = ratios[i].mean / best.mean;
        const float slower = c->relative[i] - 1;
        const float error = norm(ratios[i].error, best.error) / best.mean;
        left |= slower <= larger(TIE, surely * error) ? 1u << i : 0;
        equal = equal && (slower <= TIE || !contains(left, i));
        keep = keep || (i == c->best && slower <= TIE);
    }
    c->left = left;
    if (count(left) == 1 || c->n_rounds == LF_CHOOSER_ROUNDS ||
        (c->n_rounds >= SETTLE_ROUNDS && equal)) {
        finish(c, keep ? c->best : fastest);
    }
}

/* Removes the candidates that are no longer compared from the open rounds. */
static void drop_from_rounds(lf_chooser *c)
{
    for (uint32_t i = 0; i < LF_CHOOSER_SIZES; i++) {
        c->open[i].done &= c->left;
        if (c->open[i].done == c->left) {
            c->open[i] = (lf_open_round){0};
        }
    }
}

void lf_chooser_add(lf_chooser *c, uint32_t candidate, size_t bytes, uint64_t ns)
{
    lf_open_round *round = round_of(c, bytes);
    if (!contains(c->left & ~round->done, candidate) || !lf_chooser_measures(bytes) ||
        ns < LEAST_NS) {
        return;
    }
    c->bytes += bytes;
    round->done |= 1u << candidate;
    round->cost[candidate] = (float)ns / (float)bytes;
    round->bytes += (float)bytes;
    if (round->done != c->left) {
        return;
    }
    memcpy(c->costs[c->n_rounds], round->cost, sizeof round->cost);
    c->weights[c->n_rounds] = round->bytes;
    *round = (lf_open_round){0};
    c->n_rounds++;
    if (c->n_rounds % EVALUATE_ROUNDS == 0) {
        evaluate(c);
        drop_from_rounds(c);
    }
}
