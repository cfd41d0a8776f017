/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 help --man: writes the manual page from the option tables. */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

/* Writes text for roff: escapes backslashes and dashes, and a control character that would start a
 * line. */
static void roff(const char *text, size_t len)
{
    bool line_start = true;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (line_start && (c == '.' || c == '\'')) {
            out_printf("\\&");
        }
        line_start = c == '\n';
        if (c == '\\') {
            out_printf("\\e");
        } else if (c == '-') {
            out_printf("\\-");
        } else if (c == '\'') {
            out_printf("\\(aq");
        } else {
            out_write(&c, 1);
        }
    }
}

static void roff_text(const char *text)
{
    roff(text, strlen(text));
}

static void print_paragraph(const char *text, size_t len, bool as_is)
{
    out_printf(as_is ? ".PP\n.nf\n" : ".PP\n");
    roff(text, len);
    out_printf(as_is ? "\n.fi\n" : "\n");
}

static void print_range(const opt_spec *spec)
{
    bool number = spec->type == OPT_U32 || spec->type == OPT_I32 || spec->type == OPT_REAL ||
                  spec->type == OPT_U32S;
    if (number && spec->max < INT32_MAX) {
        char range[64];
        snprintf(range, sizeof range, ". Range: %.15g to %.15g", spec->min, spec->max);
        roff_text(range);
    }
}

static void print_option(const opt_spec *spec)
{
    char text[1024];
    out_printf(".TP\n");
    if (spec->letter != 0) {
        out_printf("\\fB\\-%c\\fR, ", spec->letter);
    }
    out_printf("\\fB\\-\\-");
    roff_text(spec->name);
    out_printf("\\fR");
    if (option_takes_value(spec)) {
        out_printf(" \\fI%s\\fR", spec->arg);
    }
    out_printf("\n");
    option_describe(spec, text, sizeof text);
    text[0] = (char)(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 32 : text[0]);
    roff_text(text);
    print_range(spec);
    out_printf(".\n");
}

static void print_command(const command *c)
{
    const char *title = NULL;
    out_printf(".SS \"lfm2 %s\"\n.B lfm2 %s\n", c->name, c->name);
    roff_text(c->synopsis);
    out_printf("\n.PP\n%s\n", c->summary);
    if (c->details != NULL) {
        paragraphs(c->details, print_paragraph);
    }
    for (uint32_t g = 0; g < c->n_groups; g++) {
        const opt_group *group = &c->groups[g];
        if (group->title == NULL) {
            continue;
        }
        if (title == NULL || strcmp(title, group->title) != 0) {
            out_printf(".PP\n\\fI%s\\fR\n", group->title);
            title = group->title;
        }
        for (const opt_spec *spec = group->specs; spec->type != OPT_END; spec++) {
            if (option_is_shown(group, spec)) {
                print_option(spec);
            }
        }
    }
}

/* ---- Options of other programs ---- */

/* Whether the options of group `g` of command `c` were written before. */
static bool is_repeated(uint32_t c, uint32_t g)
{
    const opt_spec *specs = commands[c]->groups[g].specs;
    for (uint32_t i = 0; i <= c; i++) {
        uint32_t n = i < c ? commands[i]->n_groups : g;
        for (uint32_t k = 0; k < n; k++) {
            if (commands[i]->groups[k].specs == specs) {
                return true;
            }
        }
    }
    return false;
}

/* The only command with these options; NULL if there are several. */
static const command *only_command(const opt_spec *specs)
{
    const command *found = NULL;
    for (uint32_t c = 0; c < n_commands; c++) {
        for (uint32_t g = 0; g < commands[c]->n_groups; g++) {
            if (commands[c]->groups[g].specs == specs) {
                if (found != NULL) {
                    return NULL;
                }
                found = commands[c];
            }
        }
    }
    return found;
}

/* What happens to an option that the help does not show. */
typedef enum other_type { OTHER_ACCEPTED, OTHER_IGNORED, OTHER_REFUSED } other_type;

static other_type other_type_of(const opt_spec *spec)
{
    return spec->type == OPT_IGNORED   ? OTHER_IGNORED
           : spec->type == OPT_REFUSED ? OTHER_REFUSED
                                       : OTHER_ACCEPTED;
}

