/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of answers: its memory, the search for control tokens, content and reasoning. */
#include "text/chat_parser_internal.h"

#include "common/hex.h"
#include "common/utf8.h"

#include <string.h>

/* How delimiters are spelled, and which end the turn. */
static const struct {
    const char *text;
    lf_delimiter delimiter;
} spellings[] = {
    {"<|tool_call_start|>", LF_DELIMITER_CALL_START},
    {"<|tool_call_end|>", LF_DELIMITER_CALL_END},
    {"<think>", LF_DELIMITER_THINK_START},
    {"</think>", LF_DELIMITER_THINK_END},
    {"<|im_end|>", LF_DELIMITER_TURN_END},
    {"<|endoftext|>", LF_DELIMITER_TURN_END},
};
enum { N_SPELLINGS = sizeof spellings / sizeof spellings[0] };

enum {
    ALL_DELIMITERS = (1 << LF_N_DELIMITERS) - 1,
    CALL_DELIMITERS = 1 << LF_DELIMITER_CALL_START | 1 << LF_DELIMITER_CALL_END,
    THINK_DELIMITERS = 1 << LF_DELIMITER_THINK_START | 1 << LF_DELIMITER_THINK_END
};

/* ---- Creation ---- */

static int32_t read_options(lf_chat_parser *p, const lfm2_chat_parser_options *options)
{
    const char *prefix = options->id_prefix != NULL ? options->id_prefix : "call_";
    size_t len = strlen(prefix);
    if (len > LF_PARSER_MAX_PREFIX || !lf_utf8_valid(prefix, len)) {
        return lf_fail(LFM2_E_ARGUMENT, "chat_parser.id_prefix",
                       "id_prefix is not UTF-8 or has more than %d bytes", LF_PARSER_MAX_PREFIX);
    }
    LF_TRY(lf_arena_string(&p->arena, prefix, len, &p->id_prefix));
    if (options->tools == NULL || options->tools_len == 0) {
        return LFM2_OK;
    }
    LF_TRY(lf_json_parse(&p->arena, "tools", LFM2_E_TEXT, options->tools, options->tools_len,
                         &p->tools));
    if (p->tools->kind != LF_JSON_ARRAY) {
        return lf_fail(LFM2_E_TEXT, "chat.tools", "tools: not a JSON array");
    }
    return LFM2_OK;
}

int32_t lf_chat_parser_create(const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                              const lfm2_chat_parser_options *options, lf_chat_parser **out)
{
    enum { DEFAULT_MAX_BYTES = 64 << 20 };
    void *memory = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_chat_parser), "a chat parser", &memory));
    lf_chat_parser *p = memory;
    p->alloc = *alloc;
    p->tokenizer = tokenizer;
    p->flags = options->flags;
    p->max_bytes = options->max_bytes > 0 ? options->max_bytes : DEFAULT_MAX_BYTES;
    lf_arena_init(&p->arena, &p->alloc);
    for (size_t i = 0; i < N_SPELLINGS; i++) {
        p->delimiter_ids[spellings[i].delimiter] =
            lf_tokenizer_find_added(tokenizer, spellings[i].text);
    }
    lf_chat_parser_reset(p);
    int32_t status = read_options(p, options);
    if (status != LFM2_OK) {
        lf_chat_parser_free(p);
        return status;
    }
    *out = p;
    return LFM2_OK;
}

void lf_chat_parser_reset(lf_chat_parser *p)
{
    p->status = LFM2_OK;
    p->finished = false;
    p->source.len = p->args.len = p->strings.len = p->scratch.len = 0;
    p->pos = p->scan = p->limit = 0;
    p->final = false;
    p->follow = LF_DELIMITER_NONE;
    p->reasoned = (p->flags & LFM2_CHAT_PARSE_REASONING) != 0;
    p->state = p->reasoned ? LF_STATE_REASONING : LF_STATE_CONTENT;
    p->after_reasoning = p->visible = false;
    p->line_start = true;
    p->turn_end = SIZE_MAX;
    p->last_body = (lf_slice){0, 0};
    p->failed.n = p->calls.n = p->sections.n = p->queue.n = 0;
    p->started = false;
    p->hold_at = SIZE_MAX;
    p->n_frames = 0;
    p->head = 0;
    p->n_taken = 0;
}

static void free_list(const lf_alloc *alloc, const lf_list *list, size_t item)
{
    lf_free(alloc, list->items, list->capacity, item);
}

