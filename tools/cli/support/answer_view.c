/* SPDX-License-Identifier: Apache-2.0 */
/* Prints an answer while it is generated. */
#include "cli/support/answer_view.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char dim_on[] = "\033[2m";
static const char dim_off[] = "\033[0m";
static const char hint[] = "\033[2mthinking ...\033[0m";
static const char hint_off[] = "\r\033[K";

void answer_view_begin(answer_view *view, uint32_t mode)
{
    const char *name = getenv("TERM");
    *view = (answer_view){
        .mode = mode == REASONING_DEFAULT ? REASONING_SHOW : (reasoning_mode)mode,
        .styled =
            isatty(STDOUT_FILENO) && name != NULL && name[0] != 0 && strcmp(name, "dumb") != 0,
        .channel = ANSWER_CONTENT,
        .last_byte = '\n',
    };
}

static void print(answer_view *view, const char *text, size_t len)
{
    if (len > 0) {
        out_model_text(text, len);
        view->last_byte = text[len - 1];
    }
}

static void print_marker(answer_view *view, const char *marker)
{
    print(view, marker, strlen(marker));
}

static void set_hint(answer_view *view, bool shown)
{
    if (view->hint != shown) {
        const char *text = shown ? hint : hint_off;
        out_write(text, strlen(text));
        view->hint = shown;
    }
}

static void change(answer_view *view, answer_channel channel)
{
    bool hidden = view->mode == REASONING_HIDE;
    view->channel = channel;
    if (!hidden && !view->styled) {
        print_marker(view, channel == ANSWER_REASONING ? REASONING_START : REASONING_END);
        return;
    }
    view->blank = true;
    if (hidden && view->styled) {
        set_hint(view, channel == ANSWER_REASONING);
    } else if (!hidden && channel == ANSWER_CONTENT && view->shown) {
        print_marker(view, view->last_byte == '\n' ? "\n" : "\n\n");
    }
}

/* Prints reasoning on a terminal. The style ends after each section, so that the terminal is not
 * left dimmed if the program is killed. */
static void print_dimmed(answer_view *view, const char *text, size_t len)
{
    out_write(dim_on, sizeof dim_on - 1);
    print(view, text, len);
    out_write(dim_off, sizeof dim_off - 1);
    view->shown = true;
}

void answer_view_text(answer_view *view, answer_channel channel, const char *text, size_t len)
{
    if (channel != view->channel) {
        change(view, channel);
    }
    while (view->blank && len > 0 && strchr(" \t\r\n", text[0]) != NULL && text[0] != 0) {
        text++;
        len--;
    }
    view->blank = view->blank && len == 0;
    if (len > 0) {
        if (channel == ANSWER_CONTENT || (view->mode != REASONING_HIDE && !view->styled)) {
            print(view, text, len);
        } else if (view->mode != REASONING_HIDE) {
            print_dimmed(view, text, len);
        }
    }
    out_flush();
}

void answer_view_end(answer_view *view)
{
    set_hint(view, false);
    if (view->last_byte != '\n') {
        out_write("\n", 1);
    }
    out_flush();
}
