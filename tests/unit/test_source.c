/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of whole models: both containers give the same source; split models; Hugging Face folders
 * of every generation; failing allocations. */
#include "support/counting_alloc.h"
#include "support/sources.h"

#include "load/bind.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The same model twice ---- */

static void expect_same(const lf_source *a, const lf_source *b)
{
    assert_memory_equal(&a->hparams, &b->hparams, sizeof a->hparams);
    assert_int_equal(a->n_tensors, b->n_tensors);
    for (uint32_t i = 0; i < a->n_tensors; i++) {
        const lf_tensor *t = &a->tensors[i];
        const lf_tensor *u = lf_source_find(b, t->name);
        assert_non_null(u);
        assert_int_equal(t->type, u->type);
        assert_int_equal(t->n_dims, u->n_dims);
        assert_memory_equal(t->ne, u->ne, sizeof t->ne);
        assert_int_equal(t->bytes, u->bytes);
        for (uint64_t e = 0; e < t->ne[2]; e++) {
            assert_memory_equal(lf_tensor_expert(a, t, e), lf_tensor_expert(b, u, e),
                                t->bytes / t->ne[2]);
        }
    }
    const lf_vocab_data *v = &a->vocab;
    const lf_vocab_data *w = &b->vocab;
    assert_int_equal(v->n_tokens, w->n_tokens);
    assert_int_equal(v->n_merges, w->n_merges);
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        assert_int_equal(v->tokens[i].kind, w->tokens[i].kind);
        assert_int_equal(v->tokens[i].len, w->tokens[i].len);
        assert_memory_equal(v->tokens[i].text, w->tokens[i].text, v->tokens[i].len);
    }
    for (uint32_t i = 0; i < v->n_merges; i++) {
        assert_int_equal(v->merges[i].left_len, w->merges[i].left_len);
        assert_memory_equal(v->merges[i].left, w->merges[i].left, v->merges[i].left_len);
        assert_int_equal(v->merges[i].right_len, w->merges[i].right_len);
        assert_memory_equal(v->merges[i].right, w->merges[i].right, v->merges[i].right_len);
    }
    assert_int_equal(v->bos_id, w->bos_id);
    assert_int_equal(v->eos_id, w->eos_id);
    assert_int_equal(v->pad_id, w->pad_id);
    assert_int_equal(v->add_bos, w->add_bos);
    assert_int_equal(v->n_templates, w->n_templates);
    for (uint32_t i = 0; i < v->n_templates; i++) {
        assert_string_equal(v->templates[i].name, w->templates[i].name);
        assert_string_equal(v->templates[i].text, w->templates[i].text);
    }
    for (size_t i = 0; i < LF_N_SPECIAL; i++) {
        const char *a_text = v->special[i] != NULL ? v->special[i] : "(none)";
        const char *b_text = w->special[i] != NULL ? w->special[i] : "(none)";
        assert_string_equal(a_text, b_text);
    }
    assert_string_equal(a->file_type, b->file_type);
}

static void test_containers(void **state)
{
    (void)state;
    lf_alloc heap = lf_alloc_default();
    for (int moe = 0; moe < 2; moe++) {
        gguf_builder b;
        lf_source *g = NULL;
        tiny_gguf(&b, moe != 0, NULL);
        gb_finish(&b);
        gb_write(lft_temp("m.gguf"), b.file.data, b.file.size);
        gb_free(&b);
        LFT_OK(lf_source_open(&heap, NULL, lft_temp("m.gguf"), &g));
        tiny_folder_free(&lft_folder);
        tiny_folder_init(&lft_folder, moe != 0);
        LFT_OK(lft_open_folder());
        expect_same(lft_source, g);
        assert_true(lft_source->hugging_face && !g->hugging_face);
        assert_string_equal(lft_source->name, "hf");
        lf_source_close(g);
    }
}

static void test_open_refused(void **state)
{
    (void)state;
    lft_open_refused(lft_open_path(lft_temp("missing")), LFM2_E_IO, "io.open", "missing");
    lft_open_refused(lft_open_path("/dev/null"), LFM2_E_IO, "io.not_regular", "/dev/null");
    gb_write(lft_temp("empty"), "", 0);
    lft_open_refused(lft_open_path(lft_temp("empty")), LFM2_E_FORMAT, "gguf.magic", "empty");
    assert_int_equal(mkdir(lft_temp("dir"), 0700), 0);
    lft_open_refused(lft_open_path(lft_temp("dir")), LFM2_E_IO, "io.open", "dir/config.json");
}

