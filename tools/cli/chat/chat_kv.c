/* SPDX-License-Identifier: Apache-2.0 */
/* The session of a saved conversation. */
#include "cli/chat/chat_kv.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What a saved session begins with. */
static const char magic[8] = {'L', 'F', 'M', '2', 'S', 'E', 'S', 'S'};

static int name_of(const char *path, text_buffer *out)
{
    int code = text_append(out, path, strlen(path));
    return code == EXIT_OK ? text_append(out, ".kv", 3) : code;
}

/* Whether the file exists and is something else. */
static bool is_other(const char *name)
{
    char start[sizeof magic];
    struct stat info;
    /* lfm2_session_save reports what else prevents it from replacing the file. */
    FILE *stream = stat(name, &info) == 0 && S_ISREG(info.st_mode) ? fopen(name, "rb") : NULL;
    if (stream == NULL) {
        return false;
    }
    size_t n = fread(start, 1, sizeof start, stream);
    fclose(stream);
    return n > 0 && (n < sizeof start || memcmp(start, magic, n) != 0);
}

void chat_kv_save(const conversation *talk, const char *path)
{
    text_buffer name = {0};
    if (lfm2_session_length(talk->session) > 0 && name_of(path, &name) == EXIT_OK) {
        if (is_other(name.data)) {
            notice("%s: exists and is not a saved session: the next start of the conversation "
                   "computes its tokens again",
                   name.data);
        } else if (lfm2_session_save(talk->session, name.data,
                                     LFM2_SAVE_NO_SYNC | LFM2_SAVE_NO_LOGITS) != LFM2_OK) {
            notice("%s; the next start of the conversation computes its tokens again",
                   lfm2_last_error());
        }
    }
    text_free(&name);
}

/* Counts the first tokens of the session that are those of the conversation. */
static int count_equal(const lfm2_session *session, const id_list *held, uint32_t *n)
{
    const uint32_t length = lfm2_session_length(session);
    const size_t most = length < held->n ? length : held->n;
    id_list ids = {0};
    *n = 0;
    int code = ids_reserve(&ids, length);
    if (code == EXIT_OK && most > 0 &&
        lfm2_session_tokens(session, 0, (uint32_t)most, ids.data) != LFM2_OK) {
        code = fail_library();
    }
    while (code == EXIT_OK && *n < most && ids.data[*n] == held->data[*n]) {
        ++*n;
    }
    ids_free(&ids);
    return code;
}

static int rewind_to(lfm2_session *session, uint32_t n)
{
    if (n == lfm2_session_length(session)) {
        return EXIT_OK;
    }
    return lfm2_session_rewind(session, n) == LFM2_OK ? EXIT_OK : fail_library();
}

/* Replaces the session if the file has more tokens of the conversation. *n is their number. */
static int restore(conversation *talk, lfm2_model *model, const session_options *options,
                   const char *name, uint32_t *n)
{
    lfm2_session *session = NULL;
    lfm2_session_options wanted;
    lfm2_restore_options library;
    uint32_t equal = 0;
    session_options_fill(options, model, &wanted);
    lfm2_restore_options_init(&library, sizeof library);
    library.n_ctx = wanted.n_ctx;
    library.n_chunk = wanted.n_chunk;
    library.kv_type = wanted.kv_type;
    if (lfm2_session_restore(model, name, &library, &session) != LFM2_OK) {
        notice("%s; the next turn computes %zu tokens of the conversation again", lfm2_last_error(),
               talk->held.n - *n);
        return EXIT_OK;
    }
    int code = count_equal(session, &talk->held, &equal);
    if (code == EXIT_OK && equal > *n) {
        lfm2_session *before = talk->session;
        talk->session = session;
        session = before;
        *n = equal;
    }
    if (code == EXIT_OK && *n < talk->held.n) {
        notice("%s: has %u of the %zu tokens of the conversation: the next turn computes the "
               "others again",
               name, equal, talk->held.n);
    }
    lfm2_session_free(session);
    return code;
}

void chat_kv_load(conversation *talk, lfm2_model *model, const session_options *options,
                  const char *path)
{
    const uint32_t capacity = lfm2_session_capacity(talk->session);
    text_buffer name = {0};
    uint32_t n = 0;
    if (talk->held.n > capacity) {
        talk->held.n = talk->sampled.len = capacity;
    }
    int code = name_of(path, &name);
    code = code == EXIT_OK ? count_equal(talk->session, &talk->held, &n) : code;
    if (code == EXIT_OK && n < talk->held.n) {
        code = restore(talk, model, options, name.data, &n);
    }
    text_free(&name);
    code = code == EXIT_OK ? rewind_to(talk->session, n) : code;
    if (code != EXIT_OK) {
        lfm2_session_reset(talk->session); /* an empty one fits to all tokens */
    }
}
