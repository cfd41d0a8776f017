/* SPDX-License-Identifier: Apache-2.0 */
/* What the api_*.c files share. */
#ifndef LF_API_H
#define LF_API_H

#include "model/model.h"

/* LFM2_E_ARGUMENT naming the parameter. */
int32_t lf_api_null(const char *what);

/* Every public struct is smaller, in any version: a larger `size` is a field that was never set. */
enum { LF_API_MAX_STRUCT = 4096 };

/* The body of every _init function: clears the caller's `size` bytes and copies the defaults as far
 * as they reach. Nothing happens if options is NULL or cannot hold `size`. */
void lf_api_init(void *options, size_t size, const void *defaults, size_t defaults_size);

/* Copies the caller's option struct (NULL: nothing) over the defaults in `options` as far as the
 * caller's version of the struct reaches; `least` is the size of its first version. ARGUMENT for a
 * size that no version has, and for a field set that this version does not know; `what` names the
 * struct in messages. */
int32_t lf_api_read(const char *what, const void *given, size_t least, void *options, size_t size);

/* ARGUMENT if `flags` has bits outside `known`, or a reserved field is not 0. */
int32_t lf_api_flags(uint32_t flags, uint32_t known, const char *what);

/* Bytes of an option struct up to and with `last`, the last field of its first version. */
#define LF_API_FIRST(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

/* ARGUMENT unless `out` is a result struct whose size is set; writes nothing. */
int32_t lf_api_check_result(const void *out, const char *what);

/* Copies a result struct as far as the caller's version of it reaches; clears what a newer caller's
 * has more. */
int32_t lf_api_write(const void *value, size_t size, void *out, const char *what);

/* The caller's session options, checked. */
int32_t lf_api_session_options(const lfm2_session_options *given, lfm2_session_options *out);

#endif /* LF_API_H */
