/* SPDX-License-Identifier: Apache-2.0 */
/* Divides a streamed answer into reasoning and content. */
#include "cli/support/reasoning.h"

#include <string.h>

static const char *marker_name(const reasoning_splitter *s)
{
    return s->channel == ANSWER_CONTENT ? REASONING_START : REASONING_END;
}

static void pass(reasoning_splitter *s, const char *text, size_t len)
{
    if (len > 0) {
        s->sink(s->user, s->channel, text, len);
    }
}

static void change(reasoning_splitter *s, answer_channel channel)
{
    s->channel = channel;
    s->started = true;
    s->sink(s->user, channel, "", 0);
}

void reasoning_begin(reasoning_splitter *s, int32_t start_id, int32_t end_id, bool opened,
                     reasoning_sink sink, void *user)
{
    bool tokens = start_id >= 0 && end_id >= 0;
    *s = (reasoning_splitter){
        .start_id = tokens ? start_id : -1,
        .end_id = tokens ? end_id : -1,
        .sink = sink,
        .user = user,
    };
    if (opened) {
        change(s, ANSWER_REASONING);
    }
}

/* Processes the token that is the next marker. */
static void push_marker(reasoning_splitter *s, const char *text, size_t len)
{
    const char *name = marker_name(s);
    size_t n = strlen(name);
    bool named = len >= n && memcmp(text + len - n, name, n) == 0;
    pass(s, text, named ? len - n : len);
    change(s, s->channel == ANSWER_CONTENT ? ANSWER_REASONING : ANSWER_CONTENT);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Adds a character that continues a marker, or begins one. */
static void hold(reasoning_splitter *s, char c)
{
    const char *name = marker_name(s);
    s->held[s->n_held++] = c;
    if (name[s->n_held] == 0) {
        s->n_held = 0;
        change(s, s->channel == ANSWER_CONTENT ? ANSWER_REASONING : ANSWER_CONTENT);
    }
}

/* Searches the text for markers. No character of a marker but the first is "<", so after a mismatch
 * nothing that was held can begin another marker. */
static void search(reasoning_splitter *s, const char *text, size_t len)
{
    size_t start = 0; /* of what is neither passed on nor held */
    for (size_t i = 0; i < len && !(s->channel == ANSWER_CONTENT && s->started); i++) {
        if (s->n_held > 0 && text[i] != marker_name(s)[s->n_held]) {
            pass(s, s->held, s->n_held);
            s->n_held = 0;
            s->started = true;
        }
        if (s->channel == ANSWER_CONTENT && s->started) {
            break;
        }
        if (text[i] == marker_name(s)[s->n_held]) {
            pass(s, text + start, i - start);
            start = i + 1;
            hold(s, text[i]);
        } else if (s->channel == ANSWER_CONTENT && !is_space(text[i])) {
            s->started = true;
        }
    }
    pass(s, text + start, len - start);
}

void reasoning_push(reasoning_splitter *s, int32_t id, const char *text, size_t len)
{
    if (s->start_id < 0) {
        search(s, text, len);
    } else if (id == (s->channel == ANSWER_CONTENT ? s->start_id : s->end_id)) {
        push_marker(s, text, len);
    } else {
        pass(s, text, len);
    }
}

void reasoning_end(reasoning_splitter *s)
{
    pass(s, s->held, s->n_held);
    s->n_held = 0;
}
