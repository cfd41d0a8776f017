/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 help --bash, --zsh, --fish: the completion of shells, made from the option tables. */
#include "cli/options/options.h"

#include <stdio.h>
#include <string.h>

/* What a shell offers after an option. */
typedef enum value_kind { VALUE_NONE, VALUE_ANY, VALUE_FILE, VALUE_CHOICE } value_kind;

static value_kind kind_of(const opt_spec *spec)
{
    if (!option_takes_value(spec)) {
        return VALUE_NONE;
    }
    if (spec->choices != NULL) {
        return VALUE_CHOICE;
    }
    return strcmp(spec->arg, "FILE") == 0 || strcmp(spec->arg, "PATH") == 0 ? VALUE_FILE
                                                                            : VALUE_ANY;
}

static void print_choices(const opt_spec *spec)
{
    for (const opt_choice *choice = spec->choices; choice->name != NULL; choice++) {
        out_printf("%s%s", choice > spec->choices ? " " : "", choice->name);
    }
}

static void print_command_names(void)
{
    for (uint32_t i = 0; i < n_commands; i++) {
        out_printf("%s ", commands[i]->name);
    }
    out_printf("help");
}

/* Calls `print` for each option of the command that the help shows. */
static void each_option(const command *c, void (*print)(const command *, const opt_spec *))
{
    for (uint32_t g = 0; g < c->n_groups; g++) {
        for (uint32_t i = 0; i < c->groups[g].n; i++) {
            if (option_is_shown(&c->groups[g], &c->groups[g].specs[i])) {
                print(c, &c->groups[g].specs[i]);
            }
        }
    }
}

/* ---- bash ----------------------------------------------------------------------------------- */

static void bash_words(const command *c, const opt_spec *spec)
{
    (void)c;
    if (spec->letter != 0) {
        out_printf("-%c ", spec->letter);
    }
    out_printf("--%s ", spec->name);
}

static void bash_pattern(const opt_spec *spec)
{
    out_printf("        ");
    if (spec->letter != 0) {
        out_printf("-%c | ", spec->letter);
    }
    out_printf("--%s", spec->name);
    for (const char *alias = spec->aliases; alias != NULL && *alias != 0;) {
        size_t len = strcspn(alias, " ");
        out_printf(" | %.*s", (int)len, alias);
        alias += len + strspn(alias + len, " ");
    }
    out_printf(")");
}

static void bash_values(const command *c, const opt_spec *spec)
{
    (void)c;
    value_kind kind = kind_of(spec);
    if (kind == VALUE_NONE) {
        return;
    }
    bash_pattern(spec);
    if (kind == VALUE_CHOICE) {
        out_printf(" values='");
        print_choices(spec);
        out_printf("' ;;\n");
    } else {
        out_printf(" values=%s ;;\n", kind == VALUE_FILE ? "/file" : "/any");
    }
}

void docs_bash(void)
{
    out_printf("# SPDX-License-Identifier: Apache-2.0\n"
               "# Completion of lfm2 for bash. Made by 'lfm2 help --bash' from the option tables.\n"
               "_lfm2()\n{\n"
               "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
               "    local commands='");
    print_command_names();
    out_printf("' options='' values=''\n"
               "    # bash makes three words of --name=value\n"
               "    if [ \"$word\" = '=' ]; then\n"
               "        word=''\n"
               "    elif [ \"$before\" = '=' ]; then\n"
               "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
               "    fi\n"
               "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
               "        mapfile -t COMPREPLY < <(compgen -W \"$commands --help --version\" -- "
               "\"$word\")\n"
               "        return\n"
               "    fi\n"
               "    case ${COMP_WORDS[1]} in\n"
               "    help)\n"
               "        options=$commands\n"
               "        values=$commands\n"
               "        ;;\n");
    for (uint32_t i = 0; i < n_commands; i++) {
        out_printf("    %s)\n        options='", commands[i]->name);
        each_option(commands[i], bash_words);
        out_printf("--help'\n        case $before in\n");
        each_option(commands[i], bash_values);
        out_printf("        esac\n        ;;\n");
    }
    out_printf("    esac\n"
               "    if [ -z \"$values\" ] && [[ $word == -* ]]; then\n"
               "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
               "    elif [ -z \"$values\" ] || [ \"$values\" = /file ]; then\n"
               "        compopt -o filenames 2>/dev/null\n"
               "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
               "    elif [ \"$values\" = /any ]; then\n"
               "        COMPREPLY=()\n"
               "    else\n"
               "        mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$word\")\n"
               "    fi\n"
               "}\n"
               "complete -F _lfm2 lfm2\n");
}

/* ---- zsh ------------------------------------------------------------------------------------ */

