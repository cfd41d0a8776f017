/* SPDX-License-Identifier: Apache-2.0 */
/* Which lines of a chat are commands. */
#include "cli/chat/chat_word.h"
#include "cli/options/options.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    chat_command command;
    bool takes_text;
    bool needs_messages;
} commands_of_chat[] = {
    {"help", CHAT_HELP, false, false},       {"?", CHAT_HELP, false, false},
    {"reset", CHAT_RESET, false, false},     {"clear", CHAT_RESET, false, false},
    {"undo", CHAT_UNDO, false, true},        {"retry", CHAT_RETRY, false, true},
    {"regenerate", CHAT_RETRY, false, true}, {"edit", CHAT_EDIT, true, true},
    {"system", CHAT_SYSTEM, true, false},    {"fork", CHAT_FORK, false, true},
    {"switch", CHAT_SWITCH, true, false},    {"save", CHAT_SAVE, true, true},
    {"load", CHAT_LOAD, true, false},        {"stats", CHAT_STATS, false, false},
    {"quit", CHAT_QUIT, false, false},       {"exit", CHAT_QUIT, false, false},
    {"bye", CHAT_QUIT, false, false},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '?' || c == '-' || c == '_';
}

chat_word chat_word_of(const char *text, size_t len)
{
    size_t n = 1;
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    while (n < len && is_word(text[n])) {
        n++;
    }
    chat_word word = {.command = CHAT_MESSAGE, .name = text, .n_name = n};
    if (len == 0 || text[0] != '/' || (n < len && !is_blank(text[n]))) {
        return word;
    }
    word.command = n == len ? CHAT_UNKNOWN : CHAT_MESSAGE;
    for (size_t i = 0; i < COUNT(commands_of_chat); i++) {
        const char *name = commands_of_chat[i].name;
        bool complete = n == len || commands_of_chat[i].takes_text;
        if (complete && strlen(name) == n - 1 && strncasecmp(name, text + 1, n - 1) == 0) {
            word.command = commands_of_chat[i].command;
            word.needs_messages = commands_of_chat[i].needs_messages;
        }
    }
    while (n < len && is_blank(text[n])) {
        n++;
    }
    word.text = text + n;
    word.len = len - n;
    return word;
}

const char *chat_word_suggest(const chat_word *word)
{
    enum { MAX_LENGTH = 16 };
    const char *found = NULL;
    const size_t len = word->n_name - 1;
    uint32_t limit = len < 4 ? 2 : 3; /* fewer errors than that */
    char lower[MAX_LENGTH];
    for (size_t i = 0; i < len && len <= MAX_LENGTH; i++) {
        lower[i] = (char)tolower((unsigned char)word->name[i + 1]);
    }
    for (size_t i = 0; i < COUNT(commands_of_chat) && len <= MAX_LENGTH; i++) {
        const char *name = commands_of_chat[i].name;
        uint32_t distance = edit_distance(lower, len, name, strlen(name));
        if (distance < limit && distance < strlen(name)) {
            limit = distance;
            found = name;
        }
    }
    return found;
}
