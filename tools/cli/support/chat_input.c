/* SPDX-License-Identifier: Apache-2.0 */
/* Reads messages from a terminal or a pipe: determines which lines form a message. */
#include "cli/support/chat_input.h"
#include "cli/support/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUOTES "\"\"\""
enum { QUOTES_LEN = 3 };

struct chat_input {
    bool is_terminal;
    terminal *terminal; /* NULL: a pipe or a file */
    text_buffer line;   /* the last line */
};

chat_input *chat_input_open(const char *prompt)
{
    chat_input *input = calloc(1, sizeof *input);
    if (input == NULL) {
        fail("cli.memory", "out of memory");
        return NULL;
    }
    input->is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (input->is_terminal) {
        input->terminal = terminal_open(prompt);
        if (input->terminal == NULL) {
            chat_input_close(input);
            return NULL;
        }
    }
    return input;
}

void chat_input_close(chat_input *input)
{
    if (input != NULL) {
        terminal_close(input->terminal);
        text_free(&input->line);
        free(input);
    }
}

bool chat_input_is_terminal(const chat_input *input)
{
    return input->is_terminal;
}

/* Appends to a message, up to INPUT_LIMIT. */
static bool append(text_buffer *out, const char *text, size_t len)
{
    if (out->len + len > INPUT_LIMIT) {
        fail("cli.input.size", "standard input: the message exceeds the limit of %d MiB",
             INPUT_LIMIT >> 20);
        return false;
    }
    return text_append(out, text, len) == EXIT_OK;
}

/* Reads a line without a terminal. */
static input_result read_plain(text_buffer *out)
{
    char buffer[4096];
    size_t n = 0;
    int c = 0;
    while (c != '\n') {
        errno = 0;
        c = getc_unlocked(stdin);
        if (c == EOF && ferror(stdin) != 0) {
            fail("cli.input", "standard input: %s", strerror(errno));
            return INPUT_ERROR;
        }
        if (c != EOF) {
            buffer[n++] = (char)c;
        }
        if (n == sizeof buffer || c == '\n' || c == EOF) {
            if (!append(out, buffer, n)) {
                return INPUT_ERROR;
            }
            n = 0;
        }
        if (c == EOF) {
            break;
        }
    }
    bool end = c == EOF && out->len == 0;
    text_chomp(out);
    return end ? INPUT_END : INPUT_TEXT;
}

/* Reads the next line into input->line. */
static input_result read_line(chat_input *input, bool continued)
{
    input->line.len = 0;
    return input->terminal != NULL ? terminal_read(input->terminal, continued, NULL, &input->line)
                                   : read_plain(&input->line);
}

static bool starts_block(const text_buffer *line)
{
    return line->len >= QUOTES_LEN && memcmp(line->data, QUOTES, QUOTES_LEN) == 0;
}

/* The number of bytes before a """ at the end of the line, which blanks may follow; line->len + 1
 * if there is none. */
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

/* Whether the line has another """ after the first one. */
static bool has_more_quotes(const text_buffer *line)
{
    for (size_t i = QUOTES_LEN; i + QUOTES_LEN <= line->len; i++) {
        if (memcmp(line->data + i, QUOTES, QUOTES_LEN) == 0) {
            return true;
        }
    }
    return false;
}

/* Reads a block. Its first line is in input->line. */
static input_result read_block(chat_input *input, text_buffer *out)
{
    size_t from = QUOTES_LEN;
    input_result result = INPUT_TEXT;
    for (bool open = true; open && result == INPUT_TEXT;) {
        text_buffer *line = &input->line;
        size_t end = end_of_block(line, from);
        open = end > line->len;
        size_t len = (open ? line->len : end) - from;
        /* A first line with only the quotes is not part of the text. */
        bool skip = from > 0 && len == 0;
        if (!append(out, line->data + from, len) || (open && !skip && !append(out, "\n", 1))) {
            return INPUT_ERROR;
        }
        from = 0;
        if (open) {
            result = read_line(input, true);
        }
    }
    if (result == INPUT_TEXT || result == INPUT_END) {
        text_chomp(out);
        result = INPUT_BLOCK;
    }
    return result;
}

/* Joins lines that end with a backslash. The first one is in input->line. */
static input_result read_joined(chat_input *input, text_buffer *out)
{
    input_result result = INPUT_TEXT;
    for (;;) {
        if (!append(out, input->line.data, input->line.len)) {
            return INPUT_ERROR;
        }
        if (out->len == 0 || out->data[out->len - 1] != '\\') {
            return INPUT_TEXT;
        }
        out->data[out->len - 1] = '\n';
        result = read_line(input, true);
        if (result != INPUT_TEXT) {
            return result == INPUT_END ? INPUT_TEXT : result;
        }
    }
}

/* Adds a message to the history, in a form that gives the same message when it is sent again. */
static void remember(chat_input *input, const text_buffer *message, bool block)
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

input_result chat_input_read(chat_input *input, text_buffer *out)
{
    out->len = 0;
    input_result result = read_line(input, false);
    if (result != INPUT_TEXT) {
        return result;
    }
    const text_buffer *line = &input->line;
    bool block = starts_block(line) &&
                 (!has_more_quotes(line) || end_of_block(line, QUOTES_LEN) <= line->len);
    if (text_append(out, "", 0) != EXIT_OK) {
        return INPUT_ERROR;
    }
    result = block ? read_block(input, out) : read_joined(input, out);
    if (out->len > 0 && (result == INPUT_TEXT || result == INPUT_BLOCK)) {
        remember(input, out, block);
    }
    return result;
}

input_result chat_input_edit(chat_input *input, const text_buffer *text, text_buffer *out)
{
    out->len = 0;
    input_result result = terminal_read(input->terminal, false, text, out);
    if (result == INPUT_TEXT && out->len > 0) {
        remember(input, out, false);
    }
    return result;
}
