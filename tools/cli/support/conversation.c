/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a conversation and the session that contains its tokens. */
#include "cli/support/conversation.h"
#include "cli/support/answer_calls.h"
#include "cli/support/interrupt.h"
#include "cli/support/token_match.h"

#include <string.h>

void turn_free(turn *t)
{
    ids_free(&t->ids);
}

size_t turn_again(const turn *t)
{
    return t->keep > t->cut && t->n_cut > 0 ? t->keep - t->cut : 0;
}

int conversation_reset(conversation *c)
{
    message_list_remove(&c->messages, message_list_head(&c->messages), c->messages.n);
    c->held.n = 0;
    c->sampled.len = 0;
    c->n_turns = 0;
    c->last = (lfm2_generate_result){.size = sizeof c->last};
    return lfm2_session_reset(c->session) == LFM2_OK ? EXIT_OK : fail_library();
}

void conversation_free(conversation *c)
{
    lfm2_sampler_free(c->sampler);
    lfm2_session_free(c->session);
    message_list_free(&c->messages);
    text_free(&c->tools);
    ids_free(&c->held);
    text_free(&c->sampled);
}

int conversation_fork(const conversation *c, conversation *out)
{
    *out = *c;
    out->session = NULL;
    out->sampler = NULL;
    out->messages = (message_list){0};
    out->tools = out->sampled = (text_buffer){0};
    out->held = (id_list){0};
    int code = message_list_add_list(&out->messages, &c->messages, 0, c->messages.n);
    code = code == EXIT_OK ? text_append(&out->tools, c->tools.data, c->tools.len) : code;
    code = code == EXIT_OK ? ids_append(&out->held, c->held.data, c->held.n) : code;
    code = code == EXIT_OK ? text_append(&out->sampled, c->sampled.data, c->sampled.len) : code;
    if (code == EXIT_OK && lfm2_session_fork(c->session, &out->session) != LFM2_OK) {
        code = fail_library();
    }
    if (code != EXIT_OK) {
        conversation_free(out);
        *out = (conversation){.format = NULL};
    }
    return code;
}

/* ---- Asking --------------------------------------------------------------------------------- */

/* Renders all messages but [begin, end). */
static int render(const conversation *c, size_t begin, size_t end, uint32_t flags, id_list *ids)
{
    text_buffer all = {0};
    const text_buffer *before = c->format->tools;
    ids->n = 0;
    c->format->tools = &c->tools;
    int code = message_list_array(&c->messages, begin, end, &all);
    if (code == EXIT_OK && chat_format_ids(c->format, &all, flags, ids) != LFM2_OK) {
        code = fail_library();
    }
    c->format->tools = before;
    text_free(&all);
    return code;
}

int conversation_count(const conversation *c, size_t *n)
{
    id_list ids = {0};
    int code = render(c, 0, 0, 0, &ids);
    *n = ids.n;
    ids_free(&ids);
    return code;
}

/* Renders the prompt without the messages [begin, end). */
static int render_prompt(const conversation *c, size_t begin, size_t end, turn *t)
{
    int code = render(c, begin, end, LFM2_CHAT_GENERATION_PROMPT, &t->ids);
    t->n_rendered = t->ids.n;
    return code == EXIT_OK ? chat_format_complete(c->format, c->reasoning, &t->ids, &t->open)
                           : code;
}

/* Compares the first `n` ids of a prompt with the tokens of the session. */
static int match(const conversation *c, const id_list *ids, size_t n, size_t *keep, size_t *from)
{
    const id_list first = {.data = ids->data, .n = n};
    return token_match(c->format->model, &c->held, c->sampled.data, &first, keep, from);
}

/* Finds the tokens of the session that a prompt has no longer: those of `all` minus those of
 * t->ids. There are none to cut if the template changed anything else, or the session contains
 * other tokens. */
