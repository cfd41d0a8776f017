/* SPDX-License-Identifier: Apache-2.0 */
/* Results of the parser of answers: content, reasoning, calls, events, the message. */
#include "text/chat_parser_internal.h"

#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

/* ---- Memory ---- */

static bool broken(lf_chat_parser *p, int32_t status)
{
    if (status != LFM2_OK && p->status == LFM2_OK) {
        p->status = status;
    }
    return status == LFM2_OK;
}

/* Makes space for `more` bytes and a 0. */
static int32_t reserve(const lf_alloc *alloc, lf_bytes *bytes, size_t more)
{
    void *data = NULL;
    size_t needed = 0;
    if (!lf_add_size(bytes->len, more, &needed) || needed > SIZE_MAX / 2 - 128) {
        return lf_fail(LFM2_E_MEMORY, "memory", "the text of an answer is too large");
    }
    if (needed < bytes->capacity) {
        return LFM2_OK;
    }
    size_t capacity = bytes->capacity * 2 > needed + 64 ? bytes->capacity * 2 : needed + 64;
    LF_TRY(lf_new(alloc, capacity, 1, "the text of an answer", &data));
    if (bytes->len > 0) {
        memcpy(data, bytes->data, bytes->len);
    }
    lf_free(alloc, bytes->data, bytes->capacity, 1);
    bytes->data = data;
    bytes->capacity = capacity;
    return LFM2_OK;
}

bool lf_parser_add(lf_chat_parser *p, lf_bytes *bytes, const char *text, size_t len)
{
    if (!broken(p, reserve(&p->alloc, bytes, len))) {
        return false;
    }
    if (len > 0) {
        memcpy(bytes->data + bytes->len, text, len);
    }
    bytes->len += len;
    bytes->data[bytes->len] = '\0';
    return true;
}

bool lf_parser_grow(lf_chat_parser *p, lf_list *list, size_t item)
{
    void *items = NULL;
    if (list->n < list->capacity) {
        return true;
    }
    size_t capacity = list->capacity * 2 + 16;
    if (!broken(p, lf_new(&p->alloc, capacity, item, "the parts of an answer", &items))) {
        return false;
    }
    if (list->n > 0) {
        memcpy(items, list->items, list->n * item);
    }
    lf_free(&p->alloc, list->items, list->capacity, item);
    list->items = items;
    list->capacity = capacity;
    return true;
}

/* ---- Events ---- */

static lf_event *event_at(const lf_chat_parser *p, size_t i)
{
    return (lf_event *)p->queue.items + i;
}

static bool queue(lf_chat_parser *p, lf_event event)
{
    if (p->head == p->queue.n) {
        p->n_taken += p->head;
        p->head = p->queue.n = 0;
    }
    if (!lf_parser_grow(p, &p->queue, sizeof event)) {
        return false;
    }
    *event_at(p, p->queue.n++) = event;
    return true;
}

/* Extends the last event if this one continues it. */
static bool queue_more(lf_chat_parser *p, lf_event event)
{
    lf_event *last = p->queue.n > p->head ? event_at(p, p->queue.n - 1) : NULL;
    if (last != NULL && last->kind == event.kind && last->call == event.call &&
        last->end == event.begin) {
        last->end = event.end;
        return true;
    }
    return queue(p, event);
}

bool lf_parser_text(lf_chat_parser *p, int32_t kind, size_t begin, size_t end)
{
    lf_section *sections = p->sections.items;
    if (begin >= end) {
        return true;
    }
    if (p->sections.n > 0 && sections[p->sections.n - 1].kind == kind &&
        sections[p->sections.n - 1].at.end == begin) {
        sections[p->sections.n - 1].at.end = end;
    } else {
        if (!lf_parser_grow(p, &p->sections, sizeof(lf_section))) {
            return false;
        }
        sections = p->sections.items;
        sections[p->sections.n++] = (lf_section){kind, {begin, end}};
    }
    return queue_more(p, (lf_event){kind, 0, begin, end});
}

/* ---- The open call ---- */

static bool is_quiet(const lf_chat_parser *p)
{
    return p->state == LF_STATE_TRIAL || (p->flags & LFM2_CHAT_PARSE_WHOLE_CALLS) != 0;
}

bool lf_parser_start(lf_chat_parser *p, const char *name, size_t len)
{
    char number[24];
    size_t n = (size_t)snprintf(number, sizeof number, "%zu", p->calls.n);
    p->call.name = p->strings.len;
    p->call.name_len = len;
    if (!lf_parser_add(p, &p->strings, name, len) || !lf_parser_add(p, &p->strings, "", 1)) {
        return false;
    }
    p->call.id = p->strings.len;
    if (!lf_parser_add(p, &p->strings, p->id_prefix, strlen(p->id_prefix)) ||
        !lf_parser_add(p, &p->strings, number, n + 1)) {
        return false;
    }
    p->started = true;
    p->published = p->call.args;
    p->start_number = UINT64_MAX;
    if (is_quiet(p)) {
        return true;
    }
    if (!queue(p, (lf_event){LFM2_CHAT_EVENT_CALL_START, (uint32_t)p->calls.n, 0, 0})) {
        return false;
    }
    p->start_number = p->n_taken + p->queue.n - 1;
    return true;
}