/* Writes the text that describes adjacent options: `help` as a sentence. */
static void print_sentence(const char *help, const command *only)
{
    const char *text = help != NULL ? help : "ignored without a message";
    bool capitalize = text[0] >= 'a' && text[0] <= 'z' && strncmp(text, "lfm2", 4) != 0;
    char first = (char)(capitalize ? text[0] - 'a' + 'A' : text[0]);
    roff(&first, 1);
    roff_text(text + 1);
    out_printf(only != NULL ? " (lfm2 %s).\n" : ".\n", only != NULL ? only->name : "");
}

/* Writes the options of one type. Adjacent options with the same help share their text. */
static void print_other_group(const opt_group *group, other_type type)
{
    const command *only = only_command(group->specs);
    const opt_spec *before = NULL;
    for (const opt_spec *spec = group->specs; spec->type != OPT_END; spec++) {
        if (other_type_of(spec) != type) {
            continue;
        }
        bool shared = before != NULL && before->help == spec->help;
        if (before != NULL && !shared) {
            print_sentence(before->help, only);
        }
        out_printf(shared ? ".TQ\n\\fB" : ".TP\n\\fB");
        roff_text(spec->aliases);
        out_printf("\\fR");
        if (option_takes_value(spec)) {
            out_printf(" \\fI%s\\fR", spec->arg);
        }
        out_printf("\n");
        before = spec;
    }
    if (before != NULL) {
        print_sentence(before->help, only);
    }
}

static void print_others(other_type type)
{
    for (uint32_t c = 0; c < n_commands; c++) {
        for (uint32_t g = 0; g < commands[c]->n_groups; g++) {
            if (commands[c]->groups[g].title == NULL && !is_repeated(c, g)) {
                print_other_group(&commands[c]->groups[g], type);
            }
        }
    }
}

void docs_man(void)
{
    out_printf(".\\\" Generated by 'lfm2 help --man' from the option tables.\n"
               ".TH LFM2 1 \"\" \"lfm2 %s\" \"User Commands\"\n.nh\n"
               ".SH NAME\nlfm2 \\- run LFM2 language models on the CPU\n"
               ".SH SYNOPSIS\n.B lfm2\n.I COMMAND\n[\\fIOPTION\\fR]...\n.br\n"
               ".B lfm2 help\n[\\fICOMMAND\\fR]\n.br\n.B lfm2 \\-\\-version\n"
               ".SH DESCRIPTION\n"
               "Runs language models of the architectures lfm2 and lfm2moe, from GGUF files and\n"
               "Hugging Face folders, on CPUs.\n"
               "Results go to standard output, messages to standard error.\n.PP\n"
               "Options are written \\fB\\-\\-name\\fR \\fIVALUE\\fR,\n"
               "\\fB\\-\\-name=\\fR\\fIVALUE\\fR, \\fB\\-n\\fR \\fIVALUE\\fR or\n"
               "\\fB\\-n\\fR\\fIVALUE\\fR. If an option is repeated, the last value counts;\n"
               "lists of numbers are appended. \\fB\\-\\-\\fR ends the options.\n"
               ".SH COMMANDS\n",
               lfm2_version());
    for (uint32_t i = 0; i < n_commands; i++) {
        print_command(commands[i]);
    }
    out_printf(".SH OPTIONS OF OTHER PROGRAMS\n"
               "Options of llama.cpp and ollama that have a counterpart are listed with it above.\n"
               "lfm2 knows these others.\n"
               ".SS \"Accepted\"\n");
    print_others(OTHER_ACCEPTED);
    out_printf(".SS \"Accepted and ignored\"\n");
    print_others(OTHER_IGNORED);
    out_printf(".SS \"Refused\"\n");
    print_others(OTHER_REFUSED);
    out_printf(".SH EXIT STATUS\n.TP\n0\nSuccess.\n.TP\n1\nFailure, or interrupted.\n.TP\n2\n"
               "Invalid command line; nothing was done.\n"
               ".SH FILES\n.TP\n.I MODEL.lfm2pack\n"
               "The pack cache of a model, written by \\fBlfm2 pack\\fR.\n"
               ".SH SEE ALSO\nModels: https://huggingface.co/LiquidAI\n");
}
