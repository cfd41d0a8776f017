/* SPDX-License-Identifier: Apache-2.0 */
/* Saved and restored sessions: every later logit has the bits of the session that was saved, and
 * damaged or foreign bytes are refused. test_session_output.c has files, pipes and full disks. */
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static const int32_t kv_types[] = {LFM2_KV_F16, LFM2_KV_F32, LFM2_KV_Q8};

/* The bytes of a saved session. */
typedef struct saved {
    uint8_t *at;
    size_t n;
} saved;

/* The caller frees them. */
static saved save(const lfm2_session *session, uint32_t flags)
{
    saved s = {NULL, 0};
    size_t again = 0;
    LFT_FAILS(lfm2_session_save_memory(session, flags, NULL, 0, &s.n), LFM2_E_BUFFER);
    s.at = malloc(s.n + 1);
    assert_non_null(s.at);
    s.at[s.n] = 0xEE;
    s.at[0] = 0xEE;
    LFT_FAILS(lfm2_session_save_memory(session, flags, s.at, s.n - 1, &again), LFM2_E_BUFFER);
    assert_true(again == s.n && s.at[0] == 0xEE); /* nothing is written */
    LFT_OK(lfm2_session_save_memory(session, flags, s.at, s.n, &again));
    assert_true(again == s.n && s.at[s.n] == 0xEE);
    return s;
}

static lfm2_restore_options options_of(uint32_t n_ctx, uint32_t n_chunk, int32_t kv)
{
    lfm2_restore_options o;
    lfm2_restore_options_init(&o, sizeof o);
    assert_int_equal(o.kv_type, LFM2_KV_ANY);
    o.n_ctx = n_ctx;
    o.n_chunk = n_chunk;
    o.kv_type = kv;
    return o;
}

static lfm2_session *restore(lfm2_model *model, saved s, const lfm2_restore_options *options)
{
    lfm2_session *session = NULL;
    LFT_OK(lfm2_session_restore_memory(model, s.at, s.n, options, &session));
    return session;
}

/* The restore fails with this status and code, and leaves nothing behind. */
static void refuse(lfm2_model *model, const uint8_t *at, size_t n,
                   const lfm2_restore_options *options, int32_t status, const char *code)
{
    lfm2_session *session = NULL;
    int32_t got = lfm2_session_restore_memory(model, at, n, options, &session);
    lft_expect(got, status, code);
    if (strcmp(lfm2_last_error_code(), code) != 0) {
        fail_msg("%s instead of %s: %s", lfm2_last_error_code(), code, lfm2_last_error());
    }
    assert_null(session);
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    assert_int_equal(usage.used, 0);
}

static uint64_t used(const lfm2_model *model)
{
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    return usage.used;
}

static float *fresh(lfm2_model *model, int32_t kv, const int32_t *ids, size_t n)
{
    size_t vocab = lft_vocab(model);
    float *out = malloc((n + 1) * vocab * sizeof *out);
    assert_non_null(out);
    lfm2_session *session = lft_session(model, (uint32_t)n, 0, kv);
    LFT_OK(lfm2_session_eval(session, ids, n, out));
    lfm2_session_free(session);
    return out;
}

/* ---- The same bits ---- */

/* The session holds ids[0 .. n) and, if n is not 0 and `has_logits`, the logits after them. Then it
 * computes the others, up to `all`: some at once, some one by one. */
static void expect(lfm2_session *session, const int32_t *ids, uint32_t n, uint32_t all,
                   const float *logits, size_t vocab, bool has_logits)
{
    const float *have = NULL;
    int32_t *held = malloc((all + 1) * sizeof *held);
    float *out = malloc(all * vocab * sizeof *out);
    assert_true(held != NULL && out != NULL);
    assert_int_equal(lfm2_session_length(session), n);
    LFT_OK(lfm2_session_tokens(session, 0, n, held));
    assert_memory_equal(held, ids, n * sizeof *ids);
    LFT_FAILS(lfm2_session_logits(session, &have, NULL),
              n > 0 && has_logits ? LFM2_OK : LFM2_E_STATE);
    if (n > 0 && has_logits) {
        assert_memory_equal(have, logits + (n - 1) * vocab, vocab * sizeof *have);
    }
    uint32_t rest = all - n;
    uint32_t at_once = rest * 2 / 3;
    LFT_OK(lfm2_session_eval(session, ids + n, at_once, out));
    assert_memory_equal(out, logits + n * vocab, at_once * vocab * sizeof *out);
    for (uint32_t i = n + at_once; i < all; i++) {
        LFT_OK(lfm2_session_decode(session, ids[i]));
        LFT_OK(lfm2_session_logits(session, &have, NULL));
        assert_memory_equal(have, logits + i * vocab, vocab * sizeof *have);
    }
    free(held);
    free(out);
}

