/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 run: one prompt, one answer. */
#include "cli/support/answer.h"
#include "cli/options/compat_opts.h"
#include "cli/options/gen_opts.h"
#include "cli/support/interrupt.h"
#include "cli/support/json.h"
#include "cli/options/model_opts.h"
#include "cli/support/tokens.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct run_opts {
    model_opts model;
    session_opts session;
    sampler_opts sampler;
    const char *prompt, *file, *system, *tools;
    uint32_t n_predict;
    opt_texts stop;
    int32_t logprobs; /* -1 = not wanted */
    bool raw, special, ignore_eos, json;
    bool is_argument; /* the prompt is an argument, not the value of -p */
} run_opts;

static const opt_spec specs[] = {
    {.kind = OPT_TEXT,
     .letter = 'p',
     .name = "prompt",
     .arg = "TEXT",
     .help = "the prompt, which may also be an argument",
     .offset = offsetof(run_opts, prompt)},
    {.kind = OPT_TEXT,
     .letter = 'f',
     .name = "file",
     .arg = "FILE",
     .help = "read the prompt from FILE; - is standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(run_opts, file)},
    {.kind = OPT_TEXT,
     .name = "system",
     .aliases = "-sys --system-prompt",
     .arg = "TEXT",
     .help = "system message",
     .offset = offsetof(run_opts, system)},
    {.kind = OPT_CONTENT,
     .name = "system-file",
     .aliases = "-sysf --system-prompt-file",
     .arg = "FILE",
     .help = "read the system message from FILE",
     .offset = offsetof(run_opts, system)},
    {.kind = OPT_TEXT,
     .name = "tools",
     .arg = "FILE",
     .help = "JSON array of the tools that the model may call",
     .offset = offsetof(run_opts, tools)},
    {.kind = OPT_FLAG,
     .name = "raw",
     .aliases = "-no-cnv --no-conversation",
     .help = "continue the prompt as it is, without the chat format",
     .offset = offsetof(run_opts, raw)},
    {.kind = OPT_U32,
     .letter = 'n',
     .name = "predict",
     .aliases = "--n-predict --max-tokens",
     .arg = "N",
     .help = "most tokens of the answer",
     .default_text = "8192",
     .offset = offsetof(run_opts, n_predict),
     .min = 1,
     .max = INT32_MAX,
     .specials = no_limit},
    {.kind = OPT_TEXTS,
     .name = "stop",
     .aliases = "-r --reverse-prompt",
     .arg = "TEXT",
     .help = "end the answer before this text; may be given several times",
     .offset = offsetof(run_opts, stop)},
    {.kind = OPT_FLAG,
     .name = "ignore-eos",
     .help = "go on after the model's end token",
     .offset = offsetof(run_opts, ignore_eos)},
    {.kind = OPT_FLAG,
     .name = "special",
     .aliases = "-sp",
     .help = "show control tokens of the answer by name, and recognise them in a --raw prompt",
     .offset = offsetof(run_opts, special)},
    {.kind = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object at the end instead of the text as it comes",
     .offset = offsetof(run_opts, json)},
    {.kind = OPT_I32,
     .name = "logprobs",
     .arg = "N",
     .help = "with --json: log-probability of each token and the N likeliest in its place",
     .offset = offsetof(run_opts, logprobs),
     .min = 0,
     .max = 64},
};

/* What llama.cpp's program for both prompts and conversations has. */
static const opt_spec not_chat[] = {
    {.kind = OPT_IGNORED, .aliases = "-st --single-turn"},
    {.kind = OPT_REFUSED,
     .aliases = "-cnv --conversation -i --interactive -if --interactive-first",
     .help = "lfm2 chat holds conversations"},
};

static const opt_group groups[] = {
    {"Prompt and answer", specs, COUNT(specs), 0, NULL},
    SAMPLER_GROUP(run_opts, sampler),
    SESSION_GROUPS(run_opts, session),
    MODEL_GROUPS(run_opts, model),
    MODEL_MERGES_GROUP(run_opts, model),
    {NULL, not_chat, COUNT(not_chat), 0, NULL},
    COMPAT_TEXT_GROUP,
    COMPAT_GROUP,
};

/* One token of the answer, kept for --json --logprobs. */
typedef struct run_token {
    int32_t id;
    float logprob;
    size_t n_top;
    struct {
        int32_t id;
        float logprob;
    } top[];
} run_token;

typedef struct run_state {
    const run_opts *opts;
    const lfm2_model *model;
    text_buffer text;   /* with --json */
    id_list ids;        /* with --json */
    run_token **tokens; /* with --logprobs */
    size_t n_tokens, capacity;
    char last; /* last byte printed */
    int code;
} run_state;

static int keep_token(run_state *state, const lfm2_generated_token *made)
{
    if (state->n_tokens == state->capacity) {
        size_t capacity = state->capacity * 2 + 64;
        run_token **tokens = realloc(state->tokens, capacity * sizeof(run_token *));
        if (tokens == NULL) {
            return fail("cli.memory", "out of memory");
        }
        state->tokens = tokens;
        state->capacity = capacity;
    }
    run_token *token = malloc(sizeof *token + made->n_top * sizeof token->top[0]);
    if (token == NULL) {
        return fail("cli.memory", "out of memory");
    }
    token->id = made->id;
    token->logprob = made->logprob;
    token->n_top = made->n_top;
    for (size_t i = 0; i < made->n_top; i++) {
        token->top[i].id = made->top_ids[i];
        token->top[i].logprob = made->top_logprobs[i];
    }
    state->tokens[state->n_tokens++] = token;
    return EXIT_OK;
}

static int32_t on_token(void *user, const lfm2_generated_token *token)
{
    run_state *state = user;
    if (!state->opts->json) {
        if (token->len > 0) {
            out_model_text(token->text, token->len);
            out_flush();
            state->last = token->text[token->len - 1];
        }
        return out_failed() ? 1 : 0;
    }
    state->code = text_append(&state->text, token->text, token->len);
    if (state->code == EXIT_OK && token->id >= 0) {
        state->code = ids_append(&state->ids, &token->id, 1);
        if (state->code == EXIT_OK && state->opts->logprobs >= 0) {
            state->code = keep_token(state, token);
        }
    }
    return state->code == EXIT_OK ? 0 : 1;
}

static void print_token(const lfm2_model *model, int32_t id, float logprob)
{
    const char *bytes = "";
    size_t len = 0;
    lfm2_token_get(model, id, &bytes, &len, NULL);
    out_printf("\"id\":%d,", (int)id);
    json_text_member("text", bytes, len);
    out_printf(",\"logprob\":");
    json_number((double)logprob);
}

static void print_json(const run_state *state, const char *path, const lfm2_generate_result *r)
{
    out_printf("{\"model\":");
    json_string(path, strlen(path));
    out_printf(",\"text\":");
    json_string(state->text.data != NULL ? state->text.data : "", state->text.len);
    out_printf(",\"ids\":");
    json_ids(state->ids.data, state->ids.n);
    out_printf(",\"finish\":\"%s\",\"stop_id\":", finish_name(r->finish));
    if (r->stop_id >= 0) {
        out_printf("%d", (int)r->stop_id);
    } else {
        out_printf("null");
    }
    out_printf(",\"n_prompt\":%u,\"n_generated\":%u,\"prompt_seconds\":", r->n_prompt,
               r->n_generated);
    json_number(r->prompt_seconds);
    out_printf(",\"generate_seconds\":");
    json_number(r->generate_seconds);
    out_printf(",\"seed\":%" PRIu64, state->opts->sampler.seed);
    if (state->opts->logprobs >= 0) {
        out_printf(",\"tokens\":[");
        for (size_t i = 0; i < state->n_tokens; i++) {
            const run_token *token = state->tokens[i];
            out_printf("%s{", i > 0 ? "," : "");
            print_token(state->model, token->id, token->logprob);
            out_printf(",\"top\":[");
            for (size_t k = 0; k < token->n_top; k++) {
                out_printf("%s{", k > 0 ? "," : "");
                print_token(state->model, token->top[k].id, token->top[k].logprob);
                out_printf("}");
            }
            out_printf("]}");
        }
        out_printf("]");
    }
    out_printf("}\n");
}

/* Standard input is a pipe or a file: something that ends. Not a socket: programs that start others
 * often leave one open. */
static bool has_piped_input(void)
{
    struct stat info;
    return fstat(STDIN_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISREG(info.st_mode));
}

/* Appends standard input to the prompt given, as in `cat file | lfm2 run 'Summarise:'`. */
static int add_piped_input(bool raw, text_buffer *text)
{
    enum { PATIENCE_MS = 2000 };
    text_buffer piped = {0};
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, PATIENCE_MS) == 0) {
        notice("waiting for the end of standard input, which the prompt is given with; "
               "</dev/null leaves it out");
    }
    int code = text_read("-", &piped);
    if (!raw) {
        text_chomp(&piped);
    }
    if (code == EXIT_OK && piped.len > 0 && !raw) {
        code = text_append(text, "\n\n", 2);
    }
    if (code == EXIT_OK) {
        code = text_append(text, piped.data, piped.len);
    }
    text_free(&piped);
    return code;
}

