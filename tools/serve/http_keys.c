/* SPDX-License-Identifier: Apache-2.0 */
/* API keys: a file with one a line, and which of them a request has. */
#include "serve/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 10000, MAX_LINE = 1024, MIN_SECRET = 1 };

void http_keys_free(http_keys *keys)
{
    for (uint32_t i = 0; i < keys->n; i++) {
        free(keys->items[i].name);
        free(keys->items[i].secret);
    }
    free(keys->items);
    *keys = (http_keys){0};
}

/* A number that stays the same when the server starts again: by it sessions belong to a key. */
static uint64_t owner_of(const char *text, size_t len)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001B3u;
    }
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
    return hash != 0 ? hash : 1;
}

/* Adds "SECRET" or "NAME:SECRET". Returns false if there is no memory or too many. */
static bool add_key(http_keys *keys, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon != NULL ? (size_t)(colon - line) : 0;
    const char *secret = colon != NULL ? colon + 1 : line;
    size_t secret_len = len - (size_t)(secret - line);
    if (keys->n == MAX_KEYS) {
        return false;
    }
    http_key *items = realloc(keys->items, (keys->n + 1) * sizeof *items);
    if (items == NULL) {
        return false;
    }
    keys->items = items;
    http_key *key = &items[keys->n];
    *key = (http_key){.len = secret_len};
    char number[32];
    snprintf(number, sizeof number, "key-%u", keys->n + 1);
    key->name = name_len > 0 ? strndup(line, name_len) : strdup(number);
    key->secret = strndup(secret, secret_len);
    if (key->name == NULL || key->secret == NULL) {
        free(key->name);
        free(key->secret);
        return false;
    }
    key->owner = name_len > 0 ? owner_of(line, name_len + 1) : owner_of(secret, secret_len);
    keys->n++;
    return true;
}

/* Why a line is no key; NULL if it is one. */
static const char *line_problem(const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (len >= MAX_LINE - 1) {
        return "the line is too long";
    }
    for (size_t i = 0; i < len; i++) {
        if (line[i] <= ' ' || line[i] > '~' || line[i] == '"' || line[i] == '\\') {
            return "a key consists of visible ASCII characters without quotes and backslashes";
        }
    }
    if (colon != NULL && (size_t)(colon - line) + 1 + MIN_SECRET > len) {
        return "the key after the name is empty";
    }
    return NULL;
}

static bool read_lines(FILE *file, const char *path, http_keys *out, char *message)
{
    char line[MAX_LINE];
    for (uint32_t number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        size_t len = strcspn(line, "\r\n");
        if (len == 0 || line[0] == '#') {
            continue;
        }
        const char *problem = line_problem(line, len);
        if (problem == NULL && !add_key(out, line, len)) {
            problem = "too many keys, or no memory";
        }
        if (problem != NULL) {
            snprintf(message, HTTP_MESSAGE, "%.200s: line %u: %s", path, number, problem);
            return false;
        }
    }
    if (ferror(file)) {
        snprintf(message, HTTP_MESSAGE, "%.200s: the keys cannot be read", path);
        return false;
    }
    return true;
}

bool http_keys_read(const char *path, const char *const *extra, uint32_t n_extra, http_keys *out,
                    char *message)
{
    bool good = true;
    *out = (http_keys){0};
    if (path != NULL) {
        FILE *file = fopen(path, "re");
        if (file == NULL) {
            snprintf(message, HTTP_MESSAGE, "%.200s: the keys cannot be read: %s", path,
                     strerror(errno));
            return false;
        }
        good = read_lines(file, path, out, message);
        fclose(file);
    }
    for (uint32_t i = 0; good && i < n_extra; i++) {
        const char *problem = line_problem(extra[i], strlen(extra[i]));
        if (problem != NULL || !add_key(out, extra[i], strlen(extra[i]))) {
            snprintf(message, HTTP_MESSAGE, "--api-key: %s",
                     problem != NULL ? problem : "there is no memory");
            good = false;
        }
    }
    if (good && out->n == 0 && (path != NULL || n_extra > 0)) {
        snprintf(message, HTTP_MESSAGE, "%.200s: the file has no key", path);
        good = false;
    }
    if (!good) {
        http_keys_free(out);
    }
    return good;
}

/* Compares without ending early, and looks at all bytes of the given text. */
static bool equal(const http_key *key, http_text given)
{
    size_t difference = key->len ^ given.len;
    for (size_t i = 0; i < given.len; i++) {
        unsigned char mine = (unsigned char)key->secret[i % (key->len + 1)];
        difference |= (size_t)(mine ^ (unsigned char)given.at[i]);
    }
    return difference == 0;
}

const http_key *http_keys_find(const http_keys *keys, const http_head *head)
{
    const http_key *found = NULL;
    http_text given[2] = {head->api_key, head->authorization};
    http_text *bearer = &given[1];
    http_text scheme = {bearer->at, bearer->len < 6 ? bearer->len : 6};
    if (http_text_is(scheme, "bearer") && bearer->len > 7 && bearer->at[6] == ' ') {
        bearer->at += 7;
        bearer->len -= 7;
        while (bearer->len > 0 && bearer->at[0] == ' ') {
            bearer->at++;
            bearer->len--;
        }
    } else {
        bearer->len = 0;
    }
    for (size_t g = 0; g < 2; g++) {
        for (uint32_t i = 0; given[g].len > 0 && i < keys->n; i++) {
            if (equal(&keys->items[i], given[g])) {
                found = &keys->items[i];
            }
        }
    }
    return found;
}
