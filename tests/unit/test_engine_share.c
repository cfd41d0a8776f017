/* SPDX-License-Identifier: Apache-2.0 */
/* Generating sequences and a long prompt in an engine, with a clock on which passes take the time
 * that they take with a large model: how long the sequences wait, and what they keep of their
 * speed.
 */
/* link-wrap: lf_os_seconds lf_step */
#include "support/engines.h"

#include "run/step.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

enum { N_CTX = 1200, LONG = 1000, SEQUENCES = 8 };

static lfm2_model *model; /* the demo model */
static lft_outcomes outcomes;

/* ---- The clock ---- */

static double now;

double __wrap_lf_os_seconds(void);
double __wrap_lf_os_seconds(void)
{
    return now;
}

/* LFM2-8B-A1B on two cores. */
static double decode_time(size_t rows)
{
    return 0.032 + 0.011 * (double)(rows - 1);
}

int32_t __real_lf_step(lfm2_model *m, lf_workspace *workspace, size_t n_items, bool together);
int32_t __wrap_lf_step(lfm2_model *m, lf_workspace *workspace, size_t n_items, bool together);
int32_t __wrap_lf_step(lfm2_model *m, lf_workspace *workspace, size_t n_items, bool together)
{
    uint32_t rows = 0;
    for (size_t i = 0; i < n_items; i++) {
        rows += workspace->pass.items[i].n;
    }
    now += rows == n_items ? decode_time(rows) : 0.090 + 0.00346 * rows;
    return __real_lf_step(m, workspace, n_items, together);
}

/* ---- The test ---- */

typedef struct gaps {
    double last[SEQUENCES + 2], longest; /* seconds, of the sequences that generate */
    uint32_t n_tokens;                   /* theirs, while the prompt is computed */
    double begin, end;                   /* of the prompt; end 0: it is being computed */
} gaps;

/* Takes the events of a step, which ended now. */
static void note_gaps(lfm2_engine *engine, gaps *g)
{
    for (lfm2_engine_event e = {.size = sizeof e};;) {
        LFT_OK(lfm2_engine_next(engine, &e));
        if (e.kind == LFM2_EVENT_NONE) {
            return;
        }
        lft_note(&outcomes, &e);
        if (e.kind != LFM2_EVENT_TOKEN) {
            continue;
        }
        if (e.request > SEQUENCES) {
            g->end = g->end > 0 ? g->end : now;
            continue;
        }
        double gap = now - g->last[e.request];
        g->last[e.request] = now;
        if (g->begin > 0 && g->end <= 0) {
            g->longest = gap > g->longest ? gap : g->longest;
            g->n_tokens++;
        }
    }
}

static void check_share(uint32_t step_ms, float share, double most_gap)
{
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    o.n_ctx = N_CTX;
    o.step_ms = step_ms;
    o.decode_share = share;
    lfm2_engine *engine = lft_engine(model, &o);
    int32_t *ids = lft_ids(LONG, lft_vocab(model), 3);
    gaps g = {.longest = 0};
    for (int i = 0; i < SEQUENCES; i++) {
        lfm2_request_options r = lft_request(ids + i, 5, 0);
        r.flags |= LFM2_REQUEST_IGNORE_EOS;
        lft_submit(engine, &r);
    }
    for (int i = 0; i < 40; i++) {
        LFT_OK(lfm2_engine_step(engine, NULL));
        note_gaps(engine, &g);
    }
    lfm2_request_options r = lft_request(ids, LONG, 1);
    uint64_t id = lft_submit(engine, &r);
    g.begin = now;
    for (int steps = 0; g.end <= 0; steps++) {
        LFT_OK(lfm2_engine_step(engine, NULL));
        note_gaps(engine, &g);
        assert_true(steps < 2000);
    }
    double seconds = g.end - g.begin;
    double kept = (double)g.n_tokens / SEQUENCES * decode_time(SEQUENCES) / seconds;
    print_message("%u ms, share %.1f: longest gap %.3f s, kept %.2f, prompt %.1f s\n", step_ms,
                  (double)share, g.longest, kept, seconds);
    assert_true(g.longest <= most_gap);
    assert_true(step_ms == 0 || kept >= (double)share - 0.05);
    lft_text alone = lft_alone(model, &r, N_CTX, 0);
    lft_drain(engine, &outcomes);
    lft_expect_text(&outcomes.of[id].choices[0], &alone);
    lft_text_free(&alone);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
    free(ids);
}

static void test_share(void **state)
{
    (void)state;
    check_share(300, 0.4f, 0.33);
    check_share(200, 0.4f, 0.23);
    check_share(300, 0.8f, 0.33);
    check_share(0, 0.4f, 2.0);
}

static int setup(void **state)
{
    (void)state;
    model = lft_open(LFM2_DEMO_MODEL, 1, LFM2_KERNELS_AUTO, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_share)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
