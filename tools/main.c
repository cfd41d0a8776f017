/* SPDX-License-Identifier: Apache-2.0 */
/* The lfm2 program: finds the command and runs it. */
#include "options.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const command *const commands[] = {
    &cmd_run,        &cmd_chat, &cmd_tokenize, &cmd_detokenize, &cmd_inspect, &cmd_logits,
    &cmd_perplexity, &cmd_eval, &cmd_bench,    &cmd_quantize,   &cmd_synth,   &cmd_pack,
};

static const char exit_codes[] = "Results go to standard output, messages to standard error.\n"
                                 "Exit codes: 0 success, 1 failure, 2 wrong use.";

static const command *find_command(const char *name)
{
    for (uint32_t i = 0; i < COUNT(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static void print_overview(void)
{
    out_printf("Usage: lfm2 COMMAND [OPTION]...\nRuns LFM2 language models on the CPU.\n\n");
    for (uint32_t i = 0; i < COUNT(commands); i++) {
        out_printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    out_printf("\n'lfm2 help COMMAND' describes one of them; 'lfm2 --version' tells the version.\n"
               "%s\n",
               exit_codes);
}

static int help(int argc, char **argv)
{
    if (argc < 2) {
        print_overview();
        return EXIT_OK;
    }
    const command *found = find_command(argv[1]);
    if (found == NULL) {
        return fail_usage("", "unknown command '%s'", argv[1]);
    }
    options_help(found);
    return EXIT_OK;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        return fail_usage("", "no command");
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0) {
        out_printf("lfm2 %s\n", lfm2_version());
        return EXIT_OK;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(argc - 1, argv + 1);
    }
    const command *found = find_command(name);
    if (found == NULL) {
        return fail_usage("", "unknown command '%s'", name);
    }
    return found->run(found, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    /* A closed pipe is an error of the write, and a file over its size limit too. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return out_finish(dispatch(argc, argv));
}
