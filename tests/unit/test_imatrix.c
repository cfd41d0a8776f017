/* SPDX-License-Identifier: Apache-2.0 */
/* Importance matrices: files that llama-quantize makes with one, the keys of the output, refused
 * files, and the sums that lfm2_imatrix_compute writes.
 * ctest-labels: golden */
#include "convert/imatrix.h"
#include "support/gguf_builder.h"
#include "support/imatrix_file.h"
#include "support/models.h"

#include "model/model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static lfm2_runtime *runtime;
static lf_alloc alloc;

/* ---- Quantization ---- */

static uint32_t crc32_of(const char *path, size_t *size)
{
    char *data = lft_read_file(path, size);
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < *size; i++) {
        crc ^= (uint8_t)data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
        }
    }
    free(data);
    return ~crc;
}

static lfm2_convert_options options_of(const char *preset, const char *mode)
{
    static const char *const types[] = {"blk\\.(1|2)\\.(attn_v|ffn_down)=q5_1",
                                        "ffn_(gate|up)_exps=iq4_nl", "^token_embd|conv\\.out=Q4_1",
                                        "blk\\.\\d+\\.attn_[qk]\\.w=f16"};
    lfm2_convert_options o;
    lfm2_convert_options_init(&o, sizeof o);
    o.type = preset;
    if (strcmp(mode, "types") != 0) {
        o.imatrix = "imatrix.gguf";
    }
    if (strcmp(mode, "imatrix") != 0) {
        o.tensor_types = types;
        o.n_tensor_types = sizeof types / sizeof types[0];
    }
    return o;
}

/* golden/quantize.txt: the files of llama-quantize. Names are relative, because files store them.
 */
static void test_files(void **state)
{
    (void)state;
    FILE *list = fopen(LFM2_TEST_DATA "/golden/quantize.txt", "r");
    assert_non_null(list);
    char preset[16];
    char mode[16];
    size_t size = 0;
    unsigned crc = 0;
    int n = 0;
    const char *in = lft_tiny("f32");
    lft_write_imatrix(in, lft_temp("imatrix.gguf"));
    for (; fscanf(list, "%15s %15s %zu %x", preset, mode, &size, &crc) == 4; n++) {
        if (lft_sampled() && n % 3 != 0) {
            continue;
        }
        const char *out = lft_temp("out.gguf");
        lfm2_convert_options o = options_of(preset, mode);
        size_t got = 0;
        LFT_OK(lfm2_quantize(runtime, in, out, &o));
        if (crc32_of(out, &got) != crc || got != size) {
            fail_msg("%s %s: the file differs from llama-quantize's", preset, mode);
        }
    }
    fclose(list);
    assert_int_equal(n, 17);
}

static bool has_key(const char *path, const char *key)
{
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.mode = LFM2_LOAD_INSPECT;
    lfm2_model *model = NULL;
    LFT_OK(lfm2_model_load(runtime, path, &o, &model));
    bool found = false;
    for (uint32_t i = 0; i < model->source->n_meta; i++) {
        found = found || strcmp(model->source->meta[i].key, key) == 0;
    }
    lfm2_model_free(model);
    return found;
}

/* A file that is made without an importance matrix does not name that of its input. */
static void test_keys(void **state)
{
    (void)state;
    static const char *const keys[] = {"quantize.imatrix.file", "quantize.imatrix.dataset",
                                       "quantize.imatrix.entries_count",
                                       "quantize.imatrix.chunks_count"};
    lfm2_convert_options o = options_of("q8_0", "imatrix");
    const char *first = lft_temp("first.gguf");
    const char *second = lft_temp("second.gguf");
    LFT_OK(lfm2_quantize(runtime, lft_tiny("f32"), first, &o));
    o.imatrix = NULL;
    LFT_OK(lfm2_quantize(runtime, first, second, &o));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_true(has_key(first, keys[i]));
        assert_false(has_key(second, keys[i]));
    }
    LFT_FAILS(lfm2_quantize(runtime, "second.gguf", "imatrix.gguf/x", &o), LFM2_E_IO);
    o = options_of("f16", "types");
    LFT_FAILS(lfm2_quantize(runtime, first, second, &o), LFM2_E_ARGUMENT);
}

/* ---- Refused files ---- */

enum { INPUTS = 4 };

typedef struct spoiled {
    const char *type;          /* general.type */
    bool no_chunks;            /* no key imatrix.chunk_count */
    const char *sums, *counts; /* names of tensors; NULL: absent */
    uint32_t sums_type;
    float value; /* the last of the sums */
} spoiled;

