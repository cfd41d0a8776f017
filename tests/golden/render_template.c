/* SPDX-License-Identifier: Apache-2.0 */
/* Renders chat templates for comparison with jinja2: one JSON object per line of standard input,
 * {"template": text, "context": {...}, "trusted": [names], "now": [year, month, day, hour, minute,
 * second]}, the last two optional; one object per line of output. */
#define _GNU_SOURCE /* getline */
#include "common/json.h"
#include "text/template/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VARIABLES = 64 };

static void write_stdout(void *user, const char *text, size_t len)
{
    (void)user;
    fwrite(text, 1, len, stdout);
}

static const lf_json_writer writer = {.write = write_stdout};

static size_t read_variables(const lf_json *line, lf_template_variable *out)
{
    size_t n = 0;
    const lf_json *context = lf_json_get(line, "context");
    const lf_json *trusted = lf_json_get(line, "trusted");
    for (const lf_json *c = context != NULL ? context->child : NULL; c != NULL && n < MAX_VARIABLES;
         c = c->next) {
        bool from_template = false;
        for (const lf_json *t = trusted != NULL ? trusted->child : NULL; t != NULL; t = t->next) {
            from_template |= lf_json_is_string(t, c->key);
        }
        out[n++] = (lf_template_variable){c->key, c, from_template};
    }
    return n;
}

static bool read_time(const lf_json *line, lf_template_time *out)
{
    int64_t v[6] = {0};
    const lf_json *now = lf_json_get(line, "now");
    const lf_json *c = now != NULL ? now->child : NULL;
    for (size_t i = 0; i < 6 && c != NULL; i++, c = c->next) {
        lf_json_i64(c, &v[i]);
    }
    *out = (lf_template_time){(int32_t)v[0], (int32_t)v[1], (int32_t)v[2],
                              (int32_t)v[3], (int32_t)v[4], (int32_t)v[5]};
    return now != NULL && now->child != NULL;
}

static int32_t render(const lf_alloc *alloc, const lf_json *line, lf_template_output *out)
{
    lf_template_variable variables[MAX_VARIABLES];
    lf_template_limits limits = lf_template_limits_default();
    lf_template_time now;
    const lf_json *source = lf_json_get(line, "template");
    size_t n = read_variables(line, variables);
    bool has_time = read_time(line, &now);
    lf_template *t = NULL;
    LF_TRY(lf_template_compile(alloc, &limits, source->text, source->len, &t));
    int32_t status =
        lf_template_render(t, alloc, &limits, variables, n, has_time ? &now : NULL, out);
    lf_template_free(t);
    return status;
}

static void one_line(const char *text, size_t len)
{
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    const lf_json *line = NULL;
    lf_template_output out = {.text = ""};
    lf_arena_init(&arena, &alloc);
    lf_arena_init(&out.arena, &alloc);
    int32_t status = lf_json_parse(&arena, "line", LFM2_E_TEXT, text, len, &line);
    status = status == LFM2_OK ? render(&alloc, line, &out) : status;
    if (status == LFM2_OK) {
        printf("{\"text\": ");
        lf_json_write_string(&writer, out.text, out.len);
        printf(", \"spans\": [");
        for (size_t i = 0; i < out.n_spans; i++) {
            printf("%s[%zu, %d]", i > 0 ? ", " : "", out.spans[i].len, out.spans[i].from_template);
        }
        printf("]}\n");
    } else {
        printf("{\"status\": \"%s\", \"code\": \"%s\", \"message\": ", lfm2_status_name(status),
               lf_fail_code());
        lf_json_write_string(&writer, lf_fail_text(), strlen(lf_fail_text()));
        printf("}\n");
    }
    fflush(stdout);
    lf_template_output_free(&out);
    lf_arena_free(&arena);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = 0;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        one_line(line, (size_t)n);
    }
    free(line);
    return 0;
}
