/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps sessions by name, and their routes. A saved session is a file "OWNER-NAME.session" in the
 * folder of sessions; OWNER are 16 hexadecimal digits. */
#include "serve/sessions.h"

#include "serve/fields.h"
#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char suffix[] = ".session";
enum { MAX_FILE_NAME = 16 + 1 + MAX_SESSION_NAME + sizeof suffix };

bool session_name_valid(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t len = strlen(name);
    return len > 0 && len <= MAX_SESSION_NAME && name[0] != '.' && strspn(name, allowed) == len;
}

static named_session *look_up(api *a, uint64_t owner, const char *name)
{
    for (uint32_t i = 0; i < a->sessions.n; i++) {
        named_session *s = &a->sessions.all[i];
        if (s->owner == owner && strcmp(s->name, name) == 0) {
            return s;
        }
    }
    return NULL;
}

static void drop(api *a, named_session *s)
{
    lfm2_session_free(s->session);
    *s = a->sessions.all[--a->sessions.n];
}

void sessions_free(api *a)
{
    while (a->sessions.n > 0) {
        drop(a, &a->sessions.all[0]);
    }
}

/* The path of a session's file, in the arena; NULL without a folder or memory. */
static const char *path_of(api *a, exchange *x, uint64_t owner, const char *name)
{
    const char *folder = a->options.session_folder;
    void *memory = NULL;
    size_t size = (folder != NULL ? strlen(folder) : 0) + 1 + MAX_FILE_NAME;
    if (folder == NULL ||
        lf_arena_new(x->arena, size, 1, "the path of a session", &memory) != LFM2_OK) {
        return NULL;
    }
    snprintf(memory, size, "%s/%016llx-%s%s", folder, (unsigned long long)owner, name, suffix);
    return memory;
}

/* A process that was killed leaves the file that it was writing, "OWNER-NAME.session.tmp-...". It
 * is deleted when it has not changed for so long that no other process writes it. */