static void write_spoiled(const spoiled *s)
{
    gguf_builder b;
    const uint64_t n[] = {INPUTS};
    const uint64_t one[] = {1};
    const char *const datasets[] = {"a"};
    gb_init(&b);
    gb_string(&b, "general.type", s->type);
    gb_strings(&b, "imatrix.datasets", datasets, 1);
    gb_u32(&b, "imatrix.chunk_size", 16);
    if (!s->no_chunks) {
        gb_u32(&b, "imatrix.chunk_count", 1);
    }
    if (s->sums != NULL) {
        gb_tensor(&b, s->sums, s->sums_type, 1, n, INPUTS * (s->sums_type == LF_F32 ? 4 : 2));
        if (s->sums_type == LF_F32) {
            memcpy(gb_last_data(&b, 16) + 12, &s->value, sizeof s->value);
        }
    }
    if (s->counts != NULL) {
        gb_tensor(&b, s->counts, LF_F32, 1, one, 4);
    }
    gb_finish(&b);
    gb_write(lft_temp("spoiled.gguf"), b.file.data, b.file.size);
    gb_free(&b);
}

static int32_t open_spoiled(const spoiled *s, const char *code)
{
    lf_imatrix *m = NULL;
    write_spoiled(s);
    int32_t status = lf_imatrix_open(&alloc, lft_temp("spoiled.gguf"), &m);
    if (status == LFM2_OK) {
        const lf_imatrix_entry *e = NULL;
        float values[INPUTS];
        LFT_OK(lf_imatrix_find(m, "a", INPUTS, 1, &e));
        assert_non_null(e);
        LFT_OK(lf_imatrix_read(m, e, 0, values, INPUTS));
        assert_true(values[0] == 1.0f); /* the count is 0 */
        LFT_FAILS(lf_imatrix_find(m, "a", INPUTS + 1, 1, &e), LFM2_E_FORMAT);
        LFT_FAILS(lf_imatrix_find(m, "a", 1, INPUTS + 1, &e), LFM2_E_FORMAT);
        LFT_OK(lf_imatrix_find(m, "b", INPUTS, 1, &e));
        assert_null(e);
    } else {
        assert_string_equal(lfm2_last_error_code(), code);
    }
    lf_imatrix_close(m);
    return status;
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        spoiled file;
        const char *code;
    } cases[] = {
        {{"model", false, "a.in_sum2", "a.counts", LF_F32, 1.0f}, "imatrix.type"},
        {{"imatrix", true, "a.in_sum2", "a.counts", LF_F32, 1.0f}, "imatrix.key"},
        {{"imatrix", false, "a.in_sum2", NULL, LF_F32, 1.0f}, "imatrix.tensor"},
        {{"imatrix", false, NULL, "a.counts", LF_F32, 1.0f}, "imatrix.tensor"},
        {{"imatrix", false, "a.in_sum2", "b.counts", LF_F32, 1.0f}, "imatrix.tensor"},
        {{"imatrix", false, "a.in_sum2", "a.counts", LF_F16, 1.0f}, "imatrix.tensor"},
        {{"imatrix", false, "a.in_sum2", "a.counts", LF_F32, -1.0f}, "imatrix.tensor"},
        {{"imatrix", false, "a.in_sum2", "a.counts", LF_F32, INFINITY}, "imatrix.tensor"},
        {{"imatrix", false, "a.in_sum2", "a.counts", LF_F32, NAN}, "imatrix.tensor"},
        {{"imatrix", false, "a.in_sum3", NULL, LF_F32, 1.0f}, "imatrix.empty"},
    };
    const spoiled right = {"imatrix", false, "a.in_sum2", "a.counts", LF_F32, 1.0f};
    LFT_OK(open_spoiled(&right, ""));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LFT_FAILS(open_spoiled(&cases[i].file, cases[i].code), LFM2_E_FORMAT);
    }
    static const char old[] = "\1\0\0\0\x12\0\0\0blk.0.attn_k.weight";
    lf_imatrix *m = NULL;
    gb_write(lft_temp("old.dat"), old, sizeof old - 1);
    LFT_FAILS(lf_imatrix_open(&alloc, lft_temp("old.dat"), &m), LFM2_E_UNSUPPORTED);
    assert_string_equal(lfm2_last_error_code(), "imatrix.old");
    LFT_FAILS(lf_imatrix_open(&alloc, lft_temp("absent.gguf"), &m), LFM2_E_IO);
}

