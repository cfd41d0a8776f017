/* SPDX-License-Identifier: Apache-2.0 */
/* What the program prints: results on standard output, messages on standard error. */
#ifndef LFM2_CLI_OUTPUT_H
#define LFM2_CLI_OUTPUT_H

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

/* ---- Results: after the first write that fails, these functions do nothing ------------------- */

void out_write(const char *text, size_t len);
void out_printf(const char *format, ...) FORMAT(1, 2);
void out_flush(void);
bool out_failed(void);

/* Writes text that a model generated. On a terminal, control characters other than newline and tab
 * become U+FFFD, so that a model cannot send commands to the terminal. */
void out_model_text(const char *text, size_t len);

/* Writes a name from a file. Control characters become '?'. */
void out_name(const char *text);

/* Flushes. Returns `code`, or EXIT_FAILED if a write failed. Prints a message about the failure
 * unless the reader closed the pipe. */
int out_finish(int code);

/* Prints "lfm2 0.2.0". */
void print_version(void);

/* "s" unless n is 1, for messages: "1 token", "2 tokens". */
const char *plural(uint64_t n);

/* Appends to the string `out` of `used` characters, and cuts what exceeds `size`. Returns the new
 * length. */
size_t append_format(char *out, size_t size, size_t used, const char *format, ...) FORMAT(4, 5);

/* ---- Messages: one line, "lfm2: message (code)" ---------------------------------------------- */

/* Reports an error of the program. Returns EXIT_FAILED. */
int fail(const char *code, const char *format, ...) FORMAT(2, 3);

/* Reports lfm2_last_error. Returns EXIT_FAILED. */
int fail_library(void);

/* Reports a command line that `command` cannot use, and points to its help. Returns EXIT_USAGE. */
int fail_usage(const char *command, const char *format, ...) FORMAT(2, 3);

/* Prints a message without a code. */
void notice(const char *format, ...) FORMAT(1, 2);

#endif /* LFM2_CLI_OUTPUT_H */
