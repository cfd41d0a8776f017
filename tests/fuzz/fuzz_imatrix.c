/* SPDX-License-Identifier: Apache-2.0 */
/* Importance matrices: files that are accepted give finite weights for every entry. */
#include "convert/imatrix.h"
#include "fuzz/mutate.h"
#include "fuzz/target.h"

#include <stdlib.h>

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    return fuzz_mutate_gguf(&random, data, size, max_size);
}

static void read_entry(const lf_imatrix *m, const lf_imatrix_entry *e)
{
    uint64_t experts = e->counts->bytes / sizeof(float);
    uint64_t values = e->sums->bytes / sizeof(float);
    const lf_imatrix_entry *found = NULL;
    if (values % experts != 0) {
        return;
    }
    size_t n = (size_t)(values / experts);
    fuzz_must(lf_imatrix_find(m, e->name, n, experts, &found) == LFM2_OK && found == e);
    float *weights = malloc(n * sizeof *weights);
    fuzz_must(weights != NULL);
    for (uint64_t x = 0; x < experts && x < 64; x++) {
        fuzz_must(lf_imatrix_read(m, e, x, weights, n) == LFM2_OK);
        for (size_t i = 0; i < n; i++) {
            fuzz_must(weights[i] >= 0.0f && weights[i] - weights[i] >= 0.0f);
        }
    }
    free(weights);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *path;
    path = path != NULL ? path : fuzz_file("imatrix.gguf");
    lf_alloc alloc = fuzz_memory();
    lf_imatrix *m = NULL;
    fuzz_write(path, data, size);
    fuzz_memory_begin(size);
    int32_t status = lf_imatrix_open(&alloc, path, &m);
    fuzz_count(status, fuzz_gguf_syntax);
    for (uint32_t i = 0; status == LFM2_OK && i < m->n_entries; i++) {
        read_entry(m, &m->entries[i]);
    }
    lf_imatrix_close(m);
    fuzz_memory_end();
    return 0;
}
