/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 parse: divides what a model wrote into content, reasoning and tool calls. */
#include "cli/commands.h"
#include "cli/options/model_options.h"
#include "cli/support/json.h"
#include "cli/support/model_open.h"
#include "cli/support/token_ids.h"

#include <string.h>

/* Whether the prompt opened the reasoning. */
enum { OPENED_AUTO, OPENED_ON, OPENED_OFF };

static const opt_choice opened_choices[] = {
    {"auto", OPENED_AUTO,
     "if the chat template opens it, or \"</think>\" comes before any \"<think>\""},
    {"on", OPENED_ON, NULL},
    {"off", OPENED_OFF, NULL},
    {NULL, 0, NULL},
};

typedef struct parse_options {
    model_options model;
    const char *file, *tools;
    uint32_t opened;
    int32_t chunks; /* seed; -1: not given */
    bool tokens, events;
} parse_options;

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .letter = 'f',
     .name = "file",
     .arg = "FILE",
     .help = "file with the text that the model wrote, with control tokens by name; - = standard "
             "input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(parse_options, file)},
    {.type = OPT_TEXT,
     .name = "tools",
     .arg = "FILE",
     .help = "file with a JSON array of the tools that the model knew",
     .offset = offsetof(parse_options, tools)},
    {.type = OPT_CHOICE,
     .name = "opened",
     .arg = "WHEN",
     .help = "whether the prompt opened the reasoning, so that the text begins inside of it",
     .default_text = "auto",
     .offset = offsetof(parse_options, opened),
     .choices = opened_choices},
    {.type = OPT_I32,
     .name = "chunks",
     .arg = "SEED",
     .help = "give the text to the parser in pieces of random lengths; the result is the same",
     .offset = offsetof(parse_options, chunks),
     .min = 0,
     .max = INT32_MAX},
    {.type = OPT_FLAG,
     .name = "tokens",
     .help = "give it as tokens, as it comes from the model",
     .offset = offsetof(parse_options, tokens)},
    {.type = OPT_FLAG,
     .name = "events",
     .help = "print the events, one JSON object a line, instead of the message",
     .offset = offsetof(parse_options, events)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Text", specs, 0, NULL},
    MODEL_FILE_GROUP(parse_options, model),
    MODEL_MERGES_GROUP(parse_options, model),
};

/* ---- Events ---- */

static void print_event(const lfm2_chat_event *e)
{
    static const char *const kinds[] = {"none",      "content",  "reasoning",  "call_start",
                                        "arguments", "call_end", "call_undone"};
    const bool text = e->kind == LFM2_CHAT_EVENT_CONTENT || e->kind == LFM2_CHAT_EVENT_REASONING;
    out_printf("{\"event\":\"%s\"", e->kind <= LFM2_CHAT_EVENT_CALL_UNDONE ? kinds[e->kind] : "?");
    if (!text) {
        out_printf(",\"call\":%u", e->call);
    }
    if (e->kind == LFM2_CHAT_EVENT_CALL_START) {
        out_printf(",\"id\":");
        json_string(e->id, strlen(e->id));
        out_printf(",\"name\":");
        json_string(e->name, e->name_len);
    } else if (text || e->kind == LFM2_CHAT_EVENT_ARGUMENTS) {
        out_printf(",\"text\":");
        json_string(e->text, e->len);
    }
    out_printf("}\n");
}

/* Takes all events, and prints them if that is wanted. */
static int take_events(const parse_options *opts, lfm2_chat_parser *parser)
{
    lfm2_chat_event event = {.size = sizeof event};
    do {
        if (lfm2_chat_parser_next(parser, &event) != LFM2_OK) {
            return fail_library();
        }
        if (event.kind != LFM2_CHAT_EVENT_NONE && opts->events) {
            print_event(&event);
        }
    } while (event.kind != LFM2_CHAT_EVENT_NONE);
    return EXIT_OK;
}

/* ---- Input ---- */

/* The next of some random numbers (xorshift). */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The length of the next piece of `left` bytes or tokens: short ones are the most. */
static size_t piece(const parse_options *opts, uint64_t *random, size_t left)
{
    if (opts->chunks < 0) {
        return left;
    }
    const uint64_t draw = next_random(random);
    const size_t n = 1 + (size_t)(draw >> 8) % ((draw & 3) == 0 ? 64 : 4);
    return n < left ? n : left;
}

