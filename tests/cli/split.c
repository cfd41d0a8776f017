/* SPDX-License-Identifier: Apache-2.0 */
/* Divides standard input as the program divides an answer, in every way that the text can arrive,
 * and prints "[reasoning]content" with the changes of the channel as brackets.
 *
 *     split [opened]
 *
 * All divisions must give the same result: the exit code is 1 otherwise. */
#include "cli/support/reasoning.h"

#include <stdio.h>
#include <string.h>

enum { MAX_TEXT = 4096 };

typedef struct text {
    char data[2 * MAX_TEXT];
    size_t len;
    answer_channel channel;
} text;

static void add(text *out, const char *data, size_t len)
{
    if (out->len + len < sizeof out->data) {
        memcpy(out->data + out->len, data, len);
        out->len += len;
    }
}

static void on_split(void *user, answer_channel channel, const char *data, size_t len)
{
    text *out = user;
    if (channel != out->channel) {
        add(out, channel == ANSWER_REASONING ? "[" : "]", 1);
        out->channel = channel;
    }
    add(out, data, len);
}

/* Pushes the input in pieces that end at `first` and then every `step` bytes. */
static void divide(const char *in, size_t len, bool opened, size_t first, size_t step, text *out)
{
    reasoning_splitter s;
    *out = (text){.channel = ANSWER_CONTENT};
    reasoning_begin(&s, -1, -1, opened, on_split, out);
    for (size_t at = 0; at < len;) {
        size_t n = at < first ? first - at : step;
        n = n < len - at ? n : len - at;
        reasoning_push(&s, 1, in + at, n);
        at += n;
    }
    reasoning_end(&s);
}

int main(int argc, char **argv)
{
    static char in[MAX_TEXT];
    static text whole, other;
    bool opened = argc > 1 && strcmp(argv[1], "opened") == 0;
    size_t len = fread(in, 1, sizeof in, stdin);
    divide(in, len, opened, 0, MAX_TEXT, &whole);
    fwrite(whole.data, 1, whole.len, stdout);
    for (size_t first = 0; first <= len; first++) {
        for (size_t step = 1; step <= len; step++) {
            divide(in, len, opened, first, step, &other);
            if (other.len != whole.len || memcmp(other.data, whole.data, whole.len) != 0) {
                fprintf(stderr, "divided at %zu, then every %zu bytes: %.*s\n", first, step,
                        (int)other.len, other.data);
                return 1;
            }
        }
    }
    return 0;
}