static void free_bytes(const lf_alloc *alloc, const lf_bytes *bytes)
{
    lf_free(alloc, bytes->data, bytes->capacity, 1);
}

void lf_chat_parser_free(lf_chat_parser *p)
{
    if (p == NULL) {
        return;
    }
    lf_alloc alloc = p->alloc;
    lf_arena_free(&p->arena);
    free_bytes(&alloc, &p->source);
    free_bytes(&alloc, &p->scratch);
    free_bytes(&alloc, &p->args);
    free_bytes(&alloc, &p->strings);
    free_bytes(&alloc, &p->shown);
    free_list(&alloc, &p->failed, sizeof(lf_slice));
    free_list(&alloc, &p->calls, sizeof(lf_call));
    free_list(&alloc, &p->sections, sizeof(lf_section));
    free_list(&alloc, &p->queue, sizeof(lf_event));
    lf_free(&alloc, p, 1, sizeof *p);
}

/* ---- Characters ---- */

bool lf_parser_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool lf_parser_is_word(char c)
{
    return (unsigned char)c > ' ' && c != 0x7F && strchr("()[]{}<>'\"`=,:;", c) == NULL;
}

int lf_parser_digit(char c, unsigned base)
{
    int value = lf_hex_digit(c);
    return value >= 0 && (unsigned)value < base ? value : -1;
}

bool lf_parser_is_letter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (unsigned char)c >= 0x80;
}

bool lf_parser_skip_space(lf_chat_parser *p)
{
    while (p->pos < p->limit && lf_parser_is_space(p->source.data[p->pos])) {
        p->pos++;
    }
    return p->pos < p->limit;
}

lf_outcome lf_parser_word(lf_chat_parser *p)
{
    while (p->look < p->limit && lf_parser_is_word(p->source.data[p->look])) {
        p->look++;
    }
    if (p->look == p->limit && !p->final) {
        return LF_OUTCOME_MORE;
    }
    p->token.end = p->look;
    return LF_OUTCOME_OK;
}

/* ---- Content and reasoning ---- */

bool lf_parser_content(lf_chat_parser *p, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        char c = p->source.data[i];
        p->line_start = c == '\n' || (p->line_start && lf_parser_is_space(c));
        p->visible = p->visible || !lf_parser_is_space(c);
    }
    return lf_parser_text(p, LFM2_CHAT_EVENT_CONTENT, begin, end);
}

/* Whether calls without a start token may begin with this byte of the content. */
static bool begins_trial(const lf_chat_parser *p, char c)
{
    bool name = c == '_' || (lf_parser_is_letter(c) && (c < '0' || c > '9'));
    return c == '[' || (!p->visible && (c == '{' || name));
}

static bool run_content(lf_chat_parser *p)
{
    size_t begin = p->pos;
    while (p->pos < p->limit) {
        char c = p->source.data[p->pos];
        if (begins_trial(p, c)) {
            break;
        }
        p->pos++;
        if (!p->visible && !lf_parser_is_space(c)) {
            p->visible = true;
        }
    }
    if (!lf_parser_content(p, begin, p->pos)) {
        return false;
    }
    if (p->pos < p->limit) {
        lf_parser_begin_block(p, LF_STATE_TRIAL, p->pos, p->pos);
    }
    return true;
}

static bool run_reasoning(lf_chat_parser *p)
{
    size_t begin = p->pos;
    p->visible = lf_parser_skip_space(p) || p->visible;
    p->pos = p->limit;
    return lf_parser_text(p, LFM2_CHAT_EVENT_REASONING, begin, p->limit);
}

/* After the end of a turn: white space is dropped; other text shows that it was not the end. */
static bool run_ended(lf_chat_parser *p)
{
    size_t begin = p->turn_end;
    if (lf_parser_skip_space(p)) {
        p->turn_end = SIZE_MAX;
        if (p->state == LF_STATE_REASONING) {
            return lf_parser_text(p, LFM2_CHAT_EVENT_REASONING, begin, p->pos);
        }
        return lf_parser_content(p, begin, p->pos);
    }
    return true;
}

