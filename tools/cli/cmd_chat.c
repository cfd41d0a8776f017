/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 chat: a conversation. Each turn is appended to the session, so that nothing is computed
 * twice. */
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/options/model_options.h"
#include "cli/options/sampler_options.h"
#include "cli/options/session_options.h"
#include "cli/support/answer_report.h"
#include "cli/support/chat_input.h"
#include "cli/support/interrupt.h"
#include "cli/support/model_open.h"
#include "cli/support/token_ids.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define END_OF_TURN "<|im_end|>"

typedef struct chat_options {
    model_options model;
    session_options session;
    sampler_options sampler;
    const char *system, *tools;
    uint32_t n_predict;
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
    SAMPLER_GROUP(chat_options, sampler),
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
    lfm2_session *session;
    lfm2_sampler *sampler;
    chat_input *input;
    text_buffer tools;
    /* Tokens of the rendered conversation that the session does not contain yet: the end of the
     * last turn, and the rest of an interrupted prompt. They precede the next turn. */
    id_list pending;
    int32_t end_id; /* of END_OF_TURN */
    uint32_t n_turns;
    lfm2_generate_result last; /* of the last answer */
    char last_byte;            /* the last byte printed */
    bool refused;              /* a message did not fit: the exit code is 1 */
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

static int32_t on_token(void *user, const lfm2_generated_token *token)
{
    chat *c = user;
    if (token->len > 0) {
        out_model_text(token->text, token->len);
        out_flush();
        c->last_byte = token->text[token->len - 1];
    }
    return out_failed() ? 1 : 0;
}

/* Appends the ids of the next turn: the pending ones and those of the user message. */
static int make_turn(chat *c, const char *text, size_t len, id_list *ids)
{
    const chat_options *opts = c->opts;
    chat_message messages[2];
    size_t n = 0;
    bool first = c->n_turns == 0;
    if (first && opts->system != NULL) {
        messages[n++] = (chat_message){"system", opts->system, strlen(opts->system)};
    }
    messages[n++] = (chat_message){"user", text, len};
    uint32_t flags = LFM2_CHAT_GENERATION_PROMPT | (first ? 0U : LFM2_CHAT_NO_BOS);
    int code = ids_append(ids, c->pending.data, c->pending.n);
    if (code == EXIT_OK) {
        code = ids_of_chat(c->opened.model, messages, n, first ? &c->tools : NULL, flags, ids);
    }
    return code;
}

/* Updates c->pending after a turn. Of its prompt `ids`, the session contains the first `held`. */
static int update_pending(chat *c, const id_list *ids, size_t held)
{
    c->pending.n = 0;
    int code = held < ids->n ? ids_append(&c->pending, ids->data + held, ids->n - held) : EXIT_OK;
    bool closed =
        held >= ids->n && c->last.finish == LFM2_FINISH_STOP_TOKEN && c->last.stop_id == c->end_id;
    const char *rest = closed ? "\n" : END_OF_TURN "\n";
    if (code == EXIT_OK) {
        code = ids_of_text(c->opened.model, rest, strlen(rest), LFM2_TOKENIZE_SPECIAL, &c->pending);
    }
    return code;
}

/* Generates the answer to the prompt `ids`. *held is the number of ids that the session contains
 * afterwards. */
static int generate(chat *c, const id_list *ids, size_t *held)
{
    lfm2_generate_options options;
    lfm2_generate_options_init(&options, sizeof options);
    options.max_tokens = c->opts->n_predict;
    options.flags = c->opts->special ? LFM2_GENERATE_SPECIAL : 0U;
    options.callback = on_token;
    options.callback_user = c;
    uint32_t before = lfm2_session_length(c->session);
    size_t done = 0;
    int32_t status = LFM2_OK;
    do {
        c->last = (lfm2_generate_result){.size = sizeof c->last, .stop_id = -1};
        status = lfm2_generate(c->session, c->sampler, ids->data + done, ids->n - done, &options,
                               &c->last);
        done = lfm2_session_length(c->session) - before;
        /* A Ctrl-C just after the last answer may have cancelled this one before it started. */
    } while (status == LFM2_E_CANCELLED && !interrupt_seen() && done < ids->n);
    *held = done < ids->n ? done : ids->n;
    bool ended = status == LFM2_OK || status == LFM2_E_STOPPED || status == LFM2_E_CANCELLED;
    return ended ? EXIT_OK : fail_library();
}

static void report_end(const chat *c)
{
    notice_finish(&c->last, c->session, RESET_HINT);
    if (c->opts->model.verbose) {
        notice_timing(&c->last, c->opts->sampler.seed);
    }
}

static int answer(chat *c, const char *text, size_t len)
{
    id_list ids = {0};
    size_t held = 0;
    uint32_t length = lfm2_session_length(c->session);
    uint32_t capacity = lfm2_session_capacity(c->session);
    interrupt_begin(c->session);
    int code = make_turn(c, text, len, &ids);
    if (code == EXIT_OK && ids.n >= capacity - length) {
        notice("the message needs %zu tokens, the context has space for %u: -c N sets its "
               "size" RESET_HINT,
               ids.n + 1, capacity - length);
        c->refused = true;
    } else if (code == EXIT_OK) {
        c->last_byte = '\n';
        code = generate(c, &ids, &held);
        c->n_turns++;
        if (c->last_byte != '\n') {
            out_write("\n", 1);
        }
        out_flush();
        if (code == EXIT_OK) {
            report_end(c);
            code = update_pending(c, &ids, held);
        }
    }
    interrupt_end();
    /* Ctrl-C stops the answer. Without a terminal, it ends the program. */
    if (code == EXIT_OK && interrupt_seen() &&
        (interrupt_ends_program() || !chat_input_is_terminal(c->input))) {
        code = EXIT_FAILED;
    }
    ids_free(&ids);
    return code;
}

static int reset(chat *c)
{
    c->n_turns = 0;
    c->pending.n = 0;
    c->last = (lfm2_generate_result){.size = sizeof c->last};
    lfm2_sampler_reset(c->sampler);
    return lfm2_session_reset(c->session) == LFM2_OK ? EXIT_OK : fail_library();
}

static void print_stats(const chat *c)
{
    const lfm2_generate_result *r = &c->last;
    out_printf("%u turn%s, %u of %u tokens, seed %" PRIu64 "\n", c->n_turns, plural(c->n_turns),
               lfm2_session_length(c->session), lfm2_session_capacity(c->session),
               c->opts->sampler.seed);
    if (r->finish != 0) {
        out_printf("last turn: prompt %u token%s in %.3f s, answer %u token%s in %.3f s, ended by "
                   "%s\n",
                   r->n_prompt, plural(r->n_prompt), r->prompt_seconds, r->n_generated,
                   plural(r->n_generated), r->generate_seconds, finish_name(r->finish));
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
    return answer(c, line->data + escaped, line->len - escaped);
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
            code =
                got == INPUT_BLOCK ? answer(c, line.data, line.len) : process_line(c, &line, &quit);
        }
        interrupted = got == INPUT_INTERRUPT;
    }
    text_free(&line);
    return code;
}

