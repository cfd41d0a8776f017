/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the assembly of whole UTF-8 characters from bytes that arrive in any portions. */
#include "text/tokenizer.h"

#include "common/utf8.h"

#include <string.h>

/* U+FFFD */
static size_t put_replacement(char *out)
{
    memcpy(out, "\xEF\xBF\xBD", 3);
    return 3;
}

size_t lf_utf8_push_bound(size_t len)
{
    /* Every byte can be a U+FFFD of its own, and what was pending one more. */
    return len > SIZE_MAX / 3 - 1 ? SIZE_MAX : 3 * len + 3;
}

/* Adds one byte to a character begun earlier. Returns false if the byte does not belong to it; the
 * character has then come out as U+FFFD. */
static bool extend(lf_utf8_stream *stream, uint8_t byte, char *out, size_t *written)
{
    stream->pending[stream->n_pending] = byte;
    uint32_t code = 0;
    size_t n = lf_utf8_decode(stream->pending, stream->n_pending + 1u, &code);
    if (code == LF_UTF8_CUT) {
        stream->n_pending++;
        return true;
    }
    if (code == LF_UTF8_BAD) {
        *written += put_replacement(out + *written);
    } else {
        memcpy(out + *written, stream->pending, n);
        *written += n;
    }
    stream->n_pending = 0;
    return code != LF_UTF8_BAD;
}

size_t lf_utf8_push(lf_utf8_stream *stream, const char *bytes, size_t len, char *out)
{
    const uint8_t *p = (const uint8_t *)bytes;
    size_t written = 0;
    size_t i = 0;
    while (i < len && stream->n_pending > 0) {
        i += extend(stream, p[i], out, &written);
    }
    while (i < len) {
        uint32_t code = 0;
        size_t n = lf_utf8_decode(p + i, len - i, &code);
        if (code == LF_UTF8_CUT) {
            memcpy(stream->pending, p + i, n);
            stream->n_pending = (uint32_t)n;
        } else if (code == LF_UTF8_BAD) {
            written += put_replacement(out + written);
        } else {
            memcpy(out + written, p + i, n);
            written += n;
        }
        i += n;
    }
    return written;
}

size_t lf_utf8_flush(lf_utf8_stream *stream, char *out)
{
    bool pending = stream->n_pending > 0;
    stream->n_pending = 0;
    return pending ? put_replacement(out) : 0;
}
