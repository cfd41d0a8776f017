/* SPDX-License-Identifier: Apache-2.0 */
/* Implements logit bias, penalties, truncation and the seeded draw. */
#include "run/sampler.h"

#include "common/elementary.h"

#include <math.h>
#include <string.h>

enum { MAX_WINDOW = 1 << 24 };

/* ---- Creation ---- */

static int32_t check_option(bool ok, const char *name, double value, const char *allowed)
{
    if (ok) {
        return LFM2_OK;
    }
    return lf_fail(LFM2_E_ARGUMENT, "sampler.option", "%s is %g; allowed: %s", name, value,
                   allowed);
}

static int32_t check_options(const lfm2_sampler_options *o, uint32_t n_vocab)
{
    LF_TRY(check_option(isfinite(o->temperature) && o->temperature >= 0, "temperature",
                        (double)o->temperature, "0 or more"));
    LF_TRY(check_option(o->top_k >= 0, "top_k", o->top_k, "0 or more"));
    LF_TRY(
        check_option(o->top_p > 0 && o->top_p <= 1, "top_p", (double)o->top_p, "above 0, up to 1"));
    LF_TRY(check_option(o->min_p >= 0 && o->min_p <= 1, "min_p", (double)o->min_p, "0 to 1"));
    LF_TRY(check_option(isfinite(o->repetition_penalty) && o->repetition_penalty > 0,
                        "repetition_penalty", (double)o->repetition_penalty, "above 0"));
    LF_TRY(check_option(isfinite(o->frequency_penalty), "frequency_penalty",
                        (double)o->frequency_penalty, "a finite number"));
    LF_TRY(check_option(isfinite(o->presence_penalty), "presence_penalty",
                        (double)o->presence_penalty, "a finite number"));
    LF_TRY(check_option(o->penalty_last_n >= -1 && o->penalty_last_n <= MAX_WINDOW,
                        "penalty_last_n", o->penalty_last_n, "-1 to 16777216"));
    if (o->n_bias > 0 && (o->bias_ids == NULL || o->bias_values == NULL)) {
        return lf_fail(LFM2_E_ARGUMENT, "sampler.option", "%s is NULL although n_bias is %zu",
                       o->bias_ids == NULL ? "bias_ids" : "bias_values", o->n_bias);
    }
    for (size_t i = 0; i < o->n_bias; i++) {
        if (o->bias_ids[i] < 0 || (uint32_t)o->bias_ids[i] >= n_vocab) {
            return lf_fail(LFM2_E_ARGUMENT, "sampler.option",
                           "bias_ids[%zu] is %d; allowed: 0 to %u", i, o->bias_ids[i], n_vocab - 1);
        }
        float b = o->bias_values[i];
        if (isnan(b) || b == INFINITY) {
            return lf_fail(LFM2_E_ARGUMENT, "sampler.option",
                           "bias_values[%zu] is %g; allowed: a finite number or -infinity", i,
                           (double)b);
        }
    }
    return LFM2_OK;
}

/* Takes the options and allocates what depends on them. After a failure, free_options frees what
 * was allocated. */
static int32_t take_options(const lf_alloc *alloc, const lfm2_sampler_options *o, lfm2_sampler *s)
{
    s->options = *o;
    void *p = NULL;
    LF_TRY(lf_new(alloc, o->n_bias, sizeof *s->bias_ids, "logit bias", &p));
    s->bias_ids = p;
    LF_TRY(lf_new(alloc, o->n_bias, sizeof *s->bias_values, "logit bias", &p));
    s->bias_values = p;
    if (o->n_bias > 0) {
        memcpy(s->bias_ids, o->bias_ids, o->n_bias * sizeof *s->bias_ids);
        memcpy(s->bias_values, o->bias_values, o->n_bias * sizeof *s->bias_values);
    }
    s->options.bias_ids = s->bias_ids;
    s->options.bias_values = s->bias_values;
    if (o->penalty_last_n > 0) {
        s->window_size = (size_t)o->penalty_last_n;
        LF_TRY(lf_new(alloc, s->window_size, sizeof *s->window, "penalty window", &p));
        s->window = p;
    }
    return LFM2_OK;
}

