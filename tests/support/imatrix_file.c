/* SPDX-License-Identifier: Apache-2.0 */
/* Makes an importance matrix for the matrices of a model. */
#include "support/imatrix_file.h"

#include "load/source.h"
#include "support/gguf_builder.h"
#include "support/models.h"

#include <stdio.h>
#include <string.h>

static void put(gguf_builder *b, const char *name, const char *suffix, uint64_t n, uint64_t experts,
                const float *values)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", name, suffix);
    const uint64_t dims[] = {n, experts};
    uint64_t bytes = n * experts * sizeof *values;
    gb_tensor(b, full, LF_F32, 2, dims, bytes);
    memcpy(gb_last_data(b, bytes), values, bytes);
}

void lft_write_imatrix(const char *model, const char *path)
{
    static float values[1 << 16];
    const lf_log silent = {0};
    lf_alloc alloc = lf_alloc_default();
    lf_source *source = NULL;
    gguf_builder b;
    const char *const datasets[] = {"text.txt"};
    LFT_OK(lf_source_open(&alloc, &silent, model, &source));
    gb_init(&b);
    gb_string(&b, "general.type", "imatrix");
    gb_strings(&b, "imatrix.datasets", datasets, 1);
    gb_u32(&b, "imatrix.chunk_count", 3);
    gb_u32(&b, "imatrix.chunk_size", 512);
    uint64_t t = 0;
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const lf_tensor *m = &source->tensors[i];
        if (strncmp(m->name, "blk.", 4) != 0 || m->n_dims < 2 || strstr(m->name, ".conv.")) {
            continue;
        }
        uint64_t n = m->ne[0] * m->ne[2];
        for (uint64_t k = 0; k < n; k++) {
            values[k] = (float)((37 * k + 11 * t) % 251 + 1) * 0.125f;
        }
        put(&b, m->name, "in_sum2", m->ne[0], m->ne[2], values);
        for (uint64_t e = 0; e < m->ne[2]; e++) {
            values[e] = m->ne[2] > 1 ? (float)(e % 5 * 8) : 8.0f;
        }
        put(&b, m->name, "counts", 1, m->ne[2], values);
        t++;
    }
    gb_finish(&b);
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
    lf_source_close(source);
}