/* Saves sessions of several lengths; a model of its own, with other threads, restores them. */
static void check_model(const char *path, int32_t kernels, int32_t kv)
{
    static const uint32_t lengths[] = {0, 1, 63, 64, 65, 128, 299};
    enum { MORE = 70, MOST = 299 + MORE };
    lfm2_model *model = lft_open(path, 1, kernels, 0);
    lfm2_model *other = lft_open(path, 2, kernels, 0);
    size_t vocab = lft_vocab(model);
    int32_t *ids = lft_ids(MOST, (uint32_t)vocab, 7);
    float *logits = fresh(model, kv, ids, MOST);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint32_t n = lengths[i];
        uint32_t flags = i % 3 == 1 ? LFM2_SAVE_NO_LOGITS : 0;
        lfm2_session *session = lft_session(model, MOST, 50, kv);
        if (n > 0) {
            LFT_OK(lfm2_session_prefill(session, ids, n));
        }
        saved s = save(session, flags);
        const lfm2_restore_options o = options_of(n + MORE, 1 + n, i % 2 == 0 ? kv : LFM2_KV_ANY);
        lfm2_session *copy = restore(other, s, &o);
        assert_int_equal(lfm2_session_capacity(copy), n + MORE);
        assert_int_equal(used(other), used(model));
        saved again = save(copy, 0);
        assert_true(flags != 0 || (again.n == s.n && memcmp(again.at, s.at, s.n) == 0));
        expect(copy, ids, n, n + MORE, logits, vocab, flags == 0);
        lfm2_session_free(copy);
        expect(session, ids, n, n + MORE, logits, vocab, true); /* which did not change */
        lfm2_session_free(session);
        free(again.at);
        free(s.at);
    }
    free(logits);
    free(ids);
    assert_int_equal(used(other), 0);
    lfm2_model_free(other);
    lfm2_model_free(model);
}

static void test_bits(void **state)
{
    (void)state;
    for (int i = 0; lft_cases[i] != NULL; i++) {
        check_model(lft_golden_folder(lft_cases[i]), LFM2_KERNELS_AUTO, kv_types[i % 3]);
    }
    static const int32_t picks[] = {LFM2_KERNELS_SCALAR, LFM2_KERNELS_OWN, LFM2_KERNELS_XNNPACK};
    for (int i = 0; i < 3; i++) {
        check_model(lft_tiny("q4_0"), picks[i], kv_types[i]);
    }
}

/* Sessions with the same tokens are the same bytes, however they came to them. So nothing of a
 * removed token is saved. */
static void test_bytes(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 2, LFM2_KERNELS_AUTO, 0);
    uint32_t vocab = lft_vocab(model);
    int32_t *ids = lft_ids(200, vocab, 1);
    int32_t *others = lft_ids(200, vocab, 2);
    for (uint32_t n = 1; n < 140; n += n == 64 ? 1 : 9) {
        int32_t kv = kv_types[n % 3];
        lfm2_session *session = lft_session(model, 200, 0, kv);
        lfm2_session *longer = lft_reserved(model, 200, 0, kv);
        LFT_OK(lfm2_session_prefill(longer, others, 200));
        LFT_OK(lfm2_session_reset(longer));
        LFT_OK(lfm2_session_prefill(session, ids, n));
        LFT_OK(lfm2_session_prefill(longer, ids, n));
        LFT_OK(lfm2_session_prefill(longer, others, 200 - n));
        lfm2_session *fork = NULL;
        LFT_OK(lfm2_session_fork(longer, &fork));
        LFT_OK(lfm2_session_rewind(longer, n));
        LFT_OK(lfm2_session_rewind(fork, n - 1));
        LFT_OK(lfm2_session_decode(fork, ids[n - 1]));
        saved a = save(session, 0);
        saved b = save(fork, 0);
        assert_true(a.n == b.n && memcmp(a.at, b.at, a.n) == 0);
        saved c = save(session, LFM2_SAVE_NO_LOGITS);
        saved d = save(longer, 0);
        assert_true(c.n == d.n && memcmp(c.at, d.at, c.n) == 0);
        assert_int_equal(a.n - c.n, vocab * sizeof(float) + 8);
        free(a.at);
        free(b.at);
        free(c.at);
        free(d.at);
        lfm2_session_free(session);
        lfm2_session_free(longer);
        lfm2_session_free(fork);
    }
    free(ids);
    free(others);
    lfm2_model_free(model);
}

