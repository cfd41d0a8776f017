/* SPDX-License-Identifier: Apache-2.0 */
/* Puts exact tokens of earlier answers into a conversation. Where the template writes an answer is
 * found by rendering the conversation once more, with a random word in the place of its content
 * and one in the place of its reasoning, and without its calls. */
#include "serve/prompt.h"
#include "serve/state.h"

#include <string.h>

enum { MAX_REPLAYED = 512, MARK_LETTERS = 20, MARK_IDS = 2 * MARK_LETTERS };

typedef struct mark {
    char text[MARK_LETTERS + 1];
    int32_t ids[MARK_IDS];
    size_t n;
} mark;

typedef struct replayed {
    const lf_json *message;
    const int32_t *ids; /* of the replay; valid as long as nothing is stored */
    size_t n;
    bool reasoning;
    mark content, thought;
} replayed;

/* A word that no text contains. Returns false if its tokens cannot be found. */
static bool make_mark(api *a, mark *m)
{
    for (int i = 0; i < MARK_LETTERS; i++) {
        m->text[i] = (char)('a' + api_random_u64(a) % 26);
    }
    m->text[MARK_LETTERS] = '\0';
    return lfm2_tokenize(a->model, m->text, MARK_LETTERS, 0, m->ids, MARK_IDS, &m->n) == LFM2_OK;
}

static bool has_calls(const lf_json *message)
{
    return lf_json_is_string(lf_json_get(message, "role"), "assistant") &&
           lf_json_get(message, "tool_calls") != NULL;
}

/* The number of answers with calls, up to MAX_REPLAYED. */
static uint32_t count_answers(const lf_json *messages)
{
    uint32_t n = 0;
    for (const lf_json *m = messages->child; m != NULL && n < MAX_REPLAYED; m = m->next) {
        n += has_calls(m) ? 1 : 0;
    }
    return n;
}

/* The first `most` answers whose tokens are known. Returns their number. */
static uint32_t find_answers(api *a, const exchange *x, const lf_json *messages, uint32_t most,
                             replayed *out)
{
    uint32_t n = 0;
    for (const lf_json *m = messages->child; m != NULL && n < most; m = m->next) {
        if (!has_calls(m)) {
            continue;
        }
        replayed *r = &out[n];
        *r = (replayed){.message = m};
        r->ids = replay_find(&a->replay, x->owner, m, &r->n, &r->reasoning);
        if (r->ids != NULL && make_mark(a, &r->content) && make_mark(a, &r->thought)) {
            n++;
        }
    }
    return n;
}

static void write_marked(json_out *out, const lf_json *messages, const replayed *answers,
                         uint32_t n)
{
    uint32_t i = 0;
    out_array(out, NULL);
    for (const lf_json *m = messages->child; m != NULL; m = m->next) {
        if (i == n || answers[i].message != m) {
            out_value(out, NULL, m);
            continue;
        }
        out_object(out, NULL);
        out_string(out, "role", "assistant");
        if (answers[i].reasoning) {
            out_string(out, "reasoning_content", answers[i].thought.text);
        }
        out_string(out, "content", answers[i].content.text);
        out_end_object(out);
        i++;
    }
    out_end_array(out);
}

/* The place of `what` in list[from, to); `to` if it is not there. */
static size_t find_ids(const int32_t *list, size_t from, size_t to, const int32_t *what, size_t n)
{
    for (size_t i = from; n > 0 && n <= to && i <= to - n; i++) {
        if (memcmp(list + i, what, n * sizeof *what) == 0) {
            return i;
        }
    }
    return to;
}

static bool append(id_list *list, const int32_t *ids, size_t n)
{
    if (!id_list_reserve(list, list->n + n)) {
        return false;
    }
    memcpy(list->ids + list->n, ids, n * sizeof *ids);
    list->n += n;
    return true;
}

/* Appends marked[*at ...] up to the answer, which begins at *begin, and the answer's tokens. *at is
 * then behind it. */
static bool splice(const api *a, const replayed *r, const id_list *marked, size_t *at,
                   size_t *begin, id_list *out)
{
    *begin = find_ids(marked->ids, *at, marked->n, r->content.ids, r->content.n);
    size_t end = *begin + r->content.n;
    if (*begin == marked->n || end == marked->n || marked->ids[end] != r->ids[r->n - 1]) {
        return false; /* the template writes another end of the turn than the model */
    }
    const int32_t *ids = r->ids;
    size_t n = r->n;
    if (r->reasoning) {
        size_t thought = find_ids(marked->ids, *at, *begin, r->thought.ids, r->thought.n);
        size_t close = find_ids(ids, 0, n, &a->chat.reasoning_end_id, 1);
        if (thought < *begin) {
            /* The template keeps the reasoning, with its opening token before it. */
            if (thought == *at || marked->ids[thought - 1] != ids[0]) {
                return false;
            }
            *begin = thought - 1;
        } else if (close < n) {
            ids += close + 1;
            n -= close + 1;
        } else {
            return false;
        }
    }
    if (!append(out, marked->ids + *at, *begin - *at) || !append(out, ids, n)) {
        return false;
    }
    *at = end + 1;
    return true;
}

/* Whether two renderings agree before the first answer that differs and behind the last one. */
static bool same_ends(const id_list *x, const id_list *y, size_t n_first, size_t n_last)
{
    return n_first + n_last <= x->n && n_first + n_last <= y->n &&
           memcmp(x->ids, y->ids, n_first * sizeof *x->ids) == 0 &&
           memcmp(x->ids + x->n - n_last, y->ids + y->n - n_last, n_last * sizeof *x->ids) == 0;
}

static bool splice_all(const api *a, const replayed *answers, uint32_t n, const id_list *marked,
                       const id_list *rendered, id_list *out)
{
    size_t at = 0, first = 0;
    for (uint32_t i = 0; i < n; i++) {
        size_t begin = 0;
        if (!splice(a, &answers[i], marked, &at, &begin, out)) {
            return false;
        }
        first = i == 0 ? begin : first;
    }
    return append(out, marked->ids + at, marked->n - at) &&
           same_ends(marked, rendered, first, marked->n - at);
}

void prompt_replay(api *a, exchange *x, const job_request *request,
                   const lfm2_chat_options *options, id_list *ids)
{
    const lf_json *messages = NULL;
    void *memory = NULL;
    if (a->replay.oldest == NULL || ids->n > a->n_ctx ||
        lf_json_parse(x->arena, "messages", LFM2_E_TEXT, request->messages, request->messages_len,
                      &messages) != LFM2_OK) {
        return;
    }
    uint32_t most = count_answers(messages);
    if (most == 0 ||
        lf_arena_new(x->arena, most, sizeof(replayed), "answers", &memory) != LFM2_OK) {
        return;
    }
    replayed *answers = memory;
    uint32_t n = find_answers(a, x, messages, most, answers);
    json_out text = {0};
    id_list marked = {0}, out = {0};
    write_marked(&text, messages, answers, n);
    if (n > 0 && !text.failed && id_list_reserve(&marked, ids->n + 2 * n * MARK_IDS + 64) &&
        lfm2_chat_tokenize(a->model, text.text, text.len, options, marked.ids, marked.capacity,
                           &marked.n) == LFM2_OK &&
        splice_all(a, answers, n, &marked, ids, &out)) {
        id_list rendered = *ids;
        *ids = out;
        out = rendered;
    }
    json_out_free(&text);
    id_list_free(&marked);
    id_list_free(&out);
}
