/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of a chat. One that fails prints a message and changes nothing. */
#include "cli/chat/chat.h"
#include "cli/chat/chat_word.h"
#include "cli/support/answer_report.h"
#include "cli/support/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "/help           show this help (also /?)\n"
    "/undo           remove the last message and its answer\n"
    "/retry          answer the last message again (also /regenerate)\n"
    "/edit [TEXT]    replace the last message by TEXT and answer it; without TEXT, on a terminal,\n"
    "                edit it\n"
    "/system [TEXT]  show the system message, or replace it by TEXT\n"
    "/fork           continue in a copy of the conversation\n"
    "/switch [N]     list the conversations, or continue conversation N\n"
    "/save FILE      write the conversation to FILE\n"
    "/load FILE      replace the conversation by that in FILE\n"
    "/reset          start a new conversation with the same system message (also /clear)\n"
    "/stats          show the tokens in the context and the speed of the last answer\n"
    "/quit           quit (also /exit, /bye, Ctrl-D)\n"
    "\n"
    "Enter sends the message. To send several lines as one message:\n"
    "  paste them (nearly all terminals support this)\n"
    "  start with \"\"\" and end with \"\"\"\n"
    "  press Alt-Enter, or end a line with a backslash\n"
    "To send a message that looks like a command, type two slashes: //help\n"
    "Ctrl-C stops an answer. Pressed twice, it quits.\n";

/* ---- The last turn -------------------------------------------------------------------------- */

/* The index of the last message of the user; SIZE_MAX after a message if there is none. */
static size_t find_last(const chat *c)
{
    const message_list *messages = &chat_talk(c)->messages;
    const size_t last = message_list_last_user(messages);
    if (last == messages->n) {
        notice("the conversation has no message of the user");
        return SIZE_MAX;
    }
    return last;
}

static int undo(chat *c)
{
    message_list *messages = &chat_talk(c)->messages;
    const size_t last = find_last(c);
    if (last == SIZE_MAX) {
        return EXIT_FAILED;
    }
    message_list_remove(messages, last, messages->n);
    const uint32_t left = message_list_turns(messages);
    notice("removed the last message and its answer: %u turn%s left", left,
           left == 1 ? " is" : "s are");
    return EXIT_OK;
}

/* Answers after the messages from `begin` on were replaced by `text`, which may be NULL. Brings
 * them back if that fails. */
static int answer_instead(chat *c, size_t begin, const text_buffer *text, bool *answered)
{
    message_list *messages = &chat_talk(c)->messages;
    message_list tail = {0};
    *answered = false;
    int code = EXIT_OK;
    if (message_list_split(messages, begin, &tail) == EXIT_OK) {
        if (text == NULL ||
            message_list_add(messages, "user", text->data, text->len, NULL) == EXIT_OK) {
            code = chat_answer(c, true, answered);
        }
        if (!*answered) {
            message_list_restore(messages, begin, &tail);
        }
    }
    message_list_free(&tail);
    return code;
}

static int retry(chat *c, bool *done)
{
    const message_list *messages = &chat_talk(c)->messages;
    size_t begin = messages->n;
    while (begin > 0 && messages->marks[begin - 1].role == MESSAGE_ASSISTANT) {
        begin--;
    }
    if (begin == 0 || messages->marks[begin - 1].role == MESSAGE_SYSTEM) {
        notice("the conversation has no message to answer");
        return EXIT_OK;
    }
    return answer_instead(c, begin, NULL, done);
}

/* Edits the message on the terminal. Returns false, after a message, if it stays as it is. */
static bool edit_text(const chat *c, size_t last, text_buffer *text)
{
    text_buffer before = {0};
    bool edited = false;
    if (!chat_input_is_terminal(c->input)) {
        notice("/edit needs the new text of the message: /edit TEXT");
    } else if (message_list_text(&chat_talk(c)->messages, last, &before) == EXIT_OK) {
        edited = chat_input_edit(c->input, &before, text) == INPUT_TEXT && !text_is_blank(text);
        if (!edited) {
            notice("the message stays as it is");
        }
    }
    text_free(&before);
    return edited;
}

