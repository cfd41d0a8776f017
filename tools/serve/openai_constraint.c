/* SPDX-License-Identifier: Apache-2.0 */
/* What the text of an answer must be: response_format of OpenAI, and the fields of vLLM and
 * llama-server that say the same. */
#include "serve/openai.h"

#include <string.h>

static void set_constraint(fields *f, const char *name, job_request *request, int32_t kind,
                           const char *text, size_t len)
{
    if (request->constraint_kind != 0) {
        field_fail(f, name, "cannot be combined with %s", request->constraint_param);
        return;
    }
    request->constraint_kind = kind;
    request->constraint = text;
    request->constraint_len = len;
    request->constraint_param = field_path(f, name);
}

/* A JSON value as a constraint. */
static void set_json(fields *f, const char *name, job_request *request, int32_t kind,
                     const lf_json *value)
{
    json_out out = {0};
    size_t len = 0;
    out_value(&out, NULL, value);
    const char *text = chat_keep(f, &out, &len);
    if (text != NULL) {
        set_constraint(f, name, request, kind, text, len);
    }
}

static void set_schema(fields *f, const char *name, job_request *request, const lf_json *schema)
{
    if (schema->kind != LF_JSON_OBJECT && schema->kind != LF_JSON_TRUE) {
        field_fail(f, name, "must be an object, not %s", field_kind(schema));
        return;
    }
    set_json(f, name, request, LFM2_CONSTRAINT_JSON_SCHEMA, schema);
}

static void set_text(fields *f, const char *name, job_request *request, int32_t kind)
{
    const char *text = NULL;
    size_t len = 0;
    field_string(f, name, &text, &len);
    if (text != NULL && len > 0) {
        set_constraint(f, name, request, kind, text, len);
    }
}

static void any_object(fields *f, const char *name, job_request *request)
{
    static const char schema[] = "{\"type\":\"object\"}";
    set_constraint(f, name, request, LFM2_CONSTRAINT_JSON_SCHEMA, schema, sizeof schema - 1);
}

static void read_json_schema(fields *f, job_request *request)
{
    fields format;
    if (field(f, "json_schema") == NULL) {
        field_fail(f, "json_schema", "is required");
    }
    if (!field_object(f, "json_schema", &format)) {
        return;
    }
    bool strict = false;
    const char *name = NULL;
    field_string(&format, "name", &name, NULL);
    field_bool(&format, "strict", &strict);
    const lf_json *schema = field(&format, "schema");
    request->lenient = !strict;
    if (schema != NULL) {
        set_schema(&format, "schema", request, schema);
    } else if (!f->failed) {
        any_object(f, "json_schema", request);
    }
}

static void read_response_format(fields *f, job_request *request)
{
    static const char *const types[] = {"text", "json_object", "json_schema", NULL};
    fields format;
    if (!field_object(f, "response_format", &format)) {
        return;
    }
    int type = -1;
    if (field(&format, "type") == NULL) {
        field_fail(&format, "type", "is required");
    }
    field_choice(&format, "type", types, &type);
    if (type == 1) {
        const lf_json *schema = field(&format, "schema"); /* llama-server */
        request->lenient = true;
        if (schema != NULL) {
            set_schema(&format, "schema", request, schema);
        } else {
            any_object(&format, "type", request);
        }
    } else if (type == 2) {
        read_json_schema(&format, request);
    }
}

/* A schema as JSON or as text, in the fields of vLLM. */
static void read_json(fields *f, const char *name, job_request *request)
{
    const lf_json *value = field(f, name);
    if (value == NULL) {
        return;
    }
    request->lenient = true;
    if (value->kind == LF_JSON_STRING) {
        set_text(f, name, request, LFM2_CONSTRAINT_JSON_SCHEMA);
    } else {
        set_schema(f, name, request, value);
    }
}

static void read_choices(fields *f, const char *name, job_request *request)
{
    const lf_json *value = field_array(f, name);
    if (value != NULL) {
        set_json(f, name, request, LFM2_CONSTRAINT_CHOICES, value);
    }
}

void openai_constraint(fields *f, job_request *request)
{
    fields structured;
    read_response_format(f, request);
    read_json(f, "json_schema", request); /* llama-server */
    set_text(f, "grammar", request, LFM2_CONSTRAINT_GBNF);
    read_json(f, "guided_json", request); /* vLLM */
    set_text(f, "guided_regex", request, LFM2_CONSTRAINT_REGEX);
    set_text(f, "guided_grammar", request, LFM2_CONSTRAINT_GBNF);
    read_choices(f, "guided_choice", request);
    if (field_object(f, "structured_outputs", &structured)) {
        read_json(&structured, "json", request);
        set_text(&structured, "regex", request, LFM2_CONSTRAINT_REGEX);
        set_text(&structured, "grammar", request, LFM2_CONSTRAINT_GBNF);
        read_choices(&structured, "choice", request);
    }
}
