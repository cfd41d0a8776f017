/* SPDX-License-Identifier: Apache-2.0 */
/* What the api_*.c files share. */
#ifndef LF_API_H
#define LF_API_H

#include "model/model.h"

/* LFM2_E_ARGUMENT naming the parameter. */
int32_t lf_api_null(const char *what);

/* Lays the caller's option struct (NULL: nothing) over the defaults in `options`, field by field as
 * far as the caller's version of the struct reaches; `least` is the size of its first version. */
int32_t lf_api_read(const void *given, size_t least, void *options, size_t size);

/* Bytes of an option struct up to and with `last`, the last field of its first version. */
#define LF_API_FIRST(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

/* Copies a result struct as far as the caller's version of it reaches. */
int32_t lf_api_write(const void *value, size_t size, void *out, const char *what);

#endif /* LF_API_H */