static int edit(chat *c, const chat_word *word, bool *done)
{
    const size_t last = find_last(c);
    text_buffer text = {0};
    int code = EXIT_OK;
    if (last != SIZE_MAX && (word->len > 0 ? text_append(&text, word->text, word->len) == EXIT_OK
                                           : edit_text(c, last, &text))) {
        code = answer_instead(c, last, &text, done);
    }
    text_free(&text);
    return code;
}

/* ---- The conversation ----------------------------------------------------------------------- */

static int show_system(const message_list *messages)
{
    text_buffer text = {0};
    const size_t head = message_list_head(messages);
    int code = EXIT_OK;
    for (size_t i = 0; i < head && code == EXIT_OK; i++) {
        code = message_list_text(messages, i, &text);
        code = code == EXIT_OK ? text_append(&text, "\n", 1) : code;
    }
    if (head == 0) {
        notice("there is no system message: /system TEXT sets it");
    } else if (code == EXIT_OK) {
        out_model_text(text.data, text.len);
    }
    text_free(&text);
    return code;
}

static int set_system(conversation *talk, const chat_word *word)
{
    conversation changed = {.format = talk->format, .tools = talk->tools};
    const size_t head = message_list_head(&talk->messages);
    size_t n_tokens = 0;
    int code = message_list_add(&changed.messages, "system", word->text, word->len, NULL);
    if (code == EXIT_OK) {
        code = message_list_add_list(&changed.messages, &talk->messages, head, talk->messages.n);
    }
    /* The template may want a message of the user, too: then the next one shows what it accepts. */
    if (code == EXIT_OK && message_list_turns(&changed.messages) > 0) {
        code = conversation_count(&changed, &n_tokens);
    }
    if (code == EXIT_OK) {
        const message_list before = talk->messages;
        talk->messages = changed.messages;
        changed.messages = before;
    }
    message_list_free(&changed.messages);
    return code;
}

/* Continues conversation N. */
static int switch_to(chat *c, const chat_word *word)
{
    char number[24];
    uint64_t n = 0;
    snprintf(number, sizeof number, "%.*s", (int)(word->len < 23 ? word->len : 23), word->text);
    if (!parse_u64(number, &n)) {
        notice("/switch %s: this is not the number of a conversation; /switch lists them", number);
        return EXIT_FAILED;
    }
    if (n == 0 || n > c->n_talks) {
        notice("there is no conversation %s: /switch lists them", number);
        return EXIT_FAILED;
    }
    c->current = (size_t)n - 1;
    const uint32_t turns = message_list_turns(&chat_talk(c)->messages);
    notice("conversation %s: %u turn%s", number, turns, plural(turns));
    return EXIT_OK;
}

/* ---- Files ---------------------------------------------------------------------------------- */

/* Makes a path of the text of a command: ~/ is the folder $HOME. */
static int path_of(const chat_word *word, text_buffer *out)
{
    const char *home = getenv("HOME");
    bool in_home = home != NULL && word->len > 1 && memcmp(word->text, "~/", 2) == 0;
    if (word->len == 0) {
        notice("%.*s needs the name of a file", (int)word->n_name, word->name);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < word->len; i++) {
        if ((unsigned char)word->text[i] < 0x20) {
            notice("%.*s: the name of the file has control characters", (int)word->n_name,
                   word->name);
            return EXIT_FAILED;
        }
    }
    int code = EXIT_OK;
    if (in_home) {
        code = text_append(out, home, strlen(home));
    } else if (word->len == 1 && word->text[0] == '-') {
        code = text_append(out, "./", 2); /* not standard input */
    }
    return code == EXIT_OK ? text_append(out, word->text + in_home, word->len - in_home) : code;
}

static int save(const chat *c, const chat_word *word)
{
    text_buffer path = {0};
    int code = path_of(word, &path);
    code = code == EXIT_OK ? chat_save(c, path.data) : code;
    text_free(&path);
    return code;
}

