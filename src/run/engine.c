/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the engine: its life, its thread, the queue of events, and what any thread may call.
 */
#include "run/engine_internal.h"

#include "common/os.h"
#include "run/step.h"
#include "runtime/thread.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

enum { EXTRA_ROWS = LF_ENGINE_FORCED_ROWS + LF_ENGINE_GUESS_ROWS };
enum { USUAL_RUNNING = 64, MOST_RUNNING = 1024, USUAL_QUEUE = 256, USUAL_ROWS = 512 };

static int32_t check_process(const lfm2_engine *engine)
{
    return engine->process == getpid()
               ? LFM2_OK
               : lf_fail(LFM2_E_STATE, "engine.forked",
                         "the engine belongs to the parent of this process");
}

/* ---- Creation ---- */

/* Replaces 0 by defaults. */
static int32_t complete(const lfm2_model *model, lfm2_engine_options *o)
{
    uint32_t trained = model->source->hparams.n_ctx_train;
    o->n_ctx = o->n_ctx == 0 ? trained : o->n_ctx;
    o->max_running = o->max_running == 0 ? USUAL_RUNNING : o->max_running;
    o->max_queue = o->max_queue == 0 ? USUAL_QUEUE : o->max_queue;
    o->n_rows = o->n_rows == 0 ? USUAL_ROWS : o->n_rows;
    const uint32_t most_rows = LF_STEP_MOST_ROWS - MOST_RUNNING - EXTRA_ROWS;
    if (o->n_ctx > trained) {
        return lf_fail(LFM2_E_ARGUMENT, "engine.n_ctx",
                       "n_ctx is %u; allowed: 0 to %u, the model's context", o->n_ctx, trained);
    }
    if (o->max_running > MOST_RUNNING) {
        return lf_fail(LFM2_E_ARGUMENT, "engine.max_running", "max_running is %u; allowed: 0 to %d",
                       o->max_running, MOST_RUNNING);
    }
    if (o->n_rows > most_rows) {
        return lf_fail(LFM2_E_ARGUMENT, "engine.n_rows", "n_rows is %u; allowed: 0 to %u",
                       o->n_rows, most_rows);
    }
    if (!(o->decode_share >= 0 && o->decode_share <= 1)) {
        return lf_fail(LFM2_E_ARGUMENT, "engine.decode_share",
                       "decode_share is %g; allowed: 0 to 1", (double)o->decode_share);
    }
    return LFM2_OK;
}

/* Memory of passes, and the cache. */
static int32_t allocate(lfm2_engine *e)
{
    lfm2_model *model = e->model;
    const lfm2_engine_options *o = &e->options;
    const lf_limits limits = {.rows = o->n_rows + o->max_running + EXTRA_ROWS};
    LF_TRY(lf_workspace_new(model, limits, &e->workspace));
    void *p = NULL;
    LF_TRY(lf_new(lf_engine_alloc(e), limits.rows, sizeof *e->of_items, "engine", &p));
    e->of_items = p;
    lf_state measured;
    e->sessions = (lfm2_session_options){
        .size = sizeof e->sessions, .n_ctx = o->n_ctx, .n_chunk = o->n_rows, .kv_type = o->kv_type};
    LF_TRY(lf_state_measure(model, &e->sessions, &measured));
    e->page_bytes = measured.page_bytes;
    if ((o->flags & LFM2_ENGINE_NO_CACHE) != 0) {
        return LFM2_OK;
    }
    const lfm2_cache_options cache = {.size = sizeof cache,
                                      .ram_bytes = o->cache_bytes,
                                      .folder = o->cache_folder,
                                      .disk_bytes = o->cache_disk_bytes};
    return lf_prefix_cache_create(model, &cache, &e->cache);
}

/* Frees what allocate made and the engine itself. */
static void release(lfm2_engine *e)
{
    lfm2_model *model = e->model;
    const lf_alloc *alloc = lf_engine_alloc(e);
    if (e->workspace != NULL) {
        lf_free(alloc, e->of_items, e->workspace->limits.rows, sizeof *e->of_items);
    }
    lf_workspace_free(model, e->workspace);
    lf_verify_free(model, &e->guesses);
    lf_prefix_cache_free(e->cache);
    lf_free(alloc, e, 1, sizeof *e);
    lf_model_free(model);
}

