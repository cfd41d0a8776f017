/* SPDX-License-Identifier: Apache-2.0 */
/* Starting threads when the system refuses one of them, and the signals that they block. The test
 * wraps pthread_create. */
/* link-wrap: pthread_create */
#include "support/models.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 5 };

static int allowed; /* calls that succeed */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                          void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                          void *argument)
{
    return allowed-- > 0 ? __real_pthread_create(thread, attr, body, argument) : EAGAIN;
}

static int32_t create(int32_t n, lfm2_runtime **runtime)
{
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = n;
    return lfm2_runtime_create(&o, runtime);
}

/* Whichever thread is refused, the others end. Sanitizers report leaks. */
static void test_refused(void **state)
{
    (void)state;
    for (int n = 0; n < THREADS - 1; n++) {
        lfm2_runtime *runtime = NULL;
        allowed = n;
        assert_int_equal(create(THREADS, &runtime), LFM2_E_THREAD);
        assert_null(runtime);
        assert_string_equal(lfm2_last_error_code(), "runtime.threads");
        char number[32];
        snprintf(number, sizeof number, "thread %d of %d", n + 1, THREADS - 1);
        assert_non_null(strstr(lfm2_last_error(), number));
    }
    lfm2_runtime *runtime = NULL;
    allowed = THREADS - 1; /* and not one more */
    LFT_OK(create(THREADS, &runtime));
    assert_int_equal(allowed, 0);
    assert_int_equal(lfm2_runtime_threads(runtime), THREADS);
    lfm2_runtime_free(runtime);
    LFT_OK(create(1, &runtime));
    lfm2_runtime_free(runtime);
}

static pthread_t main_thread;
static atomic_int handled, elsewhere;

static void handle(int signal)
{
    (void)signal;
    atomic_fetch_add(&handled, 1);
    atomic_fetch_add(&elsewhere, pthread_equal(pthread_self(), main_thread) == 0);
}

/* A signal to the process stays pending while the main thread blocks it: no pool thread handles it.
 */
static void test_signals(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT, SIGALRM, SIGCHLD, SIGUSR1};
    struct sigaction action;
    struct sigaction before[5];
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    sigset_t blocked, old, now;
    sigemptyset(&blocked);
    main_thread = pthread_self();
    allowed = THREADS - 1;
    lfm2_runtime *runtime = NULL;
    LFT_OK(create(THREADS, &runtime));
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    for (int i = 0; i < 5; i++) {
        assert_false(sigismember(&now, signals[i])); /* the caller's mask is unchanged */
        sigaddset(&blocked, signals[i]);
        sigaction(signals[i], &action, &before[i]);
    }
    pthread_sigmask(SIG_BLOCK, &blocked, &old);
    for (int i = 0; i < 5; i++) {
        kill(getpid(), signals[i]);
    }
    nanosleep(&(struct timespec){.tv_nsec = 20000000},
              NULL); /* time for a thread that would handle it */
    assert_int_equal(atomic_load(&handled), 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(atomic_load(&handled), 5);
    assert_int_equal(atomic_load(&elsewhere), 0);
    for (int i = 0; i < 5; i++) {
        sigaction(signals[i], &before[i], NULL);
    }
    lfm2_runtime_free(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
