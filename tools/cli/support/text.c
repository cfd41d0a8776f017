/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text, and the functions that read a command's input into it. */
#include "cli/support/text.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

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

/* Starts gzip with the file as its input. Returns the end of a pipe that its output comes from, or
 * NULL after a message. */
static FILE *start_gzip(const char *path, pid_t *child)
{
    char name[] = "gzip";
    char flags[] = "-dc";
    char *const argv[] = {name, flags, NULL};
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0) {
        fail("cli.input", "%s: %s", path, strerror(errno));
        return NULL;
    }
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0);
        error = error == 0 ? posix_spawn_file_actions_adddup2(&actions, ends[1], 1) : error;
        error = error == 0 ? posix_spawn_file_actions_addclose(&actions, ends[0]) : error;
        error = error == 0 ? posix_spawnp(child, "gzip", &actions, NULL, argv, environ) : error;
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    FILE *stream = error == 0 ? fdopen(ends[0], "rb") : NULL;
    if (error != 0 || stream == NULL) {
        fail("cli.gzip", "%s: cannot run gzip, which decompresses it: %s", path,
             strerror(error != 0 ? error : errno));
        close(ends[0]);
    }
    return stream;
}

int text_read_gzip(const char *path, text_buffer *out)
{
    pid_t child = 0;
    FILE *stream = start_gzip(path, &child);
    int code = EXIT_FAILED;
    if (stream != NULL) {
        code = read_stream(stream, path, out);
        fclose(stream); /* gzip ends, also if not everything was read */
    }
    int status = 0;
    if (child > 0 && waitpid(child, &status, 0) == child && code == EXIT_OK &&
        (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        return fail("cli.gzip", "%s: gzip cannot decompress it", path);
    }
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
