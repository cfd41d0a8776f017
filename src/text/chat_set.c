/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the chat templates of a model: which one a conversation uses, and their compilation.
 */
#include "text/chat_set.h"

#include "text/chat_format.h"
#include "text/template/template.h"

#include "common/utf8.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

typedef struct entry {
    lf_vocab_template source;
    _Atomic(lf_template *) compiled; /* NULL before the first use */
} entry;

struct lf_chat_set {
    lf_alloc alloc;
    const char *name;
    entry *entries; /* [n], the last one is the built-in format */
    uint32_t n;
};

int32_t lf_chat_set_create(const lf_alloc *alloc, const lf_vocab_data *vocab, const char *name,
                           lf_chat_set **out)
{
    void *p = NULL;
    void *entries = NULL;
    uint32_t n = vocab->n_templates + 1;
    LF_TRY(lf_new_zero(alloc, n, sizeof(entry), "chat templates", &entries));
    int32_t status = lf_new(alloc, 1, sizeof(lf_chat_set), "chat templates", &p);
    if (status != LFM2_OK) {
        lf_free(alloc, entries, n, sizeof(entry));
        return status;
    }
    lf_chat_set *set = p;
    *set = (lf_chat_set){.alloc = *alloc, .name = name, .entries = entries, .n = n};
    for (uint32_t i = 0; i < n; i++) {
        atomic_init(&set->entries[i].compiled, NULL);
        if (i + 1 < n) {
            set->entries[i].source = vocab->templates[i];
        }
    }
    set->entries[n - 1].source = (lf_vocab_template){.name = LF_CHAT_FORMAT_NAME,
                                                     .origin = "built-in",
                                                     .text = lf_chat_format,
                                                     .len = strlen(lf_chat_format)};
    *out = set;
    return LFM2_OK;
}

void lf_chat_set_free(lf_chat_set *set)
{
    if (set == NULL) {
        return;
    }
    for (uint32_t i = 0; i < set->n; i++) {
        lf_template_free(atomic_load(&set->entries[i].compiled));
    }
    lf_alloc alloc = set->alloc;
    lf_free(&alloc, set->entries, set->n, sizeof(entry));
    lf_free(&alloc, set, 1, sizeof *set);
}

uint32_t lf_chat_set_size(const lf_chat_set *set)
{
    return set->n;
}

const lf_vocab_template *lf_chat_set_at(const lf_chat_set *set, uint32_t index)
{
    return &set->entries[index].source;
}

/* The index of the first template of this name, or set->n. */
static uint32_t index_of(const lf_chat_set *set, const char *name)
{
    uint32_t i = 0;
    while (i < set->n && strcmp(set->entries[i].source.name, name) != 0) {
        i++;
    }
    return i;
}

int32_t lf_chat_set_find(const lf_chat_set *set, const char *name, uint32_t *index)
{
    uint32_t found = index_of(set, name);
    if (found == set->n) {
        char list[512] = "";
        size_t used = 0;
        for (uint32_t i = 0; i < set->n && used < sizeof list - 1; i++) {
            lf_shown shown;
            const char *other = set->entries[i].source.name;
            int n = snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                             lf_show(&shown, other, strlen(other)));
            used += n > 0 ? (size_t)n : 0;
        }
        lf_shown shown;
        return lf_fail(LFM2_E_ARGUMENT, "chat.template_name",
                       "%s: there is no chat template '%s'; allowed: %s", set->name,
                       lf_show(&shown, name, strlen(name)), list);
    }
    *index = found;
    return LFM2_OK;
}

uint32_t lf_chat_set_choose(const lf_chat_set *set, bool tools)
{
    uint32_t i = tools ? index_of(set, "tool_use") : set->n;
    i = i < set->n ? i : index_of(set, "default");
    return i < set->n ? i : set->n - 1;
}

int32_t lf_chat_set_get(lf_chat_set *set, uint32_t index, const lf_template **out)
{
    entry *e = &set->entries[index];
    lf_template *t = atomic_load(&e->compiled);
    if (t == NULL) {
        const lf_template_limits limits = lf_template_limits_default();
        int32_t status =
            lf_template_compile(&set->alloc, &limits, e->source.text, e->source.len, &t);
        if (status == LFM2_E_MEMORY) {
            return status;
        }
        if (status != LFM2_OK) {
            return lf_fail_prefix(status,
                                  "%s: %s cannot be used; choose another chat template, such as "
                                  "'" LF_CHAT_FORMAT_NAME "': ",
                                  set->name, e->source.origin);
        }
        lf_template *first = NULL;
        if (!atomic_compare_exchange_strong(&e->compiled, &first, t)) {
            lf_template_free(t);
            t = first; /* that of another thread */
        }
    }
    *out = t;
    return LFM2_OK;
}
