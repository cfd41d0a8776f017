/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF model in two files through the public API: the length of the first (32 bits), the first,
 * the second. A model that loads must compute. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 1 << 18 };

/* Bytes of the first part; the input has at least four. */
static size_t first_size(const uint8_t *data, size_t size)
{
    uint64_t n = fuzz_get(data, 4);
    return n < size - 4 ? (size_t)n : size - 4;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    uint8_t *part = malloc(max_size);
    if (part == NULL || size < 4 || fuzz_one_in(&random, 64)) {
        free(part);
        return LLVMFuzzerMutate(data, size, max_size);
    }
    size_t first = first_size(data, size);
    size_t at = fuzz_one_in(&random, 2) ? 4 : 4 + first;
    size_t n = at == 4 ? first : size - at;
    memcpy(part, data + at, n);
    size_t changed = fuzz_mutate_gguf(&random, part, n, max_size - (size - n));
    memmove(data + at + changed, data + at + n, size - at - n);
    memcpy(data + at, part, changed);
    fuzz_put(data, at == 4 ? changed : first, 4);
    free(part);
    return size - n + changed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lfm2_runtime *runtime;
    static const char *paths[2];
    if (runtime == NULL) {
        runtime = fuzz_runtime(LFM2_KERNELS_AUTO);
        paths[0] = fuzz_file("m-00001-of-00002.gguf");
        paths[1] = fuzz_file("m-00002-of-00002.gguf");
    }
    if (size < 4 || size > MAX_PARTS) {
        return -1;
    }
    size_t first = first_size(data, size);
    fuzz_write(paths[0], data + 4, first);
    fuzz_write(paths[1], data + 4 + first, size - 4 - first);
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.cache = LFM2_CACHE_OFF;
    lfm2_model *model = NULL;
    fuzz_memory_begin(size);
    int32_t status = lfm2_model_load(runtime, paths[0], &options, &model);
    fuzz_count(status, fuzz_gguf_syntax);
    if (status == LFM2_OK) {
        fuzz_check_source(model->source);
        fuzz_use_model(model, (uint32_t)size);
        lfm2_model_free(model);
    }
    fuzz_memory_end();
    return 0;
}