/* The prompt's text. */
static int read_prompt(const command *self, const run_opts *opts, text_buffer *text)
{
    int code = text_input(self->name, opts->prompt, opts->file, text);
    /* As in ollama, where an argument is the prompt. llama.cpp's -p reads nothing, and scripts
     * that use it leave pipes open. */
    if (code == EXIT_OK && opts->is_argument && has_piped_input()) {
        code = add_piped_input(opts->raw, text);
    }
    /* A shell's "echo" ends with a newline that nobody meant. */
    if (code == EXIT_OK && opts->prompt == NULL && !opts->raw) {
        text_chomp(text);
    }
    if (code == EXIT_OK && (opts->raw ? text->len == 0 : text_is_blank(text))) {
        code = fail_usage(self->name, "the prompt is empty");
    }
    return code;
}

/* Control tokens written in the prompt are text unless --special is given; users of llama.cpp may
 * expect tokens. */
static int make_raw_prompt(const run_opts *opts, const lfm2_model *model, const text_buffer *text,
                           id_list *ids)
{
    uint32_t flags = LFM2_TOKENIZE_BOS | (opts->special ? LFM2_TOKENIZE_SPECIAL : 0U);
    id_list special = {0};
    int code = ids_of_text(model, text->data, text->len, flags, ids);
    if (code == EXIT_OK && !opts->special) {
        code = ids_of_text(model, text->data, text->len, flags | LFM2_TOKENIZE_SPECIAL, &special);
    }
    if (code == EXIT_OK && special.n > 0 && special.n != ids->n) {
        notice("control tokens in the prompt are taken as text: --special makes them tokens");
    }
    ids_free(&special);
    return code;
}

