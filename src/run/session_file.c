/* SPDX-License-Identifier: Apache-2.0 */
/* Implements saving sessions to files, descriptors and memory, and restoring them. */
#include "run/session_file.h"

#include "model/state_file.h"

/* ---- Saving ---- */

static lf_state_content content_of(const lfm2_session *session, uint32_t flags)
{
    bool has_logits = session->has_logits && (flags & LFM2_SAVE_NO_LOGITS) == 0;
    return (lf_state_content){.state = &session->state,
                              .logits = has_logits ? session->logits->at : NULL,
                              .pending = session->later};
}

/* Writes everything, commits, and frees the writer. */
static int32_t write_all(const lfm2_session *session, uint32_t flags, lf_writer *writer)
{
    const lf_state_content content = content_of(session, flags);
    int32_t status = lf_state_write(session->model, &content, writer);
    status = status == LFM2_OK ? lf_writer_commit(writer) : status;
    lf_writer_free(writer);
    return status;
}

int32_t lf_session_save(const lfm2_session *session, const char *path, uint32_t flags)
{
    uint32_t how = LF_WRITER_PRIVATE | ((flags & LFM2_SAVE_NO_SYNC) != 0 ? LF_WRITER_NO_SYNC : 0);
    lf_writer *writer = NULL;
    LF_TRY(lf_writer_create(&session->model->runtime->alloc, path, how, &writer));
    return write_all(session, flags, writer);
}

int32_t lf_session_save_fd(const lfm2_session *session, int fd, uint32_t flags)
{
    char buffer[LF_FILE_NAME];
    const lf_origin origin = {.kind = LF_FROM_FD, .fd = fd};
    const char *name = lf_origin_name(&origin, buffer);
    lf_writer *writer = NULL;
    LF_TRY(lf_writer_create_fd(&session->model->runtime->alloc, fd, name, &writer));
    return write_all(session, flags, writer);
}

int32_t lf_session_save_memory(const lfm2_session *session, uint32_t flags, void *buffer,
                               size_t capacity, size_t *bytes)
{
    const lf_state_content content = content_of(session, flags);
    uint64_t needed = lf_state_file_bytes(session->model, &content);
    if (needed > SIZE_MAX) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow",
                       "the size of the saved session in bytes overflows");
    }
    if (capacity < needed) {
        *bytes = (size_t)needed;
        return lf_fail(LFM2_E_BUFFER, "session_file.buffer",
                       "the saved session has %llu bytes; the buffer has %zu",
                       (unsigned long long)needed, capacity);
    }
    lf_writer *writer = NULL;
    LF_TRY(lf_writer_create_memory(&session->model->runtime->alloc, buffer, capacity, &writer));
    LF_TRY(write_all(session, flags, writer));
    *bytes = (size_t)needed;
    return LFM2_OK;
}

/* ---- Restoring ---- */

/* Creates the empty session that the header describes. */
static int32_t create(lfm2_model *model, const lf_input *input, const lf_state_header *header,
                      const lfm2_restore_options *options, lfm2_session **out)
{
    const lfm2_session_options o = {.size = sizeof o,
                                    .n_ctx = options->n_ctx,
                                    .n_chunk = options->n_chunk,
                                    .kv_type = (int32_t)header->kv_type,
                                    .n_reserve = options->n_reserve};
    lf_state measured;
    LF_TRY(lf_state_measure(model, &o, &measured));
    if (options->kv_type < LFM2_KV_ANY || options->kv_type >= LF_KV_COUNT) {
        return lf_fail(LFM2_E_ARGUMENT, "session.kv_type", "kv_type is %d; allowed: -1 to %d",
                       options->kv_type, LF_KV_COUNT - 1);
    }
    if (options->kv_type != LFM2_KV_ANY && options->kv_type != o.kv_type) {
        return lf_fail(LFM2_E_UNSUPPORTED, "session_file.kv_type",
                       "%s: the session has kv_type %d; the options ask for %d", input->name,
                       o.kv_type, options->kv_type);
    }
    uint64_t length = (uint64_t)header->length + (header->pending >= 0 ? 1 : 0);
    if (length > measured.n_ctx) {
        return lf_fail(LFM2_E_LIMIT, "session_file.n_ctx",
                       "%s: the session has %llu tokens; n_ctx is %u", input->name,
                       (unsigned long long)length, measured.n_ctx);
    }
    return lf_session_create(model, &o, out);
}

static int32_t read_content(lfm2_session *session, lf_input *input, const lf_state_header *header)
{
    lfm2_model *model = session->model;
    if (header->has_logits && session->logits == NULL) {
        LF_TRY(lf_floats_new(&model->runtime->alloc, model->source->hparams.n_vocab, "logits",
                             &session->logits));
    }
    float *logits = header->has_logits ? session->logits->at : NULL;
    LF_TRY(lf_state_read(model, input, header, &session->state, logits));
    session->has_logits = header->has_logits;
    session->later = header->pending;
    return LFM2_OK;
}

static int32_t restore(lfm2_model *model, lf_input *input, const lfm2_restore_options *options,
                       lfm2_session **out)
{
    lf_state_header header;
    lfm2_session *session = NULL;
    LF_TRY(lf_state_read_header(model, input, &header));
    LF_TRY(create(model, input, &header, options, &session));
    int32_t status = read_content(session, input, &header);
    if (status != LFM2_OK) {
        lf_session_free(session);
        return status;
    }
    *out = session;
    return LFM2_OK;
}

int32_t lf_session_restore(lfm2_model *model, const lf_origin *origin,
                           const lfm2_restore_options *options, lfm2_session **out)
{
    lf_file file;
    lf_input input;
    LF_TRY(lf_file_open_from(&model->runtime->alloc, origin, &file));
    lf_input_of_file(&file, &input);
    int32_t status = restore(model, &input, options, out);
    lf_file_close(&file);
    return status;
}

int32_t lf_session_restore_fd(lfm2_model *model, int fd, const lfm2_restore_options *options,
                              lfm2_session **out)
{
    lf_input input;
    LF_TRY(lf_input_of_fd(fd, &input));
    return restore(model, &input, options, out);
}
