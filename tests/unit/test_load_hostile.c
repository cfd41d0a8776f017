/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of damaged model files: truncated anywhere, bits flipped, every integer at its extremes.
 * Each must open, with all data inside the file, or be refused with a message that names the file,
 * and with little memory. */
#include "support/counting_alloc.h"
#include "support/models.h"
#include "support/tiny_files.h"

#include "load/bind.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEED = 20251, MOST_MEMORY = 64 << 20 };

/* ---- An allocator with a limit ---- */

typedef struct limited {
    size_t live;
    bool exceeded;
} limited;

static void *limited_alloc(void *user, size_t bytes, size_t align)
{
    limited *m = user;
    void *p = NULL;
    if (bytes > MOST_MEMORY - m->live) {
        m->exceeded = true;
        return NULL;
    }
    m->live += bytes;
    return posix_memalign(&p, align, bytes) == 0 ? p : NULL;
}

static void limited_free(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)align;
    ((limited *)user)->live -= bytes;
    free(ptr);
}

/* ---- A file to damage ---- */

typedef struct damaged_file {
    const char *path; /* opened by the library */
    int fd;           /* of the damaged file */
    uint8_t *whole;
    size_t size;
    unsigned opened, refused;
} damaged_file;

static void damaged_init(damaged_file *v, const char *path, const char *file)
{
    *v = (damaged_file){.path = path};
    v->whole = (uint8_t *)lft_read_file(file, &v->size);
    v->fd = open(file, O_RDWR);
    assert_true(v->fd >= 0);
}

static void damaged_free(damaged_file *v)
{
    close(v->fd);
    free(v->whole);
}

static void put(const damaged_file *v, const void *data, size_t n, size_t at)
{
    assert_int_equal(pwrite(v->fd, data, n, (off_t)at), n);
}

static volatile uint8_t touched;

static void check_inside(const lf_source *s, const char *what, uint64_t number)
{
    lf_weights w;
    assert_int_equal(lf_bind(s, &w), LFM2_OK);
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        const lf_tensor *t = &s->tensors[i];
        const lf_file *f = &s->files[t->part];
        for (uint64_t e = 0; e < t->ne[2]; e++) {
            uint64_t at = (uint64_t)(lf_tensor_expert(s, t, e) - f->data);
            if (at > f->size || t->bytes / t->ne[2] > f->size - at) {
                fail_msg("%s %llu: tensor %s lies outside", what, (unsigned long long)number,
                         t->name);
            }
        }
    }
    for (uint32_t i = 0; i < s->vocab.n_tokens; i++) {
        const lf_vocab_token *t = &s->vocab.tokens[i];
        assert_non_null(t->text);
        for (uint32_t k = 0; k < t->len; k++) {
            touched ^= (uint8_t)t->text[k];
        }
    }
}

/* Opens the file in its current state; `what` and `number` describe the damage. */
static void attempt(damaged_file *v, const char *what, uint64_t number)
{
    limited memory = {0};
    lf_alloc alloc = {limited_alloc, limited_free, &memory};
    lf_source *s = NULL;
    int32_t status = lf_source_open(&alloc, NULL, v->path, &s);
    if (status == LFM2_OK) {
        check_inside(s, what, number);
        v->opened++;
    } else {
        bool clean = status == LFM2_E_FORMAT || status == LFM2_E_UNSUPPORTED ||
                     status == LFM2_E_IO || status == LFM2_E_ARGUMENT;
        bool named = strstr(lf_fail_text(), v->path) != NULL && lf_fail_code()[0] != '\0';
        bool plain = true;
        for (const char *p = lf_fail_text(); *p != '\0'; p++) {
            plain = plain && (uint8_t)*p >= ' ' && *p != 0x7F; /* one line, no escapes */
        }
        if (!clean || !named || !plain || s != NULL || memory.exceeded) {
            fail_msg("seed %d, %s %llu: status %d, memory exceeded %d: %s", SEED, what,
                     (unsigned long long)number, status, memory.exceeded, lf_fail_text());
        }
        v->refused++;
    }
    lf_source_close(s);
    assert_int_equal(memory.live, 0);
}

