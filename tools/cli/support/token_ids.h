/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of token ids. Functions that return int return an exit code; they print a message before
 * they return anything but EXIT_OK. */
#ifndef LFM2_CLI_TOKENS_H
#define LFM2_CLI_TOKENS_H

#include "cli/support/text.h"

typedef struct id_list {
    int32_t *data;
    size_t n;
    size_t capacity;
} id_list;

void ids_free(id_list *ids);
int ids_append(id_list *ids, const int32_t *more, size_t n);

/* Parses `text`, the value of --ids, if it is not NULL, else the content of the file `path`, where
 * "-" and NULL mean standard input. */
int ids_input(const char *command, const char *text, const char *path, id_list *out);

/* Appends the ids of a text; `flags` as in lfm2_tokenize. */
int ids_of_text(const lfm2_model *model, const char *text, size_t len, uint32_t flags,
                id_list *ids);

/* The same for a text that starts a sequence: if it begins with the BOS token, no second one is
 * added. The name of the BOS at the start is the token if `known_bos` is true or `flags` have
 * LFM2_TOKENIZE_SPECIAL, otherwise it is text. */
int ids_of_document(const lfm2_model *model, const text_buffer *text, uint32_t flags,
                    bool known_bos, id_list *ids);

typedef struct chat_message {
    const char *role;
    const char *content;
    size_t len;
} chat_message;

/* Appends the ids of the rendered messages; `flags` are LFM2_CHAT_*, `tools` may be NULL. Bytes
 * that are not UTF-8 become U+FFFD. */
int ids_of_chat(const lfm2_model *model, const chat_message *messages, size_t n,
                const text_buffer *tools, uint32_t flags, id_list *ids);

/* The id of the control token with this name, or -1. */
int32_t id_of_control(const lfm2_model *model, const char *name);

/* Appends the text of the ids; `flags` as in lfm2_detokenize. */
int text_of_ids(const lfm2_model *model, const int32_t *ids, size_t n, uint32_t flags,
                text_buffer *out);

#endif /* LFM2_CLI_TOKENS_H */
