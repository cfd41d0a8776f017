/* SPDX-License-Identifier: Apache-2.0 */
/* Tries the lines of a suite in the format of MaskBench: a schema, and values that are valid or not
 * ({"name": ..., "schema": ..., "tests": [{"data": ..., "valid": true}]}). */
#include "cli/constrain/constrain.h"
#include "cli/support/messages.h"

#include <stdlib.h>
#include <string.h>

typedef struct suite {
    const constrain_options *opts;
    lfm2_model *model;
    size_t schemas, taken, refused, passed;
    size_t values, wrongly_accepted, wrongly_refused, limited;
    size_t tokens, forced;
    time_list masks, compiles;
    bool first; /* no schema has been printed yet */
} suite;

typedef struct schema_result {
    const char *name;
    size_t name_len;
    char reason[512]; /* empty: the schema is taken */
    char code[64];
    double compile;
    size_t wrongly_accepted, wrongly_refused, limited;
    char example[600]; /* of a wrong verdict */
} schema_result;

/* ---- One schema ---- */

static int try_value(suite *s, lfm2_constraint *constraint, const lf_json *test, size_t number,
                     schema_result *r)
{
    const lf_json *data = lf_json_get(test, "data");
    const lf_json *valid = lf_json_get(test, "valid");
    text_buffer text = {0};
    trial t;
    if (data == NULL || valid == NULL) {
        return fail("cli.suite", "a test lacks \"data\" or \"valid\"");
    }
    int32_t space = s->opts->constraint.space == CONSTRAINT_SPACE_DEFAULT
                        ? LFM2_SPACE_FLEXIBLE
                        : (int32_t)s->opts->constraint.space;
    int code = order_text(constraint, data, space, &text);
    if (code == EXIT_OK) {
        code = trial_run(s->model, constraint, text.data, text.len, 0, &s->masks, &t);
    }
    text_free(&text);
    if (code != EXIT_OK) {
        return code;
    }
    bool expected = valid->kind == LF_JSON_TRUE;
    bool accepted = t.verdict == TRIAL_ACCEPT;
    s->values++;
    s->tokens += accepted ? t.n_tokens : 0;
    s->forced += accepted ? t.n_forced : 0;
    r->limited += t.verdict == TRIAL_REFUSED;
    r->wrongly_accepted += accepted && !expected;
    r->wrongly_refused += !accepted && expected;
    if (accepted != expected && r->example[0] == '\0') {
        append_format(r->example, sizeof r->example, 0, "value %zu: %s%s%s", number,
                      trial_name(t.verdict), accepted ? "" : ": ", accepted ? "" : t.reason);
    }
    return EXIT_OK;
}

static int try_schema(suite *s, const lf_json *schema, const lf_json *tests, schema_result *r)
{
    lfm2_constraint_options options;
    lfm2_constraint *constraint = NULL;
    text_buffer text = {0};
    constraint_set_options(&s->opts->constraint, LFM2_SPACE_FLEXIBLE, LFM2_REASONING_NONE,
                           &options);
    int code = json_append(&text, schema);
    if (code != EXIT_OK) {
        return code;
    }
    double start = cpu_microseconds();
    int32_t status = lfm2_constraint_create(s->model, LFM2_CONSTRAINT_JSON_SCHEMA, text.data,
                                            text.len, &options, &constraint);
    r->compile = cpu_microseconds() - start;
    text_free(&text);
    if (status == LFM2_E_MEMORY) {
        return fail_library();
    }
    if (status != LFM2_OK) {
        append_format(r->reason, sizeof r->reason, 0, "%s", lfm2_last_error());
        append_format(r->code, sizeof r->code, 0, "%s", lfm2_last_error_code());
        return EXIT_OK;
    }
    code = times_add(&s->compiles, r->compile);
    size_t number = 0;
    for (const lf_json *t = tests != NULL ? tests->child : NULL; t != NULL && code == EXIT_OK;
         t = t->next) {
        code = try_value(s, constraint, t, number++, r);
    }
    lfm2_constraint_free(constraint);
    return code;
}

/* ---- Output ---- */

