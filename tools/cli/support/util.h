/* SPDX-License-Identifier: Apache-2.0 */
/* What every command shares: results on stdout, messages on stderr, input, time, sizes. */
#ifndef LFM2_TOOLS_UTIL_H
#define LFM2_TOOLS_UTIL_H

#include "lfm2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define FORMAT(fmt, args)
#endif

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* Exit codes of the program. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- Results: stdout. The first failed write is remembered, later ones do nothing. ---------- */

void out_write(const char *text, size_t len);
void out_printf(const char *format, ...) FORMAT(1, 2);
void out_flush(void);
bool out_failed(void);

/* Text of a model: on a terminal, control characters other than newline and tab appear as U+FFFD,
 * so that a model cannot send commands to it; otherwise the bytes go out as they are. */
void out_model_text(const char *text, size_t len);

/* A name from a file, for people: control characters appear as '?'. */
void out_name(const char *text);

/* Flushes and turns `code` into EXIT_FAILED if anything was not written; says so unless the
 * reader went away. */
int out_finish(int code);

/* ---- Messages: stderr, "lfm2: message (code)" ----------------------------------------------- */

/* Run-time failure of the program itself. Returns EXIT_FAILED. */
int fail(const char *code, const char *format, ...) FORMAT(2, 3);

/* Run-time failure of the library: prints lfm2_last_error. Returns EXIT_FAILED. */
int fail_library(void);

/* Wrong use of `command`. Returns EXIT_USAGE. */
int fail_usage(const char *command, const char *format, ...) FORMAT(2, 3);

/* "lfm2: message" without a code. */
void notice(const char *format, ...) FORMAT(1, 2);

/* "lfm2 0.2.0", to stdout. */
void print_version(void);

/* ---- Input ---------------------------------------------------------------------------------- */

typedef struct text_buffer {
    char *data; /* 0-terminated besides; free with text_free */
    size_t len;
    size_t capacity;
} text_buffer;

enum { INPUT_LIMIT = 256 << 20 };

void text_free(text_buffer *text);

/* Both return EXIT_OK, or EXIT_FAILED after saying why. */
int text_append(text_buffer *text, const char *data, size_t len);

/* The whole of `path` ("-": standard input), at most INPUT_LIMIT bytes. */
int text_read(const char *path, text_buffer *out);

/* Takes one newline (or CR LF) off the end. */
void text_chomp(text_buffer *text);

/* Nothing but blanks and newlines, or nothing at all. */
bool text_is_blank(const text_buffer *text);

/* The text that a command works on: `text` if not NULL, else the file `path` if not NULL, else
 * standard input unless it is a terminal. Returns an exit code; messages are printed. */
int text_input(const char *command, const char *text, const char *path, text_buffer *out);

/* ---- Numbers -------------------------------------------------------------------------------- */

/* Decimal notation only, the whole text, finite, no white space. */
bool parse_real(const char *text, double *out);
bool parse_u64(const char *text, uint64_t *out);
bool parse_i64(const char *text, int64_t *out);

/* 32 random bits of the system: short enough to be typed again. */
uint64_t random_seed(void);

/* Monotonic clock. */
double now_seconds(void);
void wait_seconds(double seconds);

/* "1.50 GiB"; `out` is returned. */
const char *format_bytes(uint64_t bytes, char out[32]);

/* "8.34 B", "354.48 M"; `out` is returned. */
const char *format_count(uint64_t count, char out[32]);

/* Most resident memory of this process so far, or since the last restart, bytes. */
uint64_t peak_rss(void);

/* Starts peak_rss again with what is resident now; without effect where the system refuses it. */
void peak_rss_restart(void);

#endif /* LFM2_TOOLS_UTIL_H */
