/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench --drafts: compares generation with and without drafts. The drafts are the text itself
 * with errors, so that a chosen part of the guesses is right. */
#include "cli/bench/bench.h"
#include "cli/support/interrupt.h"
#include "cli/support/system.h"

#include <stdlib.h>
#include <string.h>

/* A line of the table. */
typedef struct draft_line {
    enum { DRAFT_NONE, DRAFT_NGRAM, DRAFT_GIVEN } kind;
    uint32_t percent; /* of right tokens in a given draft */
    double seconds;   /* of all repetitions, without prompt and first token */
    uint64_t n_drafted, n_accepted;
} draft_line;

typedef struct draft_comparison {
    const bench_options *opts;
    open_model opened;
    lfm2_session *session;
    lfm2_sampler *sampler;
    uint32_t n_vocab, n_prompt, n_gen;
    int32_t *prompt; /* [n_prompt] */
    int32_t *text;   /* [n_gen] generated without drafts */
    int32_t *again;  /* [n_gen] generated with drafts */
    int32_t *draft;  /* [n_gen] */
    draft_line lines[OPT_MAX_ITEMS + 2];
    uint32_t n_lines;
} draft_comparison;

/* Makes a draft from the text: each token is right with a probability of `percent`. */
static void make_draft(draft_comparison *c, uint32_t percent)
{
    uint32_t random = BENCH_SEED;
    for (uint32_t i = 0; i < c->n_gen; i++) {
        bool right = bench_random(&random) % 100 < percent;
        c->draft[i] = right ? c->text[i] : (c->text[i] + 1) % (int32_t)c->n_vocab;
    }
}

/* Generates the text of a line once. */
static int run_line(draft_comparison *c, draft_line *line)
{
    lfm2_generate_options options;
    lfm2_generate_options_init(&options, sizeof options);
    options.max_tokens = c->n_gen;
    options.flags = LFM2_GENERATE_IGNORE_EOS;
    if (line->kind != DRAFT_NONE) {
        options.flags |= LFM2_GENERATE_DRAFT;
    }
    if (line->kind == DRAFT_GIVEN) {
        make_draft(c, line->percent);
        options.draft_ids = c->draft;
        options.n_draft_ids = c->n_gen;
    }
    lfm2_generate_result result = {.size = sizeof result};
    int32_t *ids = line->kind == DRAFT_NONE ? c->text : c->again;
    lfm2_sampler_reset(c->sampler);
    int32_t status = lfm2_session_reset(c->session);
    if (status == LFM2_OK) {
        status = lfm2_generate(c->session, c->sampler, c->prompt, c->n_prompt, &options, &result);
    }
    if (status == LFM2_OK) {
        status = lfm2_session_tokens(c->session, c->n_prompt, c->n_gen, ids);
    }
    int code = interrupt_code(interrupt_status(status));
    if (code == EXIT_OK && memcmp(ids, c->text, c->n_gen * sizeof *ids) != 0) {
        code = fail("cli.drafts", "drafts changed the text");
    }
    line->seconds += result.generate_seconds;
    line->n_drafted += result.n_drafted;
    line->n_accepted += result.n_accepted;
    return code;
}

/* Measures all lines in alternation, so that changes of the machine affect all of them. */
static int run_lines(draft_comparison *c)
{
    draft_line warm = {.kind = DRAFT_NONE};
    int code = run_line(c, &warm);
    for (uint32_t r = 0; r < c->opts->repetitions && code == EXIT_OK; r++) {
        for (uint32_t i = 0; i < c->n_lines && code == EXIT_OK; i++) {
            code = run_line(c, &c->lines[i]);
        }
    }
    return code;
}

/* ---- The table ---- */

static void print_head(uint32_t format)
{
    if (format == BENCH_MD) {
        out_printf("| draft | right | t/s | vs. none | drafted | accepted |\n"
                   "| ----- | ----: | --: | -------: | ------: | -------: |\n");
    } else if (format == BENCH_CSV) {
        out_printf("draft,percent,n_prompt,n_gen,tokens_per_second,of_none,n_drafted,n_accepted\n");
    }
}