/* Matrices of other models are refused before the output is created. */
static void test_other_model(void **state)
{
    (void)state;
    static const char sums[] = "blk.0.ffn_down.weight.in_sum2";
    static const char counts[] = "blk.0.ffn_down.weight.counts";
    const spoiled unknown = {"imatrix", false, "a.in_sum2", "a.counts", LF_F32, 1.0f};
    const spoiled shape = {"imatrix", false, sums, counts, LF_F32, 1.0f};
    const char *out = lft_temp("other.gguf");
    lfm2_convert_options o = options_of("q4_0", "imatrix");
    o.imatrix = "spoiled.gguf";
    write_spoiled(&unknown);
    LFT_FAILS(lfm2_quantize(runtime, lft_tiny("f32"), out, &o), LFM2_E_FORMAT);
    assert_string_equal(lfm2_last_error_code(), "imatrix.model");
    o.type = "q8_0"; /* does not use one */
    LFT_OK(lfm2_quantize(runtime, lft_tiny("f32"), out, &o));
    assert_int_equal(unlink(out), 0);
    write_spoiled(&shape);
    LFT_FAILS(lfm2_quantize(runtime, lft_tiny("f32"), out, &o), LFM2_E_FORMAT);
    assert_string_equal(lfm2_last_error_code(), "imatrix.shape");
    assert_true(access(out, F_OK) != 0);
}

/* ---- Computation ---- */

enum { CONTEXT = 24, CHUNKS = 3, N_IDS = CONTEXT * CHUNKS + 5 };

static void make_ids(int32_t *ids)
{
    for (int32_t i = 0; i < N_IDS; i++) {
        ids[i] = 300 + i * 37 % 900;
    }
}

static lf_imatrix *compute(lfm2_model *model, const char *path)
{
    int32_t ids[N_IDS];
    uint32_t n = 0;
    lf_imatrix *m = NULL;
    lfm2_imatrix_options o;
    lfm2_imatrix_options_init(&o, sizeof o);
    o.n_ctx = CONTEXT;
    make_ids(ids);
    LFT_OK(lfm2_imatrix_compute(model, ids, N_IDS, path, &o, &n));
    assert_int_equal(n, CHUNKS);
    LFT_OK(lf_imatrix_open(&alloc, path, &m));
    return m;
}

/* Means over all experts of an entry, weighted by counts; *total receives the sum of the counts. */
static double *means(const lf_imatrix *m, const char *name, size_t k, size_t experts, double *total)
{
    const lf_imatrix_entry *e = NULL;
    double *sums = calloc(k, sizeof *sums);
    float *row = malloc(k * sizeof *row);
    assert_true(sums != NULL && row != NULL);
    LFT_OK(lf_imatrix_find(m, name, k, experts, &e));
    assert_non_null(e);
    *total = 0;
    for (size_t x = 0; x < experts; x++) {
        float count = 0.0f;
        uint64_t at = e->counts->offset + x * sizeof count;
        LFT_OK(lf_file_read(&m->file, at, &count, sizeof count));
        LFT_OK(lf_imatrix_read(m, e, x, row, k));
        *total += (double)count;
        for (size_t i = 0; i < k; i++) {
            sums[i] += (double)row[i] * (double)count;
        }
    }
    free(row);
    return sums;
}

/* The first matrix multiplies the norm of the embeddings. */
static void check_first(const lfm2_model *model, const lf_imatrix *m)
{
    int32_t ids[N_IDS];
    enum { WIDTH = 256 };
    float row[WIDTH];
    double want[WIDTH] = {0};
    double total = 0;
    make_ids(ids);
    for (int t = 0; t < CONTEXT * CHUNKS; t++) {
        double squares = 0;
        int32_t bos = model->source->vocab.bos_id;
        lf_model_embed(model, t % CONTEXT == 0 ? bos : ids[t], row);
        for (int i = 0; i < WIDTH; i++) {
            squares += (double)row[i] * (double)row[i];
        }
        double scale = squares / WIDTH + (double)model->source->hparams.norm_eps;
        for (int i = 0; i < WIDTH; i++) {
            double v = (double)row[i] * (double)model->layers[0].mixer_norm[i];
            want[i] += v * v / scale;
        }
    }
    double *got = means(m, "blk.0.shortconv.in_proj.weight", WIDTH, 1, &total);
    assert_true(total == CONTEXT * CHUNKS);
    for (int i = 0; i < WIDTH; i++) {
        assert_true(fabs(got[i] - want[i]) <= 1e-5 * want[i]);
    }
    free(got);
}

