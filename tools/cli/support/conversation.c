/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a conversation and the session that contains its tokens. */
#include "cli/support/conversation.h"
#include "cli/support/messages.h"
#include "cli/support/token_match.h"

#include <string.h>

void turn_free(turn *t)
{
    ids_free(&t->ids);
}

/* Replaces the sampler: the new one has accepted no tokens. */
static int renew_sampler(conversation *c, uint64_t seed)
{
    sampler_options sampling = *c->sampling;
    lfm2_sampler *sampler = NULL;
    sampling.seed = seed;
    int code = sampler_open(&sampling, c->format->model, &sampler);
    if (code == EXIT_OK) {
        lfm2_sampler_free(c->sampler);
        c->sampler = sampler;
    }
    return code;
}

int conversation_reset(conversation *c)
{
    c->messages.len = 0;
    c->held.n = 0;
    c->sampled.len = 0;
    c->n_turns = 0;
    int code = lfm2_session_reset(c->session) == LFM2_OK ? EXIT_OK : fail_library();
    return code == EXIT_OK ? renew_sampler(c, c->sampling->seed) : code;
}

void conversation_free(conversation *c)
{
    text_free(&c->messages);
    ids_free(&c->held);
    text_free(&c->sampled);
}

/* ---- Asking --------------------------------------------------------------------------------- */

void conversation_withdraw(conversation *c, size_t messages_len)
{
    c->messages.len = messages_len;
}

int conversation_ask(conversation *c, const char *text, size_t len, turn *out)
{
    const size_t before = c->messages.len;
    text_buffer all = {0};
    *out = (turn){.keep = 0};
    int code = messages_add(&c->messages, "user", text, len, NULL);
    if (code == EXIT_OK) {
        code = messages_close(&c->messages, &all);
    }
    if (code == EXIT_OK &&
        chat_format_ids(c->format, &all, LFM2_CHAT_GENERATION_PROMPT, &out->ids) != LFM2_OK) {
        code = fail_library();
    }
    out->n_rendered = out->ids.n;
    if (code == EXIT_OK) {
        code = chat_format_complete(c->format, c->reasoning, &out->ids, &out->open);
    }
    if (code == EXIT_OK) {
        code = token_match(c->format->model, &c->held, c->sampled.data, &out->ids, &out->keep,
                           &out->from);
    }
    if (code != EXIT_OK) {
        conversation_withdraw(c, before);
    }
    text_free(&all);
    return code;
}

/* ---- Answering ------------------------------------------------------------------------------ */

/* Removes all but the first `keep` tokens from the session, or more: those that are then missing
 * must be appended again. The sampler forgets them, too. Its generator continues with a seed that
 * depends on the turn, so that the answers do not repeat their random choices. */
static int go_back(conversation *c, size_t keep)
{
    if (keep == c->held.n) {
        return EXIT_OK;
    }
    int code = renew_sampler(c, c->sampling->seed ^ c->n_turns * 0x9e3779b97f4a7c15U);
    if (code == EXIT_OK && lfm2_session_reset(c->session) != LFM2_OK) {
        code = fail_library();
    }
    return code;
}

static int hold(conversation *c, const int32_t *ids, size_t n, bool sampled)
{
    const char mark = sampled ? 1 : 0;
    int code = ids_append(&c->held, ids, n);
    for (size_t i = 0; i < n && code == EXIT_OK; i++) {
        code = text_append(&c->sampled, &mark, 1);
    }
    return code;
}

/* Makes c->held the tokens of the session and, before it is computed, those of the prompt. */
static int hold_prompt(conversation *c, const turn *t)
{
    size_t n = t->n_rendered > t->from ? t->n_rendered - t->from : 0;
    c->held.n = t->keep;
    c->sampled.len = t->keep;
    int code = hold(c, t->ids.data + t->from, n, false);
    return code == EXIT_OK ? hold(c, t->ids.data + t->from + n, t->ids.n - t->from - n, true)
                           : code;
}

typedef struct channels {
    text_buffer text[2]; /* of each answer_channel */
    bool reasoned;
    int code;
} channels;

static void on_channel(void *user, answer_channel channel, const char *text, size_t len)
{
    channels *out = user;
    out->reasoned = out->reasoned || channel == ANSWER_REASONING;
    if (out->code == EXIT_OK) {
        out->code = text_append(&out->text[channel], text, len);
    }
}

/* Adds the answer to the messages. Its text has the names of control tokens, and it is divided
 * where the template writes the reasoning again; else the markers stay in the content. */
static int add_answer(conversation *c, const answer *a, const open_reasoning *open)
{
    const lfm2_chat_info *info = &c->format->info;
    channels out = {.reasoned = false};
    reasoning_splitter splitter;
    on_channel(&out, ANSWER_CONTENT, "", 0);
    if (c->format->keeps_reasoning) {
        reasoning_begin(&splitter, info->reasoning_start_id, info->reasoning_end_id, open->len > 0,
                        on_channel, &out);
    } else {
        on_channel(&out, ANSWER_CONTENT, open->text, open->len);
    }
    for (size_t i = 0; i < a->ids.n; i++) {
        const char *text = "";
        size_t len = 0;
        lfm2_token_get(c->format->model, a->ids.data[i], &text, &len, NULL);
        if (c->format->keeps_reasoning) {
            reasoning_push(&splitter, a->ids.data[i], text, len);
        } else {
            on_channel(&out, ANSWER_CONTENT, text, len);
        }
    }
    if (c->format->keeps_reasoning) {
        reasoning_end(&splitter);
    }
    const text_buffer *content = &out.text[ANSWER_CONTENT];
    if (out.code == EXIT_OK) {
        out.code = messages_add(&c->messages, "assistant", content->data, content->len,
                                out.reasoned ? &out.text[ANSWER_REASONING] : NULL);
    }
    text_free(&out.text[ANSWER_CONTENT]);
    text_free(&out.text[ANSWER_REASONING]);
    return out.code;
}

int conversation_answer(conversation *c, const turn *t, answer *a)
{
    int code = go_back(c, t->keep);
    uint32_t length = lfm2_session_length(c->session);
    if (code == EXIT_OK) {
        code = hold_prompt(c, t);
    }
    if (code == EXIT_OK) {
        const id_list missing = {.data = c->held.data + length, .n = c->held.n - length};
        a->format = c->format;
        a->session = c->session;
        a->sampler = c->sampler;
        a->budget = c->reasoning->budget;
        a->open = t->open;
        code = answer_generate(a, &missing);
    }
    if (code == EXIT_OK) {
        code = hold(c, a->ids.data, a->ids.n, true);
    }
    if (code == EXIT_OK && a->result.stop_id >= 0) {
        code = hold(c, &a->result.stop_id, 1, true);
    }
    length = lfm2_session_length(c->session);
    c->held.n = length < c->held.n ? length : c->held.n;
    c->sampled.len = c->held.n;
    c->n_turns++;
    return code == EXIT_OK ? add_answer(c, a, &t->open) : code;
}
