/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF files from memory: header, keys, tensors, hyper-parameters, vocabulary, names and shapes;
 * every expert of a file that is accepted must be inside it. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    return fuzz_mutate_gguf(&random, data, size, max_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_alloc alloc = fuzz_memory();
    lf_origin origin = {.kind = LF_FROM_MEMORY, .memory = data, .bytes = size};
    lf_source *s = NULL;
    fuzz_memory_begin(size);
    int32_t status = lf_source_open_from(&alloc, NULL, &origin, &s);
    fuzz_count(status, fuzz_gguf_syntax);
    if (status == LFM2_OK) {
        fuzz_check_source(s);
        lf_source_close(s);
    }
    fuzz_memory_end();
    return 0;
}
