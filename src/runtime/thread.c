/* SPDX-License-Identifier: Apache-2.0 */
/* Implements starting threads, with the signals that they leave to the host's threads. */
#include "runtime/thread.h"

#include <signal.h>

/* The host's threads handle signals that are sent to the process. Signals that a thread itself
 * causes stay unblocked: blocked, they would end the process without calling the host's handlers.
 */
static void block_signals(sigset_t *before)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        sigdelset(&set, own[i]);
    }
    pthread_sigmask(SIG_SETMASK, &set, before);
}

bool lf_thread_start(pthread_t *id, void *(*main)(void *), void *argument)
{
    sigset_t before;
    block_signals(&before);
    bool started = pthread_create(id, NULL, main, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}
