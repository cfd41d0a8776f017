/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of the operating system as statuses. */
#ifndef LF_COMMON_OS_H
#define LF_COMMON_OS_H

#include "common/status.h"

/* "path: what: text of the errno value"; MEMORY for ENOMEM, otherwise IO. Returns the status. */
int32_t lf_fail_errno(int error, const char *code, const char *path, const char *what);

#endif /* LF_COMMON_OS_H */
