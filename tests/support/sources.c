/* SPDX-License-Identifier: Apache-2.0 */
/* The opened source and the model folder of tests of lf_source_open. */
#include "support/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

lf_source *lft_source;
tiny_folder lft_folder;

int lft_source_begin(void **state)
{
    (void)state;
    tiny_folder_init(&lft_folder, true);
    return 0;
}

int lft_source_end(void **state)
{
    (void)state;
    lf_source_close(lft_source);
    lft_source = NULL;
    tiny_folder_free(&lft_folder);
    lft_end();
    return 0;
}

int32_t lft_open_path(const char *path)
{
    lf_alloc heap = lf_alloc_default(); /* the source copies it */
    lf_source_close(lft_source);
    lft_source = NULL;
    return lf_source_open(&heap, NULL, path, &lft_source);
}

int32_t lft_open_folder(void)
{
    tiny_folder_write(&lft_folder, lft_temp("hf"));
    bool moe = strstr(lft_folder.config, "lfm2_moe") != NULL;
    tiny_folder_free(&lft_folder);
    tiny_folder_init(&lft_folder, moe);
    return lft_open_path(lft_temp("hf"));
}

void lft_open_refused(int32_t status, int32_t expected, const char *code, const char *says)
{
    if (status != expected || strcmp(lf_fail_code(), code) != 0 ||
        strstr(lf_fail_text(), says) == NULL) {
        fail_msg("expected %d %s with '%s', got %d %s: %s", expected, code, says, status,
                 lf_fail_code(), lf_fail_text());
    }
    assert_null(lft_source);
}

void lft_open_without_memory(const char *path)
{
    bool done = false;
    for (long long i = 1; !done; i++) {
        lft_memory memory = {.fail_at = i};
        lf_alloc alloc = {lft_memory_alloc, lft_memory_free, &memory};
        lf_source *s = NULL;
        int32_t status = lf_source_open(&alloc, NULL, path, &s);
        done = status == LFM2_OK;
        if (!done && (status != LFM2_E_MEMORY || s != NULL)) {
            fail_msg("allocation %lld: status %d: %s", i, status, lf_fail_text());
        }
        lf_source_close(s);
        assert_int_equal(memory.live_blocks, 0);
        assert_int_equal(memory.live_bytes, 0);
        assert_false(memory.broken);
        assert_in_range(i, 1, 500);
    }
}