static void test_meta(void **state)
{
    (void)state;
    LFT_OK(lft_open_folder());
    bool seen = false;
    for (uint32_t i = 0; i < lft_source->n_meta; i++) {
        const lf_meta *m = &lft_source->meta[i];
        if (strcmp(m->key, "layer_types") == 0) {
            assert_string_equal(m->value, "[3 values]");
        } else if (strcmp(m->key, "norm_eps") == 0) {
            assert_string_equal(m->value, "1e-05");
            seen = true;
        }
    }
    assert_true(seen);
    gguf_builder b;
    tiny_gguf(&b, true, NULL);
    gb_finish(&b);
    gb_write(lft_temp("m.gguf"), b.file.data, b.file.size);
    gb_free(&b);
    LFT_OK(lft_open_path(lft_temp("m.gguf")));
    seen = false;
    for (uint32_t i = 0; i < lft_source->n_meta; i++) {
        const lf_meta *m = &lft_source->meta[i];
        if (strcmp(m->key, "tokenizer.ggml.tokens") == 0) {
            assert_string_equal(m->value, "[str x 300]");
            seen = true;
        }
    }
    assert_true(seen);
}

/* ---- Split GGUF files ---- */

enum { LARGE = 4 << 20 };

typedef struct split {
    uint32_t count, total; /* as stored in the parts */
    int swapped;           /* part with a wrong number, -1: none */
    const char *twice;     /* tensor that the last part has too */
    uint32_t large;        /* number of parts, counted from the last, with a header of several MB */
} split;

static const char *part_name(uint32_t i, uint32_t n)
{
    char name[64];
    snprintf(name, sizeof name, "s-%05u-of-%05u.gguf", i + 1, n);
    return lft_temp(name);
}

static void split_keys(gguf_builder *b, const split *s, uint32_t i)
{
    uint16_t number = (uint16_t)(s->swapped == (int)i ? i + 1 : i);
    uint16_t count = (uint16_t)s->count;
    int32_t total = (int32_t)s->total;
    gb_raw(b, "split.no", 2, &number, 2);
    gb_raw(b, "split.count", 2, &count, 2);
    gb_raw(b, "split.tensors.count", 5, &total, 4);
}

/* The tiny model in three parts: all but two tensors, one, one. */
static void write_split(const split *s)
{
    static const uint64_t norm[] = {32};
    static const uint64_t q[] = {32, 32};
    gguf_builder b;
    for (uint32_t i = 0; i < 3; i++) {
        if (i == 0) {
            tiny_gguf(&b, true, &(const tiny_change){.skip = "token_embd_norm.weight"});
        } else {
            gb_init(&b);
            gb_tensor(&b, i == 1 ? "token_embd_norm.weight" : s->twice, 0, i == 1 ? 1 : 2,
                      i == 1 ? norm : q, i == 1 ? 128 : 4096);
        }
        split_keys(&b, s, i);
        if (i + s->large >= 3) {
            static char text[LARGE];
            memset(text, 'x', sizeof text - 1);
            gb_string(&b, "large", text);
        }
        gb_finish(&b);
        gb_write(part_name(i, 3), b.file.data, b.file.size);
        gb_free(&b);
    }
}

/* Reads the same parts instead of mapping them: no data is in place, and the bytes are equal. */
static void check_copy(const char *path)
{
    lf_alloc heap = lf_alloc_default();
    lf_source *copy = NULL;
    lf_origin origin = {.kind = LF_FROM_PATH, .path = path, .copy = true};
    LFT_OK(lf_source_open_from(&heap, NULL, &origin, &copy));
    assert_int_equal(copy->n_tensors, lft_source->n_tensors);
    for (uint32_t i = 0; i < copy->n_tensors; i++) {
        const lf_tensor *t = &copy->tensors[i];
        uint8_t *bytes = malloc((size_t)t->bytes);
        assert_non_null(bytes);
        assert_null(lf_tensor_expert(copy, t, 0));
        LFT_OK(lf_tensor_read(copy, t, 0, 0, bytes, (size_t)t->bytes));
        assert_memory_equal(bytes, lf_tensor_expert(lft_source, &lft_source->tensors[i], 0),
                            t->bytes);
        free(bytes);
    }
    lf_source_close(copy);
}

