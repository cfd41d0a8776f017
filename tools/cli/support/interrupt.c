/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C: cancels the work in progress, so that the program can clean up. */
#include "cli/support/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM};

static _Atomic(lfm2_session *) watched;
static volatile sig_atomic_t seen; /* the signal; 0 = none */
static void (*_Atomic exit_hook)(void);
static struct sigaction before[COUNT(signals)];

static void on_signal(int number)
{
    if (seen != 0) {
        void (*hook)(void) = atomic_load(&exit_hook);
        if (hook != NULL) {
            hook();
        }
        _exit(EXIT_FAILED);
    }
    seen = number;
    lfm2_session *session = atomic_load(&watched);
    if (session != NULL) {
        lfm2_session_cancel(session);
    }
}

void interrupt_begin(lfm2_session *session)
{
    seen = 0;
    atomic_store(&watched, session);
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    for (uint32_t i = 0; i < COUNT(signals); i++) {
        sigaction(signals[i], &action, &before[i]);
    }
}

void interrupt_end(void)
{
    for (uint32_t i = 0; i < COUNT(signals); i++) {
        sigaction(signals[i], &before[i], NULL);
    }
    atomic_store(&watched, NULL);
}

bool interrupt_seen(void)
{
    return seen != 0;
}

bool interrupt_ends_program(void)
{
    return seen == SIGTERM;
}

int32_t interrupt_status(int32_t status)
{
    return status == LFM2_OK && interrupt_seen() ? LFM2_E_CANCELLED : status;
}

int interrupt_code(int32_t status)
{
    if (status == LFM2_E_CANCELLED) {
        return fail("cli.interrupted", "interrupted");
    }
    return status == LFM2_OK ? EXIT_OK : fail_library();
}

void interrupt_at_exit(void (*hook)(void))
{
    atomic_store(&exit_hook, hook);
}
