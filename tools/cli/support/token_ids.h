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
int ids_reserve(id_list *ids, size_t more); /* makes space for `more` ids after the last */
int ids_append(id_list *ids, const int32_t *more, size_t n);

/* Prints the ids on one line, separated by commas. */
void ids_print(const id_list *ids);

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

/* Appends the text of the ids; `flags` as in lfm2_detokenize. */
int text_of_ids(const lfm2_model *model, const int32_t *ids, size_t n, uint32_t flags,
                text_buffer *out);

#endif /* LFM2_CLI_TOKENS_H */
