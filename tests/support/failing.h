/* SPDX-License-Identifier: Apache-2.0 */
/* Calls whose allocations fail. */
#ifndef LF_TESTS_FAILING_H
#define LF_TESTS_FAILING_H

#include "support/models.h"

/* One call; what it makes is freed before it returns. */
typedef int32_t lft_failing_call(void);

/* Runs `call` with its first allocation failing, then its second, and so on, until none is left to
 * fail: it returns MEMORY, nothing leaks, and then it succeeds. `memory` is the allocator of the
 * runtime; `output` (or NULL) is a file that must exist after success alone. */
void lft_check_failing(lft_memory *memory, lft_failing_call *call, const char *output);

#endif /* LF_TESTS_FAILING_H */
