/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the functions of lfm2.h for sessions: checks arguments and calls run/. */
#include "api.h"

#include "run/sequence.h"
#include "run/session_file.h"

/* ---- Session ---- */

int32_t lf_api_end_call(lfm2_session *session, int32_t status)
{
    lf_session_take_cancel(session);
    return status;
}

static const lfm2_session_options session_defaults = {.size = sizeof session_defaults};

void lfm2_session_options_init(lfm2_session_options *options, size_t size)
{
    lf_api_init(options, size, &session_defaults, sizeof session_defaults);
}

int32_t lf_api_session_options(const lfm2_session_options *given, lfm2_session_options *out)
{
    *out = session_defaults;
    LF_TRY(lf_api_read("options", given, LF_API_FIRST(lfm2_session_options, reserved), out,
                       sizeof *out));
    LF_TRY(lf_api_flags(out->reserved, 0, "reserved"));
    return lf_api_flags(out->reserved2, 0, "reserved2");
}

int32_t lfm2_session_create(lfm2_model *model, const lfm2_session_options *options,
                            lfm2_session **out)
{
    if (model == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : "out");
    }
    lfm2_session_options o;
    LF_TRY(lf_api_session_options(options, &o));
    LF_TRY(lf_model_need_full(model));
    return lf_session_create(model, &o, out);
}

void lfm2_session_free(lfm2_session *session)
{
    lf_session_free(session);
}

int32_t lfm2_session_reset(lfm2_session *session)
{
    if (session == NULL) {
        return lf_api_null("session");
    }
    lf_session_reset(session);
    return LFM2_OK;
}

uint32_t lfm2_session_length(const lfm2_session *session)
{
    return session == NULL ? 0 : lf_session_length(session);
}

uint32_t lfm2_session_capacity(const lfm2_session *session)
{
    return session == NULL ? 0 : session->state.n_ctx;
}

int32_t lfm2_session_prefill(lfm2_session *session, const int32_t *ids, size_t n)
{
    if (session == NULL || ids == NULL) {
        return lf_api_null(session == NULL ? "session" : "ids");
    }
    return lf_api_end_call(session, lf_session_append(session, ids, n, NULL));
}

int32_t lfm2_session_decode(lfm2_session *session, int32_t id)
{
    if (session == NULL) {
        return lf_api_null("session");
    }
    return lf_api_end_call(session, lf_session_append(session, &id, 1, NULL));
}

int32_t lfm2_session_decode_many(lfm2_session *const *sessions, const int32_t *ids, uint32_t n)
{
    if (sessions == NULL || ids == NULL) {
        return lf_api_null(sessions == NULL ? "sessions" : "ids");
    }
    if (n == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "session.empty", "n is 0; at least one session is needed");
    }
    for (uint32_t i = 0; i < n; i++) {
        if (sessions[i] == NULL) {
            return lf_fail(LFM2_E_ARGUMENT, "argument.null", "sessions[%u] is NULL", i);
        }
    }
    int32_t status = lf_session_append_many(sessions, ids, n);
    for (uint32_t i = 0; i < n; i++) {
        lf_api_end_call(sessions[i], status);
    }
    return status;
}

int32_t lfm2_session_eval(lfm2_session *session, const int32_t *ids, size_t n, float *out)
{
    if (session == NULL || ids == NULL || out == NULL) {
        return lf_api_null(session == NULL ? "session" : ids == NULL ? "ids" : "out");
    }
    return lf_api_end_call(session, lf_session_append(session, ids, n, out));
}

int32_t lfm2_session_logits(lfm2_session *session, const float **logits, size_t *n_vocab)
{
    if (session == NULL || logits == NULL) {
        return lf_api_null(session == NULL ? "session" : "logits");
    }
    LF_TRY(lf_api_end_call(session, lf_session_logits(session, logits)));
    if (n_vocab != NULL) {
        *n_vocab = session->model->source->hparams.n_vocab;
    }
    return LFM2_OK;
}

void lfm2_session_cancel(lfm2_session *session)
{
    if (session != NULL) {
        atomic_store(&session->cancel, 1);
    }
}

/* ---- Operations on the tokens ---- */

int32_t lfm2_session_fork(const lfm2_session *session, lfm2_session **out)
{
    if (session == NULL || out == NULL) {
        return lf_api_null(session == NULL ? "session" : "out");
    }
    return lf_session_fork(session, out);
}

