/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the pace of drafts: expected tokens divided by the cost of the pass. */
#include "run/pace.h"

/* Costs of passes in single steps while they are not measured, for a mixture of experts, whose rows
 * use different experts. Dense models cost less; the first pass shows it. */
static const double usual_cost[LF_PACE_SIZES] = {1, 1.5, 2.4, 3.4, 4.9, 6.4, 9.6};

/* The first estimates: a longer match is more often right. */
static const double usual_right[LF_PACE_CLASSES] = {0.5, 1.5, 3, 6, 12};

/* Drafts must promise this gain, for errors of the estimates. */
static const double LEAST_GAIN = 1.1;

/* Weights of what was known before a measurement. Other work on the machine only makes passes
 * slower, so a faster one counts more. */
static const double KEEP_IF_FASTER = 0.25;
static const double KEEP_IF_SLOWER = 0.9;
static const double KEEP_OUTCOMES = 0.97;

/* A pass has at most FIRST_ROWS rows, or twice as many as the longest streak of right guesses. So
 * the first passes of a text that differs from its drafts cost little, and those of a text that
 * follows them double. */
static const double FIRST_ROWS = 4;
static const double KEEP_LONGEST = 0.9; /* with each wrong guess */

/* Single steps before the first guess, since the first one can be slow; and the most passes with
 * guesses until a single step is measured again. */
enum { FIRST_SINGLE = 2, MOST_PASSES = 32 };

void lf_pace_init(lf_pace *pace)
{
    *pace = (lf_pace){.seconds = {0}};
    for (int i = 0; i < LF_PACE_CLASSES; i++) {
        pace->right[i] = usual_right[i];
        pace->wrong[i] = 1;
    }
}

static int class_of(size_t match)
{
    return match < 3 ? 0 : match < 8 ? 1 : match < 16 ? 2 : match < 32 ? 3 : 4;
}

/* The cost of 2^size rows in single steps, whose cost is measured. One that is not measured is
 * interpolated between the next smaller and larger measured ones, or extrapolated from the smaller,
 * in the proportions of the usual costs. */
static double cost(const lf_pace *pace, int size)
{
    int low = size;
    while (pace->seconds[low] == 0) {
        low--;
    }
    double low_cost = pace->seconds[low] / pace->seconds[0];
    if (low == size) {
        return low_cost;
    }
    int high = size;
    while (high < LF_PACE_SIZES && pace->seconds[high] == 0) {
        high++;
    }
    double slope = 1;
    if (high < LF_PACE_SIZES) {
        slope = (pace->seconds[high] / pace->seconds[0] - low_cost) /
                (usual_cost[high] - usual_cost[low]);
    } else if (low > 0) {
        slope = (low_cost - 1) / (usual_cost[low] - 1);
    }
    /* More rows never cost less. */
    return low_cost + (usual_cost[size] - usual_cost[low]) * (slope > 0 ? slope : 0);
}

uint32_t lf_pace_rows(const lf_pace *pace, size_t match, uint32_t most)
{
    bool measured = pace->n_single >= FIRST_SINGLE && pace->n_since_single < MOST_PASSES;
    if (!measured || pace->seconds[0] == 0) { /* 0: a clock that does not show short times */
        return 1;
    }
    double confirmed = 2 * pace->longest;
    confirmed = confirmed > FIRST_ROWS ? confirmed : FIRST_ROWS;
    most = confirmed < most ? (uint32_t)confirmed : most;
    int class = class_of(match);
    double p = pace->right[class] / (pace->right[class] + pace->wrong[class]);
    double best = LEAST_GAIN;
    uint32_t rows = 1;
    double expected = 1; /* tokens: the first row always gives one */
    double chance = 1;   /* that all drafts so far are right */
    uint32_t n = 1;
    for (int size = 1; size < LF_PACE_SIZES && (uint32_t)1 << size <= most; size++) {
        for (; n < (uint32_t)1 << size; n++) {
            chance *= p;
            expected += chance;
        }
        double gain = expected / cost(pace, size);
        if (gain > best) {
            best = gain;
            rows = n;
        }
    }
    return rows;
}

void lf_pace_cost(lf_pace *pace, uint32_t rows, double seconds)
{
    int size = 0;
    while ((uint32_t)1 << size < rows) {
        size++;
    }
    pace->n_single += rows == 1 && pace->n_single < FIRST_SINGLE;
    pace->n_since_single = rows == 1 ? 0 : pace->n_since_single + 1;
    double *known = &pace->seconds[size];
    double keep = *known == 0 ? 0 : seconds < *known ? KEEP_IF_FASTER : KEEP_IF_SLOWER;
    *known = keep * *known + (1 - keep) * seconds;
}

void lf_pace_outcome(lf_pace *pace, size_t match, bool right)
{
    int class = class_of(match);
    pace->right[class] = KEEP_OUTCOMES * pace->right[class] + right;
    pace->wrong[class] = KEEP_OUTCOMES * pace->wrong[class] + !right;
    pace->streak = right ? pace->streak + 1 : 0;
    pace->longest = right ? pace->longest : pace->longest * KEEP_LONGEST;
    pace->longest = pace->streak > pace->longest ? pace->streak : pace->longest;
}