static void generate(lfm2_session *session, lfm2_sampler *sampler, const int32_t *prompt, size_t n,
                     uint32_t tokens)
{
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.max_tokens = tokens;
    o.flags = LFM2_GENERATE_IGNORE_EOS;
    LFT_OK(lfm2_generate(session, sampler, prompt, n, &o, NULL));
}

/* A session in the middle of a sampled text, whose last token is pending. */
static void test_sampling(void **state)
{
    (void)state;
    enum { N = 90 };
    lfm2_model *model = lft_open(lft_tiny("q8_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_sampler *sampler = NULL, *clone = NULL;
    lfm2_sampler_options so;
    lfm2_sampler_options_init(&so, sizeof so, NULL);
    so.temperature = 1;
    LFT_OK(lfm2_sampler_create(model, &so, &sampler));
    lfm2_session *session = lft_session(model, N, 0, LFM2_KV_Q8);
    generate(session, sampler, (const int32_t[]){5, 6, 7}, 3, 40);
    LFT_OK(lfm2_sampler_clone(sampler, &clone));
    saved s = save(session, 0);
    lfm2_session *copy = restore(model, s, NULL);
    const lfm2_restore_options o = options_of(43, 0, LFM2_KV_ANY);
    lfm2_session *full = restore(model, s, &o);
    /* The pending token counts. */
    assert_int_equal(lfm2_session_length(copy), 43);
    assert_int_equal(lfm2_session_length(full), 43);
    LFT_FAILS(lfm2_session_decode(full, 1), LFM2_E_LIMIT);
    generate(session, sampler, (const int32_t[]){8}, 1, 40);
    generate(copy, clone, (const int32_t[]){8}, 1, 40);
    int32_t ids[N], copied[N];
    LFT_OK(lfm2_session_tokens(session, 0, 84, ids));
    LFT_OK(lfm2_session_tokens(copy, 0, 84, copied));
    assert_memory_equal(ids, copied, 84 * sizeof *ids);
    lfm2_session_free(full);
    lfm2_session_free(copy);
    lfm2_session_free(session);
    lfm2_sampler_free(sampler);
    lfm2_sampler_free(clone);
    const lfm2_restore_options small = options_of(42, 0, LFM2_KV_ANY);
    refuse(model, s.at, s.n, &small, LFM2_E_LIMIT, "session_file.n_ctx");
    free(s.at);
    lfm2_model_free(model);
}

/* With reserved memory, appending allocates nothing. */
static void test_reserve(void **state)
{
    (void)state;
    lft_memory memory = {0};
    lfm2_runtime_options ro;
    lfm2_runtime_options_init(&ro, sizeof ro);
    ro.n_threads = 1;
    ro.alloc = lft_memory_alloc;
    ro.free = lft_memory_free;
    ro.alloc_user = &memory;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&ro, &runtime));
    lfm2_model *model = lft_load(runtime, lft_golden_folder("dense-untied"));
    int32_t *ids = lft_ids(150, lft_vocab(model), 1);
    lfm2_session *session = lft_session(model, 150, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(session, ids, 70));
    saved s = save(session, 0);
    lfm2_restore_options o = options_of(150, 0, LFM2_KV_ANY);
    o.n_reserve = 151;
    lfm2_session *copy = NULL;
    LFT_FAILS(lfm2_session_restore_memory(model, s.at, s.n, &o, &copy), LFM2_E_ARGUMENT);
    o.n_reserve = 150;
    copy = restore(model, s, &o);
    long long calls = atomic_load(&memory.calls);
    LFT_OK(lfm2_session_prefill(copy, ids + 70, 80));
    assert_int_equal(atomic_load(&memory.calls), calls);
    lfm2_session_free(copy);
    lfm2_session_free(session);
    free(s.at);
    free(ids);
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
}

/* ---- Refused ---- */

/* A small session: 3 tokens and a pending one. */
static saved small(lfm2_model *model, int32_t kv)
{
    lfm2_session *session = lft_session(model, 8, 0, kv);
    LFT_OK(lfm2_session_prefill(session, (const int32_t[]){1, 2, 3}, 3));
    saved s = save(session, 0);
    lfm2_session_free(session);
    return s;
}