static void print_line(const draft_comparison *c, uint32_t index)
{
    static const char *const kinds[] = {"none", "ngram", "given"};
    const bench_options *opts = c->opts;
    const draft_line *line = &c->lines[index];
    double timed = (double)(c->n_gen - 1) * opts->repetitions;
    double rate = line->seconds > 0 ? timed / line->seconds : 0;
    double of_none = line->seconds > 0 ? c->lines[0].seconds / line->seconds : 0;
    double drafted = (double)line->n_drafted / opts->repetitions;
    double accepted = (double)line->n_accepted / opts->repetitions;
    char percent[16] = "";
    if (line->kind == DRAFT_GIVEN) {
        append_format(percent, sizeof percent, 0, "%u", line->percent);
    }
    if (opts->format == BENCH_MD) {
        out_printf("| %s | %s%s | %.2f | %.3f | %.1f | %.1f |\n", kinds[line->kind], percent,
                   percent[0] != '\0' ? " %" : "", rate, of_none, drafted, accepted);
    } else if (opts->format == BENCH_CSV) {
        out_printf("%s,%s,%u,%u,%.9g,%.4g,%.9g,%.9g\n", kinds[line->kind], percent, c->n_prompt,
                   c->n_gen, rate, of_none, drafted, accepted);
    } else {
        out_printf("%s{\"draft\":\"%s\",\"percent\":%s,\"n_prompt\":%u,\"n_gen\":%u,"
                   "\"tokens_per_second\":%.9g,\"of_none\":%.4g,\"n_drafted\":%.9g,"
                   "\"n_accepted\":%.9g}%s",
                   bench_before_object(opts, index == 0), kinds[line->kind],
                   percent[0] != '\0' ? percent : "null", c->n_prompt, c->n_gen, rate, of_none,
                   drafted, accepted, bench_after_object(opts));
    }
}

static void print_lines(const draft_comparison *c)
{
    print_head(c->opts->format);
    for (uint32_t i = 0; i < c->n_lines; i++) {
        print_line(c, i);
    }
    bench_end_array(c->opts, c->n_lines);
}

/* ---- Opening ---- */

static int open_session(draft_comparison *c)
{
    session_options options = c->opts->session;
    options.n_ctx = c->n_prompt + c->n_gen;
    int code = session_open(&options, c->opened.model, &c->session);
    lfm2_sampler_options how;
    lfm2_sampler_options_init(&how, sizeof how, NULL);
    how.temperature = 1; /* what is most likely often repeats itself */
    how.min_p = 0;
    how.repetition_penalty = 1;
    if (code == EXIT_OK && lfm2_sampler_create(c->opened.model, &how, &c->sampler) != LFM2_OK) {
        code = fail_library();
    }
    return code;
}

static int open_all(draft_comparison *c)
{
    model_options model = c->opts->model;
    model.threads = c->opts->threads.items[0];
    c->n_gen = c->opts->n_gen.items[0];
    c->n_prompt = c->opts->depth.items[0] > 0 ? c->opts->depth.items[0] : 1;
    c->prompt = calloc(c->n_prompt, sizeof *c->prompt);
    c->text = calloc(c->n_gen, sizeof *c->text);
    c->again = calloc(c->n_gen, sizeof *c->again);
    c->draft = calloc(c->n_gen, sizeof *c->draft);
    if (c->prompt == NULL || c->text == NULL || c->again == NULL || c->draft == NULL) {
        return fail("cli.memory", "out of memory");
    }
    c->lines[c->n_lines++] = (draft_line){.kind = DRAFT_NONE};
    c->lines[c->n_lines++] = (draft_line){.kind = DRAFT_NGRAM};
    for (uint32_t i = 0; i < c->opts->drafts.n; i++) {
        c->lines[c->n_lines++] =
            (draft_line){.kind = DRAFT_GIVEN, .percent = c->opts->drafts.items[i]};
    }
    lfm2_model_info info = {.size = sizeof info};
    int code = model_open(&model, LFM2_LOAD_FULL, &c->opened);
    if (code == EXIT_OK && lfm2_model_get_info(c->opened.model, &info) != LFM2_OK) {
        code = fail_library();
    }
    if (code == EXIT_OK) {
        c->n_vocab = info.n_vocab;
        bench_fill_ids(c->prompt, c->n_prompt, c->n_vocab);
        code = open_session(c);
    }
    return code;
}

int bench_drafts(const bench_options *opts)
{
    draft_comparison *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return fail("cli.memory", "out of memory");
    }
    c->opts = opts;
    int code = open_all(c);
    if (code == EXIT_OK) {
        interrupt_begin(c->session);
        code = run_lines(c);
        interrupt_end();
    }
    if (code == EXIT_OK) {
        print_lines(c);
        code = out_failed() ? EXIT_FAILED : EXIT_OK;
    }
    lfm2_sampler_free(c->sampler);
    lfm2_session_free(c->session);
    model_close(&c->opened);
    free(c->draft);
    free(c->again);
    free(c->text);
    free(c->prompt);
    free(c);
    return code;
}
