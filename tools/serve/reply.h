/* SPDX-License-Identifier: Apache-2.0 */
/* Responses in the style of each API: JSON values, errors, streams. */
#ifndef LFM2_SERVE_REPLY_H
#define LFM2_SERVE_REPLY_H

#include "serve/exchange.h"
#include "serve/json_out.h"

/* ---- Whole responses. No other response may follow. While the exchange's handler runs, its memory
 * stays valid after these calls; otherwise the exchange must not be used any more. ---- */

/* Replies with a JSON value; with an error if out->failed. */
void reply_json(exchange *x, int status, const json_out *out);

/* Replies with a body of any type. */
void reply_body(exchange *x, int status, const char *content_type, const char *body, size_t len);

/* Replies with an error. `type` and `code` are OpenAI's ("invalid_request_error",
 * "context_length_exceeded"); STYLE_ANTHROPIC derives its type from the status. `param` names the
 * field, such as "messages[2].role"; NULL = none. If the response has begun, the error is sent as
 * the last event of the stream, and the stream ends. */
void reply_error(exchange *x, int status, const char *type, const char *param, const char *code,
                 const char *format, ...) __attribute__((format(printf, 6, 7)));

/* 400 with type "invalid_request_error". */
void reply_bad_field(exchange *x, const char *param, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The error that matches the last failure of a call of the library. */
void reply_failure(exchange *x, int32_t status);

/* The same for the field that caused it. */
void reply_failure_of(exchange *x, int32_t status, const char *param);

/* The error that matches a failure with this code and message, such as those of an event. */
void reply_failure_text(exchange *x, int32_t status, const char *param, const char *code,
                        const char *message);

/* ---- Streams. ----
 * The first function that is called begins the stream. If out->failed, nothing more is sent, and
 * stream_end sends an error. */

/* Sends nothing yet. */
void stream_begin(exchange *x);

/* Sends "event: NAME\ndata: JSON\n\n", without the first line if `name` is NULL. */
void stream_event(exchange *x, const char *name, const json_out *out);

/* Sends "JSON\n", for streams of lines. */
void stream_line(exchange *x, const json_out *out);

/* Sends bytes of a stream of events, such as ": comment\n\n". */
void stream_raw(exchange *x, const char *bytes);

/* Ends the stream, as a whole response ends. */
void stream_end(exchange *x);

/* ---- For api_handle ---- */

/* Responses that are complete from now on are kept. */
void reply_hold(exchange *x);

/* Delivers what is kept. */
void reply_release(exchange *x);

#endif /* LFM2_SERVE_REPLY_H */
