/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the lock that knows its process. */
#include "common/lock.h"

#include "common/os.h"

#include <unistd.h>

static const unsigned waited = 1U << 31; /* process ids are positive ints */

bool lf_lock_take(lf_lock *lock)
{
    unsigned self = (unsigned)getpid();
    unsigned taken = self;
    unsigned seen = 0;
    while (!atomic_compare_exchange_strong(&lock->word, &seen, taken)) {
        if ((seen & ~waited) != self) {
            return false;
        }
        if ((seen & waited) != 0 ||
            atomic_compare_exchange_strong(&lock->word, &seen, seen | waited)) {
            lf_os_wait(&lock->word, self | waited);
        }
        taken = self | waited; /* there may be other sleepers, whom lf_lock_give must wake */
        seen = 0;
    }
    return true;
}

void lf_lock_give(lf_lock *lock)
{
    if ((atomic_exchange(&lock->word, 0) & waited) != 0) {
        lf_os_wake(&lock->word);
    }
}
