/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the host's log sink. */
#ifndef LF_COMMON_LOG_H
#define LF_COMMON_LOG_H

#include "common/status.h"

typedef struct lf_log {
    void (*sink)(void *user, int32_t level, const char *text, size_t len);
    void *user;
    int32_t level;
} lf_log;

/* Formats a message and passes it to the sink, unless there is none or `level` exceeds log->level.
 * A message is cut after 1023 bytes. */
void lf_log_write(const lf_log *log, int32_t level, const char *format, ...) LF_PRINTF(3, 4);

#endif /* LF_COMMON_LOG_H */
