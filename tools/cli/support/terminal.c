/* SPDX-License-Identifier: Apache-2.0 */
/* The prompt on a terminal: editing, history, pastes, and the terminal's state. The only user of
 * libedit.
 *
 * A terminal in bracketed paste mode sends ESC [ 200 ~ before a paste and ESC [ 201 ~ after it.
 * libedit knows neither, so the first one is bound to a command of ours that reads up to the second
 * one and inserts the text, newlines included, into the line being edited. */
#include "cli/support/terminal.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

static const char paste_on[] = "\033[?2004h";
static const char paste_off[] = "\033[?2004l";
static const wchar_t paste_end[] = L"\033[201~";
enum { PASTE_END = COUNT(paste_end) - 1 };

/* Characters of one paste, and bytes of a message that the history keeps. */
enum { PASTE_LIMIT = 16 << 20, HISTORY_LIMIT = 64 << 10, HISTORY_LINES = 500 };

struct terminal {
    EditLine *edit;
    History *history;
    const char *prompt;
    bool continued;
    bool mark_pastes; /* the terminal is not a "dumb" one */
    char input[4096]; /* bytes read ahead: [at, end) */
    size_t at, end;
};

/* ---- Signals -------------------------------------------------------------------------------- */

/* What the handlers set back. */
static struct termios cooked;         /* the terminal's settings before the prompt */
static volatile sig_atomic_t marking; /* the terminal marks pastes */
static volatile sig_atomic_t interrupted, resumed, resized;

