/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the commands that constrain a text. */
#include "cli/options/constraint_options.h"

#include <string.h>

static const opt_choice space_choices[] = {
    {"json", LFM2_SPACE_JSON, "one space after each ':' and ','"},
    {"compact", LFM2_SPACE_COMPACT, "none"},
    {"flexible", LFM2_SPACE_FLEXIBLE, "none, one space, or a newline with an indent"},
    {NULL, 0, NULL},
};

const opt_spec constraint_specs[] = {
    {.type = OPT_TEXT,
     .name = "json-schema",
     .aliases = "-j -jf --json-schema-file",
     .arg = "FILE|JSON",
     .help = "JSON that is valid for the schema in FILE, or for JSON, which begins with a brace",
     .offset = offsetof(constraint_options, json_schema)},
    {.type = OPT_TEXT,
     .name = "grammar",
     .aliases = "--grammar-file",
     .arg = "FILE",
     .help = "text of the grammar in FILE, which is GBNF as in llama.cpp",
     .offset = offsetof(constraint_options, grammar)},
    {.type = OPT_TEXT,
     .name = "regex",
     .arg = "REGEX",
     .help = "text that the regular expression (ECMA-262) matches as a whole",
     .offset = offsetof(constraint_options, regex)},
    {.type = OPT_TEXT,
     .name = "choices",
     .arg = "A,B,...",
     .help = "one of these texts",
     .offset = offsetof(constraint_options, choices)},
    {.type = OPT_CHOICE,
     .name = "white-space",
     .arg = "KIND",
     .help = "white space of JSON",
     .default_text = "json; flexible with --suite",
     .offset = offsetof(constraint_options, space),
     .choices = space_choices},
    {.type = OPT_FLAG,
     .name = "lenient",
     .help = "ignore what cannot be enforced in a schema, with a message, instead of refusing it",
     .offset = offsetof(constraint_options, lenient)},
    {.type = OPT_END},
};

const opt_spec tool_choice_specs[] = {
    {.type = OPT_TEXT,
     .name = "tool-choice",
     .arg = "CHOICE",
     .help = "calls of the tools are valid: auto = text with calls, none = text without calls, "
             "required = at least one call and no text, or the name of the tool to call",
     .offset = offsetof(constraint_options, tool_choice)},
    {.type = OPT_FLAG,
     .name = "one-call",
     .help = "with --tool-choice: at most one call",
     .offset = offsetof(constraint_options, one_call)},
    {.type = OPT_END},
};

void constraint_options_init(constraint_options *options)
{
    *options = (constraint_options){.space = CONSTRAINT_SPACE_DEFAULT};
}

bool constraint_options_given(const constraint_options *o)
{
    return o->json_schema != NULL || o->grammar != NULL || o->regex != NULL || o->choices != NULL ||
           o->tool_choice != NULL;
}

int constraint_options_check(const command *self, void *options)
{
    const constraint_options *o = options;
    int n = (o->json_schema != NULL) + (o->grammar != NULL) + (o->regex != NULL) +
            (o->choices != NULL) + (o->tool_choice != NULL);
    if (n > 1) {
        return fail_usage(self->name, "--json-schema, --grammar, --regex, --choices and "
                                      "--tool-choice cannot be combined");
    }
    if (o->one_call && o->tool_choice == NULL) {
        return fail_usage(self->name, "option --one-call requires --tool-choice");
    }
    return PARSED;
}
