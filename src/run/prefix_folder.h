/* SPDX-License-Identifier: Apache-2.0 */
/* The files in the folder of a prefix cache: names, sizes, deleting the oldest. */
#ifndef LF_RUN_PREFIX_FOLDER_H
#define LF_RUN_PREFIX_FOLDER_H

#include "common/status.h"

#include <stdbool.h>

enum { LF_FOLDER_PATH = 4096, LF_FOLDER_NAME = 64, LF_FOLDER_MOST_FILES = 1 << 20 };

/* A file: "KEY-HASH.lfm2kv" or, with a scope, "KEY-HASH-SCOPE.lfm2kv", each as 16 hexadecimal
 * digits. */
typedef struct lf_disk_name {
    uint64_t key;   /* of the model, its kernels and the KV type */
    uint64_t hash;  /* of the scope and the token ids */
    uint64_t scope; /* of the session */
} lf_disk_name;

/* False if `text` is not the name of a file. */
bool lf_folder_parse(const char *text, lf_disk_name *out);

/* Writes the path of a file. The path of the folder leaves space for a name (lf_folder_prepare). */
void lf_folder_path(const char *folder, const lf_disk_name *name, char path[LF_FOLDER_PATH]);

/* Creates the folder, for its owner alone, unless it exists, and writes its absolute path. Errors:
 * IO, ARGUMENT (too long; another user owns it or may write to it). */
int32_t lf_folder_prepare(const char *folder, char path[LF_FOLDER_PATH]);

/* The folder's time of change; 0 if it is unknown or so recent that a later change may have the
 * same time. */
uint64_t lf_folder_changed_ns(const char *folder);

typedef struct lf_folder_size {
    uint64_t bytes, n_files;
    uint64_t n_deleted; /* files that were deleted because of the size */
} lf_folder_size;

/* Deletes the files that were not used for the longest time until there are at most `most` bytes,
 * whatever model they belong to, and temporary files that nobody has written to for 10 minutes.
 * Errors: IO (the folder cannot be listed). */
int32_t lf_folder_shrink(const char *folder, uint64_t most, lf_folder_size *out);

/* Marks a file as used now. */
void lf_folder_touch(const char *path);

#endif /* LF_RUN_PREFIX_FOLDER_H */