static int push_all(const parse_options *opts, lfm2_chat_parser *parser, const text_buffer *text,
                    const id_list *ids)
{
    uint64_t random = (uint64_t)(int64_t)opts->chunks * 0x9E3779B97F4A7C15u + 1;
    const size_t n = opts->tokens ? ids->n : text->len;
    int code = EXIT_OK;
    for (size_t at = 0; at < n && code == EXIT_OK;) {
        const size_t len = piece(opts, &random, n - at);
        const int32_t status = opts->tokens
                                   ? lfm2_chat_parser_push(parser, ids->data + at, len)
                                   : lfm2_chat_parser_push_text(parser, text->data + at, len);
        code = status == LFM2_OK ? take_events(opts, parser) : fail_library();
        at += len;
    }
    if (code == EXIT_OK && lfm2_chat_parser_finish(parser) != LFM2_OK) {
        code = fail_library();
    }
    return code == EXIT_OK ? take_events(opts, parser) : code;
}

/* Where `word` first occurs; the length of the text if it does not. */
static size_t find(const text_buffer *text, const char *word)
{
    const size_t n = strlen(word);
    for (size_t at = 0; at + n <= text->len; at++) {
        if (memcmp(text->data + at, word, n) == 0) {
            return at;
        }
    }
    return text->len;
}

static int is_opened(const parse_options *opts, const lfm2_model *model, const text_buffer *text,
                     bool *out)
{
    lfm2_chat_info info = {.size = sizeof info};
    *out = opts->opened == OPENED_ON ||
           (opts->opened == OPENED_AUTO && find(text, "</think>") < find(text, "<think>"));
    if (*out || opts->opened != OPENED_AUTO) {
        return EXIT_OK;
    }
    if (lfm2_chat_get_info(model, NULL, &info) != LFM2_OK) {
        return fail_library();
    }
    *out = info.opens_reasoning != 0;
    return EXIT_OK;
}

/* ---- The command ---- */

static int print_message(const lfm2_chat_parser *parser)
{
    text_buffer message = {0};
    size_t len = 0;
    lfm2_chat_parser_message(parser, NULL, 0, &len);
    int code = text_reserve(&message, len);
    if (code == EXIT_OK && lfm2_chat_parser_message(parser, message.data, len, &len) != LFM2_OK) {
        code = fail_library();
    }
    if (code == EXIT_OK) {
        out_write(message.data, len);
        out_printf("\n");
    }
    text_free(&message);
    return code;
}

static int parse(const parse_options *opts, lfm2_model *model, const text_buffer *text,
                 const text_buffer *tools)
{
    lfm2_chat_parser_options o;
    lfm2_chat_parser *parser = NULL;
    id_list ids = {0};
    bool opened = false;
    lfm2_chat_parser_options_init(&o, sizeof o);
    o.tools = opts->tools != NULL ? tools->data : NULL;
    o.tools_len = opts->tools != NULL ? tools->len : 0;
    int code = is_opened(opts, model, text, &opened);
    o.flags = opened ? LFM2_CHAT_PARSE_REASONING : 0U;
    o.max_bytes = INPUT_LIMIT;
    if (code == EXIT_OK && opts->tokens) {
        code = ids_of_text(model, text->data, text->len, LFM2_TOKENIZE_SPECIAL, &ids);
    }
    if (code == EXIT_OK && lfm2_chat_parser_create(model, &o, &parser) != LFM2_OK) {
        code = fail_library();
    }
    if (code == EXIT_OK) {
        code = push_all(opts, parser, text, &ids);
    }
    if (code == EXIT_OK && !opts->events) {
        code = print_message(parser);
    }
    lfm2_chat_parser_free(parser);
    ids_free(&ids);
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    parse_options opts = {.chunks = -1};
    opt_args args = {.n = 0};
    text_buffer text = {0};
    text_buffer tools = {0};
    open_model opened = {0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code != PARSED) {
        return code;
    }
    code = text_input(self->name, NULL, opts.file,
                      "no text: give it in a file (-f FILE) or through a pipe", &text);
    if (code == EXIT_OK && opts.tools != NULL) {
        code = text_read_tools(opts.tools, &tools);
    }
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_TOKENIZER, &opened);
    }
    if (code == EXIT_OK) {
        code = parse(&opts, opened.model, &text, &tools);
    }
    text_free(&text);
    text_free(&tools);
    model_close(&opened);
    return code;
}

const command cmd_parse = {
    .name = "parse",
    .summary = "Divide a model's text into content, reasoning and tool calls.",
    .synopsis = "[MODEL | -m PATH] [-f FILE] [--tools FILE] [OPTION]...",
    .details = "Prints the message in OpenAI's format as a JSON object. Text that is no call stays "
               "content. The weights of the model are not loaded.\n\n"
               "Example: lfm2 parse -f answer.txt --tools tools.json",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
