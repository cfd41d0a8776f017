/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the chat functions of lfm2.h: checks arguments and calls text/chat. */
#include "api.h"

#include "common/calendar.h"
#include "run/chat_template.h"
#include "text/chat.h"

#include <string.h>

/* ---- Templates ---- */

int32_t lfm2_model_get_chat_template(const lfm2_model *model, uint32_t index,
                                     lfm2_chat_template_info *info)
{
    if (model == NULL) {
        return lf_api_null("model");
    }
    uint32_t n = lf_chat_set_size(model->chat);
    if (index >= n) {
        return lf_fail(LFM2_E_ARGUMENT, "model.chat_template",
                       "index is %u; the model has %u chat templates", index, n);
    }
    const lf_vocab_template *t = lf_chat_set_at(model->chat, index);
    lfm2_chat_template_info i = {
        .name = t->name, .origin = t->origin, .text = t->text, .len = t->len};
    return lf_api_write(&i, sizeof i, info, "info");
}

int32_t lfm2_chat_template_create(lfm2_runtime *runtime, const char *text, size_t len,
                                  lfm2_chat_template **out)
{
    if (runtime == NULL || out == NULL || (text == NULL && len > 0)) {
        return lf_api_null(runtime == NULL ? "runtime" : out == NULL ? "out" : "text");
    }
    return lf_chat_template_create(runtime, "", "application", text != NULL ? text : "", len, out);
}

int32_t lfm2_chat_template_find(const lfm2_model *model, const char *name, lfm2_chat_template **out)
{
    if (model == NULL || name == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : name == NULL ? "name" : "out");
    }
    uint32_t index = 0;
    LF_TRY(lf_chat_set_find(model->chat, name, &index));
    const lf_vocab_template *t = lf_chat_set_at(model->chat, index);
    return lf_chat_template_create(model->runtime, t->name, t->origin, t->text, t->len, out);
}

lfm2_chat_template *lfm2_chat_template_retain(lfm2_chat_template *chat_template)
{
    if (chat_template != NULL) {
        atomic_fetch_add(&chat_template->refs, 1);
    }
    return chat_template;
}

void lfm2_chat_template_free(lfm2_chat_template *chat_template)
{
    lf_chat_template_release(chat_template);
}

/* ---- Options ---- */

static const lfm2_chat_options chat_defaults = {.size = sizeof chat_defaults};

void lfm2_chat_options_init(lfm2_chat_options *options, size_t size)
{
    lf_api_init(options, size, &chat_defaults, sizeof chat_defaults);
}

static int32_t check_range(const char *what, int32_t value, int32_t least, int32_t most)
{
    if (value < least || value > most) {
        return lf_fail(LFM2_E_ARGUMENT, "chat.now", "now: %s is %d; allowed: %d to %d", what, value,
                       least, most);
    }
    return LFM2_OK;
}

static int32_t read_time(const lfm2_time *given, lf_template_time *out)
{
    lfm2_time t = {.size = sizeof t};
    LF_TRY(lf_api_read("now", given, LF_API_FIRST(lfm2_time, second), &t, sizeof t));
    LF_TRY(check_range("year", t.year, 1970, 9999));
    LF_TRY(check_range("month", t.month, 1, 12));
    LF_TRY(check_range("day", t.day, 1, lf_days_of_month(t.year, t.month)));
    LF_TRY(check_range("hour", t.hour, 0, 23));
    LF_TRY(check_range("minute", t.minute, 0, 59));
    LF_TRY(check_range("second", t.second, 0, 60));
    *out = (lf_template_time){t.year, t.month, t.day, t.hour, t.minute, t.second};
    return LFM2_OK;
}

/* The options of a call, checked. */
typedef struct chat_call {
    lfm2_chat_options options;
    lf_template_time now;
    lf_chat_request request;
} chat_call;

