/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the queue. Whoever ends a turn passes it to the first waiter, so no later caller can
 * overtake. */
#include "runtime/turns.h"

#include <semaphore.h>
#include <stddef.h>

/* On the stack of the waiting caller. */
typedef struct lf_waiter {
    struct lf_waiter *next;
    lf_turns_gave_up gave_up;
    const void *ctx;
    bool has_turn;
    sem_t decided; /* posted once, after the waiter has left the queue */
} lf_waiter;

bool lf_turns_init(lf_turns *turns)
{
    *turns = (lf_turns){.taken = false};
    return pthread_mutex_init(&turns->lock, NULL) == 0;
}

void lf_turns_free(lf_turns *turns)
{
    pthread_mutex_destroy(&turns->lock);
}

bool lf_turns_take(lf_turns *turns, lf_turns_gave_up gave_up, const void *ctx)
{
    pthread_mutex_lock(&turns->lock);
    if (!turns->taken) {
        turns->taken = true;
        pthread_mutex_unlock(&turns->lock);
        return true;
    }
    lf_waiter waiter = {.gave_up = gave_up, .ctx = ctx};
    sem_init(&waiter.decided, 0, 0);
    if (turns->first == NULL) {
        turns->first = &waiter;
    } else {
        turns->last->next = &waiter;
    }
    turns->last = &waiter;
    pthread_mutex_unlock(&turns->lock);
    while (sem_wait(&waiter.decided) != 0) { /* interrupted by a signal */
    }
    sem_destroy(&waiter.decided);
    return waiter.has_turn;
}

/* Removes the waiters that gave up from the queue; returns them as a list. */
static lf_waiter *take_out(lf_turns *turns)
{
    lf_waiter *out = NULL;
    lf_waiter *last = NULL;
    for (lf_waiter **at = &turns->first; *at != NULL;) {
        lf_waiter *w = *at;
        if (w->gave_up != NULL && w->gave_up(w->ctx)) {
            *at = w->next;
            w->next = out;
            out = w;
        } else {
            last = w;
            at = &w->next;
        }
    }
    turns->last = last;
    return out;
}

void lf_turns_give(lf_turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    lf_waiter *out = take_out(turns);
    lf_waiter *next = turns->first;
    if (next != NULL) {
        turns->first = next->next;
        next->has_turn = true;
    } else {
        turns->taken = false;
    }
    pthread_mutex_unlock(&turns->lock);
    /* Read a waiter before posting: afterwards its stack frame may be gone. */
    if (next != NULL) {
        sem_post(&next->decided);
    }
    while (out != NULL) {
        lf_waiter *w = out;
        out = w->next;
        sem_post(&w->decided);
    }
}