static void test_damaged(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    saved s = small(model, LFM2_KV_Q8);
    size_t step = lft_sampled() ? 97 : 1;
    print_message("%zu bytes\n", s.n);
    for (size_t i = 0; i < s.n; i += step) {
        uint8_t bit = (uint8_t)(1 << i % 8);
        s.at[i] ^= bit;
        refuse(model, s.at, s.n, NULL, LFM2_E_FORMAT,
               i < 8     ? "session_file.magic"
               : i < 128 ? "session_file.header"
                         : "session_file.checksum");
        s.at[i] ^= bit;
        uint8_t *cut = malloc(i + 1); /* so that the sanitizer sees reads beyond the end */
        assert_non_null(cut);
        memcpy(cut, s.at, i);
        refuse(model, cut, i, NULL, LFM2_E_FORMAT, "session_file.truncated");
        free(cut);
    }
    refuse(model, s.at, s.n + 1, NULL, LFM2_E_FORMAT, "session_file.size");
    lfm2_session_free(restore(model, s, NULL));
    /* Two pages change places. */
    lfm2_session *session = lft_session(model, 128, 0, LFM2_KV_F16);
    int32_t *ids = lft_ids(128, lft_vocab(model), 1);
    LFT_OK(lfm2_session_prefill(session, ids, 128));
    saved two = save(session, 0);
    lfm2_session_free(session);
    lfm2_memory memory = {.size = sizeof memory};
    LFT_OK(lfm2_estimate_memory(model, NULL, &memory));
    size_t page = (size_t)memory.kv_page + 8;
    uint8_t *swap = malloc(page);
    assert_non_null(swap);
    memcpy(swap, two.at + two.n - page, page);
    memmove(two.at + two.n - page, two.at + two.n - 2 * page, page);
    memcpy(two.at + two.n - 2 * page, swap, page);
    refuse(model, two.at, two.n, NULL, LFM2_E_FORMAT, "session_file.checksum");
    free(swap);
    free(two.at);
    free(ids);
    free(s.at);
    lfm2_model_free(model);
}

/* Places in the header. */
enum { VERSION = 8, FLAGS = 12, BYTES = 16, WEIGHTS = 24, KERNELS = 32, PAGE = 40, CONV = 48 };
enum { VOCAB = 56, KV = 60, LENGTH = 64, PENDING = 68, RESERVED = 72, SUM = 120, HEADER = 128 };

static void correct(uint8_t *header)
{
    uint64_t sum = XXH3_64bits(header, SUM);
    memcpy(header + SUM, &sum, sizeof sum);
}

/* A header of as many tokens as its field can count, and a pending one. They do not fit, so no
 * memory is taken for them. */
static void test_longest(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    saved s = small(model, LFM2_KV_F16);
    const uint32_t length = UINT32_MAX, flags = 0;
    const int32_t pending = 0;
    uint64_t page = 0, conv = 0;
    memcpy(&page, s.at + PAGE, sizeof page);
    memcpy(&conv, s.at + CONV, sizeof conv);
    const uint64_t bytes =
        HEADER + 4 * (uint64_t)length + 8 + 4 * conv + 8 + ((uint64_t)length / 64 + 1) * (page + 8);
    memcpy(s.at + FLAGS, &flags, sizeof flags);
    memcpy(s.at + BYTES, &bytes, sizeof bytes);
    memcpy(s.at + LENGTH, &length, sizeof length);
    memcpy(s.at + PENDING, &pending, sizeof pending);
    correct(s.at);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], s.at, HEADER), HEADER);
    close(ends[1]);
    lfm2_session *session = NULL;
    LFT_FAILS(lfm2_session_restore_fd(model, ends[0], NULL, &session), LFM2_E_LIMIT);
    assert_string_equal(lfm2_last_error_code(), "session_file.n_ctx");
    assert_non_null(strstr(lfm2_last_error(), "4294967296 tokens"));
    close(ends[0]);
    free(s.at);
    lfm2_model_free(model);
}