bool lf_parser_publish(lf_chat_parser *p)
{
    size_t end = p->args.len < p->hold_at ? p->args.len : p->hold_at;
    if (!p->started || p->start_number == UINT64_MAX) {
        return true;
    }
    for (uint32_t i = 0; i < p->n_frames; i++) {
        const lf_frame *f = &p->frames[i];
        if ((f->kind == LF_FRAME_PAREN || f->kind == LF_FRAME_BRACE) && f->open_at < end) {
            end = f->open_at;
        }
    }
    if (end <= p->published) {
        return true;
    }
    size_t begin = p->published;
    p->published = end;
    return queue_more(p, (lf_event){LFM2_CHAT_EVENT_ARGUMENTS, (uint32_t)p->calls.n, begin, end});
}

/* Whether the arguments are a JSON object without duplicate members. */
static bool check_arguments(lf_chat_parser *p, bool *valid)
{
    lf_arena arena;
    lf_failure before;
    const lf_json *value = NULL;
    lf_fail_save(&before);
    lf_arena_init(&arena, &p->alloc);
    int32_t status = lf_json_parse(&arena, "arguments", LFM2_E_TEXT, p->args.data + p->call.args,
                                   p->args.len - p->call.args, &value);
    *valid = status == LFM2_OK && value->kind == LF_JSON_OBJECT;
    lf_arena_free(&arena);
    if (status == LFM2_E_MEMORY) {
        return broken(p, status);
    }
    lf_fail_restore(&before);
    return true;
}

lf_outcome lf_parser_complete(lf_chat_parser *p, size_t end)
{
    bool valid = false;
    uint32_t number = (uint32_t)p->calls.n;
    if (!check_arguments(p, &valid)) {
        return LF_OUTCOME_BROKEN;
    }
    if (!valid) {
        return LF_OUTCOME_FAIL;
    }
    p->phase = LF_PHASE_BETWEEN;
    p->call.args_len = p->args.len - p->call.args;
    p->call.at = (lf_slice){p->begin, end};
    if (!lf_parser_publish(p) || !lf_parser_grow(p, &p->calls, sizeof(lf_call)) ||
        !lf_parser_add(p, &p->args, "", 1)) {
        return LF_OUTCOME_BROKEN;
    }
    ((lf_call *)p->calls.items)[p->calls.n++] = p->call;
    bool queued = p->start_number != UINT64_MAX;
    p->started = false;
    if (queued && !queue(p, (lf_event){LFM2_CHAT_EVENT_CALL_END, number, 0, 0})) {
        return LF_OUTCOME_BROKEN;
    }
    if (!queued && p->state != LF_STATE_TRIAL && !lf_parser_release(p, number)) {
        return LF_OUTCOME_BROKEN;
    }
    return LF_OUTCOME_OK;
}

bool lf_parser_withdraw(lf_chat_parser *p)
{
    uint64_t number = p->start_number;
    bool started = p->started;
    p->started = false;
    p->hold_at = SIZE_MAX;
    p->args.len = p->call.args;
    if (!started) {
        return true;
    }
    p->strings.len = p->call.name;
    if (number == UINT64_MAX) {
        return true;
    }
    if (number >= p->n_taken + p->head) { /* nobody has seen it */
        p->queue.n = (size_t)(number - p->n_taken);
        return true;
    }
    p->queue.n = p->head; /* its arguments */
    return queue(p, (lf_event){LFM2_CHAT_EVENT_CALL_UNDONE, (uint32_t)p->calls.n, 0, 0});
}

bool lf_parser_release(lf_chat_parser *p, uint32_t first)
{
    for (uint32_t i = first; i < p->calls.n; i++) {
        const lf_call *call = (const lf_call *)p->calls.items + i;
        if (!queue(p, (lf_event){LFM2_CHAT_EVENT_CALL_START, i, 0, 0}) ||
            !queue(p, (lf_event){LFM2_CHAT_EVENT_ARGUMENTS, i, call->args,
                                 call->args + call->args_len}) ||
            !queue(p, (lf_event){LFM2_CHAT_EVENT_CALL_END, i, 0, 0})) {
            return false;
        }
    }
    return true;
}

void lf_parser_drop(lf_chat_parser *p, uint32_t first)
{
    if (first < p->calls.n) {
        const lf_call *call = (const lf_call *)p->calls.items + first;
        p->args.len = call->args;
        p->strings.len = call->name;
        p->calls.n = first;
    }
}

/* ---- What the caller sees ---- */

