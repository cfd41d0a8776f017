/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that this process can still use. */
#ifndef LF_RUNTIME_MEMORY_H
#define LF_RUNTIME_MEMORY_H

#include <stdint.h>

/* The bytes that the machine and the control groups of this process leave, counting memory that the
 * system can reclaim from its file cache. Reads /proc and /sys under the folder `root` ("" outside
 * of tests). UINT64_MAX: unknown. */
uint64_t lf_memory_left(const char *root);

#endif /* LF_RUNTIME_MEMORY_H */