static void free_options(const lf_alloc *alloc, lfm2_sampler *s)
{
    lf_free(alloc, s->bias_ids, s->options.n_bias, sizeof *s->bias_ids);
    lf_free(alloc, s->bias_values, s->options.n_bias, sizeof *s->bias_values);
    lf_free(alloc, s->window, s->window_size, sizeof *s->window);
}

static int32_t allocate(const lf_alloc *alloc, lfm2_sampler *s)
{
    void *p = NULL;
    LF_TRY(lf_new(alloc, s->n_vocab, sizeof *s->counts, "sampler", &p));
    s->counts = p;
    LF_TRY(lf_new(alloc, s->n_vocab, sizeof *s->candidates, "sampler", &p));
    s->candidates = p;
    LF_TRY(lf_new(alloc, s->n_vocab, sizeof *s->logits, "sampler", &p));
    s->logits = p;
    return LFM2_OK;
}

int32_t lf_sampler_create(lfm2_runtime *runtime, uint32_t n_vocab,
                          const lfm2_sampler_options *options, lfm2_sampler **out)
{
    LF_TRY(check_options(options, n_vocab));
    const lf_alloc *alloc = &runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lfm2_sampler), "sampler", &p));
    lfm2_sampler *s = p;
    atomic_init(&s->refs, 1);
    s->runtime = lf_runtime_retain(runtime);
    s->n_vocab = n_vocab;
    int32_t status = take_options(alloc, options, s);
    status = status != LFM2_OK ? status : allocate(alloc, s);
    if (status != LFM2_OK) {
        lf_sampler_free(s);
        return status;
    }
    lf_sampler_reset(s);
    *out = s;
    return LFM2_OK;
}

int32_t lf_sampler_clone(const lfm2_sampler *s, lfm2_sampler **out)
{
    lfm2_sampler *clone = NULL;
    LF_TRY(lf_sampler_create(s->runtime, s->n_vocab, &s->options, &clone));
    memcpy(clone->counts, s->counts, s->n_vocab * sizeof *s->counts);
    if (s->window != NULL) {
        memcpy(clone->window, s->window, s->window_used * sizeof *s->window);
    }
    clone->window_used = s->window_used;
    clone->window_next = s->window_next;
    clone->random = s->random;
    *out = clone;
    return LFM2_OK;
}

lfm2_sampler *lf_sampler_retain(lfm2_sampler *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void lf_sampler_free(lfm2_sampler *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1) {
        return;
    }
    lfm2_runtime *runtime = s->runtime;
    const lf_alloc *alloc = &runtime->alloc;
    free_options(alloc, s);
    lf_free(alloc, s->counts, s->n_vocab, sizeof *s->counts);
    lf_free(alloc, s->candidates, s->n_vocab, sizeof *s->candidates);
    lf_free(alloc, s->logits, s->n_vocab, sizeof *s->logits);
    lf_free(alloc, s, 1, sizeof *s);
    lf_runtime_release(runtime);
}

/* ---- Changing the options ---- */

static bool has_counts(const lfm2_sampler *s)
{
    for (uint32_t i = 0; i < s->n_vocab; i++) {
        if (s->counts[i] > 0) {
            return true;
        }
    }
    return false;
}

/* Moves the accepted tokens that the new window can hold. Those that are too old stop counting. */
static void move_window(lfm2_sampler *s, lfm2_sampler *next)
{
    if (next->options.penalty_last_n == 0) {
        memset(s->counts, 0, s->n_vocab * sizeof *s->counts);
    }
    if (next->window == NULL || s->window == NULL) {
        return;
    }
    size_t oldest = (s->window_next + s->window_size - s->window_used) % s->window_size;
    for (size_t left = s->window_used; left > 0; left--) {
        int32_t id = s->window[oldest];
        oldest = (oldest + 1) % s->window_size;
        if (left > next->window_size) {
            s->counts[id]--;
        } else {
            next->window[next->window_used++] = id;
        }
    }
    next->window_next = next->window_used % next->window_size;
}

