/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/load: recognizes files that are not models this library loads, and says in one
 * sentence what they are and what to do. */
#ifndef LF_LOAD_ADVICE_H
#define LF_LOAD_ADVICE_H

#include "load/load.h"

/* Whether `text` starts with, ends with or contains a text in lower case. ASCII letters of `text`
 * match in both cases. */
bool lf_starts(const char *text, size_t n, const char *prefix);
bool lf_ends_with(const char *text, size_t n, const char *ending);
bool lf_contains(const char *text, size_t n, const char *word);

/* Bytes of the start of a file that lf_advice_start looks at. */
enum { LF_ADVICE_BYTES = 256 };

/* The advice for a file that starts with these bytes, or NULL. */
const char *lf_advice_start(const uint8_t *bytes, size_t n);

/* The advice for a file with this name that has weights in a format that is not read: "what it is;
 * what to do". NULL for other files. */
const char *lf_advice_weights(const char *name, size_t n);

/* The advice for an architecture or a class of models, or NULL. Case does not matter. */
const char *lf_advice_model(const char *name, size_t len);

/* The advice for an encoder. */
extern const char lf_advice_encoder[];

#endif /* LF_LOAD_ADVICE_H */
