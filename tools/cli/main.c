/* SPDX-License-Identifier: Apache-2.0 */
/* The lfm2 program: finds the command and runs it. */
#include "cli/commands.h"
#include "cli/support/model_open.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_ADDRESS(name) &cmd_##name,
const command *const commands[] = {COMMANDS(COMMAND_ADDRESS)};
const uint32_t n_commands = COUNT(commands);

static const command *find_command(const char *name)
{
    for (uint32_t i = 0; i < n_commands; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    static const char model_managers[] = "pull list ls ps push create";
    if (model_is_gguf_name(name)) {
        return fail_usage("", "unknown command '%s': did you mean 'lfm2 run %s' or 'lfm2 chat %s'?",
                          name, name, name);
    }
    if (has_word(model_managers, name, strlen(name))) {
        return fail_usage("",
                          "unknown command '%s': lfm2 does not manage models; "
                          "download a model from https://huggingface.co/LiquidAI and pass its path "
                          "to 'lfm2 run' or 'lfm2 chat'",
                          name);
    }
    const command *suggested = command_suggest(name);
    if (suggested != NULL) {
        return fail_usage("", "unknown command '%s': did you mean '%s'?", name, suggested->name);
    }
    return fail_usage("", "unknown command '%s'", name);
}

static void print_overview(void)
{
    out_printf("Usage: lfm2 COMMAND [OPTION]...\nRun LFM2 language models on the CPU.\n\n"
               "Commands:\n");
    for (uint32_t i = 0; i < n_commands; i++) {
        out_printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    out_printf("\n'lfm2 help COMMAND' shows the options of a command, 'lfm2 --version' the\n"
               "version.\n"
               "Results go to standard output, messages to standard error.\n"
               "Exit codes: 0 success, 1 failure, 2 invalid command line.\n");
}

static int help(int argc, char **argv)
{
    /* The build writes the manual page and the completions with these. */
    static const struct {
        const char *name;
        void (*print)(void);
    } docs[] = {
        {"--man", docs_man}, {"--bash", docs_bash}, {"--zsh", docs_zsh}, {"--fish", docs_fish}};
    if (argc < 2 || strcmp(argv[1], "help") == 0) {
        print_overview();
        return EXIT_OK;
    }
    for (uint32_t i = 0; i < COUNT(docs); i++) {
        if (strcmp(argv[1], docs[i].name) == 0) {
            docs[i].print();
            return EXIT_OK;
        }
    }
    const command *found = find_command(argv[1]);
    if (found == NULL) {
        return unknown_command(argv[1]);
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
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        print_version();
        return EXIT_OK;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(argc - 1, argv + 1);
    }
    if (name[0] == '-') {
        return fail_usage("",
                          "'%s' is not a command: options follow the command, as in 'lfm2 run "
                          "%s ...'",
                          name, name);
    }
    const command *found = find_command(name);
    if (found == NULL) {
        return unknown_command(name);
    }
    return found->run(found, argc - 1, argv + 1);
}

/* Occupies the descriptors of standard streams that are closed. Otherwise a file that the program
 * opens would get the number, and messages would be written into it. Reading and writing still fail
 * with EBADF: /dev/null is opened in the other direction. */
static void occupy_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            /* the lowest free number, which is fd */
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

int main(int argc, char **argv)
{
    occupy_streams();
    /* Writing to a closed pipe, or beyond the limit of a file's size, then fails with an error. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    int code = dispatch(argc, argv);
    options_free();
    return out_finish(code);
}
