/* SPDX-License-Identifier: Apache-2.0 */
/* `lfm2 batch`: answers the lines of a file with the handlers of the server. */
#ifndef LFM2_CLI_BATCH_H
#define LFM2_CLI_BATCH_H

#include "cli/batch/batch_ids.h"
#include "cli/batch/batch_line.h"
#include "cli/batch/batch_output.h"
#include "cli/options/engine_options.h"
#include "cli/options/model_options.h"
#include "cli/support/progress.h"

#include "serve/api.h"

/* Exit codes for schedulers, besides those of all commands. */
enum {
    EXIT_SOME_FAILED = 3,  /* all lines have answers, some report errors */
    EXIT_CONTINUE = 75,    /* SIGTERM: the same command continues (EX_TEMPFAIL of sysexits.h) */
    EXIT_INTERRUPTED = 130 /* Ctrl-C: the same command continues */
};

typedef struct batch_options {
    model_options model;
    session_options session;
    engine_options engine;
    const char *shard_text;
    uint32_t shard, n_shards;
    uint64_t seed;
    uint32_t n_predict;
    uint32_t max_errors; /* UINT32_MAX = no limit */
    uint32_t grace;      /* seconds */
    bool ordered;
} batch_options;

/* Lines that are in memory: those that wait, run, or have an answer that is not written. */
enum { BATCH_WINDOW = 1024, BATCH_WINDOW_BYTES = 64 << 20, BATCH_WARM = 16 };

typedef struct batch {
    const batch_options *opts;
    lf_alloc alloc;
    batch_input input;
    batch_output output;
    batch_ids ids;
    lfm2_engine *engine;
    api *a;
    char name[256]; /* of the model */
    int wake[2];    /* a pipe: the engine writes when it has events */

    batch_line *lines[BATCH_WINDOW]; /* sorted by the starts of their prompts */
    uint32_t n_lines, n_running, max_running;
    size_t window_bytes;
    bool at_end;  /* of the input */
    bool changed; /* batch_choose may find another line than last time */
    /* The starts of prompts that were computed last: a ring. */
    char *warm[BATCH_WARM];
    size_t warm_len[BATCH_WARM];
    uint32_t next_warm;

    uint64_t n_answered, n_failed; /* lines of this run; n_failed counts earlier runs as well */
    uint64_t prompt_tokens, cached_tokens, generated_tokens;
    uint64_t read_bytes, computed_bytes, earlier_bytes; /* of the input; answered now, before */
    double start;
    progress bar;
} batch;

/* ---- batch_window.c: which lines are in memory, and which of them is next -------------------- */

/* Reads lines until the window is full, the input ends, or a pipe has no more now. */
int batch_fill(batch *b);

/* The line to run next, or NULL. One waits while the prompt of another line is computed that starts
 * like its own: the cache has that start soon. */
batch_line *batch_choose(batch *b);

/* Notes which of the running lines have computed their prompts. */
void batch_warm(batch *b);

/* Writes the answers and frees their lines. */
int batch_write_answers(batch *b);

/* ---- batch_run.c ---- */

/* Answers all lines. Returns an exit code. */
int batch_run(const batch_options *opts, const char *in, const char *out);

#endif /* LFM2_CLI_BATCH_H */