/* Truncates the file to `from` bytes and then in steps of `step` to 0, then restores it. */
static void cut(damaged_file *v, size_t from, size_t step)
{
    unsigned opened = v->opened;
    for (size_t n = from; n < from + 1; n = n >= step ? n - step : SIZE_MAX) {
        assert_int_equal(ftruncate(v->fd, (off_t)n), 0);
        attempt(v, "cut at", n);
    }
    assert_int_equal(v->opened, opened); /* no truncated file is valid */
    put(v, v->whole, v->size, 0);
}

/* Flips one bit at a time: every bit before `all`, then `samples` random bits before `end`. */
static void flip(damaged_file *v, size_t all, size_t end, int samples)
{
    uint64_t random = SEED;
    for (size_t i = 0; i < all * 8 + (size_t)samples; i++) {
        size_t bit = i < all * 8 ? i : lft_random(&random) % (end * 8);
        uint8_t byte = (uint8_t)(v->whole[bit / 8] ^ 1u << bit % 8);
        put(v, &byte, 1, bit / 8);
        attempt(v, "bit", bit);
        put(v, &v->whole[bit / 8], 1, bit / 8);
    }
}

/* Overwrites a few bytes at random places. */
static void overwrite(damaged_file *v, size_t end, int samples)
{
    uint64_t random = SEED + 1;
    for (int i = 0; i < samples; i++) {
        uint64_t noise = lft_random(&random);
        size_t n = 1 + lft_random(&random) % 8;
        size_t at = lft_random(&random) % (end - n);
        put(v, &noise, n, at);
        attempt(v, "noise at", at);
        put(v, v->whole + at, n, at);
    }
}

/* ---- GGUF ---- */

static void extremes(damaged_file *v, const gguf_builder *b)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      0x7F,
                                      0xFFFF,
                                      UINT64_C(1) << 31,
                                      UINT32_MAX,
                                      UINT64_C(1) << 32,
                                      UINT64_C(1) << 61,
                                      UINT64_C(1) << 63,
                                      UINT64_MAX - 31,
                                      UINT64_MAX};
    for (size_t i = 0; i < b->n_fields; i++) {
        const gb_field *f = &b->fields[i];
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            put(v, &values[k], f->bytes, f->offset);
            attempt(v, "field at", f->offset);
        }
        put(v, v->whole + f->offset, f->bytes, f->offset);
    }
}

static void damage_gguf(bool moe)
{
    gguf_builder b;
    damaged_file v;
    tiny_gguf(&b, moe, NULL);
    size_t header = gb_finish(&b);
    gb_write(lft_temp("m.gguf"), b.file.data, b.file.size);
    damaged_init(&v, lft_temp("m.gguf"), lft_temp("m.gguf"));
    attempt(&v, "whole", 0);
    assert_int_equal(v.opened, 1);
    cut(&v, header, 1);
    cut(&v, v.size - 1, 9973);
    flip(&v, 200, header, 1000);
    extremes(&v, &b);
    overwrite(&v, header, 500);
    unsigned refused = v.refused;
    uint64_t data = (header + 31) / 32 * 32;
    uint64_t random = SEED + 2;
    for (int i = 0; i < 50; i++) { /* any weights are valid */
        size_t at = data + lft_random(&random) % (v.size - data);
        uint8_t byte = (uint8_t)~v.whole[at];
        put(&v, &byte, 1, at);
        attempt(&v, "data at", at);
    }
    assert_int_equal(v.refused, refused);
    assert_true(v.refused > v.opened / 4);
    damaged_free(&v);
    gb_free(&b);
}

static void test_gguf(void **state)
{
    (void)state;
    damage_gguf(true);
    lft_end();
}

static void test_gguf_dense(void **state)
{
    (void)state;
    damage_gguf(false);
    lft_end();
}

/* ---- Hugging Face ---- */

static void damage_folder(const char *file, size_t end, size_t step)
{
    damaged_file v;
    damaged_init(&v, lft_temp("hf"), lft_temp(file));
    end = end < v.size ? end : v.size;
    attempt(&v, "whole", 0);
    assert_int_equal(v.opened, 1);
    cut(&v, end - 1, step);
    flip(&v, 16, end, 600);
    overwrite(&v, end, 300);
    attempt(&v, "whole", 1);
    assert_true(v.opened >= 2 && v.refused > 100);
    damaged_free(&v);
}

