/* SPDX-License-Identifier: Apache-2.0 */
/* The conversations of a chat: creates, copies and lists them. */
#include "cli/chat/chat.h"

#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

conversation *chat_talk(const chat *c)
{
    return c->talks[c->current];
}

/* Makes space for another conversation. Returns it, or NULL after a message. */
static conversation *new_talk(chat *c)
{
    conversation **talks = realloc(c->talks, (c->n_talks + 1) * sizeof *talks);
    conversation *talk = calloc(1, sizeof *talk);
    if (talks != NULL) {
        c->talks = talks;
    }
    if (talks == NULL || talk == NULL) {
        fail("cli.memory", "out of memory");
        free(talk);
        return NULL;
    }
    return talk;
}

static void add_talk(chat *c, conversation *talk)
{
    c->current = c->n_talks;
    c->talks[c->n_talks++] = talk;
}

int chat_start(chat *c)
{
    const chat_options *opts = c->opts;
    const char *system = opts->system;
    conversation *talk = new_talk(c);
    if (talk == NULL) {
        return EXIT_FAILED;
    }
    *talk = (conversation){
        .format = &c->format, .reasoning = &opts->reasoning, .sampling = &opts->sampler};
    add_talk(c, talk);
    int code = text_append(&talk->tools, c->tools.data, c->tools.len);
    if (code == EXIT_OK && system != NULL) {
        code = message_list_add(&talk->messages, "system", system, strlen(system), NULL);
    }
    if (code == EXIT_OK) {
        code = session_open(&opts->session, c->opened.model, &talk->session);
    }
    if (code == EXIT_OK) {
        code = sampler_open(&opts->sampler, c->opened.model, &talk->sampler);
    }
    return code;
}

void chat_close(chat *c)
{
    for (size_t i = 0; i < c->n_talks; i++) {
        conversation_free(c->talks[i]);
        free(c->talks[i]);
    }
    free(c->talks);
    c->talks = NULL;
    c->n_talks = 0;
}

int chat_fork(chat *c)
{
    conversation *talk = new_talk(c);
    if (talk == NULL || conversation_fork(chat_talk(c), talk) != EXIT_OK) {
        free(talk);
        return EXIT_FAILED;
    }
    const size_t from = c->current;
    add_talk(c, talk);
    notice("conversation %zu, a copy of %zu: /switch %zu goes back", c->current + 1, from + 1,
           from + 1);
    return EXIT_OK;
}

/* Prints the start of the last message of the user. */
static void print_topic(const conversation *talk)
{
    enum { CUT = 60 };
    char shown[CUT + 4];
    text_buffer text = {0};
    const size_t last = message_list_last_user(&talk->messages);
    if (last < talk->messages.n && message_list_text(&talk->messages, last, &text) == EXIT_OK) {
        out_printf(": %s", lf_printable(shown, CUT, text.data, text.len));
    }
    text_free(&text);
}

void chat_list(const chat *c)
{
    for (size_t i = 0; i < c->n_talks; i++) {
        const conversation *talk = c->talks[i];
        const uint32_t turns = message_list_turns(&talk->messages);
        const uint32_t tokens = lfm2_session_length(talk->session);
        out_printf("%s%zu, %u turn%s, %u token%s", i == c->current ? "* " : "  ", i + 1, turns,
                   plural(turns), tokens, plural(tokens));
        print_topic(talk);
        out_printf("\n");
    }
}
