/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a batch that are in memory: reading ahead, choosing the next one so that equal
 * prompts run together, writing answers. */
#include "cli/batch/batch.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reading ahead -------------------------------------------------------------------------- */

static int add_line(batch *b, const batch_text *text)
{
    batch_line *line = NULL;
    uint64_t first = text->number;
    bool done = batch_output_has(&b->output, text->number);
    bool own = text->number % b->opts->n_shards == b->opts->shard;
    b->read_bytes += text->bytes;
    int code = batch_line_read(text, b->opts->seed, &line);
    if (code == EXIT_OK && line->custom_id != NULL) {
        uint64_t hash = batch_hash(BATCH_HASH_START, line->custom_id, line->custom_id_len);
        code = batch_ids_add(&b->ids, batch_mix(hash), text->number, &first);
    }
    if (code != EXIT_OK || done || !own) {
        b->earlier_bytes += done ? text->bytes : 0;
        batch_line_free(line);
        return code;
    }
    if (first != text->number && line->error.code == NULL) {
        batch_line_fail(line, "duplicate_custom_id",
                        "line %llu: \"custom_id\" is that of line %llu",
                        (unsigned long long)text->number, (unsigned long long)first);
    }
    if (line->error.code != NULL) {
        batch_line_answer_error(line);
    }
    b->window_bytes += line->bytes;
    b->lines[b->n_lines++] = line;
    return EXIT_OK;
}

static bool can_read(const batch *b)
{
    struct pollfd in = {.fd = b->input.fd, .events = POLLIN};
    return b->input.is_regular || poll(&in, 1, 0) > 0;
}

/* By the starts of the prompts, then by number. */
static int compare(const void *a, const void *b)
{
    const batch_line *x = *(batch_line *const *)a;
    const batch_line *y = *(batch_line *const *)b;
    size_t len = x->key_len < y->key_len ? x->key_len : y->key_len;
    int order = len > 0 ? memcmp(x->key, y->key, len) : 0;
    if (order == 0) {
        order = (x->key_len > y->key_len) - (x->key_len < y->key_len);
    }
    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

int batch_fill(batch *b)
{
    uint32_t n_waiting = 0;
    for (uint32_t i = 0; i < b->n_lines; i++) {
        n_waiting += b->lines[i]->state == BATCH_WAITS;
    }
    /* Many lines at once: the more are sorted together, the more have equal neighbours. */
    if (b->at_end || n_waiting >= BATCH_WINDOW / 2) {
        return EXIT_OK;
    }
    uint32_t before = b->n_lines;
    int code = EXIT_OK;
    while (code == EXIT_OK && b->n_lines < BATCH_WINDOW && b->window_bytes < BATCH_WINDOW_BYTES) {
        batch_text text;
        batch_next next = batch_input_next(&b->input, &text);
        if (next == BATCH_TAKEN) {
            code = add_line(b, &text);
        } else if (next == BATCH_READ_MORE && can_read(b)) {
            code = batch_input_read(&b->input);
        } else {
            b->at_end = next == BATCH_AT_END;
            break;
        }
    }
    if (b->n_lines > before) {
        qsort(b->lines, b->n_lines, sizeof *b->lines, compare);
        b->changed = true;
    }
    return code;
}

/* ---- Choosing ------------------------------------------------------------------------------- */

enum { BLOCK = 256 }; /* bytes: shorter common starts are not worth waiting */

/* How many whole blocks two starts have in common. */
static size_t common(const char *a, size_t len_a, const char *b, size_t len_b)
{
    size_t len = len_a < len_b ? len_a : len_b;
    size_t n = 0;
    while ((n + 1) * BLOCK <= len && memcmp(a + n * BLOCK, b + n * BLOCK, BLOCK) == 0) {
        n++;
    }
    return n;
}

static bool must_wait(const batch *b, const batch_line *line)
{
    size_t cold = 0;
    size_t warm = 0;
    for (uint32_t i = 0; i < b->n_lines; i++) {
        const batch_line *other = b->lines[i];
        if (other->state == BATCH_RUNS) {
            size_t n = common(line->key, line->key_len, other->key, other->key_len);
            size_t *most = other->is_warm ? &warm : &cold;
            *most = n > *most ? n : *most;
        }
    }
    for (uint32_t i = 0; i < BATCH_WARM && cold > warm; i++) {
        size_t n = common(line->key, line->key_len, b->warm[i], b->warm_len[i]);
        warm = n > warm ? n : warm;
    }
    return cold > warm;
}

batch_line *batch_choose(batch *b)
{
    if (!b->changed || b->n_running >= b->max_running) {
        return NULL;
    }
    bool use_cache = !b->opts->engine.no_cache;
    for (uint32_t i = 0; i < b->n_lines; i++) {
        batch_line *line = b->lines[i];
        if (line->state == BATCH_WAITS && !(use_cache && must_wait(b, line))) {
            return line;
        }
    }
    b->changed = false;
    return NULL;
}

static void add_warm(batch *b, const batch_line *line)
{
    char *copy = line->key_len >= BLOCK ? malloc(line->key_len) : NULL;
    if (copy != NULL) {
        memcpy(copy, line->key, line->key_len);
        free(b->warm[b->next_warm]);
        b->warm[b->next_warm] = copy;
        b->warm_len[b->next_warm] = line->key_len;
        b->next_warm = (b->next_warm + 1) % BATCH_WARM;
    }
    b->changed = true;
}

void batch_warm(batch *b)
{
    for (uint32_t i = 0; i < b->n_lines; i++) {
        batch_line *line = b->lines[i];
        bool computed = line->state == BATCH_RUNS && line->x.log.generated_tokens > 0;
        if (!line->is_warm && (computed || (line->state == BATCH_ANSWERED && line->key_len > 0))) {
            line->is_warm = true;
            add_warm(b, line);
        }
    }
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* Whether the answer may be written now: with --ordered, if no line before it is in memory. */
static bool may_write(const batch *b, const batch_line *line)
{
    for (uint32_t i = 0; b->opts->ordered && i < b->n_lines; i++) {
        if (b->lines[i]->number < line->number) {
            return false;
        }
    }
    return true;
}

static int write_answer(batch *b, const batch_line *line)
{
    if (line->answer.failed) {
        return fail("cli.memory", "out of memory for the answer to line %llu",
                    (unsigned long long)line->number);
    }
    int code = batch_output_line(&b->output, line->answer.text, line->answer.len);
    if (code == EXIT_OK) {
        b->n_answered++;
        b->n_failed += line->failed;
        b->computed_bytes += line->bytes;
    }
    return code;
}

int batch_write_answers(batch *b)
{
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < b->n_lines;) {
            batch_line *line = b->lines[i];
            if (line->state != BATCH_ANSWERED || !may_write(b, line)) {
                i++;
                continue;
            }
            int code = write_answer(b, line);
            if (code != EXIT_OK) {
                return code;
            }
            b->window_bytes -= line->bytes;
            memmove(&b->lines[i], &b->lines[i + 1], (b->n_lines - i - 1) * sizeof *b->lines);
            b->n_lines--;
            batch_line_free(line);
            b->changed = true;
            again = b->opts->ordered;
        }
    }
    return EXIT_OK;
}
