/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 run: generates the answer to one prompt. */
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/options/constraint_options.h"
#include "cli/options/model_options.h"
#include "cli/options/sampler_options.h"
#include "cli/options/session_options.h"
#include "cli/support/answer_record.h"
#include "cli/support/answer_report.h"
#include "cli/support/answer_view.h"
#include "cli/support/constraint_open.h"
#include "cli/support/interrupt.h"
#include "cli/support/messages.h"
#include "cli/support/prefetch_report.h"

#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct run_options {
    model_options model;
    session_options session;
    sampler_options sampler;
    template_options chat_template;
    reasoning_options reasoning;
    constraint_options constraint;
    constraint_text constraint_source; /* what it names */
    const char *prompt, *file, *messages, *system, *tools;
    const char *prompt_cache; /* a folder */
    uint32_t n_predict;
    opt_texts stop;
    int32_t logprobs; /* -1 = not requested */
    uint32_t draft;   /* of draft_specs */
    bool raw, no_bos, special, ignore_eos, json;
    bool is_argument; /* the prompt is an argument, not the value of -p */
} run_options;

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
     .name = "messages",
     .arg = "FILE",
     .help = "answer the conversation in FILE: a JSON array of messages in OpenAI's format, or an "
             "object with \"messages\" and maybe \"tools\"; - = standard input",
     .offset = offsetof(run_options, messages)},
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
    {.type = OPT_TEXT,
     .name = "prompt-cache",
     .arg = "DIR",
     .help = "keep what was computed in files in DIR, and start from the longest beginning of the "
             "prompt found there; above 4 GiB the files not used for the longest time are deleted",
     .offset = offsetof(run_options, prompt_cache)},
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
    {.type = OPT_REFUSED, .aliases = "--format", .help = "--json-schema gives a schema"},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Prompt and answer", specs, 0, NULL},
    DRAFT_GROUP("Prompt and answer", run_options, draft),
    CONSTRAINT_GROUP(run_options, constraint),
    TOOL_CHOICE_GROUP(run_options, constraint),
    SAMPLER_GROUP(run_options, sampler),
    REASONING_GROUP(run_options, reasoning),
    TEMPLATE_GROUP(run_options, chat_template),
    SESSION_GROUPS(run_options, session),
    MODEL_GROUPS(run_options, model),
    MODEL_MERGES_GROUP(run_options, model),
    {NULL, chat_only, 0, NULL},
    COMPAT_TEXT_GROUP,
    COMPAT_GROUP,
};

/* What the callbacks of an answer need. */
typedef struct run_state {
    const run_options *opts;
    answer_record record; /* with --json */
    answer_view view;     /* without */
    int code;
} run_state;

static int32_t on_text(void *user, answer_channel channel, const char *text, size_t len)
{
    run_state *state = user;
    if (!state->opts->json) {
        answer_view_text(&state->view, channel, text, len);
        return out_failed() ? 1 : 0;
    }
    state->code = answer_record_text(&state->record, channel, text, len);
    return state->code == EXIT_OK ? 0 : 1;
}