/* Inside single quotes; `special` are characters that get a backslash. */
static void quoted(const char *text, const char *special)
{
    for (; *text != 0; text++) {
        if (*text == '\'') {
            out_printf("'\\''");
        } else if (strchr(special, *text) != NULL) {
            out_printf("\\%c", *text);
        } else {
            out_write(text, 1);
        }
    }
}

static void zsh_option(const command *c, const opt_spec *spec)
{
    (void)c;
    value_kind kind = kind_of(spec);
    bool many = spec->kind == OPT_TEXTS || spec->kind == OPT_U32S || spec->kind == OPT_CHOICES;
    bool value = kind != VALUE_NONE;
    out_printf(" \\\n            ");
    if (many) {
        out_printf("'*'");
    } else if (spec->letter != 0) {
        out_printf("'(-%c --%s)'", spec->letter, spec->name);
    }
    if (spec->letter != 0) {
        out_printf("{-%c%s,--%s%s}", spec->letter, value ? "+" : "", spec->name, value ? "=" : "");
    } else {
        out_printf("--%s%s", spec->name, value ? "=" : "");
    }
    out_printf("'[");
    quoted(spec->help, "[]:\\");
    out_printf("]");
    if (value) {
        out_printf(":%s:", spec->arg);
    }
    if (kind == VALUE_FILE) {
        out_printf("_files");
    } else if (kind == VALUE_CHOICE) {
        out_printf(spec->kind == OPT_CHOICES ? "_values -s , %s " : "(", spec->name);
        print_choices(spec);
        out_printf(spec->kind == OPT_CHOICES ? "" : ")");
    }
    out_printf("'");
}

void docs_zsh(void)
{
    out_printf("#compdef lfm2\n"
               "# SPDX-License-Identifier: Apache-2.0\n"
               "# Completion of lfm2 for zsh. Made by 'lfm2 help --zsh' from the option tables.\n"
               "_lfm2() {\n"
               "    local -a commands\n"
               "    commands=(\n");
    for (uint32_t i = 0; i < n_commands; i++) {
        out_printf("        '%s:", commands[i]->name);
        quoted(commands[i]->summary, ":\\");
        out_printf("'\n");
    }
    out_printf("        'help:Describe a command.'\n"
               "    )\n"
               "    if (( CURRENT == 2 )); then\n"
               "        _describe command commands\n"
               "        return\n"
               "    fi\n"
               "    local command=$words[2]\n"
               "    shift words\n"
               "    (( CURRENT-- ))\n"
               "    case $command in\n"
               "        help) _describe command commands ;;\n");
    for (uint32_t i = 0; i < n_commands; i++) {
        out_printf("        %s) _arguments", commands[i]->name);
        each_option(commands[i], zsh_option);
        out_printf(" \\\n            '*:file:_files' ;;\n");
    }
    out_printf("    esac\n"
               "}\n"
               "if [[ $funcstack[1] == _lfm2 ]]; then\n"
               "    _lfm2 \"$@\"\n"
               "else\n"
               "    compdef _lfm2 lfm2\n"
               "fi\n");
}

/* ---- fish ----------------------------------------------------------------------------------- */

static void fish_quoted(const char *text)
{
    for (; *text != 0; text++) {
        out_printf(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    }
}

static void fish_option(const command *c, const opt_spec *spec)
{
    out_printf("complete -c lfm2 -n '__fish_seen_subcommand_from %s'", c->name);
    if (spec->letter != 0) {
        out_printf(" -s %c", spec->letter);
    }
    out_printf(" -l %s", spec->name);
    switch (kind_of(spec)) {
    case VALUE_NONE:
        break;
    case VALUE_ANY:
        out_printf(" -x");
        break;
    case VALUE_FILE:
        out_printf(" -r -F");
        break;
    case VALUE_CHOICE:
        out_printf(" -x -a '");
        print_choices(spec);
        out_printf("'");
        break;
    }
    out_printf(" -d '");
    fish_quoted(spec->help);
    out_printf("'\n");
}

void docs_fish(void)
{
    out_printf("# SPDX-License-Identifier: Apache-2.0\n"
               "# Completion of lfm2 for fish. Made by 'lfm2 help --fish' from the option tables.\n"
               "complete -c lfm2 -n '__fish_use_subcommand' -f\n");
    for (uint32_t i = 0; i < n_commands; i++) {
        out_printf("complete -c lfm2 -n '__fish_use_subcommand' -a %s -d '", commands[i]->name);
        fish_quoted(commands[i]->summary);
        out_printf("'\n");
    }
    out_printf("complete -c lfm2 -n '__fish_use_subcommand' -a help -d 'Describe a command.'\n"
               "complete -c lfm2 -n '__fish_seen_subcommand_from help' -f -a '");
    print_command_names();
    out_printf("'\n");
    for (uint32_t i = 0; i < n_commands; i++) {
        each_option(commands[i], fish_option);
    }
}
