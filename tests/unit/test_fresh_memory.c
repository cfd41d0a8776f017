/* SPDX-License-Identifier: Apache-2.0 */
/* Logits do not depend on memory that the session has not written (keys and values of unused
 * positions, the workspace) or that an earlier text has left. Every bit is compared, for each KV
 * type and instruction set. */
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { N_TOKENS = 135, N_PROMPT = 130, N_CHUNK = 48 }; /* three KV blocks, the last partly filled */

/* ---- Memory that is not zero ---- */

static void *fill_alloc(void *byte, size_t bytes, size_t align)
{
    void *p = NULL;
    if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, bytes) != 0) {
        return NULL;
    }
    memset(p, *(const unsigned char *)byte, bytes);
    return p;
}

static void fill_free(void *byte, void *ptr, size_t bytes, size_t align)
{
    (void)byte;
    (void)bytes;
    (void)align;
    free(ptr);
}

static lfm2_model *open_filled(const char *path, uint32_t disable, unsigned char *byte)
{
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 1;
    o.cpu_disable = disable;
    o.alloc = fill_alloc;
    o.free = fill_free;
    o.alloc_user = byte;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    lfm2_model *model = lft_load(runtime, path);
    lfm2_runtime_free(runtime);
    return model;
}

/* ---- The same text on it ---- */

/* Logits of every position: the prompt in chunks, the rest one by one. */
static void eval(lfm2_session *session, const int32_t *ids, size_t vocab, float *logits)
{
    LFT_OK(lfm2_session_eval(session, ids, N_PROMPT, logits));
    for (size_t i = N_PROMPT; i < N_TOKENS; i++) {
        LFT_OK(lfm2_session_eval(session, ids + i, 1, logits + i * vocab));
    }
}

static void check(const char *path, int32_t kv_type, uint32_t disable)
{
    /* Zeros; large numbers of every type; NaNs. */
    static unsigned char fills[] = {0x00, 0x7B, 0xFF};
    float *expected = NULL;
    for (size_t f = 0; f < sizeof fills; f++) {
        lfm2_model *model = open_filled(path, disable, &fills[f]);
        lfm2_session *session = lft_session(model, 192, N_CHUNK, kv_type);
        size_t vocab = lft_vocab(model);
        size_t size = (size_t)N_TOKENS * vocab * sizeof(float);
        int32_t *ids = lft_ids(N_TOKENS, (uint32_t)vocab, 11);
        int32_t *others = lft_ids(N_TOKENS, (uint32_t)vocab, 12);
        float *logits = malloc(size);
        assert_non_null(logits);
        eval(session, ids, vocab, logits);
        if (expected == NULL) {
            expected = logits;
        } else {
            assert_memory_equal(logits, expected, size);
            lfm2_session_reset(session);
            eval(session, others, vocab, logits);
            lfm2_session_reset(session);
            eval(session, ids, vocab, logits);
            assert_memory_equal(logits, expected, size);
            free(logits);
        }
        free(others);
        free(ids);
        lfm2_session_free(session);
        lfm2_model_free(model);
    }
    free(expected);
}

static void test_fresh_memory(void **state)
{
    (void)state;
    static const uint32_t disable[] = {0, LFM2_CPU_AVX512VNNI, LFM2_CPU_AVX512,
                                       LFM2_CPU_AVX512 | LFM2_CPU_AVXVNNI, LFM2_CPU_AVX2};
    static const int32_t kv_types[] = {LFM2_KV_F16, LFM2_KV_F32, LFM2_KV_Q8};
    /* Heads of 32 and of 36 values: full vectors and a remainder. Convolution first, attention
     * first: both use the same memory, and the first one gets it as it was allocated. */
    const char *const paths[] = {lft_golden_folder("moe-plain"), lft_golden_folder("dense-odd"),
                                 lft_golden_folder("dense-untied")};
    for (size_t t = 0; t < sizeof kv_types / sizeof kv_types[0]; t++) {
        for (size_t d = 0; d < sizeof disable / sizeof disable[0]; d++) {
            const size_t n_paths = sizeof paths / sizeof paths[0];
            const size_t step = lft_sampled() ? n_paths : 1;
            for (size_t p = lft_sampled() ? (t + d) % n_paths : 0; p < n_paths; p += step) {
                check(paths[p], kv_types[t], disable[d]);
            }
        }
    }
}

static int teardown(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fresh_memory)};
    return cmocka_run_group_tests(tests, NULL, teardown);
}
