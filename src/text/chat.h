/* SPDX-License-Identifier: Apache-2.0 */
/* Renders a conversation in LFM2's chat format, as a list of spans. */
#ifndef LF_TEXT_CHAT_H
#define LF_TEXT_CHAT_H

#include "text/tokenizer.h"

typedef struct lf_chat {
    lf_arena arena; /* contains the spans and their text */
    const lf_span *spans;
    size_t n_spans;
    size_t len; /* bytes of the whole text */
} lf_chat;

/* `messages` is a JSON array as lfm2_chat_render describes it. Markers, the tool list and the
 * content of system and assistant messages become spans with `special`; the content of user and
 * tool messages becomes spans without it, so that control tokens written there stay text. `alloc`
 * must outlive *out; messages and options can be freed. Free with lf_chat_free, after failure as
 * well. Errors: TEXT (malformed input), UNSUPPORTED (role, member, content), MEMORY. */
int32_t lf_chat_build(const lf_alloc *alloc, const char *messages, size_t messages_len,
                      const lfm2_chat_options *options, lf_chat *out);
void lf_chat_free(lf_chat *chat);

#endif /* LF_TEXT_CHAT_H */
