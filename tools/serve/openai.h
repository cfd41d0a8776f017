/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenAI's endpoints have in common. */
#ifndef LFM2_SERVE_OPENAI_H
#define LFM2_SERVE_OPENAI_H

#include "serve/fields.h"
#include "serve/job.h"

/* Fields of requests that chat and text completions have in common. */
void openai_sampling(fields *f, job_request *request);
void openai_limits(fields *f, job_request *request);
void openai_logit_bias(api *a, fields *f, job_request *request);

/* The constraint: response_format, and the names that other servers have for it. */
void openai_constraint(fields *f, job_request *request);

/* stream_options.include_usage. */
void openai_stream_options(fields *f, bool *include_usage);

/* "usage": {...} of a finished job; `reasoning`: tokens of its reasoning. */
void openai_usage(json_out *out, const job *j, uint32_t reasoning);

/* The id, object, created, model and system_fingerprint of a response. */
void openai_head(json_out *out, const job *j, const char *prefix, const char *object);

/* A chunk of a stream is built in `out`: begin writes up to the index of its choice, and end ends
 * the choice and sends it. `usage`: the stream will have a chunk with it. */
void openai_begin_chunk(json_out *out, const job *j, const char *prefix, const char *object,
                        uint32_t choice);
void openai_end_chunk(json_out *out, const job *j, bool usage);

/* The value of "finish_reason" of a text. */
const char *openai_finish(int32_t finish);

/* A log-probability as OpenAI writes it: finite. */
double openai_logprob(float logprob);

/* The text of a token: what its bytes say; of a control token its name. */
void openai_token(const api *a, int32_t id, const char **text, size_t *len);

/* Ends the stream with "data: [DONE]". */
void openai_done(exchange *x);

/* ---- chat_messages.c, chat_tools.c ---- */

/* Checks "messages" and writes them as lfm2_chat_render takes them. */
void chat_messages(fields *f, job_request *request);

/* tools, tool_choice, parallel_tool_calls. */
void chat_tools(fields *f, job_request *request);

/* chat_template_kwargs, and whether the model shall think: reasoning_effort, or the argument of the
 * template that decides it. (chat_completions.c) */
void chat_reasoning(api *a, fields *f, job_request *request);

/* Reads an array of token ids. Returns false after an error. (text_routes.c) */
bool openai_ids(const api *a, fields *f, const char *name, const lf_json *array, int32_t **out);

/* The JSON of a message under construction, copied to the arena. NULL without memory, which is
 * reported. */
const char *chat_keep(fields *f, json_out *out, size_t *len);

/* The text of a string or an array of parts of text. Returns false if the field is absent, or after
 * an error. */
bool chat_text(fields *f, const char *name, const char **text, size_t *len);

#endif /* LFM2_SERVE_OPENAI_H */
