/* SPDX-License-Identifier: Apache-2.0 */
/* What the program prints: results on standard output, messages on standard error. */
#include "cli/support/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- Results -------------------------------------------------------------------------------- */

static int out_error; /* errno of the first failed write */

static void out_check(bool ok)
{
    if (!ok && out_error == 0) {
        out_error = errno != 0 ? errno : EIO;
    }
}

void out_write(const char *text, size_t len)
{
    if (out_error == 0 && len > 0) {
        errno = 0;
        out_check(fwrite(text, 1, len, stdout) == len);
    }
}

void out_printf(const char *format, ...)
{
    if (out_error != 0) {
        return;
    }
    va_list args;
    va_start(args, format);
    errno = 0;
    out_check(vprintf(format, args) >= 0);
    va_end(args);
}

void out_flush(void)
{
    if (out_error == 0) {
        errno = 0;
        out_check(fflush(stdout) == 0);
    }
}

bool out_failed(void)
{
    return out_error != 0;
}

static bool is_control(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7f;
}

/* Length of the control character at text: 1 for C0 and DEL, 2 for C1 written in UTF-8, else 0. */
static size_t control_length(const char *text, size_t len)
{
    unsigned char first = (unsigned char)text[0];
    if (is_control(first)) {
        return 1;
    }
    if (first == 0xc2 && len > 1 && ((unsigned char)text[1] & 0xe0) == 0x80) {
        return 2;
    }
    return 0;
}

void out_model_text(const char *text, size_t len)
{
    if (!isatty(STDOUT_FILENO)) {
        out_write(text, len);
        return;
    }
    size_t start = 0;
    for (size_t i = 0; i < len;) {
        size_t control = control_length(text + i, len - i);
        if (control == 0 || text[i] == '\n' || text[i] == '\t') {
            i++;
            continue;
        }
        out_write(text + start, i - start);
        out_write("\xef\xbf\xbd", 3);
        i += control;
        start = i;
    }
    out_write(text + start, len - start);
}

void out_name(const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        size_t control = control_length(text, len);
        size_t step = control > 0 ? control : 1;
        out_write(control > 0 ? "?" : text, 1);
        text += step;
        len -= step;
    }
}

int out_finish(int code)
{
    out_flush();
    if (out_error == 0) {
        return code;
    }
    if (out_error != EPIPE) {
        int error = out_error;
        return fail("cli.output", "standard output: %s", strerror(error));
    }
    return EXIT_FAILED;
}

void print_version(void)
{
    out_printf("lfm2 %s\n", lfm2_version());
}

const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

size_t append_format(char *out, size_t size, size_t used, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out + used, size - used, format, args);
    va_end(args);
    if (n < 0) {
        return used;
    }
    return (size_t)n < size - used ? used + (size_t)n : size - 1;
}

/* ---- Messages ------------------------------------------------------------------------------- */

static void print_message(const char *before, const char *code, const char *format, va_list args)
    FORMAT(3, 0);

static void print_message(const char *before, const char *code, const char *format, va_list args)
{
    char line[2048];
    if (vsnprintf(line, sizeof line, format, args) < 0) {
        line[0] = 0;
    }
    for (char *at = line; *at != 0; at++) {
        if (is_control((unsigned char)*at)) {
            *at = '?';
        }
    }
    fprintf(stderr, "lfm2: %s%s%s", before, before[0] != 0 ? ": " : "", line);
    if (code != NULL) {
        fprintf(stderr, " (%s)", code);
    }
    fputc('\n', stderr);
}

int fail(const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message("", code, format, args);
    va_end(args);
    return EXIT_FAILED;
}

int fail_library(void)
{
    return fail(lfm2_last_error_code(), "%s", lfm2_last_error());
}

int fail_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message(command, "cli.usage", format, args);
    va_end(args);
    fprintf(stderr, "Try 'lfm2 help%s%s'.\n", command[0] != 0 ? " " : "", command);
    return EXIT_USAGE;
}

void notice(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message("", NULL, format, args);
    va_end(args);
}
