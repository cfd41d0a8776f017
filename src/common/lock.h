/* SPDX-License-Identifier: Apache-2.0 */
/* A lock that does not block the child of a fork: there the thread that holds it may not exist. */
#ifndef LF_COMMON_LOCK_H
#define LF_COMMON_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>

/* 0: free; else the id of the process whose thread holds it, with the top bit if others wait. All
 * zero is a free lock. */
typedef struct lf_lock {
    atomic_uint word;
} lf_lock;

/* Sleeps until the lock is free, and takes it. False, without the lock, if a thread of another
 * process holds it: another thread held it when this process was forked, and what it guards may be
 * half changed. */
bool lf_lock_take(lf_lock *lock);
void lf_lock_give(lf_lock *lock);

#endif /* LF_COMMON_LOCK_H */
