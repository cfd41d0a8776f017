/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 chat: a conversation. */
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/options/model_options.h"
#include "cli/options/sampler_options.h"
#include "cli/options/session_options.h"
#include "cli/support/answer_report.h"
#include "cli/support/answer_view.h"
#include "cli/support/chat_input.h"
#include "cli/support/conversation.h"
#include "cli/support/interrupt.h"
#include "cli/support/messages.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

typedef struct chat_options {
    model_options model;
    session_options session;
    sampler_options sampler;
    template_options chat_template;
    reasoning_options reasoning;
    const char *system, *tools;
    uint32_t n_predict;
    uint32_t draft; /* of draft_specs */
    bool special;
} chat_options;

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
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Conversation", specs, 0, NULL},
    DRAFT_GROUP("Conversation", chat_options, draft),
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

typedef struct chat {
    const chat_options *opts;
    open_model opened;
    chat_format format;
    conversation talk;
    chat_input *input;
    text_buffer tools;
    answer_view view;
    lfm2_generate_result last; /* of the last answer */
    uint32_t last_reasoning;   /* tokens of reasoning in it */
    bool refused;              /* a message was refused: the exit code is 1 */
} chat;

#define RESET_HINT "; /reset starts a new conversation"

static const char help_text[] =
    "/help   show this help (also /?)\n"
    "/reset  start a new conversation (also /clear)\n"
    "/stats  show the tokens in the context and the speed of the last answer\n"
    "/quit   quit (also /exit, /bye, Ctrl-D)\n"
    "\n"
    "Enter sends the message. To send several lines as one message:\n"
    "  paste them (nearly all terminals support this)\n"
    "  start with \"\"\" and end with \"\"\"\n"
    "  press Alt-Enter, or end a line with a backslash\n"
    "To send a message that looks like a command, type two slashes: //help\n"
    "Ctrl-C stops an answer. Pressed twice, it quits.\n";

static int32_t on_text(void *user, answer_channel channel, const char *text, size_t len)
{
    chat *c = user;
    answer_view_text(&c->view, channel, text, len);
    return out_failed() ? 1 : 0;
}

/* The system message, which precedes the first message. */
static int add_system(chat *c)
{
    const char *system = c->opts->system;
    return system != NULL && c->talk.messages.len == 0
               ? messages_add(&c->talk.messages, "system", system, strlen(system), NULL)
               : EXIT_OK;
}

static int generate(chat *c, const turn *t)
{
    answer a = {.on_text = on_text, .user = c};
    lfm2_generate_options_init(&a.options, sizeof a.options);
    a.options.max_tokens = c->opts->n_predict;
    a.options.flags = (c->opts->special ? LFM2_GENERATE_SPECIAL : 0U) | c->opts->draft;
    answer_view_begin(&c->view, c->opts->reasoning.mode);
    int code = conversation_answer(&c->talk, t, &a);
    answer_view_end(&c->view);
    if (code == EXIT_OK) {
        c->last = a.result;
        c->last_reasoning = a.n_reasoning;
        notice_finish(&c->last, c->opened.model, c->talk.session, RESET_HINT);
        if (c->opts->model.verbose) {
            notice_timing(&c->last, c->last_reasoning, c->opts->sampler.seed);
        }
    }
    answer_free(&a);
    return code;
}

/* Whether the prompt fits into the context. */
static bool fits(chat *c, const turn *t)
{
    uint32_t capacity = lfm2_session_capacity(c->talk.session);
    size_t needed = t->ids.n - t->from;
    size_t space = capacity - t->keep;
    if (needed >= space) {
        notice("the message needs %zu tokens, the context has space for %zu: %s" RESET_HINT,
               needed + 1, space, context_advice(c->opened.model, c->talk.session));
    }
    return needed < space;
}

static int converse_once(chat *c, const char *text, size_t len)
{
    turn t = {.keep = 0};
    const size_t before = c->talk.messages.len;
    interrupt_begin(c->talk.session);
    int code = add_system(c);
    if (code == EXIT_OK && conversation_ask(&c->talk, text, len, &t) != EXIT_OK) {
        c->refused = true; /* a message says why */
        conversation_withdraw(&c->talk, before);
    } else if (code == EXIT_OK && !fits(c, &t)) {
        c->refused = true;
        conversation_withdraw(&c->talk, before);
    } else if (code == EXIT_OK) {
        code = generate(c, &t);
    }
    interrupt_end();
    /* Ctrl-C stops the answer. Without a terminal, it ends the program. */
    if (code == EXIT_OK && interrupt_seen() &&
        (interrupt_ends_program() || !chat_input_is_terminal(c->input))) {
        code = EXIT_FAILED;
    }
    turn_free(&t);
    return code;
}

static int reset(chat *c)
{
    c->last = (lfm2_generate_result){.size = sizeof c->last};
    return conversation_reset(&c->talk);
}

static void print_stats(const chat *c)
{
    const lfm2_generate_result *r = &c->last;
    const conversation *talk = &c->talk;
    out_printf("%u turn%s, %u of %u tokens, seed %" PRIu64 "\n", talk->n_turns,
               plural(talk->n_turns), lfm2_session_length(talk->session),
               lfm2_session_capacity(talk->session), c->opts->sampler.seed);
    if (r->finish != 0) {
        char tokens[96];
        out_printf("last turn: prompt %u token%s in %.3f s, %s in %.3f s, ended by %s\n",
                   r->n_prompt, plural(r->n_prompt), r->prompt_seconds,
                   answer_tokens(r, c->last_reasoning, "", tokens, sizeof tokens),
                   r->generate_seconds, finish_name(r->finish));
    }
}

