/* SPDX-License-Identifier: Apache-2.0 */
/* Generations: submits requests to the engine and gives its events to the API that waits. */
#include "serve/job.h"

#include "serve/prompt.h"
#include "serve/reply.h"
#include "serve/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A request of the engine: one prompt of a job. */
typedef struct job_part {
    struct job_state *job;
    uint64_t number;
    uint32_t first_choice;
    bool submitted, started, over;
    double start, first_token; /* seconds since its submission */
} job_part;

typedef struct job_state {
    job pub; /* its exchange is NULL after the response, or when the client has left */
    struct job_state *previous, *next;
    double quiet_since;
    bool wrote; /* since the last tick */
    bool stream, tools;
    uint64_t owner;
    char *session;      /* the name under which the session is kept */
    double *last_token; /* of each choice: for the time between tokens */
    uint32_t n_parts, n_left;
    job_part parts[];
} job_state;

/* ---- Requests ---- */

void job_request_init(api *a, const exchange *x, job_request *request)
{
    *request = (job_request){.n_choices = 1, .max_tokens = a->options.max_tokens};
    lfm2_sampler_options_init(&request->sampler, sizeof request->sampler, a->model);
    request->sampler.seed = x->has_seed ? x->seed : api_random_u64(a);
}

bool job_model(api *a, fields *f)
{
    const char *name = NULL;
    field_string(f, "model", &name, NULL);
    if (f->failed) {
        return false;
    }
    if (name == NULL || a->options.any_model || strcmp(name, a->options.model_name) == 0) {
        return true;
    }
    f->failed = true;
    reply_error(f->x, 404, "invalid_request_error", "model", "model_not_found",
                "The model '%.100s' does not exist; this server has '%.100s'", name,
                a->options.model_name);
    return false;
}

/* ---- The life of a job ---- */

static void free_job(api *a, job_state *s)
{
    *(s->previous != NULL ? &s->previous->next : &a->jobs) = s->next;
    if (s->next != NULL) {
        s->next->previous = s->previous;
    }
    free(s->last_token);
    free(s->session);
    free(s);
}

void job_free_all(api *a)
{
    while (a->jobs != NULL) {
        for (uint32_t i = 0; i < a->jobs->n_parts; i++) {
            if (a->jobs->parts[i].submitted && !a->jobs->parts[i].over) {
                lfm2_engine_cancel(a->engine, a->jobs->parts[i].number);
            }
        }
        free_job(a, a->jobs);
    }
}

/* From now on the client may leave without notice: the response is about to be complete. */
static exchange *detach(job_state *s)
{
    exchange *x = s->pub.x;
    x->gone = NULL;
    x->work = NULL;
    s->pub.a->n_active--;
    return x;
}

static void cancel_parts(job_state *s)
{
    for (uint32_t i = 0; i < s->n_parts; i++) {
        if (s->parts[i].submitted && !s->parts[i].over) {
            lfm2_engine_cancel(s->pub.a->engine, s->parts[i].number);
        }
    }
}

/* The client has left. */
static void client_gone(exchange *x)
{
    job_state *s = x->work;
    detach(s);
    if (s->pub.calls->failed != NULL) {
        s->pub.calls->failed(&s->pub, NULL);
    }
    s->pub.x = NULL;
    cancel_parts(s);
}

static job_state *new_job(api *a, exchange *x, const job_request *request, const job_calls *calls,
                          void *user)
{
    uint32_t n_parts = 1 + request->n_more;
    uint32_t n_choices = n_parts * request->n_choices;
    job_state *s = calloc(1, sizeof *s + n_parts * sizeof s->parts[0]);
    double *last_token = calloc(n_choices, sizeof *last_token);
    char *session = request->session != NULL ? malloc(strlen(request->session) + 1) : NULL;
    if (s == NULL || last_token == NULL || (request->session != NULL && session == NULL)) {
        free(s);
        free(last_token);
        free(session);
        return NULL;
    }
    if (session != NULL) {
        strcpy(session, request->session);
    }
    s->pub = (job){.a = a,
                   .x = x,
                   .calls = calls,
                   .user = user,
                   .request = request,
                   .created = (int64_t)time(NULL),
                   .n_choices = n_choices,
                   .chat = request->messages != NULL};
    api_random(a, s->pub.id, 24);
    s->owner = x->owner;
    s->stream = request->stream;
    s->tools = request->tools != NULL;
    s->wrote = true;
    s->last_token = last_token;
    s->session = session;
    s->n_parts = n_parts;
    s->next = a->jobs;
    if (a->jobs != NULL) {
        a->jobs->previous = s;
    }
    a->jobs = s;
    return s;
}