static bool create_locks(lfm2_engine *e)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&e->lock, NULL) != 0) {
        return false;
    }
    bool ok = pthread_cond_init(&e->work, NULL) == 0;
    if (ok && pthread_condattr_init(&attributes) == 0) {
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        ok = pthread_cond_init(&e->arrived, &attributes) == 0;
        pthread_condattr_destroy(&attributes);
        if (ok) {
            return true;
        }
        pthread_cond_destroy(&e->work);
    }
    pthread_mutex_destroy(&e->lock);
    return false;
}

static void free_locks(lfm2_engine *e)
{
    pthread_cond_destroy(&e->work);
    pthread_cond_destroy(&e->arrived);
    pthread_mutex_destroy(&e->lock);
}

static void *run_thread(void *argument);

/* Creates the locks and starts the thread. */
static int32_t start(lfm2_engine *e)
{
    if (!create_locks(e)) {
        return lf_fail(LFM2_E_MEMORY, "engine.lock", "the system has no memory for a lock");
    }
    if ((e->options.flags & LFM2_ENGINE_THREAD) != 0 &&
        !lf_thread_start(&e->thread, run_thread, e)) {
        free_locks(e);
        return lf_fail(LFM2_E_THREAD, "engine.thread",
                       "the system refused to start the thread of the engine");
    }
    return LFM2_OK;
}

int32_t lf_engine_create(lfm2_model *model, const lfm2_engine_options *options, lfm2_engine **out)
{
    lfm2_engine_options o = *options;
    LF_TRY(complete(model, &o));
    void *p = NULL;
    LF_TRY(lf_new_zero(&model->runtime->alloc, 1, sizeof(lfm2_engine), "engine", &p));
    lfm2_engine *e = p;
    e->model = lf_model_retain(model);
    e->options = o;
    e->process = getpid();
    lf_policy_init(&e->policy, o.step_ms, (double)o.decode_share, o.n_rows);
    int32_t status = allocate(e);
    e->options.cache_folder = NULL;
    status = status == LFM2_OK ? start(e) : status;
    if (status != LFM2_OK) {
        release(e);
        return status;
    }
    *out = e;
    return LFM2_OK;
}

/* ---- Free ---- */

static void free_requests(lfm2_engine *e, lf_request *first)
{
    while (first != NULL) {
        lf_request *next = first->next;
        lf_request_free(e, first);
        first = next;
    }
}

/* Frees the events but those that are parts of requests. */
static void free_events(lfm2_engine *e, lf_events *events)
{
    for (lf_event *event = events->first; event != NULL;) {
        lf_event *next = event->next;
        if (event->bytes > 0) {
            lf_event_free(e, event);
        }
        event = next;
    }
}

static void free_content(lfm2_engine *e)
{
    free_events(e, &e->queue);
    free_events(e, &e->made);
    lf_event_free(e, e->taken);
    free_requests(e, e->requests);
    free_requests(e, e->incoming);
    free_requests(e, e->ended);
}

/* Ends the thread, and its pass within a layer. */
static void end_thread(lfm2_engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    for (int list = 0; list < 2; list++) {
        for (lf_request *r = list == 0 ? e->requests : e->incoming; r != NULL; r = r->next) {
            atomic_store(&r->cancel, 1);
        }
    }
    if (e->starting != NULL) {
        atomic_store(&e->starting->session->cancel, 1);
    }
    pthread_cond_signal(&e->work);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
}

void lf_engine_free(lfm2_engine *e)
{
    if (e == NULL) {
        return;
    }
    if (e->process != getpid()) {
        /* What another thread was using during the fork may be half changed: it is not freed. */
        if (pthread_mutex_trylock(&e->lock) == 0 && !e->stepping) {
            free_content(e);
        }
        release(e);
        return;
    }
    if ((e->options.flags & LFM2_ENGINE_THREAD) != 0) {
        end_thread(e);
    }
    free_content(e);
    free_locks(e);
    release(e);
}

/* ---- Requests ---- */

/* Fails if the queue is full; the caller has the lock. */
static int32_t check_queue(lfm2_engine *e)
{
    if (e->n_waiting < e->options.max_queue) {
        return LFM2_OK;
    }
    e->stats.n_refused++;
    return lf_fail(LFM2_E_LIMIT, "engine.queue", "the queue is full: %u requests wait",
                   e->n_waiting);
}