static int32_t on_token(void *user, const lfm2_generated_token *token)
{
    run_state *state = user;
    state->code = answer_record_token(&state->record, token);
    return state->code == EXIT_OK ? 0 : 1;
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

/* Makes the conversation: that of --messages, or the system message and the prompt. */
static int make_messages(const run_options *opts, const text_buffer *text, text_buffer *messages,
                         text_buffer *tools)
{
    text_buffer array = {0};
    int code = EXIT_OK;
    if (opts->messages != NULL) {
        code = messages_read(opts->messages, messages, tools);
    } else {
        if (opts->system != NULL) {
            code = messages_add(&array, "system", opts->system, strlen(opts->system));
        }
        if (code == EXIT_OK) {
            code = messages_add(&array, "user", text->data, text->len);
        }
        if (code == EXIT_OK) {
            code = messages_close(&array, messages);
        }
    }
    text_free(&array);
    return code == EXIT_OK ? messages_read_tools(opts->tools, tools) : code;
}

/* Prints the answer as JSON. */
static int print_record(const run_options *opts, const open_model *opened, const answer *a,
                        answer_record *record)
{
    int code = answer_n_calls(a) > 0 ? answer_record_set_content(record, a) : EXIT_OK;
    if (code == EXIT_OK) {
        answer_record_print(record, a, opened->model, opened->path, opts->sampler.seed,
                            opts->logprobs >= 0);
        out_flush();
    }
    return code;
}

/* Generates the answer to `prompt` and prints it. */
static int generate(const run_options *opts, const open_model *opened, const id_list *prompt,
                    answer *a)
{
    run_state state = {.opts = opts};
    lfm2_generate_options_init(&a->options, sizeof a->options);
    a->options.max_tokens = opts->n_predict;
    a->options.stop_strings = opts->stop.items;
    a->options.n_stop_strings = opts->stop.n;
    a->options.n_top = opts->logprobs > 0 ? (uint32_t)opts->logprobs : 0;
    a->options.flags = (opts->ignore_eos ? LFM2_GENERATE_IGNORE_EOS : 0U) |
                       (opts->special ? LFM2_GENERATE_SPECIAL : 0U) | opts->draft;
    a->options.constraint = a->constraint;
    a->budget = opts->reasoning.budget;
    a->on_text = on_text;
    a->on_token = opts->logprobs >= 0 ? on_token : NULL;
    a->user = &state;
    answer_view_begin(&state.view, opts->reasoning.mode);
    interrupt_begin(a->session);
    int code = answer_generate(a, prompt);
    interrupt_end();
    /* The callbacks store their error in state.code; Ctrl-C is reported below. */
    code = code == EXIT_OK ? state.code : code;
    if (code == EXIT_OK && opts->json) {
        code = print_record(opts, opened, a, &state.record);
    } else if (!opts->json) {
        answer_view_end(&state.view);
    }
    if (code == EXIT_OK && !opts->json) {
        notice_finish(&a->result, opened->model, a->session, "");
    }
    if (code == EXIT_OK && opts->model.verbose) {
        notice_timing(&a->result, a->n_reasoning, opts->sampler.seed);
        notice_prefetch(opened->runtime);
    }
    answer_record_free(&state.record);
    return code == EXIT_OK && interrupt_seen() ? EXIT_FAILED : code;
}

/* The same from the tokens of the prompt that --prompt-cache has; the session is kept there. */
static int generate_cached(const run_options *opts, const open_model *opened, const id_list *prompt,
                           answer *a)
{
    lfm2_cache_options options;
    lfm2_cache *cache = NULL;
    lfm2_cache_options_init(&options, sizeof options);
    options.folder = opts->prompt_cache;
    int32_t status = lfm2_cache_create(opened->model, &options, &cache);
    if (status == LFM2_OK) {
        status = lfm2_cache_start(cache, a->session, prompt->data, prompt->n, &a->n_reused);
    }
    for (uint32_t i = 0; i < a->n_reused && status == LFM2_OK; i++) {
        status = lfm2_sampler_accept(a->sampler, prompt->data[i]);
    }
    int code = EXIT_OK;
    if (status == LFM2_OK) {
        const id_list rest = {.data = prompt->data + a->n_reused, .n = prompt->n - a->n_reused};
        code = generate(opts, opened, &rest, a);
        /* The answer is complete: a folder that cannot be written is no failure. */
        if (code == EXIT_OK && lfm2_cache_save(cache, a->session) != LFM2_OK) {
            notice("the prompt cache was not saved: %s (%s)", lfm2_last_error(),
                   lfm2_last_error_code());
        }
    } else {
        code = fail_library();
    }
    lfm2_cache_free(cache);
    return code;
}

/* Opens a session and a sampler and answers `prompt`. */
static int respond(const run_options *opts, const open_model *opened, const id_list *prompt,
                   answer *a)
{
    int code = answer_constrain(a, opened->model, &opts->constraint, &opts->constraint_source,
                                &opts->reasoning);
    if (code == EXIT_OK) {
        code = session_open(&opts->session, opened->model, &a->session);
    }
    if (code == EXIT_OK && prompt->n > lfm2_session_capacity(a->session)) {
        code = fail("cli.context", "the prompt has %zu token%s, the context has space for %u: %s",
                    prompt->n, plural(prompt->n), lfm2_session_capacity(a->session),
                    context_advice(opened->model, a->session));
    }
    if (code == EXIT_OK) {
        code = sampler_open(&opts->sampler, opened->model, &a->sampler);
    }
    if (code == EXIT_OK) {
        code = opts->prompt_cache == NULL ? generate(opts, opened, prompt, a)
                                          : generate_cached(opts, opened, prompt, a);
    }
    lfm2_sampler_free(a->sampler);
    lfm2_session_free(a->session);
    return code;
}

/* Renders the conversation and answers it. */
static int answer_chat(const run_options *opts, const open_model *opened,
                       const text_buffer *messages, const text_buffer *tools)
{
    chat_format format = {0};
    answer a = {.format = &format};
    id_list prompt = {0};
    int code = chat_format_open(&opts->chat_template, tools, opened, opts->model.verbose, &format);
    if (code == EXIT_OK && opts->reasoning.mode == REASONING_OFF) {
        code = chat_format_switch_off(&format);
    }
    if (code == EXIT_OK &&
        chat_format_ids(&format, messages, LFM2_CHAT_GENERATION_PROMPT, &prompt) != LFM2_OK) {
        code = fail_library();
    }
    if (code == EXIT_OK) {
        code = chat_format_complete(&format, &opts->reasoning, &prompt, &a.open);
    }
    if (code == EXIT_OK) {
        code = respond(opts, opened, &prompt, &a);
    }
    answer_free(&a);
    ids_free(&prompt);
    chat_format_close(&format);
    return code;
}

static int answer_raw(const run_options *opts, const open_model *opened, const text_buffer *text)
{
    answer a = {.format = NULL};
    id_list prompt = {0};
    int code = make_raw_prompt(opts, opened->model, text, &prompt);
    if (code == EXIT_OK) {
        code = respond(opts, opened, &prompt, &a);
    }
    answer_free(&a);
    ids_free(&prompt);
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

/* Checks which options were given together. */
static int check_options(const command *self, const run_options *opts)
{
    if (opts->logprobs >= 0 && !opts->json) {
        return fail_usage(self->name, "option --logprobs requires --json");
    }
    if (opts->raw && (opts->system != NULL || opts->tools != NULL)) {
        return fail_usage(self->name, "--system and --tools cannot be combined with --raw");
    }
    if (opts->raw && opts->messages != NULL) {
        return fail_usage(self->name, "--messages cannot be combined with --raw");
    }
    if (opts->raw && (template_options_given(&opts->chat_template) ||
                      reasoning_options_given(&opts->reasoning))) {
        return fail_usage(self->name, "options of the chat template and of reasoning cannot be "
                                      "combined with --raw, which does not apply the template");
    }
    if (opts->no_bos && !opts->raw) {
        return fail_usage(self->name, "option --no-bos requires --raw");
    }
    if (opts->messages != NULL && (opts->prompt != NULL || opts->file != NULL)) {
        return fail_usage(self->name,
                          "--messages cannot be combined with a prompt (an argument, -p or -f)");
    }
    if (opts->messages != NULL && opts->system != NULL) {
        return fail_usage(self->name, "--messages cannot be combined with --system: a message with "
                                      "the role system does the same");
    }
    return PARSED;
}

static int run(const command *self, int argc, char **argv)
{
    run_options opts = {.logprobs = -1, .n_predict = DEFAULT_PREDICT};
    opt_args args = {.n = 0};
    sampler_options_init(&opts.sampler);
    constraint_options_init(&opts.constraint);
    reasoning_options_init(&opts.reasoning);
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = take_arguments(self, &args, &opts);
    }
    if (code == PARSED) {
        code = check_options(self, &opts);
    }
    if (code != PARSED) {
        return code;
    }
    text_buffer text = {0};
    text_buffer messages = {0};
    text_buffer tools = {0};
    open_model opened = {0};
    /* A missing model is reported before a missing prompt. */
    code = opts.model.path != NULL ? model_check_path(opts.model.path) : EXIT_OK;
    if (code == EXIT_OK) {
        code = constraint_read(&opts.constraint, &opts.constraint_source);
    }
    if (code == EXIT_OK && opts.messages == NULL) {
        code = read_prompt(self, &opts, &text);
    }
    if (code == EXIT_OK && !opts.raw) {
        code = make_messages(&opts, &text, &messages, &tools);
    }
    if (code == EXIT_OK) {
        code = constraint_take_tools(&opts.constraint, &tools, &opts.constraint_source);
    }
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_FULL, &opened);
    }
    if (code == EXIT_OK) {
        code = opts.raw ? answer_raw(&opts, &opened, &text)
                        : answer_chat(&opts, &opened, &messages, &tools);
    }
    text_free(&text);
    text_free(&messages);
    text_free(&tools);
    text_free(&opts.constraint_source.text);
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
