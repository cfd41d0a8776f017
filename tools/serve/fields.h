/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the fields of a request. A field that is absent or null leaves *out unchanged. A field of a
 * wrong type or out of range makes the reader reply with an error that names it; all later reads
 * then do nothing, so that callers check `failed` once. */
#ifndef LFM2_SERVE_FIELDS_H
#define LFM2_SERVE_FIELDS_H

#include "serve/exchange.h"

#include "common/json.h"

typedef struct fields {
    exchange *x;
    const lf_json *object;
    const char *path; /* of the object in the request, such as "stream_options"; "" = the body */
    bool failed;
} fields;

/* Parses the body, which must be a JSON object. Replies and returns false otherwise. */
bool fields_open(fields *f, exchange *x);

const lf_json *field(fields *f, const char *name); /* NULL if absent or null */
void field_bool(fields *f, const char *name, bool *out);
void field_u32(fields *f, const char *name, uint32_t min, uint32_t max, uint32_t *out);
void field_i64(fields *f, const char *name, int64_t min, int64_t max, int64_t *out);
void field_float(fields *f, const char *name, double min, double max, float *out);
void field_string(fields *f, const char *name, const char **out, size_t *len);
const lf_json *field_array(fields *f, const char *name);
/* An object: its own reader; false if absent, null or failed. */
bool field_object(fields *f, const char *name, fields *out);

/* Replies with 400 for a field, unless the reader has failed before. */
void field_fail(fields *f, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* LFM2_SERVE_FIELDS_H */
