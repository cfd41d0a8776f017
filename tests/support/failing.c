/* SPDX-License-Identifier: Apache-2.0 */
/* Implements repeating a call with each of its allocations failing in turn. */
#include "support/failing.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

void lft_check_failing(lft_memory *memory, lft_failing_call *call, const char *output)
{
    const long long blocks = atomic_load(&memory->live_blocks);
    const long long bytes = atomic_load(&memory->live_bytes);
    long long n = 1;
    int32_t status = LFM2_E_MEMORY;
    for (; status != LFM2_OK; n++) {
        if (output != NULL) {
            unlink(output);
        }
        atomic_store(&memory->calls, 0);
        atomic_store(&memory->fail_at, n);
        status = call();
        atomic_store(&memory->fail_at, 0);
        if (status != LFM2_OK) {
            lft_expect(status, LFM2_E_MEMORY, "the call with a failing allocation");
            assert_true(n <= atomic_load(&memory->calls));
            assert_true(strlen(lfm2_last_error()) > 0);
        }
        assert_true(output == NULL || (access(output, F_OK) == 0) == (status == LFM2_OK));
        assert_int_equal(atomic_load(&memory->live_blocks), blocks);
        assert_int_equal(atomic_load(&memory->live_bytes), bytes);
        assert_false(atomic_load(&memory->broken));
    }
    print_message("%lld allocations\n", n - 2);
    assert_true(n > 2);
    assert_true(atomic_load(&memory->calls) == n - 2); /* none failed */
}