uint32_t lf_chat_parser_calls(const lf_chat_parser *p)
{
    return p->state == LF_STATE_TRIAL ? p->first_call : (uint32_t)p->calls.n;
}

lfm2_chat_call lf_chat_parser_call(const lf_chat_parser *p, uint32_t index)
{
    const lf_call *call = (const lf_call *)p->calls.items + index;
    return (lfm2_chat_call){.id = p->strings.data + call->id,
                            .name = p->strings.data + call->name,
                            .name_len = call->name_len,
                            .arguments = p->args.data + call->args,
                            .arguments_len = call->args_len,
                            .offset = call->at.begin,
                            .source_len = call->at.end - call->at.begin};
}

const char *lf_chat_parser_source(const lf_chat_parser *p, size_t *len)
{
    *len = p->source.len;
    return p->source.len > 0 ? p->source.data : "";
}

/* The bytes of the text that are whole characters, if more bytes may follow. */
static size_t whole(const char *text, size_t len)
{
    size_t back = len < 3 ? len : 3;
    for (size_t n = 1; n <= back; n++) {
        uint32_t c = 0;
        if (((uint8_t)text[len - n] & 0xC0) != 0x80) {
            lf_utf8_decode((const uint8_t *)text + len - n, n, &c);
            return c == LF_UTF8_CUT ? len - n : len;
        }
    }
    return len;
}

int32_t lf_chat_parser_next(lf_chat_parser *p, lfm2_chat_event *out)
{
    LF_TRY(lf_chat_parser_failure(p));
    lf_event *e = p->head < p->queue.n ? event_at(p, p->head) : NULL;
    lfm2_chat_event event = {.kind = LFM2_CHAT_EVENT_NONE, .text = "", .id = "", .name = ""};
    if (e == NULL) {
        *out = event;
        return LFM2_OK;
    }
    bool is_text = e->kind == LFM2_CHAT_EVENT_CONTENT || e->kind == LFM2_CHAT_EVENT_REASONING;
    size_t len = e->end - e->begin;
    if (is_text && p->head + 1 == p->queue.n && !p->finished && e->end == p->source.len) {
        len = whole(p->source.data + e->begin, len);
        if (len == 0) {
            *out = event;
            return LFM2_OK;
        }
    }
    if (len > 0) {
        p->shown.len = 0;
        LF_TRY(reserve(&p->alloc, &p->shown, len));
        memcpy(p->shown.data, (is_text ? p->source.data : p->args.data) + e->begin, len);
        p->shown.data[len] = '\0';
        event.text = p->shown.data;
        event.len = len;
    }
    event.kind = e->kind;
    event.call = e->call;
    event.offset = is_text ? e->begin : 0;
    if (e->kind == LFM2_CHAT_EVENT_CALL_START) {
        const lf_call *call =
            e->call < p->calls.n ? (const lf_call *)p->calls.items + e->call : &p->call;
        event.id = p->strings.data + call->id;
        event.name = p->strings.data + call->name;
        event.name_len = call->name_len;
        event.offset = e->call < p->calls.n ? call->at.begin : p->begin;
    }
    e->begin += len;
    p->head += e->begin == e->end;
    *out = event;
    return LFM2_OK;
}

/* ---- The message ---- */

static void put(const lf_json_writer *w, const char *text)
{
    w->write(w->user, text, strlen(text));
}

/* Joins the sections of one kind. Bytes that are not UTF-8 are divided as in the whole text. */
static void put_sections(const lf_chat_parser *p, const lf_json_writer *w, int32_t kind)
{
    const lf_section *sections = p->sections.items;
    put(w, "\"");
    for (size_t i = 0; i < p->sections.n; i++) {
        if (sections[i].kind == kind) {
            lf_json_write_text(w, p->source.data + sections[i].at.begin,
                               sections[i].at.end - sections[i].at.begin);
        }
    }
    put(w, "\"");
}

void lf_chat_parser_write(const lf_chat_parser *p, const lf_json_writer *w)
{
    put(w, "{\"role\": \"assistant\", \"content\": ");
    put_sections(p, w, LFM2_CHAT_EVENT_CONTENT);
    if (p->reasoned) {
        put(w, ", \"reasoning_content\": ");
        put_sections(p, w, LFM2_CHAT_EVENT_REASONING);
    }
    for (uint32_t i = 0; i < lf_chat_parser_calls(p); i++) {
        lfm2_chat_call call = lf_chat_parser_call(p, i);
        put(w, i == 0 ? ", \"tool_calls\": [{\"id\": " : ", {\"id\": ");
        lf_json_write_string(w, call.id, strlen(call.id));
        put(w, ", \"type\": \"function\", \"function\": {\"name\": ");
        lf_json_write_string(w, call.name, call.name_len);
        put(w, ", \"arguments\": ");
        lf_json_write_string(w, call.arguments, call.arguments_len);
        put(w, "}}");
    }
    put(w, lf_chat_parser_calls(p) > 0 ? "]}" : "}");
}
