/* SPDX-License-Identifier: Apache-2.0 */
/* The custom_ids of a batch, to name those that occur twice. */
#ifndef LFM2_CLI_BATCH_IDS_H
#define LFM2_CLI_BATCH_IDS_H

#include "cli/support/output.h"

/* The first this many ids of an input are remembered, by hashes of 64 bits: in 128 MiB. */
enum { BATCH_MAX_IDS = 4 << 20 };

typedef struct batch_ids {
    struct batch_id *slots; /* open addressing */
    uint32_t n_slots;       /* a power of two, or 0 */
    uint32_t n;
} batch_ids;

/* Adds the id with this hash. *first receives the line that has it: `number`, or an earlier one.
 * Does nothing if the table is full. Returns EXIT_OK, or EXIT_FAILED after a message. */
int batch_ids_add(batch_ids *ids, uint64_t hash, uint64_t number, uint64_t *first);
void batch_ids_free(batch_ids *ids);

#endif /* LFM2_CLI_BATCH_IDS_H */