void sessions_clean(const char *path)
{
    enum { ABANDONED_S = 600 };
    DIR *folder = path != NULL ? opendir(path) : NULL;
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name, *temporary = strstr(name, ".session.tmp-");
        struct stat info;
        if (temporary != NULL && temporary - name > 17 && name[16] == '-' &&
            strspn(name, "0123456789abcdef") == 16 &&
            fstatat(dirfd(folder), name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode) && info.st_mtime < time(NULL) - ABANDONED_S) {
            unlinkat(dirfd(folder), name, 0);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static bool file_exists(const char *path)
{
    struct stat info;
    return path != NULL && lstat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static int32_t restore(api *a, const char *path, lfm2_session **out)
{
    lfm2_restore_options options;
    lfm2_restore_options_init(&options, sizeof options);
    options.n_ctx = a->n_ctx;
    options.kv_type = a->options.kv_type;
    return lfm2_session_restore(a->model, path, &options, out);
}

int32_t session_find(api *a, exchange *x, const char *name, const lfm2_session **out)
{
    named_session *s = look_up(a, x->owner, name);
    *out = NULL;
    if (s == NULL) {
        const char *path = path_of(a, x, x->owner, name);
        lfm2_session *session = NULL;
        if (!file_exists(path)) {
            return LFM2_OK;
        }
        int32_t status = restore(a, path, &session);
        if (status != LFM2_OK) {
            return status;
        }
        session_put(a, x->owner, name, session);
        s = look_up(a, x->owner, name);
    }
    s->used = ++a->sessions.uses;
    *out = s->session;
    return LFM2_OK;
}

/* Whether the sessions may stay as they are. */
static bool fits(const api *a)
{
    lfm2_kv_usage usage = {.size = sizeof usage};
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < a->sessions.n; i++) {
        uint64_t pages = (lfm2_session_length(a->sessions.all[i].session) + 63) / 64;
        bytes += pages * a->kv_page;
    }
    return a->sessions.n < MAX_SESSIONS &&
           (lfm2_model_kv_usage(a->model, &usage) != LFM2_OK || bytes <= usage.budget / 4);
}

static void drop_oldest(api *a)
{
    named_session *oldest = &a->sessions.all[0];
    for (uint32_t i = 1; i < a->sessions.n; i++) {
        oldest = a->sessions.all[i].used < oldest->used ? &a->sessions.all[i] : oldest;
    }
    drop(a, oldest);
}

void sessions_give(api *a)
{
    if (a->sessions.n > 0) {
        drop_oldest(a);
    }
}

void session_put(api *a, uint64_t owner, const char *name, lfm2_session *session)
{
    named_session *s = look_up(a, owner, name);
    if (s != NULL) {
        drop(a, s);
    }
    s = &a->sessions.all[a->sessions.n++];
    *s = (named_session){.owner = owner, .session = session, .used = ++a->sessions.uses};
    snprintf(s->name, sizeof s->name, "%s", name);
    while (a->sessions.n > 1 && !fits(a)) {
        drop_oldest(a);
    }
}

/* ---- Routes ---- */

static bool check_name(exchange *x, const char *name)
{
    if (session_name_valid(name)) {
        return true;
    }
    reply_bad_field(x, "session",
                    "the name of a session has 1 to %d letters, digits, '_', '-' and '.', and does "
                    "not begin with '.'",
                    MAX_SESSION_NAME);
    return false;
}

static void reply_not_found(exchange *x, const char *name)
{
    reply_error(x, 404, "invalid_request_error", "session", "session_not_found",
                "there is no session '%.64s'", name);
}

/* Replies and returns NULL if there is no folder. */
static const char *need_path(api *a, exchange *x, const char *name)
{
    const char *path = path_of(a, x, x->owner, name);
    if (path == NULL) {
        reply_error(x, 400, "invalid_request_error", NULL, "no_session_folder",
                    "this server has no folder for sessions (--session-folder)");
    }
    return path;
}

/* The library's messages name the file. Clients shall see the session's name, not the folder. */
static void reply_file_failure(exchange *x, int32_t status, const char *name, const char *path)
{
    const char *message = lfm2_last_error();
    const char *at = path != NULL ? strstr(message, path) : NULL;
    char text[512];
    if (at != NULL) {
        snprintf(text, sizeof text, "%.*ssession '%s'%s", (int)(at - message), message, name,
                 at + strlen(path));
        message = text;
    }
    reply_failure_text(x, status, NULL, lfm2_last_error_code(), message);
}

static void write_session(json_out *out, const char *name, const lfm2_session *session, bool saved)
{
    out_object(out, NULL);
    out_string(out, "id", name);
    out_string(out, "object", "session");
    if (session != NULL) {
        out_u64(out, "tokens", lfm2_session_length(session));
    } else {
        out_null(out, "tokens"); /* not in memory */
    }
    out_bool(out, "saved", saved);
    out_end_object(out);
}

static void reply_session(api *a, exchange *x, const char *name)
{
    json_out out = {0};
    const named_session *s = look_up(a, x->owner, name);
    write_session(&out, name, s != NULL ? s->session : NULL,
                  file_exists(path_of(a, x, x->owner, name)));
    reply_json(x, 200, &out);
    json_out_free(&out);
}

/* The name of the session whose file this is, if it is one of the owner; else NULL. `name` has
 * MAX_FILE_NAME bytes. */
static const char *name_of_file(uint64_t owner, const char *file, char *name)
{
    char prefix[18];
    size_t n = strlen(file), n_tail = sizeof suffix - 1;
    snprintf(prefix, sizeof prefix, "%016llx-", (unsigned long long)owner);
    if (n <= 17 + n_tail || n >= MAX_FILE_NAME || memcmp(file, prefix, 17) != 0 ||
        strcmp(file + n - n_tail, suffix) != 0) {
        return NULL;
    }
    snprintf(name, MAX_FILE_NAME, "%.*s", (int)(n - 17 - n_tail), file + 17);
    return session_name_valid(name) ? name : NULL;
}

void handle_sessions(api *a, exchange *x, const char *argument)
{
    (void)argument;
    json_out out = {0};
    out_object(&out, NULL);
    out_string(&out, "object", "list");
    out_array(&out, "data");
    for (uint32_t i = 0; i < a->sessions.n; i++) {
        const named_session *s = &a->sessions.all[i];
        if (s->owner == x->owner) {
            write_session(&out, s->name, s->session, file_exists(path_of(a, x, x->owner, s->name)));
        }
    }
    DIR *folder = a->options.session_folder != NULL ? opendir(a->options.session_folder) : NULL;
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char buffer[MAX_FILE_NAME];
        const char *name = name_of_file(x->owner, entry->d_name, buffer);
        if (name != NULL && look_up(a, x->owner, name) == NULL) {
            write_session(&out, name, NULL, true);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    out_end_array(&out);
    out_end_object(&out);
    reply_json(x, 200, &out);
    json_out_free(&out);
}

/* The number of an owner's files. */
static uint32_t count_files(const api *a, uint64_t owner)
{
    char buffer[MAX_FILE_NAME];
    uint32_t n = 0;
    DIR *folder = opendir(a->options.session_folder);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        n += name_of_file(owner, entry->d_name, buffer) != NULL;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return n;
}

void handle_session_save(api *a, exchange *x, const char *argument)
{
    if (!check_name(x, argument)) {
        return;
    }
    const char *path = need_path(a, x, argument);
    const named_session *s = look_up(a, x->owner, argument);
    if (path == NULL) {
        return;
    }
    if (s == NULL) {
        reply_not_found(x, argument);
        return;
    }
    if (!file_exists(path) && count_files(a, x->owner) >= MAX_SESSION_FILES) {
        reply_error(x, 400, "invalid_request_error", "session", "too_many_sessions",
                    "%d sessions are saved, the most that are allowed: delete one first",
                    MAX_SESSION_FILES);
        return;
    }
    int32_t status = lfm2_session_save(s->session, path, 0);
    if (status != LFM2_OK) {
        reply_file_failure(x, status, argument, path);
        return;
    }
    reply_session(a, x, argument);
}

void handle_session_restore(api *a, exchange *x, const char *argument)
{
    lfm2_session *session = NULL;
    if (!check_name(x, argument)) {
        return;
    }
    const char *path = need_path(a, x, argument);
    if (path == NULL) {
        return;
    }
    if (!file_exists(path)) {
        reply_not_found(x, argument);
        return;
    }
    int32_t status = restore(a, path, &session);
    if (status != LFM2_OK) {
        reply_file_failure(x, status, argument, path);
        return;
    }
    session_put(a, x->owner, argument, session);
    reply_session(a, x, argument);
}

void handle_session_fork(api *a, exchange *x, const char *argument)
{
    fields f;
    const char *to = NULL;
    const lfm2_session *session = NULL;
    lfm2_session *copy = NULL;
    if (!check_name(x, argument) || !fields_open(&f, x)) {
        return;
    }
    field_string(&f, "to", &to, NULL);
    if (to == NULL || !session_name_valid(to)) {
        field_fail(&f, "to", "must be the name of a session");
        return;
    }
    int32_t status = session_find(a, x, argument, &session);
    if (status == LFM2_OK && session == NULL) {
        reply_not_found(x, argument);
        return;
    }
    if (status == LFM2_OK) {
        status = lfm2_session_fork(session, &copy);
    }
    if (status != LFM2_OK) {
        reply_file_failure(x, status, argument, path_of(a, x, x->owner, argument));
        return;
    }
    session_put(a, x->owner, to, copy);
    reply_session(a, x, to);
}

void handle_session_delete(api *a, exchange *x, const char *argument)
{
    if (!check_name(x, argument)) {
        return;
    }
    named_session *s = look_up(a, x->owner, argument);
    const char *path = path_of(a, x, x->owner, argument);
    bool saved = file_exists(path);
    if (s == NULL && !saved) {
        reply_not_found(x, argument);
        return;
    }
    if (saved && unlink(path) != 0 && errno != ENOENT) {
        reply_error(x, 500, "server_error", NULL, "io", "%.64s: %s", argument, strerror(errno));
        return;
    }
    if (s != NULL) {
        drop(a, s);
    }
    json_out out = {0};
    out_object(&out, NULL);
    out_string(&out, "id", argument);
    out_string(&out, "object", "session");
    out_bool(&out, "deleted", true);
    out_end_object(&out);
    reply_json(x, 200, &out);
    json_out_free(&out);
}
