/* SPDX-License-Identifier: Apache-2.0 */
/* The custom_ids of a batch, to name those that occur twice. */
#include "cli/batch/batch_ids.h"

#include <stdlib.h>

typedef struct batch_id {
    uint64_t hash, number; /* number 0 = an empty slot */
} batch_id;

static batch_id *find(const batch_ids *ids, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (ids->n_slots - 1);
    while (ids->slots[i].number != 0 && ids->slots[i].hash != hash) {
        i = (i + 1) & (ids->n_slots - 1);
    }
    return &ids->slots[i];
}

static int grow(batch_ids *ids)
{
    enum { FIRST_SLOTS = 1024 };
    batch_ids grown = {.n_slots = ids->n_slots > 0 ? ids->n_slots * 2 : FIRST_SLOTS, .n = ids->n};
    grown.slots = calloc(grown.n_slots, sizeof *grown.slots);
    if (grown.slots == NULL) {
        return fail("cli.memory", "out of memory for %u ids", grown.n_slots);
    }
    for (uint32_t i = 0; i < ids->n_slots; i++) {
        if (ids->slots[i].number != 0) {
            *find(&grown, ids->slots[i].hash) = ids->slots[i];
        }
    }
    free(ids->slots);
    *ids = grown;
    return EXIT_OK;
}

int batch_ids_add(batch_ids *ids, uint64_t hash, uint64_t number, uint64_t *first)
{
    *first = number;
    if (ids->n >= ids->n_slots / 2 && ids->n < BATCH_MAX_IDS) {
        int code = grow(ids);
        if (code != EXIT_OK) {
            return code;
        }
    }
    batch_id *slot = find(ids, hash);
    if (slot->number != 0) {
        *first = slot->number;
    } else if (ids->n < BATCH_MAX_IDS) {
        *slot = (batch_id){.hash = hash, .number = number};
        ids->n++;
    }
    return EXIT_OK;
}

void batch_ids_free(batch_ids *ids)
{
    free(ids->slots);
    *ids = (batch_ids){0};
}