static void test_folder(void **state)
{
    (void)state;
    tiny_folder f;
    tiny_folder_init(&f, true);
    tiny_folder_write(&f, lft_temp("hf"));
    damage_folder("hf/config.json", SIZE_MAX, 3);
    damage_folder("hf/tokenizer.json", SIZE_MAX, 29);
    damage_folder("hf/tokenizer_config.json", SIZE_MAX, 1);
    damage_folder("hf/model.safetensors", strlen(f.header) + 8, 17);
    tiny_folder_free(&f);
    lft_end();
}

/* ---- Sparse files whose counts would need much memory ---- */

static void test_large_promises(void **state)
{
    (void)state;
    static const uint64_t size = UINT64_C(1) << 33; /* only the header is stored */
    static const struct {
        uint32_t type, item;
        uint64_t count;
    } cases[] = {
        {9, 4, UINT64_C(1) << 30}, {9, 8, UINT64_C(1) << 29}, {9, 8, UINT64_C(1) << 24},
        {8, 0, UINT64_C(1) << 32}, {9, 0, UINT64_C(1) << 32}, {9, 9, UINT64_C(1) << 20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gguf_builder b;
        uint8_t value[12] = {0};
        size_t n = cases[i].type == 9 ? 12 : 8;
        memcpy(value, &cases[i].item, 4);
        memcpy(value + n - 8, &cases[i].count, 8);
        gb_init(&b);
        gb_string(&b, "general.architecture", "lfm2");
        gb_raw(&b, "tokenizer.ggml.tokens", cases[i].type, value, n);
        size_t header = gb_finish(&b);
        gb_write(lft_temp("big.gguf"), b.file.data, header);
        gb_free(&b);
        damaged_file v = {.path = lft_temp("big.gguf"), .fd = open(lft_temp("big.gguf"), O_RDWR)};
        assert_true(v.fd >= 0);
        if (ftruncate(v.fd, (off_t)size) == 0) {
            attempt(&v, "sparse", i);
            assert_int_equal(v.refused, 1);
        }
        close(v.fd);
    }
    uint64_t counts[] = {65537, 65536, UINT64_C(1) << 28};
    for (size_t i = 0; i < 6; i++) {
        uint8_t head[24] = "GGUF\3";
        memcpy(head + (i < 3 ? 8 : 16), &counts[i % 3], 8);
        gb_write(lft_temp("big.gguf"), head, sizeof head);
        damaged_file v = {.path = lft_temp("big.gguf"), .fd = open(lft_temp("big.gguf"), O_RDWR)};
        assert_true(v.fd >= 0);
        if (ftruncate(v.fd, (off_t)size) == 0) {
            attempt(&v, "count", i);
            assert_int_equal(v.refused, 1);
            bool counted = strcmp(lf_fail_code(), "gguf.key.count") == 0 ||
                           strcmp(lf_fail_code(), "gguf.tensor.count") == 0;
            assert_int_equal(counted, i % 3 != 1); /* refused before any read */
        }
        close(v.fd);
    }
    lft_end();
}

/* ---- JSON files of many values ---- */

/* A JSON object of about n bytes with as many values as possible: an array of digits, or short
 * members. */
static char *many_values(size_t n, bool members)
{
    char *text = malloc(n + 64);
    assert_non_null(text);
    size_t used = (size_t)sprintf(text, "{\"x\":%s", members ? "0" : "[0");
    for (unsigned i = 0; used < n; i++) {
        used +=
            (size_t)(members ? sprintf(text + used, ",\"%x\":0", i) : sprintf(text + used, ",0"));
    }
    sprintf(text + used, "%s}", members ? "" : "]");
    return text;
}

/* A JSON file takes a small multiple of what real files need, whatever it contains. */
static void test_json_memory(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t limit, most; /* bytes: of the file, of memory */
    } files[] = {
        {"config.json", 1 << 20, 12 << 20},
        {"generation_config.json", 1 << 20, 12 << 20},
        {"tokenizer_config.json", 8 << 20, 32 << 20},
        {"tokenizer.json", 48 << 20, 256 << 20},
        {"model.safetensors.index.json", 8 << 20, 32 << 20},
    };
    for (size_t i = 0; i < 3 * sizeof files / sizeof files[0]; i++) {
        char path[1024];
        char said[64];
        size_t file = i / 3;
        size_t bytes = files[file].limit - 64 + (i % 3 == 2 ? 128 : 0);
        tiny_folder f;
        tiny_folder_init(&f, true);
        tiny_folder_write(&f, lft_temp("hf"));
        tiny_folder_free(&f);
        if (file == 4) {
            snprintf(path, sizeof path, "%s/model.safetensors", lft_temp("hf"));
            unlink(path);
        }
        snprintf(path, sizeof path, "%s/%s", lft_temp("hf"), files[file].name);
        char *text = many_values(bytes, i % 3 == 1);
        gb_write(path, text, strlen(text));
        free(text);
        counting_alloc counter;
        lf_alloc alloc = counting_alloc_init(&counter);
        lf_source *s = NULL;
        assert_int_equal(lf_source_open(&alloc, NULL, lft_temp("hf"), &s), LFM2_E_FORMAT);
        assert_string_equal(lf_fail_code(), i % 3 == 2 ? "hf.file_size" : "json.too_large");
        snprintf(said, sizeof said, "/%s: ", files[file].name);
        assert_non_null(strstr(lf_fail_text(), said));
        if (counter.peak > files[file].most) {
            fail_msg("%s: %zu bytes of memory", files[file].name, counter.peak);
        }
        unlink(path);
    }
    lft_end();
}

