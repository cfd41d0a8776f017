/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models and /v1/models/{id}: one object that is OpenAI's and Anthropic's. */
#include "serve/reply.h"
#include "serve/routes.h"

#include <string.h>
#include <time.h>

static void write_anthropic(json_out *out, const api *a)
{
    time_t created = (time_t)api_created(a);
    struct tm utc;
    char text[32] = "1970-01-01T00:00:00Z";
    if (gmtime_r(&created, &utc) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    out_string(out, "type", "model");
    out_string(out, "display_name", api_model_name(a));
    out_string(out, "created_at", text);
    out_string(out, "lifecycle", "active");
    out_u64(out, "max_input_tokens", api_context(a));
}

static void write_model(json_out *out, const api *a)
{
    lfm2_model_info info = {.size = sizeof info};
    bool known = lfm2_model_get_info(api_model(a), &info) == LFM2_OK;
    out_object(out, NULL);
    out_string(out, "id", api_model_name(a));
    out_string(out, "object", "model");
    out_i64(out, "created", api_created(a));
    out_string(out, "owned_by", "lfm2");
    out_u64(out, "max_model_len", api_context(a));
    write_anthropic(out, a);
    if (known) {
        out_object(out, "meta");
        out_string(out, "arch", info.arch);
        out_string(out, "name", info.name);
        out_string(out, "file_type", info.file_type);
        out_u64(out, "n_params", info.n_params);
        out_u64(out, "n_params_active", info.n_params_active);
        out_u64(out, "n_vocab", info.n_vocab);
        out_u64(out, "n_ctx_train", info.n_ctx_train);
        out_u64(out, "n_embd", info.n_embd);
        out_u64(out, "size", info.file_bytes);
        out_end_object(out);
    }
    out_end_object(out);
}

void handle_models(api *a, exchange *x, const char *argument)
{
    (void)argument;
    json_out out = {0};
    out_object(&out, NULL);
    out_string(&out, "object", "list");
    out_array(&out, "data");
    write_model(&out, a);
    out_end_array(&out);
    out_bool(&out, "has_more", false);
    out_string(&out, "first_id", api_model_name(a));
    out_string(&out, "last_id", api_model_name(a));
    out_end_object(&out);
    reply_json(x, 200, &out);
    json_out_free(&out);
}

void handle_model(api *a, exchange *x, const char *argument)
{
    if (strcmp(argument, api_model_name(a)) != 0) {
        reply_error(x, 404, "invalid_request_error", "model", "model_not_found",
                    "The model '%.100s' does not exist; this server has '%.100s'", argument,
                    api_model_name(a));
        return;
    }
    json_out out = {0};
    write_model(&out, a);
    reply_json(x, 200, &out);
    json_out_free(&out);
}
