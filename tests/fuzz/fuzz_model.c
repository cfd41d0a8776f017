/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF files through the public API: a model that loads must compute, whatever its weights are.
 * Some models are also converted to another type and loaded again. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "lfm2_tools.h"
#include "model/model.h"

#include <string.h>

enum { MAX_FILE = 1 << 18 };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    return fuzz_mutate_gguf(&random, data, size, max_size);
}

/* Weights that are not finite may be refused; a written file must load. */
static void convert(lfm2_runtime *runtime, const char *from, const char *to, uint32_t choice)
{
    static const char *const types[] = {"q4_0", "q8_0", "q4_k_m", "q6_k", "f16", "bf16", "f32"};
    lfm2_convert_options options;
    lfm2_convert_options_init(&options, sizeof options);
    options.type = types[choice % (sizeof types / sizeof types[0])];
    if (lfm2_quantize(runtime, from, to, &options) == LFM2_OK) {
        lfm2_model_options how;
        lfm2_model_options_init(&how, sizeof how);
        how.mode = LFM2_LOAD_INSPECT;
        lfm2_model *model = NULL;
        fuzz_must(lfm2_model_load(runtime, to, &how, &model) == LFM2_OK);
        lfm2_model_free(model);
    }
}

typedef struct input {
    const uint8_t *data;
    size_t size;
} input;

static int32_t read_input(void *user, uint64_t offset, void *buffer, size_t n)
{
    const input *i = user;
    fuzz_must(offset <= i->size && n <= i->size - offset);
    memcpy(buffer, i->data + offset, n);
    return 0;
}

/* Loads in one of several ways. */
static int32_t load(lfm2_runtime *runtime, const char *path, input data, uint32_t choice,
                    lfm2_model **model)
{
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.cache = LFM2_CACHE_OFF;
    options.merges = (int32_t)(choice % 3);
    options.flags = choice / 3 % 2 == 0 ? 0 : LFM2_MODEL_COPY;
    switch (choice / 6 % 3) {
    case 0:
        return lfm2_model_load(runtime, path, &options, model);
    case 1:
        return lfm2_model_load_memory(runtime, data.data, data.size, &options, model);
    default: {
        lfm2_model_reader reader = {
            .size = sizeof reader, .bytes = data.size, .read = read_input, .user = &data};
        return lfm2_model_load_reader(runtime, &reader, &options, model);
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lfm2_runtime *runtimes[3];
    static const char *path;
    static const char *converted;
    if (path == NULL) {
        path = fuzz_file("model.gguf");
        converted = fuzz_file("converted.gguf");
        runtimes[0] = fuzz_runtime(LFM2_KERNELS_AUTO);
        runtimes[1] = fuzz_runtime(LFM2_KERNELS_SCALAR);
        runtimes[2] = fuzz_runtime(LFM2_KERNELS_OWN);
    }
    if (size > MAX_FILE) {
        return -1; /* not for the corpus: such inputs take too long */
    }
    uint32_t choice = 0; /* depends only on the input */
    for (size_t i = 0; i < size; i++) {
        choice = choice * 31 + data[i];
    }
    fuzz_write(path, data, size);
    lfm2_model *model = NULL;
    fuzz_memory_begin(size);
    int32_t status = load(runtimes[choice % 3], path, (input){data, size}, choice / 3, &model);
    fuzz_count(status, fuzz_gguf_syntax);
    if (status == LFM2_OK) {
        fuzz_check_source(model->source);
        fuzz_use_model(model, choice >> 8);
        lfm2_model_free(model);
        if (choice % 16 == 0) {
            convert(runtimes[0], path, converted, choice >> 4);
        }
    }
    fuzz_memory_end();
    return 0;
}
