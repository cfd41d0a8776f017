/* SPDX-License-Identifier: Apache-2.0 */
/* The handle of a chat template that an application chooses. */
#ifndef LF_RUN_CHAT_TEMPLATE_H
#define LF_RUN_CHAT_TEMPLATE_H

#include "runtime/runtime.h"
#include "text/template/template.h"

struct lfm2_chat_template {
    atomic_uint_fast32_t refs;
    lfm2_runtime *runtime;
    lf_template *compiled;
    lf_arena arena; /* contains the strings */
    const char *name, *origin;
};

/* Compiles `text`; copies name and origin. Errors: those of lf_template_compile. */
int32_t lf_chat_template_create(lfm2_runtime *runtime, const char *name, const char *origin,
                                const char *text, size_t len, lfm2_chat_template **out);
void lf_chat_template_release(lfm2_chat_template *t); /* NULL is allowed */

#endif /* LF_RUN_CHAT_TEMPLATE_H */
