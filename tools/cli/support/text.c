/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text, and the functions that read a command's input into it. */
#include "cli/support/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void text_free(text_buffer *text)
{
    free(text->data);
    *text = (text_buffer){0};
}

int text_reserve(text_buffer *text, size_t more)
{
    if (more < text->capacity - text->len) {
        return EXIT_OK;
    }
    if (more > SIZE_MAX / 4 || text->len > SIZE_MAX / 4) {
        return fail("cli.memory", "out of memory");
    }
    size_t capacity = (text->len + more + 1) * 2;
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        return fail("cli.memory", "out of memory for %zu bytes", capacity);
    }
    text->data = data;
    text->capacity = capacity;
    return EXIT_OK;
}

int text_append(text_buffer *text, const char *data, size_t len)
{
    int code = text_reserve(text, len);
    if (code == EXIT_OK) {
        if (len > 0) {
            memcpy(text->data + text->len, data, len);
        }
        text->len += len;
        text->data[text->len] = 0;
    }
    return code;
}

static int read_stream(FILE *stream, const char *name, text_buffer *out)
{
    enum { STEP = 64 << 10 };
    int code = text_append(out, "", 0);
    while (code == EXIT_OK) {
        code = text_reserve(out, STEP);
        if (code != EXIT_OK) {
            break;
        }
        size_t got = fread(out->data + out->len, 1, STEP, stream);
        int error = errno;
        out->len += got;
        out->data[out->len] = 0;
        if (out->len > INPUT_LIMIT) {
            return fail("cli.input.size", "%s: the input exceeds the limit of %d MiB", name,
                        INPUT_LIMIT >> 20);
        }
        if (ferror(stream) != 0) {
            return fail("cli.input", "%s: %s", name, strerror(error));
        }
        if (feof(stream) != 0) { /* on a terminal, another read would wait for a second Ctrl-D */
            break;
        }
    }
    return code;
}

int text_read(const char *path, text_buffer *out)
{
    if (strcmp(path, "-") == 0) {
        return read_stream(stdin, "standard input", out);
    }
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return fail("cli.input", "%s: %s", path, strerror(errno));
    }
    int code = read_stream(stream, path, out);
    fclose(stream);
    return code;
}

int text_read_tools(const char *path, text_buffer *out)
{
    int code = text_read(path, out);
    if (code == EXIT_OK && text_is_blank(out)) {
        code =
            fail("cli.tools", "%s: the file is empty; it must contain a JSON array of tools", path);
    }
    return code;
}

void text_chomp(text_buffer *text)
{
    if (text->len > 0 && text->data[text->len - 1] == '\n') {
        text->len--;
        if (text->len > 0 && text->data[text->len - 1] == '\r') {
            text->len--;
        }
        text->data[text->len] = 0;
    }
}

bool text_is_blank(const text_buffer *text)
{
    for (size_t i = 0; i < text->len; i++) {
        if (memchr(" \t\r\n", text->data[i], 4) == NULL) {
            return false;
        }
    }
    return true;
}

int text_input(const char *command, const char *text, const char *path, const char *hint,
               text_buffer *out)
{
    if (text != NULL && path != NULL) {
        return fail_usage(command, "give the text or a file, not both");
    }
    if (text != NULL) {
        return text_append(out, text, strlen(text));
    }
    if (path == NULL && isatty(STDIN_FILENO)) {
        return fail_usage(command, "%s", hint);
    }
    return text_read(path != NULL ? path : "-", out);
}
