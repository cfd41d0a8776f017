/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the chat functions of lfm2.h: checks arguments and calls text/chat. */
#include "api.h"

#include "text/chat.h"

#include <string.h>

static const lfm2_chat_options chat_defaults = {.size = sizeof chat_defaults};

void lfm2_chat_options_init(lfm2_chat_options *options, size_t size)
{
    lf_api_init(options, size, &chat_defaults, sizeof chat_defaults);
}

/* Checks the options and builds the chat. The caller frees *chat, after a failure, too. */
static int32_t build(const lf_alloc *alloc, const char *messages, size_t messages_len,
                     const lfm2_chat_options *options, lf_chat *chat)
{
    *chat = (lf_chat){0};
    if (messages == NULL) {
        return lf_api_null("messages");
    }
    lfm2_chat_options o = chat_defaults;
    LF_TRY(
        lf_api_read("options", options, LF_API_FIRST(lfm2_chat_options, reserved), &o, sizeof o));
    LF_TRY(lf_api_flags(o.flags, LFM2_CHAT_GENERATION_PROMPT | LFM2_CHAT_NO_BOS, "flags"));
    LF_TRY(lf_api_flags(o.reserved, 0, "reserved"));
    if (o.tools == NULL && o.tools_len > 0) {
        return lf_api_null("tools");
    }
    return lf_chat_build(alloc, messages, messages_len, &o, chat);
}

/* Copies as much of the text as fits the caller's buffer. */
static int32_t copy_out(const lf_chat *chat, char *text, size_t capacity, size_t *len)
{
    size_t used = 0;
    for (size_t i = 0; i < chat->n_spans && used < capacity; i++) {
        size_t left = capacity - used;
        size_t n = chat->spans[i].len < left ? chat->spans[i].len : left;
        memcpy(text + used, chat->spans[i].text, n);
        used += n;
    }
    *len = chat->len;
    if (chat->len > capacity) {
        return lf_fail(LFM2_E_BUFFER, "text.capacity", "the text has %zu bytes, the buffer %zu",
                       chat->len, capacity);
    }
    return LFM2_OK;
}

int32_t lfm2_chat_render(const lfm2_model *model, const char *messages, size_t messages_len,
                         const lfm2_chat_options *options, char *text, size_t capacity, size_t *len)
{
    if (model == NULL || len == NULL || (text == NULL && capacity > 0)) {
        return lf_api_null(model == NULL ? "model" : len == NULL ? "len" : "text");
    }
    lf_chat chat;
    int32_t status = build(&model->runtime->alloc, messages, messages_len, options, &chat);
    if (status == LFM2_OK) {
        status = copy_out(&chat, text, capacity, len);
    }
    lf_chat_free(&chat);
    return status;
}

int32_t lfm2_chat_tokenize(const lfm2_model *model, const char *messages, size_t messages_len,
                           const lfm2_chat_options *options, int32_t *ids, size_t capacity,
                           size_t *n_ids)
{
    if (model == NULL) {
        return lf_api_null("model");
    }
    LF_TRY(lf_model_need_text(model));
    if (n_ids == NULL || (ids == NULL && capacity > 0)) {
        return lf_api_null(n_ids == NULL ? "n_ids" : "ids");
    }
    lf_chat chat;
    int32_t status = build(&model->runtime->alloc, messages, messages_len, options, &chat);
    if (status == LFM2_OK) {
        status = lf_tokenizer_encode(model->tokenizer, chat.spans, chat.n_spans, false, ids,
                                     capacity, n_ids);
    }
    lf_chat_free(&chat);
    return status;
}

/* ---- Templates ---- */

static int32_t not_yet(void)
{
    return lf_fail(LFM2_E_UNSUPPORTED, "chat.template", "chat templates are not supported");
}

int32_t lfm2_model_get_chat_template(const lfm2_model *model, uint32_t index,
                                     lfm2_chat_template_info *info)
{
    (void)model, (void)index, (void)info;
    return not_yet();
}

int32_t lfm2_chat_template_create(lfm2_runtime *runtime, const char *text, size_t len,
                                  lfm2_chat_template **out)
{
    (void)runtime, (void)text, (void)len, (void)out;
    return not_yet();
}

int32_t lfm2_chat_template_find(const lfm2_model *model, const char *name, lfm2_chat_template **out)
{
    (void)model, (void)name, (void)out;
    return not_yet();
}

lfm2_chat_template *lfm2_chat_template_retain(lfm2_chat_template *chat_template)
{
    return chat_template;
}

void lfm2_chat_template_free(lfm2_chat_template *chat_template)
{
    (void)chat_template;
}

int32_t lfm2_chat_get_info(const lfm2_model *model, const lfm2_chat_options *options,
                           lfm2_chat_info *info)
{
    (void)model, (void)options, (void)info;
    return not_yet();
}
