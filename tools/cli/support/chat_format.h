/* SPDX-License-Identifier: Apache-2.0 */
/* How a command renders conversations: the template and everything that it reads but the messages.
 * Functions that return int return an exit code, after a message unless it is EXIT_OK. */
#ifndef LFM2_CLI_CHAT_FORMAT_H
#define LFM2_CLI_CHAT_FORMAT_H

#include "cli/options/template_options.h"
#include "cli/support/model_open.h"
#include "cli/support/token_ids.h"

typedef struct chat_format {
    lfm2_model *model;
    lfm2_chat_template *chosen; /* that of --chat-template; NULL: the model's */
    const text_buffer *tools;   /* JSON array; empty: none; another one may be set at any time */
    text_buffer args;           /* JSON object; empty: none */
    lfm2_time now;              /* the same for the whole conversation */
    lfm2_chat_info info;
    bool keeps_reasoning; /* the text of an answer contains its reasoning_content */
} chat_format;

/* Finds and compiles the template and describes it. With `verbose` a message says which one it is.
 * `tools` is used in place. */
int chat_format_open(const template_options *options, const text_buffer *tools,
                     const open_model *opened, bool verbose, chat_format *out);
void chat_format_close(chat_format *format);

/* Describes the template: "NAME from ORIGIN; ...". Returns `out`. */
const char *chat_format_describe(const lfm2_chat_info *info, char *out, size_t size);

/* Append the rendered conversation; `flags` are LFM2_CHAT_*. The int32_t is a status of the
 * library, without a message. */
int32_t chat_format_text(const chat_format *format, const text_buffer *messages, uint32_t flags,
                         text_buffer *out);
int32_t chat_format_ids(const chat_format *format, const text_buffer *messages, uint32_t flags,
                        id_list *ids);

/* ---- Reasoning in prompts ---- */

/* Makes answers come without reasoning (--reasoning off): sets the template's switch if it has one.
 * Fails if there is neither a switch nor a way to write an empty <think> block. */
int chat_format_switch_off(chat_format *format);

/* The end of a prompt that opens the reasoning: "<think>" and white space. */
typedef struct open_reasoning {
    char text[64]; /* empty: the prompt does not open it */
    size_t len;
} open_reasoning;

/* Finds it in the ids of a prompt. */
int chat_format_find_open(const chat_format *format, const id_list *prompt, open_reasoning *out);

/* Appends what ends the reasoning: a newline unless `after_newline`, "</think>", an empty line. */
int chat_format_close_reasoning(const chat_format *format, bool after_newline, id_list *ids);

/* Completes a rendered prompt for `options`: appends an empty <think> block, or ends the open
 * reasoning, if no reasoning is wanted. *open is what the complete prompt opens. */
int chat_format_complete(const chat_format *format, const reasoning_options *options,
                         id_list *prompt, open_reasoning *open);

#endif /* LFM2_CLI_CHAT_FORMAT_H */
