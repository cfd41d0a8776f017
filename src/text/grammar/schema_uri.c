/* SPDX-License-Identifier: Apache-2.0 */
/* URI references of schemas (RFC 3986): resolution against a base, and escapes in fragments. */
#include "text/grammar/schema_internal.h"

#include "common/hex.h"

#include <string.h>

/* The length of the scheme with its colon; 0: none. */
static size_t scheme_of(const char *uri, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = uri[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == ':') {
            return i > 0 ? i + 1 : 0;
        }
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'))) {
            return 0;
        }
    }
    return 0;
}

/* The length of scheme and authority. */
static size_t authority_of(const char *uri, size_t len)
{
    size_t at = scheme_of(uri, len);
    if (at + 1 < len && uri[at] == '/' && uri[at + 1] == '/') {
        for (at += 2; at < len && uri[at] != '/' && uri[at] != '?'; at++) {
        }
    }
    return at;
}

/* Removes the segments "." and ".." of the path at text[from .. len); returns the new length. */
static size_t remove_dots(char *text, size_t from, size_t len)
{
    size_t out = from;
    for (size_t at = from; at < len;) {
        size_t end = at + (text[at] == '/');
        while (end < len && text[end] != '/') {
            end++;
        }
        size_t name = at + (text[at] == '/');
        size_t n = end - name;
        if ((n == 1 && text[name] == '.') ||
            (n == 2 && text[name] == '.' && text[name + 1] == '.')) {
            if (n == 2) {
                while (out > from && text[--out] != '/') {
                }
            }
            if (end == len) {
                text[out++] = '/';
            }
        } else {
            memmove(text + out, text + at, end - at);
            out += end - at;
        }
        at = end;
    }
    return out;
}

int32_t lf_schema_join_uri(lf_schema *s, const char *base, const char *ref, size_t len,
                           const char **out)
{
    const size_t n_base = strlen(base);
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, n_base + len + 3, 1, &memory));
    char *text = memory;
    size_t keep = 0;
    if (scheme_of(ref, len) > 0 || n_base == 0) {
        keep = 0;
    } else if (len >= 2 && ref[0] == '/' && ref[1] == '/') {
        keep = scheme_of(base, n_base);
    } else if (len >= 1 && ref[0] == '/') {
        keep = authority_of(base, n_base);
    } else if (len == 0) {
        keep = n_base;
    } else {
        keep = n_base;
        size_t least = authority_of(base, n_base);
        while (keep > least && base[keep - 1] != '/') {
            keep--;
        }
    }
    memcpy(text, base, keep);
    if (keep > 0 && keep == authority_of(base, n_base) && len > 0 && ref[0] != '/' &&
        text[keep - 1] != ':') {
        text[keep++] = '/';
    }
    memcpy(text + keep, ref, len);
    size_t total = keep + len;
    size_t path = authority_of(text, total);
    if (path < total && text[path] == '/') {
        total = remove_dots(text, path, total);
    }
    text[total] = 0;
    *out = text;
    return LFM2_OK;
}

int32_t lf_schema_unescape(lf_schema *s, const char *text, size_t len, const char **out,
                           size_t *out_len)
{
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, len + 1, 1, &memory));
    char *copy = memory;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        uint32_t code = 0;
        if (c == '%' && len - i > 2 && lf_hex_read(text + i + 1, 2, &code)) {
            c = (char)code;
            i += 2;
        }
        copy[n++] = c;
    }
    copy[n] = 0;
    *out = copy;
    *out_len = n;
    return LFM2_OK;
}
