/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and their options: parser and help text over one table. */
#include "options.h"

#include <stdio.h>
#include <string.h>

/* An option found on the command line. */
typedef struct match {
    const command *self;
    const opt_spec *spec;
    void *target;
    char shown[64]; /* as the user wrote it: "-n" or "--top-k" */
} match;

static bool find(const command *self, void *base, const char *name, size_t len, bool is_long,
                 match *out)
{
    for (uint32_t g = 0; g < self->n_groups; g++) {
        const opt_group *group = &self->groups[g];
        for (uint32_t i = 0; i < group->n; i++) {
            const opt_spec *spec = &group->specs[i];
            bool same = is_long ? strlen(spec->name) == len && memcmp(spec->name, name, len) == 0
                                : spec->letter != 0 && spec->letter == name[0];
            if (same) {
                out->self = self;
                out->spec = spec;
                out->target = (unsigned char *)base + group->base + spec->offset;
                snprintf(out->shown, sizeof out->shown, is_long ? "--%.*s" : "-%.*s", (int)len,
                         name);
                return true;
            }
        }
    }
    return false;
}

static int bad_value(const match *m, const char *value, const char *wanted)
{
    return fail_usage(m->self->name, "option %s: '%s' is not %s", m->shown, value, wanted);
}

static int check_range(const match *m, const char *value, double number)
{
    const opt_spec *spec = m->spec;
    if (number < spec->min || number > spec->max) {
        return fail_usage(m->self->name, "option %s: '%s' is out of range: %.15g to %.15g",
                          m->shown, value, spec->min, spec->max);
    }
    return PARSED;
}

static int set_u32(const match *m, const char *value, uint32_t *out)
{
    uint64_t number = 0;
    if (!parse_u64(value, &number)) {
        return bad_value(m, value, "a whole number");
    }
    int code = check_range(m, value, (double)number);
    if (code == PARSED) {
        *out = (uint32_t)number;
    }
    return code;
}

static int set_i32(const match *m, const char *value, int32_t *out)
{
    int64_t number = 0;
    if (!parse_i64(value, &number)) {
        return bad_value(m, value, "a whole number");
    }
    int code = check_range(m, value, (double)number);
    if (code == PARSED) {
        *out = (int32_t)number;
    }
    return code;
}

static int set_real(const match *m, const char *value, double *out)
{
    double number = 0;
    if (!parse_real(value, &number)) {
        return bad_value(m, value, "a number");
    }
    int code = check_range(m, value, number);
    if (code == PARSED) {
        *out = number;
    }
    return code;
}

static int set_choice(const match *m, const char *value, size_t len, uint32_t *out)
{
    char names[512] = "";
    size_t used = 0;
    for (const opt_choice *choice = m->spec->choices; choice->name != NULL; choice++) {
        if (strlen(choice->name) == len && memcmp(choice->name, value, len) == 0) {
            *out = choice->value;
            return PARSED;
        }
        int n =
            snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "", choice->name);
        used += n > 0 && (size_t)n < sizeof names - used ? (size_t)n : 0;
    }
    return fail_usage(m->self->name, "option %s: '%.*s' is not one of %s", m->shown, (int)len,
                      value, names);
}

/* Comma lists: each item goes to set_u32 or set_choice. */
static int set_list(const match *m, const char *value)
{
    opt_u32s list = {.n = 0};
    uint32_t bits = 0;
    const char *at = value;
    for (;;) {
        size_t len = strcspn(at, ",");
        uint32_t item = 0;
        int code = PARSED;
        if (m->spec->kind == OPT_CHOICES) {
            code = set_choice(m, at, len, &item);
        } else {
            char text[32];
            snprintf(text, sizeof text, "%.*s", (int)(len < 31 ? len : 31), at);
            code = list.n == OPT_MAX_ITEMS
                       ? fail_usage(m->self->name, "option %s: more than %d values", m->shown,
                                    OPT_MAX_ITEMS)
                       : set_u32(m, text, &item);
        }
        if (code != PARSED) {
            return code;
        }
        bits |= item;
        if (m->spec->kind == OPT_U32S) {
            list.items[list.n++] = item;
        }
        if (at[len] == 0) {
            break;
        }
        at += len + 1;
    }
    if (m->spec->kind == OPT_CHOICES) {
        *(uint32_t *)m->target |= bits;
    } else {
        *(opt_u32s *)m->target = list;
    }
    return PARSED;
}

static int add_text(const match *m, const char *value)
{
    opt_texts *texts = m->target;
    if (value[0] == 0) {
        return fail_usage(m->self->name, "option %s: the value is empty", m->shown);
    }
    if (texts->n == OPT_MAX_ITEMS) {
        return fail_usage(m->self->name, "option %s: given more than %d times", m->shown,
                          OPT_MAX_ITEMS);
    }
    texts->items[texts->n++] = value;
    return PARSED;
}

