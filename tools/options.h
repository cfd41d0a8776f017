/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and their options: one table gives the parser, the checks and the help text. */
#ifndef LFM2_TOOLS_OPTIONS_H
#define LFM2_TOOLS_OPTIONS_H

#include "util.h"

/* What an option writes into the command's options struct. */
typedef enum opt_kind {
    OPT_FLAG,   /* bool, set to true; takes no value */
    OPT_U32,    /* uint32_t in min..max */
    OPT_I32,    /* int32_t in min..max */
    OPT_U64,    /* uint64_t, whole range */
    OPT_REAL,   /* double in min..max */
    OPT_TEXT,   /* const char * */
    OPT_TEXTS,  /* opt_texts; may be given several times; empty texts are refused */
    OPT_U32S,   /* opt_u32s; comma list, each in min..max */
    OPT_CHOICE, /* uint32_t, the value of one choice */
    OPT_CHOICES /* uint32_t, the values of a comma list of choices or'ed */
} opt_kind;

enum { OPT_MAX_ITEMS = 64, OPT_MAX_ARGS = 2 };

typedef struct opt_texts {
    const char *items[OPT_MAX_ITEMS];
    uint32_t n;
} opt_texts;

typedef struct opt_u32s {
    uint32_t items[OPT_MAX_ITEMS];
    uint32_t n;
} opt_u32s;

typedef struct opt_choice {
    const char *name; /* NULL ends the table */
    uint32_t value;
} opt_choice;

typedef struct opt_spec {
    opt_kind kind;
    char letter;      /* short form, 0 = none */
    const char *name; /* long form, without the dashes */
    const char *arg;  /* what the help calls the value */
    const char *help;
    size_t offset; /* of the target, from the group's base */
    double min, max;
    const opt_choice *choices;
} opt_spec;

/* Options that belong together; `base` is where their struct starts in the command's struct. */
typedef struct opt_group {
    const char *title;
    const opt_spec *specs;
    uint32_t n;
    size_t base;
} opt_group;

typedef struct opt_args {
    const char *items[OPT_MAX_ARGS];
    uint32_t n;
} opt_args;

typedef struct command {
    const char *name;
    const char *summary;  /* one line */
    const char *synopsis; /* after "lfm2 NAME " */
    const char *details;  /* paragraphs after the options, or NULL */
    const opt_group *groups;
    uint32_t n_groups;
    uint32_t min_args, max_args; /* arguments that are not options */
    int (*run)(const struct command *self, int argc, char **argv);
} command;

enum { PARSED = -1 };

/* Fills `target` (defaults already in place) from argv[1..]. Returns PARSED, or the code to exit
 * with: EXIT_OK after --help, EXIT_USAGE after a message. `args` may be NULL if max_args is 0. */
int options_parse(const command *self, int argc, char **argv, void *target, opt_args *args);

/* Help of one command, to stdout. */
void options_help(const command *self);

/* Name of a choice's value; "?" if there is none. */
const char *choice_name(const opt_choice *choices, uint32_t value);

extern const command cmd_run, cmd_chat, cmd_tokenize, cmd_detokenize, cmd_inspect, cmd_logits,
    cmd_perplexity, cmd_eval, cmd_bench, cmd_quantize, cmd_synth, cmd_pack;

#endif /* LFM2_TOOLS_OPTIONS_H */