/* Reads the source up to `limit`. */
static bool run(lf_chat_parser *p, size_t limit, bool final, lf_delimiter follow)
{
    bool worked = true;
    p->limit = limit;
    p->final = final;
    p->follow = follow;
    if (p->turn_end != SIZE_MAX) {
        worked = run_ended(p);
    }
    while (worked && p->turn_end == SIZE_MAX) {
        size_t before = p->pos;
        lf_parser_state state = p->state;
        if (state == LF_STATE_CONTENT) {
            worked = p->pos == limit || run_content(p);
        } else if (state == LF_STATE_REASONING) {
            worked = run_reasoning(p);
        } else {
            worked = lf_parser_run_block(p);
        }
        if (p->state == state && (p->pos == before || p->pos == limit)) {
            break;
        }
    }
    return worked && lf_parser_publish(p);
}

/* ---- Delimiters ---- */

/* Whether the end token that is spelled here is in a string of a call. One that ends a call follows
 * a bracket and white space: the quote before the bracket waits for what is here, or is missing. */
static bool in_string(const lf_chat_parser *p, size_t at)
{
    char c = p->source.data[at - 1];
    bool opening = p->pos + 1 == at && (c == '"' || c == '\'');
    for (size_t i = at - 1; i > p->begin && lf_parser_is_space(c); i--) {
        c = p->source.data[i - 1];
    }
    return opening || (p->phase == LF_PHASE_STRING && c != ')' && c != ']' && c != '}');
}

/* Bits of the delimiters that mean something at `at`. Reasoning that the prompt has opened may
 * begin with another "<think>". Where the vocabulary has no such token, it begins reasoning only at
 * the start of a line or of the text after another delimiter. */
static uint32_t relevant(const lf_chat_parser *p, size_t at, bool token)
{
    const uint32_t always = 1u << LF_DELIMITER_TURN_END;
    const uint32_t think = 1u << LF_DELIMITER_THINK_START;
    const bool text = !token && p->state == LF_STATE_BLOCK && in_string(p, at);
    token = token || p->delimiter_ids[LF_DELIMITER_THINK_START] >= 0;
    switch (p->state) {
    case LF_STATE_REASONING:
        return always | 1u << LF_DELIMITER_THINK_END | (p->visible ? 0u : think);
    case LF_STATE_BLOCK:
        return always | 1u << LF_DELIMITER_CALL_START | (text ? 0u : 1u << LF_DELIMITER_CALL_END);
    case LF_STATE_TRIAL:
        return always | CALL_DELIMITERS | (token ? think : 0u);
    default:
        return always | CALL_DELIMITERS | (token || !p->visible || p->line_start ? think : 0u);
    }
}

static void enter_content(lf_chat_parser *p, bool after_reasoning)
{
    p->state = LF_STATE_CONTENT;
    p->after_reasoning = after_reasoning;
    p->visible = false;
    p->line_start = true;
}

/* Processes a relevant delimiter, whose bytes are [begin, end). */
static bool take_delimiter(lf_chat_parser *p, lf_delimiter delimiter, size_t begin, size_t end)
{
    p->follow_end = end;
    if (!run(p, begin, true, delimiter)) {
        return false;
    }
    if (p->pos == end) {
        return true; /* the end of a block */
    }
    if (delimiter == LF_DELIMITER_TURN_END) {
        p->turn_end = p->turn_end == SIZE_MAX ? begin : p->turn_end;
        p->pos = end;
        return true;
    }
    if (p->turn_end != SIZE_MAX) {
        size_t from = p->turn_end;
        p->turn_end = SIZE_MAX;
        if (p->state == LF_STATE_REASONING
                ? !lf_parser_text(p, LFM2_CHAT_EVENT_REASONING, from, begin)
                : !lf_parser_content(p, from, begin)) {
            return false;
        }
    }
    p->pos = end;
    switch (delimiter) {
    case LF_DELIMITER_CALL_START:
        lf_parser_begin_block(p, LF_STATE_BLOCK, begin, end);
        return true;
    case LF_DELIMITER_THINK_START:
        p->state = LF_STATE_REASONING;
        p->reasoned = true;
        p->visible = true; /* another one is text */
        return true;
    case LF_DELIMITER_THINK_END:
        enter_content(p, true);
        return true;
    default:
        return lf_parser_content(p, begin, end);
    }
}

/* The delimiter that begins at `at`, among those of `wanted`, and its length. *partial: the text
 * ends inside of one. */