/* Headers with the right checksum that no library writes. */
static void test_header(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        int64_t add;
        int32_t status;
        const char *code;
    } cases[] = {
        {VERSION, 1, LFM2_E_UNSUPPORTED, "session_file.version"},
        {VERSION, -1, LFM2_E_UNSUPPORTED, "session_file.version"},
        {FLAGS, 1, LFM2_E_FORMAT, "session_file.header"},
        {FLAGS, -1, LFM2_E_FORMAT, "session_file.header"},
        {FLAGS, 4, LFM2_E_FORMAT, "session_file.header"},
        {BYTES, 1, LFM2_E_FORMAT, "session_file.header"},
        {BYTES, INT64_MIN, LFM2_E_FORMAT, "session_file.header"},
        {WEIGHTS, 1, LFM2_E_UNSUPPORTED, "session_file.model"},
        {KERNELS, 1, LFM2_E_UNSUPPORTED, "session_file.kernels"},
        {PAGE, 64, LFM2_E_FORMAT, "session_file.header"},
        {CONV, -1, LFM2_E_FORMAT, "session_file.header"},
        {VOCAB, 1, LFM2_E_FORMAT, "session_file.header"},
        {KV, 1, LFM2_E_FORMAT, "session_file.header"},
        {KV, 3, LFM2_E_FORMAT, "session_file.header"},
        {KV, -1, LFM2_E_FORMAT, "session_file.header"},
        {LENGTH, 1, LFM2_E_FORMAT, "session_file.header"},
        {LENGTH, -3, LFM2_E_FORMAT, "session_file.header"},
        {LENGTH, 0x7fffffff, LFM2_E_FORMAT, "session_file.header"},
        {PENDING, -1, LFM2_E_FORMAT, "session_file.header"},
        {PENDING, 0x7fffffff, LFM2_E_FORMAT, "session_file.header"},
        {RESERVED, 1, LFM2_E_FORMAT, "session_file.header"},
        {SUM - 8, 1, LFM2_E_FORMAT, "session_file.header"},
        {PENDING, 6, LFM2_E_FORMAT, "session_file.checksum"}, /* of other parts */
    };
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    saved s = small(model, LFM2_KV_F16);
    uint8_t right[HEADER];
    memcpy(right, s.at, HEADER);
    correct(s.at);
    assert_memory_equal(s.at, right, HEADER); /* the layout is known */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool wide = cases[i].at >= BYTES && cases[i].at < VOCAB;
        uint64_t value = 0;
        memcpy(&value, s.at + cases[i].at, wide ? 8 : 4);
        value += (uint64_t)cases[i].add;
        memcpy(s.at + cases[i].at, &value, wide ? 8 : 4);
        correct(s.at);
        print_message("field at %zu plus %lld\n", cases[i].at, (long long)cases[i].add);
        refuse(model, s.at, s.n, NULL, cases[i].status, cases[i].code);
        memcpy(s.at, right, HEADER);
    }
    int32_t id = (int32_t)lft_vocab(model);
    uint64_t seed = 0;
    memcpy(&seed, s.at + SUM, sizeof seed);
    for (int i = 0; i < 2; i++) { /* a token outside the vocabulary, with the right checksum */
        memcpy(s.at + HEADER + 4, &id, sizeof id);
        uint64_t sum = XXH3_64bits_withSeed(s.at + HEADER, 12, seed);
        memcpy(s.at + HEADER + 12, &sum, sizeof sum);
        refuse(model, s.at, s.n, NULL, LFM2_E_FORMAT, "session_file.token");
        id = -1;
    }
    free(s.at);
    lfm2_model_free(model);
}

