/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors files from memory: every tensor of an accepted header must be inside the file. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "load/hf.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    return fuzz_mutate_safetensors(&random, data, size, max_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "fuzz.safetensors";
    static const char *const syntax[] = {"json.", "safetensors.truncated", "safetensors.header",
                                         NULL};
    lf_alloc alloc = fuzz_memory();
    lf_file file = {.data = data, .size = size, .path = path, .alloc = &alloc};
    lf_arena arena;
    lf_st_tensor *tensors = NULL;
    uint32_t n = 0;
    fuzz_memory_begin(size);
    lf_arena_init(&arena, &alloc);
    int32_t status = lf_safetensors_parse(&arena, &file, 0, &tensors, &n);
    fuzz_count(status, syntax);
    for (uint32_t i = 0; status == LFM2_OK && i < n; i++) {
        fuzz_must(tensors[i].offset <= size && tensors[i].bytes <= size - tensors[i].offset);
    }
    lf_arena_free(&arena);
    fuzz_memory_end();
    return 0;
}
