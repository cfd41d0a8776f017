/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the constraints that were used last. Without memory for that, nothing is kept. */
#include "serve/constraints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything that decides what is compiled. Returns NULL without memory. */
static char *make_key(int32_t kind, const char *text, size_t len,
                      const lfm2_constraint_options *options, size_t *key_len)
{
    const char *tool = options->tool_name != NULL ? options->tool_name : "";
    char head[128];
    int n = snprintf(head, sizeof head, "%d %u %d %d %d %zu ", (int)kind, (unsigned)options->flags,
                     (int)options->space, (int)options->reasoning, (int)options->tool_choice,
                     strlen(tool));
    size_t n_head = (size_t)n, n_tool = strlen(tool);
    char *key = malloc(n_head + n_tool + len + 1);
    if (key == NULL) {
        return NULL;
    }
    memcpy(key, head, n_head);
    memcpy(key + n_head, tool, n_tool);
    memcpy(key + n_head + n_tool, text, len);
    *key_len = n_head + n_tool + len;
    return key;
}

static void drop(cached_constraint *c)
{
    lfm2_constraint_free(c->constraint);
    free(c->key);
    *c = (cached_constraint){0};
}

int32_t constraint_get(constraint_cache *cache, lfm2_model *model, int32_t kind, const char *text,
                       size_t len, const lfm2_constraint_options *options, lfm2_constraint **out)
{
    size_t key_len = 0;
    char *key = make_key(kind, text, len, options, &key_len);
    cached_constraint *oldest = &cache->all[0];
    for (int i = 0; i < MAX_CACHED_CONSTRAINTS && key != NULL; i++) {
        cached_constraint *c = &cache->all[i];
        if (c->constraint != NULL && c->key_len == key_len && memcmp(c->key, key, key_len) == 0) {
            c->used = ++cache->uses;
            *out = lfm2_constraint_retain(c->constraint);
            free(key);
            return LFM2_OK;
        }
        oldest = c->used < oldest->used ? c : oldest;
    }
    int32_t status = lfm2_constraint_create(model, kind, text, len, options, out);
    if (status != LFM2_OK || key == NULL) {
        free(key);
        return status;
    }
    drop(oldest);
    *oldest = (cached_constraint){.constraint = lfm2_constraint_retain(*out),
                                  .key = key,
                                  .key_len = key_len,
                                  .used = ++cache->uses};
    return LFM2_OK;
}

void constraint_cache_free(constraint_cache *cache)
{
    for (int i = 0; i < MAX_CACHED_CONSTRAINTS; i++) {
        drop(&cache->all[i]);
    }
}