/* A tokenizer.json may have the values of 128,000 tokens and their merges. */
static void test_large_tokenizer(void **state)
{
    (void)state;
    tiny_folder f;
    tiny_folder_init(&f, true);
    char *values = many_values(2 * 700000, false);
    char *text = malloc(strlen(values) + strlen(f.tokenizer) + 32);
    assert_non_null(text);
    sprintf(text, "{\"unused\": %s, %s", values, f.tokenizer + 1);
    free(values);
    free(f.tokenizer);
    f.tokenizer = text;
    tiny_folder_write(&f, lft_temp("hf"));
    tiny_folder_free(&f);
    lf_alloc alloc = lf_alloc_default();
    lf_source *s = NULL;
    LFT_OK(lf_source_open(&alloc, NULL, lft_temp("hf"), &s));
    lf_source_close(s);
    lft_end();
}

/* A chat template may have 4 MiB. */
static void test_large_template(void **state)
{
    (void)state;
    enum { MOST = 4 << 20 };
    static const char start[] = "{\"chat_template\": \"";
    for (size_t more = 0; more < 2; more++) {
        tiny_folder f;
        tiny_folder_init(&f, true);
        free(f.settings);
        size_t n = sizeof start - 1 + MOST + more;
        f.settings = malloc(n + 3);
        assert_non_null(f.settings);
        memset(f.settings, 'x', n);
        memcpy(f.settings, start, sizeof start - 1);
        memcpy(f.settings + n, "\"}", 3);
        tiny_folder_write(&f, lft_temp("hf"));
        tiny_folder_free(&f);
        lf_alloc alloc = lf_alloc_default();
        lf_source *s = NULL;
        int32_t status = lf_source_open(&alloc, NULL, lft_temp("hf"), &s);
        assert_int_equal(status, more == 0 ? LFM2_OK : LFM2_E_FORMAT);
        if (more == 0) {
            assert_int_equal(s->vocab.templates[0].len, MOST);
        } else {
            assert_string_equal(lf_fail_code(), "tokenizer.template");
        }
        lf_source_close(s);
    }
    lft_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf),           cmocka_unit_test(test_gguf_dense),
        cmocka_unit_test(test_folder),         cmocka_unit_test(test_large_promises),
        cmocka_unit_test(test_json_memory),    cmocka_unit_test(test_large_tokenizer),
        cmocka_unit_test(test_large_template),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
