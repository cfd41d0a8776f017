/* SPDX-License-Identifier: Apache-2.0 */
/* Whole UTF-8 characters from bytes that arrive in arbitrary portions. */
#ifndef LF_TEXT_UTF8_STREAM_H
#define LF_TEXT_UTF8_STREAM_H

#include <stddef.h>
#include <stdint.h>

/* Initialize with zeros; nothing is allocated. */
typedef struct lf_utf8_stream {
    uint8_t pending[4]; /* the first bytes of an incomplete character */
    uint32_t n_pending;
} lf_utf8_stream;

/* The most bytes that lf_utf8_push writes for `len` input bytes. */
size_t lf_utf8_push_bound(size_t len);

/* Adds bytes and writes all characters that are now complete. Each maximal subpart (Unicode
 * standard, section 3.9) of invalid bytes becomes U+FFFD. Returns the number of bytes written. */
size_t lf_utf8_push(lf_utf8_stream *stream, const char *bytes, size_t len, char *out);

/* Ends the stream: writes U+FFFD for an incomplete character. Returns the number of bytes written,
 * 0 or 3. */
size_t lf_utf8_flush(lf_utf8_stream *stream, char *out);

#endif /* LF_TEXT_UTF8_STREAM_H */
