/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 render: shows a conversation as the model sees it. */
#include "cli/commands.h"
#include "cli/options/model_options.h"
#include "cli/support/chat_format.h"
#include "cli/support/messages.h"

#include <unistd.h>

typedef struct render_options {
    model_options model;
    template_options chat_template;
    const char *file, *tools;
    bool ids, no_generation_prompt;
} render_options;

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .letter = 'f',
     .name = "file",
     .aliases = "--messages",
     .arg = "FILE",
     .help = "file with a JSON array of messages, or an object with \"messages\" and maybe "
             "\"tools\"; - = standard input",
     .default_text = "standard input unless it is a terminal",
     .offset = offsetof(render_options, file)},
    {.type = OPT_TEXT,
     .name = "tools",
     .arg = "FILE",
     .help = "file with a JSON array of the tools that the model can call",
     .offset = offsetof(render_options, tools)},
    {.type = OPT_FLAG,
     .name = "no-generation-prompt",
     .help = "end after the last message, without the opening of an answer",
     .offset = offsetof(render_options, no_generation_prompt)},
    {.type = OPT_FLAG,
     .name = "ids",
     .help = "print the token ids on one line, comma-separated",
     .offset = offsetof(render_options, ids)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Conversation", specs, 0, NULL},
    TEMPLATE_GROUP(render_options, chat_template),
    MODEL_FILE_GROUP(render_options, model),
    MODEL_MERGES_GROUP(render_options, model),
};

static int print(const render_options *opts, const chat_format *format, const text_buffer *messages)
{
    uint32_t flags = opts->no_generation_prompt ? 0U : LFM2_CHAT_GENERATION_PROMPT;
    text_buffer text = {0};
    id_list ids = {0};
    int32_t status = opts->ids ? chat_format_ids(format, messages, flags, &ids)
                               : chat_format_text(format, messages, flags, &text);
    int code = status == LFM2_OK ? EXIT_OK : fail_library();
    if (code == EXIT_OK && opts->ids) {
        ids_print(&ids);
    } else if (code == EXIT_OK) {
        out_model_text(text.data, text.len);
    }
    text_free(&text);
    ids_free(&ids);
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    render_options opts = {.file = NULL};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code != PARSED) {
        return code;
    }
    if (opts.file == NULL && isatty(STDIN_FILENO)) {
        return fail_usage(self->name,
                          "no messages: give them in a file (-f FILE) or through a pipe");
    }
    text_buffer messages = {0};
    text_buffer tools = {0};
    open_model opened = {0};
    chat_format format = {0};
    code = messages_read(opts.file != NULL ? opts.file : "-", &messages, &tools);
    if (code == EXIT_OK) {
        code = messages_read_tools(opts.tools, &tools);
    }
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_TOKENIZER, &opened);
    }
    if (code == EXIT_OK) {
        code = chat_format_open(&opts.chat_template, &tools, &opened, opts.model.verbose, &format);
    }
    if (code == EXIT_OK) {
        code = print(&opts, &format, &messages);
    }
    chat_format_close(&format);
    text_free(&messages);
    text_free(&tools);
    model_close(&opened);
    return code;
}

const command cmd_render = {
    .name = "render",
    .also = "template apply-template",
    .summary = "Show a conversation as the model sees it.",
    .synopsis = "[MODEL | -m PATH] [-f FILE] [OPTION]...",
    .details =
        "Applies the chat template to messages in OpenAI's format and prints the text byte for "
        "byte, or the token ids. The exit code is 1 if the template refuses the "
        "conversation. The weights of the model are not loaded.\n\n"
        "Example: echo '[{\"role\": \"user\", \"content\": \"Hello!\"}]' | lfm2 render --ids",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