static int load(chat *c, const chat_word *word)
{
    text_buffer path = {0};
    int code = path_of(word, &path);
    code = code == EXIT_OK ? chat_load(c, path.data) : code;
    text_free(&path);
    return code;
}

/* ---- Execution ------------------------------------------------------------------------------ */

static void print_stats(const chat *c)
{
    const conversation *talk = chat_talk(c);
    const lfm2_generate_result *r = &talk->last;
    const uint32_t turns = message_list_turns(&talk->messages);
    out_printf("%u turn%s, %zu of %u tokens, seed %" PRIu64 ", conversation %zu of %zu\n", turns,
               plural(turns), talk->held.n, lfm2_session_capacity(talk->session), talk->seed,
               c->current + 1, c->n_talks);
    if (r->finish != 0) {
        char tokens[96];
        out_printf("last turn: reused %u token%s, prompt %u token%s in %.3f s, %s in %.3f s, ended "
                   "by %s\n",
                   talk->last_reused, plural(talk->last_reused), r->n_prompt, plural(r->n_prompt),
                   r->prompt_seconds,
                   answer_tokens(r, talk->last_reasoning, "", tokens, sizeof tokens),
                   r->generate_seconds, finish_name(r->finish));
    }
}

static void refuse_unknown(const chat_word *word)
{
    const char *suggested = chat_word_suggest(word);
    int shown = (int)(word->n_name < 64 ? word->n_name : 64);
    if (suggested != NULL) {
        notice("unknown command %.*s: did you mean /%s?", shown, word->name, suggested);
    } else {
        notice("unknown command %.*s: /help lists the commands, /%.*s sends a message", shown,
               word->name, shown, word->name);
    }
}

/* Executes a command that generates nothing. Returns EXIT_FAILED, after a message, if it fails. */
static int execute(chat *c, const chat_word *word)
{
    switch (word->command) {
    case CHAT_HELP:
        out_printf("%s", help_text);
        return EXIT_OK;
    case CHAT_UNDO:
        return undo(c);
    case CHAT_SYSTEM:
        return word->len > 0 ? set_system(chat_talk(c), word)
                             : show_system(&chat_talk(c)->messages);
    case CHAT_FORK:
        return chat_fork(c);
    case CHAT_SWITCH:
        if (word->len > 0) {
            return switch_to(c, word);
        }
        chat_list(c);
        return EXIT_OK;
    case CHAT_SAVE:
        return save(c, word);
    case CHAT_LOAD:
        return load(c, word);
    case CHAT_STATS:
        print_stats(c);
        return EXIT_OK;
    default:
        refuse_unknown(word);
        return EXIT_OK;
    }
}

static int command_line(chat *c, const chat_word *word, bool *quit)
{
    const message_list *messages = &chat_talk(c)->messages;
    int code = EXIT_OK;
    bool done = false;
    if (word->needs_messages && messages->n == message_list_head(messages)) {
        notice("%.*s: there is no message yet", (int)word->n_name, word->name);
    } else if (word->command == CHAT_RETRY) {
        code = retry(c, &done);
    } else if (word->command == CHAT_EDIT) {
        code = edit(c, word, &done);
    } else if (word->command == CHAT_RESET) {
        code = conversation_reset(chat_talk(c));
        done = true;
    } else {
        *quit = word->command == CHAT_QUIT;
        done = *quit || execute(c, word) == EXIT_OK;
    }
    c->refused = c->refused || !done;
    c->unsaved = c->unsaved || (done && word->changes);
    out_flush();
    return code;
}

int chat_line(chat *c, const char *text, size_t len, bool *quit)
{
    const chat_word word = chat_word_of(text, len);
    if (word.command != CHAT_MESSAGE) {
        return command_line(c, &word, quit);
    }
    bool escaped =
        len > 1 && text[0] == '/' && chat_word_of(text + 1, len - 1).command != CHAT_MESSAGE;
    return chat_ask(c, text + escaped, len - escaped);
}
