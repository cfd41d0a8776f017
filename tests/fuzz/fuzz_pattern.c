/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a regular expression and, after a line feed, as a name. */
#include "convert/pattern.h"
#include "fuzz/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"convert.pattern", NULL};
    lf_alloc alloc = fuzz_memory();
    lf_arena arena;
    lf_pattern pattern;
    char *text = malloc(size + 1);
    fuzz_must(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    char *name = memchr(text, '\n', size);
    size_t len = name != NULL ? (size_t)(name - text) : size;
    fuzz_memory_begin(64 * 1024);
    lf_arena_init(&arena, &alloc);
    int32_t status = lf_pattern_compile(&arena, text, len, &pattern);
    fuzz_count(status, syntax);
    if (status == LFM2_OK) {
        fuzz_must(pattern.n <= LF_PATTERN_STEPS);
        bool found = lf_pattern_matches(&pattern, name != NULL ? name + 1 : "blk.0.attn_q.weight");
        fuzz_must(found ==
                  lf_pattern_matches(&pattern, name != NULL ? name + 1 : "blk.0.attn_q.weight"));
    } else {
        fuzz_must(status == LFM2_E_ARGUMENT);
    }
    lf_arena_free(&arena);
    fuzz_memory_end();
    free(text);
    return 0;
}
