/* SPDX-License-Identifier: Apache-2.0 */
/* Answers the lines of a batch: the sink of their exchanges, the loop, how it ends. */
#include "cli/batch/batch.h"
#include "cli/support/interrupt.h"
#include "cli/support/model_open.h"
#include "cli/support/system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Exchanges ------------------------------------------------------------------------------ */

static batch *owner_of(const exchange *x)
{
    return x->sink_data;
}

static batch_line *line_of(exchange *x)
{
    return (batch_line *)((char *)x - offsetof(batch_line, x));
}

/* The exchange is over; its memory is freed with the line. */
static void answered(exchange *x)
{
    batch *b = owner_of(x);
    b->n_running--;
    b->prompt_tokens += x->log.prompt_tokens;
    b->cached_tokens += x->log.cached_tokens;
    b->generated_tokens += x->log.generated_tokens;
}

static void sink_reply(exchange *x, int status, const char *content_type, const char *headers,
                       const char *body, size_t len)
{
    static const char json[] = "application/json";
    (void)headers;
    bool is_json = content_type != NULL && strncmp(content_type, json, sizeof json - 1) == 0;
    batch_line_answer(line_of(x), status, is_json && len > 0, body, len);
    answered(x);
}

/* A stream: some APIs have one unless the request says no. */
static void sink_begin(exchange *x, const char *content_type)
{
    (void)content_type;
    batch_line_fail(line_of(x), "stream_unsupported",
                    "line %llu: a batch has no streams: \"stream\" must be false",
                    (unsigned long long)x->number);
}

static void sink_write(exchange *x, const char *bytes, size_t len)
{
    (void)x;
    (void)bytes;
    (void)len;
}

static void sink_end(exchange *x)
{
    batch_line_answer_error(line_of(x));
    answered(x);
}

static const exchange_sink sink = {
    .reply = sink_reply, .begin = sink_begin, .write = sink_write, .end = sink_end};

static void run_line(batch *b, batch_line *line)
{
    lf_arena_init(&line->arena, &b->alloc);
    line->x = (exchange){.sink = &sink,
                         .sink_data = b,
                         .number = line->number,
                         .method = "POST",
                         .path = line->url,
                         .query = "",
                         .body = line->body,
                         .body_len = line->body_len,
                         .arena = &line->arena,
                         .seed = line->seed,
                         .has_seed = true};
    line->state = BATCH_RUNS;
    b->n_running++;
    api_handle(b->a, &line->x);
}

/* Ends the lines that run, without answers. */
static void cancel_running(batch *b)
{
    for (uint32_t i = 0; i < b->n_lines; i++) {
        batch_line *line = b->lines[i];
        if (line->state == BATCH_RUNS) {
            if (line->x.gone != NULL) {
                line->x.gone(&line->x);
            }
            line->state = BATCH_WAITS;
            b->n_running--;
        }
    }
}

/* ---- The loop ------------------------------------------------------------------------------- */

/* On the engine's thread. The pipe is not blocking: if it is full, there is enough in it. */
static void notify(void *user)
{
    const batch *b = user;
    ssize_t written = write(b->wake[1], "", 1);
    (void)written;
}

/* Waits for events of the engine, for a pipe that is the input, for a signal, or a short time. */
static void wait_events(batch *b)
{
    enum { MILLISECONDS = 200 };
    char bytes[256];
    struct pollfd fds[2] = {{.fd = b->wake[0], .events = POLLIN},
                            {.fd = b->input.fd, .events = POLLIN}};
    bool reads = !b->at_end && !b->input.is_regular && b->n_lines < BATCH_WINDOW &&
                 b->window_bytes < BATCH_WINDOW_BYTES;
    /* Answers were written, so that lines can be read or run: there is nothing to wait for. */
    bool can_go_on = b->changed && b->n_running < b->max_running && !interrupt_seen();
    if (poll(fds, reads ? 2 : 1, can_go_on ? 0 : MILLISECONDS) > 0 &&
        (fds[0].revents & POLLIN) != 0) {
        while (read(b->wake[0], bytes, sizeof bytes) > 0) {
        }
    }
}

static void show_progress(batch *b)
{
    double rest = (double)b->window_bytes;
    if (b->input.is_regular && b->input.size > b->read_bytes) {
        rest += (double)(b->input.size - b->read_bytes) / b->opts->n_shards;
    }
    double done = (double)(b->earlier_bytes + b->computed_bytes);
    if (b->computed_bytes > 0) {
        b->bar.left = rest * (now_seconds() - b->start) / (double)b->computed_bytes;
    }
    if (b->input.is_regular) {
        progress_update(&b->bar, done / (done + rest + 1));
    }
}

static int step(batch *b)
{
    int code = batch_fill(b);
    if (code == EXIT_OK) {
        for (batch_line *line = batch_choose(b); line != NULL; line = batch_choose(b)) {
            run_line(b, line);
        }
        code = batch_write_answers(b);
    }
    return code;
}

static bool too_many_errors(const batch *b)
{
    return b->opts->max_errors != UINT32_MAX && b->n_failed > b->opts->max_errors;
}

