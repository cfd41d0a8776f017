/* SPDX-License-Identifier: Apache-2.0 */
/* LFM2's chat format as a list of spans over the caller's text. */
#ifndef LF_TEXT_CHAT_H
#define LF_TEXT_CHAT_H

#include "text/tokenizer.h"

typedef struct lf_chat {
    lf_arena arena; /* holds the spans and the re-written tools */
    const lf_span *spans;
    size_t n_spans;
    size_t len; /* bytes of the whole text */
} lf_chat;

/* Spans of control markers, tool lists, system and assistant text allow special tokens; user and
 * tool text does not. The spans point into the messages; `alloc` must outlive *out. `tools`: NULL
 * or tools_len 0 = none. Free with lf_chat_free also after failure. Errors: ARGUMENT (role, NULL),
 * TEXT (tools), MEMORY. */
int32_t lf_chat_build(const lf_alloc *alloc, const lfm2_message *messages, size_t n,
                      const char *tools, size_t tools_len, uint32_t flags, lf_chat *out);
void lf_chat_free(lf_chat *chat);

#endif /* LF_TEXT_CHAT_H */
