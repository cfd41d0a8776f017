/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 run: generates the answer to one prompt. */
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/options/model_options.h"
#include "cli/options/sampler_options.h"
#include "cli/options/session_options.h"
#include "cli/support/answer_report.h"
#include "cli/support/interrupt.h"
#include "cli/support/json.h"
#include "cli/support/model_open.h"
#include "cli/support/token_ids.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct run_options {
    model_options model;
    session_options session;
    sampler_options sampler;
    const char *prompt, *file, *system, *tools;
    uint32_t n_predict;
    opt_texts stop;
    int32_t logprobs; /* -1 = not requested */
    uint32_t draft;   /* LFM2_GENERATE_DRAFT or 0 */
    bool raw, no_bos, special, ignore_eos, json;
    bool is_argument; /* the prompt is an argument, not the value of -p */
} run_options;

static const opt_choice draft_choices[] = {
    {"off", 0, NULL},
    {"ngram", LFM2_GENERATE_DRAFT, NULL},
    {NULL, 0, NULL},
};

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .letter = 'p',
     .name = "prompt",
     .arg = "TEXT",
     .help = "prompt; it may also be given as an argument",
     .offset = offsetof(run_options, prompt)},
    {.type = OPT_TEXT,
     .letter = 'f',
     .name = "file",
     .arg = "FILE",
     .help = "read the prompt from FILE; - = standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(run_options, file)},
    {.type = OPT_TEXT,
     .name = "system",
     .aliases = "-sys --system-prompt",
     .arg = "TEXT",
     .help = "system message",
     .offset = offsetof(run_options, system)},
    {.type = OPT_CONTENT,
     .name = "system-file",
     .aliases = "-sysf --system-prompt-file",
     .arg = "FILE",
     .help = "read the system message from FILE",
     .offset = offsetof(run_options, system)},
    {.type = OPT_TEXT,
     .name = "tools",
     .arg = "FILE",
     .help = "file with a JSON array of the tools that the model can call",
     .offset = offsetof(run_options, tools)},
    {.type = OPT_FLAG,
     .name = "raw",
     .aliases = "-no-cnv --no-conversation",
     .help = "continue the prompt without applying the chat template",
     .offset = offsetof(run_options, raw)},
    {.type = OPT_FLAG,
     .name = "no-bos",
     .help = "do not add the BOS token to a --raw prompt (a prompt that begins with it never gets "
             "a second one)",
     .offset = offsetof(run_options, no_bos)},
    {.type = OPT_U32,
     .letter = 'n',
     .name = "predict",
     .aliases = "--n-predict --max-tokens",
     .arg = "N",
     .help = "maximum number of tokens in the answer",
     .default_text = "8192",
     .offset = offsetof(run_options, n_predict),
     .min = 1,
     .max = INT32_MAX,
     .specials = predict_specials},
    {.type = OPT_TEXTS,
     .name = "stop",
     .aliases = "-r --reverse-prompt",
     .arg = "TEXT",
     .help = "end the answer before TEXT; may be repeated",
     .offset = offsetof(run_options, stop)},
    {.type = OPT_FLAG,
     .name = "ignore-eos",
     .help = "do not stop at end-of-generation tokens",
     .offset = offsetof(run_options, ignore_eos)},
    {.type = OPT_FLAG,
     .name = "special",
     .aliases = "-sp",
     .help = "print control tokens of the answer, and recognize them in a --raw prompt",
     .offset = offsetof(run_options, special)},
    {.type = OPT_CHOICE,
     .name = "draft",
     .arg = "HOW",
     .help = "guess tokens from what followed the last ones before, and compute several at once; "
             "the answer stays the same, and is faster where it repeats the prompt or itself",
     .default_text = "off",
     .offset = offsetof(run_options, draft),
     .choices = draft_choices},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object at the end, and no text before it",
     .offset = offsetof(run_options, json)},
    {.type = OPT_I32,
     .name = "logprobs",
     .arg = "N",
     .help =
         "with --json: add the log-probability of each token and the N most likely alternatives",
     .offset = offsetof(run_options, logprobs),
     .min = 0,
     .max = 64},
    {.type = OPT_END},
};

