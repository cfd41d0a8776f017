/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a batch: the request in it, and the line that answers it. Both have the format of
 * OpenAI's batches. */
#ifndef LFM2_CLI_BATCH_LINE_H
#define LFM2_CLI_BATCH_LINE_H

#include "cli/batch/batch_input.h"

#include "serve/exchange.h"
#include "serve/json_out.h"

typedef enum batch_state { BATCH_WAITS, BATCH_RUNS, BATCH_ANSWERED } batch_state;

/* Why a line cannot be run; static or in the line's memory. */
typedef struct batch_error {
    const char *code; /* NULL = none */
    char message[256];
} batch_error;

typedef struct batch_line {
    uint64_t number, hash;
    size_t bytes; /* in the input */
    batch_state state;
    batch_error error;
    /* In one block of memory; NULL if the line has none. All end with a zero byte. */
    char *memory;
    const char *custom_id, *url, *body;
    size_t custom_id_len, body_len;
    const char *key; /* how the prompt starts: lines with equal starts run together */
    size_t key_len;
    uint64_t seed;
    bool is_warm;    /* RUNS: its prompt has been computed */
    exchange x;      /* RUNS */
    lf_arena arena;  /* of the exchange */
    json_out answer; /* ANSWERED: the line of the output */
    bool failed;     /* ANSWERED: it reports an error */
} batch_line;

/* Reads a line. What is wrong with it becomes line->error. Returns EXIT_OK, or EXIT_FAILED after a
 * message (memory). */
int batch_line_read(const batch_text *text, uint64_t seed, batch_line **out);
void batch_line_free(batch_line *line);

void batch_line_fail(batch_line *line, const char *code, const char *format, ...) FORMAT(3, 4);

/* Writes line->answer: the error of the line, or a response. */
void batch_line_answer_error(batch_line *line);
void batch_line_answer(batch_line *line, int status, bool is_json, const char *body, size_t len);

#endif /* LFM2_CLI_BATCH_LINE_H */