static lf_delimiter match(const lf_chat_parser *p, size_t at, uint32_t wanted, size_t *len,
                          bool *partial)
{
    const char *text = p->source.data + at;
    size_t left = p->source.len - at;
    *partial = false;
    for (size_t i = 0; i < N_SPELLINGS; i++) {
        size_t n = strlen(spellings[i].text);
        size_t compared = n < left ? n : left;
        if ((wanted >> spellings[i].delimiter & 1) != 0 &&
            memcmp(text, spellings[i].text, compared) == 0) {
            if (compared == n) {
                *len = n;
                return spellings[i].delimiter;
            }
            *partial = true;
        }
    }
    return LF_DELIMITER_NONE;
}

/* Whether an end of the turn at [at, end), which is spelled, is in a string of a call: other text
 * than white space follows. `whole`: nothing does. */
static lf_outcome turn_end_in_string(const lf_chat_parser *p, size_t at, size_t end, bool whole)
{
    if (p->state != LF_STATE_BLOCK || !in_string(p, at)) {
        return LF_OUTCOME_FAIL;
    }
    size_t i = end;
    while (i < p->source.len && i < end + LF_PARSER_WINDOW &&
           lf_parser_is_space(p->source.data[i])) {
        i++;
    }
    bool other = i < p->source.len || i == end + LF_PARSER_WINDOW;
    return other ? LF_OUTCOME_OK : whole ? LF_OUTCOME_FAIL : LF_OUTCOME_MORE;
}

/* Searches what was not searched yet for delimiters, and reads it. `whole`: a delimiter that is not
 * complete yet will not be. */
static bool search(lf_chat_parser *p, bool whole)
{
    bool partial = false;
    while (p->spelled != 0 && p->scan < p->source.len) {
        const char *text = p->source.data + p->scan;
        const char *found = memchr(text, '<', p->source.len - p->scan);
        size_t len = 0;
        if (found == NULL) {
            break;
        }
        size_t at = p->scan + (size_t)(found - text);
        if (match(p, at, p->spelled, &len, &partial) != LF_DELIMITER_NONE || partial) {
            if (!run(p, at, false, LF_DELIMITER_NONE)) {
                return false;
            }
            lf_delimiter delimiter =
                match(p, at, p->spelled & relevant(p, at, false), &len, &partial);
            if (delimiter == LF_DELIMITER_TURN_END) {
                lf_outcome inside = turn_end_in_string(p, at, at + len, whole);
                partial = inside == LF_OUTCOME_MORE;
                delimiter = inside == LF_OUTCOME_FAIL ? delimiter : LF_DELIMITER_NONE;
            }
            if (delimiter != LF_DELIMITER_NONE && !take_delimiter(p, delimiter, at, at + len)) {
                return false;
            }
            if (delimiter == LF_DELIMITER_NONE && partial && !whole) {
                p->scan = at;
                return true;
            }
            p->scan = at + (delimiter != LF_DELIMITER_NONE ? len : 1);
        } else {
            p->scan = at + 1;
        }
    }
    p->scan = p->source.len;
    return run(p, p->source.len, false, LF_DELIMITER_NONE);
}

/* ---- Input ---- */

static int32_t too_long(const lf_chat_parser *p)
{
    return lf_fail(LFM2_E_LIMIT, "chat_parser.max_bytes",
                   "the answer has more than %zu bytes (max_bytes)", p->max_bytes);
}

int32_t lf_chat_parser_failure(const lf_chat_parser *p)
{
    if (p->status == LFM2_OK) {
        return LFM2_OK;
    }
    if (p->status == LFM2_E_LIMIT) {
        return too_long(p);
    }
    return lf_fail(p->status, "chat_parser.failed",
                   "an earlier call failed; the parser can be reset or freed");
}

static int32_t check_open(const lf_chat_parser *p, size_t more)
{
    LF_TRY(lf_chat_parser_failure(p));
    if (p->finished) {
        return lf_fail(LFM2_E_STATE, "chat_parser.finished",
                       "the answer has ended; reset the parser to begin another one");
    }
    return more > p->max_bytes - p->source.len ? too_long(p) : LFM2_OK;
}

int32_t lf_chat_parser_check(const lf_chat_parser *p)
{
    return check_open(p, 0);
}

int32_t lf_chat_parser_push_text(lf_chat_parser *p, const char *text, size_t len)
{
    LF_TRY(check_open(p, len));
    p->spelled = ALL_DELIMITERS;
    return lf_parser_add(p, &p->source, text, len) && search(p, false) ? LFM2_OK : p->status;
}

