/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations for the files of lfm2 constrain: options, the trial of a text, times, the order of
 * members, a suite. */
#ifndef LFM2_CLI_CONSTRAIN_H
#define LFM2_CLI_CONSTRAIN_H

#include "cli/options/constraint_options.h"
#include "cli/options/model_options.h"
#include "cli/support/constraint_open.h"
#include "cli/support/json.h"
#include "cli/support/token_ids.h"

typedef struct constrain_options {
    model_options model;
    constraint_options constraint;
    const char *instances, *suite; /* files, or "-" */
    const char *tools;             /* a file */
    bool json, special;
} constrain_options;

/* ---- times.c: measured times ---- */

typedef struct time_list {
    float *items; /* microseconds */
    size_t n, capacity;
} time_list;

/* Returns EXIT_OK, or EXIT_FAILED after a message. */
int times_add(time_list *times, double microseconds);
void times_free(time_list *times);

typedef struct time_summary {
    size_t n;
    double average, p50, p95, p99, p999, most; /* microseconds; 0 without times */
} time_summary;

/* Sorts the times. */
time_summary times_summarize(time_list *times);

/* Prints it as a line of text after `name`, in milliseconds if `milli`, or as a JSON object. */
void times_print(const char *name, const time_summary *s, bool milli);
void times_print_json(const time_summary *s);

/* ---- trial.c: a text under a constraint ---- */

typedef enum trial_verdict { TRIAL_ACCEPT, TRIAL_REJECT, TRIAL_REFUSED } trial_verdict;

typedef struct trial {
    trial_verdict verdict;
    char reason[512]; /* unless accepted */
    size_t n_tokens, n_forced;
} trial;

const char *trial_name(trial_verdict verdict);

/* The thread's processor time in microseconds. */
double cpu_microseconds(void);

/* Walks the tokens of a text and measures the mask before each and before the end; accepting a
 * token counts as part of the mask after it. `flags` are those of lfm2_tokenize. A limit that is
 * reached makes the verdict REFUSED. Returns an exit code. */
int trial_run(lfm2_model *model, lfm2_constraint *constraint, const char *text, size_t len,
              uint32_t flags, time_list *masks, trial *out);

/* Appends a JSON value as the constraint's white space writes it. */
int trial_text(const lf_json *value, int32_t space, text_buffer *out);

/* ---- order.c ---- */

/* The same with the members of objects in an order that the constraint allows, if the search finds
 * one, else in theirs. */
int order_text(lfm2_constraint *constraint, const lf_json *value, int32_t space, text_buffer *out);

/* ---- suite.c ---- */

/* Tries the lines of MaskBench. Returns an exit code. */
int suite_run(const constrain_options *opts, lfm2_model *model);

#endif /* LFM2_CLI_CONSTRAIN_H */
