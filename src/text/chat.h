/* SPDX-License-Identifier: Apache-2.0 */
/* LFM2's chat format as a list of spans. */
#ifndef LF_TEXT_CHAT_H
#define LF_TEXT_CHAT_H

#include "text/tokenizer.h"

typedef struct lf_chat {
    lf_arena arena; /* holds the spans and their text */
    const lf_span *spans;
    size_t n_spans;
    size_t len; /* bytes of the whole text */
} lf_chat;

/* Spans of control markers, tool lists, system and assistant text allow special tokens; user and
 * tool text does not. `alloc` must outlive *out; messages and options need not. Free with
 * lf_chat_free, after failure as well. Errors: TEXT (messages, tools), UNSUPPORTED, MEMORY. */
int32_t lf_chat_build(const lf_alloc *alloc, const char *messages, size_t messages_len,
                      const lfm2_chat_options *options, lf_chat *out);
void lf_chat_free(lf_chat *chat);

#endif /* LF_TEXT_CHAT_H */