/* Answers lines until there are none, a signal comes, or too many have failed. */
static int answer_all(batch *b)
{
    enum { SYNC_SECONDS = 30 };
    double stop = 0; /* when to end after SIGTERM; 0 = not yet */
    double synced = b->start;
    int code = EXIT_OK;
    while (code == EXIT_OK && !too_many_errors(b)) {
        double now = now_seconds();
        if (interrupt_seen() && stop == 0) {
            stop = now + (interrupt_ends_program() ? b->opts->grace : 0);
        }
        if (stop == 0) {
            code = step(b);
        }
        if (code != EXIT_OK || (stop == 0 && b->n_lines == 0 && b->at_end) ||
            (stop != 0 && (b->n_running == 0 || now >= stop))) {
            break;
        }
        if (now - synced > SYNC_SECONDS) {
            synced = now;
            code = batch_output_sync(&b->output);
        }
        wait_events(b);
        api_events(b->a);
        api_tick(b->a, now_seconds());
        batch_warm(b);
        if (code == EXIT_OK) {
            code = batch_write_answers(b);
        }
        show_progress(b);
    }
    cancel_running(b);
    return code;
}

/* ---- Start and end -------------------------------------------------------------------------- */

static void on_second_signal(void)
{
    _exit(interrupt_ends_program() ? EXIT_CONTINUE : EXIT_INTERRUPTED);
}

static int open_engine(batch *b, const open_model *opened)
{
    lfm2_engine_options options;
    api_options api_of;
    lfm2_model *model = opened->model;
    model_name(opened->path, b->name, sizeof b->name);
    if (pipe(b->wake) != 0 || fcntl(b->wake[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(b->wake[1], F_SETFL, O_NONBLOCK) != 0) {
        return fail("cli.batch.pipe", "cannot make a pipe: %s", strerror(errno));
    }
    engine_options_fill(&b->opts->engine, &b->opts->session, model, &options);
    options.flags |= LFM2_ENGINE_THREAD;
    options.step_ms = 0;
    options.notify = notify;
    options.notify_user = b;
    /* A few lines wait in the engine, so that it never waits for this thread. A line is one request
     * of the engine for each of its prompts, of which it has at most MOST_PROMPTS. */
    enum { AHEAD = 8, DEFAULT_PARALLEL = 64, MOST_PROMPTS = 128 };
    b->max_running = (options.max_running > 0 ? options.max_running : DEFAULT_PARALLEL) + AHEAD;
    options.max_queue = b->max_running * MOST_PROMPTS;
    if (lfm2_engine_create(model, &options, &b->engine) != LFM2_OK) {
        return fail_library();
    }
    api_of = (api_options){.model_name = b->name,
                           .any_model = true,
                           .max_tokens = b->opts->n_predict,
                           .alive_seconds = 1e9,
                           .kv_type = options.kv_type,
                           .n_ctx = options.n_ctx};
    return api_create(&api_of, model, b->engine, &b->a) == LFM2_OK ? EXIT_OK : fail_library();
}

static void free_batch(batch *b)
{
    if (b->a != NULL) {
        api_free(b->a);
    }
    lfm2_engine_free(b->engine);
    for (uint32_t i = 0; i < b->n_lines; i++) {
        batch_line_free(b->lines[i]);
    }
    for (uint32_t i = 0; i < BATCH_WARM; i++) {
        free(b->warm[i]);
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (b->wake[i] >= 0) {
            close(b->wake[i]);
        }
    }
    batch_ids_free(&b->ids);
    batch_output_close(&b->output);
    batch_input_close(&b->input);
    free(b);
}

/* Says what was done. Returns the exit code. */
static int report(const batch *b)
{
    double seconds = now_seconds() - b->start;
    unsigned long long earlier = (unsigned long long)b->output.n_done;
    notice("%llu line%s answered in %.1f s%s, %llu failed; tokens: %llu of prompts (%llu cached), "
           "%llu generated",
           (unsigned long long)b->n_answered, plural(b->n_answered), seconds,
           earlier > 0 ? " after an earlier run" : "", (unsigned long long)b->n_failed,
           (unsigned long long)b->prompt_tokens, (unsigned long long)b->cached_tokens,
           (unsigned long long)b->generated_tokens);
    bool is_complete = b->at_end && b->n_lines == 0;
    if (too_many_errors(b)) {
        return fail("cli.batch.errors", "more than %u lines failed", b->opts->max_errors);
    }
    if (is_complete) {
        return b->n_failed > 0 ? EXIT_SOME_FAILED : EXIT_OK;
    }
    if (!b->input.is_regular || !b->output.is_regular) {
        return fail("cli.interrupted", "interrupted");
    }
    fail("cli.interrupted", "interrupted; the same command continues");
    return interrupt_ends_program() ? EXIT_CONTINUE : EXIT_INTERRUPTED;
}

int batch_run(const batch_options *opts, const char *in, const char *out)
{
    open_model opened = {0};
    batch *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return fail("cli.memory", "out of memory");
    }
    b->opts = opts;
    b->alloc = lf_alloc_default();
    b->wake[0] = b->wake[1] = b->output.fd = -1;
    interrupt_begin(NULL);
    interrupt_at_exit(on_second_signal);
    int code = batch_input_open(in, &b->input);
    if (code == EXIT_OK) {
        code = batch_output_open(out, &b->output);
    }
    if (code == EXIT_OK) {
        code = batch_output_check(&b->output, &b->input, opts->shard, opts->n_shards);
    }
    if (code == EXIT_OK) {
        code = model_open(&opts->model, LFM2_LOAD_FULL, &opened);
    }
    if (code == EXIT_OK) {
        code = open_engine(b, &opened);
    }
    if (code == EXIT_OK) {
        b->n_failed = b->output.n_failed;
        b->start = now_seconds();
        progress_begin(&b->bar, "batch");
        code = answer_all(b);
        progress_end(&b->bar);
        int synced = batch_output_sync(&b->output);
        code = code == EXIT_OK ? synced : code;
    }
    if (code == EXIT_OK) {
        code = report(b);
    }
    interrupt_at_exit(NULL);
    interrupt_end();
    free_batch(b);
    model_close(&opened);
    return code;
}