int32_t lfm2_session_tokens(const lfm2_session *session, uint32_t first, uint32_t n, int32_t *ids)
{
    if (session == NULL || ids == NULL) {
        return lf_api_null(session == NULL ? "session" : "ids");
    }
    return lf_session_tokens(session, first, n, ids);
}

int32_t lfm2_session_rewind(lfm2_session *session, uint32_t length)
{
    if (session == NULL) {
        return lf_api_null("session");
    }
    return lf_api_end_call(session, lf_session_rewind(session, length));
}

int32_t lfm2_session_remove(lfm2_session *session, uint32_t first, uint32_t n,
                            lfm2_remove_result *result)
{
    if (session == NULL) {
        return lf_api_null("session");
    }
    if (result != NULL) {
        LF_TRY(lf_api_check_result(result, "result"));
    }
    lfm2_remove_result r = {.size = sizeof r};
    LF_TRY(lf_api_end_call(session, lf_session_remove(session, first, n, &r)));
    return result == NULL ? LFM2_OK : lf_api_write(&r, sizeof r, result, "result");
}

/* ---- Saving and restoring ---- */

static int32_t check_save(const lfm2_session *session, uint32_t flags)
{
    return session == NULL ? lf_api_null("session")
                           : lf_api_flags(flags, LFM2_SAVE_NO_SYNC | LFM2_SAVE_NO_LOGITS, "flags");
}

int32_t lfm2_session_save(const lfm2_session *session, const char *path, uint32_t flags)
{
    LF_TRY(check_save(session, flags));
    return path == NULL ? lf_api_null("path") : lf_session_save(session, path, flags);
}

int32_t lfm2_session_save_fd(const lfm2_session *session, int32_t fd, uint32_t flags)
{
    LF_TRY(check_save(session, flags));
    return lf_session_save_fd(session, fd, flags);
}

int32_t lfm2_session_save_memory(const lfm2_session *session, uint32_t flags, void *buffer,
                                 size_t capacity, size_t *bytes)
{
    LF_TRY(check_save(session, flags));
    if (bytes == NULL || (buffer == NULL && capacity > 0)) {
        return lf_api_null(bytes == NULL ? "bytes" : "buffer");
    }
    return lf_session_save_memory(session, flags, buffer, capacity, bytes);
}

static const lfm2_restore_options restore_defaults = {.size = sizeof restore_defaults,
                                                      .kv_type = LFM2_KV_ANY};

void lfm2_restore_options_init(lfm2_restore_options *options, size_t size)
{
    lf_api_init(options, size, &restore_defaults, sizeof restore_defaults);
}

/* Checks all arguments of a restore but its source. */
static int32_t check_restore(const lfm2_model *model, const lfm2_restore_options *given,
                             lfm2_session *const *out, lfm2_restore_options *options)
{
    if (model == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : "out");
    }
    *options = restore_defaults;
    LF_TRY(lf_api_read("options", given, LF_API_FIRST(lfm2_restore_options, n_reserve), options,
                       sizeof *options));
    return lf_model_need_full(model);
}

int32_t lfm2_session_restore(lfm2_model *model, const char *path,
                             const lfm2_restore_options *options, lfm2_session **out)
{
    lfm2_restore_options o;
    LF_TRY(check_restore(model, options, out, &o));
    if (path == NULL) {
        return lf_api_null("path");
    }
    const lf_origin origin = {.kind = LF_FROM_PATH, .copy = true, .path = path};
    return lf_session_restore(model, &origin, &o, out);
}

int32_t lfm2_session_restore_fd(lfm2_model *model, int32_t fd, const lfm2_restore_options *options,
                                lfm2_session **out)
{
    lfm2_restore_options o;
    LF_TRY(check_restore(model, options, out, &o));
    return lf_session_restore_fd(model, fd, &o, out);
}

int32_t lfm2_session_restore_memory(lfm2_model *model, const void *data, size_t bytes,
                                    const lfm2_restore_options *options, lfm2_session **out)
{
    lfm2_restore_options o;
    LF_TRY(check_restore(model, options, out, &o));
    if (data == NULL) {
        return lf_api_null("data");
    }
    const lf_origin origin = {.kind = LF_FROM_MEMORY, .memory = data, .bytes = bytes};
    return lf_session_restore(model, &origin, &o, out);
}
