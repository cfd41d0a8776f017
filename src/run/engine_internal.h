/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the engine share: requests, their choices, events. */
#ifndef LF_RUN_ENGINE_INTERNAL_H
#define LF_RUN_ENGINE_INTERNAL_H

#include "run/chat_parser.h"
#include "run/engine.h"
#include "run/engine_draft.h"
#include "run/engine_policy.h"
#include "run/prefix_cache.h"
#include "run/stream.h"

#include <pthread.h>
#include <sys/types.h>

/* The most forced tokens in a step, and the most rows of items with guesses, beside the one row
 * that every sequence has. */
enum { LF_ENGINE_FORCED_ROWS = 15, LF_ENGINE_GUESS_ROWS = LF_PACE_MOST_ROWS };

/* ---- Events ---- */

/* An event in the queue. What it points to follows it in the same allocation; the last one of a
 * request is a part of the request. */
typedef struct lf_event {
    struct lf_event *next;
    struct lf_request *request;
    size_t bytes; /* of the allocation; 0: a part of the request */
    lfm2_engine_event at;
    lfm2_chat_event chat;
} lf_event;

typedef struct lf_events {
    lf_event *first, *last;
} lf_events;

/* ---- Requests ---- */

typedef enum lf_choice_state {
    LF_CHOICE_UNBORN,    /* a fork of the first choice, once the prompt is computed */
    LF_CHOICE_WAITING,   /* without a session: in the queue, or parked */
    LF_CHOICE_COMPUTING, /* the prompt, or what was parked, is being computed */
    LF_CHOICE_HELD,      /* all is computed, but too many sequences generate */
    LF_CHOICE_READY,     /* generates */
    LF_CHOICE_CLOSING,   /* has ended; the session that is kept lacks some of its tokens */
    LF_CHOICE_DONE
} lf_choice_state;

/* One text of a request: a sequence of tokens, of which the session holds the first ones. What it
 * lacks is computed, whether the tokens are of a prompt, were chosen, or were parked. */
typedef struct lf_choice {
    struct lf_request *request;
    uint32_t index;
    lf_choice_state state;
    bool parked;              /* WAITING, and has had a session */
    lfm2_session *session;    /* NULL: none */
    lfm2_stream *stream;      /* NULL: UNBORN or DONE */
    lfm2_chat_parser *parser; /* NULL: none */
    lf_choice_draft *draft;   /* NULL: none */
    int32_t *tokens;          /* [size] the prompt, then the n - n_prompt chosen ones */
    uint32_t n, size;
    uint32_t n_generated, n_drafted, n_accepted;
    int32_t finish, stop_id, stop_string; /* the end of the text; finish 0: it goes on */
} lf_choice;

typedef struct lf_request {
    struct lf_request *next;
    uint64_t id;
    void *user;
    atomic_int cancel; /* also read by passes */
    uint32_t flags;
    int32_t priority;
    uint64_t scope;
    uint64_t seed;
    double submitted, deadline; /* times; deadline 0: none */
    uint32_t max_tokens;        /* of each choice; 0: no limit */
    uint32_t n_prompt, n_cached;
    uint32_t n_expected; /* tokens of the prompt that seemed not to be cached, when it came */
    lfm2_session *base;  /* what the request starts from, or NULL */
    lfm2_session *kept;  /* for lfm2_engine_take_session, or NULL */
    bool started;        /* has left the queue */
    bool ended;          /* its last event exists */
    bool finish_taken;   /* the application has the event FINISH of choice 0 */
    uint32_t n_choices, n_open; /* those that are not DONE */
    lf_event end;               /* the last event */
    lf_failure failure;         /* of that event */
    lf_choice choices[];
} lf_request;

/* ---- The engine ---- */

/* Fields below `lock` are used under it. Those before it do not change, but for what belongs to
 * the step: only the thread that makes one uses it. A step holds the lock only briefly, never
 * during a pass. */
struct lfm2_engine {
    lfm2_model *model;
    lfm2_engine_options options; /* without 0 for a default; the folder is not kept */
    lfm2_session_options sessions;
    lfm2_cache *cache; /* NULL: none */
    size_t page_bytes;
    pid_t process;    /* that created it */
    pthread_t thread; /* with LFM2_ENGINE_THREAD */

    /* Of the step: */
    lf_workspace *workspace;
    lf_choice **of_items; /* [rows] the choice of each item of the pass */
    lf_policy policy;
    lf_verify guesses;         /* memory of all guesses of a pass, once it is needed */
    lf_request *requests;      /* in the order of their ids; changed under the lock */
    lf_events made;            /* events that are not in the queue yet */
    lfm2_engine_stats counted; /* by the step; copied to `stats` */
    double now;                /* when the step began */
    bool scarce; /* the system refused memory: none starts beside others before one has ended */

