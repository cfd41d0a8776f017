/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the handle of a chat template. */
#include "run/chat_template.h"

#include <string.h>

int32_t lf_chat_template_create(lfm2_runtime *runtime, const char *name, const char *origin,
                                const char *text, size_t len, lfm2_chat_template **out)
{
    const lf_alloc *alloc = &runtime->alloc;
    const lf_template_limits limits = lf_template_limits_default();
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lfm2_chat_template), "chat template", &p));
    lfm2_chat_template *t = p;
    int32_t status = LFM2_OK;
    atomic_init(&t->refs, 1);
    t->runtime = lf_runtime_retain(runtime);
    lf_arena_init(&t->arena, alloc);
    LF_TRY_DONE(lf_arena_string(&t->arena, name, strlen(name), &t->name));
    LF_TRY_DONE(lf_arena_string(&t->arena, origin, strlen(origin), &t->origin));
    LF_TRY_DONE(lf_template_compile(alloc, &limits, text, len, &t->compiled));
    *out = t;
    t = NULL;
done:
    lf_chat_template_release(t);
    return status;
}

void lf_chat_template_release(lfm2_chat_template *t)
{
    if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1) {
        return;
    }
    lfm2_runtime *runtime = t->runtime;
    lf_template_free(t->compiled);
    lf_arena_free(&t->arena);
    lf_free(&runtime->alloc, t, 1, sizeof *t);
    lf_runtime_release(runtime);
}
