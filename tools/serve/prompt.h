/* SPDX-License-Identifier: Apache-2.0 */
/* The token ids of prompts. */
#ifndef LFM2_SERVE_PROMPT_H
#define LFM2_SERVE_PROMPT_H

#include "serve/job.h"

typedef struct id_list {
    int32_t *ids;
    size_t n, capacity;
} id_list;

void id_list_free(id_list *list);

/* Makes room for `n` ids. Returns false without memory; the list is then unchanged. */
bool id_list_reserve(id_list *list, size_t n);

/* The options with which the messages of a request are rendered. *now must live as long. */
void prompt_chat_options(const api *a, const job_request *request, lfm2_chat_options *options,
                         lfm2_time *now);

/* Renders the conversation of a request. Replies and returns false if that fails. */
bool prompt_render(api *a, exchange *x, const job_request *request, id_list *out);

/* Tokenizes text or copies ids. `as_prompt`: with BOS, and with control tokens where the text has
 * their names. Replies and returns false if that fails. */
bool prompt_tokenize(api *a, exchange *x, const job_prompt *prompt, bool as_prompt, id_list *out);

/* Puts the exact tokens of earlier answers into a rendered conversation, as far as they are known.
 * Where that is not possible, nothing changes. (prompt_replay.c) */
void prompt_replay(api *a, exchange *x, const job_request *request,
                   const lfm2_chat_options *options, id_list *ids);

#endif /* LFM2_SERVE_PROMPT_H */
