/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the policy of an engine: a linear model of the time of steps, the share of generating
 * sequences, the order of prompts. */
#include "run/engine_policy.h"

/* What older steps count for, with each newer one. */
static const double KEEP_PROMPT = 0.9;
static const double KEEP_DECODE = 0.8;

/* The fixed part of a prompt costs about as much as this many of its rows: the weights are read
 * once. It is what is assumed until steps with different numbers of rows show it, with the weight
 * of ASSUMED steps. */
static const double USUAL_FIXED_ROWS = 26;
static const double ASSUMED = 0.05;

/* The least balance in seconds: what a pause of the whole machine costs prompts later is limited.
 */
static const double MOST_DEBT = -2;

/* A part of a prompt is useful if its rows cost at least this multiple of the fixed part. */
static const double USEFUL = 2;

/* The smallest useful part whatever is measured, the largest that is chosen to be useful, and that
 * of the first step, before anything is measured. */
enum { LEAST_ROWS = 16, MOST_USEFUL_ROWS = 128, FIRST_ROWS = 32 };

/* Tokens that a second of waiting is worth, in tokens that are computed in a second; and while that
 * is not measured. */
static const double AGEING = 0.5;
static const double USUAL_AGEING = 100;

void lf_policy_init(lf_policy *policy, uint32_t step_ms, double share, uint32_t n_rows)
{
    *policy = (lf_policy){.step_seconds = (double)step_ms * 1e-3, .share = share, .n_rows = n_rows};
}

/* ---- Times ---- */

uint32_t lf_policy_class(uint32_t rows)
{
    uint32_t class = rows > 0;
    while (class + 1 < LF_POLICY_CLASSES && (uint64_t)1 << (class - (rows > 0)) < rows) {
        class ++;
    }
    return class;
}

/* Seconds of a step without prompts; 0 if nothing like it was measured. */
static double decode_seconds(const lf_step_times *t, uint32_t rows)
{
    uint32_t class = lf_policy_class(rows);
    if (rows == 0 || t->decode[class] > 0) {
        return rows == 0 ? 0 : t->decode[class];
    }
    for (uint32_t away = 1; away < LF_POLICY_CLASSES; away++) {
        if (class > away && t->decode[class - away] > 0) {
            return t->decode[class - away];
        }
        if (class + away < LF_POLICY_CLASSES && t->decode[class + away] > 0) {
            return t->decode[class + away];
        }
    }
    return 0;
}

/* Fits `fixed` and `row`: least squares of relative errors, with the usual ratio of the two as one
 * more observation. */
static void fit(lf_step_times *t)
{
    const double k = USUAL_FIXED_ROWS;
    double a = t->w + ASSUMED * t->w;
    double b = t->wx - ASSUMED * t->w * k;
    double c = t->wxx + ASSUMED * t->w * k * k;
    double determinant = a * c - b * b;
    if (t->w <= 0 || determinant <= 0) {
        return;
    }
    t->fixed = (c * t->wy - b * t->wxy) / determinant;
    t->row = (a * t->wxy - b * t->wy) / determinant;
    if (t->fixed < 0) { /* noise: then all of it is by row */
        t->fixed = 0;
        t->row = t->wxx > 0 ? t->wxy / t->wxx : 0;
    }
    if (t->row <= 0) {
        t->row = t->wxx > 0 && t->wxy > 0 ? t->wxy / t->wxx / 2 : 0;
    }
}

static void note_prompt(lf_step_times *t, double rows, double seconds)
{
    double weight = 1 / ((rows + USUAL_FIXED_ROWS) * (rows + USUAL_FIXED_ROWS));
    t->w = KEEP_PROMPT * t->w + weight;
    t->wx = KEEP_PROMPT * t->wx + weight * rows;
    t->wxx = KEEP_PROMPT * t->wxx + weight * rows * rows;
    t->wy = KEEP_PROMPT * t->wy + weight * seconds;
    t->wxy = KEEP_PROMPT * t->wxy + weight * rows * seconds;
    fit(t);
}

