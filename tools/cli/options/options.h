/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and their options. One table of a command gives the parser, the checks, the help, the
 * manual page and the completion of shells. */
#ifndef LFM2_CLI_OPTIONS_H
#define LFM2_CLI_OPTIONS_H

#include "cli/support/text.h"

/* What an option stores in the options struct of its command. */
typedef enum opt_type {
    OPT_END,     /* ends a table */
    OPT_FLAG,    /* bool, set to true; takes no value */
    OPT_U32,     /* uint32_t in min..max, or what a special number stands for */
    OPT_I32,     /* int32_t in min..max */
    OPT_U64,     /* uint64_t, any */
    OPT_SEED,    /* uint64_t, any; -1 draws a random one */
    OPT_REAL,    /* double in min..max */
    OPT_TEXT,    /* const char * */
    OPT_CONTENT, /* const char *, the content of the file that the value names */
    OPT_TEXTS,   /* opt_texts; may be repeated; an empty text is an error */
    OPT_U32S,    /* opt_u32s; comma-separated, each like OPT_U32; may be repeated */
    OPT_CHOICE,  /* uint32_t, the value of one choice */
    OPT_CHOICES, /* uint32_t, the bitwise OR of comma-separated choices; may be repeated */
    /* Options of other programs. They store nothing, and only the manual page lists them. */
    OPT_IGNORED, /* accepted; `help`, unless NULL, is printed as the reason */
    OPT_REFUSED  /* an error; `help` says what to do instead */
} opt_type;

enum { OPT_MAX_ITEMS = 512, OPT_MAX_ARGS = 3 };

typedef struct opt_texts {
    const char *items[OPT_MAX_ITEMS];
    uint32_t n;
} opt_texts;

typedef struct opt_u32s {
    uint32_t items[OPT_MAX_ITEMS];
    uint32_t n;
    bool given; /* by the user; false: the items are the default */
} opt_u32s;

typedef struct opt_choice {
    const char *name; /* in any case; NULL ends the table */
    uint32_t value;
    const char *meaning; /* for the help, or NULL */
} opt_choice;

/* A number outside min..max that has a meaning. Adjacent entries with the same value are described
 * together. */
typedef struct opt_special {
    int64_t number;
    uint32_t value;      /* what is stored */
    const char *meaning; /* NULL ends the table */
} opt_special;

typedef struct opt_spec {
    opt_type type;
    char letter;         /* short form; 0 = none */
    const char *name;    /* long form without the dashes; NULL = only aliases */
    const char *aliases; /* other spellings, with dashes, separated by blanks; or NULL */
    const char *arg;     /* name of the value in the help; OPT_IGNORED: NULL = takes no value */
    const char *help;    /* choices, special numbers and the default are added to it */
    const char *default_text; /* NULL = the help names no default */
    size_t offset;            /* of the target, from the base of its group */
    double min, max;
    const opt_choice *choices; /* OPT_IGNORED with `arg`: the value is optional and one of these */
    const opt_special *specials;
} opt_spec;

struct command;

/* Options that the help shows together. `base` is the offset of their struct in the struct of the
 * command. */
typedef struct opt_group {
    const char *title;     /* adjacent groups with one title are shown as one; NULL = not shown */
    const opt_spec *specs; /* ends with OPT_END */
    size_t base;
    /* Checks the group's struct after all options are read, and may change it. Returns PARSED, or
     * an exit code after a message. May be NULL. */
    int (*check)(const struct command *self, void *options);
} opt_group;

typedef struct opt_args {
    const char *items[OPT_MAX_ARGS];
    uint32_t n;
} opt_args;

typedef struct command {
    const char *name;
    const char *also;     /* names in other programs, separated by blanks, to suggest it; or NULL */
    const char *summary;  /* one line */
    const char *synopsis; /* follows "lfm2 NAME " */
    const char *details;  /* paragraphs that follow the options, or NULL; see paragraphs() */
    const char *args_hint; /* ends the message about an argument too many, or NULL */
    const opt_group *groups;
    uint32_t n_groups;
    uint32_t min_args, max_args; /* arguments that are not options */
    int (*run)(const struct command *self, int argc, char **argv);
} command;

enum { PARSED = -1 };

/* ---- parse.c ---- */

/* Parses argv[1..] into `target`, which holds the defaults. Returns PARSED, or the exit code:
 * EXIT_OK after --help, EXIT_USAGE after a message. `args` may be NULL if max_args is 0. */
int options_parse(const command *self, int argc, char **argv, void *target, opt_args *args);

/* Frees the texts that OPT_CONTENT stored. */
void options_free(void);

/* The name of a choice's value; "?" if no choice has it. */
const char *choice_name(const opt_choice *choices, uint32_t value);

/* Finds the choice with the name text[0..len), in any case. */
bool choice_find(const opt_choice *choices, const char *text, size_t len, uint32_t *value);

/* "a, b, c": the names of all choices. Returns `out`. */
const char *choice_list(const opt_choice *choices, char *out, size_t size);

/* Whether one of the words of `list`, which blanks separate, is word[0..len). NULL has no words. */
bool has_word(const char *list, const char *word, size_t len);

/* ---- help.c ---- */

/* Prints the help of one command. */
void options_help(const command *self);

/* Appends "0 or -1 = off, ...", the special numbers of an option, after `before`. */
size_t option_add_specials(const opt_spec *spec, const char *before, char *out, size_t size,
                           size_t used);

/* Calls `print` for each paragraph of `text`; empty lines separate them. One that begins with
 * "Example" is printed as it is; the lines of the others are filled. */
void paragraphs(const char *text, void (*print)(const char *text, size_t len, bool as_is));

/* Writes the description of an option: help, choices, special numbers, default, aliases. */
void option_describe(const opt_spec *spec, char *out, size_t size);

/* Whether the help shows the option. */
bool option_is_shown(const opt_group *group, const opt_spec *spec);

bool option_takes_value(const opt_spec *spec);

/* ---- suggest.c ---- */

/* How many characters to insert, delete, replace or swap with the next one to turn a into b. */
uint32_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b);

/* Writes the option of `self` that is most like `typed`, with its dashes. Returns false if none is
 * like it. */
bool option_suggest(const command *self, const char *typed, size_t len, char *out, size_t size);

/* The command that is most like `typed`, or NULL. */
const command *command_suggest(const char *typed);

/* ---- docs_man.c, docs_shell.c: write to standard output ---- */

void docs_man(void);
void docs_bash(void);
void docs_zsh(void);
void docs_fish(void);

#endif /* LFM2_CLI_OPTIONS_H */
