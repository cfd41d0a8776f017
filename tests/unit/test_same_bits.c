/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own kernels give the same bits on every processor and architecture: logits of the
 * synthetic model in many formats, at every level of instructions, have the recorded checksums.
 * They were recorded on x86-64. A deliberate change of the arithmetic, of the encoders or of the
 * synthetic model changes them; the failing test prints the new ones. */
/* ctest-labels: golden */
#include "support/levels.h"
#include "support/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_IDS = 37 };

typedef struct record {
    const char *type;
    int32_t kv;
    uint64_t checksum;
} record;

static const record records[] = {
    {"q4_0", LFM2_KV_F16, 0x7E9A8B25191DE986},   {"q4_k_m", LFM2_KV_F32, 0x3778601D22978AA8},
    {"q5_k_m", LFM2_KV_Q8, 0xF7D970AEFC6F34A6},  {"q6_k", LFM2_KV_F16, 0xC2FC2E80D9EBC28E},
    {"q8_0", LFM2_KV_F32, 0x809B2BE593ED1B0E},   {"q2_k", LFM2_KV_Q8, 0xD7398FD9B40B1E9F},
    {"q3_k_m", LFM2_KV_F16, 0x395A282CCA8BBA08}, {"iq4_nl", LFM2_KV_F32, 0xC8FEDA77AEDD3ED9},
    {"iq4_xs", LFM2_KV_Q8, 0xB17016F6833FCE04},  {"f16", LFM2_KV_F16, 0x3136F821A37EEDAD},
    {"bf16", LFM2_KV_F32, 0x4B91A62E86E6AED1},   {"f32", LFM2_KV_Q8, 0x1401DAFB33934835},
};
enum { N_RECORDS = sizeof records / sizeof records[0] };

/* FNV-1a of the floats' bit patterns, in the order of the logits. */
static uint64_t checksum_of(const float *logits, size_t n)
{
    uint64_t sum = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        for (int shift = 0; shift < 32; shift += 8) {
            sum = (sum ^ (bits >> shift & 0xFFu)) * 0x100000001B3u;
        }
    }
    return sum;
}

/* All rows in one pass, then the last ones in passes of one row: both kinds of kernels. */
static uint64_t run(const record *r, uint32_t mask)
{
    enum { ALONE = 5 };
    uint32_t disable = lf_cpu_detect().features & ~mask;
    lfm2_model *model = lft_open(lft_tiny(r->type), 2, LFM2_KERNELS_OWN, disable);
    lfm2_session *session = lft_session(model, N_IDS, 0, r->kv);
    size_t n_vocab = lft_vocab(model);
    int32_t *ids = lft_ids(N_IDS, (uint32_t)n_vocab, 5);
    float *logits = calloc(N_IDS * n_vocab, sizeof *logits);
    assert_non_null(logits);
    LFT_OK(lfm2_session_eval(session, ids, N_IDS - ALONE, logits));
    for (size_t i = N_IDS - ALONE; i < N_IDS; i++) {
        LFT_OK(lfm2_session_eval(session, ids + i, 1, logits + i * n_vocab));
    }
    uint64_t sum = checksum_of(logits, N_IDS * n_vocab);
    free(logits);
    free(ids);
    lfm2_session_free(session);
    lfm2_model_free(model);
    return sum;
}

/* Encoding these types takes most of the test's time on an emulated processor. */
static bool slow(const record *r)
{
    return strchr(r->type, 'k') != NULL || strncmp(r->type, "iq", 2) == 0;
}

static void same_bits(void **state)
{
    const record *r = *state;
    if (lft_sampled() && slow(r)) {
        skip();
    }
    uint32_t masks[8];
    size_t n_masks = lft_masks(masks);
    size_t first = lft_sampled() ? (size_t)(r - records) % n_masks : 0;
    size_t end = lft_sampled() ? first + 1 : n_masks;
    for (size_t i = first; i < end; i++) {
        uint64_t sum = run(r, masks[i]);
        if (sum != r->checksum) {
            fail_msg("%s, kernels of the instruction sets 0x%x: 0x%016llX, recorded 0x%016llX",
                     r->type, masks[i], (unsigned long long)sum, (unsigned long long)r->checksum);
        }
    }
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    static lft_tests tests;
    for (size_t i = 0; i < N_RECORDS; i++) {
        lft_add(&tests, records[i].type, NULL, same_bits, &records[i]);
    }
    return cmocka_run_group_tests(tests.list, NULL, end);
}
