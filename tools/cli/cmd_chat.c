/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 chat: a conversation. Each turn is appended to the session; nothing is computed twice. */
#include "cli/support/answer.h"
#include "cli/options/compat_opts.h"
#include "cli/options/gen_opts.h"
#include "cli/support/interrupt.h"
#include "cli/support/line.h"
#include "cli/options/model_opts.h"
#include "cli/support/tokens.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define END_OF_TURN "<|im_end|>"

typedef struct chat_opts {
    model_opts model;
    session_opts session;
    sampler_opts sampler;
    const char *system, *tools;
    uint32_t n_predict;
    bool special;
} chat_opts;

static const opt_spec specs[] = {
    {.kind = OPT_TEXT,
     .name = "system",
     .aliases = "-sys --system-prompt",
     .arg = "TEXT",
     .help = "system message",
     .offset = offsetof(chat_opts, system)},
    {.kind = OPT_CONTENT,
     .name = "system-file",
     .aliases = "-sysf --system-prompt-file",
     .arg = "FILE",
     .help = "read the system message from FILE",
     .offset = offsetof(chat_opts, system)},
    {.kind = OPT_TEXT,
     .name = "tools",
     .arg = "FILE",
     .help = "JSON array of the tools that the model may call",
     .offset = offsetof(chat_opts, tools)},
    {.kind = OPT_U32,
     .letter = 'n',
     .name = "predict",
     .aliases = "--n-predict --max-tokens",
     .arg = "N",
     .help = "most tokens of one answer",
     .default_text = "8192",
     .offset = offsetof(chat_opts, n_predict),
     .min = 1,
     .max = INT32_MAX,
     .specials = no_limit},
    {.kind = OPT_FLAG,
     .name = "special",
     .aliases = "-sp",
     .help = "show control tokens of the answers by name",
     .offset = offsetof(chat_opts, special)},
};

/* What llama.cpp's program for both prompts and conversations has. */
static const opt_spec not_run[] = {
    {.kind = OPT_IGNORED,
     .aliases = "-cnv --conversation -i --interactive -if --interactive-first"},
    {.kind = OPT_REFUSED,
     .aliases = "-p --prompt -f --file -st --single-turn -no-cnv --no-conversation",
     .help = "lfm2 run answers one prompt; chat reads messages from its input, and --system sets "
             "the system message"},
};

static const opt_group groups[] = {
    {"Conversation", specs, COUNT(specs), 0, NULL},
    SAMPLER_GROUP(chat_opts, sampler),
    SESSION_GROUPS(chat_opts, session),
    MODEL_GROUPS(chat_opts, model),
    MODEL_MERGES_GROUP(chat_opts, model),
    {NULL, not_run, COUNT(not_run), 0, NULL},
    COMPAT_TEXT_GROUP,
    COMPAT_GROUP,
};

typedef struct chat {
    const chat_opts *opts;
    open_model opened;
    lfm2_session *session;
    lfm2_sampler *sampler;
    line_input *input;
    text_buffer tools;
    /* Tokens of the rendered conversation that the session does not hold yet: what is missing of
     * the last answer's end, or of a prompt that was interrupted. They go before the next turn. */
    id_list pending;
    int32_t end_id; /* of END_OF_TURN */
    uint32_t n_turns;
    lfm2_generate_result last; /* of the last answer */
    char last_byte;            /* last byte printed */
    bool dropped;              /* a turn was lost: the exit code is not 0 */
} chat;

#define RESET_HELPS ", /reset forgets the conversation"

static const char help_text[] =
    "/help   this text (also /?)\n"
    "/reset  forget the conversation (also /clear)\n"
    "/stats  tokens held, speed of the last answer\n"
    "/quit   leave (also /exit, /bye, and the end of input, Ctrl-D)\n"
    "\n"
    "Enter sends the line. These make a message of several lines:\n"
    "  a paste, in terminals that mark pastes (nearly all)\n"
    "  \"\"\" at the start of a line, to the next line that ends with \"\"\"\n"
    "  a backslash at the end of a line; Alt-Enter\n"
    "A message that would be a command is written with two slashes: //help.\n"
    "Ctrl-C stops an answer; a second time it ends the program.\n";

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

/* The ids of this user message as the next turn, behind what is pending. */
static int make_turn(chat *c, const char *text, size_t len, id_list *ids)
{
    const chat_opts *opts = c->opts;
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

/* After a turn whose prompt was `ids` of which `held` reached the session. */
static int leave_pending(chat *c, const id_list *ids, size_t held)
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

/* Generates from ids; *held receives how many of them the session took. */
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
        /* A Ctrl-C that came just after the last answer cancels this one before its start. */
    } while (status == LFM2_E_CANCELLED && !interrupt_seen() && done < ids->n);
    *held = done < ids->n ? done : ids->n;
    bool ended = status == LFM2_OK || status == LFM2_E_STOPPED || status == LFM2_E_CANCELLED;
    return ended ? EXIT_OK : fail_library();
}

