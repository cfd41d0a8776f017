/* SPDX-License-Identifier: Apache-2.0 */
/* Renders a conversation with a chat template, as a list of spans. */
#ifndef LF_TEXT_CHAT_H
#define LF_TEXT_CHAT_H

#include "text/template/template.h"
#include "text/tokenizer.h"

typedef struct lf_chat_request {
    const lf_template *t;
    const char *const *special; /* [LF_N_SPECIAL], see lf_vocab_data */
    const char *messages;       /* JSON, as lfm2_chat_render describes it */
    size_t messages_len;
    /* Of the options, chat_template is not used. */
    const lfm2_chat_options *options;
    const lf_template_time *now;      /* or NULL */
    const lf_template_limits *limits; /* NULL: the defaults. They grow with the input. */
    const char *arg;                  /* an additional variable, true or false; or NULL */
    bool arg_value;
    bool once; /* do not render again with other content if the template fails */
} lf_chat_request;

typedef struct lf_chat {
    lf_arena arena; /* contains the spans and their text */
    const lf_span *spans;
    size_t n_spans;
    const char *text;
    size_t len;
} lf_chat;

/* The contract is that of lfm2_chat_render. Spans that the template wrote have `special`. `alloc`
 * must outlive *out. Free with lf_chat_free, after failure as well. Errors: TEXT, ARGUMENT (names
 * in template_args), UNSUPPORTED, LIMIT, MEMORY. */
int32_t lf_chat_build(const lf_alloc *alloc, const lf_chat_request *request, lf_chat *out);
void lf_chat_free(lf_chat *chat);

/* ---- Messages (chat_messages.c) ---- */

/* Parses and checks messages. */
int32_t lf_chat_parse(lf_arena *arena, const char *text, size_t len, const lf_json **out);

/* How templates see content other than strings. */
typedef struct lf_chat_content {
    bool join; /* arrays of parts: as one string */
    bool fill; /* null and absent content: as "" */
} lf_chat_content;

/* The messages as the template sees them. *differs receives whether `join` and `fill` change them.
 * Errors: MEMORY. */
int32_t lf_chat_view(lf_arena *arena, const lf_json *messages, lf_chat_content content,
                     const lf_json **out, bool *differs);

/* ---- What a template does (chat_info.c) ---- */

/* Sets the features in *info by rendering short conversations. Of the request, messages, now and
 * arg are not used. Errors: MEMORY, LIMIT; TEXT and ARGUMENT for invalid tools and arguments. */
int32_t lf_chat_features(const lf_alloc *alloc, const lf_chat_request *request,
                         lfm2_chat_info *info);

#endif /* LF_TEXT_CHAT_H */
