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
    struct fields *parent; /* the reader of the object that contains this one; NULL = none. Must
                              live as long as this one */
    bool failed;           /* this reader or one inside it has replied with an error */
} fields;

/* Parses the body, which must be a JSON object. Replies and returns false otherwise. */
bool fields_open(fields *f, exchange *x);

const lf_json *field(fields *f, const char *name); /* NULL if absent, null or failed */
void field_bool(fields *f, const char *name, bool *out);
void field_u32(fields *f, const char *name, uint32_t min, uint32_t max, uint32_t *out);
void field_i64(fields *f, const char *name, int64_t min, int64_t max, int64_t *out);
void field_float(fields *f, const char *name, double min, double max, float *out);
/* With `len` NULL, a string that contains a NUL is an error: *out is the whole string. */
void field_string(fields *f, const char *name, const char **out, size_t *len);
/* A string that is one of `names`, whose last element is NULL. *out receives its index. */
void field_choice(fields *f, const char *name, const char *const *names, int *out);
/* A string or an array of at most `max` strings, none with a NUL. */
void field_strings(fields *f, const char *name, uint32_t max, const char ***out, uint32_t *n);
const lf_json *field_array(fields *f, const char *name);
/* An object: its own reader; false if absent, null or failed. */
bool field_object(fields *f, const char *name, fields *out);
/* The reader of element `index` of the array `name`; false if it is not an object (an error), or
 * the reader has failed. */
bool field_element(fields *f, const char *name, uint32_t index, const lf_json *element,
                   fields *out);

/* The path of a field in the request, such as "messages[2].role", in the exchange's arena; `name`
 * if there is no memory for it. */
const char *field_path(fields *f, const char *name);

/* "a string", "an array", ...; "nothing" for NULL. */
const char *field_kind(const lf_json *value);

/* Replies with 400 for a field, unless the reader has failed before. `name` may be "": the object
 * itself. */
void field_fail(fields *f, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Replies because there is no memory, unless the reader has failed before. */
void field_fail_memory(fields *f);

#endif /* LFM2_SERVE_FIELDS_H */