/* Ends a job that could not start. The error is the response. */
static void abandon(job_state *s)
{
    s->pub.x = NULL;
    cancel_parts(s);
    if (s->n_left == 0) {
        free_job(s->pub.a, s);
    }
}

/* ---- Submission ---- */

/* Where reasoning may or must precede what a constraint allows. */
static int32_t reasoning_of(const job_request *request, const lfm2_chat_info *chat)
{
    if (request->messages == NULL || request->continue_last) {
        return LFM2_REASONING_NONE;
    }
    if (chat->opens_reasoning) {
        return LFM2_REASONING_OPEN;
    }
    return chat->reasoning_start_id >= 0 && !request->no_reasoning ? LFM2_REASONING_ALLOWED
                                                                   : LFM2_REASONING_NONE;
}

static bool get_constraint(api *a, exchange *x, const job_request *request,
                           const lfm2_chat_info *chat, lfm2_constraint **out)
{
    lfm2_constraint_options options;
    lfm2_constraint_options_init(&options, sizeof options);
    options.reasoning = reasoning_of(request, chat);
    options.flags = request->lenient ? LFM2_CONSTRAINT_LENIENT : 0;
    int32_t kind = request->constraint_kind;
    const char *text = request->constraint, *param = request->constraint_param;
    size_t len = request->constraint_len;
    if (kind == 0 && request->tools != NULL) {
        kind = LFM2_CONSTRAINT_TOOLS;
        text = request->tools;
        len = request->tools_len;
        param = "tools";
    }
    if (kind == LFM2_CONSTRAINT_TOOLS) {
        options.tool_choice = request->tool_choice;
        options.tool_name = request->tool_name;
        options.flags |= request->one_call ? LFM2_CONSTRAINT_ONE_CALL : 0;
    }
    if (kind == 0) {
        return true;
    }
    int32_t status = constraint_get(&a->constraints, a->model, kind, text, len, &options, out);
    /* Agents send schemas that are too large to enforce. If the model need not call anything, its
     * calls are as good as it makes them. */
    if (status == LFM2_E_LIMIT && kind == LFM2_CONSTRAINT_TOOLS && request->lenient &&
        request->tool_choice == LFM2_TOOL_CHOICE_AUTO) {
        return true;
    }
    if (status != LFM2_OK) {
        reply_failure_of(x, status, param);
    }
    return status == LFM2_OK;
}

/* What all parts of a job have in common. */
typedef struct submission {
    lfm2_request_options options;
    lfm2_chat_parser_options parser;
    char call_prefix[64];
    lfm2_constraint *constraint;
    id_list draft;
} submission;

static void free_submission(submission *b)
{
    lfm2_constraint_free(b->constraint);
    id_list_free(&b->draft);
}

static uint32_t request_flags(const job_request *request)
{
    return (request->ignore_eos ? (uint32_t)LFM2_REQUEST_IGNORE_EOS : 0) |
           (request->special ? (uint32_t)LFM2_REQUEST_SPECIAL : 0) |
           (request->logprobs ? (uint32_t)LFM2_REQUEST_LOGPROBS : 0) |
           (request->draft != NULL ? (uint32_t)LFM2_REQUEST_DRAFT : 0) |
           (request->no_cache ? (uint32_t)LFM2_REQUEST_NO_CACHE : 0) |
           (request->session != NULL ? (uint32_t)LFM2_REQUEST_KEEP : 0);
}

static void set_parser(api *a, const job_request *request, const lfm2_chat_info *chat,
                       submission *b)
{
    char word[17];
    api_random(a, word, 16);
    snprintf(b->call_prefix, sizeof b->call_prefix, "%.40s%s",
             request->call_prefix != NULL ? request->call_prefix : "call_", word);
    lfm2_chat_parser_options_init(&b->parser, sizeof b->parser);
    /* Where no tool can be called, what looks like a call without its token is text. */
    bool callable = request->tools != NULL && request->tool_choice != LFM2_TOOL_CHOICE_NONE;
    b->parser.tools = callable ? request->tools : "[]";
    b->parser.tools_len = callable ? request->tools_len : 2;
    b->parser.id_prefix = b->call_prefix;
    b->parser.flags =
        (chat->opens_reasoning && !request->continue_last ? (uint32_t)LFM2_CHAT_PARSE_REASONING
                                                          : 0) |
        (request->whole_calls ? (uint32_t)LFM2_CHAT_PARSE_WHOLE_CALLS : 0);
    b->options.parser = &b->parser;
}