static int find_cut(const conversation *c, const id_list *all, turn *t)
{
    const id_list *ids = &t->ids;
    size_t n = 0; /* ids before the removed ones */
    size_t begin = 0;
    size_t end = 0;
    size_t from_begin = 0;
    size_t from_end = 0;
    if (all->n <= ids->n) {
        return EXIT_OK;
    }
    const size_t removed = all->n - ids->n;
    while (n < ids->n && ids->data[n] == all->data[n]) {
        n++;
    }
    if (memcmp(all->data + n + removed, ids->data + n, (ids->n - n) * sizeof *ids->data) != 0) {
        return EXIT_OK;
    }
    int code = match(c, all, n, &begin, &from_begin);
    if (code == EXIT_OK) {
        code = match(c, all, n + removed, &end, &from_end);
    }
    if (code == EXIT_OK && from_begin == n && from_end == n + removed) {
        t->cut = begin;
        t->n_cut = end - begin;
    }
    return code;
}

/* Finds what the turn keeps of the session, without the tokens that it cuts. At least one token of
 * the prompt is computed: its logits choose the first one of the answer. */
static int find_kept(const conversation *c, turn *t)
{
    const size_t n = t->ids.n > 0 ? t->ids.n - 1 : 0;
    if (t->n_cut == 0) {
        return match(c, &t->ids, n, &t->keep, &t->from);
    }
    const id_list first = {.data = t->ids.data, .n = n};
    const size_t after = t->cut + t->n_cut;
    id_list held = {0};
    text_buffer sampled = {0};
    int code = ids_append(&held, c->held.data, t->cut);
    code = code == EXIT_OK ? ids_append(&held, c->held.data + after, c->held.n - after) : code;
    code = code == EXIT_OK ? text_append(&sampled, c->sampled.data, t->cut) : code;
    code = code == EXIT_OK ? text_append(&sampled, c->sampled.data + after, c->sampled.len - after)
                           : code;
    if (code == EXIT_OK) {
        code = token_match(c->format->model, &held, sampled.data, &first, &t->keep, &t->from);
    }
    ids_free(&held);
    text_free(&sampled);
    return code;
}

bool conversation_fits(const conversation *c, const turn *t, size_t *needed, size_t *space)
{
    *needed = t->ids.n - t->from;
    *space = lfm2_session_capacity(c->session) - t->keep;
    return *needed < *space;
}

/* Whether the prompt leaves `space` tokens for the answer. */
static bool leaves(const conversation *c, size_t n_prompt, uint32_t space)
{
    uint32_t capacity = lfm2_session_capacity(c->session);
    return n_prompt < capacity && capacity - n_prompt >= space;
}

/* The end of the first n turns, which begin at `head`, behind the messages of the system. */
static size_t end_of_turns(const conversation *c, size_t head, uint32_t n)
{
    size_t at = head;
    for (uint32_t i = 0; i < n; i++) {
        at = message_list_next_user(&c->messages, message_list_next_user(&c->messages, at) + 1);
    }
    return at;
}

/* Renders the prompt without the first n turns. `all` is the prompt with them. */
static int drop_turns(const conversation *c, const id_list *all, uint32_t n, turn *t)
{
    const size_t head = message_list_head(&c->messages);
    const size_t end = end_of_turns(c, head, n);
    t->n_dropped = end - head;
    t->n_turns_dropped = n;
    t->cut = t->n_cut = 0;
    int code = render_prompt(c, head, end, t);
    code = code == EXIT_OK ? find_cut(c, all, t) : code;
    return code == EXIT_OK ? find_kept(c, t) : code;
}

/* Drops the fewest of the oldest turns that make the space of the rule, or all but the last one. If
 * even that one does not fit, the caller reports it. */