/* Other models, kernels and KV types; the same model at another place and other CPUs' kernels. */
static void test_foreign(void **state)
{
    (void)state;
    lfm2_model *scalar = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_SCALAR, 0);
    lfm2_model *own = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_OWN, 0);
    lfm2_model *xnnpack = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_XNNPACK, 0);
    lfm2_model *other = lft_open(lft_tiny("q8_0"), 1, LFM2_KERNELS_SCALAR, 0);
    saved s = small(scalar, LFM2_KV_F32);
    lfm2_session_free(restore(own, s, NULL));
    refuse(xnnpack, s.at, s.n, NULL, LFM2_E_UNSUPPORTED, "session_file.kernels");
    refuse(other, s.at, s.n, NULL, LFM2_E_UNSUPPORTED, "session_file.model");
    assert_non_null(strstr(lfm2_last_error(), "q8_0"));
    lfm2_restore_options o = options_of(0, 0, LFM2_KV_F16);
    refuse(own, s.at, s.n, &o, LFM2_E_UNSUPPORTED, "session_file.kv_type");
    o.kv_type = LFM2_KV_F32;
    lfm2_session_free(restore(own, s, &o));
    o.n_ctx = 2;
    refuse(own, s.at, s.n, &o, LFM2_E_LIMIT, "session_file.n_ctx");
    LFT_OK(lfm2_model_set_kv_budget(own, 1));
    refuse(own, s.at, s.n, NULL, LFM2_E_LIMIT, "kv.budget");
    LFT_OK(lfm2_model_set_kv_budget(own, UINT64_MAX));
    size_t n = 0;
    char *file = lft_read_file(lft_tiny("q4_0"), &n);
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_OWN, 0);
    lfm2_model *copy = NULL;
    LFT_OK(lfm2_model_load_memory(runtime, file, n, NULL, &copy));
    lfm2_session_free(restore(copy, s, NULL)); /* the same file without a path */
    lfm2_model_free(copy);
    const char key[] = "lfm2moe.rope.freq_base";
    size_t at = 0;
    while (at + sizeof key < n && memcmp(file + at, key, sizeof key - 1) != 0) {
        at++;
    }
    float theta = 0; /* the same tensors, another angle */
    at += sizeof key - 1 + sizeof(uint32_t);
    assert_true(at + sizeof theta < n);
    memcpy(&theta, file + at, sizeof theta);
    theta *= 2;
    memcpy(file + at, &theta, sizeof theta);
    LFT_OK(lfm2_model_load_memory(runtime, file, n, NULL, &copy));
    refuse(copy, s.at, s.n, NULL, LFM2_E_UNSUPPORTED, "session_file.model");
    lfm2_model_free(copy);
    lfm2_runtime_free(runtime);
    free(file);
    free(s.at);
    lfm2_model_free(scalar);
    lfm2_model_free(own);
    lfm2_model_free(xnnpack);
    lfm2_model_free(other);
}

static void test_arguments(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_session *session = lft_session(model, 8, 0, LFM2_KV_F16);
    saved s = small(model, LFM2_KV_F16);
    lfm2_session *out = NULL;
    size_t n = 0;
    uint8_t byte = 0;
    LFT_FAILS(lfm2_session_save(NULL, "x", 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_save(session, NULL, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_save(session, "x", 4), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_save_fd(NULL, 1, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_save_fd(session, 1, 1u << 31), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_save_memory(NULL, 0, &byte, 1, &n), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_save_memory(session, 8, &byte, 1, &n), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_save_memory(session, 0, NULL, 1, &n), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_save_memory(session, 0, &byte, 1, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_restore(NULL, "x", NULL, &out), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_restore(model, NULL, NULL, &out), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_restore(model, "x", NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_restore_fd(NULL, 0, NULL, &out), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_restore_fd(model, 0, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_restore_memory(NULL, s.at, s.n, NULL, &out), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_restore_memory(model, NULL, 0, NULL, &out), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_restore_memory(model, s.at, s.n, NULL, NULL), LFM2_E_ARGUMENT);
    lfm2_restore_options o = options_of(UINT32_MAX, 0, LFM2_KV_ANY);
    LFT_FAILS(lfm2_session_restore_memory(model, s.at, s.n, &o, &out), LFM2_E_ARGUMENT);
    o = options_of(0, UINT32_MAX, LFM2_KV_ANY);
    LFT_FAILS(lfm2_session_restore_memory(model, s.at, s.n, &o, &out), LFM2_E_ARGUMENT);
    for (int32_t kv = -3; kv < 6; kv++) {
        o = options_of(0, 0, kv);
        LFT_FAILS(lfm2_session_restore_memory(model, s.at, s.n, &o, &out),
                  kv < -1 || kv > 2                        ? LFM2_E_ARGUMENT
                  : kv == LFM2_KV_ANY || kv == LFM2_KV_F16 ? LFM2_OK
                                                           : LFM2_E_UNSUPPORTED);
        lfm2_session_free(out);
        out = NULL;
    }
    lfm2_model_options mo;
    lfm2_model_options_init(&mo, sizeof mo);
    mo.mode = LFM2_LOAD_INSPECT;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    lfm2_model *inspected = NULL;
    LFT_OK(lfm2_model_load(runtime, lft_golden_folder("moe-plain"), &mo, &inspected));
    LFT_FAILS(lfm2_session_restore_memory(inspected, s.at, s.n, NULL, &out), LFM2_E_STATE);
    lfm2_model_free(inspected);
    lfm2_runtime_free(runtime);
    free(s.at);
    lfm2_session_free(session);
    lfm2_model_free(model);
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),      cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_sampling),  cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_damaged),   cmocka_unit_test(test_header),
        cmocka_unit_test(test_longest),   cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
