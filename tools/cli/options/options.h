/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and their options: one table gives the parser, the checks, the help, the manual page and
 * the completion of shells. */
#ifndef LFM2_TOOLS_OPTIONS_H
#define LFM2_TOOLS_OPTIONS_H

#include "cli/support/util.h"

/* What an option writes into the command's options struct. */
typedef enum opt_kind {
    OPT_FLAG,    /* bool, set to true; takes no value */
    OPT_U32,     /* uint32_t in min..max, or the value of a special */
    OPT_I32,     /* int32_t in min..max */
    OPT_U64,     /* uint64_t, whole range */
    OPT_SEED,    /* uint64_t, whole range; -1 draws a random one */
    OPT_REAL,    /* double in min..max */
    OPT_TEXT,    /* const char * */
    OPT_CONTENT, /* const char *, the text of the file that the value names */
    OPT_TEXTS,   /* opt_texts; may be given several times; empty texts are refused */
    OPT_U32S,    /* opt_u32s; comma list, each as OPT_U32; may be given several times */
    OPT_CHOICE,  /* uint32_t, the value of one choice */
    OPT_CHOICES, /* uint32_t, the values of a comma list of choices or'ed */
    /* Options of other programs. They write nothing and do not appear in the help. */
    OPT_IGNORED, /* accepted; `help`, unless NULL, is what a message says about it */
    OPT_REFUSED  /* an error; `help` says what to do instead */
} opt_kind;

enum { OPT_MAX_ITEMS = 64, OPT_MAX_ARGS = 3 };

typedef struct opt_texts {
    const char *items[OPT_MAX_ITEMS];
    uint32_t n;
} opt_texts;

typedef struct opt_u32s {
    uint32_t items[OPT_MAX_ITEMS];
    uint32_t n;
    bool given; /* the items are the user's, not the default */
} opt_u32s;

typedef struct opt_choice {
    const char *name; /* NULL ends the table; upper and lower case are the same */
    uint32_t value;
} opt_choice;

/* A number outside min..max that means something. Neighbours that store the same mean the same. */
typedef struct opt_special {
    int64_t number;
    uint32_t value;      /* what is stored */
    const char *meaning; /* NULL ends the table */
} opt_special;

typedef struct opt_spec {
    opt_kind kind;
    char letter;              /* short form, 0 = none */
    const char *name;         /* long form, without the dashes; NULL: only aliases */
    const char *aliases;      /* other spellings, with dashes, separated by blanks; or NULL */
    const char *arg;          /* what the help calls the value; OPT_IGNORED: NULL = no value */
    const char *help;         /* without choices, specials and default */
    const char *default_text; /* what the help says about the default; NULL = nothing */
    size_t offset;            /* of the target, from the group's base */
    double min, max;
    const opt_choice *choices; /* OPT_IGNORED with `arg`: the value is optional and one of these */
    const opt_special *specials;
} opt_spec;

struct command;

/* Options that belong together; `base` is where their struct starts in the command's struct. */
typedef struct opt_group {
    const char *title; /* neighbours of one title are shown as one group; NULL: not shown */
    const opt_spec *specs;
    uint32_t n;
    size_t base;
    /* Looks at the group's struct when all options are read, and may change it; PARSED, or an exit
     * code after a message. May be NULL. */
    int (*check)(const struct command *self, void *opts);
} opt_group;

typedef struct opt_args {
    const char *items[OPT_MAX_ARGS];
    uint32_t n;
} opt_args;

typedef struct command {
    const char *name;
    const char *summary;   /* one line */
    const char *synopsis;  /* after "lfm2 NAME " */
    const char *details;   /* paragraphs after the options, or NULL */
    const char *args_hint; /* what to do about one argument too many, or NULL */
    const opt_group *groups;
    uint32_t n_groups;
    uint32_t min_args, max_args; /* arguments that are not options */
    int (*run)(const struct command *self, int argc, char **argv);
} command;

enum { PARSED = -1 };

/* Fills `target` (defaults already in place) from argv[1..]. Returns PARSED, or the code to exit
 * with: EXIT_OK after --help, EXIT_USAGE after a message. `args` may be NULL if max_args is 0. */
int options_parse(const command *self, int argc, char **argv, void *target, opt_args *args);

/* Gives back what OPT_CONTENT has read. */
void options_free(void);

/* Name of a choice's value; "?" if there is none. */
const char *choice_name(const opt_choice *choices, uint32_t value);

/* ---- options_help.c ---- */

/* Help of one command, to stdout. */
void options_help(const command *self);

/* Appends to `out`, as far as it fits; returns the new length. */
size_t text_add(char *out, size_t size, size_t used, const char *format, ...) FORMAT(4, 5);

/* "0 or -1 = off, ..." of an option's special numbers, behind `before`. */
size_t option_add_specials(const opt_spec *spec, const char *before, char *out, size_t size,
                           size_t used);

/* What the help says about an option: its text, choices, special numbers, default, aliases. */
void option_describe(const opt_spec *spec, char *out, size_t size);

/* Whether the help shows the option. */
bool option_is_shown(const opt_group *group, const opt_spec *spec);

bool option_takes_value(const opt_spec *spec);

/* ---- options_near.c ---- */

/* Number of letters to insert, delete, change or swap with the next one to turn a into b. */
uint32_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b);

/* The spelling of an option of `self` that `typed` was probably meant to be ("--" included), in
 * `out`; false if none is near. */
bool option_near(const command *self, const char *typed, size_t len, char *out, size_t size);

/* The command that `typed` was probably meant to be, or NULL. */
const command *command_near(const char *typed);

/* ---- docs_man.c, docs_shell.c: to stdout ---- */

void docs_man(void);
void docs_bash(void);
void docs_zsh(void);
void docs_fish(void);

/* ---- Commands ---- */

extern const command *const commands[];
extern const uint32_t n_commands;

extern const command cmd_run, cmd_chat, cmd_tokenize, cmd_detokenize, cmd_inspect, cmd_logits,
    cmd_perplexity, cmd_eval, cmd_bench, cmd_quantize, cmd_synth, cmd_pack;

#endif /* LFM2_TOOLS_OPTIONS_H */
