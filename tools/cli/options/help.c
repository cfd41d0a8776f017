/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the help of a command from its option table. */
#include "cli/options/options.h"

#include <stdio.h>
#include <string.h>

enum { HELP_INDENT = 28, HELP_WIDTH = 80 };

bool option_takes_value(const opt_spec *spec)
{
    if (spec->type == OPT_IGNORED || spec->type == OPT_REFUSED) {
        return spec->arg != NULL;
    }
    return spec->type != OPT_FLAG;
}

bool option_is_shown(const opt_group *group, const opt_spec *spec)
{
    return group->title != NULL && spec->type != OPT_IGNORED && spec->type != OPT_REFUSED;
}

/* Appends ": a, b (meaning), c". */
static size_t add_choices(const opt_choice *choice, char *out, size_t size, size_t used)
{
    const char *before = ": ";
    for (; choice->name != NULL; choice++) {
        used = append_format(out, size, used, "%s%s", before, choice->name);
        if (choice->meaning != NULL) {
            used = append_format(out, size, used, " (%s)", choice->meaning);
        }
        before = ", ";
    }
    return used;
}

size_t option_add_specials(const opt_spec *spec, const char *before, char *out, size_t size,
                           size_t used)
{
    const opt_special *s = spec->specials;
    while (s != NULL && s->meaning != NULL) {
        used = append_format(out, size, used, "%s%lld", before, (long long)s->number);
        while (s[1].meaning != NULL && s[1].value == s->value) {
            s++;
            used = append_format(out, size, used, " or %lld", (long long)s->number);
        }
        used = append_format(out, size, used, " = %s", s->meaning);
        before = ", ";
        s++;
    }
    return used;
}

void paragraphs(const char *text, void (*print)(const char *text, size_t len, bool as_is))
{
    while (*text != 0) {
        const char *end = strstr(text, "\n\n");
        size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
        print(text, len, strncmp(text, "Example", 7) == 0);
        text += len + (end != NULL ? 2 : 0);
    }
}

void option_describe(const opt_spec *spec, char *out, size_t size)
{
    size_t used = append_format(out, size, 0, "%s", spec->help);
    if (spec->choices != NULL) {
        used = add_choices(spec->choices, out, size, used);
    }
    used = option_add_specials(spec, "; ", out, size, used);
    const char *before = " (";
    if (spec->default_text != NULL) {
        used = append_format(out, size, used, "%sdefault: %s", before, spec->default_text);
        before = "; ";
    }
    const char *alias = spec->aliases;
    for (const char *also = "also "; alias != NULL && *alias != 0; also = "") {
        size_t len = strcspn(alias, " ");
        used = append_format(out, size, used, "%s%s%.*s", before, also, (int)len, alias);
        before = ", ";
        alias += len + strspn(alias + len, " ");
    }
    if (before[0] != ' ') {
        append_format(out, size, used, ")");
    }
}

/* Prints `n` bytes of text from column `indent` on, where further lines start, too. */
static void print_wrapped(const char *text, size_t n, int indent)
{
    const char *end = text + n;
    int column = indent;
    bool first = true;
    while (text < end) {
        int len = (int)strcspn(text, " \n");
        if (!first && column + 1 + len > HELP_WIDTH) {
            out_printf("\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            out_write(" ", 1);
            column++;
        }
        out_write(text, (size_t)len);
        column += len;
        text += len;
        text += strspn(text, " \n");
        first = false;
    }
    out_write("\n", 1);
}

static void print_option(const opt_spec *spec)
{
    char left[80];
    char letter[8] = "    ";
    char text[1024];
    bool value = option_takes_value(spec);
    if (spec->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", spec->letter);
    }
    int len = snprintf(left, sizeof left, "  %s--%s%s%s", letter, spec->name, value ? " " : "",
                       value ? spec->arg : "");
    out_printf("%s", left);
    if (len + 2 > HELP_INDENT) {
        out_printf("\n%*s", HELP_INDENT, "");
    } else {
        out_printf("%*s", HELP_INDENT - len, "");
    }
    option_describe(spec, text, sizeof text);
    print_wrapped(text, strlen(text), HELP_INDENT);
}

static void print_paragraph(const char *text, size_t len, bool as_is)
{
    out_printf("\n");
    if (as_is) {
        out_write(text, len);
        out_printf("\n");
    } else {
        print_wrapped(text, len, 0);
    }
}

void options_help(const command *self)
{
    const char *title = NULL;
    out_printf("Usage: lfm2 %s %s\n%s\n", self->name, self->synopsis, self->summary);
    for (uint32_t g = 0; g < self->n_groups; g++) {
        const opt_group *group = &self->groups[g];
        if (group->title == NULL) {
            continue;
        }
        if (title == NULL || strcmp(title, group->title) != 0) {
            out_printf("\n%s:\n", group->title);
            title = group->title;
        }
        for (const opt_spec *spec = group->specs; spec->type != OPT_END; spec++) {
            if (option_is_shown(group, spec)) {
                print_option(spec);
            }
        }
    }
    if (self->details != NULL) {
        paragraphs(self->details, print_paragraph);
    }
}