static void test_split(void **state)
{
    (void)state;
    gguf_builder b;
    tiny_gguf(&b, true, NULL);
    uint32_t total = (uint32_t)b.n_tensors;
    gb_free(&b);
    split s = {3, total + 1, -1, "rope_freqs.weight", 0};
    write_split(&s);
    LFT_OK(lft_open_path(part_name(0, 3)));
    assert_int_equal(lft_source->n_files, 3);
    assert_int_equal(lft_source->n_tensors, total + 1);
    const lf_tensor *t = lf_source_find(lft_source, "token_embd_norm.weight");
    assert_int_equal(t->part, 1);
    assert_ptr_equal(lf_tensor_expert(lft_source, t, 0), lft_source->files[1].data + t->offset);
    check_copy(part_name(0, 3));
    lft_open_refused(lft_open_path(part_name(1, 3)), LFM2_E_ARGUMENT, "gguf.split.first",
                     part_name(0, 3));
    s.twice = "blk.1.attn_q.weight";
    write_split(&s);
    lft_open_refused(lft_open_path(part_name(0, 3)), LFM2_E_FORMAT, "source.duplicate",
                     part_name(2, 3));
    s = (split){3, total, -1, "rope_freqs.weight", 0};
    write_split(&s);
    lft_open_refused(lft_open_path(part_name(0, 3)), LFM2_E_FORMAT, "gguf.split",
                     "split.tensors.count");
    s = (split){3, total + 1, 1, "rope_freqs.weight", 0};
    write_split(&s);
    lft_open_refused(lft_open_path(part_name(0, 3)), LFM2_E_FORMAT, "gguf.split",
                     "this file must be part 2 of 3, but it is part 3 of 3");
    s.swapped = 2;
    write_split(&s);
    lft_open_refused(lft_open_path(part_name(0, 3)), LFM2_E_FORMAT, "gguf.split",
                     "the value is 3; it must be below 'split.count', 3");
    s = (split){4, total + 1, -1, "rope_freqs.weight", 0};
    write_split(&s);
    lft_open_refused(lft_open_path(part_name(0, 3)), LFM2_E_FORMAT, "gguf.split.name",
                     "part 1 of 4");
    s.count = 2000;
    write_split(&s);
    lft_open_refused(lft_open_path(part_name(0, 3)), LFM2_E_UNSUPPORTED, "gguf.split",
                     "2000 parts");
    s.count = 3;
    write_split(&s);
    assert_int_equal(rename(part_name(0, 3), lft_temp("renamed.gguf")), 0);
    lft_open_refused(lft_open_path(lft_temp("renamed.gguf")), LFM2_E_UNSUPPORTED, "gguf.split.name",
                     "-00001-of-00003.gguf");
    assert_int_equal(rename(lft_temp("renamed.gguf"), part_name(0, 3)), 0);
    assert_int_equal(unlink(part_name(1, 3)), 0);
    lft_open_refused(lft_open_path(part_name(0, 3)), LFM2_E_IO, "io.open", part_name(1, 3));
    lft_open_refused(lft_open_path(part_name(2, 3)), LFM2_E_ARGUMENT, "gguf.split.first",
                     "part 3 of 3");
}

/* The peak of allocated bytes while the parts are opened. */
static size_t peak_of_split(uint32_t large)
{
    gguf_builder b;
    tiny_gguf(&b, true, NULL);
    split s = {3, (uint32_t)b.n_tensors + 1, -1, "rope_freqs.weight", large};
    gb_free(&b);
    write_split(&s);
    counting_alloc counter;
    lf_alloc counting = counting_alloc_init(&counter);
    lf_source *opened = NULL;
    lf_origin origin = {.kind = LF_FROM_PATH, .path = part_name(0, 3)};
    LFT_OK(lf_source_open_from(&counting, NULL, &origin, &opened));
    lf_source_close(opened);
    assert_int_equal(counter.live, 0);
    return counter.peak;
}

/* Only one header of a part is in memory at a time. */
static void test_split_headers(void **state)
{
    (void)state;
    size_t one = peak_of_split(1);
    assert_true(one > LARGE);
    assert_in_range(peak_of_split(2), one, one + LARGE / 2);
}

/* A model with a single part is not a split model. */
static void test_split_one(void **state)
{
    (void)state;
    gguf_builder b;
    split s = {1, 1000, -1, NULL, 0};
    tiny_gguf(&b, true, NULL);
    split_keys(&b, &s, 0);
    gb_finish(&b);
    gb_write(lft_temp("one.gguf"), b.file.data, b.file.size);
    gb_free(&b);
    LFT_OK(lft_open_path(lft_temp("one.gguf")));
}

/* ---- Memory ---- */

static void test_memory(void **state)
{
    (void)state;
    gguf_builder b;
    tiny_gguf(&b, true, NULL);
    uint32_t total = (uint32_t)b.n_tensors;
    gb_finish(&b);
    gb_write(lft_temp("m.gguf"), b.file.data, b.file.size);
    gb_free(&b);
    lft_open_without_memory(lft_temp("m.gguf"));
    split s = {3, total + 1, -1, "rope_freqs.weight", 0};
    write_split(&s);
    lft_open_without_memory(part_name(0, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_containers, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_open_refused, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_meta, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_split, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_split_headers, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_split_one, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_memory, lft_source_begin, lft_source_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
