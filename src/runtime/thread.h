/* SPDX-License-Identifier: Apache-2.0 */
/* Starting threads of the library. */
#ifndef LF_RUNTIME_THREAD_H
#define LF_RUNTIME_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread that blocks all signals except those that its own instructions raise. False if
 * the system refuses. */
bool lf_thread_start(pthread_t *id, void *(*main)(void *), void *argument);

#endif /* LF_RUNTIME_THREAD_H */
