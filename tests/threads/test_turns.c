/* SPDX-License-Identifier: Apache-2.0 */
/* Turns: in the order of the requests, one at a time, and none for callers that gave up. */
#include "runtime/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { USERS = 4 };

typedef struct user {
    lf_turns *turns;
    atomic_int *turns_ended;
    atomic_bool gave_up;
    bool got_turn;
    int order; /* turns before its own */
} user;

static bool has_given_up(const void *ctx)
{
    const user *u = ctx;
    return atomic_load(&u->gave_up);
}

static void *wait_once(void *argument)
{
    user *u = argument;
    u->got_turn = lf_turns_take(u->turns, has_given_up, u);
    if (u->got_turn) {
        u->order = atomic_fetch_add(u->turns_ended, 1);
        lf_turns_give(u->turns);
    }
    return NULL;
}

/* Waits until the last waiter is not `last`; returns it. */
static void *wait_for_change(lf_turns *turns, const void *last)
{
    for (;;) {
        pthread_mutex_lock(&turns->lock);
        void *now = turns->last;
        pthread_mutex_unlock(&turns->lock);
        if (now != last) {
            return now;
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

/* `gave_up`: a bit for each user that gives up while it waits. */
static void check_order(unsigned gave_up)
{
    lf_turns turns;
    atomic_int turns_ended;
    atomic_init(&turns_ended, 0);
    assert_true(lf_turns_init(&turns));
    assert_true(lf_turns_take(&turns, NULL, NULL));
    user users[USERS];
    pthread_t threads[USERS];
    const void *last = NULL;
    for (int i = 0; i < USERS; i++) {
        users[i] = (user){.turns = &turns, .turns_ended = &turns_ended};
        assert_int_equal(pthread_create(&threads[i], NULL, wait_once, &users[i]), 0);
        last = wait_for_change(&turns, last);
    }
    for (int i = 0; i < USERS; i++) {
        atomic_store(&users[i].gave_up, (gave_up >> i & 1) != 0);
    }
    lf_turns_give(&turns);
    int expected = 0;
    for (int i = 0; i < USERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(users[i].got_turn, (gave_up >> i & 1) == 0);
        if (users[i].got_turn) {
            assert_int_equal(users[i].order, expected++);
        }
    }
    assert_false(turns.taken);
    assert_null(turns.first);
    lf_turns_free(&turns);
}

static void test_order(void **state)
{
    (void)state;
    for (unsigned gave_up = 0; gave_up < 1u << USERS; gave_up++) {
        check_order(gave_up);
    }
}

/* A waiter that gave up returns when the current turn ends. */
static void test_gave_up(void **state)
{
    (void)state;
    lf_turns turns;
    atomic_int turns_ended;
    atomic_init(&turns_ended, 0);
    assert_true(lf_turns_init(&turns));
    assert_true(lf_turns_take(&turns, NULL, NULL));
    user waiter = {.turns = &turns, .turns_ended = &turns_ended};
    atomic_store(&waiter.gave_up, true);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_once, &waiter), 0);
    wait_for_change(&turns, NULL);
    lf_turns_give(&turns);
    pthread_join(thread, NULL);
    assert_false(waiter.got_turn);
    assert_false(turns.taken);
    lf_turns_free(&turns);
}

typedef struct counter {
    lf_turns *turns;
    int *value; /* guarded by the turns */
} counter;

static void *count(void *argument)
{
    counter *c = argument;
    for (int i = 0; i < 2000; i++) {
        lf_turns_take(c->turns, NULL, NULL);
        ++*c->value;
        lf_turns_give(c->turns);
    }
    return NULL;
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    lf_turns turns;
    int value = 0;
    assert_true(lf_turns_init(&turns));
    counter c = {&turns, &value};
    pthread_t threads[USERS];
    for (int i = 0; i < USERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, &c), 0);
    }
    for (int i = 0; i < USERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(value, USERS * 2000);
    lf_turns_free(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_gave_up),
        cmocka_unit_test(test_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
