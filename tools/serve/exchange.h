/* SPDX-License-Identifier: Apache-2.0 */
/* One API request and its response. They come from a connection of the HTTP server or from a
 * line of a batch file. */
#ifndef LFM2_SERVE_EXCHANGE_H
#define LFM2_SERVE_EXCHANGE_H

#include "common/alloc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The APIs differ in how they report errors and what keeps a stream alive. */
typedef enum exchange_style { STYLE_OPENAI, STYLE_ANTHROPIC, STYLE_OLLAMA } exchange_style;

typedef struct exchange exchange;

/* Where a response goes. Functions are called on the API thread. They copy what they are given, and
 * never fail: what cannot be delivered is dropped, and `gone` follows. After reply or end, the sink
 * owns the exchange again and the API must not touch it. */
typedef struct exchange_sink {
    /* The whole response. `headers` are further lines "Name: value\r\n", or NULL. */
    void (*reply)(exchange *x, int status, const char *content_type, const char *headers,
                  const char *body, size_t len);
    /* A response in pieces, with status 200. */
    void (*begin)(exchange *x, const char *content_type);
    void (*write)(exchange *x, const char *bytes, size_t len);
    void (*end)(exchange *x);
} exchange_sink;

struct exchange {
    /* Set by the sink, and valid until reply or end. */
    const exchange_sink *sink;
    void *sink_data;
    uint64_t number; /* for logs and ids */
    const char *method;
    const char *path;  /* decoded, without the query */
    const char *query; /* "" if there is none */
    const char *body;
    size_t body_len;
    uint64_t cache_scope; /* of the API key: lfm2_request_options.cache_scope */
    uint64_t owner;       /* of the API key: who may use a session */
    lf_arena *arena;      /* memory until the exchange is over */
    uint64_t seed;        /* if has_seed is set: of a generation whose request has none */
    bool has_seed;

    /* Set by the API. */
    exchange_style style;
    bool begun;  /* of reply.c: the response is a stream that has begun */
    bool broken; /* of reply.c: there was no memory for an event; nothing more is sent but an error
                  */
    /* Of reply.c: a response that is complete while its handler runs is delivered afterwards, so
     * that a handler may use the exchange's memory until it returns. */
    struct {
        bool on, reply, end;
        int status;
        const char *content_type, *headers; /* static texts */
        char *body;
        size_t len;
    } held;
    /* Called once, on the API thread, if the client leaves before reply or end. The API must then
     * stop the work; it must not reply, and the sink frees the exchange after the call. NULL until
     * a handler has work that it can stop. */
    void (*gone)(exchange *x);
    void *work; /* for `gone` */

    /* For the access log and the metrics; filled by the API as it learns them. generated_tokens
     * grows with each token: a batch sees in it which prompts have been computed. */
    struct {
        uint32_t prompt_tokens, cached_tokens, generated_tokens;
        const char *finish; /* static text: "stop", "length", ...; NULL = none */
        const char *model;
    } log;
};

#endif /* LFM2_SERVE_EXCHANGE_H */