    pthread_mutex_t lock;
    pthread_cond_t work;    /* the thread has something to do */
    pthread_cond_t arrived; /* there are events */
    bool stop, stepping;
    lf_request *incoming, *last_incoming; /* not seen by a step yet */
    lf_request *ended;                    /* whose last event was not taken */
    lf_choice *starting;                  /* its session computes outside of the pass; or NULL */
    lf_events queue;
    lf_event *taken; /* the application uses it until it takes the next */
    uint64_t last_id;
    uint32_t n_waiting; /* requests in the queue */
    uint32_t n_live;    /* requests that have not ended */
    lfm2_engine_stats stats;
};

static inline const lf_alloc *lf_engine_alloc(const lfm2_engine *engine)
{
    return &engine->model->runtime->alloc;
}

/* Tokens of the sequence that its session holds, and those that it lacks. */
static inline uint32_t lf_choice_computed(const lf_choice *c)
{
    return c->session == NULL ? 0 : c->session->state.length;
}

static inline uint32_t lf_choice_lacks(const lf_choice *c)
{
    return c->n - lf_choice_computed(c);
}

/* ---- engine_request.c ---- */

/* Makes a request that is not in the engine yet. Errors: those of lfm2_engine_submit. */
int32_t lf_request_create(lfm2_engine *engine, const lfm2_request_options *options,
                          lf_request **out);
void lf_request_free(lfm2_engine *engine, lf_request *request);

/* Frees all that a choice has, but for its place in the request. */
void lf_choice_clear(lfm2_engine *engine, lf_choice *choice);

/* Gets space for `more` tokens. Errors: MEMORY. */
int32_t lf_choice_reserve(lfm2_engine *engine, lf_choice *choice, uint32_t more);

/* Makes the other choices of a request whose prompt is computed: forks of the first one. Errors:
 * MEMORY. */
int32_t lf_request_fork(lfm2_engine *engine, lf_request *request);

/* ---- engine_events.c ---- */

/* These add an event to engine->made. Errors: MEMORY. */
int32_t lf_event_start(lfm2_engine *engine, lf_request *request);
int32_t lf_event_progress(lfm2_engine *engine, lf_request *request);
int32_t lf_event_token(lfm2_engine *engine, lf_choice *choice, const lfm2_stream_step *step);
int32_t lf_event_chats(lfm2_engine *engine, lf_choice *choice); /* all that the parser has */
int32_t lf_event_finish(lfm2_engine *engine, lf_choice *choice, const lfm2_stream_step *rest);

/* The last one; needs no memory. With a status other than LFM2_OK the failure is this thread's. */
void lf_event_end(lfm2_engine *engine, lf_request *request, int32_t status);

void lf_events_add(lf_events *events, lf_event *event);
void lf_event_free(lfm2_engine *engine, lf_event *event); /* NULL is allowed */

/* ---- engine_text.c ---- */

/* Chooses the next token of a choice that has logits, and those that are forced after it. Ends the
 * choice or its request if the text ends or fails. */
void lf_choice_choose(lfm2_engine *engine, lf_choice *choice);

/* Chooses one token from the logits; NULL: it must be forced. Errors: those of lf_stream_sample and
 * of events. */
int32_t lf_choice_choose_one(lfm2_engine *engine, lf_choice *choice, const float *logits);

/* Ends a text, with choice->finish set; the last text ends the request. */
void lf_choice_finish(lfm2_engine *engine, lf_choice *choice);

/* Ends a request. With a status other than LFM2_OK the failure is this thread's. */
void lf_request_end(lfm2_engine *engine, lf_request *request, int32_t status);

/* Adds what the session holds to the cache, if there is one. */
void lf_choice_store(lfm2_engine *engine, const lf_choice *choice);

/* ---- engine_start.c ---- */

/* Whether the KV budget has room for a choice that waits, beside those that are computed. */
bool lf_choice_fits(const lfm2_engine *engine, const lf_choice *choice);

/* Makes the session of a choice that waits, with what the cache has. If that fails, the request
 * has ended. Returns whether the choice is COMPUTING now. */
bool lf_choice_start(lfm2_engine *engine, lf_choice *choice);

/* Gives the pages of a choice back. */
void lf_choice_park(lfm2_engine *engine, lf_choice *choice);

/* Makes room after a choice could not get the memory for a pass: parks the last one, or ends the
 * request with `status` and this thread's failure if there is no other. */
void lf_engine_relieve(lfm2_engine *engine, lf_choice *failed, int32_t status);

/* ---- engine_step.c ---- */

/* One step, with all its events in engine->made or, before the pass, in the queue. */
void lf_engine_make_step(lfm2_engine *engine);

/* ---- engine.c ---- */

/* Moves engine->made to the queue. */
void lf_engine_publish(lfm2_engine *engine);

#endif /* LF_RUN_ENGINE_INTERNAL_H */
