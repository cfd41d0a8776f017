/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of lfm2 bench share: options and output formats. */
#ifndef LFM2_TOOLS_BENCH_H
#define LFM2_TOOLS_BENCH_H

#include "gen_opts.h"
#include "model_opts.h"

enum { BENCH_MD, BENCH_JSON, BENCH_CSV };

typedef struct bench_opts {
    model_opts model; /* threads is not used: the list below is */
    session_opts session;
    opt_u32s n_prompt, n_gen, depth, threads;
    uint32_t repetitions, format;
    bool kernels;
    /* micro-kernels */
    opt_u32s m;
    uint32_t n, k, pool_mib;
    double seconds;
    const char *filter;
} bench_opts;

/* The table of micro-kernels. Returns the exit code. */
int bench_kernels(const bench_opts *opts);

#endif /* LFM2_TOOLS_BENCH_H */
