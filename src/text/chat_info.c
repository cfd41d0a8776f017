/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out what a template does, by rendering short conversations. */
#include "text/chat.h"

#include <string.h>

/* Words that no template contains. */
#define SYSTEM "Qzsystem"
#define USER   "Qzuser"
#define TOOL   "Qztool"
#define CALL   "Qzcall"

#define USER_MESSAGE "{\"role\": \"user\", \"content\": \"" USER "\"}"

static const char plain[] = "[" USER_MESSAGE "]";
static const char with_system[] =
    "[{\"role\": \"system\", \"content\": \"" SYSTEM "\"}, " USER_MESSAGE "]";
static const char with_parts[] =
    "[{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"" USER "\"}]}]";
static const char with_calls[] =
    "[" USER_MESSAGE ", {\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{\"id\": "
    "\"call00001\", \"type\": \"function\", \"function\": {\"name\": \"" CALL
    "\", \"arguments\": {\"a\": \"b\"}}}]}, {\"role\": \"tool\", \"name\": \"" CALL
    "\", \"tool_call_id\": \"call00001\", \"content\": \"c\"}]";
static const char one_tool[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"" TOOL
    "\", \"description\": \"d\", \"parameters\": {\"type\": \"object\", \"properties\": {\"a\": "
    "{\"type\": \"string\", \"description\": \"e\"}}, \"required\": [\"a\"]}}}]";

static const char *const reasoning_args[] = {"enable_thinking", "thinking"};

/* The length of the text after the last `word`, or SIZE_MAX without one. */
static size_t after_last(const char *text, size_t len, const char *word)
{
    size_t n = strlen(word);
    for (size_t at = len + 1; at-- > n;) {
        if (memcmp(text + at - n, word, n) == 0) {
            return len - at;
        }
    }
    return SIZE_MAX;
}

/* One conversation; *worked is false if the template refuses it. */
typedef struct probe {
    const lf_alloc *alloc;
    lf_chat_request request;
    lfm2_chat_options options;
} probe;

static int32_t render(probe *p, const char *messages, lf_chat *out, bool *worked)
{
    lf_failure before;
    p->request.messages = messages;
    p->request.messages_len = strlen(messages);
    p->request.options = &p->options;
    lf_fail_save(&before);
    int32_t status = lf_chat_build(p->alloc, &p->request, out);
    *worked = status == LFM2_OK;
    /* An error in tools or arguments, no memory, and a template without bounds end the search. */
    if (status == LFM2_OK || status == LFM2_E_MEMORY || status == LFM2_E_LIMIT ||
        strncmp(lf_fail_code(), "template.", strlen("template.")) != 0) {
        return status;
    }
    lf_fail_restore(&before);
    return LFM2_OK;
}

/* Whether the text of the conversation contains `word`. */
static int32_t contains(probe *p, const char *messages, const char *word, uint32_t *out)
{
    lf_chat chat;
    bool worked = false;
    int32_t status = render(p, messages, &chat, &worked);
    *out = status == LFM2_OK && worked && after_last(chat.text, chat.len, word) != SIZE_MAX;
    lf_chat_free(&chat);
    return status;
}

/* Whether the text with a generation prompt has an open <think> after the last message. */
static int32_t opens_reasoning(probe *p, uint32_t *out)
{
    lf_chat chat;
    bool worked = false;
    p->options.flags = LFM2_CHAT_GENERATION_PROMPT;
    int32_t status = render(p, plain, &chat, &worked);
    *out = 0;
    if (status == LFM2_OK && worked) {
        size_t rest = after_last(chat.text, chat.len, USER);
        const char *text = chat.text + chat.len - (rest != SIZE_MAX ? rest : 0);
        size_t len = rest != SIZE_MAX ? rest : 0;
        size_t open = after_last(text, len, "<think>");
        size_t close = after_last(text, len, "</think>");
        *out = open != SIZE_MAX && (close == SIZE_MAX || close > open);
    }
    lf_chat_free(&chat);
    return status;
}

/* Compares the texts of `plain` and `other`. The variable `arg`, unless it is NULL, is true for the
 * former and false for the latter. *both is false if the template refuses one of them. */
static int32_t compare(probe *p, const char *other, const char *arg, bool *both, bool *equal)
{
    lf_chat a;
    lf_chat b = {.text = ""};
    bool worked[2] = {false, false};
    lf_arena_init(&b.arena, p->alloc);
    p->options.flags = LFM2_CHAT_GENERATION_PROMPT;
    p->request.arg = arg;
    p->request.arg_value = true;
    int32_t status = render(p, plain, &a, &worked[0]);
    p->request.arg_value = false;
    if (status == LFM2_OK) {
        status = render(p, other, &b, &worked[1]);
    }
    p->request.arg = NULL;
    *both = worked[0] && worked[1];
    *equal = a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
    lf_chat_free(&a);
    lf_chat_free(&b);
    return status;
}

int32_t lf_chat_features(const lf_alloc *alloc, const lf_chat_request *request,
                         lfm2_chat_info *info)
{
    static const lf_template_time now = {2026, 1, 1, 12, 0, 0};
    probe p = {.alloc = alloc, .request = *request, .options = *request->options};
    bool both = false;
    bool equal = false;
    p.request.now = &now;
    p.request.once = true;
    p.options.flags = 0;
    LF_TRY(contains(&p, with_system, SYSTEM, &info->system));
    LF_TRY(contains(&p, with_calls, CALL, &info->tool_calls));
    LF_TRY(opens_reasoning(&p, &info->opens_reasoning));
    LF_TRY(compare(&p, with_parts, NULL, &both, &equal));
    info->parts = both && equal;
    info->reasoning_arg = "";
    for (size_t i = 0; i < 2 && info->reasoning_arg[0] == '\0'; i++) {
        LF_TRY(compare(&p, plain, reasoning_args[i], &both, &equal));
        info->reasoning_arg = both && !equal ? reasoning_args[i] : "";
    }
    p.options.flags = 0;
    p.options.tools = one_tool;
    p.options.tools_len = sizeof one_tool - 1;
    return contains(&p, plain, TOOL, &info->tools);
}