static void test_compute(void **state)
{
    (void)state;
    const char *one = lft_temp("one.gguf");
    const char *three = lft_temp("three.gguf");
    double total = 0;
    double dense = 0;
    size_t sizes[2];
    lfm2_model *model = lft_load(runtime, lft_tiny("f32"));
    lf_imatrix *m = compute(model, one);
    const lf_hparams *h = &model->source->hparams;
    check_first(model, m);
    /* the router and the experts of a layer have the same inputs */
    double *router = means(m, "blk.3.ffn_gate_inp.weight", h->n_embd, 1, &dense);
    double *experts = means(m, "blk.3.ffn_up_exps.weight", h->n_embd, h->n_expert, &total);
    assert_true(total == dense * h->n_expert_used);
    for (size_t i = 0; i < h->n_embd; i++) {
        assert_true(fabs(experts[i] - router[i] * h->n_expert_used) <= 1e-4 * experts[i]);
    }
    free(experts);
    experts = means(m, "blk.3.ffn_down_exps.weight", h->n_ff_expert, h->n_expert, &total);
    assert_true(total == dense * h->n_expert_used && experts[0] > 0);
    free(experts);
    free(router);
    lf_imatrix_close(m);
    lfm2_model_free(model);
    /* with three threads the same bytes */
    lfm2_runtime *several = lft_runtime(3, LFM2_KERNELS_AUTO, 0);
    model = lft_load(several, lft_tiny("f32"));
    lf_imatrix_close(compute(model, three));
    lfm2_model_free(model);
    lfm2_runtime_free(several);
    assert_int_equal(crc32_of(one, &sizes[0]), crc32_of(three, &sizes[1]));
    assert_int_equal(sizes[0], sizes[1]);
}

static int32_t stop(void *user, double done)
{
    (void)user;
    return done > 0.5;
}

static void test_compute_refused(void **state)
{
    (void)state;
    int32_t ids[N_IDS];
    const char *out = lft_temp("refused.gguf");
    lfm2_model *model = lft_load(runtime, lft_tiny("f32"));
    lfm2_imatrix_options o;
    lfm2_imatrix_options_init(&o, sizeof o);
    make_ids(ids);
    LFT_FAILS(lfm2_imatrix_compute(model, ids, N_IDS, out, &o, NULL), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "imatrix.tokens");
    o.n_ctx = 15;
    LFT_FAILS(lfm2_imatrix_compute(model, ids, N_IDS, out, &o, NULL), LFM2_E_ARGUMENT);
    o.n_ctx = CONTEXT;
    LFT_FAILS(lfm2_imatrix_compute(model, NULL, N_IDS, out, &o, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_imatrix_compute(NULL, ids, N_IDS, out, &o, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_imatrix_compute(model, ids, N_IDS, NULL, &o, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_imatrix_compute(model, ids, N_IDS, lft_tiny("f32"), &o, NULL), LFM2_E_ARGUMENT);
    ids[N_IDS - 1] = -1;
    LFT_FAILS(lfm2_imatrix_compute(model, ids, N_IDS, out, &o, NULL), LFM2_E_ARGUMENT);
    ids[N_IDS - 1] = 1;
    o.progress = stop;
    LFT_FAILS(lfm2_imatrix_compute(model, ids, N_IDS, out, &o, NULL), LFM2_E_STOPPED);
    assert_true(access(out, F_OK) != 0);
    o.progress = NULL;
    o.n_chunks = 1;
    uint32_t n = 0;
    LFT_OK(lfm2_imatrix_compute(model, ids, N_IDS, out, &o, &n));
    assert_int_equal(n, 1);
    lfm2_model_free(model);
}

static int begin(void **state)
{
    (void)state;
    char folder[4096];
    alloc = lf_alloc_default();
    runtime = lft_runtime(2, LFM2_KERNELS_AUTO, 0);
    strcpy(folder, lft_temp("x"));
    *strrchr(folder, '/') = '\0';
    return chdir(folder);
}

static int end(void **state)
{
    (void)state;
    lfm2_runtime_free(runtime);
    return chdir("/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),   cmocka_unit_test(test_keys),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_other_model),
        cmocka_unit_test(test_compute), cmocka_unit_test(test_compute_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
