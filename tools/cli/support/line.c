/* SPDX-License-Identifier: Apache-2.0 */
/* Messages typed by a person (with editing and history) or read from a pipe: which lines belong
 * together. */
#include "cli/support/line.h"
#include "cli/support/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUOTES "\"\"\""
enum { QUOTES_LEN = 3 };

struct line_input {
    bool is_terminal;
    terminal *terminal; /* NULL: a pipe or a file */
    text_buffer line;   /* read last */
};

line_input *line_open(const char *prompt)
{
    line_input *input = calloc(1, sizeof *input);
    if (input == NULL) {
        fail("cli.memory", "out of memory");
        return NULL;
    }
    input->is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (input->is_terminal) {
        input->terminal = terminal_open(prompt);
        if (input->terminal == NULL) {
            line_close(input);
            return NULL;
        }
    }
    return input;
}

void line_close(line_input *input)
{
    if (input != NULL) {
        terminal_close(input->terminal);
        text_free(&input->line);
        free(input);
    }
}

bool line_is_terminal(const line_input *input)
{
    return input->is_terminal;
}

/* A message has a limit whatever it is made of. */
static bool append(text_buffer *out, const char *text, size_t len)
{
    if (out->len + len > INPUT_LIMIT) {
        fail("cli.input.size", "standard input: a message of more than %d MiB", INPUT_LIMIT >> 20);
        return false;
    }
    return text_append(out, text, len) == EXIT_OK;
}

static line_result read_plain(text_buffer *out)
{
    char part[4096];
    size_t n = 0;
    int c = 0;
    while (c != '\n') {
        errno = 0;
        c = getc_unlocked(stdin);
        if (c == EOF && ferror(stdin) != 0) {
            fail("cli.input", "standard input: %s", strerror(errno));
            return LINE_ERROR;
        }
        if (c != EOF) {
            part[n++] = (char)c;
        }
        if (n == sizeof part || c == '\n' || c == EOF) {
            if (!append(out, part, n)) {
                return LINE_ERROR;
            }
            n = 0;
        }
        if (c == EOF) {
            break;
        }
    }
    bool end = c == EOF && out->len == 0;
    text_chomp(out);
    return end ? LINE_END : LINE_TEXT;
}

/* The next line, into input->line. */
static line_result read_line(line_input *input, bool continued)
{
    input->line.len = 0;
    return input->terminal != NULL ? terminal_read(input->terminal, continued, &input->line)
                                   : read_plain(&input->line);
}

static bool starts_block(const text_buffer *line)
{
    return line->len >= QUOTES_LEN && memcmp(line->data, QUOTES, QUOTES_LEN) == 0;
}

/* Bytes of the line before a """ that only blanks follow; line->len + 1 if there is none. */
static size_t end_of_block(const text_buffer *line, size_t from)
{
    size_t n = line->len;
    while (n > from && (line->data[n - 1] == ' ' || line->data[n - 1] == '\t')) {
        n--;
    }
    bool ends =
        n >= from + QUOTES_LEN && memcmp(line->data + n - QUOTES_LEN, QUOTES, QUOTES_LEN) == 0;
    return ends ? n - QUOTES_LEN : line->len + 1;
}

/* Is there a """ behind the first one? */
static bool has_more_quotes(const text_buffer *line)
{
    for (size_t i = QUOTES_LEN; i + QUOTES_LEN <= line->len; i++) {
        if (memcmp(line->data + i, QUOTES, QUOTES_LEN) == 0) {
            return true;
        }
    }
    return false;
}

/* The rest of a block whose first line is in input->line. */
static line_result read_block(line_input *input, text_buffer *out)
{
    size_t from = QUOTES_LEN;
    line_result result = LINE_TEXT;
    for (bool open = true; open && result == LINE_TEXT;) {
        text_buffer *line = &input->line;
        size_t end = end_of_block(line, from);
        open = end > line->len;
        size_t len = (open ? line->len : end) - from;
        /* The lines that hold nothing but the quotes are not part of the text. */
        bool skip = from > 0 && len == 0;
        if (!append(out, line->data + from, len) || (open && !skip && !append(out, "\n", 1))) {
            return LINE_ERROR;
        }
        from = 0;
        if (open) {
            result = read_line(input, true);
        }
    }
    if (result == LINE_TEXT || result == LINE_END) {
        text_chomp(out);
        result = LINE_BLOCK;
    }
    return result;
}

/* Joins the lines that a backslash continues; the first one is in input->line. */
static line_result read_joined(line_input *input, text_buffer *out)
{
    line_result result = LINE_TEXT;
    for (;;) {
        if (!append(out, input->line.data, input->line.len)) {
            return LINE_ERROR;
        }
        if (out->len == 0 || out->data[out->len - 1] != '\\') {
            return LINE_TEXT;
        }
        out->data[out->len - 1] = '\n';
        result = read_line(input, true);
        if (result != LINE_TEXT) {
            return result == LINE_END ? LINE_TEXT : result;
        }
    }
}

/* What brings the same message back when it is sent again from the history. */
static void remember(line_input *input, const text_buffer *message, bool block)
{
    text_buffer text = {0};
    const char *quotes = block ? QUOTES : "";
    if (input->terminal != NULL && text_append(&text, quotes, strlen(quotes)) == EXIT_OK &&
        text_append(&text, message->data, message->len) == EXIT_OK &&
        text_append(&text, quotes, strlen(quotes)) == EXIT_OK) {
        terminal_remember(input->terminal, &text);
    }
    text_free(&text);
}

line_result line_read(line_input *input, text_buffer *out)
{
    out->len = 0;
    line_result result = read_line(input, false);
    if (result != LINE_TEXT) {
        return result;
    }
    const text_buffer *line = &input->line;
    bool block = starts_block(line) &&
                 (!has_more_quotes(line) || end_of_block(line, QUOTES_LEN) <= line->len);
    if (text_append(out, "", 0) != EXIT_OK) {
        return LINE_ERROR;
    }
    result = block ? read_block(input, out) : read_joined(input, out);
    if (out->len > 0 && (result == LINE_TEXT || result == LINE_BLOCK)) {
        remember(input, out, block);
    }
    return result;
}