static void print_schema(suite *s, const schema_result *r)
{
    bool wrong = r->wrongly_accepted + r->wrongly_refused > 0;
    if (s->opts->json) {
        out_printf("%s{\"name\":", s->first ? "" : ",\n");
        json_string(r->name, r->name_len);
        out_printf(",\"taken\":%s,\"compile_us\":%.1f", r->reason[0] == '\0' ? "true" : "false",
                   r->compile);
        if (r->reason[0] != '\0') {
            out_printf(",\"code\":\"%s\",\"reason\":", r->code);
            json_string(r->reason, strlen(r->reason));
        }
        out_printf(",\"wrongly_accepted\":%zu,\"wrongly_refused\":%zu", r->wrongly_accepted,
                   r->wrongly_refused);
        if (wrong) {
            out_printf(",\"example\":");
            json_string(r->example, strlen(r->example));
        }
        out_printf("}");
    } else if (r->reason[0] != '\0') {
        out_printf("%.*s: refused: %s (%s)\n", (int)r->name_len, r->name, r->reason, r->code);
    } else if (wrong) {
        out_printf("%.*s: wrong: %s\n", (int)r->name_len, r->name, r->example);
    }
    s->first = false;
}

static void print_totals(suite *s)
{
    time_summary masks = times_summarize(&s->masks);
    time_summary compiles = times_summarize(&s->compiles);
    if (s->opts->json) {
        out_printf("],\"totals\":{\"schemas\":%zu,\"taken\":%zu,\"refused\":%zu,\"passed\":%zu,"
                   "\"values\":%zu,\"wrongly_accepted\":%zu,\"wrongly_refused\":%zu,"
                   "\"limited\":%zu,\"tokens\":%zu,\"forced\":%zu,\"mask_us\":",
                   s->schemas, s->taken, s->refused, s->passed, s->values, s->wrongly_accepted,
                   s->wrongly_refused, s->limited, s->tokens, s->forced);
        times_print_json(&masks);
        out_printf(",\"compile_us\":");
        times_print_json(&compiles);
        out_printf("}}\n");
        return;
    }
    out_printf("schemas: %zu taken, %zu refused, %zu together; %zu passed\n", s->taken, s->refused,
               s->schemas, s->passed);
    out_printf("values: %zu; %zu wrongly accepted, %zu wrongly refused (%zu by a limit)\n",
               s->values, s->wrongly_accepted, s->wrongly_refused, s->limited);
    out_printf("tokens of accepted values: %zu, of which %zu are forced\n", s->tokens, s->forced);
    times_print("mask", &masks, false);
    times_print("compile", &compiles, true);
}

/* ---- Lines ---- */

static int try_line(void *user, const char *line, size_t len, size_t number, double done)
{
    suite *s = user;
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    const lf_json *value = NULL;
    schema_result r = {.name = "?", .name_len = 1};
    char name[64];
    (void)done;
    append_format(name, sizeof name, 0, "suite: line %zu", number);
    lf_arena_init(&arena, &alloc);
    int code = EXIT_OK;
    if (lf_json_parse(&arena, name, LFM2_E_TEXT, line, len, &value) != LFM2_OK) {
        code = fail("cli.suite", "%s", lf_fail_text());
    }
    const lf_json *schema = lf_json_get(value, "schema");
    const lf_json *label = lf_json_get(value, "name");
    if (code == EXIT_OK && schema == NULL) {
        code = fail("cli.suite", "%s: there is no \"schema\"", name);
    }
    if (label != NULL && label->kind == LF_JSON_STRING) {
        r.name = label->text;
        r.name_len = label->len;
    }
    if (code == EXIT_OK) {
        code = try_schema(s, schema, lf_json_get(value, "tests"), &r);
    }
    if (code == EXIT_OK) {
        bool taken = r.reason[0] == '\0';
        s->schemas++;
        s->taken += taken;
        s->refused += !taken;
        s->passed += taken && r.wrongly_accepted + r.wrongly_refused == 0;
        s->wrongly_accepted += r.wrongly_accepted;
        s->wrongly_refused += r.wrongly_refused;
        s->limited += r.limited;
        print_schema(s, &r);
    }
    lf_arena_free(&arena);
    return code;
}

int suite_run(const constrain_options *opts, lfm2_model *model)
{
    suite s = {.opts = opts, .model = model, .first = true};
    text_buffer text = {0};
    int code = text_read(opts->suite, &text);
    if (code == EXIT_OK && text.len > 2 && memcmp(text.data, "\x1F\x8B", 2) == 0) {
        if (strcmp(opts->suite, "-") == 0) {
            code = fail("cli.suite", "the input is compressed; zcat decompresses it");
        } else {
            text.len = 0;
            code = text_read_gzip(opts->suite, &text);
        }
    }
    const bool read = code == EXIT_OK;
    if (read && opts->json) {
        out_printf("{\"results\":[");
    }
    if (read) {
        code = for_each_line(&text, try_line, &s);
    }
    if (code == EXIT_OK) {
        print_totals(&s);
    } else if (read && opts->json) {
        out_printf("]}\n"); /* no totals, but JSON all the same */
    }
    times_free(&s.masks);
    times_free(&s.compiles);
    text_free(&text);
    return code;
}
