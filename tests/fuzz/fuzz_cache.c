/* SPDX-License-Identifier: Apache-2.0 */
/* Pack caches of one small model. An input describes changes of the valid cache: a byte of flags,
 * then records of a byte that names the region, an offset in it (16 bits), a length (8 bits) and
 * that number of bytes. If the header is unchanged and its checksums are corrected, damaged weights
 * are loaded: the model must then compute, or be refused if everything is verified. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "model/model.h"
#include "support/models.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { VERIFY = 1, REPAIR_HEADER = 2, REPAIR_TABLE = 4, CUT = 8, EXTEND = 16, COPY = 32 };
/* The layout of src/load/cache.c. */
enum { PAGE = 4096, HEADER = 72, SUMS_HASH = 56, HEADER_HASH = 64, N_MATRICES = 40 };

static struct {
    lfm2_runtime *runtime;
    const char *model, *cache;
    uint8_t *right; /* the cache file */
    size_t size;
} fixed;

static int32_t load(int32_t mode, bool copy, lfm2_model **model)
{
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.cache = mode;
    options.flags = copy ? LFM2_MODEL_COPY : 0;
    options.cache_path = fixed.cache;
    return lfm2_model_load(fixed.runtime, fixed.model, &options, model);
}

static void set_up(void)
{
    fixed.runtime = fuzz_runtime(LFM2_KERNELS_SCALAR);
    fixed.model = fuzz_file("model.gguf");
    fixed.cache = fuzz_file("model.gguf.lfm2pack");
    size_t size = 0;
    char *seed = lft_read_file(LFM2_TEST_DATA "/fuzz/corpus/model/lfm2", &size);
    fuzz_write(fixed.model, seed, size);
    free(seed);
    lfm2_model *model = NULL;
    fuzz_must(load(LFM2_CACHE_OFF, false, &model) == LFM2_OK);
    fuzz_must(lfm2_model_save_cache(model, fixed.cache) == LFM2_OK);
    lfm2_model_free(model);
    fixed.right = (uint8_t *)lft_read_file(fixed.cache, &fixed.size);
    uint64_t hash = fuzz_get(fixed.right + HEADER_HASH, 8);
    fuzz_must(hash == XXH3_64bits(fixed.right, HEADER_HASH)); /* checks the layout */
}

/* Applies the records to the cache. */
static void apply(uint8_t *file, const uint8_t *data, size_t size)
{
    uint64_t n = fuzz_get(fixed.right + N_MATRICES, 8);
    for (size_t at = 0; size - at >= 4;) {
        static const size_t begins[4] = {0, 0, PAGE, 2 * (size_t)PAGE};
        const size_t sizes[4] = {HEADER, PAGE, (size_t)n * 8, fixed.size - 2 * (size_t)PAGE};
        uint32_t region = data[at] % 4;
        size_t offset = (size_t)fuzz_get(data + at + 1, 2) % sizes[region];
        size_t length = data[at + 3];
        at += 4;
        length = length < size - at ? length : size - at;
        size_t fits = length < sizes[region] - offset ? length : sizes[region] - offset;
        memcpy(file + begins[region] + offset, data + at, fits);
        at += length;
    }
}

static void repair(uint8_t *file, uint32_t flags)
{
    uint64_t n = fuzz_get(fixed.right + N_MATRICES, 8);
    if ((flags & REPAIR_TABLE) != 0) {
        fuzz_put(file + SUMS_HASH, XXH3_64bits(file + PAGE, (size_t)n * 8), 8);
    }
    if ((flags & REPAIR_HEADER) != 0) {
        fuzz_put(file + HEADER_HASH, XXH3_64bits(file, HEADER_HASH), 8);
    }
}

/* All weights in use are undamaged. */
static void check_panels(const lfm2_model *model)
{
    size_t at = 2 * (size_t)PAGE;
    for (size_t i = 0; i < model->n_matrices; i++) {
        const lf_packed *m = model->matrices[i];
        fuzz_must(memcmp(m->panels, fixed.right + at, m->bytes) == 0);
        at += (m->bytes + PAGE - 1) / PAGE * PAGE;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {NULL};
    if (fixed.runtime == NULL) {
        set_up();
    }
    if (size == 0) {
        return 0;
    }
    uint32_t flags = data[0];
    uint8_t *file = calloc(1, fixed.size + 1);
    fuzz_must(file != NULL);
    memcpy(file, fixed.right, fixed.size);
    apply(file, data + 1, size - 1);
    repair(file, flags);
    size_t file_size = fixed.size + ((flags & EXTEND) != 0 ? 1 : 0);
    file_size = (flags & CUT) != 0 ? size * 7919 % fixed.size : file_size;
    fuzz_write(fixed.cache, file, file_size);
    lfm2_model *model = NULL;
    fuzz_memory_begin(fixed.size);
    int32_t mode = (flags & VERIFY) != 0 ? LFM2_CACHE_VERIFY : LFM2_CACHE_USE;
    int32_t status = load(mode, (flags & COPY) != 0, &model);
    fuzz_count(status, syntax);
    if (status == LFM2_OK) {
        lfm2_model_info info = {.size = sizeof info};
        fuzz_must(lfm2_model_get_info(model, &info) == LFM2_OK);
        bool same_key = memcmp(file, fixed.right, SUMS_HASH) == 0;
        fuzz_must(info.from_cache == 0 || (same_key && file_size == fixed.size));
        if (info.from_cache != 0 && (flags & VERIFY) != 0) {
            check_panels(model);
        }
        fuzz_use_model(model, size > 1 ? data[1] : 0);
        lfm2_model_free(model);
    } else {
        fuzz_must(status == LFM2_E_FORMAT && (flags & VERIFY) != 0);
    }
    fuzz_memory_end();
    free(file);
    return 0;
}