/* Options of llama-cli, which runs both single prompts and conversations. */
static const opt_spec chat_only[] = {
    {.type = OPT_IGNORED, .aliases = "-st --single-turn"},
    {.type = OPT_REFUSED,
     .aliases = "-cnv --conversation -i --interactive -if --interactive-first",
     .help = "use lfm2 chat for a conversation"},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Prompt and answer", specs, 0, NULL},
    SAMPLER_GROUP(run_options, sampler),
    SESSION_GROUPS(run_options, session),
    MODEL_GROUPS(run_options, model),
    MODEL_MERGES_GROUP(run_options, model),
    {NULL, chat_only, 0, NULL},
    COMPAT_TEXT_GROUP,
    COMPAT_GROUP,
};

/* One token of the answer, for --logprobs. */
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
    const run_options *opts;
    const lfm2_model *model;
    text_buffer text;   /* with --json */
    id_list ids;        /* with --json */
    run_token **tokens; /* with --logprobs */
    size_t n_tokens, capacity;
    char last; /* the last byte printed */
    int code;
} run_state;

static int save_token(run_state *state, const lfm2_generated_token *generated)
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
    run_token *token = malloc(sizeof *token + generated->n_top * sizeof token->top[0]);
    if (token == NULL) {
        return fail("cli.memory", "out of memory");
    }
    token->id = generated->id;
    token->logprob = generated->logprob;
    token->n_top = generated->n_top;
    for (size_t i = 0; i < generated->n_top; i++) {
        token->top[i].id = generated->top_ids[i];
        token->top[i].logprob = generated->top_logprobs[i];
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
            state->code = save_token(state, token);
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

/* Whether standard input is a pipe or a regular file, which have an end. A socket may have none:
 * programs that start other programs often leave one open. */
static bool has_piped_input(void)
{
    struct stat info;
    return fstat(STDIN_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISREG(info.st_mode));
}

/* Appends standard input to the prompt, as in `cat file | lfm2 run 'Summarize:'`. */
static int add_piped_input(bool raw, text_buffer *text)
{
    enum { PATIENCE_MS = 2000 };
    text_buffer piped = {0};
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, PATIENCE_MS) == 0) {
        notice("waiting for the end of standard input, which is added to the prompt; use -p or "
               "</dev/null to leave it out");
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

/* Reads the text of the prompt. */
static int read_prompt(const command *self, const run_options *opts, text_buffer *text)
{
    int code =
        text_input(self->name, opts->prompt, opts->file,
                   "no prompt: give it as an argument, in a file (-f FILE) or through a pipe; "
                   "'lfm2 chat' starts a conversation",
                   text);
    /* Like ollama for a prompt argument. With -p standard input is not read, like llama.cpp:
     * scripts that use -p leave pipes open. */
    if (code == EXIT_OK && opts->is_argument && has_piped_input()) {
        code = add_piped_input(opts->raw, text);
    }
    /* "echo" adds a newline that is not part of the prompt. */
    if (code == EXIT_OK && opts->prompt == NULL && !opts->raw) {
        text_chomp(text);
    }
    if (code == EXIT_OK && (opts->raw ? text->len == 0 : text_is_blank(text))) {
        code = fail_usage(self->name, "the prompt is empty");
    }
    return code;
}

/* Control tokens in the prompt, except a BOS at its start, are text unless --special is given.
 * Users of llama.cpp may expect tokens, so a message says it. */
static int make_raw_prompt(const run_options *opts, const lfm2_model *model,
                           const text_buffer *text, id_list *ids)
{
    uint32_t flags =
        (opts->no_bos ? 0U : LFM2_TOKENIZE_BOS) | (opts->special ? LFM2_TOKENIZE_SPECIAL : 0U);
    id_list special = {0};
    size_t before = ids->n;
    int code = ids_of_document(model, text, flags, true, ids);
    if (code == EXIT_OK && !opts->special) {
        code = ids_of_document(model, text, flags | LFM2_TOKENIZE_SPECIAL, true, &special);
    }
    if (code == EXIT_OK && special.n > 0 && special.n != ids->n - before) {
        notice("control tokens in the prompt are treated as text; --special recognizes them");
    }
    ids_free(&special);
    return code;
}

/* Appends the ids of the prompt. */
static int make_prompt(const run_options *opts, const lfm2_model *model, const text_buffer *text,
                       id_list *ids)
{
    if (opts->raw) {
        return make_raw_prompt(opts, model, text, ids);
    }
    text_buffer tools = {0};
    int code = opts->tools != NULL ? text_read_tools(opts->tools, &tools) : EXIT_OK;
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

static int generate(const run_options *opts, const open_model *opened, const id_list *prompt)
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
                    (opts->special ? LFM2_GENERATE_SPECIAL : 0U) | opts->draft;
    options.callback = on_token;
    options.callback_user = &state;
    lfm2_generate_result result = {.size = sizeof result, .stop_id = -1};
    int code = session_open(&opts->session, opened->model, &session);
    if (code == EXIT_OK && prompt->n > lfm2_session_capacity(session)) {
        code = fail("cli.context", "the prompt has %zu token%s, the context has space for %u: %s",
                    prompt->n, plural(prompt->n), lfm2_session_capacity(session),
                    context_advice(opened->model, session));
    }
    if (code == EXIT_OK) {
        code = sampler_open(&opts->sampler, opened->model, &sampler);
    }
    if (code == EXIT_OK) {
        interrupt_begin(session);
        int32_t status =
            lfm2_generate(session, sampler, prompt->data, prompt->n, &options, &result);
        interrupt_end();
        /* on_token stores its error in state.code; Ctrl-C is reported below. */
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
        notice_finish(&result, opened->model, session, "");
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

/* Whether an argument is the path of a model: a GGUF file, or a folder with one. */
static bool is_model_path(const char *text)
{
    return model_is_gguf_name(text) || model_is_folder(text);
}

/* Takes the model and the prompt from the arguments. The first of two is the model; a single one is
 * the prompt, unless there is no -m and it is the path of a model. "-" is standard input. */
static int take_arguments(const command *self, const opt_args *args, run_options *opts)
{
    uint32_t at = 0;
    if (args->n == 2 && opts->model.path != NULL) {
        return fail_usage(
            self->name,
            "unexpected argument '%s': -m gives the model, so the only argument is the "
            "prompt, in quotes",
            args->items[1]);
    }
    if (opts->model.path == NULL &&
        (args->n == 2 || (args->n == 1 && is_model_path(args->items[0])))) {
        opts->model.path = args->items[at++];
    }
    if (at < args->n && opts->prompt != NULL) {
        return fail_usage(self->name, "give the prompt as an argument or with -p, not both");
    }
    if (at < args->n && strcmp(args->items[at], "-") != 0) {
        opts->prompt = args->items[at];
        opts->is_argument = true;
    }
    return PARSED;
}

static int run(const command *self, int argc, char **argv)
{
    run_options opts = {.logprobs = -1, .n_predict = DEFAULT_PREDICT};
    opt_args args = {.n = 0};
    sampler_options_init(&opts.sampler);
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = take_arguments(self, &args, &opts);
    }
    if (code != PARSED) {
        return code;
    }
    if (opts.logprobs >= 0 && !opts.json) {
        return fail_usage(self->name, "option --logprobs requires --json");
    }
    if (opts.raw && (opts.system != NULL || opts.tools != NULL)) {
        return fail_usage(self->name, "--system and --tools cannot be combined with --raw");
    }
    if (opts.no_bos && !opts.raw) {
        return fail_usage(self->name, "option --no-bos requires --raw");
    }
    text_buffer text = {0};
    id_list prompt = {0};
    open_model opened = {0};
    /* A missing model is reported before a missing prompt. */
    code = opts.model.path != NULL ? model_check_path(opts.model.path) : EXIT_OK;
    if (code == EXIT_OK) {
        code = read_prompt(self, &opts, &text);
    }
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
    .also = "generate completion",
    .summary = "Answer one prompt.",
    .synopsis = "[MODEL | -m PATH] [PROMPT | -p TEXT | -f FILE] [OPTION]...",
    .args_hint = "put quotes around a prompt of several words",
    .details =
        "If there are two arguments, the first is the model. A single argument is the prompt, "
        "unless there is no -m and it ends in .gguf or is a folder with a config.json.\n\n"
        "The answer is printed while it is generated. The prompt is sent as a user message in "
        "the chat template of the model, unless --raw is given. Without --raw, one newline at "
        "the end of a prompt from a file or a pipe is removed. If the prompt is an argument "
        "and standard input is a pipe or a file, its text is appended to the prompt; with -p, "
        "standard input is not read. Ctrl-C stops the answer, and the exit code is 1.\n\n"
        "Examples: lfm2 run 'What is 127 + 48?'\n"
        "          lfm2 run LFM2-8B-A1B-Q4_0.gguf 'Why is the sky blue?'\n"
        "          cat letter.txt | lfm2 run 'Summarize this letter:'",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 2,
    .run = run,
};
