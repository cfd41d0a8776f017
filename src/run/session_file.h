/* SPDX-License-Identifier: Apache-2.0 */
/* Saving sessions and restoring them. */
#ifndef LF_RUN_SESSION_FILE_H
#define LF_RUN_SESSION_FILE_H

#include "run/session.h"

/* Contracts: the functions of lfm2.h with these names, with checked flags and no NULL where those
 * refuse it. `options` are complete. */
int32_t lf_session_save(const lfm2_session *session, const char *path, uint32_t flags);
int32_t lf_session_save_fd(const lfm2_session *session, int fd, uint32_t flags);
int32_t lf_session_save_memory(const lfm2_session *session, uint32_t flags, void *buffer,
                               size_t capacity, size_t *bytes);

/* `origin` is a path or memory. */
int32_t lf_session_restore(lfm2_model *model, const lf_origin *origin,
                           const lfm2_restore_options *options, lfm2_session **out);
int32_t lf_session_restore_fd(lfm2_model *model, int fd, const lfm2_restore_options *options,
                              lfm2_session **out);

#endif /* LF_RUN_SESSION_FILE_H */