typedef enum chat_command {
    CHAT_HELP,
    CHAT_RESET,
    CHAT_STATS,
    CHAT_QUIT,
    CHAT_UNKNOWN
} chat_command;

static const struct {
    const char *name;
    chat_command command;
} command_names[] = {
    {"help", CHAT_HELP},   {"?", CHAT_HELP},    {"reset", CHAT_RESET}, {"clear", CHAT_RESET},
    {"stats", CHAT_STATS}, {"quit", CHAT_QUIT}, {"exit", CHAT_QUIT},   {"bye", CHAT_QUIT},
};

/* If the text is a slash and one word, returns its length without trailing blanks, else 0:
 * "/etc/passwd", "/usr is full" and "/x.c" are messages. */
static size_t command_length(const char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    if (len == 0 || text[0] != '/') {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        bool word =
            isalnum((unsigned char)text[i]) || text[i] == '?' || text[i] == '-' || text[i] == '_';
        if (!word) {
            return 0;
        }
    }
    return len;
}

static chat_command find_command(const char *word, size_t len)
{
    for (uint32_t i = 0; i < COUNT(command_names); i++) {
        const char *name = command_names[i].name;
        if (strlen(name) == len && strncasecmp(name, word, len) == 0) {
            return command_names[i].command;
        }
    }
    return CHAT_UNKNOWN;
}

/* The command that is most like an unknown word, or NULL. */
static const char *suggest_command(const char *word, size_t len)
{
    enum { MAX_LENGTH = 16 };
    const char *found = NULL;
    uint32_t limit = len < 4 ? 2 : 3; /* fewer errors than that */
    char lower[MAX_LENGTH];
    for (size_t i = 0; i < len && len <= MAX_LENGTH; i++) {
        lower[i] = (char)tolower((unsigned char)word[i]);
    }
    for (uint32_t i = 0; i < COUNT(command_names) && len <= MAX_LENGTH; i++) {
        const char *name = command_names[i].name;
        uint32_t distance = edit_distance(lower, len, name, strlen(name));
        if (distance < limit && distance < strlen(name)) {
            limit = distance;
            found = name;
        }
    }
    return found;
}

static void refuse_command(const char *text, size_t len)
{
    const char *suggested = suggest_command(text + 1, len - 1);
    int shown = (int)(len < 64 ? len : 64);
    if (suggested != NULL) {
        notice("unknown command %.*s: did you mean /%s?", shown, text, suggested);
    } else {
        notice("unknown command %.*s: /help lists the commands, /%.*s sends a message", shown, text,
               shown, text);
    }
}

/* Executes the command `text`, a slash and a word. Sets *quit for /quit. */
static int execute(chat *c, const char *text, size_t len, bool *quit)
{
    int code = EXIT_OK;
    switch (find_command(text + 1, len - 1)) {
    case CHAT_HELP:
        out_printf("%s", help_text);
        break;
    case CHAT_RESET:
        code = reset(c);
        break;
    case CHAT_STATS:
        print_stats(c);
        break;
    case CHAT_QUIT:
        *quit = true;
        break;
    default:
        refuse_command(text, len);
        break;
    }
    out_flush();
    return code;
}

/* Processes a message or command. */
static int process_line(chat *c, const text_buffer *line, bool *quit)
{
    size_t len = command_length(line->data, line->len);
    if (len > 0) {
        return execute(c, line->data, len, quit);
    }
    bool escaped =
        line->len > 1 && command_length(line->data + 1, line->len - 1) > 0 && line->data[0] == '/';
    return converse_once(c, line->data + escaped, line->len - escaped);
}

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
            code = got == INPUT_BLOCK ? converse_once(c, line.data, line.len)
                                      : process_line(c, &line, &quit);
        }
        interrupted = got == INPUT_INTERRUPT;
    }
    text_free(&line);
    return code;
}

static int start(chat *c)
{
    const chat_options *opts = c->opts;
    conversation *talk = &c->talk;
    *talk = (conversation){
        .format = &c->format, .reasoning = &opts->reasoning, .sampling = &opts->sampler};
    int code = messages_read_tools(opts->tools, &c->tools);
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
        code = session_open(&opts->session, c->opened.model, &talk->session);
    }
    if (code == EXIT_OK) {
        code = sampler_open(&opts->sampler, c->opened.model, &talk->sampler);
    }
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    chat_options opts = {.n_predict = DEFAULT_PREDICT};
    opt_args args = {.n = 0};
    sampler_options_init(&opts.sampler);
    reasoning_options_init(&opts.reasoning);
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code != PARSED) {
        return code;
    }
    chat c = {.opts = &opts};
    code = start(&c);
    if (code == EXIT_OK) {
        code = converse(&c);
    }
    if (code == EXIT_OK && c.refused && !chat_input_is_terminal(c.input)) {
        code = EXIT_FAILED;
    }
    chat_input_close(c.input);
    lfm2_sampler_free(c.talk.sampler);
    lfm2_session_free(c.talk.session);
    conversation_free(&c.talk);
    chat_format_close(&c.format);
    model_close(&c.opened);
    text_free(&c.tools);
    return code;
}

const command cmd_chat = {
    .name = "chat",
    .also = "cli",
    .summary = "Have a conversation with the model.",
    .synopsis = "[MODEL | -m PATH] [OPTION]...",
    .details =
        "Each line is a message; so are pasted lines, and lines between \"\"\" and \"\"\". "
        "/help shows the commands. Text that is typed during an answer appears at the "
        "next prompt.\n\n"
        "If standard input or output is not a terminal, messages are read line by line, each "
        "answer ends with a newline, and the exit code is 1 if a message did not fit into the "
        "context or the chat template refused it.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