/* The prompt's ids. */
static int make_prompt(const run_opts *opts, const lfm2_model *model, const text_buffer *text,
                       id_list *ids)
{
    if (opts->raw) {
        return make_raw_prompt(opts, model, text, ids);
    }
    text_buffer tools = {0};
    int code = opts->tools != NULL ? text_read(opts->tools, &tools) : EXIT_OK;
    if (code == EXIT_OK) {
        chat_message messages[2];
        size_t n = 0;
        if (opts->system != NULL) {
            messages[n++] = (chat_message){"system", opts->system, strlen(opts->system)};
        }
        messages[n++] = (chat_message){"user", text->data, text->len};
        code = ids_of_chat(model, messages, n, &tools, LFM2_CHAT_GENERATION_PROMPT, ids);
    }
    text_free(&tools);
    return code;
}

static int generate(const run_opts *opts, const open_model *opened, const id_list *prompt)
{
    lfm2_session *session = NULL;
    lfm2_sampler *sampler = NULL;
    run_state state = {.opts = opts, .model = opened->model, .last = '\n'};
    lfm2_generate_options options;
    lfm2_generate_options_init(&options, sizeof options);
    options.max_tokens = opts->n_predict;
    options.stop_strings = opts->stop.items;
    options.n_stop_strings = opts->stop.n;
    options.n_top = opts->logprobs > 0 ? (uint32_t)opts->logprobs : 0;
    options.flags = (opts->ignore_eos ? LFM2_GENERATE_IGNORE_EOS : 0U) |
                    (opts->special ? LFM2_GENERATE_SPECIAL : 0U);
    options.callback = on_token;
    options.callback_user = &state;
    lfm2_generate_result result = {.size = sizeof result, .stop_id = -1};
    int code = session_open(&opts->session, opened->model, &session);
    if (code == EXIT_OK && prompt->n > lfm2_session_capacity(session)) {
        code =
            fail("cli.context", "the prompt has %zu tokens, the context %u: -c N makes it larger",
                 prompt->n, lfm2_session_capacity(session));
    }
    if (code == EXIT_OK) {
        code = sampler_open(&opts->sampler, opened->model, &sampler);
    }
    if (code == EXIT_OK) {
        interrupt_begin(session);
        int32_t status =
            lfm2_generate(session, sampler, prompt->data, prompt->n, &options, &result);
        interrupt_end();
        /* The callback stops for a reason of its own; Ctrl-C is reported below. */
        bool ended = status == LFM2_OK || status == LFM2_E_STOPPED || status == LFM2_E_CANCELLED;
        code = ended ? state.code : fail_library();
    }
    if (code == EXIT_OK && opts->json) {
        print_json(&state, opened->path, &result);
    } else if (!opts->json && state.last != '\n') {
        out_write("\n", 1);
    }
    out_flush();
    if (code == EXIT_OK && !opts->json) {
        notice_finish(&result, session, "");
    }
    if (code == EXIT_OK && opts->model.verbose) {
        notice_timing(&result, opts->sampler.seed);
    }
    if (code == EXIT_OK && interrupt_seen()) {
        code = EXIT_FAILED;
    }
    for (size_t i = 0; i < state.n_tokens; i++) {
        free(state.tokens[i]);
    }
    free(state.tokens);
    ids_free(&state.ids);
    text_free(&state.text);
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    run_opts opts = {.logprobs = -1, .n_predict = DEFAULT_PREDICT};
    opt_args args = {.n = 0};
    sampler_opts_init(&opts.sampler);
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        opts.is_argument = opts.prompt == NULL;
        code = prompt_arguments(self, &args, &opts.model, &opts.prompt);
        opts.is_argument = opts.is_argument && opts.prompt != NULL;
    }
    if (code != PARSED) {
        return code;
    }
    if (opts.logprobs >= 0 && !opts.json) {
        return fail_usage(self->name, "option --logprobs needs --json");
    }
    if (opts.raw && (opts.system != NULL || opts.tools != NULL)) {
        return fail_usage(self->name, "--system and --tools do not go with --raw");
    }
    text_buffer text = {0};
    id_list prompt = {0};
    open_model opened = {0};
    code = read_prompt(self, &opts, &text);
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_FULL, &opened);
    }
    if (code == EXIT_OK) {
        code = make_prompt(&opts, opened.model, &text, &prompt);
    }
    if (code == EXIT_OK) {
        code = generate(&opts, &opened, &prompt);
    }
    ids_free(&prompt);
    text_free(&text);
    model_close(&opened);
    return code;
}

const command cmd_run = {
    .name = "run",
    .summary = "Answer one prompt.",
    .synopsis = "[MODEL | -m PATH] [PROMPT | -p TEXT | -f FILE] [OPTION]...",
    .args_hint = "a prompt of several words needs quotes",
    .details =
        "Of two arguments the first is the model. One alone is the prompt, unless there is no "
        "-m and it ends in\n.gguf or is a folder with a config.json. '--' ends the "
        "options.\n\n"
        "The answer is written as it comes. The prompt becomes a user message in the chat "
        "format unless --raw\nis given; one newline at the end of a prompt that was read "
        "from a file or a pipe is dropped\n(not with --raw). If the prompt is an argument "
        "and standard input is a pipe or a file, its\ntext follows the prompt; with -p it is not "
        "read. Ctrl-C ends the answer; the exit code is\nthen 1.\n\n"
        "Examples: lfm2 run 'What is 127 + 48?'\n"
        "          lfm2 run LFM2-8B-A1B-Q4_0.gguf 'Why is the sky blue?'\n"
        "          cat letter.txt | lfm2 run 'Summarise this letter:'",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 2,
    .run = run,
};
