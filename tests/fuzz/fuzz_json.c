/* SPDX-License-Identifier: Apache-2.0 */
/* JSON texts: a parsed value can be traversed and its numbers converted. */
#include "common/json.h"
#include "fuzz/mutate.h"
#include "fuzz/target.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    return fuzz_mutate_json(&random, data, size, max_size);
}

static void walk(const lf_json *v, int depth)
{
    for (; v != NULL; v = depth > 0 ? v->next : NULL) {
        uint64_t u = 0;
        int64_t i = 0;
        double d = 0;
        if (lf_json_u64(v, &u) && !lf_json_double(v, &d)) {
            __builtin_trap(); /* an integer is a number */
        }
        if (lf_json_i64(v, &i) && i >= 0 && (!lf_json_u64(v, &u) || u != (uint64_t)i)) {
            __builtin_trap();
        }
        if (v->kind == LF_JSON_STRING && v->text[v->len] != '\0') {
            __builtin_trap();
        }
        if (v->child != NULL && lf_json_get(v, "a") != NULL && v->kind != LF_JSON_OBJECT) {
            __builtin_trap();
        }
        walk(v->child, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"", NULL};
    lf_alloc alloc = fuzz_memory();
    lf_arena arena;
    const lf_json *root = NULL;
    fuzz_memory_begin(size);
    lf_arena_init(&arena, &alloc);
    int32_t status = lf_json_parse(&arena, "fuzz", LFM2_E_TEXT, (const char *)data, size, &root);
    fuzz_count(status, syntax);
    if (status == LFM2_OK) {
        walk(root, 0);
    }
    lf_arena_free(&arena);
    fuzz_memory_end();
    return 0;
}
