/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps responses in a list, from the oldest to the newest. */
#include "serve/responses_store.h"

#include <stdlib.h>
#include <string.h>

void response_store_init(response_store *s, size_t max_bytes)
{
    *s = (response_store){.max_bytes = max_bytes};
}

static size_t size_of(const stored_response *r)
{
    return sizeof *r + strlen(r->id) + 1 + r->json_len + r->messages_len;
}

static void drop(response_store *s, stored_response *r)
{
    s->bytes -= size_of(r);
    if (r->older != NULL) {
        r->older->newer = r->newer;
    } else {
        s->oldest = r->newer;
    }
    if (r->newer != NULL) {
        r->newer->older = r->older;
    } else {
        s->newest = r->older;
    }
    free(r);
}

void response_store_free(response_store *s)
{
    while (s->oldest != NULL) {
        drop(s, s->oldest);
    }
}

bool response_store_add(response_store *s, const char *id, uint64_t owner, const char *json,
                        size_t json_len, const char *messages, size_t messages_len)
{
    size_t id_len = strlen(id) + 1;
    if (json_len > s->max_bytes || messages_len > s->max_bytes) {
        return false;
    }
    size_t bytes = sizeof(stored_response) + id_len + json_len + messages_len;
    stored_response *r = bytes > s->max_bytes ? NULL : malloc(bytes);
    if (r == NULL) {
        return false;
    }
    *r = (stored_response){.owner = owner, .json_len = json_len, .messages_len = messages_len};
    r->id = (char *)(r + 1);
    r->json = r->id + id_len;
    r->messages = r->json + json_len;
    memcpy(r->id, id, id_len);
    if (json_len > 0) {
        memcpy(r->json, json, json_len);
    }
    if (messages_len > 0) {
        memcpy(r->messages, messages, messages_len);
    }
    while (s->oldest != NULL && s->bytes + bytes > s->max_bytes) {
        drop(s, s->oldest);
    }
    r->older = s->newest;
    if (s->newest != NULL) {
        s->newest->newer = r;
    } else {
        s->oldest = r;
    }
    s->newest = r;
    s->bytes += bytes;
    return true;
}

static stored_response *find(const response_store *s, const char *id, uint64_t owner)
{
    for (stored_response *r = s->newest; r != NULL; r = r->older) {
        if (r->owner == owner && strcmp(r->id, id) == 0) {
            return r;
        }
    }
    return NULL;
}

const stored_response *response_store_find(const response_store *s, const char *id, uint64_t owner)
{
    return find(s, id, owner);
}

bool response_store_remove(response_store *s, const char *id, uint64_t owner)
{
    stored_response *r = find(s, id, owner);
    if (r != NULL) {
        drop(s, r);
    }
    return r != NULL;
}
