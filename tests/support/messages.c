/* SPDX-License-Identifier: Apache-2.0 */
/* Writes test conversations as JSON. */
#include "support/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *put_string(char *at, const char *text, size_t len)
{
    *at++ = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            at += snprintf(at, 7, "\\u%04x", (unsigned)byte);
        } else {
            *at++ = (char)byte;
        }
    }
    *at++ = '"';
    return at;
}

static char *put(char *at, const char *text)
{
    size_t n = strlen(text);
    memcpy(at, text, n);
    return at + n;
}

char *lft_messages_json(const lft_message *messages, size_t n, size_t *len)
{
    enum { ESCAPED = 6, FRAME = 64 };
    size_t most = FRAME;
    for (size_t i = 0; i < n; i++) {
        most += ESCAPED * (strlen(messages[i].role) + messages[i].content_len) + FRAME;
    }
    char *json = malloc(most);
    if (json == NULL) {
        abort();
    }
    char *at = put(json, "[");
    for (size_t i = 0; i < n; i++) {
        at = put(at, i > 0 ? ", {\"role\": " : "{\"role\": ");
        at = put_string(at, messages[i].role, strlen(messages[i].role));
        at = put(at, ", \"content\": ");
        at = put_string(at, messages[i].content, messages[i].content_len);
        at = put(at, "}");
    }
    at = put(at, "]");
    *at = '\0';
    if (len != NULL) {
        *len = (size_t)(at - json);
    }
    return json;
}
