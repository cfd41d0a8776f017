/* SPDX-License-Identifier: Apache-2.0 */
/* A turn of a chat: checks the space in the context, generates the answer, prints it. */
#include "cli/chat/chat.h"
#include "cli/support/answer_report.h"
#include "cli/support/interrupt.h"

static int32_t on_text(void *user, answer_channel channel, const char *text, size_t len)
{
    chat *c = user;
    answer_view_text(&c->view, channel, text, len);
    return out_failed() ? 1 : 0;
}

/* What can be done about a full context, after the advice to make it larger. */
static const char *remedy(const chat *c)
{
    return c->opts->on_full == FULL_DROP ? "; the next turn drops the oldest ones"
                                         : "; /reset starts a new conversation, --on-full drop "
                                           "drops the oldest turns";
}

/* Turns are dropped if the prompt leaves less than a sixteenth of the context, or less than the
 * most tokens that an answer may have; then until it leaves a quarter. */
static drop_rule rule_of(const chat *c)
{
    const uint32_t capacity = lfm2_session_capacity(chat_talk(c)->session);
    const uint32_t most = c->opts->n_predict;
    const uint32_t needed = most > 0 && most < capacity / 16 ? most : capacity / 16;
    return (drop_rule){.allowed = c->opts->on_full == FULL_DROP,
                       .needed = needed > 0 ? needed : 1,
                       .made = capacity / 4 > 0 ? capacity / 4 : 1};
}

/* Whether the prompt fits into the context. Prints a message if not. */
static bool fits(const chat *c, const turn *t)
{
    const conversation *talk = chat_talk(c);
    size_t needed = 0;
    size_t space = 0;
    bool fit = conversation_fits(talk, t, &needed, &space);
    if (!fit && t->n_dropped > 0) {
        notice("the message needs %zu tokens, and without the %u turn%s before it the context has "
               "space for %zu: %s",
               needed + 1, t->n_turns_dropped, plural(t->n_turns_dropped), space,
               context_advice(c->opened.model, talk->session));
    } else if (!fit) {
        notice("the message needs %zu tokens, the context has space for %zu: %s%s", needed + 1,
               space, context_advice(c->opened.model, talk->session),
               c->opts->on_full == FULL_DROP ? "" : remedy(c));
    }
    return fit;
}

static void notice_dropped(const turn *t)
{
    const size_t again = turn_again(t);
    char turns[48] = "the oldest turn";
    if (t->n_turns_dropped > 1) {
        append_format(turns, sizeof turns, 0, "the %u oldest turns", t->n_turns_dropped);
    }
    if (t->n_dropped > 0) {
        notice("the context is full: dropped %s and computed %zu token%s again", turns, again,
               plural(again));
    }
}

/* Compiles what the options demand of each answer. Calls are those of the tools of the
 * conversation.
 */
static int constrain(const chat *c, const conversation *talk, answer *a)
{
    const constraint_options *o = &c->opts->constraint;
    constraint_text tools = {.kind = 0};
    int code = constraint_take_tools(o, &talk->tools, &tools);
    if (code == EXIT_OK) {
        code = answer_constrain(a, c->opened.model, o, tools.kind != 0 ? &tools : &c->constraint,
                                &c->opts->reasoning);
    }
    text_free(&tools.text);
    return code;
}

static int generate(chat *c, const turn *t)
{
    conversation *talk = chat_talk(c);
    answer a = {.format = &c->format, .on_text = on_text, .open = t->open, .user = c};
    lfm2_generate_options_init(&a.options, sizeof a.options);
    a.options.max_tokens = c->opts->n_predict;
    a.options.flags = (c->opts->special ? LFM2_GENERATE_SPECIAL : 0U) | c->opts->draft;
    int code = constrain(c, talk, &a);
    if (code != EXIT_OK) {
        answer_free(&a);
        return code;
    }
    notice_dropped(t);
    answer_view_begin(&c->view, c->opts->reasoning.mode);
    code = conversation_answer(talk, t, &a);
    answer_view_end(&c->view);
    if (code == EXIT_OK) {
        notice_finish(&talk->last, c->opened.model, talk->session, remedy(c));
        if (c->opts->model.verbose) {
            notice_timing(&talk->last, talk->last_reasoning, talk->seed);
        }
    }
    answer_free(&a);
    return code;
}

int chat_answer(chat *c, bool replaces, bool *answered)
{
    const conversation *talk = chat_talk(c);
    const drop_rule rule = rule_of(c);
    turn t;
    int code = EXIT_OK;
    interrupt_begin(talk->session);
    *answered = conversation_prompt(talk, &rule, &t) == EXIT_OK && fits(c, &t);
    t.replaces = replaces;
    if (*answered) {
        code = generate(c, &t);
        c->unsaved = true;
    }
    interrupt_end();
    /* Ctrl-C stops the answer. Without a terminal, it ends the program. */
    if (code == EXIT_OK && interrupt_seen() &&
        (interrupt_ends_program() || !chat_input_is_terminal(c->input))) {
        code = EXIT_FAILED;
    }
    turn_free(&t);
    return code;
}

int chat_ask(chat *c, const char *text, size_t len)
{
    message_list *messages = &chat_talk(c)->messages;
    const size_t before = messages->n;
    bool answered = false;
    int code = EXIT_OK;
    if (message_list_add(messages, "user", text, len, NULL) == EXIT_OK) {
        code = chat_answer(c, false, &answered);
    }
    if (!answered) {
        c->refused = true; /* a message says why */
        message_list_remove(messages, before, messages->n);
    }
    return code;
}