static void report_end(const chat *c)
{
    notice_finish(&c->last, c->session, RESET_HELPS);
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
        notice("the message needs %zu tokens and the context has %u left: -c N makes it "
               "larger" RESET_HELPS,
               ids.n + 1, capacity - length);
        c->dropped = true;
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
            code = leave_pending(c, &ids, held);
        }
    }
    interrupt_end();
    /* Ctrl-C ends the answer; with nobody at the terminal who could go on, the program too. */
    if (code == EXIT_OK && interrupt_seen() &&
        (interrupt_ends_program() || !line_is_terminal(c->input))) {
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
    out_printf("%u turns, %u of %u tokens, seed %" PRIu64 "\n", c->n_turns,
               lfm2_session_length(c->session), lfm2_session_capacity(c->session),
               c->opts->sampler.seed);
    if (r->finish != 0) {
        out_printf("last answer: prompt %u tokens in %.3f s, %u tokens in %.3f s, ended by %s\n",
                   r->n_prompt, r->prompt_seconds, r->n_generated, r->generate_seconds,
                   finish_name(r->finish));
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

/* The length of a text that is a slash and one word, without the blanks at its end; 0 for any other
 * text: "/etc/passwd", "/usr is full" and "/x.c" are messages. */
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

/* The command that an unknown word was probably meant to be, or NULL. */
static const char *near_command(const char *word, size_t len)
{
    enum { MOST_TYPED = 16 };
    const char *found = NULL;
    uint32_t least = len < 4 ? 2 : 3; /* fewer mistakes than that */
    char lower[MOST_TYPED];
    for (size_t i = 0; i < len && len <= MOST_TYPED; i++) {
        lower[i] = (char)tolower((unsigned char)word[i]);
    }
    for (uint32_t i = 0; i < COUNT(command_names) && len <= MOST_TYPED; i++) {
        const char *name = command_names[i].name;
        uint32_t distance = edit_distance(lower, len, name, strlen(name));
        if (distance < least && distance < strlen(name)) {
            least = distance;
            found = name;
        }
    }
    return found;
}

static void refuse_command(const char *text, size_t len)
{
    const char *near = near_command(text + 1, len - 1);
    int shown = (int)(len < 64 ? len : 64);
    if (near != NULL) {
        notice("unknown command %.*s: did you mean /%s?", shown, text, near);
    } else {
        notice("unknown command %.*s: /help lists them, /%.*s is a message", shown, text, shown,
               text);
    }
}

/* Does what `text` says, a slash and a word; *quit is set by /quit. */
static int obey(chat *c, const char *text, size_t len, bool *quit)
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

/* Handles one message or command. */
static int take_line(chat *c, const text_buffer *line, bool *quit)
{
    size_t len = command_length(line->data, line->len);
    if (len > 0) {
        return obey(c, line->data, len, quit);
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
    bool asked = false; /* Ctrl-C was the last input */
    if (line_is_terminal(c->input)) {
        notice("%s: /help lists the commands, Ctrl-D leaves", c->opened.path);
    }
    while (code == EXIT_OK && !quit && !out_failed()) {
        line_result got = line_read(c->input, &line);
        if (got == LINE_END && line_is_terminal(c->input)) {
            out_write("\n", 1);
        }
        if (got == LINE_END) {
            break;
        }
        if (got == LINE_ERROR || (got == LINE_INTERRUPT && asked)) {
            code = EXIT_FAILED;
        } else if (got == LINE_INTERRUPT) {
            notice("Ctrl-C once more, Ctrl-D or /quit leaves");
        } else if (got != LINE_DROPPED && !text_is_blank(&line)) {
            code = got == LINE_BLOCK ? answer(c, line.data, line.len) : take_line(c, &line, &quit);
        }
        asked = got == LINE_INTERRUPT;
    }
    text_free(&line);
    return code;
}

static int start(chat *c)
{
    const chat_opts *opts = c->opts;
    int code = opts->tools != NULL ? text_read(opts->tools, &c->tools) : EXIT_OK;
    if (code == EXIT_OK) {
        code = model_open(&opts->model, LFM2_LOAD_FULL, &c->opened);
    }
    if (code == EXIT_OK) {
        c->end_id = id_of_control(c->opened.model, END_OF_TURN);
        code = c->end_id >= 0
                   ? EXIT_OK
                   : fail("cli.chat", "%s: no token " END_OF_TURN ": this model has no chat format",
                          c->opened.path);
    }
    if (code == EXIT_OK) {
        code = session_open(&opts->session, c->opened.model, &c->session);
    }
    if (code == EXIT_OK) {
        code = sampler_open(&opts->sampler, c->opened.model, &c->sampler);
    }
    if (code == EXIT_OK) {
        c->input = line_open("> ");
        code = c->input != NULL ? EXIT_OK : EXIT_FAILED;
    }
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    chat_opts opts = {.n_predict = DEFAULT_PREDICT};
    opt_args args = {.n = 0};
    sampler_opts_init(&opts.sampler);
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
    if (code == EXIT_OK && c.dropped && !line_is_terminal(c.input)) {
        code = EXIT_FAILED;
    }
    line_close(c.input);
    lfm2_sampler_free(c.sampler);
    lfm2_session_free(c.session);
    model_close(&c.opened);
    ids_free(&c.pending);
    text_free(&c.tools);
    return code;
}

const command cmd_chat = {
    .name = "chat",
    .summary = "Hold a conversation.",
    .synopsis = "[MODEL | -m PATH] [OPTION]...",
    .details = "One line is one message, a paste too; lines between \"\"\" and \"\"\" are one "
               "message. /help lists the\ncommands. Input that is not a terminal is read line by "
               "line, each answer ends with a newline, and\nthe exit code is 1 if a message did "
               "not fit into the context.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
