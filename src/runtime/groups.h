/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that the control groups of this process set, and reading small system files. */
#ifndef LF_RUNTIME_GROUPS_H
#define LF_RUNTIME_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LF_GROUP_PATH = 1024 }; /* bytes of the longest path of a group's folder */

/* Reads the start of a small file as text; false if it is missing or empty. */
bool lf_read_text(const char *path, char *text, size_t capacity);

/* Parses a decimal number and moves *text past it; false if there is none or it is 2^48 or more. */
bool lf_read_number(const char **text, uint64_t *value);

/* Reads the limit that one group sets; UINT64_MAX: none. */
typedef uint64_t lf_group_read(const char *folder);

typedef struct lf_group_limit {
    const char *controller; /* its name in version 1 */
    const char *mounts[2];  /* where version 1 may be mounted, below /sys/fs/cgroup */
    lf_group_read *v1, *v2;
} lf_group_limit;

/* The smallest limit of the process's groups and of their ancestors, below the folder `root` (""
 * outside of tests); UINT64_MAX: none. *no_groups: /proc does not name the group, so only the limit
 * of the root group was read. */
uint64_t lf_group_least(const char *root, const lf_group_limit *limit, bool *no_groups);

#endif /* LF_RUNTIME_GROUPS_H */
