/* SPDX-License-Identifier: Apache-2.0 */
/* A lock that is granted in the order of the requests. */
#ifndef LF_RUNTIME_TURNS_H
#define LF_RUNTIME_TURNS_H

#include <pthread.h>
#include <stdbool.h>

/* Whether a waiting caller no longer wants its turn; called under the lock. */
typedef bool (*lf_turns_gave_up)(const void *ctx);

typedef struct lf_turns {
    pthread_mutex_t lock; /* guards the other fields; held only briefly */
    bool taken;
    struct lf_waiter *first, *last;
} lf_turns;

/* False if the system refuses. */
bool lf_turns_init(lf_turns *turns);
void lf_turns_free(lf_turns *turns);

/* Sleeps until it is the caller's turn. False, without a turn, if gave_up(ctx) was true when
 * another caller's turn ended (NULL: never). */
bool lf_turns_take(lf_turns *turns, lf_turns_gave_up gave_up, const void *ctx);

/* Ends the caller's turn. */
void lf_turns_give(lf_turns *turns);

#endif /* LF_RUNTIME_TURNS_H */