/* What the template does with the arguments of this request. */
static bool get_chat_info(api *a, exchange *x, const job_request *request, lfm2_chat_info *out)
{
    *out = a->chat;
    if (request->template_args == NULL || request->messages == NULL) {
        return true;
    }
    lfm2_chat_options options;
    lfm2_time now;
    prompt_chat_options(a, request, &options, &now);
    int32_t status = lfm2_chat_get_info(a->model, &options, out);
    if (status != LFM2_OK) {
        reply_failure_of(x, status, "chat_template_kwargs");
    }
    return status == LFM2_OK;
}

static bool prepare(api *a, exchange *x, const job_request *request, submission *b)
{
    lfm2_chat_info chat = {.size = sizeof chat};
    *b = (submission){0};
    lfm2_request_options_init(&b->options, sizeof b->options);
    job_prompt draft = {.text = request->draft, .text_len = request->draft_len};
    if (!get_chat_info(a, x, request, &chat) ||
        !get_constraint(a, x, request, &chat, &b->constraint) ||
        (request->draft != NULL && !prompt_tokenize(a, x, &draft, false, &b->draft))) {
        free_submission(b);
        return false;
    }
    lfm2_request_options *o = &b->options;
    o->flags = request_flags(request);
    o->priority = request->priority;
    o->sampler = &request->sampler;
    o->n_choices = request->n_choices;
    o->max_tokens = request->max_tokens;
    o->stop_strings = request->stop;
    o->n_stop_strings = request->n_stop;
    o->n_top = request->n_top;
    o->deadline_ms = request->deadline_ms;
    o->constraint = b->constraint;
    o->draft_ids = b->draft.ids;
    o->n_draft_ids = b->draft.n;
    o->cache_scope = x->cache_scope;
    if (request->messages != NULL) {
        set_parser(a, request, &chat, b);
    }
    return true;
}

static bool get_prompt(api *a, exchange *x, const job_request *request, uint32_t i, id_list *ids)
{
    if (request->messages != NULL) {
        return prompt_render(a, x, request, ids);
    }
    job_prompt first = {.text = request->text,
                        .text_len = request->text_len,
                        .ids = request->ids,
                        .n_ids = request->n_ids};
    return prompt_tokenize(a, x, i == 0 ? &first : &request->more[i - 1], true, ids);
}

static bool submit_part(api *a, job_state *s, uint32_t i, submission *b)
{
    exchange *x = s->pub.x;
    const job_request *request = s->pub.request;
    job_part *part = &s->parts[i];
    id_list ids = {0};
    const lfm2_session *session = NULL;
    int32_t status = LFM2_OK;
    bool ok = get_prompt(a, x, request, i, &ids);
    if (ok && request->session != NULL) {
        status = session_find(a, x, request->session, &session);
        /* A file that is damaged, or is another model's: the request has the whole conversation,
         * and its session takes the place of the file. */
        status = status == LFM2_E_MEMORY ? status : LFM2_OK;
    }
    if (ok && status == LFM2_OK) {
        *part = (job_part){.job = s, .first_choice = i * request->n_choices};
        b->options.prompt = ids.ids;
        b->options.n_prompt = ids.n;
        b->options.session = session;
        b->options.user = part;
        status = lfm2_engine_submit(a->engine, &b->options, &part->number);
        part->submitted = status == LFM2_OK;
        s->n_left += part->submitted ? 1 : 0;
        s->pub.n_prompt += (uint32_t)ids.n;
    }
    if (status != LFM2_OK) {
        bool too_long = strcmp(lfm2_last_error_code(), "engine.context") == 0;
        const char *param = request->prompt_param != NULL ? request->prompt_param
                            : request->messages != NULL   ? "messages"
                                                          : "prompt";
        reply_failure_of(x, status, too_long ? param : NULL);
    }
    id_list_free(&ids);
    return ok && status == LFM2_OK;
}

bool job_start(api *a, exchange *x, const job_request *request, const job_calls *calls, void *user)
{
    submission b;
    if (!prepare(a, x, request, &b)) {
        return false;
    }
    job_state *s = new_job(a, x, request, calls, user);
    if (s == NULL) {
        free_submission(&b);
        reply_failure_text(x, LFM2_E_MEMORY, NULL, "", "out of memory");
        return false;
    }
    bool ok = true;
    for (uint32_t i = 0; i < s->n_parts && ok; i++) {
        ok = submit_part(a, s, i, &b);
    }
    free_submission(&b);
    if (!ok) {
        abandon(s);
        return false;
    }
    a->n_active++;
    x->work = s;
    x->gone = client_gone;
    x->log.prompt_tokens = s->pub.n_prompt;
    if (calls->start != NULL) {
        calls->start(&s->pub);
    }
    return true;
}

