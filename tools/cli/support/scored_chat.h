/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the tokens of a rendered conversation that the model would have to generate. */
#ifndef LFM2_CLI_SCORED_CHAT_H
#define LFM2_CLI_SCORED_CHAT_H

#include "cli/support/chat_format.h"
#include "cli/support/json.h"

typedef struct scored_chat {
    id_list ids;         /* of the whole conversation, without an opening of another answer */
    text_buffer answers; /* for each of them 1 if it is part of an answer, else 0 */
} scored_chat;

/* Renders the conversation in `value`, an array of messages or an object with "messages" and maybe
 * "tools"; `name` names it in messages. The tokens of a message with the role assistant are those
 * after the prompt for it, up to the first end token, so far as the prompt and the message are
 * rendered in the whole conversation as they are alone. `tools` receives the tools; it must be
 * format->tools. Returns an exit code, after a message unless it is EXIT_OK. */
int scored_chat_make(const chat_format *format, const char *name, const lf_json *value,
                     text_buffer *tools, scored_chat *out);
void scored_chat_free(scored_chat *chat);

#endif /* LFM2_CLI_SCORED_CHAT_H */