static int set(const match *m, const char *value)
{
    switch (m->spec->kind) {
    case OPT_FLAG:
        *(bool *)m->target = true;
        return PARSED;
    case OPT_U32:
        return set_u32(m, value, m->target);
    case OPT_I32:
        return set_i32(m, value, m->target);
    case OPT_U64:
        return parse_u64(value, m->target) ? PARSED
                                           : bad_value(m, value, "a whole number below 2^64");
    case OPT_REAL:
        return set_real(m, value, m->target);
    case OPT_TEXT:
        *(const char **)m->target = value;
        return PARSED;
    case OPT_TEXTS:
        return add_text(m, value);
    case OPT_CHOICE:
        return set_choice(m, value, strlen(value), m->target);
    case OPT_U32S:
    case OPT_CHOICES:
        return set_list(m, value);
    }
    return PARSED;
}

/* Handles the option at argv[*i] and moves *i past its value if that is an argument of its own. */
static int parse_one(const command *self, int argc, char **argv, int *i, void *target)
{
    const char *text = argv[*i];
    bool is_long = text[1] == '-';
    const char *name = text + (is_long ? 2 : 1);
    size_t len = is_long ? strcspn(name, "=") : 1;
    const char *value =
        is_long ? (name[len] == '=' ? name + len + 1 : NULL) : (name[1] != 0 ? name + 1 : NULL);
    if ((is_long && len == 4 && memcmp(name, "help", 4) == 0) || strcmp(text, "-h") == 0) {
        options_help(self);
        return EXIT_OK;
    }
    match m;
    if (!find(self, target, name, len, is_long, &m)) {
        return fail_usage(self->name, "unknown option '%.*s'",
                          (int)(is_long ? len + 2 : strlen(text)), text);
    }
    if (m.spec->kind == OPT_FLAG) {
        if (value != NULL) {
            return fail_usage(self->name, "option %s takes no value", m.shown);
        }
        return set(&m, NULL);
    }
    if (value == NULL) {
        if (*i + 1 >= argc) {
            return fail_usage(self->name, "option %s needs a value", m.shown);
        }
        value = argv[++*i];
    }
    return set(&m, value);
}

int options_parse(const command *self, int argc, char **argv, void *target, opt_args *args)
{
    uint32_t n_args = 0;
    bool only_args = false;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        if (only_args || text[0] != '-' || text[1] == 0) {
            if (n_args >= self->max_args || args == NULL) {
                return fail_usage(self->name, "unexpected argument '%s'", text);
            }
            args->items[n_args++] = text;
        } else if (strcmp(text, "--") == 0) {
            only_args = true;
        } else {
            int code = parse_one(self, argc, argv, &i, target);
            if (code != PARSED) {
                return code;
            }
        }
    }
    if (n_args < self->min_args) {
        return fail_usage(self->name, "too few arguments: lfm2 %s %s", self->name, self->synopsis);
    }
    if (args != NULL) {
        args->n = n_args;
    }
    return PARSED;
}

const char *choice_name(const opt_choice *choices, uint32_t value)
{
    for (; choices->name != NULL; choices++) {
        if (choices->value == value) {
            return choices->name;
        }
    }
    return "?";
}

/* ---- Help ----------------------------------------------------------------------------------- */

enum { HELP_INDENT = 28, HELP_WIDTH = 88 };

/* Words of `text` from column `column` on, continued under HELP_INDENT. */
static void print_wrapped(const char *text, int column)
{
    bool first = true;
    while (*text != 0) {
        int len = (int)strcspn(text, " ");
        if (!first && column + 1 + len > HELP_WIDTH) {
            out_printf("\n%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else if (!first) {
            out_write(" ", 1);
            column++;
        }
        out_write(text, (size_t)len);
        column += len;
        text += len;
        text += strspn(text, " ");
        first = false;
    }
    out_write("\n", 1);
}

static void print_option(const opt_spec *spec)
{
    char left[80];
    char letter[8] = "    ";
    if (spec->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", spec->letter);
    }
    int len = snprintf(left, sizeof left, "  %s--%s%s%s", letter, spec->name,
                       spec->kind == OPT_FLAG ? "" : " ", spec->kind == OPT_FLAG ? "" : spec->arg);
    out_printf("%s", left);
    if (len + 2 > HELP_INDENT) {
        out_printf("\n%*s", HELP_INDENT, "");
    } else {
        out_printf("%*s", HELP_INDENT - len, "");
    }
    print_wrapped(spec->help, HELP_INDENT);
}

void options_help(const command *self)
{
    out_printf("Usage: lfm2 %s %s\n%s\n", self->name, self->synopsis, self->summary);
    for (uint32_t g = 0; g < self->n_groups; g++) {
        out_printf("\n%s:\n", self->groups[g].title);
        for (uint32_t i = 0; i < self->groups[g].n; i++) {
            print_option(&self->groups[g].specs[i]);
        }
    }
    if (self->details != NULL) {
        out_printf("\n%s\n", self->details);
    }
}
