/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of the API. `argument` is what stands at the place of "{}" in the path, or "". */
#ifndef LFM2_SERVE_ROUTES_H
#define LFM2_SERVE_ROUTES_H

#include "serve/api.h"

typedef struct api_route {
    const char *method, *path;
    exchange_style style;
    void (*handle)(api *a, exchange *x, const char *argument);
} api_route;

/* OpenAI. */
void handle_chat_completions(api *a, exchange *x, const char *argument);
void handle_completions(api *a, exchange *x, const char *argument);
void handle_models(api *a, exchange *x, const char *argument);
void handle_model(api *a, exchange *x, const char *argument);
void handle_responses(api *a, exchange *x, const char *argument);
void handle_response(api *a, exchange *x, const char *argument);
void handle_response_delete(api *a, exchange *x, const char *argument);

/* Anthropic. */
void handle_messages(api *a, exchange *x, const char *argument);
void handle_count_tokens(api *a, exchange *x, const char *argument);

/* Ollama. */
void handle_ollama_chat(api *a, exchange *x, const char *argument);
void handle_ollama_generate(api *a, exchange *x, const char *argument);
void handle_ollama_tags(api *a, exchange *x, const char *argument);
void handle_ollama_show(api *a, exchange *x, const char *argument);
void handle_ollama_version(api *a, exchange *x, const char *argument);
void handle_ollama_ps(api *a, exchange *x, const char *argument);

/* lfm2's own. */
void handle_tokenize(api *a, exchange *x, const char *argument);
void handle_detokenize(api *a, exchange *x, const char *argument);
void handle_input_tokens(api *a, exchange *x, const char *argument);
void handle_render(api *a, exchange *x, const char *argument);
void handle_sessions(api *a, exchange *x, const char *argument);
void handle_session_save(api *a, exchange *x, const char *argument);
void handle_session_restore(api *a, exchange *x, const char *argument);
void handle_session_fork(api *a, exchange *x, const char *argument);
void handle_session_delete(api *a, exchange *x, const char *argument);

#endif /* LFM2_SERVE_ROUTES_H */