int32_t lf_engine_submit(lfm2_engine *e, const lfm2_request_options *options, uint64_t *id)
{
    LF_TRY(check_process(e));
    pthread_mutex_lock(&e->lock);
    int32_t status = check_queue(e);
    pthread_mutex_unlock(&e->lock);
    LF_TRY(status);
    lf_request *r = NULL;
    LF_TRY(lf_request_create(e, options, &r));
    pthread_mutex_lock(&e->lock);
    status = check_queue(e);
    if (status == LFM2_OK) {
        r->id = ++e->last_id;
        *id = r->id;
        *(e->last_incoming != NULL ? &e->last_incoming->next : &e->incoming) = r;
        e->last_incoming = r;
        e->n_waiting++;
        e->n_live++;
        e->stats.n_submitted++;
        pthread_cond_signal(&e->work);
    }
    pthread_mutex_unlock(&e->lock);
    if (status != LFM2_OK) {
        lf_request_free(e, r);
    }
    return status;
}

int32_t lf_engine_cancel(lfm2_engine *e, uint64_t id)
{
    LF_TRY(check_process(e));
    pthread_mutex_lock(&e->lock);
    for (int list = 0; list < 2; list++) {
        for (lf_request *r = list == 0 ? e->requests : e->incoming; r != NULL; r = r->next) {
            if (r->id == id) {
                atomic_store(&r->cancel, 1);
                if (e->starting != NULL && e->starting->request == r) {
                    atomic_store(&e->starting->session->cancel, 1);
                }
            }
        }
    }
    pthread_mutex_unlock(&e->lock);
    return LFM2_OK;
}

/* ---- Steps ---- */

/* Moves requests that have ended to their own list; the caller has the lock. */
static void move_ended(lfm2_engine *e)
{
    for (lf_request **at = &e->requests; *at != NULL;) {
        lf_request *r = *at;
        if (!r->ended) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        r->next = e->ended;
        e->ended = r;
        e->n_live--;
    }
}

/* Copies what the step counted; the caller has the lock. */
static void publish_stats(lfm2_engine *e)
{
    const lfm2_engine_stats *c = &e->counted;
    lfm2_engine_stats s = *c;
    s.size = sizeof s;
    s.n_submitted = e->stats.n_submitted;
    s.n_refused = e->stats.n_refused;
    s.longest_step =
        c->longest_step > e->stats.longest_step ? c->longest_step : e->stats.longest_step;
    s.step_fixed_seconds = e->policy.times.fixed;
    s.step_row_seconds = e->policy.times.row;
    for (const lf_request *r = e->requests; r != NULL; r = r->next) {
        s.n_running += r->started;
        for (uint32_t i = 0; i < r->n_choices; i++) {
            s.n_decoding += r->choices[i].state == LF_CHOICE_READY;
            s.n_parked += r->choices[i].parked;
        }
    }
    e->stats = s;
    e->counted.longest_step = 0;
}

void lf_engine_publish(lfm2_engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool was_empty = e->queue.first == NULL;
    bool has_made = e->made.first != NULL;
    if (has_made) {
        *(e->queue.last != NULL ? &e->queue.last->next : &e->queue.first) = e->made.first;
        e->queue.last = e->made.last;
        e->made = (lf_events){NULL, NULL};
    }
    move_ended(e);
    publish_stats(e);
    if (has_made) {
        pthread_cond_broadcast(&e->arrived);
    }
    pthread_mutex_unlock(&e->lock);
    if (has_made && was_empty && e->options.notify != NULL) {
        e->options.notify(e->options.notify_user);
    }
}

/* A step of the thread that has set `stepping`. */
static void step(lfm2_engine *e)
{
    lf_failure before;
    lf_fail_save(&before);
    lf_engine_make_step(e);
    lf_fail_restore(&before);
}

