/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of Ollama's API, for programs that know no other. */
#include "serve/ollama.h"

#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/state.h"

#include "lfm2.h"

#include <stdio.h>
#include <string.h>

/* The version of Ollama whose API this is: clients refuse versions that they think too old. */
static const char ollama_version[] = "0.13.0";

void ollama_free(ollama *o)
{
    json_out *all[] = {&o->content, &o->thinking, &o->calls, &o->arguments, &o->line};
    talk_free(&o->talk);
    tool_list_free(&o->tools);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        json_out_free(all[i]);
    }
}

static void handle(api *a, exchange *x, bool generate)
{
    void *memory;
    if (lf_arena_new(x->arena, 1, sizeof(ollama), "a request", &memory) != LFM2_OK) {
        reply_failure_text(x, LFM2_E_MEMORY, NULL, "", "out of memory");
        return;
    }
    ollama *o = memory;
    *o = (ollama){.a = a, .x = x, .generate = generate};
    job_request_init(a, x, &o->job);
    talk_init(&o->talk);
    tool_list_init(&o->tools);
    bool ok = ollama_read(o);
    bool idle = ok && o->idle;
    if (idle) {
        ollama_reply_idle(o);
    }
    if (!ok || idle || !job_start(a, x, &o->job, &ollama_calls, o)) {
        ollama_free(o);
    }
}

void handle_ollama_chat(api *a, exchange *x, const char *argument)
{
    (void)argument;
    handle(a, x, false);
}

void handle_ollama_generate(api *a, exchange *x, const char *argument)
{
    (void)argument;
    handle(a, x, true);
}

/* ---- The model ---- */

/* What Ollama knows a model by: 64 digits. */
static void write_digest(json_out *out, const api *a)
{
    char digest[65] = "";
    const char *fingerprint = strchr(api_fingerprint(a), '_');
    fingerprint = fingerprint != NULL ? fingerprint + 1 : "";
    snprintf(digest, sizeof digest, "%.16s%.16s%.16s%.16s", fingerprint, fingerprint, fingerprint,
             fingerprint);
    out_string(out, "digest", digest);
}

static void write_details(json_out *out, const api *a)
{
    char size[32];
    double n = (double)a->info.n_params;
    if (n >= 1e9) {
        snprintf(size, sizeof size, "%.1fB", n / 1e9);
    } else {
        snprintf(size, sizeof size, "%.2fM", n / 1e6);
    }
    out_object(out, "details");
    out_string(out, "parent_model", "");
    out_string(out, "format", "gguf");
    out_string(out, "family", a->info.arch);
    out_array(out, "families");
    out_string(out, NULL, a->info.arch);
    out_end_array(out);
    out_string(out, "parameter_size", size);
    out_string(out, "quantization_level", a->info.file_type);
    out_end_object(out);
}

static void begin_model(json_out *out, const api *a)
{
    out_object(out, NULL);
    out_array(out, "models");
    out_object(out, NULL);
    out_string(out, "name", api_model_name(a));
    out_string(out, "model", api_model_name(a));
    out_u64(out, "size", a->info.file_bytes);
    write_digest(out, a);
    write_details(out, a);
}

static void reply_model(exchange *x, json_out *out)
{
    out_end_object(out);
    out_end_array(out);
    out_end_object(out);
    reply_json(x, 200, out);
    json_out_free(out);
}

void handle_ollama_tags(api *a, exchange *x, const char *argument)
{
    json_out out = {0};
    (void)argument;
    begin_model(&out, a);
    ollama_time(&out, "modified_at");
    reply_model(x, &out);
}

void handle_ollama_ps(api *a, exchange *x, const char *argument)
{
    json_out out = {0};
    (void)argument;
    begin_model(&out, a);
    out_string(&out, "expires_at", "9999-12-31T23:59:59Z");
    out_u64(&out, "size_vram", 0);
    out_u64(&out, "context_length", a->n_ctx);
    reply_model(x, &out);
}

static void write_capabilities(json_out *out, const api *a)
{
    out_array(out, "capabilities");
    out_string(out, NULL, "completion");
    if (a->chat.tools) {
        out_string(out, NULL, "tools");
    }
    if (a->chat.reasoning_arg[0] != '\0' || a->chat.opens_reasoning) {
        out_string(out, NULL, "thinking");
    }
    out_end_array(out);
}

static void write_model_info(json_out *out, const api *a)
{
    const lfm2_model_info *info = &a->info;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"context_length", info->n_ctx_train},  {"embedding_length", info->n_embd},
        {"block_count", info->n_layer},         {"feed_forward_length", info->n_ff},
        {"attention.head_count", info->n_head}, {"vocab_size", info->n_vocab},
    };
    out_object(out, "model_info");
    out_string(out, "general.architecture", info->arch);
    out_string(out, "general.basename", info->name);
    out_u64(out, "general.parameter_count", info->n_params);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char key[64];
        snprintf(key, sizeof key, "%.16s.%s", info->arch, numbers[i].name);
        out_u64(out, key, numbers[i].value);
    }
    out_end_object(out);
}

void handle_ollama_show(api *a, exchange *x, const char *argument)
{
    fields f;
    json_out out = {0};
    lfm2_chat_template_info chat = {.size = sizeof chat};
    (void)argument;
    if (!fields_open(&f, x) || !ollama_model(a, &f)) {
        return;
    }
    if (lfm2_model_get_chat_template(api_model(a), 0, &chat) != LFM2_OK) {
        chat.text = "";
        chat.len = 0;
    }
    out_object(&out, NULL);
    out_string(&out, "license", "");
    out_string(&out, "modelfile", "");
    out_string(&out, "parameters", "");
    out_text(&out, "template", chat.text, chat.len);
    write_details(&out, a);
    write_model_info(&out, a);
    write_capabilities(&out, a);
    ollama_time(&out, "modified_at");
    out_end_object(&out);
    reply_json(x, 200, &out);
    json_out_free(&out);
}

void handle_ollama_version(api *a, exchange *x, const char *argument)
{
    json_out out = {0};
    (void)a;
    (void)argument;
    out_object(&out, NULL);
    out_string(&out, "version", ollama_version);
    out_string(&out, "lfm2_version", lfm2_version());
    out_end_object(&out);
    reply_json(x, 200, &out);
    json_out_free(&out);
}
