/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a prefix cache: saved sessions, which are named after their tokens and shared by
 * processes. */
#ifndef LF_RUN_PREFIX_DISK_H
#define LF_RUN_PREFIX_DISK_H

#include "common/lock.h"
#include "run/prefix_folder.h"
#include "run/session.h"

enum { LF_DISK_BUCKETS = 256 };

/* Any thread may use it at any time. The lock guards the index, which is what this process knows of
 * the folder; no file is read or written under it. The files have no lock: they appear complete,
 * never change, and may vanish at any time. */
typedef struct lf_prefix_disk {
    lfm2_model *model; /* of the cache, which holds the reference */
    char *folder;
    size_t folder_bytes; /* of `folder`, with its 0 */
    uint64_t keys[LF_KV_COUNT];
    lf_lock lock;
    struct lf_disk_entry *entries[LF_DISK_BUCKETS]; /* by name.hash */
    uint64_t listing;                               /* number of the last listing */
    uint64_t changed_ns; /* time of the folder's last change that is in the index; 0: unknown */
    atomic_uint_fast64_t budget;
    atomic_uint_fast64_t bytes, n_files; /* of the folder, when they were counted last */
    atomic_uint_fast64_t n_hits, n_evicted, n_bad;
} lf_prefix_disk;

/* Creates the folder if it does not exist, counts its files and deletes the oldest above the
 * budget. Errors: ARGUMENT (others may write to the folder), IO, MEMORY. */
int32_t lf_prefix_disk_create(lfm2_model *model, const char *folder, uint64_t budget,
                              lf_prefix_disk **out);
void lf_prefix_disk_free(lf_prefix_disk *disk); /* NULL is allowed */

/* What was read from a file. */
typedef struct lf_disk_hit {
    uint32_t length;   /* 0: there is nothing better */
    bool warm_up;      /* the history must be computed */
    lf_floats *logits; /* a reference to those after the last token, or NULL */
} lf_disk_hit;

/* Reads the longest saved prefix of ids[0..n) into a session without tokens, if it has more than
 * `least` tokens. It is shorter than n, unless there are logits. Files that are damaged or foreign
 * are deleted and are as if they did not exist, as are all files if the KV budget is used up.
 * Errors: MEMORY; the session is then still without tokens. */
int32_t lf_prefix_disk_read(lf_prefix_disk *disk, lfm2_session *session, const int32_t *ids,
                            uint32_t n, uint32_t least, lf_disk_hit *hit);

/* Saves a session, unless the folder has its tokens; files whose tokens it begins with are deleted,
 * then the files that were not used for the longest time. Errors: MEMORY, IO. */
int32_t lf_prefix_disk_save(lf_prefix_disk *disk, const lfm2_session *session);

/* Sets the budget and deletes what exceeds it. Errors: IO. */
int32_t lf_prefix_disk_set_budget(lf_prefix_disk *disk, uint64_t budget);

#endif /* LF_RUN_PREFIX_DISK_H */
