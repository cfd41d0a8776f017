/* SPDX-License-Identifier: Apache-2.0 */
/* The prompt on a terminal: editing, history, pastes, and the settings of the terminal. This is the
 * only file that uses libedit.
 *
 * A terminal in bracketed paste mode sends ESC [ 200 ~ before a paste and ESC [ 201 ~ after it.
 * libedit does not support this: the first sequence is bound to a command of ours, which reads up
 * to the second one and inserts the text, including its newlines, into the line.
 *
 * The terminal has three settings. Cooked: that of the start, restored when the program ends or
 * stops. Editing: libedit's, at the prompt. Waiting, between prompts: no echo and no line mode, so
 * that the driver keeps what is typed or pasted, including Ctrl-D, for the next prompt. */
#include "cli/support/terminal.h"
#include "cli/support/interrupt.h"

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

/* The key that inserts the initial text of a line; no terminal sends it. */
static const wchar_t initial_key[] = L"\033[5000~";

/* Maximum characters of a paste, bytes of a message in the history, messages in the history. */
enum { PASTE_LIMIT = 16 << 20, HISTORY_LIMIT = 64 << 10, HISTORY_LINES = 500 };

struct terminal {
    EditLine *edit;
    History *history;
    const char *prompt;
    bool continued;
    bool open;                  /* the settings are not cooked */
    bool has_escapes;           /* the terminal understands escape sequences */
    bool ready;                 /* libedit has set up the terminal for this prompt */
    const text_buffer *initial; /* the text that the line has at first, or NULL */
    const wchar_t *key;         /* what is left of initial_key, as if it was typed */
    char input[4096];           /* bytes that are read but not used: [at, end) */
    size_t at, end;
};

/* ---- Signals and settings ------------------------------------------------------------------- */

static struct termios cooked, waiting;
static volatile sig_atomic_t at_prompt; /* libedit controls the terminal */
static volatile sig_atomic_t marking;   /* bracketed paste mode is on */
static volatile sig_atomic_t interrupted, resumed, resized;

static void write_sequence(const char *text, size_t len)
{
    ssize_t written = write(STDOUT_FILENO, text, len);
    (void)written;
}

