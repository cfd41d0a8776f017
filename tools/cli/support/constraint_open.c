/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles the constraint that the command line asks for. */
#include "cli/support/constraint_open.h"
#include "cli/support/json.h"
#include "common/utf8.h"

#include <string.h>

/* Writes "A,B" as ["A","B"]. */
static int write_choices(const char *choices, text_buffer *out)
{
    if (!lf_utf8_valid(choices, strlen(choices))) {
        return fail("cli.choices", "the texts of --choices are not UTF-8");
    }
    int code = text_append(out, "[", 1);
    for (const char *at = choices; code == EXIT_OK && at != NULL;) {
        const char *end = strchr(at, ',');
        size_t len = end != NULL ? (size_t)(end - at) : strlen(at);
        code = json_append_string(out, at, len);
        at = end != NULL ? end + 1 : NULL;
        if (code == EXIT_OK && at != NULL) {
            code = text_append(out, ",", 1);
        }
    }
    return code == EXIT_OK ? text_append(out, "]", 1) : code;
}

/* Whether the value of --json-schema is a schema and no file. */
static bool is_json(const char *text)
{
    text += strspn(text, " \t\r\n");
    return text[0] == '{' || strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

int constraint_read(const constraint_options *o, constraint_text *out)
{
    if (o->json_schema != NULL) {
        out->kind = LFM2_CONSTRAINT_JSON_SCHEMA;
        return is_json(o->json_schema)
                   ? text_append(&out->text, o->json_schema, strlen(o->json_schema))
                   : text_read(o->json_schema, &out->text);
    }
    if (o->grammar != NULL) {
        out->kind = LFM2_CONSTRAINT_GBNF;
        return text_read(o->grammar, &out->text);
    }
    if (o->regex != NULL) {
        out->kind = LFM2_CONSTRAINT_REGEX;
        return text_append(&out->text, o->regex, strlen(o->regex));
    }
    if (o->choices != NULL) {
        out->kind = LFM2_CONSTRAINT_CHOICES;
        return write_choices(o->choices, &out->text);
    }
    return EXIT_OK;
}

int constraint_take_tools(const constraint_options *o, const text_buffer *tools,
                          constraint_text *out)
{
    if (o->tool_choice == NULL) {
        return EXIT_OK;
    }
    if (tools->len == 0) {
        return fail("cli.tools", "--tool-choice needs tools: --tools FILE gives them");
    }
    out->kind = LFM2_CONSTRAINT_TOOLS;
    return text_append(&out->text, tools->data, tools->len);
}

static void set_tool_choice(const char *choice, lfm2_constraint_options *out)
{
    static const struct {
        const char *name;
        int32_t choice;
    } choices[] = {{"auto", LFM2_TOOL_CHOICE_AUTO},
                   {"none", LFM2_TOOL_CHOICE_NONE},
                   {"required", LFM2_TOOL_CHOICE_REQUIRED}};
    for (uint32_t i = 0; i < COUNT(choices); i++) {
        if (strcmp(choice, choices[i].name) == 0) {
            out->tool_choice = choices[i].choice;
            return;
        }
    }
    out->tool_choice = LFM2_TOOL_CHOICE_NAMED;
    out->tool_name = choice;
}

void constraint_set_options(const constraint_options *o, int32_t space, int32_t reasoning,
                            lfm2_constraint_options *out)
{
    lfm2_constraint_options_init(out, sizeof *out);
    out->flags =
        (o->lenient ? LFM2_CONSTRAINT_LENIENT : 0U) | (o->one_call ? LFM2_CONSTRAINT_ONE_CALL : 0U);
    out->space = o->space == CONSTRAINT_SPACE_DEFAULT ? space : (int32_t)o->space;
    out->reasoning = reasoning;
    if (o->tool_choice != NULL) {
        set_tool_choice(o->tool_choice, out);
    }
}

int constraint_open(lfm2_model *model, const constraint_options *o, const constraint_text *text,
                    int32_t reasoning, lfm2_constraint **out)
{
    lfm2_constraint_options options;
    if (text->kind == 0) {
        return EXIT_OK;
    }
    constraint_set_options(o, LFM2_SPACE_JSON, reasoning, &options);
    if (lfm2_constraint_create(model, text->kind, text->text.data, text->text.len, &options, out) !=
        LFM2_OK) {
        return fail_library();
    }
    const char *ignored = lfm2_constraint_ignored(*out);
    if (strcmp(ignored, "[]") != 0) {
        notice("ignored in the schema: %s", ignored);
    }
    return EXIT_OK;
}
