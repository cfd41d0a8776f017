/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the commands that render conversations. */
#include "cli/options/template_options.h"

#include "common/calendar.h"
#include "common/json.h"

#include <string.h>

const opt_spec template_specs[] = {
    {.type = OPT_TEXT,
     .name = "chat-template",
     .aliases = "--chat-template-file",
     .arg = "FILE|NAME",
     .help = "chat template: a file with a Jinja program, or the name of a template of the model "
             "(inspect lists them); lfm2 is the built-in format",
     .default_text = "the template of the model; lfm2 if it has none",
     .offset = offsetof(template_options, source)},
    {.type = OPT_TEXT,
     .name = "template-args",
     .aliases = "--chat-template-kwargs",
     .arg = "JSON",
     .help = "object with variables for the template, such as '{\"enable_thinking\": false}'",
     .offset = offsetof(template_options, args)},
    {.type = OPT_TEXT,
     .name = "date",
     .arg = "YYYY-MM-DD",
     .help = "the day that templates take as today, at 00:00",
     .default_text = "the local time",
     .offset = offsetof(template_options, date)},
    {.type = OPT_END},
};

/* Parses n digits. */
static bool parse_digits(const char *text, size_t n, int32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        *out = *out * 10 + (text[i] - '0');
    }
    return true;
}

static bool parse_date(template_options *o)
{
    const char *text = o->date;
    return strlen(text) == 10 && text[4] == '-' && text[7] == '-' &&
           parse_digits(text, 4, &o->year) && parse_digits(text + 5, 2, &o->month) &&
           parse_digits(text + 8, 2, &o->day) && o->year >= 1970 && o->month >= 1 &&
           o->month <= 12 && o->day >= 1 && o->day <= lf_days_of_month(o->year, o->month);
}

/* Checks that `text`, the value of --template-args, is a JSON object. */
static int check_args(const command *self, const char *text)
{
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    const lf_json *value = NULL;
    int code = PARSED;
    int32_t status =
        lf_json_parse(&arena, "option --template-args", LFM2_E_TEXT, text, strlen(text), &value);
    if (status == LFM2_E_MEMORY) {
        code = fail("cli.memory", "%s", lf_fail_text());
    } else if (status != LFM2_OK) {
        code = fail_usage(self->name, "%s", lf_fail_text());
    } else if (value->kind != LF_JSON_OBJECT) {
        code = fail_usage(self->name, "option --template-args: '%s' is not a JSON object", text);
    }
    lf_arena_free(&arena);
    return code;
}

int template_options_check(const command *self, void *options)
{
    template_options *o = options;
    if (o->source != NULL && o->source[0] == 0) {
        return fail_usage(self->name, "option --chat-template: the path is empty");
    }
    if (o->date != NULL && !parse_date(o)) {
        return fail_usage(self->name,
                          "option --date: '%s' is not a day from 1970-01-01 to 9999-12-31 written "
                          "as YYYY-MM-DD",
                          o->date);
    }
    return o->args != NULL ? check_args(self, o->args) : PARSED;
}

bool template_options_given(const template_options *options)
{
    return options->source != NULL || options->args != NULL || options->date != NULL;
}

static const opt_choice reasoning_choices[] = {
    {"show", REASONING_SHOW, "print it: dimmed on a terminal, else between <think> and </think>"},
    {"hide", REASONING_HIDE, "do not print it"},
    {"off", REASONING_OFF, "let the model answer without it"},
    {NULL, 0, NULL},
};

const opt_spec reasoning_specs[] = {
    {.type = OPT_CHOICE,
     .name = "reasoning",
     .arg = "MODE",
     .help = "what to do with the reasoning that precedes an answer",
     .default_text = "show",
     .offset = offsetof(reasoning_options, mode),
     .choices = reasoning_choices},
    {.type = OPT_I32,
     .name = "reasoning-budget",
     .arg = "N",
     .help = "end the reasoning after N tokens and continue with the answer; 0 = at once, -1 = no "
             "limit",
     .default_text = "-1",
     .offset = offsetof(reasoning_options, budget),
     .min = -1,
     .max = INT32_MAX},
    {.type = OPT_END},
};

int reasoning_options_check(const command *self, void *options)
{
    const reasoning_options *o = options;
    if (o->mode == REASONING_OFF && o->budget > 0) {
        return fail_usage(
            self->name, "--reasoning off leaves no reasoning that --reasoning-budget could limit");
    }
    return PARSED;
}

void reasoning_options_init(reasoning_options *options)
{
    *options = (reasoning_options){.budget = REASONING_NO_BUDGET};
}

bool reasoning_options_given(const reasoning_options *options)
{
    return options->mode != REASONING_DEFAULT || options->budget != REASONING_NO_BUDGET;
}
