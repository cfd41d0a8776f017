/* SPDX-License-Identifier: Apache-2.0 */
/* What every command shares: results on stdout, messages on stderr, input, time, sizes. */
#include "cli/support/util.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
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

void print_version(void)
{
    out_printf("lfm2 %s\n", lfm2_version());
}

/* ---- Input ---------------------------------------------------------------------------------- */

void text_free(text_buffer *text)
{
    free(text->data);
    *text = (text_buffer){0};
}

static int text_reserve(text_buffer *text, size_t more)
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
            return fail("cli.input.size", "%s: more than %d MiB", name, INPUT_LIMIT >> 20);
        }
        if (ferror(stream) != 0) {
            return fail("cli.input", "%s: %s", name, strerror(error));
        }
        if (got == 0) {
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

int text_input(const char *command, const char *text, const char *path, text_buffer *out)
{
    if (text != NULL && path != NULL) {
        return fail_usage(command, "give a text or a file, not both");
    }
    if (text != NULL) {
        return text_append(out, text, strlen(text));
    }
    if (path == NULL && isatty(STDIN_FILENO)) {
        return fail_usage(command, "there is no input: give a text, a file (-f FILE) or a pipe");
    }
    return text_read(path != NULL ? path : "-", out);
}

/* ---- Numbers -------------------------------------------------------------------------------- */

bool parse_real(const char *text, double *out)
{
    if (text[0] == 0 || text[strspn(text, "0123456789+-.eE")] != 0) {
        return false;
    }
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}

bool parse_u64(const char *text, uint64_t *out)
{
    if (text[0] == 0 || text[strspn(text, "0123456789")] != 0) {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *out = value;
    return true;
}

bool parse_i64(const char *text, int64_t *out)
{
    bool negative = text[0] == '-';
    uint64_t value = 0;
    if (!parse_u64(text + negative, &value) || value > INT64_MAX) {
        return false;
    }
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

uint64_t random_seed(void)
{
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
        /* Early in a system's start or in a sandbox: what differs from run to run. */
        struct timespec now = {0};
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t mixed = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 30) ^ (uint64_t)getpid();
        seed = (uint32_t)((mixed * 0x9e3779b97f4a7c15U) >> 32);
    }
    return seed;
}

double now_seconds(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void wait_seconds(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

const char *format_bytes(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    uint32_t unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < COUNT(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(out, 32, unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
    return out;
}

const char *format_count(uint64_t count, char out[32])
{
    static const char *const units[] = {"", " K", " M", " B", " T"};
    uint32_t unit = 0;
    double value = (double)count;
    while (value >= 1000 && unit + 1 < COUNT(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(out, 32, unit == 0 ? "%.0f%s" : "%.2f%s", value, units[unit]);
    return out;
}

uint64_t peak_rss(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

void peak_rss_restart(void)
{
    /* proc(5): 5 resets the high-water mark */
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file >= 0) {
        ssize_t written = write(file, "5", 1);
        (void)written;
        close(file);
    }
}
