/* SPDX-License-Identifier: Apache-2.0 */
/* Parses a command line by the option table of its command. */
#include "cli/options/options.h"
#include "cli/support/number.h"
#include "cli/support/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An option found on the command line. */
typedef struct match {
    const command *self;
    const opt_spec *spec;
    void *target;
    char shown[64]; /* as the user wrote it: "-n" or "--top-k" */
} match;

/* The texts that OPT_CONTENT stored. */
static text_buffer contents[OPT_MAX_ITEMS];
static uint32_t n_contents;

void options_free(void)
{
    while (n_contents > 0) {
        text_free(&contents[--n_contents]);
    }
}

bool has_word(const char *list, const char *word, size_t len)
{
    while (list != NULL && *list != 0) {
        size_t n = strcspn(list, " ");
        if (n == len && memcmp(list, word, len) == 0) {
            return true;
        }
        list += n + strspn(list + n, " ");
    }
    return false;
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

bool choice_find(const opt_choice *choices, const char *text, size_t len, uint32_t *value)
{
    for (; choices->name != NULL; choices++) {
        if (strlen(choices->name) == len && strncasecmp(choices->name, text, len) == 0) {
            *value = choices->value;
            return true;
        }
    }
    return false;
}

const char *choice_list(const opt_choice *choices, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (; choices->name != NULL; choices++) {
        used = append_format(out, size, used, "%s%s", used > 0 ? ", " : "", choices->name);
    }
    return out;
}

/* Whether `name`, dashes included, is a spelling of the option. */
static bool is_spelling(const opt_spec *spec, const char *name, size_t len)
{
    if (len == 2 && name[1] != '-' && spec->letter == name[1]) {
        return true;
    }
    if (spec->name != NULL && len > 2 && name[1] == '-' && strlen(spec->name) == len - 2 &&
        memcmp(spec->name, name + 2, len - 2) == 0) {
        return true;
    }
    return has_word(spec->aliases, name, len);
}

static bool find(const command *self, void *base, const char *name, size_t len, match *out)
{
    for (uint32_t g = 0; g < self->n_groups; g++) {
        const opt_group *group = &self->groups[g];
        for (const opt_spec *spec = group->specs; spec->type != OPT_END; spec++) {
            if (is_spelling(spec, name, len)) {
                out->self = self;
                out->spec = spec;
                out->target = (unsigned char *)base + group->base + spec->offset;
                snprintf(out->shown, sizeof out->shown, "%.*s", (int)len, name);
                return true;
            }
        }
    }
    return false;
}

/* ---- Values --------------------------------------------------------------------------------- */

static int bad_value(const match *m, const char *value, const char *expected)
{
    return fail_usage(m->self->name, "option %s: '%s' is not %s", m->shown, value, expected);
}

static int out_of_range(const match *m, const char *value)
{
    const opt_spec *spec = m->spec;
    char range[256];
    size_t used = append_format(range, sizeof range, 0, "%.15g to %.15g", spec->min, spec->max);
    option_add_specials(spec, "; ", range, sizeof range, used);
    return fail_usage(m->self->name, "option %s is %s; allowed: %s", m->shown, value, range);
}

/* Parses an integer in min..max, or a special number. */
static int parse_integer(const match *m, const char *value, int64_t *out)
{
    const opt_spec *spec = m->spec;
    const char *digits = value + (value[0] == '-');
    int64_t number = 0;
    if (digits[0] == 0 || digits[strspn(digits, "0123456789")] != 0) {
        return bad_value(m, value, "an integer");
    }
    if (!parse_i64(value, &number)) {
        return out_of_range(m, value);
    }
    for (const opt_special *s = spec->specials; s != NULL && s->meaning != NULL; s++) {
        if (s->number == number) {
            *out = s->value;
            return PARSED;
        }
    }
    if ((double)number < spec->min || (double)number > spec->max) {
        return out_of_range(m, value);
    }
    *out = number;
    return PARSED;
}

static int set_u32(const match *m, const char *value, uint32_t *out)
{
    int64_t number = 0;
    int code = parse_integer(m, value, &number);
    if (code == PARSED) {
        *out = (uint32_t)number;
    }
    return code;
}

static int set_i32(const match *m, const char *value, int32_t *out)
{
    int64_t number = 0;
    int code = parse_integer(m, value, &number);
    if (code == PARSED) {
        *out = (int32_t)number;
    }
    return code;
}

static int set_u64(const match *m, const char *value, uint64_t *out)
{
    if (m->spec->type == OPT_SEED && strcmp(value, "-1") == 0) {
        *out = random_seed();
        return PARSED;
    }
    if (parse_u64(value, out)) {
        return PARSED;
    }
    const char *expected = m->spec->type == OPT_SEED
                               ? "an integer from 0 to 18446744073709551615, or -1 (random)"
                               : "an integer from 0 to 18446744073709551615";
    return bad_value(m, value, expected);
}

static int set_real(const match *m, const char *value, double *out)
{
    double number = 0;
    if (!parse_real(value, &number)) {
        return bad_value(m, value, "a number");
    }
    if (number < m->spec->min || number > m->spec->max) {
        return out_of_range(m, value);
    }
    *out = number;
    return PARSED;
}

static int set_choice(const match *m, const char *value, size_t len, uint32_t *out)
{
    char names[512];
    if (choice_find(m->spec->choices, value, len, out)) {
        return PARSED;
    }
    choice_list(m->spec->choices, names, sizeof names);
    if (value[0] == '-') {
        return fail_usage(m->self->name, "option %s needs a value, one of %s", m->shown, names);
    }
    return fail_usage(m->self->name, "option %s: '%.*s' is not one of %s", m->shown, (int)len,
                      value, names);
}

/* Parses a comma-separated list. If the option is repeated, the items are appended. */
static int set_list(const match *m, const char *value)
{
    opt_u32s list = {.n = 0};
    uint32_t bits = 0;
    if (m->spec->type == OPT_U32S && ((opt_u32s *)m->target)->given) {
        list = *(opt_u32s *)m->target;
    }
    for (const char *at = value;;) {
        size_t len = strcspn(at, ",");
        uint32_t item = 0;
        int code = PARSED;
        if (m->spec->type == OPT_CHOICES) {
            code = set_choice(m, at, len, &item);
        } else {
            char text[32];
            snprintf(text, sizeof text, "%.*s", (int)(len < 31 ? len : 31), at);
            code = list.n == OPT_MAX_ITEMS
                       ? fail_usage(m->self->name, "option %s has more than %d values", m->shown,
                                    OPT_MAX_ITEMS)
                       : set_u32(m, text, &item);
        }
        if (code != PARSED) {
            return code;
        }
        bits |= item;
        if (m->spec->type == OPT_U32S) {
            list.items[list.n++] = item;
        }
        if (at[len] == 0) {
            break;
        }
        at += len + 1;
    }
    if (m->spec->type == OPT_CHOICES) {
        *(uint32_t *)m->target |= bits;
    } else {
        list.given = true;
        *(opt_u32s *)m->target = list;
    }
    return PARSED;
}

static int set_text(const match *m, const char *value)
{
    if (value[0] == 0 && strcmp(m->spec->arg, "FILE") == 0) {
        return fail_usage(m->self->name, "option %s: the path is empty", m->shown);
    }
    *(const char **)m->target = value;
    return PARSED;
}

static int add_text(const match *m, const char *value)
{
    opt_texts *texts = m->target;
    if (value[0] == 0) {
        return fail_usage(m->self->name, "option %s: the value is empty", m->shown);
    }
    if (texts->n == OPT_MAX_ITEMS) {
        return fail_usage(m->self->name, "option %s is given more than %d times", m->shown,
                          OPT_MAX_ITEMS);
    }
    texts->items[texts->n++] = value;
    return PARSED;
}

/* Stores the content of the file `path`, without one newline at its end. */
static int set_content(const match *m, const char *path, const char **out)
{
    if (n_contents == COUNT(contents)) {
        return fail_usage(m->self->name, "option %s is given more than %d times", m->shown,
                          OPT_MAX_ITEMS);
    }
    text_buffer *text = &contents[n_contents++];
    int code = text_read(path, text);
    if (code != EXIT_OK) {
        return code;
    }
    text_chomp(text);
    if (strlen(text->data) != text->len) {
        return fail("cli.input", "%s: not a text file: it contains a zero byte", path);
    }
    *out = text->data;
    return PARSED;
}

/* Prints why an option of another program is ignored: each reason once. */
static void notice_ignored(const match *m)
{
    static const char *printed[8];
    const char *reason = m->spec->help;
    for (uint32_t i = 0; reason != NULL && i < COUNT(printed); i++) {
        if (printed[i] == NULL) {
            printed[i] = reason;
            notice("%s is ignored: %s", m->shown, reason);
        }
        if (printed[i] == reason) {
            return;
        }
    }
}

static int set(const match *m, const char *value)
{
    switch (m->spec->type) {
    case OPT_FLAG:
        *(bool *)m->target = true;
        return PARSED;
    case OPT_U32:
        return set_u32(m, value, m->target);
    case OPT_I32:
        return set_i32(m, value, m->target);
    case OPT_U64:
    case OPT_SEED:
        return set_u64(m, value, m->target);
    case OPT_REAL:
        return set_real(m, value, m->target);
    case OPT_TEXT:
        return set_text(m, value);
    case OPT_CONTENT:
        return set_content(m, value, m->target);
    case OPT_TEXTS:
        return add_text(m, value);
    case OPT_CHOICE:
        return set_choice(m, value, strlen(value), m->target);
    case OPT_U32S:
    case OPT_CHOICES:
        return set_list(m, value);
    case OPT_IGNORED:
        notice_ignored(m);
        return PARSED;
    case OPT_REFUSED:
        return fail_usage(m->self->name, "option %s: %s", m->shown, m->spec->help);
    case OPT_END:
        break;
    }
    return PARSED;
}

/* ---- The command line ----------------------------------------------------------------------- */

static int unknown_option(const command *self, const char *text, size_t len)
{
    char suggested[64];
    if (option_suggest(self, text, len, suggested, sizeof suggested)) {
        return fail_usage(self->name, "unknown option '%.*s': did you mean %s?", (int)len, text,
                          suggested);
    }
    return fail_usage(self->name, "unknown option '%.*s'", (int)len, text);
}

/* Whether `text` can be a value that is attached to a letter. Only a number can: llama.cpp has
 * options with one dash and several letters, so "-cb" is not -c with the value "b". */
static bool is_attached_value(const char *text)
{
    text += *text == '-' || *text == '+';
    text += *text == '.';
    return *text >= '0' && *text <= '9';
}

/* Splits an argument into an option and the value attached to it (NULL: none). */
static int find_option(const command *self, const char *text, void *target, match *m,
                       const char **value)
{
    bool is_long = text[1] == '-';
    size_t len = is_long ? strcspn(text, "=") : strlen(text);
    *value = text[len] == '=' ? text + len + 1 : NULL;
    if (find(self, target, text, len, m)) {
        return PARSED;
    }
    if (!is_long) {
        /* "-temp" is a misspelled "--temp", not -t with the value "emp". */
        char two[64];
        match other;
        int n = snprintf(two, sizeof two, "-%.*s", (int)strcspn(text, "="), text);
        if (n > 0 && (size_t)n < sizeof two && n > 3 &&
            find(self, target, two, (size_t)n, &other)) {
            return unknown_option(self, text, strcspn(text, "="));
        }
        if (is_attached_value(text + 2) && find(self, target, text, 2, m)) {
            *value = text + 2;
            return PARSED;
        }
    }
    return unknown_option(self, text, len);
}

/* Whether `text` is the value of an ignored option whose value is optional. */
static bool is_optional_value(const opt_spec *spec, const char *text)
{
    uint32_t unused = 0;
    while (text != NULL) { /* llama-bench accepts a list */
        size_t len = strcspn(text, ",");
        if (!choice_find(spec->choices, text, len, &unused)) {
            return false;
        }
        text = text[len] == ',' ? text + len + 1 : NULL;
    }
    return true;
}

/* Processes the option at argv[*i]. If its value is the next argument, advances *i to it. */
static int parse_one(const command *self, int argc, char **argv, int *i, void *target)
{
    const char *text = argv[*i];
    const char *value = NULL;
    match m;
    if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
        options_help(self);
        return EXIT_OK;
    }
    if (strcmp(text, "--version") == 0) {
        print_version();
        return EXIT_OK;
    }
    int code = find_option(self, text, target, &m, &value);
    if (code != PARSED) {
        return code;
    }
    const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
    if (m.spec->type == OPT_REFUSED) {
        return set(&m, value);
    }
    if (m.spec->type == OPT_IGNORED && m.spec->choices != NULL) {
        *i += value == NULL && next != NULL && is_optional_value(m.spec, next);
        return set(&m, value);
    }
    if (!option_takes_value(m.spec)) {
        return value == NULL ? set(&m, NULL)
                             : fail_usage(self->name, "option %s does not take a value", m.shown);
    }
    if (value == NULL) {
        if (next == NULL) {
            return fail_usage(self->name, "option %s needs a value", m.shown);
        }
        value = next;
        ++*i;
    }
    return set(&m, value);
}

static int check_groups(const command *self, void *target)
{
    int code = PARSED;
    for (uint32_t g = 0; g < self->n_groups && code == PARSED; g++) {
        const opt_group *group = &self->groups[g];
        if (group->check != NULL) {
            code = group->check(self, (unsigned char *)target + group->base);
        }
    }
    return code;
}

int options_parse(const command *self, int argc, char **argv, void *target, opt_args *args)
{
    uint32_t n_args = 0;
    bool only_args = false;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        if (only_args || text[0] != '-' || text[1] == 0) {
            if (n_args >= self->max_args || args == NULL) {
                return fail_usage(self->name, "unexpected argument '%s'%s%s", text,
                                  self->args_hint != NULL ? ": " : "",
                                  self->args_hint != NULL ? self->args_hint : "");
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
        return fail_usage(self->name, "too few arguments: usage: lfm2 %s %s", self->name,
                          self->synopsis);
    }
    if (args != NULL) {
        args->n = n_args;
    }
    return check_groups(self, target);
}
