/* SPDX-License-Identifier: Apache-2.0 */
/* Hugging Face folders through the public API. An input is five files: config.json, tokenizer.json,
 * tokenizer_config.json, the index of shards, and the weights. The first four have their length (32
 * bits) before them. generation_config.json has the text of config.json. Empty files are not
 * written; with an index the weights are a shard. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "model/model.h"
#include "support/random.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG, TOKENIZER, SETTINGS, INDEX, WEIGHTS, N_FILES, MAX_FOLDER = 1 << 18 };

typedef struct section {
    const uint8_t *data;
    size_t size;
} section;

static void split(const uint8_t *data, size_t size, section sections[N_FILES])
{
    size_t at = 0;
    for (int i = 0; i < N_FILES; i++) {
        uint64_t n = size - at;
        if (i < WEIGHTS) {
            n = size - at >= 4 ? fuzz_get(data + at, 4) : 0;
            at += size - at >= 4 ? 4 : size - at;
            n = n < size - at ? n : size - at;
        }
        sections[i] = (section){data + at, (size_t)n};
        at += (size_t)n;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    section sections[N_FILES];
    uint8_t *old = malloc(size + 1);
    uint8_t *changed = malloc(max_size);
    if (old == NULL || changed == NULL || fuzz_one_in(&random, 64)) {
        free(old);
        free(changed);
        return LLVMFuzzerMutate(data, size, max_size);
    }
    memcpy(old, data, size);
    split(old, size, sections);
    for (uint32_t n = 1 + random_below(&random, 2); n > 0; n--) {
        section *p = &sections[random_below(&random, N_FILES)];
        size_t most = max_size > size + 16 ? p->size + (max_size - size - 16) : p->size;
        if (p->data == changed || p->size == 0 || most > max_size) {
            continue;
        }
        memcpy(changed, p->data, p->size);
        p->size = p == &sections[WEIGHTS] ? fuzz_mutate_safetensors(&random, changed, p->size, most)
                                          : fuzz_mutate_json(&random, changed, p->size, most);
        p->data = changed;
        break;
    }
    size_t at = 0;
    for (int i = 0; i < N_FILES; i++) {
        if (sections[i].size > max_size - at ||
            (i < WEIGHTS && sections[i].size + 4 > max_size - at)) {
            break;
        }
        if (i < WEIGHTS) {
            fuzz_put(data + at, sections[i].size, 4);
            at += 4;
        }
        memcpy(data + at, sections[i].data, sections[i].size);
        at += sections[i].size;
    }
    free(old);
    free(changed);
    return at;
}

static void write_folder(const section sections[N_FILES], const char *paths[N_FILES + 1])
{
    bool index = sections[INDEX].size > 0;
    for (int i = 0; i <= N_FILES; i++) {
        const section *p = &sections[i < N_FILES ? i : WEIGHTS];
        bool there = p->size > 0 && (i < WEIGHTS || index == (i == N_FILES));
        if (there) {
            fuzz_write(paths[i], p->data, p->size);
        } else {
            unlink(paths[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lfm2_runtime *runtime;
    static char *folder;
    static const char *const names[N_FILES + 1] = {
        "config.json",           "tokenizer.json",
        "tokenizer_config.json", "model.safetensors.index.json",
        "model.safetensors",     "a.safetensors"};
    static const char *paths[N_FILES + 1];
    static char *generation;
    if (runtime == NULL) {
        runtime = fuzz_runtime(LFM2_KERNELS_AUTO);
        for (int i = 0; i <= N_FILES; i++) {
            paths[i] = fuzz_file(names[i]);
        }
        generation = strdup(fuzz_file("generation_config.json"));
        folder = strdup(paths[0]);
        fuzz_must(folder != NULL && generation != NULL);
        *strrchr(folder, '/') = '\0';
    }
    if (size > MAX_FOLDER) {
        return -1;
    }
    section sections[N_FILES];
    split(data, size, sections);
    write_folder(sections, paths);
    if (sections[CONFIG].size > 0) {
        fuzz_write(generation, sections[CONFIG].data, sections[CONFIG].size);
    } else {
        unlink(generation);
    }
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.cache = LFM2_CACHE_OFF;
    lfm2_model *model = NULL;
    fuzz_memory_begin(size);
    int32_t status = lfm2_model_load(runtime, folder, &options, &model);
    fuzz_count(status, fuzz_folder_syntax);
    if (status == LFM2_OK) {
        fuzz_check_source(model->source);
        fuzz_use_model(model, (uint32_t)size);
        lfm2_model_free(model);
    }
    fuzz_memory_end();
    return 0;
}
