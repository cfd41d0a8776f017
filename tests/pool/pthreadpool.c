/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces the packaged pthreadpool in builds with a sanitizer: the thread sanitizer sees its
 * locks, and its threads sleep while they wait. Implements only the functions that
 * src/runtime/sched.c calls. */
#include <pthread.h>
#include <pthreadpool.h>
#include <stdbool.h>
#include <stdlib.h>

struct pthreadpool {
    pthread_mutex_t region; /* held while a region runs: callers take turns */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    pthread_t *threads;
    size_t n_threads; /* the caller included */
    /* The region in progress; guarded by lock. */
    pthreadpool_task_1d_t task;
    void *context;
    size_t range, next, running;
    bool ending;
};

/* Takes items until none is left; called and left with the lock held. */
static void drain(struct pthreadpool *pool)
{
    while (pool->next < pool->range) {
        size_t item = pool->next++;
        pool->running++;
        pthread_mutex_unlock(&pool->lock);
        pool->task(pool->context, item);
        pthread_mutex_lock(&pool->lock);
        pool->running--;
    }
    if (pool->running == 0) {
        pthread_cond_broadcast(&pool->done);
    }
}

static void *work(void *argument)
{
    struct pthreadpool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    while (!pool->ending) {
        drain(pool);
        if (!pool->ending) {
            pthread_cond_wait(&pool->wake, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

pthreadpool_t pthreadpool_create(size_t threads_count)
{
    struct pthreadpool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return NULL;
    }
    pool->n_threads = 1;
    pool->threads = calloc(threads_count, sizeof *pool->threads);
    pthread_mutex_init(&pool->region, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (size_t i = 1; pool->threads != NULL && i < threads_count; i++) {
        if (pthread_create(&pool->threads[i], NULL, work, pool) != 0) {
            break;
        }
        pool->n_threads++;
    }
    if (pool->n_threads != threads_count) {
        pthreadpool_destroy(pool);
        return NULL;
    }
    return pool;
}

void pthreadpool_destroy(pthreadpool_t pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 1; i < pool->n_threads; i++) {
        pthread_join(pool->threads[i], NULL);
    }
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->region);
    free(pool->threads);
    free(pool);
}

size_t pthreadpool_get_threads_count(pthreadpool_t pool)
{
    return pool == NULL ? 1 : pool->n_threads;
}

void pthreadpool_parallelize_1d(pthreadpool_t pool, pthreadpool_task_1d_t task, void *context,
                                size_t range, uint32_t flags)
{
    (void)flags;
    if (pool == NULL) {
        for (size_t i = 0; i < range; i++) {
            task(context, i);
        }
        return;
    }
    pthread_mutex_lock(&pool->region);
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->context = context;
    pool->next = 0;
    pool->range = range;
    pthread_cond_broadcast(&pool->wake);
    drain(pool);
    while (pool->running > 0) {
        pthread_cond_wait(&pool->done, &pool->lock);
    }
    pool->range = 0;
    pthread_mutex_unlock(&pool->lock);
    pthread_mutex_unlock(&pool->region);
}
