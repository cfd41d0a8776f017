/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the events of an engine. What an event points to is copied into its memory. */
#include "common/os.h"
#include "run/engine_internal.h"

#include <string.h>

void lf_events_add(lf_events *events, lf_event *event)
{
    event->next = NULL;
    *(events->last != NULL ? &events->last->next : &events->first) = event;
    events->last = event;
}

void lf_event_free(lfm2_engine *engine, lf_event *event)
{
    if (event == NULL) {
        return;
    }
    if (event->bytes == 0) {
        lf_request_free(engine, event->request);
    } else {
        lf_free(lf_engine_alloc(engine), event, event->bytes, 1);
    }
}

/* Sets what every event has. */
static void describe(lf_request *r, int32_t kind, uint32_t choice, lf_event *event)
{
    const lf_choice *c = &r->choices[choice];
    event->request = r;
    event->at = (lfm2_engine_event){.size = sizeof event->at,
                                    .kind = kind,
                                    .choice = choice,
                                    .request = r->id,
                                    .user = r->user,
                                    .seconds = lf_os_seconds() - r->submitted,
                                    .n_prompt = r->n_prompt,
                                    .n_cached = r->n_cached,
                                    .n_computed = lf_choice_computed(c),
                                    .n_generated = c->n_generated,
                                    .id = -1,
                                    .stop_id = -1,
                                    .stop_string = -1,
                                    .text = "",
                                    .message = "",
                                    .source = "",
                                    .error = "",
                                    .error_code = ""};
}

/* Makes an event with `extra` bytes for what it points to, at *memory. */
static int32_t new_event(lfm2_engine *engine, lf_request *r, int32_t kind, uint32_t choice,
                         size_t extra, lf_event **out, char **memory)
{
    void *p = NULL;
    size_t bytes = sizeof(lf_event) + extra;
    LF_TRY(lf_new(lf_engine_alloc(engine), bytes, 1, "event", &p));
    lf_event *event = p;
    event->bytes = bytes;
    describe(r, kind, choice, event);
    *memory = (char *)(event + 1);
    *out = event;
    return LFM2_OK;
}

/* Copies `bytes` bytes to *memory, which moves on. */
static void *put(char **memory, const void *from, size_t bytes)
{
    char *at = *memory;
    if (bytes > 0) {
        memcpy(at, from, bytes);
    }
    *memory += bytes;
    return at;
}

/* The same with a text, to which a 0 is added. */
static const char *put_text(char **memory, const char *text, size_t len)
{
    const char *at = put(memory, text, len);
    put(memory, "", 1);
    return at;
}

int32_t lf_event_start(lfm2_engine *engine, lf_request *r)
{
    lf_event *event = NULL;
    char *memory = NULL;
    LF_TRY(new_event(engine, r, LFM2_EVENT_START, 0, 0, &event, &memory));
    lf_events_add(&engine->made, event);
    return LFM2_OK;
}

int32_t lf_event_progress(lfm2_engine *engine, lf_request *r)
{
    lf_event *event = NULL;
    char *memory = NULL;
    LF_TRY(new_event(engine, r, LFM2_EVENT_PROGRESS, 0, 0, &event, &memory));
    lf_events_add(&engine->made, event);
    return LFM2_OK;
}

int32_t lf_event_token(lfm2_engine *engine, lf_choice *c, const lfm2_stream_step *step)
{
    lf_event *event = NULL;
    char *memory = NULL;
    size_t len = c->parser != NULL ? 0 : step->len;
    size_t top = step->n_top * sizeof(int32_t);
    LF_TRY(new_event(engine, c->request, LFM2_EVENT_TOKEN, c->index, 2 * top + len + 1, &event,
                     &memory));
    lfm2_engine_event *at = &event->at;
    at->id = step->id;
    at->finish = step->finish;
    at->stop_string = step->stop_string;
    at->logprob = step->logprob;
    at->n_top = step->n_top;
    at->forced = step->forced;
    at->top_ids = put(&memory, step->top_ids, top);
    at->top_logprobs = put(&memory, step->top_logprobs, top);
    at->text = put_text(&memory, step->text, len);
    at->len = len;
    lf_events_add(&engine->made, event);
    return LFM2_OK;
}

