/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text, and the functions that read a command's input into it. */
#ifndef LFM2_CLI_TEXT_H
#define LFM2_CLI_TEXT_H

#include "cli/support/output.h"

typedef struct text_buffer {
    char *data; /* a zero byte follows the text */
    size_t len;
    size_t capacity;
} text_buffer;

enum { INPUT_LIMIT = 256 << 20 };

void text_free(text_buffer *text);

/* These return EXIT_OK, or EXIT_FAILED after a message. text_reserve makes space for `more` bytes
 * and a zero byte after the text. */
int text_reserve(text_buffer *text, size_t more);
int text_append(text_buffer *text, const char *data, size_t len);

/* Reads all of the file `path`, or of standard input if `path` is "-": at most INPUT_LIMIT bytes.
 * Returns EXIT_OK, or EXIT_FAILED after a message. */
int text_read(const char *path, text_buffer *out);

/* The same for a file that gzip, which must be installed, decompresses. */
int text_read_gzip(const char *path, text_buffer *out);

/* The same for the file of --tools, which must not be empty. */
int text_read_tools(const char *path, text_buffer *out);

/* Removes one newline (or CR LF) from the end. */
void text_chomp(text_buffer *text);

/* True if the text has only blanks and newlines, or nothing. */
bool text_is_blank(const text_buffer *text);

/* Reads the input of a command: `text` if it is not NULL, else the file `path` if that is not NULL,
 * else standard input unless it is a terminal. `hint` says in a message how to give the input.
 * Returns an exit code. */
int text_input(const char *command, const char *text, const char *path, const char *hint,
               text_buffer *out);

#endif /* LFM2_CLI_TEXT_H */
