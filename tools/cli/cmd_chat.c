/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 chat: a conversation. */
#include "cli/chat/chat.h"
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/support/prefetch_report.h"

#include <string.h>

static const opt_choice full_choices[] = {
    {"stop", FULL_STOP, "refuse the message"},
    {"drop", FULL_DROP, "drop the oldest turns, but not the system message"},
    {NULL, 0, NULL},
};

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .name = "system",
     .aliases = "-sys --system-prompt",
     .arg = "TEXT",
     .help = "system message",
     .offset = offsetof(chat_options, system)},
    {.type = OPT_CONTENT,
     .name = "system-file",
     .aliases = "-sysf --system-prompt-file",
     .arg = "FILE",
     .help = "read the system message from FILE",
     .offset = offsetof(chat_options, system)},
    {.type = OPT_TEXT,
     .name = "tools",
     .arg = "FILE",
     .help = "file with a JSON array of the tools that the model can call",
     .offset = offsetof(chat_options, tools)},
    {.type = OPT_TEXT,
     .name = "session",
     .arg = "FILE",
     .help = "continue the conversation in FILE, or start it there: FILE is written after each "
             "turn, and what was computed to FILE.kv at the end",
     .offset = offsetof(chat_options, file)},
    {.type = OPT_U32,
     .letter = 'n',
     .name = "predict",
     .aliases = "--n-predict --max-tokens",
     .arg = "N",
     .help = "maximum number of tokens in an answer",
     .default_text = "8192",
     .offset = offsetof(chat_options, n_predict),
     .min = 1,
     .max = INT32_MAX,
     .specials = predict_specials},
    {.type = OPT_CHOICE,
     .name = "on-full",
     .arg = "RULE",
     .help = "what to do if a message does not fit into the context",
     .default_text = "stop",
     .offset = offsetof(chat_options, on_full),
     .choices = full_choices},
    {.type = OPT_FLAG,
     .name = "special",
     .aliases = "-sp",
     .help = "print control tokens of the answers",
     .offset = offsetof(chat_options, special)},
    {.type = OPT_END},
};

/* Options of llama-cli, which runs both single prompts and conversations. */
static const opt_spec run_only[] = {
    {.type = OPT_IGNORED,
     .aliases = "-cnv --conversation -i --interactive -if --interactive-first"},
    {.type = OPT_REFUSED,
     .aliases = "-p --prompt -f --file -st --single-turn -no-cnv --no-conversation",
     .help = "use lfm2 run for a single prompt; chat reads messages from standard input, and "
             "--system sets the system message"},
    {.type = OPT_REFUSED, .aliases = "--format", .help = "--json-schema gives a schema"},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Conversation", specs, 0, NULL},
    DRAFT_GROUP("Conversation", chat_options, draft),
    CONSTRAINT_GROUP(chat_options, constraint),
    TOOL_CHOICE_GROUP(chat_options, constraint),
    SAMPLER_GROUP(chat_options, sampler),
    REASONING_GROUP(chat_options, reasoning),
    TEMPLATE_GROUP(chat_options, chat_template),
    SESSION_GROUPS(chat_options, session),
    MODEL_GROUPS(chat_options, model),
    MODEL_MERGES_GROUP(chat_options, model),
    {NULL, run_only, 0, NULL},
    COMPAT_TEXT_GROUP,
    COMPAT_GROUP,
};

static int converse(chat *c)
{
    text_buffer line = {0};
    int code = EXIT_OK;
    bool quit = false;
    bool interrupted = false; /* the last input was Ctrl-C */
    if (chat_input_is_terminal(c->input)) {
        notice("%s: /help shows the commands, Ctrl-D quits", c->opened.path);
    }
    while (code == EXIT_OK && !quit && !out_failed()) {
        input_result got = chat_input_read(c->input, &line);
        if (got == INPUT_END && chat_input_is_terminal(c->input)) {
            out_write("\n", 1);
        }
        if (got == INPUT_END) {
            break;
        }
        if (got == INPUT_ERROR || (got == INPUT_INTERRUPT && interrupted)) {
            code = EXIT_FAILED;
        } else if (got == INPUT_INTERRUPT) {
            notice("press Ctrl-C again, or Ctrl-D, to quit");
        } else if (got != INPUT_DROPPED && !text_is_blank(&line)) {
            code = got == INPUT_BLOCK ? chat_ask(c, line.data, line.len)
                                      : chat_line(c, line.data, line.len, &quit);
        }
        interrupted = got == INPUT_INTERRUPT;
        chat_session_keep(c);
    }
    text_free(&line);
    return code;
}

static int start(chat *c)
{
    const chat_options *opts = c->opts;
    int code = messages_read_tools(opts->tools, &c->tools);
    if (code == EXIT_OK) {
        code = constraint_read(&opts->constraint, &c->constraint);
    }
    /* First, so that what is typed while the model is loaded waits for the prompt. */
    if (code == EXIT_OK) {
        c->input = chat_input_open("> ");
        code = c->input != NULL ? EXIT_OK : EXIT_FAILED;
    }
    if (code == EXIT_OK) {
        code = model_open(&opts->model, LFM2_LOAD_FULL, &c->opened);
    }
    if (code == EXIT_OK) {
        code = chat_format_open(&opts->chat_template, &c->tools, &c->opened, opts->model.verbose,
                                &c->format);
    }
    if (code == EXIT_OK && opts->reasoning.mode == REASONING_OFF) {
        code = chat_format_switch_off(&c->format);
    }
    if (code == EXIT_OK) {
        code = chat_start(c);
    }
    return code == EXIT_OK ? chat_session_begin(c) : code;
}

static int run(const command *self, int argc, char **argv)
{
    chat_options opts = {.n_predict = DEFAULT_PREDICT};
    opt_args args = {.n = 0};
    sampler_options_init(&opts.sampler);
    constraint_options_init(&opts.constraint);
    reasoning_options_init(&opts.reasoning);
    const uint64_t drawn = opts.sampler.seed;
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code != PARSED) {
        return code;
    }
    if (opts.file != NULL && strcmp(opts.file, "-") == 0) {
        opts.file = "./-"; /* not standard input, which has the messages */
    }
    opts.has_seed = opts.sampler.seed != drawn;
    chat c = {.opts = &opts};
    code = start(&c);
    if (code == EXIT_OK) {
        code = converse(&c);
        chat_session_end(&c);
    }
    if (code == EXIT_OK && c.refused && !chat_input_is_terminal(c.input)) {
        code = EXIT_FAILED;
    }
    if (code == EXIT_OK && opts.model.verbose) {
        notice_prefetch(c.opened.runtime);
    }
    chat_input_close(c.input);
    chat_close(&c);
    chat_format_close(&c.format);
    model_close(&c.opened);
    text_free(&c.tools);
    text_free(&c.constraint.text);
    return code;
}

const command cmd_chat = {
    .name = "chat",
    .also = "cli",
    .summary = "Have a conversation with the model.",
    .synopsis = "[MODEL | -m PATH] [OPTION]...",
    .details =
        "Each line is a message; so are pasted lines, and lines between \"\"\" and \"\"\". "
        "/help shows the commands, which undo, repeat, edit, copy, save and load turns. Text that "
        "is typed during an answer appears at the next prompt. A constraint holds for each "
        "answer.\n\n"
        "If standard input or output is not a terminal, messages are read line by line, each "
        "answer ends with a newline, and the exit code is 1 if a message did not fit into the "
        "context, the chat template refused it, or a command failed.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