bool job_count(api *a, exchange *x, const job_request *request, uint32_t *n)
{
    id_list ids = {0};
    bool ok = get_prompt(a, x, request, 0, &ids);
    *n = (uint32_t)ids.n;
    id_list_free(&ids);
    return ok;
}

/* ---- Events ---- */

static void observe_token(api *a, job_part *part, const lfm2_engine_event *e)
{
    double *last = &part->job->last_token[part->first_choice + e->choice];
    if (part->first_token <= 0) {
        part->first_token = e->seconds;
        observe(&a->observed, OBSERVED_FIRST_TOKEN, e->seconds);
        observe(&a->observed, OBSERVED_PROMPT, e->seconds - part->start);
    }
    if (*last > 0) {
        observe(&a->observed, OBSERVED_GAP, e->seconds - *last);
    }
    *last = e->seconds;
}

static const char *finish_name(int32_t finish)
{
    return finish == LFM2_FINISH_STOP_TOKEN || finish == LFM2_FINISH_STOP_STRING ? "stop"
                                                                                 : "length";
}

static void finish_choice(api *a, job_state *s, job_part *part, const lfm2_engine_event *e)
{
    s->pub.n_generated += e->n_generated;
    s->pub.n_drafted += e->n_drafted;
    s->pub.n_accepted += e->n_accepted;
    if (s->pub.x != NULL) {
        s->pub.x->log.finish = finish_name(e->finish);
    }
    if (s->tools && e->finish == LFM2_FINISH_STOP_TOKEN && e->message != NULL) {
        replay_store(&a->replay, s->owner, e->message, e->message_len, e->ids, e->n_ids);
    }
    lfm2_session *session = NULL;
    if (s->session != NULL && e->choice == 0 &&
        lfm2_engine_take_session(a->engine, part->number, &session) == LFM2_OK) {
        session_put(a, s->owner, s->session, session);
    }
}

static void end_part(api *a, job_state *s, job_part *part, const lfm2_engine_event *e)
{
    part->over = true;
    s->n_left--;
    if (e->status == LFM2_OK) {
        observe(&a->observed, OBSERVED_REQUEST, e->seconds);
        if (part->first_token > 0) {
            observe(&a->observed, OBSERVED_DECODE, e->seconds - part->first_token);
        }
    }
    if (e->status == LFM2_E_MEMORY) {
        sessions_give(a);
    }
    if (s->pub.x != NULL && e->status != LFM2_OK) {
        exchange *x = detach(s);
        if (s->pub.calls->failed == NULL || !s->pub.calls->failed(&s->pub, e)) {
            reply_failure_text(x, e->status, NULL, e->error_code, e->error);
        }
        s->pub.x = NULL;
        cancel_parts(s);
    }
    if (s->n_left > 0) {
        return;
    }
    if (s->pub.x != NULL) {
        detach(s);
        s->pub.calls->end(&s->pub);
    }
    free_job(a, s);
}

void job_engine_event(api *a, const lfm2_engine_event *e)
{
    job_part *part = e->user;
    job_state *s = part->job;
    lfm2_engine_event copy = *e;
    copy.choice += part->first_choice;
    switch (e->kind) {
    case LFM2_EVENT_START:
        part->start = e->seconds;
        observe(&a->observed, OBSERVED_QUEUE, e->seconds);
        s->pub.n_cached += e->n_cached;
        if (s->pub.x != NULL) {
            s->pub.x->log.cached_tokens = s->pub.n_cached;
        }
        return;
    case LFM2_EVENT_END:
        end_part(a, s, part, e);
        return;
    case LFM2_EVENT_TOKEN:
        observe_token(a, part, e);
        break;
    case LFM2_EVENT_CHAT:
        break;
    case LFM2_EVENT_FINISH:
        finish_choice(a, s, part, e);
        break;
    default:
        return;
    }
    if (s->pub.x != NULL) {
        s->pub.x->log.generated_tokens += e->kind == LFM2_EVENT_TOKEN ? 1 : 0;
        s->wrote |= e->kind != LFM2_EVENT_TOKEN || e->len > 0;
        s->pub.calls->event(&s->pub, &copy);
    }
}

void job_tick(api *a, double now)
{
    for (job_state *s = a->jobs; s != NULL; s = s->next) {
        if (s->pub.x == NULL || !s->stream) {
            continue;
        }
        if (s->wrote) {
            s->quiet_since = now;
            s->wrote = false;
        } else if (now - s->quiet_since >= a->options.alive_seconds) {
            s->quiet_since = now;
            if (s->pub.calls->alive != NULL) {
                s->pub.calls->alive(&s->pub);
            } else {
                stream_raw(s->pub.x, ": waiting\n\n");
            }
        }
    }
}
