/* SPDX-License-Identifier: Apache-2.0 */
/* Prints an answer while it is generated. */
#ifndef LFM2_CLI_ANSWER_VIEW_H
#define LFM2_CLI_ANSWER_VIEW_H

#include "cli/options/template_options.h"
#include "cli/support/reasoning.h"

/* On a terminal reasoning is dimmed, and an empty line follows it. Elsewhere, and on a terminal
 * without escape sequences, it is printed between <think> and </think>, byte for byte. If reasoning
 * is hidden, a terminal shows a hint until the content begins. */
typedef struct answer_view {
    reasoning_mode mode;
    bool styled; /* standard output is a terminal that understands escape sequences */
    bool hint;   /* the hint is shown */
    bool blank;  /* nothing but white space of this channel was printed: drop more of it */
    bool shown;  /* reasoning was printed */
    answer_channel channel;
    char last_byte; /* the last byte printed; a newline at the start */
} answer_view;

void answer_view_begin(answer_view *view, uint32_t mode);

/* Prints text of a channel. A change of the channel with len 0 counts. */
void answer_view_text(answer_view *view, answer_channel channel, const char *text, size_t len);

/* Ends the answer with a newline, unless it has one or is empty. */
void answer_view_end(answer_view *view);

#endif /* LFM2_CLI_ANSWER_VIEW_H */