static void set_cooked(void)
{
    if (marking != 0) {
        write_sequence(paste_off, sizeof paste_off - 1);
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

/* Does nothing in the background: the process would be stopped. */
static void set_waiting(void)
{
    if (tcgetpgrp(STDIN_FILENO) != getpgrp()) {
        return;
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &waiting);
    if (marking != 0) {
        write_sequence(paste_on, sizeof paste_on - 1);
    }
}

static void on_death(int number)
{
    set_cooked();
    signal(number, SIG_DFL);
    raise(number); /* takes effect when this handler returns */
}

static void on_interrupt(int number)
{
    if (at_prompt == 0) {
        on_death(number);
    }
    interrupted = 1;
}

/* Ctrl-Z: stops here and continues after SIGCONT. */
static void on_stop(int number)
{
    int error = errno;
    sigset_t set;
    struct sigaction before;
    struct sigaction action = {.sa_handler = SIG_DFL};
    set_cooked();
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
    int error = errno;
    (void)number;
    resumed = 1;
    if (at_prompt == 0) {
        set_waiting();
    }
    errno = error;
}

static void on_resize(int number)
{
    (void)number;
    resized = 1;
}

/* Signals that do not end the process must not interrupt writes of an answer: SA_RESTART. */
static const struct {
    int number;
    int flags;
    void (*handler)(int number);
} handlers[] = {
    {SIGINT, 0, on_interrupt},
    {SIGTERM, 0, on_death},
    {SIGHUP, 0, on_death},
    {SIGQUIT, 0, on_death},
    {SIGTSTP, SA_RESTART, on_stop},
    {SIGCONT, SA_RESTART, on_resume},
    {SIGWINCH, SA_RESTART, on_resize},
};
static struct sigaction handlers_before[COUNT(handlers)];

static void signals_begin(void)
{
    for (uint32_t i = 0; i < COUNT(handlers); i++) {
        struct sigaction action = {.sa_handler = handlers[i].handler,
                                   .sa_flags = handlers[i].flags};
        sigemptyset(&action.sa_mask);
        sigaction(handlers[i].number, &action, &handlers_before[i]);
        if (handlers_before[i].sa_handler == SIG_IGN) {
            sigaction(handlers[i].number, &handlers_before[i], NULL);
        }
    }
    interrupt_at_exit(set_cooked);
}

static void signals_end(void)
{
    interrupt_at_exit(NULL);
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

/* Turns bracketed paste mode on. At a prompt this comes after libedit has set up the terminal, and
 * tells a script that types into it that the prompt is ready. */
static void mark_pastes(const terminal *t)
{
    if (t->has_escapes) {
        marking = 1;
        fputs(paste_on, stdout);
        fflush(stdout);
    }
}

/* Redraws the prompt after SIGCONT or SIGWINCH. */
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
        el_resize(edit); /* it also forgets the content of the screen */
        fputs(marking != 0 ? "\r\033[J" : "\n", stdout);
        el_set(edit, EL_REFRESH);
    }
}

/* Waits for input or a signal. The signals are blocked while their flags are checked, so that none
 * is missed before the wait. */
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

/* Reads input if none is left. Returns 1, 0 at the end of input, -1 after Ctrl-C or an error. */
static int fill(EditLine *edit, terminal *t)
{
    if (t->at == t->end && !t->ready) {
        mark_pastes(t);
        t->ready = true;
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

/* Reads a character for libedit. Bytes that are not UTF-8 become U+FFFD. */
static int read_char(EditLine *edit, wchar_t *out)
{
    terminal *t = terminal_of(edit);
    mbstate_t state = {0};
    if (*t->key != 0) {
        *out = *t->key++;
        return 1;
    }
    for (bool first = true;; first = false) {
        int got = fill(edit, t);
        if (got <= 0) {
            return got;
        }
        size_t used = mbrtowc(out, t->input + t->at, 1, &state);
        if (used == (size_t)-1) {
            /* An invalid byte starts the next character, unless it is the first one. */
            t->at += first;
            *out = 0xfffd;
            return 1;
        }
        t->at++;
        if (used != (size_t)-2) {
            return 1; /* also for a zero byte: *out is 0 */
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

/* Reads a paste up to its end sequence. Drops what exceeds PASTE_LIMIT. */
static bool paste_read(EditLine *edit, paste *p)
{
    size_t matched = 0; /* characters of the end sequence */
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

/* Replaces CR LF and CR, which terminals send for a newline, with LF. Removes one at the end. */
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

/* Inserts the initial text. Bytes that are not UTF-8 become U+FFFD. */
static unsigned char on_initial(EditLine *edit, int c)
{
    (void)c;
    const text_buffer *text = terminal_of(edit)->initial;
    mbstate_t state = {0};
    paste p = {0};
    bool added = true;
    for (size_t at = 0; text != NULL && at < text->len && added;) {
        wchar_t next = 0;
        size_t used = mbrtowc(&next, text->data + at, text->len - at, &state);
        bool bad = used == (size_t)-1 || used == (size_t)-2;
        state = bad ? (mbstate_t){0} : state;
        at += bad || used == 0 ? 1 : used;
        added = used == 0 || paste_add(&p, bad ? 0xfffd : next);
    }
    added = added && (p.len == 0 || el_winsertstr(edit, p.text) == 0);
    free(p.text);
    return added ? CC_REFRESH : CC_ERROR;
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

/* libedit decodes characters by the locale: any UTF-8 locale works. */
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
        {L"\\e[200~", L"lfm2-paste"},    {L"\\e^M", L"lfm2-newline"}, /* Alt-Enter */
        {L"\\e^J", L"lfm2-newline"},     {L"^W", L"ed-delete-prev-word"},
        {L"^R", L"em-inc-search-prev"},  {L"\\e[1;5C", L"em-next-word"}, /* Ctrl-Right */
        {L"\\e[1;5D", L"ed-prev-word"},  {L"\\e[3~", L"ed-delete-next-char"},
        {L"\\e[5000~", L"lfm2-initial"},
    };
    el_wset(edit, EL_ADDFN, L"lfm2-paste", L"Insert pasted text", on_paste);
    el_wset(edit, EL_ADDFN, L"lfm2-newline", L"Insert a newline", on_newline);
    el_wset(edit, EL_ADDFN, L"lfm2-initial", L"Insert the initial text", on_initial);
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
    t->key = L"";
    t->edit = el_init("lfm2", stdin, stdout, stderr);
    t->history = history_init();
    if (t->edit == NULL || t->history == NULL) {
        fail("cli.terminal", "line editing is not possible on this terminal");
        terminal_close(t);
        return NULL;
    }
    const char *name = getenv("TERM");
    t->has_escapes = name != NULL && name[0] != 0 && strcmp(name, "dumb") != 0;
    HistEvent event;
    history(t->history, &event, H_SETSIZE, HISTORY_LINES);
    history(t->history, &event, H_SETUNIQUE, 1);
    el_set(t->edit, EL_CLIENTDATA, t);
    el_set(t->edit, EL_PROMPT, prompt_text);
    el_set(t->edit, EL_EDITOR, "emacs");
    el_set(t->edit, EL_HIST, history, t->history);
    el_set(t->edit, EL_SIGNAL, 0);
    /* Keep CR LF in pastes: they are one newline. */
    el_set(t->edit, EL_SETTY, "-d", "-icrnl", "-inlcr", NULL);
    el_wset(t->edit, EL_GETCFN, read_char);
    bind_keys(t->edit);
    tcgetattr(STDIN_FILENO, &cooked);
    waiting = cooked;
    waiting.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    waiting.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR);
    waiting.c_cc[VMIN] = 1;
    waiting.c_cc[VTIME] = 0;
    signals_begin();
    set_waiting();
    mark_pastes(t);
    t->open = true;
    return t;
}

void terminal_close(terminal *t)
{
    if (t == NULL) {
        return;
    }
    if (t->open) {
        fflush(stdout);
        set_cooked();
        marking = 0;
        signals_end();
    }
    if (t->edit != NULL) {
        el_end(t->edit);
    }
    if (t->history != NULL) {
        history_end(t->history);
    }
    free(t);
}

/* Discards the line after Ctrl-C. The cursor may be in an upper row of it: clears the rest. */
static input_result discard(terminal *t)
{
    const LineInfo *line = el_line(t->edit);
    bool empty = line->lastchar == line->buffer && !t->continued;
    t->at = t->end = 0;
    el_set(t->edit, EL_UNBUFFERED, 0);
    el_reset(t->edit);
    fputs(t->has_escapes ? "\n\033[J" : "\n", stdout);
    fflush(stdout);
    return empty ? INPUT_INTERRUPT : INPUT_DROPPED;
}

input_result terminal_read(terminal *t, bool continued, const text_buffer *initial,
                           text_buffer *out)
{
    int count = 0;
    input_result result = INPUT_END;
    t->continued = continued;
    t->ready = false;
    t->initial = initial;
    t->key = initial != NULL ? initial_key : L"";
    interrupted = resumed = resized = 0;
    at_prompt = 1;
    tcsetattr(STDIN_FILENO, TCSANOW, &cooked); /* libedit restores this after the line */
    el_resize(t->edit);
    const char *text = el_gets(t->edit, &count);
    t->initial = NULL;
    if (interrupted != 0) {
        result = discard(t);
    } else if (text != NULL && count > 0) {
        result = text_append(out, text, (size_t)count) == EXIT_OK ? INPUT_TEXT : INPUT_ERROR;
        text_chomp(out);
    }
    at_prompt = 0;
    set_waiting();
    return result;
}

void terminal_remember(terminal *t, const text_buffer *text)
{
    HistEvent event;
    if (text->len > 0 && text->len <= HISTORY_LIMIT) {
        history(t->history, &event, H_ENTER, text->data);
    }
}