static int start(chat *c)
{
    const chat_options *opts = c->opts;
    int code = opts->tools != NULL ? text_read(opts->tools, &c->tools) : EXIT_OK;
    /* First, so that what is typed while the model is loaded waits for the prompt. */
    if (code == EXIT_OK) {
        c->input = chat_input_open("> ");
        code = c->input != NULL ? EXIT_OK : EXIT_FAILED;
    }
    if (code == EXIT_OK) {
        code = model_open(&opts->model, LFM2_LOAD_FULL, &c->opened);
    }
    if (code == EXIT_OK) {
        c->end_id = id_of_control(c->opened.model, END_OF_TURN);
        code = c->end_id >= 0
                   ? EXIT_OK
                   : fail("cli.chat", "%s: this model has no token " END_OF_TURN " and cannot chat",
                          c->opened.path);
    }
    if (code == EXIT_OK) {
        code = session_open(&opts->session, c->opened.model, &c->session);
    }
    if (code == EXIT_OK) {
        code = sampler_open(&opts->sampler, c->opened.model, &c->sampler);
    }
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    chat_options opts = {.n_predict = DEFAULT_PREDICT};
    opt_args args = {.n = 0};
    sampler_options_init(&opts.sampler);
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code != PARSED) {
        return code;
    }
    chat c = {.opts = &opts, .end_id = -1, .last_byte = '\n'};
    code = start(&c);
    if (code == EXIT_OK) {
        code = converse(&c);
    }
    if (code == EXIT_OK && c.refused && !chat_input_is_terminal(c.input)) {
        code = EXIT_FAILED;
    }
    chat_input_close(c.input);
    lfm2_sampler_free(c.sampler);
    lfm2_session_free(c.session);
    model_close(&c.opened);
    ids_free(&c.pending);
    text_free(&c.tools);
    return code;
}

const command cmd_chat = {
    .name = "chat",
    .also = "cli",
    .summary = "Have a conversation with the model.",
    .synopsis = "[MODEL | -m PATH] [OPTION]...",
    .details =
        "Each line is a message. Pasted lines are one message, and so are the lines between \"\"\" "
        "and \"\"\".\n/help shows the commands. Text that is typed during an answer appears at the "
        "next prompt.\n\n"
        "If standard input or output is not a terminal, messages are read line by line, each "
        "answer "
        "ends with\na newline, and the exit code is 1 if a message did not fit into the context.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