static int32_t read_options(const lfm2_model *model, const lfm2_chat_options *options,
                            chat_call *out)
{
    *out = (chat_call){.options = chat_defaults};
    lfm2_chat_options *o = &out->options;
    LF_TRY(
        lf_api_read("options", options, LF_API_FIRST(lfm2_chat_options, reserved), o, sizeof *o));
    LF_TRY(lf_api_flags(
        o->flags, LFM2_CHAT_GENERATION_PROMPT | LFM2_CHAT_NO_BOS | LFM2_CHAT_JOIN_PARTS, "flags"));
    LF_TRY(lf_api_flags(o->reserved, 0, "reserved"));
    if ((o->tools == NULL && o->tools_len > 0) ||
        (o->template_args == NULL && o->template_args_len > 0)) {
        return lf_api_null(o->tools == NULL && o->tools_len > 0 ? "tools" : "template_args");
    }
    out->request = (lf_chat_request){.special = model->source->vocab.special, .options = o};
    if (o->now != NULL) {
        LF_TRY(read_time(o->now, &out->now));
        out->request.now = &out->now;
    }
    return LFM2_OK;
}

/* Chooses and compiles the template. Sets name and origin before it compiles. */
static int32_t find_template(const lfm2_model *model, chat_call *call, const char **name,
                             const char **origin)
{
    const lfm2_chat_template *given = call->options.chat_template;
    if (given != NULL) {
        *name = given->name;
        *origin = given->origin;
        call->request.t = given->compiled;
        return LFM2_OK;
    }
    bool tools = call->options.tools != NULL && call->options.tools_len > 0;
    uint32_t index = lf_chat_set_choose(model->chat, tools);
    *name = lf_chat_set_at(model->chat, index)->name;
    *origin = lf_chat_set_at(model->chat, index)->origin;
    return lf_chat_set_get(model->chat, index, &call->request.t);
}

/* ---- Rendering ---- */

/* Checks the options and renders. The caller frees *chat, after a failure, too. */
static int32_t build(const lfm2_model *model, const char *messages, size_t messages_len,
                     const lfm2_chat_options *options, lf_chat *chat)
{
    chat_call call;
    const char *name = NULL;
    const char *origin = NULL;
    *chat = (lf_chat){.text = ""};
    if (messages == NULL) {
        return lf_api_null("messages");
    }
    LF_TRY(read_options(model, options, &call));
    LF_TRY(find_template(model, &call, &name, &origin));
    call.request.messages = messages;
    call.request.messages_len = messages_len;
    return lf_chat_build(&model->runtime->alloc, &call.request, chat);
}

/* Copies as much of the text as fits the caller's buffer. */
static int32_t copy_out(const lf_chat *chat, char *text, size_t capacity, size_t *len)
{
    size_t n = chat->len < capacity ? chat->len : capacity;
    if (n > 0) {
        memcpy(text, chat->text, n);
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
    int32_t status = build(model, messages, messages_len, options, &chat);
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
    int32_t status = build(model, messages, messages_len, options, &chat);
    if (status == LFM2_OK) {
        status = lf_tokenizer_encode(model->tokenizer, chat.spans, chat.n_spans, false, ids,
                                     capacity, n_ids);
    }
    lf_chat_free(&chat);
    return status;
}

/* ---- What a template does ---- */

int32_t lfm2_chat_get_info(const lfm2_model *model, const lfm2_chat_options *options,
                           lfm2_chat_info *info)
{
    chat_call call;
    lfm2_chat_info i = {.reasoning_arg = "", .reasoning_start_id = -1, .reasoning_end_id = -1};
    if (model == NULL) {
        return lf_api_null("model");
    }
    LF_TRY(lf_api_check_result(info, "info"));
    LF_TRY(read_options(model, options, &call));
    int32_t status = find_template(model, &call, &i.name, &i.origin);
    if (status != LFM2_OK) {
        LF_TRY(lf_api_write(&i, sizeof i, info, "info"));
        return status;
    }
    LF_TRY(lf_chat_features(&model->runtime->alloc, &call.request, &i));
    if (model->tokenizer != NULL) {
        i.reasoning_start_id = lf_tokenizer_find_added(model->tokenizer, "<think>");
        i.reasoning_end_id = lf_tokenizer_find_added(model->tokenizer, "</think>");
    }
    return lf_api_write(&i, sizeof i, info, "info");
}
