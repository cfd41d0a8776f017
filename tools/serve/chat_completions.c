/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/chat/completions: reads the request. */
#include "serve/chat.h"
#include "serve/routes.h"

#include <string.h>

/* Fields whose meaning this server cannot give. Others that it does not know are ignored. */
static void refuse_unsupported(fields *f)
{
    const lf_json *modalities = field_array(f, "modalities");
    for (const lf_json *m = modalities != NULL ? modalities->child : NULL; m != NULL; m = m->next) {
        if (!lf_json_is_string(m, "text")) {
            field_fail(f, "modalities", "must be [\"text\"]: this model writes text only");
        }
    }
    if (field(f, "audio") != NULL) {
        field_fail(f, "audio", "is not supported: this model writes text only");
    }
    if (field(f, "web_search_options") != NULL) {
        field_fail(f, "web_search_options", "is not supported");
    }
}

static void read_logprobs(fields *f, job_request *request)
{
    field_bool(f, "logprobs", &request->logprobs);
    field_u32(f, "top_logprobs", 0, 20, &request->n_top);
    if (request->n_top > 0 && !request->logprobs) {
        field_fail(f, "top_logprobs", "is only allowed when logprobs is true");
    }
}

static void read_prediction(fields *f, job_request *request)
{
    static const char *const types[] = {"content", NULL};
    fields prediction;
    int type = -1;
    if (!field_object(f, "prediction", &prediction)) {
        return;
    }
    field_choice(&prediction, "type", types, &type);
    if (!chat_text(&prediction, "content", &request->draft, &request->draft_len)) {
        field_fail(&prediction, "content", "is required");
    }
}

void chat_reasoning(api *a, fields *f, job_request *request)
{
    static const char *const efforts[] = {"none", "minimal", "low", "medium",
                                          "high", "xhigh",   "max", NULL};
    int effort = -1;
    fields args;
    json_out out = {0};
    const char *name = api_chat(a)->reasoning_arg;
    bool has_args = field_object(f, "chat_template_kwargs", &args);
    field_choice(f, "reasoning_effort", efforts, &effort);
    const lf_json *given = has_args ? field(&args, name) : NULL;
    if (given != NULL) {
        request->no_reasoning = given->kind == LF_JSON_FALSE;
    } else {
        request->no_reasoning = effort == 0 || effort == 1;
    }
    bool set = given == NULL && effort >= 0 && name[0] != '\0';
    if (!has_args && !set) {
        return;
    }
    out_object(&out, NULL);
    for (const lf_json *m = has_args ? args.object->child : NULL; m != NULL; m = m->next) {
        out_value(&out, m->key, m);
    }
    if (set) {
        out_bool(&out, name, !request->no_reasoning);
    }
    out_end_object(&out);
    request->template_args = chat_keep(f, &out, &request->template_args_len);
}

/* Tools and a format: an answer is calls or has the format. */
static void combine(fields *f, job_request *request)
{
    if (request->tool_choice >= LFM2_TOOL_CHOICE_REQUIRED) {
        request->constraint_kind = 0; /* there is no text that could have a format */
        return;
    }
    if (request->tool_choice == LFM2_TOOL_CHOICE_NONE) {
        return;
    }
    if (request->constraint_kind != LFM2_CONSTRAINT_JSON_SCHEMA) {
        field_fail(f, request->constraint_param, "cannot be combined with tools");
        return;
    }
    json_out out = {0};
    out_object(&out, NULL);
    out_json(&out, "tools", request->tools, request->tools_len);
    out_json(&out, "content_schema", request->constraint, request->constraint_len);
    out_end_object(&out);
    request->constraint = chat_keep(f, &out, &request->constraint_len);
    request->constraint_kind = LFM2_CONSTRAINT_TOOLS;
}

static void read_request(api *a, fields *f, chat_state *s)
{
    job_request *request = &s->request;
    chat_messages(f, request);
    chat_tools(f, request);
    openai_sampling(f, request);
    openai_limits(f, request);
    openai_logit_bias(a, f, request);
    openai_stream_options(f, &s->include_usage);
    openai_constraint(f, request);
    read_logprobs(f, request);
    read_prediction(f, request);
    chat_reasoning(a, f, request);
    refuse_unsupported(f);
    if (request->tools != NULL && request->constraint_kind != 0 &&
        request->constraint_kind != LFM2_CONSTRAINT_TOOLS) {
        combine(f, request);
    }
    /* Calls under a constraint are never undone but by the end of the text. */
    request->whole_calls =
        request->tools == NULL ||
        (request->constraint_kind != 0 && request->constraint_kind != LFM2_CONSTRAINT_TOOLS);
}

void handle_chat_completions(api *a, exchange *x, const char *argument)
{
    (void)argument;
    fields f;
    void *memory = NULL, *choices = NULL;
    if (!fields_open(&f, x) || !job_model(a, &f)) {
        return;
    }
    if (lf_arena_new(x->arena, 1, sizeof(chat_state), "the request", &memory) != LFM2_OK) {
        field_fail_memory(&f);
        return;
    }
    chat_state *s = memory;
    *s = (chat_state){0};
    job_request_init(a, x, &s->request);
    read_request(a, &f, s);
    if (f.failed) {
        return;
    }
    size_t n = s->request.n_choices;
    if (lf_arena_new(x->arena, n, sizeof(chat_choice), "choices", &choices) != LFM2_OK) {
        field_fail_memory(&f);
        return;
    }
    s->choices = choices;
    memset(s->choices, 0, n * sizeof(chat_choice));
    (void)job_start(a, x, &s->request, s->request.stream ? &chat_stream_calls : &chat_whole_calls,
                    s);
}
