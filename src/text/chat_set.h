/* SPDX-License-Identifier: Apache-2.0 */
/* The chat templates of a model: those of its files, then the built-in format. */
#ifndef LF_TEXT_CHAT_SET_H
#define LF_TEXT_CHAT_SET_H

#include "load/source.h"

typedef struct lf_template lf_template;
typedef struct lf_chat_set lf_chat_set;

/* The templates of `vocab` and `name`, the model's name for messages, must outlive the set. Errors:
 * MEMORY. */
int32_t lf_chat_set_create(const lf_alloc *alloc, const lf_vocab_data *vocab, const char *name,
                           lf_chat_set **out);
void lf_chat_set_free(lf_chat_set *set);

uint32_t lf_chat_set_size(const lf_chat_set *set);
const lf_vocab_template *lf_chat_set_at(const lf_chat_set *set, uint32_t index);

/* The first template of this name. Errors: ARGUMENT (none; the message lists the names). */
int32_t lf_chat_set_find(const lf_chat_set *set, const char *name, uint32_t *index);

/* The template that transformers uses for a conversation: with tools "tool_use" if there is one,
 * else "default"; the built-in format if there is neither. */
uint32_t lf_chat_set_choose(const lf_chat_set *set, bool tools);

/* The compiled template, which the first call compiles. Threads may call this at once. *out lives
 * as long as the set. Errors: those of lf_template_compile; the message says what to do. */
int32_t lf_chat_set_get(lf_chat_set *set, uint32_t index, const lf_template **out);

#endif /* LF_TEXT_CHAT_SET_H */
