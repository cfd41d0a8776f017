/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of token ids. Functions return EXIT_OK, or EXIT_FAILED after a message. */
#ifndef LFM2_TOOLS_TOKENS_H
#define LFM2_TOOLS_TOKENS_H

#include "cli/support/util.h"

typedef struct id_list {
    int32_t *data;
    size_t n;
    size_t capacity;
} id_list;

void ids_free(id_list *ids);
int ids_append(id_list *ids, const int32_t *more, size_t n);

/* Ids separated by commas or white space, appended; `what` names the source in messages. */
int ids_parse(id_list *ids, const char *text, size_t len, const char *what);

/* From `text` (an --ids value) if not NULL, else from the file `path` ("-" and NULL: stdin). */
int ids_input(const char *command, const char *text, const char *path, id_list *out);

/* Appends the ids of a text: flags as in lfm2_tokenize. */
int ids_of_text(const lfm2_model *model, const char *text, size_t len, uint32_t flags,
                id_list *ids);

typedef struct chat_message {
    const char *role;
    const char *content;
    size_t len;
} chat_message;

/* Appends the ids of rendered messages: LFM2_CHAT_* flags; `tools` may be NULL. Bytes of the
 * content that are not UTF-8 become U+FFFD. */
int ids_of_chat(const lfm2_model *model, const chat_message *messages, size_t n,
                const text_buffer *tools, uint32_t flags, id_list *ids);

/* The one id of a control token by its name, or -1. */
int32_t id_of_control(const lfm2_model *model, const char *name);

/* ids[from..] turned into text, appended: flags as in lfm2_detokenize. */
int text_of_ids(const lfm2_model *model, const int32_t *ids, size_t n, uint32_t flags,
                text_buffer *out);

#endif /* LFM2_TOOLS_TOKENS_H */