/* ---- Chat ---- */

static int32_t add_chat(lfm2_engine *engine, lf_choice *c, const lfm2_chat_event *chat)
{
    lf_event *event = NULL;
    char *memory = NULL;
    size_t id_len = strlen(chat->id);
    LF_TRY(new_event(engine, c->request, LFM2_EVENT_CHAT, c->index,
                     chat->len + id_len + chat->name_len + 3, &event, &memory));
    event->chat = *chat;
    event->chat.size = sizeof event->chat;
    event->chat.text = put_text(&memory, chat->text, chat->len);
    event->chat.id = put_text(&memory, chat->id, id_len);
    event->chat.name = put_text(&memory, chat->name, chat->name_len);
    event->at.chat = &event->chat;
    lf_events_add(&engine->made, event);
    return LFM2_OK;
}

int32_t lf_event_chats(lfm2_engine *engine, lf_choice *c)
{
    if (c->parser == NULL) {
        return LFM2_OK;
    }
    for (;;) {
        lfm2_chat_event chat = {.kind = LFM2_CHAT_EVENT_NONE};
        LF_TRY(lf_chat_parser_next(c->parser->parser, &chat));
        if (chat.kind == LFM2_CHAT_EVENT_NONE) {
            return LFM2_OK;
        }
        LF_TRY(add_chat(engine, c, &chat));
    }
}

/* ---- The ends ---- */

/* Text that a parser writes: counted, and then also stored. */
typedef struct output {
    char *text; /* NULL: count only */
    size_t len;
} output;

static void write_output(void *user, const char *text, size_t len)
{
    output *o = user;
    if (o->text != NULL && len > 0) {
        memcpy(o->text + o->len, text, len);
    }
    o->len += len;
}

static size_t write_message(const lf_choice *c, char *text)
{
    output o = {.text = text};
    const lf_json_writer writer = {.write = write_output, .user = &o};
    lf_chat_parser_write(c->parser->parser, &writer);
    return o.len;
}

int32_t lf_event_finish(lfm2_engine *engine, lf_choice *c, const lfm2_stream_step *rest)
{
    lf_event *event = NULL;
    char *memory = NULL;
    size_t message_len = c->parser == NULL ? 0 : write_message(c, NULL);
    size_t source_len = 0;
    const char *source =
        c->parser == NULL ? "" : lf_chat_parser_source(c->parser->parser, &source_len);
    size_t len = c->parser != NULL || rest == NULL ? 0 : rest->len;
    uint32_t n_ids = c->n > c->request->n_prompt ? c->n - c->request->n_prompt : 0;
    size_t extra = n_ids * sizeof(int32_t) + message_len + source_len + len + 3;
    LF_TRY(new_event(engine, c->request, LFM2_EVENT_FINISH, c->index, extra, &event, &memory));
    lfm2_engine_event *at = &event->at;
    const int32_t *chosen = n_ids > 0 ? c->tokens + c->request->n_prompt : NULL;
    at->ids = put(&memory, chosen, n_ids * sizeof(int32_t));
    at->n_ids = n_ids;
    if (c->parser != NULL) {
        at->message = memory;
        write_message(c, memory);
        memory += message_len;
        put(&memory, "", 1);
    }
    at->message_len = message_len;
    at->source = put_text(&memory, source, source_len);
    at->source_len = source_len;
    at->text = put_text(&memory, rest == NULL ? "" : rest->text, len);
    at->len = len;
    at->finish = c->finish;
    at->stop_id = c->stop_id;
    at->stop_string = c->stop_string;
    at->n_drafted = c->n_drafted;
    at->n_accepted = c->n_accepted;
    lf_events_add(&engine->made, event);
    return LFM2_OK;
}

void lf_event_end(lfm2_engine *engine, lf_request *r, int32_t status)
{
    lf_event *event = &r->end;
    event->bytes = 0;
    describe(r, LFM2_EVENT_END, 0, event);
    event->at.status = status;
    if (status != LFM2_OK) {
        lf_fail_save(&r->failure);
        event->at.error = r->failure.text;
        event->at.error_code = r->failure.code;
    }
    lf_events_add(&engine->made, event);
}
