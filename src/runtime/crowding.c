/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the choice: fewer threads when processors are lost, one more after a delay. A thread
 * that shares its processor delays the end of every region; the others are faster without it. */
#include "runtime/crowding.h"

/* A thread that shares its processor with a busy program loses at least a third of its time; any
 * thread occasionally loses a few percent. */
static const double LITTLE = 0.15, MUCH = 0.3;

static const uint64_t DECIDE_NS = 20000000;
static const uint64_t LEAST_WAIT_NS = 40000000, MOST_WAIT_NS = 2000000000;

void lf_crowding_init(lf_crowding *crowding, uint32_t n_threads)
{
    *crowding = (lf_crowding){.n_threads = n_threads, .active = n_threads, .wait = LEAST_WAIT_NS};
}

bool lf_crowding_due(const lf_crowding *crowding, uint64_t now)
{
    return now >= crowding->decide_at;
}

double lf_crowding_counts(double share)
{
    return share > LITTLE ? share : 0;
}

void lf_crowding_decide(lf_crowding *c, double lost, uint64_t now)
{
    c->decide_at = now + DECIDE_NS;
    if (lost >= MUCH) {
        uint32_t drop = lost < 1 ? 1 : (uint32_t)(lost + 0.5);
        if (c->raised) { /* the retry failed: wait longer before the next one */
            c->wait = 2 * c->wait < MOST_WAIT_NS ? 2 * c->wait : MOST_WAIT_NS;
        }
        c->active = c->active > drop ? c->active - drop : 1;
        c->raised = false;
        c->retry_at = now + c->wait;
    } else if (c->active == c->n_threads) {
        c->raised = false;
        c->wait = c->wait / 2 > LEAST_WAIT_NS ? c->wait / 2 : LEAST_WAIT_NS;
    } else if (now >= c->retry_at) {
        c->active++;
        c->raised = true;
    }
}
