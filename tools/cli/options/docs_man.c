/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 help --man: the manual page, made from the option tables. */
#include "cli/options/options.h"

#include <stdio.h>
#include <string.h>

/* Text as roff reads it: backslashes and dashes are escaped, and no line begins with a control
 * character. */
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

/* Paragraphs are separated by empty lines. A line that begins with "Example", and lines that begin
 * with a blank, are not filled. */
static void print_paragraphs(const char *text)
{
    while (*text != 0) {
        const char *end = strstr(text, "\n\n");
        size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
        bool as_is = strncmp(text, "Example", 7) == 0;
        out_printf(as_is ? ".PP\n.nf\n" : ".PP\n");
        roff(text, len);
        out_printf(as_is ? "\n.fi\n" : "\n");
        text += len + (end != NULL ? 2 : 0);
    }
}

static void print_range(const opt_spec *spec)
{
    bool number = spec->kind == OPT_U32 || spec->kind == OPT_I32 || spec->kind == OPT_REAL ||
                  spec->kind == OPT_U32S;
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
        print_paragraphs(c->details);
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
        for (uint32_t i = 0; i < group->n; i++) {
            if (option_is_shown(group, &group->specs[i])) {
                print_option(&group->specs[i]);
            }
        }
    }
}

/* ---- Options of other programs ---- */

/* Whether a command before `c`, or a group of it before `g`, has these rows. */
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

/* The one command that has these rows; NULL if several have. */
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

/* The rows of one group that `kind` (OPT_CHOICE: neither ignored nor refused) is; neighbours with
 * one sentence share it. */
static void print_other_group(const opt_group *group, opt_kind kind)
{
    const command *only = only_command(group->specs);
    const opt_spec *before = NULL;
    for (uint32_t i = 0; i <= group->n; i++) {
        const opt_spec *spec = i < group->n ? &group->specs[i] : NULL;
        bool other = spec != NULL && spec->kind != OPT_IGNORED && spec->kind != OPT_REFUSED;
        if (spec != NULL && spec->kind != kind && !(other && kind == OPT_CHOICE)) {
            continue;
        }
        if (before != NULL && (spec == NULL || before->help != spec->help)) {
            const char *sentence = before->help != NULL ? before->help : "without a message";
            bool lower =
                sentence[0] >= 'a' && sentence[0] <= 'z' && strncmp(sentence, "lfm2", 4) != 0;
            char first = (char)(lower ? sentence[0] - 32 : sentence[0]);
            out_printf("%c", first);
            roff_text(sentence + 1);
            out_printf(only != NULL ? " (lfm2 %s).\n" : ".\n", only != NULL ? only->name : "");
        }
        if (spec == NULL) {
            break;
        }
        out_printf(before != NULL && before->help == spec->help ? ".TQ\n\\fB" : ".TP\n\\fB");
        roff_text(spec->aliases);
        out_printf("\\fR");
        if (option_takes_value(spec)) {
            out_printf(" \\fI%s\\fR", spec->arg);
        }
        out_printf("\n");
        before = spec;
    }
}

static void print_others(opt_kind kind)
{
    for (uint32_t c = 0; c < n_commands; c++) {
        for (uint32_t g = 0; g < commands[c]->n_groups; g++) {
            if (commands[c]->groups[g].title == NULL && !is_repeated(c, g)) {
                print_other_group(&commands[c]->groups[g], kind);
            }
        }
    }
}

void docs_man(void)
{
    out_printf(".\\\" Made by 'lfm2 help --man' from the option tables.\n"
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
               "\\fB\\-n\\fR\\fIVALUE\\fR. The last of several values counts, except that lists\n"
               "of numbers are continued. \\fB\\-\\-\\fR ends the options.\n"
               ".SH COMMANDS\n",
               lfm2_version());
    for (uint32_t i = 0; i < n_commands; i++) {
        print_command(commands[i]);
    }
    out_printf(
        ".SH OPTIONS OF OTHER PROGRAMS\n"
        "Options of llama.cpp and ollama that mean the same as one of ours are named there.\n"
        "These are the others that are known.\n"
        ".SS \"Accepted\"\n");
    print_others(OPT_CHOICE);
    out_printf(".SS \"Accepted and ignored\"\n");
    print_others(OPT_IGNORED);
    out_printf(".SS \"Refused\"\n");
    print_others(OPT_REFUSED);
    out_printf(".SH EXIT STATUS\n.TP\n0\nSuccess.\n.TP\n1\nFailure, or interrupted.\n.TP\n2\n"
               "Wrong use: the command line was refused before any work.\n"
               ".SH FILES\n.TP\n.I MODEL.lfm2pack\n"
               "The pack cache of a model, which \\fBlfm2 pack\\fR writes.\n"
               ".SH SEE ALSO\nModels: https://huggingface.co/LiquidAI\n");
}
