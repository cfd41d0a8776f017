/* SPDX-License-Identifier: Apache-2.0 */
/* Lines typed by a person (with editing and history) or read from a pipe. */
#include "line.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct line_input {
    EditLine *edit; /* NULL: a pipe, or a terminal that libedit does not know */
    History *history;
    bool terminal;
    bool continued; /* the line read next continues the one before */
    const char *prompt;
    char *plain; /* getline's buffer */
    size_t plain_size;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static char *prompt_text(EditLine *edit)
{
    void *data = NULL;
    static char text[64];
    el_get(edit, EL_CLIENTDATA, &data);
    const line_input *input = data;
    snprintf(text, sizeof text, "%s", input->continued ? ". " : input->prompt);
    return text;
}

/* libedit reads multi-byte characters by the locale: any UTF-8 one will do. */
static void set_utf8(void)
{
    setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX < 4) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

static bool open_editor(line_input *input)
{
    enum { HISTORY_LINES = 500 };
    set_utf8();
    input->edit = el_init("lfm2", stdin, stdout, stderr);
    input->history = history_init();
    if (input->edit == NULL || input->history == NULL) {
        return false;
    }
    HistEvent event;
    history(input->history, &event, H_SETSIZE, HISTORY_LINES);
    history(input->history, &event, H_SETUNIQUE, 1);
    el_set(input->edit, EL_CLIENTDATA, input);
    el_set(input->edit, EL_PROMPT, prompt_text);
    el_set(input->edit, EL_EDITOR, "emacs");
    el_set(input->edit, EL_HIST, history, input->history);
    el_set(input->edit, EL_SIGNAL, 0);
    return true;
}

line_input *line_open(const char *prompt)
{
    line_input *input = calloc(1, sizeof *input);
    if (input == NULL) {
        fail("cli.memory", "out of memory");
        return NULL;
    }
    input->prompt = prompt;
    input->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (input->terminal && !open_editor(input)) {
        fail("cli.terminal", "the terminal cannot be used for line editing");
        line_close(input);
        return NULL;
    }
    return input;
}

void line_close(line_input *input)
{
    if (input == NULL) {
        return;
    }
    if (input->edit != NULL) {
        el_end(input->edit);
    }
    if (input->history != NULL) {
        history_end(input->history);
    }
    free(input->plain);
    free(input);
}

bool line_is_terminal(const line_input *input)
{
    return input->terminal;
}

static line_result read_edited(line_input *input, const char **line, size_t *len)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    struct sigaction before;
    int count = 0;
    interrupted = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before);
    *line = el_gets(input->edit, &count);
    sigaction(SIGINT, &before, NULL);
    if (interrupted != 0) {
        el_set(input->edit, EL_UNBUFFERED, 0);
        el_reset(input->edit);
        fputc('\n', stderr);
        return LINE_INTERRUPT;
    }
    if (*line == NULL || count <= 0) {
        return LINE_END;
    }
    *len = (size_t)count;
    return LINE_TEXT;
}

static line_result read_plain(line_input *input, const char **line, size_t *len)
{
    errno = 0;
    ssize_t count = getline(&input->plain, &input->plain_size, stdin);
    if (count < 0) {
        if (ferror(stdin) != 0) {
            fail("cli.input", "standard input: %s", strerror(errno));
            return LINE_ERROR;
        }
        return LINE_END;
    }
    *line = input->plain;
    *len = (size_t)count;
    return LINE_TEXT;
}

static void remember(line_input *input, const char *line, size_t len)
{
    HistEvent event;
    if (input->history != NULL && len > 1) {
        history(input->history, &event, H_ENTER, line);
    }
}

line_result line_read(line_input *input, text_buffer *out)
{
    out->len = 0;
    line_result result = LINE_TEXT;
    for (bool more = true; more;) {
        const char *line = NULL;
        size_t len = 0;
        result =
            input->edit != NULL ? read_edited(input, &line, &len) : read_plain(input, &line, &len);
        if (result == LINE_END && input->continued) {
            result = LINE_TEXT;
            break;
        }
        if (result != LINE_TEXT) {
            break;
        }
        remember(input, line, len);
        if (text_append(out, line, len) != EXIT_OK) {
            result = LINE_ERROR;
            break;
        }
        text_chomp(out);
        more = out->len > 0 && out->data[out->len - 1] == '\\';
        if (more) {
            out->data[out->len - 1] = '\n';
        }
        input->continued = more;
    }
    input->continued = false;
    return result;
}
