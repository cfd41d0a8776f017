/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations in files, with their sessions: /save, /load and --session. */
#include "cli/chat/chat.h"
#include "cli/chat/chat_file.h"
#include "cli/chat/chat_kv.h"

#include <string.h>

int chat_save(const chat *c, const char *path)
{
    const conversation *talk = chat_talk(c);
    int code = chat_file_save(talk, path);
    if (code == EXIT_OK) {
        chat_kv_save(talk, path);
        notice("saved %zu message%s in %s", talk->messages.n, plural(talk->messages.n), path);
    }
    return code;
}

int chat_load(chat *c, const char *path)
{
    conversation *talk = chat_talk(c);
    const uint64_t seed = talk->seed;
    size_t n_tokens = 0;
    int code = chat_file_load(talk, path, &c->tools, &n_tokens);
    talk->seed = c->opts->has_seed ? seed : talk->seed;
    if (code == EXIT_OK) {
        chat_kv_load(talk, c->opened.model, &c->opts->session, path);
        const message_list *messages = &talk->messages;
        bool open = messages->n > 0 && messages->marks[messages->n - 1].role == MESSAGE_USER;
        notice("loaded %zu message%s with %zu tokens%s", messages->n, plural(messages->n), n_tokens,
               open ? ": /retry answers the last one" : "");
    }
    return code;
}

/* ---- --session ------------------------------------------------------------------------------ */

/* Says so if the file does not have the system message of the options. */
static int compare_system(const chat *c)
{
    const message_list *messages = &chat_talk(c)->messages;
    const char *system = c->opts->system;
    text_buffer text = {0};
    int code = text_append(&text, "", 0);
    if (code == EXIT_OK && message_list_head(messages) == 1) {
        code = message_list_text(messages, 0, &text);
    }
    if (code == EXIT_OK && system != NULL && strcmp(system, text.data) != 0) {
        notice("%s: the conversation keeps its system message; /system TEXT replaces it",
               c->opts->file);
    }
    text_free(&text);
    return code;
}

int chat_session_begin(chat *c)
{
    const char *path = c->opts->file;
    bool exists = false;
    if (path == NULL) {
        return EXIT_OK;
    }
    int code = chat_file_check(path, &exists);
    if (code == EXIT_OK && exists) {
        code = chat_load(c, path);
        return code == EXIT_OK ? compare_system(c) : code;
    }
    return code == EXIT_OK ? chat_file_save(chat_talk(c), path) : code;
}

void chat_session_keep(chat *c)
{
    if (c->opts->file != NULL && c->unsaved) {
        c->changed = true;
        c->unsaved = chat_file_save(chat_talk(c), c->opts->file) != EXIT_OK;
        c->refused = c->refused || c->unsaved;
    }
}

void chat_session_end(chat *c)
{
    chat_session_keep(c);
    if (c->opts->file != NULL && c->changed && !c->unsaved) {
        chat_kv_save(chat_talk(c), c->opts->file);
    }
}
