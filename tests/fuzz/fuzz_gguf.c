/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF files from memory: header, keys, tensors, hyper-parameters, vocabulary, names and shapes;
 * every slab of a file that is accepted must lie inside it. */
#include "load/bind.h"
#include "load/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const lf_source *s)
{
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        const lf_tensor *t = &s->tensors[i];
        uint64_t last = t->ne[2] * t->ne[3] - 1;
        uint64_t bytes = t->bytes / (last + 1);
        uint64_t at = (uint64_t)(lf_tensor_slab(t, last) - s->files[0].data);
        if (at > s->files[0].size || bytes > s->files[0].size - at) {
            __builtin_trap();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "fuzz.gguf";
    lf_source s = {.alloc = lf_alloc_default(), .path = path, .n_files = 1};
    lf_file file = {.data = data, .size = size, .path = path, .alloc = &s.alloc};
    s.files = &file;
    lf_arena_init(&s.arena, &s.alloc);
    if (lf_gguf_load(&s) == LFM2_OK && lf_source_finish(&s) == LFM2_OK) {
        check(&s);
    }
    lf_arena_free(&s.arena); /* the file is not a map: it is not closed */
    return 0;
}