static int drop_oldest(const conversation *c, const drop_rule *rule, turn *t)
{
    id_list all = {0};
    int code = ids_append(&all, t->ids.data, t->ids.n);
    uint32_t least = 1; /* this many turns or more */
    uint32_t most = message_list_turns(&c->messages) - 1;
    while (code == EXIT_OK && least < most) {
        uint32_t middle = least + (most - least) / 2;
        code = render_prompt(c, message_list_head(&c->messages),
                             end_of_turns(c, message_list_head(&c->messages), middle), t);
        if (leaves(c, t->ids.n, rule->made)) {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    /* The tokens of an answer in the session may be more than those of its text. */
    most = message_list_turns(&c->messages) - 1;
    for (uint32_t n = least; code == EXIT_OK; n++) {
        code = drop_turns(c, &all, n, t);
        if (n >= most || leaves(c, t->keep + t->ids.n - t->from, rule->made)) {
            break;
        }
    }
    ids_free(&all);
    return code;
}

int conversation_prompt(const conversation *c, const drop_rule *rule, turn *out)
{
    *out = (turn){.keep = 0};
    int code = render_prompt(c, 0, 0, out);
    code = code == EXIT_OK ? find_kept(c, out) : code;
    if (code == EXIT_OK && rule->allowed && message_list_turns(&c->messages) > 1 &&
        !leaves(c, out->keep + out->ids.n - out->from, rule->needed)) {
        code = drop_oldest(c, rule, out);
    }
    return code;
}

/* ---- Answering ------------------------------------------------------------------------------ */

/* Removes all but the first `keep` tokens from the session. */
static int rewind_session(conversation *c, size_t keep)
{
    int32_t status = lfm2_session_rewind(c->session, (uint32_t)keep);
    if (status == LFM2_E_CANCELLED) {
        status = lfm2_session_rewind(c->session, (uint32_t)keep);
        if (status == LFM2_OK && interrupt_seen()) {
            lfm2_session_cancel(c->session); /* the answer that follows */
        }
    }
    return status == LFM2_OK ? EXIT_OK : fail_library();
}

/* Creates the sampler of a turn, which accepts the first `keep` tokens. Its seed depends on the
 * number of the turn, so that answers do not repeat their random choices, and on nothing else, so
 * that a conversation that was saved continues with those that it would have made. */
static int renew_sampler(conversation *c, size_t keep)
{
    sampler_options sampling = *c->sampling;
    lfm2_sampler *sampler = NULL;
    sampling.seed = c->seed ^ c->n_turns * 0x9e3779b97f4a7c15U;
    int code = sampler_open(&sampling, c->format->model, &sampler);
    if (code == EXIT_OK) {
        lfm2_sampler_free(c->sampler);
        c->sampler = sampler;
    }
    for (size_t i = 0; i < keep && code == EXIT_OK; i++) {
        code =
            lfm2_sampler_accept(c->sampler, c->held.data[i]) == LFM2_OK ? EXIT_OK : fail_library();
    }
    return code;
}

/* Removes all but the first `keep` tokens, which are those of the next prompt. */
static int go_back(conversation *c, size_t keep)
{
    const size_t length = lfm2_session_length(c->session);
    keep = keep < length ? keep : length;
    int code = renew_sampler(c, keep);
    return code == EXIT_OK && keep < length ? rewind_session(c, keep) : code;
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

/* Forgets the tokens that the turn cuts. */
static void cut_held(conversation *c, const turn *t)
{
    const size_t after = t->cut + t->n_cut;
    if (t->n_cut > 0) {
        memmove(c->held.data + t->cut, c->held.data + after,
                (c->held.n - after) * sizeof *c->held.data);
        memmove(c->sampled.data + t->cut, c->sampled.data + after, c->sampled.len - after);
        c->held.n -= t->n_cut;
        c->sampled.len -= t->n_cut;
    }
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

/* Copies the tokens of the answer that the turn replaces, without those that the prompt opens. It
 * follows the same prompt, or the next part of the session that is not an answer. */
static int find_replaced(const conversation *c, const turn *t, id_list *out)
{
    const id_list *held = &c->held;
    size_t begin = t->keep;
    size_t at = t->from;
    for (; at < t->ids.n && begin < held->n && held->data[begin] == t->ids.data[at]; at++) {
        begin++;
    }
    if (at < t->ids.n) {
        while (begin < held->n && c->sampled.data[begin] == 0) {
            begin++;
        }
        at = t->n_rendered;
        for (; at < t->ids.n && begin < held->n && held->data[begin] == t->ids.data[at]; at++) {
            begin++;
        }
    }
    size_t end = begin;
    while (end < held->n && c->sampled.data[end] != 0) {
        end++;
    }
    return ids_append(out, held->data + begin, end - begin);
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

/* Adds an answer with calls to the messages, if the template writes all that it has: calls, and
 * the reasoning if there is any. *added: it was added. */
static int add_answer_with_calls(conversation *c, const answer *a, bool *added)
{
    text_buffer array = {0};
    *added = false;
    if (c->format->info.tool_calls == 0 || (a->reasoned && !c->format->keeps_reasoning)) {
        return EXIT_OK;
    }
    int code = EXIT_OK;
    if (answer_n_calls(a) > 0) {
        code = text_append(&array, "[", 1);
        code = code == EXIT_OK ? answer_calls_message(a, &array) : code;
        code = code == EXIT_OK ? text_append(&array, "]", 1) : code;
        code = code == EXIT_OK ? message_list_add_array(&c->messages, &array) : code;
        *added = code == EXIT_OK;
    }
    text_free(&array);
    return code;
}

/* Adds the answer to the messages. Its text has the names of control tokens, and it is divided
 * where the template writes the reasoning again; else the markers stay in the content. */
static int add_answer(conversation *c, const answer *a, const open_reasoning *open)
{
    const lfm2_chat_info *info = &c->format->info;
    channels out = {.reasoned = false};
    reasoning_splitter splitter;
    bool added = false;
    int code = add_answer_with_calls(c, a, &added);
    if (code != EXIT_OK || added) {
        return code;
    }
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
        out.code = message_list_add(&c->messages, "assistant", content->data, content->len,
                                    out.reasoned ? &out.text[ANSWER_REASONING] : NULL);
    }
    text_free(&out.text[ANSWER_CONTENT]);
    text_free(&out.text[ANSWER_REASONING]);
    return out.code;
}

/* Generates the answer, after the session was rewound. */
static int generate(conversation *c, const turn *t, answer *a)
{
    id_list draft = {0};
    const size_t length = lfm2_session_length(c->session);
    char prefix[32] = "";
    const bool expects = t->replaces && (a->options.flags & LFM2_GENERATE_DRAFT) != 0;
    cut_held(c, t);
    int code = expects ? find_replaced(c, t, &draft) : EXIT_OK;
    code = code == EXIT_OK ? hold_prompt(c, t) : code;
    if (code == EXIT_OK) {
        const id_list missing = {.data = c->held.data + length, .n = c->held.n - length};
        a->format = c->format;
        a->session = c->session;
        a->sampler = c->sampler;
        a->budget = c->reasoning->budget;
        a->open = t->open;
        append_format(prefix, sizeof prefix, 0, "call_%u_", c->n_turns + 1);
        a->call_prefix = prefix;
        a->options.draft_ids = draft.data;
        a->options.n_draft_ids = draft.n;
        code = answer_generate(a, &missing);
        a->call_prefix = NULL;
        a->options.draft_ids = NULL;
        a->options.n_draft_ids = 0;
    }
    ids_free(&draft);
    return code;
}

int conversation_answer(conversation *c, const turn *t, answer *a)
{
    const size_t head = message_list_head(&c->messages);
    int code = go_back(c, t->n_cut > 0 && t->cut < t->keep ? t->cut : t->keep);
    message_list_remove(&c->messages, head, head + t->n_dropped);
    uint32_t length = lfm2_session_length(c->session);
    c->last_reused = length;
    if (code == EXIT_OK) {
        code = generate(c, t, a);
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
    if (code == EXIT_OK) {
        c->last = a->result;
        c->last_reasoning = a->n_reasoning;
        code = add_answer(c, a, &t->open);
    }
    return code;
}
