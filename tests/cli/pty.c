/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program on a pseudo-terminal and types into it, controlled by a script.
 *
 *     pty COMMAND [ARGUMENT]... <SCRIPT
 *
 * Lines of the script, TEXT with the escapes \r \n \t \e \\ \xHH:
 *     expect TEXT     waits for TEXT in the output, after the text of the previous step
 *     more N          waits for N more bytes of output
 *     send TEXT       types it
 *     fill N TEXT     types N bytes: TEXT, repeated
 *     signal N        sends the signal
 *     cooked          checks that the settings of the terminal are those of the start
 *
 * After the script the program must end. Its output goes to standard output, and its exit code (or
 * 128 plus the signal) becomes the exit code. The exit code is 125 if a step of the script failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The limit of every wait, so that a program that hangs fails the test. Only a hang takes so long,
 * even on a busy machine. */
enum { LIMIT_SECONDS = 180, STEP_MS = 50 };

static int master = -1;
static pid_t child = -1;
static char *output;
static size_t n_output, expected; /* bytes; the end of the text that was expected last */
static struct termios at_start;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("pty: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    size_t tail = n_output < 600 ? n_output : 600;
    fputs("\nthe output ends with: ", stderr);
    fwrite(output + n_output - tail, 1, tail, stderr);
    fputc('\n', stderr);
    if (child > 0) {
        kill(child, SIGKILL);
    }
    exit(125);
}

/* Whether the program has ended. Its status can still be collected. */
static bool has_ended(void)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* Reads the output of the program, after a wait of up to wait_ms. */
static void read_output(int wait_ms)
{
    static char buffer[65536];
    struct pollfd wait = {.fd = master, .events = POLLIN};
    if (poll(&wait, 1, wait_ms) <= 0) {
        return;
    }
    ssize_t got = read(master, buffer, sizeof buffer);
    if (got > 0) {
        char *grown = realloc(output, n_output + (size_t)got);
        if (grown == NULL) {
            fail("out of memory");
        }
        output = grown;
        memcpy(output + n_output, buffer, (size_t)got);
        n_output += (size_t)got;
    }
}

static void type(const char *text, size_t len)
{
    time_t end = time(NULL) + LIMIT_SECONDS;
    while (len > 0) {
        struct pollfd ready = {.fd = master, .events = POLLOUT};
        if (poll(&ready, 1, STEP_MS) > 0) {
            ssize_t put = write(master, text, len < 512 ? len : 512);
            if (put > 0) {
                text += put;
                len -= (size_t)put;
            }
        }
        read_output(0);
        if (time(NULL) > end) {
            fail("the program does not read");
        }
    }
}

static void expect(const char *text, size_t len)
{
    time_t end = time(NULL) + LIMIT_SECONDS;
    for (bool ended = false;; ended = has_ended()) {
        char *found =
            expected < n_output ? memmem(output + expected, n_output - expected, text, len) : NULL;
        if (found != NULL) {
            expected = (size_t)(found - output) + len;
            return;
        }
        if (ended || time(NULL) > end) {
            fail("the output lacks '%.*s'", (int)len, text);
        }
        read_output(STEP_MS);
    }
}

static void expect_more(size_t n)
{
    time_t end = time(NULL) + LIMIT_SECONDS;
    for (bool ended = false; n_output < expected + n; ended = has_ended()) {
        if (ended || time(NULL) > end) {
            fail("the output does not have %zu more bytes", n);
        }
        read_output(STEP_MS);
    }
    expected += n;
}

static void expect_cooked(void)
{
    struct termios now;
    if (tcgetattr(master, &now) != 0 || now.c_lflag != at_start.c_lflag ||
        now.c_iflag != at_start.c_iflag || now.c_oflag != at_start.c_oflag) {
        fail("the settings of the terminal are not those of the start");
    }
}

/* Replaces escapes in place. Returns the length. */
static size_t unescape(char *text)
{
    static const char from[] = "rnte\\";
    static const char to[] = "\r\n\t\033\\";
    size_t n = 0;
    for (const char *at = text; *at != 0; at++) {
        const char *found = at[0] == '\\' && at[1] != 0 ? strchr(from, at[1]) : NULL;
        if (found != NULL) {
            text[n++] = to[found - from];
            at++;
        } else if (at[0] == '\\' && at[1] == 'x' && at[2] != 0 && at[3] != 0) {
            char hex[3] = {at[2], at[3], 0};
            text[n++] = (char)strtoul(hex, NULL, 16);
            at += 3;
        } else {
            text[n++] = *at;
        }
    }
    return n;
}

static void fill(char *args)
{
    char *text = NULL;
    size_t n = strtoul(args, &text, 10);
    text += *text == ' ';
    size_t len = unescape(text);
    char *all = malloc(n);
    if (all == NULL || len == 0) {
        fail("fill: out of memory or no text");
    }
    for (size_t i = 0; i < n; i++) {
        all[i] = text[i % len];
    }
    type(all, n);
    free(all);
}

/* Executes a line of the script. */
static void execute(char *line)
{
    char *text = strchr(line, ' ');
    text = text != NULL ? text + 1 : line + strlen(line);
    if (strncmp(line, "expect ", 7) == 0) {
        expect(text, unescape(text));
    } else if (strncmp(line, "more ", 5) == 0) {
        expect_more(strtoul(text, NULL, 10));
    } else if (strncmp(line, "send ", 5) == 0) {
        type(text, unescape(text));
    } else if (strncmp(line, "fill ", 5) == 0) {
        fill(text);
    } else if (strncmp(line, "signal ", 7) == 0) {
        kill(child, (int)strtol(text, NULL, 10));
    } else if (strcmp(line, "cooked") == 0) {
        expect_cooked();
    } else if (line[0] != 0) {
        fail("unknown step: %s", line);
    }
}

static void start(char **argv, int slave)
{
    child = fork();
    if (child == 0) {
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        for (int i = 0; i < 3; i++) {
            dup2(slave, i);
        }
        close(slave);
        close(master);
        execvp(argv[0], argv);
        _exit(127);
    }
}

static int finish(void)
{
    time_t end = time(NULL) + LIMIT_SECONDS;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (time(NULL) > end) {
            fail("the program does not end");
        }
        read_output(STEP_MS);
    }
    for (size_t before = n_output + 1; before != n_output;) {
        before = n_output;
        read_output(0);
    }
    child = -1;
    expect_cooked();
    fwrite(output, 1, n_output, stdout);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t capacity = 0;
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (argc < 2 || master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        fail("no pseudo-terminal: %s", strerror(errno));
    }
    fcntl(master, F_SETFD, FD_CLOEXEC);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (slave < 0 || tcgetattr(slave, &at_start) != 0) {
        fail("no pseudo-terminal: %s", strerror(errno));
    }
    fcntl(master, F_SETFL, O_NONBLOCK);
    ioctl(master, TIOCSWINSZ, &size);
    start(argv + 1, slave);
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) > 0;) {
        line[n - (line[n - 1] == '\n')] = 0;
        execute(line);
    }
    free(line);
    int code = finish();
    free(output);
    return code;
}