/* The delimiter that a token is. */
static lf_delimiter delimiter_of(const lf_chat_parser *p, int32_t id)
{
    for (int delimiter = LF_DELIMITER_CALL_START; delimiter < LF_DELIMITER_TURN_END; delimiter++) {
        if (p->delimiter_ids[delimiter] == id) {
            return (lf_delimiter)delimiter;
        }
    }
    return lf_tokenizer_is_end(p->tokenizer, id) ? LF_DELIMITER_TURN_END : LF_DELIMITER_NONE;
}

/* Adds a control token or a delimiter by its name. */
static bool push_delimiter(lf_chat_parser *p, lf_delimiter delimiter, const char *name, size_t len)
{
    size_t begin = p->source.len;
    if (!search(p, true) || !lf_parser_add(p, &p->source, name, len)) {
        return false;
    }
    p->scan = p->source.len;
    if ((relevant(p, begin, true) >> delimiter & 1) != 0) {
        return take_delimiter(p, delimiter, begin, p->source.len);
    }
    return run(p, p->source.len, false, LF_DELIMITER_NONE); /* it is text */
}

/* Bits of the delimiters that tokens do not express. */
static uint32_t spelled_in_tokens(const lf_chat_parser *p)
{
    const int32_t *ids = p->delimiter_ids;
    bool calls = ids[LF_DELIMITER_CALL_START] >= 0 && ids[LF_DELIMITER_CALL_END] >= 0;
    bool think = ids[LF_DELIMITER_THINK_START] >= 0 && ids[LF_DELIMITER_THINK_END] >= 0;
    return (calls ? 0u : CALL_DELIMITERS) | (think ? 0u : THINK_DELIMITERS);
}

static bool push_token(lf_chat_parser *p, int32_t id)
{
    const char *bytes = NULL;
    size_t len = 0;
    lf_delimiter delimiter = delimiter_of(p, id);
    lf_tokenizer_token(p->tokenizer, id, &bytes, &len, NULL);
    if (delimiter != LF_DELIMITER_NONE) {
        return push_delimiter(p, delimiter, bytes, len);
    }
    return lf_parser_add(p, &p->source, bytes, len) && search(p, false);
}

int32_t lf_chat_parser_push(lf_chat_parser *p, const int32_t *ids, size_t n)
{
    size_t more = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        LF_TRY(lf_tokenizer_token(p->tokenizer, ids[i], NULL, &len, NULL));
        more += len;
    }
    LF_TRY(check_open(p, more));
    p->spelled = spelled_in_tokens(p);
    for (size_t i = 0; i < n; i++) {
        if (!push_token(p, ids[i])) {
            return p->status;
        }
    }
    return LFM2_OK;
}

int32_t lf_chat_parser_finish(lf_chat_parser *p)
{
    LF_TRY(check_open(p, 0));
    if (!search(p, true) || !run(p, p->source.len, true, LF_DELIMITER_NONE)) {
        return p->status;
    }
    p->finished = true;
    return LFM2_OK;
}

/* ---- Input from a stream ---- */

bool lf_chat_parser_divides(const lf_chat_parser *p, int32_t id)
{
    return delimiter_of(p, id) != LF_DELIMITER_NONE;
}

/* Keeps a failure for later calls. `before`: the record of the last failure of the thread. */
static void keep_failure(lf_chat_parser *p, int32_t status, const lf_failure *before)
{
    if (status != LFM2_OK) {
        p->status = p->status != LFM2_OK ? p->status : status;
        lf_fail_restore(before);
    }
}

void lf_chat_parser_push_token(lf_chat_parser *p, int32_t id)
{
    lf_failure before;
    lf_fail_save(&before);
    keep_failure(p, lf_chat_parser_push(p, &id, 1), &before);
}

void lf_chat_parser_push_part(lf_chat_parser *p, const char *text, size_t len)
{
    lf_failure before;
    lf_fail_save(&before);
    int32_t status = check_open(p, len);
    if (status == LFM2_OK) {
        p->spelled = spelled_in_tokens(p);
        status = lf_parser_add(p, &p->source, text, len) && search(p, false) ? LFM2_OK : p->status;
    }
    keep_failure(p, status, &before);
}

void lf_chat_parser_end(lf_chat_parser *p)
{
    lf_failure before;
    lf_fail_save(&before);
    keep_failure(p, lf_chat_parser_finish(p), &before);
}
