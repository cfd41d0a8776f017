/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF files from memory: header, keys, tensors, hyper-parameters, vocabulary, names and shapes;
 * every slab of a file that is accepted must lie inside it. */
#include "load/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const lf_source *s)
{
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        const lf_tensor *t = &s->tensors[i];
        uint64_t last = t->ne[2] * t->ne[3] - 1;
        uint64_t bytes = t->bytes / (last + 1);
        uint64_t at = lf_tensor_place(t, last).offset;
        if (at > s->files[0].size || bytes > s->files[0].size - at) {
            __builtin_trap();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_alloc alloc = lf_alloc_default();
    lf_origin origin = {.kind = LF_FROM_MEMORY, .memory = data, .bytes = size};
    lf_source *s = NULL;
    if (lf_source_open_from(&alloc, NULL, &origin, &s) == LFM2_OK) {
        check(s);
        lf_source_close(s);
    }
    return 0;
}
