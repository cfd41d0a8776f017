/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the API of the server without HTTP: a sink that keeps what it is given. A failure in
 * a helper fails the test. */
#ifndef LF_TESTS_EXCHANGES_H
#define LF_TESTS_EXCHANGES_H

#include "serve/exchange.h"

#include "common/json.h"

typedef struct lft_exchange {
    exchange x; /* first */
    lf_alloc alloc;
    lf_arena arena, own; /* of the exchange, freed when the response is complete; of the test */
    char *request;       /* a copy of the body, freed with the arena */
    /* The response. */
    int status; /* 0 = none yet; 200 from begin on */
    char content_type[64], headers[256];
    bool begun, over;
    char *text; /* [len], NUL-terminated */
    size_t len, capacity;
} lft_exchange;

/* `method` and `path` are not copied. */
lft_exchange *lft_exchange_new(const char *method, const char *path, const char *body);
lft_exchange *lft_exchange_new_bytes(const char *method, const char *path, const char *body,
                                     size_t len);
void lft_exchange_free(lft_exchange *e);

/* The response as JSON, in memory of the test. */
const lf_json *lft_response(lft_exchange *e);

/* Event `index` of a stream of server-sent events (comments are left out), as JSON;
 * *name (may be NULL) receives its name, or "". NULL if there are fewer, or it is [DONE] (then
 * *name is "[DONE]"). */
const lf_json *lft_event(lft_exchange *e, uint32_t index, const char **name);

/* Line `index` of a stream of lines of JSON; NULL if there are fewer. */
const lf_json *lft_line(lft_exchange *e, uint32_t index);

/* A value inside another by its path, such as "choices.0.message.content"; NULL if there is none.
 */
const lf_json *lft_get(const lf_json *value, const char *path);

/* The string at a path; fails if there is none. */
const char *lft_get_string(const lf_json *value, const char *path);

/* The integer at a path; fails if there is none. */
int64_t lft_get_int(const lf_json *value, const char *path);

#endif /* LF_TESTS_EXCHANGES_H */
