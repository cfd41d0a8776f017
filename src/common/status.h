/* SPDX-License-Identifier: Apache-2.0 */
/* Declares how functions fail: they return a status, and store its message and code for the
 * calling thread. */
#ifndef LF_COMMON_STATUS_H
#define LF_COMMON_STATUS_H

#include "lfm2.h"

#if defined(__GNUC__)
#define LF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define LF_UNUSED            __attribute__((unused))
#else
#define LF_PRINTF(fmt, args)
#define LF_UNUSED
#endif

/* Records the failure and returns `status`. `code` is a static string such as "gguf.truncated". */
int32_t lf_fail(int32_t status, const char *code, const char *format, ...) LF_PRINTF(3, 4);

/* Fails with "path: what: description of errno". Returns MEMORY for ENOMEM, otherwise IO. */
int32_t lf_fail_errno(int error, const char *code, const char *path, const char *what);

/* Prepends text to the recorded message ("model.gguf: " + message) and returns `status`. */
int32_t lf_fail_prefix(int32_t status, const char *format, ...) LF_PRINTF(2, 3);

/* A successful call of the API does not change lfm2_last_error. A function that recovers from a
 * failure therefore saves the record before the call that may fail, and restores it. */
typedef struct lf_failure {
    char text[1024];
    const char *code; /* NULL: none yet */
} lf_failure;

void lf_fail_save(lf_failure *out);
void lf_fail_restore(const lf_failure *saved);

const char *lf_fail_text(void);
const char *lf_fail_code(void);

/* Returns from the calling function if the expression is a failure. */
#define LF_TRY(expr)                                                                               \
    do {                                                                                           \
        int32_t lf_try_status_ = (expr);                                                           \
        if (lf_try_status_ != LFM2_OK) {                                                           \
            return lf_try_status_;                                                                 \
        }                                                                                          \
    } while (0)

/* The same for functions that clean up at the label `done` and return their local `status`. */
#define LF_TRY_DONE(expr)                                                                          \
    do {                                                                                           \
        status = (expr);                                                                           \
        if (status != LFM2_OK) {                                                                   \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

#endif /* LF_COMMON_STATUS_H */
