/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors files from memory: every tensor of an accepted header must lie inside the file. */
#include "load/hf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "fuzz.safetensors";
    lf_alloc alloc = lf_alloc_default();
    lf_file file = {.data = data, .size = size, .path = path, .alloc = &alloc};
    lf_arena arena;
    lf_st_tensor *tensors = NULL;
    uint32_t n = 0;
    lf_arena_init(&arena, &alloc);
    if (lf_safetensors_parse(&arena, &file, 0, &tensors, &n) == LFM2_OK) {
        for (uint32_t i = 0; i < n; i++) {
            if (tensors[i].offset > size || tensors[i].bytes > size - tensors[i].offset) {
                __builtin_trap();
            }
        }
    }
    lf_arena_free(&arena);
    return 0;
}