static void restore_terminal(void)
{
    if (marking != 0) {
        ssize_t written = write(STDOUT_FILENO, paste_off, sizeof paste_off - 1);
        (void)written;
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* The process ends by the same signal as soon as this returns. */
static void on_death(int number)
{
    int error = errno;
    restore_terminal();
    signal(number, SIG_DFL);
    raise(number);
    errno = error;
}

/* Ctrl-Z: stops here, goes on after SIGCONT. */
static void on_stop(int number)
{
    int error = errno;
    sigset_t set;
    struct sigaction before;
    struct sigaction action = {.sa_handler = SIG_DFL};
    restore_terminal();
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, &before);
    raise(number);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    sigaction(number, &before, NULL);
    errno = error;
}

static void on_resume(int number)
{
    (void)number;
    resumed = 1;
}

static void on_resize(int number)
{
    (void)number;
    resized = 1;
}

static const struct {
    int number;
    void (*handler)(int number);
} handlers[] = {
    {SIGINT, on_interrupt}, {SIGTERM, on_death},  {SIGHUP, on_death},    {SIGQUIT, on_death},
    {SIGTSTP, on_stop},     {SIGCONT, on_resume}, {SIGWINCH, on_resize},
};
static struct sigaction handlers_before[COUNT(handlers)];

static void signals_begin(void)
{
    interrupted = resumed = resized = 0;
    for (uint32_t i = 0; i < COUNT(handlers); i++) {
        struct sigaction action = {.sa_handler = handlers[i].handler};
        sigemptyset(&action.sa_mask);
        sigaction(handlers[i].number, &action, &handlers_before[i]);
        if (handlers_before[i].sa_handler == SIG_IGN) {
            sigaction(handlers[i].number, &handlers_before[i], NULL);
        }
    }
}

static void signals_end(void)
{
    for (uint32_t i = 0; i < COUNT(handlers); i++) {
        sigaction(handlers[i].number, &handlers_before[i], NULL);
    }
}

/* ---- Input ---------------------------------------------------------------------------------- */

static terminal *terminal_of(EditLine *edit)
{
    void *data = NULL;
    el_get(edit, EL_CLIENTDATA, &data);
    return data;
}

/* Only when libedit has set the terminal up: before, the terminal's driver would echo and change
 * what is pasted. */
static void mark_pastes(const terminal *t)
{
    if (t->mark_pastes) {
        marking = 1;
        fputs(paste_on, stdout);
        fflush(stdout);
    }
}

/* After a signal that does not end the prompt. */
static void refresh(EditLine *edit)
{
    if (resumed != 0) {
        resumed = 0;
        el_set(edit, EL_PREP_TERM, 0);
        el_set(edit, EL_PREP_TERM, 1);
        mark_pastes(terminal_of(edit));
        el_set(edit, EL_REFRESH);
    }
    if (resized != 0) {
        resized = 0;
        el_resize(edit); /* which forgets what is on the screen */
        fputs(marking != 0 ? "\r\033[J" : "\n", stdout);
        el_set(edit, EL_REFRESH);
    }
}

/* Waits for input or a signal: what a handler sets cannot slip in between the look at it and the
 * wait. */
static void wait_for_input(EditLine *edit)
{
    sigset_t watched, before;
    fd_set files;
    sigemptyset(&watched);
    for (uint32_t i = 0; i < COUNT(handlers); i++) {
        sigaddset(&watched, handlers[i].number);
    }
    FD_ZERO(&files);
    FD_SET(STDIN_FILENO, &files);
    sigprocmask(SIG_BLOCK, &watched, &before);
    refresh(edit);
    if (interrupted == 0) {
        pselect(STDIN_FILENO + 1, &files, NULL, NULL, NULL, &before);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Makes sure that there is a byte for read_char: 1, 0 at the end of the input, -1 after Ctrl-C or
 * an error. */
static int fill(EditLine *edit, terminal *t)
{
    if (t->at == t->end && marking == 0) {
        mark_pastes(t);
    }
    while (t->at == t->end && interrupted == 0) {
        wait_for_input(edit);
        if (interrupted == 0 && resumed == 0 && resized == 0) {
            ssize_t got = read(STDIN_FILENO, t->input, sizeof t->input);
            if (got == 0 || (got < 0 && errno != EINTR)) {
                return (int)got;
            }
            t->at = 0;
            t->end = got > 0 ? (size_t)got : 0;
        }
    }
    return interrupted != 0 ? -1 : 1;
}

/* libedit's way to get a character. Bytes that are not UTF-8 become U+FFFD. */
static int read_char(EditLine *edit, wchar_t *out)
{
    terminal *t = terminal_of(edit);
    mbstate_t state = {0};
    for (bool first = true;; first = false) {
        int got = fill(edit, t);
        if (got <= 0) {
            return got;
        }
        size_t used = mbrtowc(out, t->input + t->at, 1, &state);
        if (used == (size_t)-1) {
            /* The byte that does not fit starts the next character, unless it is the first. */
            t->at += first;
            *out = 0xfffd;
            return 1;
        }
        t->at++;
        if (used != (size_t)-2) {
            return 1; /* a zero byte too: *out is 0 */
        }
    }
}

/* ---- Pastes --------------------------------------------------------------------------------- */

typedef struct paste {
    wchar_t *text;
    size_t len, capacity;
} paste;

static bool paste_add(paste *p, wchar_t c)
{
    if (p->len + 1 >= p->capacity) {
        size_t capacity = p->capacity * 2 + 1024;
        wchar_t *text = realloc(p->text, capacity * sizeof *text);
        if (text == NULL) {
            return false;
        }
        p->text = text;
        p->capacity = capacity;
    }
    p->text[p->len++] = c;
    p->text[p->len] = 0;
    return true;
}

/* Reads up to the mark of the end, which is taken off. What is over the limit is dropped. */
static bool paste_read(EditLine *edit, paste *p)
{
    size_t matched = 0; /* characters of the mark */
    while (matched < PASTE_END) {
        wchar_t c = 0;
        if (el_wgetc(edit, &c) != 1) {
            return false;
        }
        matched = c == paste_end[matched] ? matched + 1 : c == paste_end[0] ? 1 : 0;
        if (p->len < PASTE_LIMIT + PASTE_END && c != 0 && !paste_add(p, c)) {
            return false;
        }
    }
    p->len = p->len < PASTE_LIMIT + PASTE_END ? p->len - PASTE_END : PASTE_LIMIT;
    p->text[p->len] = 0;
    return true;
}

/* CR LF and CR, which terminals send for a newline, become LF; one at the end is dropped. */
static void paste_clean(paste *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->len; i++) {
        if (p->text[i] == L'\r') {
            p->text[n++] = L'\n';
            i += i + 1 < p->len && p->text[i + 1] == L'\n';
        } else {
            p->text[n++] = p->text[i];
        }
    }
    n -= n > 0 && p->text[n - 1] == L'\n';
    p->len = n;
    p->text[n] = 0;
}

static unsigned char on_paste(EditLine *edit, int c)
{
    (void)c;
    paste p = {0};
    unsigned char result = CC_REFRESH;
    if (!paste_read(edit, &p)) {
        result = CC_ERROR;
    } else {
        paste_clean(&p);
        if (p.len > 0 && el_winsertstr(edit, p.text) != 0) {
            result = CC_ERROR;
        }
    }
    free(p.text);
    return result;
}

static unsigned char on_newline(EditLine *edit, int c)
{
    (void)c;
    return el_winsertstr(edit, L"\n") == 0 ? CC_REFRESH : CC_ERROR;
}

/* ---- The prompt ----------------------------------------------------------------------------- */

static char *prompt_text(EditLine *edit)
{
    static char text[64];
    const terminal *t = terminal_of(edit);
    snprintf(text, sizeof text, "%s", t->continued ? ". " : t->prompt);
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

static void bind_keys(EditLine *edit)
{
    static const wchar_t *const keys[][2] = {
        {L"\\e[200~", L"lfm2-paste"},   {L"\\e^M", L"lfm2-newline"}, /* Alt-Enter */
        {L"\\e^J", L"lfm2-newline"},    {L"^W", L"ed-delete-prev-word"},
        {L"^R", L"em-inc-search-prev"}, {L"\\e[1;5C", L"em-next-word"}, /* Ctrl-Right */
        {L"\\e[1;5D", L"ed-prev-word"}, {L"\\e[3~", L"ed-delete-next-char"},
    };
    el_wset(edit, EL_ADDFN, L"lfm2-paste", L"Insert what the terminal pastes", on_paste);
    el_wset(edit, EL_ADDFN, L"lfm2-newline", L"Insert a newline", on_newline);
    for (uint32_t i = 0; i < COUNT(keys); i++) {
        el_wset(edit, EL_BIND, keys[i][0], keys[i][1], NULL);
    }
}

terminal *terminal_open(const char *prompt)
{
    terminal *t = calloc(1, sizeof *t);
    if (t == NULL) {
        fail("cli.memory", "out of memory");
        return NULL;
    }
    set_utf8();
    t->prompt = prompt;
    t->edit = el_init("lfm2", stdin, stdout, stderr);
    t->history = history_init();
    if (t->edit == NULL || t->history == NULL) {
        fail("cli.terminal", "the terminal cannot be used for line editing");
        terminal_close(t);
        return NULL;
    }
    const char *kind = getenv("TERM");
    t->mark_pastes = kind != NULL && kind[0] != 0 && strcmp(kind, "dumb") != 0;
    HistEvent event;
    history(t->history, &event, H_SETSIZE, HISTORY_LINES);
    history(t->history, &event, H_SETUNIQUE, 1);
    el_set(t->edit, EL_CLIENTDATA, t);
    el_set(t->edit, EL_PROMPT, prompt_text);
    el_set(t->edit, EL_EDITOR, "emacs");
    el_set(t->edit, EL_HIST, history, t->history);
    el_set(t->edit, EL_SIGNAL, 0);
    /* A paste keeps its CR LF: they are one newline, CR and CR would be two. */
    el_set(t->edit, EL_SETTY, "-d", "-icrnl", "-inlcr", NULL);
    el_wset(t->edit, EL_GETCFN, read_char);
    bind_keys(t->edit);
    return t;
}

void terminal_close(terminal *t)
{
    if (t == NULL) {
        return;
    }
    if (t->edit != NULL) {
        el_end(t->edit);
    }
    if (t->history != NULL) {
        history_end(t->history);
    }
    free(t);
}

/* Ctrl-C at the prompt. */
static line_result drop(terminal *t)
{
    const LineInfo *line = el_line(t->edit);
    bool empty = line->lastchar == line->buffer && !t->continued;
    t->at = t->end = 0;
    el_set(t->edit, EL_UNBUFFERED, 0);
    el_reset(t->edit);
    fputc('\n', stderr);
    return empty ? LINE_INTERRUPT : LINE_DROPPED;
}

line_result terminal_read(terminal *t, bool continued, text_buffer *out)
{
    int count = 0;
    line_result result = LINE_END;
    t->continued = continued;
    tcgetattr(STDIN_FILENO, &cooked);
    signals_begin();
    el_resize(t->edit);
    const char *text = el_gets(t->edit, &count);
    if (interrupted != 0) {
        result = drop(t);
    } else if (text != NULL && count > 0) {
        result = text_append(out, text, (size_t)count) == EXIT_OK ? LINE_TEXT : LINE_ERROR;
        text_chomp(out);
    }
    if (marking != 0) {
        marking = 0;
        fputs(paste_off, stdout);
        fflush(stdout);
    }
    signals_end();
    return result;
}

void terminal_remember(terminal *t, const text_buffer *text)
{
    HistEvent event;
    if (text->len > 0 && text->len <= HISTORY_LIMIT) {
        history(t->history, &event, H_ENTER, text->data);
    }
}
