/* SPDX-License-Identifier: Apache-2.0 */
/* Callers of one thing that take turns, in the order in which they came. */
#ifndef LF_RUNTIME_TURNS_H
#define LF_RUNTIME_TURNS_H

#include <pthread.h>
#include <stdbool.h>

/* Whether a caller that waits no longer wants its turn. */
typedef bool (*lf_turns_gave_up)(const void *ctx);

typedef struct lf_turns {
    pthread_mutex_t lock; /* guards the rest; nobody sleeps while holding it */
    bool taken;
    struct lf_waiter *first, *last;
} lf_turns;

/* False if the system refuses. */
bool lf_turns_init(lf_turns *turns);
void lf_turns_free(lf_turns *turns);

/* Returns true when it is the caller's turn; sleeps meanwhile. False if `gave_up` (NULL: never) was
 * true of the caller when a turn of another ended; it has no turn then. */
bool lf_turns_take(lf_turns *turns, lf_turns_gave_up gave_up, const void *ctx);

/* Ends the caller's turn. */
void lf_turns_give(lf_turns *turns);

#endif /* LF_RUNTIME_TURNS_H */
