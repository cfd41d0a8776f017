/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles and renders chat templates: Jinja as Hugging Face's transformers configures it
 * (trim_blocks, lstrip_blocks, loop controls, generation blocks, its tojson). Every byte of the
 * output is marked as written by the template or as data. README.md lists what is supported. */
#ifndef LF_TEXT_TEMPLATE_TEMPLATE_H
#define LF_TEXT_TEMPLATE_TEMPLATE_H

#include "common/alloc.h"
#include "common/json.h"

/* Templates come from files that are not trusted. Beyond a limit a call fails with LIMIT. */
typedef struct lf_template_limits {
    size_t template_bytes; /* of the source */
    size_t steps;          /* instructions, plus work in proportion to the bytes or items touched */
    size_t memory;         /* bytes of all values while rendering */
    size_t output;         /* bytes of text */
    size_t calls;          /* nested macro calls */
} lf_template_limits;

/* 512 KiB, 5 million steps, 40 MiB, 4 MiB, 64 calls. */
lf_template_limits lf_template_limits_default(void);

typedef struct lf_template lf_template;

/* Compiles `text`. It can be freed afterwards; `alloc` must outlive *out. Messages begin with "chat
 * template, line N". Errors: FORMAT (does not parse), UNSUPPORTED (valid, but not implemented),
 * LIMIT, MEMORY. */
int32_t lf_template_compile(const lf_alloc *alloc, const lf_template_limits *limits,
                            const char *text, size_t len, lf_template **out);
void lf_template_free(lf_template *t);

/* A variable of the template. */
typedef struct lf_template_variable {
    const char *name;
    const lf_json *value; /* NULL: none, as JSON null */
    bool from_template;   /* its strings count as written by the template, as bos_token does */
} lf_template_variable;

/* Local time, for strftime_now. */
typedef struct lf_template_time {
    int32_t year, month, day; /* 1970 to 9999, 1 to 12, 1 to 31 */
    int32_t hour, minute, second;
} lf_template_time;

typedef struct lf_template_span {
    const char *text; /* not terminated */
    size_t len;       /* > 0 */
    bool from_template;
} lf_template_span;

typedef struct lf_template_output {
    lf_arena arena; /* contains the spans and their text */
    const char *text;
    size_t len;
    lf_template_span *spans; /* neighbors differ in from_template */
    size_t n_spans;
} lf_template_output;

/* Renders. `now` may be NULL: strftime_now then fails. The JSON values must live until the call
 * returns. Threads can share a template. Free *out with lf_template_output_free, after failure as
 * well. Errors: TEXT (raise_exception, or an operation that is not defined for these values),
 * UNSUPPORTED, LIMIT, MEMORY. */
int32_t lf_template_render(const lf_template *t, const lf_alloc *alloc,
                           const lf_template_limits *limits, const lf_template_variable *variables,
                           size_t n_variables, const lf_template_time *now,
                           lf_template_output *out);
void lf_template_output_free(lf_template_output *out);

#endif /* LF_TEXT_TEMPLATE_TEMPLATE_H */