int32_t lf_sampler_configure(lfm2_sampler *s, const lfm2_sampler_options *options)
{
    LF_TRY(check_options(options, s->n_vocab));
    if (s->options.penalty_last_n == -1 && options->penalty_last_n > 0 && has_counts(s)) {
        return lf_fail(LFM2_E_STATE, "sampler.window",
                       "penalty_last_n cannot change from -1 to %d after tokens were accepted: "
                       "their order was not kept; reset the sampler and accept them again",
                       options->penalty_last_n);
    }
    const lf_alloc *alloc = &s->runtime->alloc;
    lfm2_sampler next = {0};
    int32_t status = take_options(alloc, options, &next);
    if (status != LFM2_OK) {
        free_options(alloc, &next);
        return status;
    }
    move_window(s, &next);
    if (options->seed != s->options.seed) {
        s->random = options->seed;
    }
    free_options(alloc, s);
    s->options = next.options;
    s->bias_ids = next.bias_ids;
    s->bias_values = next.bias_values;
    s->window = next.window;
    s->window_size = next.window_size;
    s->window_used = next.window_used;
    s->window_next = next.window_next;
    return LFM2_OK;
}

/* ---- State ---- */

void lf_sampler_reset(lfm2_sampler *s)
{
    memset(s->counts, 0, s->n_vocab * sizeof *s->counts);
    s->window_used = 0;
    s->window_next = 0;
    s->random = s->options.seed;
}

void lf_sampler_accept(lfm2_sampler *s, int32_t id)
{
    if (s->options.penalty_last_n == 0) {
        return;
    }
    if (s->window != NULL) {
        if (s->window_used == s->window_size) {
            s->counts[s->window[s->window_next]]--;
        } else {
            s->window_used++;
        }
        s->window[s->window_next] = id;
        s->window_next = (s->window_next + 1) % s->window_size;
    }
    s->counts[id]++;
}

/* ---- Sampling ---- */

/* A NaN counts as -infinity. It is passed in, or is the sum of opposite infinities. */
static float without_nan(float logit)
{
    return isnan(logit) ? -INFINITY : logit;
}

/* Applies bias and penalties; s->logits receives the result. */
static void adjust(lfm2_sampler *s, const float *logits)
{
    const lfm2_sampler_options *o = &s->options;
    for (uint32_t i = 0; i < s->n_vocab; i++) {
        s->logits[i] = without_nan(logits[i]);
    }
    for (size_t i = 0; i < o->n_bias; i++) {
        float *logit = &s->logits[s->bias_ids[i]];
        *logit = without_nan(*logit + s->bias_values[i]);
    }
    if (o->repetition_penalty == 1.0f && o->frequency_penalty == 0.0f &&
        o->presence_penalty == 0.0f) {
        return;
    }
    for (uint32_t i = 0; i < s->n_vocab; i++) {
        if (s->counts[i] > 0) {
            float x = s->logits[i];
            x = x > 0 ? x / o->repetition_penalty : x * o->repetition_penalty;
            x = x - (float)s->counts[i] * o->frequency_penalty - o->presence_penalty;
            s->logits[i] = without_nan(x);
        }
    }
}

/* The order of candidates: higher logit first, lower id on ties. */
static bool before(lf_candidate a, lf_candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static void sift_down(lf_candidate *heap, size_t n, size_t i)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n) {
            return;
        }
        if (child + 1 < n && before(heap[child + 1], heap[child])) {
            child++;
        }
        if (!before(heap[child], heap[i])) {
            return;
        }
        lf_candidate t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
        i = child;
    }
}

/* Removes the best candidate from the heap and stores it after the new end of the heap. */
static lf_candidate pop(lf_candidate *heap, size_t *n)
{
    lf_candidate best = heap[0];
    heap[0] = heap[--*n];
    heap[*n] = best;
    sift_down(heap, *n, 0);
    return best;
}

/* SplitMix64: a uniform number in [0, 1) with 53 bits. */
static double draw(lfm2_sampler *s)
{
    s->random += 0x9e3779b97f4a7c15u;
    uint64_t z = s->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1.0p-53;
}