static void *run_thread(void *argument)
{
    lfm2_engine *e = argument;
    pthread_mutex_lock(&e->lock);
    while (!e->stop) {
        if (e->n_live == 0) {
            pthread_cond_wait(&e->work, &e->lock);
            continue;
        }
        e->stepping = true;
        pthread_mutex_unlock(&e->lock);
        step(e);
        pthread_mutex_lock(&e->lock);
        e->stepping = false;
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

int32_t lf_engine_step(lfm2_engine *e, uint32_t *n_left)
{
    LF_TRY(check_process(e));
    pthread_mutex_lock(&e->lock);
    bool is_free = (e->options.flags & LFM2_ENGINE_THREAD) == 0 && !e->stepping;
    bool has_work = is_free && e->n_live > 0;
    e->stepping = e->stepping || has_work;
    pthread_mutex_unlock(&e->lock);
    if (!is_free) {
        return lf_fail(LFM2_E_STATE, "engine.stepping", "another thread makes the steps");
    }
    if (has_work) {
        step(e);
    }
    pthread_mutex_lock(&e->lock);
    e->stepping = has_work ? false : e->stepping;
    *n_left = e->n_live;
    pthread_mutex_unlock(&e->lock);
    return LFM2_OK;
}

/* ---- Events ---- */

/* Takes the first event of the queue, if there is one; the caller has the lock. Returns the event
 * taken before, which the caller frees. */
static lf_event *take(lfm2_engine *e, lfm2_engine_event *out)
{
    lf_event *before = e->taken;
    lf_event *event = e->queue.first;
    e->taken = event;
    *out = (lfm2_engine_event){.size = sizeof *out, .kind = LFM2_EVENT_NONE};
    if (event == NULL) {
        return before;
    }
    e->queue.first = event->next;
    e->queue.last = event->next == NULL ? NULL : e->queue.last;
    lf_request *r = event->request;
    if (event->at.kind == LFM2_EVENT_FINISH && event->at.choice == 0) {
        r->finish_taken = true;
    }
    if (event->at.kind == LFM2_EVENT_END) {
        lf_request **at = &e->ended;
        while (*at != r) {
            at = &(*at)->next;
        }
        *at = r->next;
    }
    *out = event->at;
    return before;
}

static int32_t take_event(lfm2_engine *e, uint32_t milliseconds, lfm2_engine_event *event)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += milliseconds / 1000;
    end.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&e->lock);
    while (milliseconds > 0 && e->queue.first == NULL &&
           pthread_cond_timedwait(&e->arrived, &e->lock, &end) != ETIMEDOUT) {
    }
    lf_event *before = take(e, event);
    pthread_mutex_unlock(&e->lock);
    lf_event_free(e, before);
    return LFM2_OK;
}

int32_t lf_engine_next(lfm2_engine *e, lfm2_engine_event *event)
{
    LF_TRY(check_process(e));
    return take_event(e, 0, event);
}

int32_t lf_engine_wait(lfm2_engine *e, uint32_t milliseconds, lfm2_engine_event *event)
{
    LF_TRY(check_process(e));
    if ((e->options.flags & LFM2_ENGINE_THREAD) == 0) {
        return lf_fail(LFM2_E_STATE, "engine.thread", "the engine has no thread to wait for");
    }
    return take_event(e, milliseconds, event);
}

int32_t lf_engine_take_session(lfm2_engine *e, uint64_t id, lfm2_session **out)
{
    LF_TRY(check_process(e));
    lfm2_session *taken = NULL;
    pthread_mutex_lock(&e->lock);
    for (int list = 0; list < 2; list++) {
        for (lf_request *r = list == 0 ? e->requests : e->ended; r != NULL; r = r->next) {
            if (r->id == id && r->finish_taken) {
                taken = r->kept;
                r->kept = NULL;
            }
        }
    }
    pthread_mutex_unlock(&e->lock);
    if (taken == NULL) {
        return lf_fail(LFM2_E_ARGUMENT, "engine.no_session", "request %llu has no session to take",
                       (unsigned long long)id);
    }
    *out = taken;
    return LFM2_OK;
}

/* ---- Information ---- */

int32_t lf_engine_stats(lfm2_engine *e, lfm2_engine_stats *stats)
{
    LF_TRY(check_process(e));
    pthread_mutex_lock(&e->lock);
    *stats = e->stats;
    stats->size = sizeof *stats;
    stats->n_waiting = e->n_waiting;
    e->stats.longest_step = 0;
    pthread_mutex_unlock(&e->lock);
    return LFM2_OK;
}

lfm2_cache *lf_engine_cache(lfm2_engine *e)
{
    return e->cache;
}

const lfm2_model *lf_engine_model(const lfm2_engine *e)
{
    return e->model;
}