/* ---- Share ---- */

/* Generating sequences were served for `served` of `seconds`. What they had beyond their share
 * counts for as much as one step without prompts gives. */
static void note_share(lf_policy *policy, double served, double seconds)
{
    double most = served * (1 - policy->share);
    policy->balance += served - policy->share * seconds;
    policy->balance = policy->balance < most ? policy->balance : most;
    policy->balance = policy->balance > MOST_DEBT ? policy->balance : MOST_DEBT;
}

void lf_policy_note_wait(lf_policy *policy, uint32_t decode_rows, double seconds)
{
    if (decode_rows > 0) {
        note_share(policy, 0, seconds);
    }
}

void lf_policy_note(lf_policy *policy, uint32_t decode_rows, uint32_t prompt_rows, double seconds)
{
    lf_step_times *t = &policy->times;
    double decode = decode_seconds(t, decode_rows);
    if (prompt_rows == 0 && decode_rows > 0) {
        double *known = &t->decode[lf_policy_class(decode_rows)];
        *known = *known == 0 ? seconds : KEEP_DECODE * *known + (1 - KEEP_DECODE) * seconds;
        decode = seconds;
    }
    if (prompt_rows > 0) {
        note_prompt(t, (double)decode_rows + prompt_rows, seconds);
    }
    if (decode_rows == 0) {
        policy->balance = 0; /* nobody waits */
    } else {
        note_share(policy, decode, seconds);
    }
}

/* ---- Slice ---- */

/* Prompt tokens that fit into `seconds` beside the rows of sequences, not negative. */
static double rows_in(const lf_step_times *t, double seconds, uint32_t decode_rows)
{
    double rows = (seconds - t->fixed) / t->row - decode_rows;
    return rows > 0 ? rows : 0;
}

static uint32_t at_most(double rows, uint32_t most)
{
    return rows < most ? (uint32_t)rows : most;
}

uint32_t lf_policy_slice(const lf_policy *policy, uint32_t decode_rows)
{
    const lf_step_times *t = &policy->times;
    if (decode_rows == 0 || policy->step_seconds <= 0) {
        return policy->n_rows;
    }
    double decode = decode_seconds(t, decode_rows);
    if (policy->balance < 0 || decode <= 0) {
        return 0;
    }
    if (t->row <= 0) {
        return at_most(FIRST_ROWS, policy->n_rows);
    }
    double in_step = rows_in(t, policy->step_seconds, decode_rows);
    double in_share = policy->share > 0 ? rows_in(t, decode / policy->share, decode_rows) : in_step;
    double rows = in_share < in_step ? in_share : in_step;
    double useful = USEFUL * t->fixed / t->row;
    useful = useful < MOST_USEFUL_ROWS ? useful : MOST_USEFUL_ROWS;
    useful = useful < in_step ? useful : in_step;
    useful = useful > LEAST_ROWS ? useful : LEAST_ROWS;
    return at_most(rows > useful ? rows : useful, policy->n_rows);
}

/* ---- Order ---- */

bool lf_policy_before(const lf_policy *policy, const lf_claim *a, const lf_claim *b)
{
    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    double row = policy->times.row;
    double ageing = row > 0 ? AGEING / row : USUAL_AGEING;
    double key_a = (double)a->n_left - a->waited * ageing;
    double key_b = (double)b->n_left - b->waited * ageing;
    if (key_a < key_b || key_a > key_b) {
        return key_a < key_b;
    }
    return a->id != b->id ? a->id < b->id : a->index < b->index;
}

bool lf_policy_parks(const lf_claim *a, const lf_claim *b)
{
    if (a->priority != b->priority) {
        return a->priority > b->priority;
    }
    return a->id != b->id ? a->id > b->id : a->index > b->index;
}