/* Unnormalized probability of a candidate; that of the best one is 1. */
static double weight(const lfm2_sampler *s, float logit, float best)
{
    return lf_exp_f64(((double)logit - (double)best) / (double)s->options.temperature);
}

/* Applies top-k and top-p: pops candidates from a heap in order until enough are kept, and never
 * sorts the others. Returns the number kept. *kept points to them, at the end of the array, the
 * best one last. */
static size_t truncate_ordered(lfm2_sampler *s, size_t n, float best, lf_candidate **kept)
{
    const lfm2_sampler_options *o = &s->options;
    lf_candidate *heap = s->candidates;
    for (size_t i = n / 2; i-- > 0;) {
        sift_down(heap, n, i);
    }
    size_t limit = o->top_k > 0 && (size_t)o->top_k < n ? (size_t)o->top_k : n;
    size_t left = n;
    size_t taken = 0;
    double total = 0;
    if (o->top_p < 1.0f && limit == n) {
        for (size_t i = 0; i < n; i++) {
            total += weight(s, heap[i].logit, best);
        }
    } else {
        while (taken < limit) {
            total += weight(s, pop(heap, &left).logit, best);
            taken++;
        }
    }
    /* Popped candidates are in [left, n), the best one last. */
    size_t keep = taken;
    if (o->top_p < 1.0f) {
        double want = (double)o->top_p * total;
        double sum = 0;
        keep = 0;
        while (keep < limit && (keep == 0 || sum < want)) {
            lf_candidate c = keep < taken ? heap[n - 1 - keep] : pop(heap, &left);
            sum += weight(s, c.logit, best);
            keep++;
        }
    }
    *kept = heap + (n - keep);
    return keep;
}

/* The largest of the adjusted logits, the lowest id on ties. */
static int32_t best_token(const lfm2_sampler *s)
{
    int32_t best = 0;
    for (uint32_t i = 1; i < s->n_vocab; i++) {
        if (s->logits[i] > s->logits[best]) {
            best = (int32_t)i;
        }
    }
    return best;
}

/* Truncates and draws; the logit of `best` is finite. */
static int32_t draw_token(lfm2_sampler *s, int32_t best)
{
    const lfm2_sampler_options *o = &s->options;
    float top = s->logits[best];
    /* min-p depends only on the largest logit: without top-k and top-p it is applied here. */
    double floor_logit = (double)-INFINITY;
    if (o->min_p > 0) {
        floor_logit = (double)top + (double)o->temperature * lf_log_f64((double)o->min_p);
    }
    bool ordered = o->top_k > 0 || o->top_p < 1.0f;
    size_t n = 0;
    for (uint32_t i = 0; i < s->n_vocab; i++) {
        /* top-p includes the probability of tokens that min-p removes afterwards. */
        bool keep = ordered ? s->logits[i] > -INFINITY : (double)s->logits[i] >= floor_logit;
        if (keep && s->logits[i] > -INFINITY) {
            s->candidates[n++] = (lf_candidate){s->logits[i], (int32_t)i};
        }
    }
    lf_candidate *kept = s->candidates;
    if (ordered) {
        n = truncate_ordered(s, n, top, &kept);
    }
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        total += (double)kept[i].logit >= floor_logit ? weight(s, kept[i].logit, top) : 0;
    }
    double point = draw(s) * total;
    for (size_t i = 0; i < n; i++) {
        point -= (double)kept[i].logit >= floor_logit ? weight(s, kept[i].logit, top) : 0;
        if (point < 0) {
            return kept[i].id;
        }
    }
    return best; /* `point` can stay above 0 by rounding */
}

int32_t lf_sampler_sample(lfm2_sampler *s, const float *logits, int32_t *id)
{
    adjust(s, logits);
    int32_t best = best_token(s);
    float top = s->logits[best];
    if (top == -INFINITY) {
        return lf_fail(LFM2_E_STATE, "sampler.empty",
                       "no token can be chosen: all %u logits are -infinity or NaN", s->n_vocab);
    }
    /* A token with logit +infinity is chosen without a draw. */
    *id = s->options.temperature == 0.0f || !isfinite(top) ? best : draw_token(s, best);
    return LFM2_OK;
}
