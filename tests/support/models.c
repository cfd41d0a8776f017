/* SPDX-License-Identifier: Apache-2.0 */
/* Implements helpers of tests of models: files, golden checkpoints, handles, an allocator. */
#include "support/models.h"

#include "quant/quant.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Files ---- */

enum { MAX_PATHS = 64, PATH_BYTES = 512 };

static char folder[PATH_BYTES];
static char paths[MAX_PATHS][PATH_BYTES];
static int n_paths;

static void join(char out[PATH_BYTES], const char *a, const char *b)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", a, b);
    assert_in_range(n, 1, PATH_BYTES - 1);
}

const char *lft_temp(const char *name)
{
    if (folder[0] == '\0') {
        const char *base = getenv("TMPDIR");
        join(folder, base != NULL && base[0] == '/' ? base : "/tmp", "lfm2-test-XXXXXX");
        assert_non_null(mkdtemp(folder));
    }
    char path[PATH_BYTES];
    join(path, folder, name);
    for (int i = 0; i < n_paths; i++) {
        if (strcmp(paths[i], path) == 0) {
            return paths[i];
        }
    }
    assert_true(n_paths < MAX_PATHS);
    memcpy(paths[n_paths], path, PATH_BYTES);
    return paths[n_paths++];
}

/* Removes a folder of files and of folders of files. */
static void remove_folder(const char *path, int depth)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        char child[PATH_BYTES];
        join(child, path, e->d_name);
        if (unlink(child) != 0 && depth > 0) {
            remove_folder(child, depth - 1);
        }
    }
    closedir(dir);
    rmdir(path);
}

void lft_end(void)
{
    if (folder[0] != '\0') {
        remove_folder(folder, 1);
    }
    folder[0] = '\0';
    n_paths = 0;
}

bool lft_sampled(void)
{
    const char *value = getenv("LFM2_TEST_SAMPLE");
    return value != NULL && value[0] != '\0';
}

char *lft_read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fail_msg("cannot read %s", path);
        return NULL;
    }
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long n = ftell(f);
    assert_true(n >= 0);
    rewind(f);
    char *data = malloc((size_t)n + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)n, f), n);
    data[n] = '\0';
    fclose(f);
    if (size != NULL) {
        *size = (size_t)n;
    }
    return data;
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* ---- Golden checkpoints ---- */

const char *const lft_cases[] = {
    "dense-plain", "dense-untied", "dense-legacy",    "dense-odd",    "moe-plain", "moe-scaled",
    "moe-nobias",  "moe-mixed",    "vl-dense-untied", "vl-moe-plain", NULL};

static char *golden_file(const char *name, const char *file, size_t *size)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/golden/forward/%s/%s", LFM2_TEST_DATA, name, file);
    assert_in_range(n, 1, PATH_BYTES - 1);
    return lft_read_file(path, size);
}

typedef struct tensor_line {
    char name[128], dtype[8];
    uint64_t dims[4];
    uint32_t n_dims;
    uint64_t key;
    double mean, spread;
} tensor_line;

static void parse_tensor(const char *line, tensor_line *t)
{
    char dims[64];
    unsigned long long key = 0;
    int n = sscanf(line, "%127s %7s %63s %llx %lf %lf", t->name, t->dtype, dims, &key, &t->mean,
                   &t->spread);
    assert_int_equal(n, 6);
    t->key = key;
    t->n_dims = 0;
    for (char *p = dims; t->n_dims < 4; p++) {
        t->dims[t->n_dims++] = strtoull(p, &p, 10);
        if (*p != 'x') {
            break;
        }
    }
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Bytes written to out. */
static size_t make_values(const tensor_line *t, uint8_t *out)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        n *= t->dims[i];
    }
    bool half = strcmp(t->dtype, "BF16") == 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t z = mix(t->key + (i + 1) * 0x9E3779B97F4A7C15u);
        double u = (double)(z >> 40) / 8388608.0 - 1.0;
        float value = (float)(t->mean + t->spread * u);
        uint16_t bits = lf_f32_to_bf16(value);
        if (half) {
            memcpy(out + 2 * i, &bits, 2);
        } else {
            memcpy(out + 4 * i, &value, 4);
        }
    }
    return (size_t)n * (half ? 2 : 4);
}

/* The safetensors file of the lines of tensors.txt. */
static void write_safetensors(const char *path, char *lines)
{
    enum { HEADER = 1 << 18, DATA = 1 << 24 };
    char *header = calloc(1, HEADER);
    uint8_t *data = malloc(DATA);
    assert_non_null(header);
    assert_non_null(data);
    size_t used = 8;
    size_t at = 0;
    header[used++] = '{';
    for (char *line = strtok(lines, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        tensor_line t;
        parse_tensor(line, &t);
        size_t bytes = make_values(&t, data + at);
        used +=
            (size_t)snprintf(header + used, HEADER - used, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                             at > 0 ? "," : "", t.name, t.dtype);
        for (uint32_t i = 0; i < t.n_dims; i++) {
            used += (size_t)snprintf(header + used, HEADER - used, "%s%llu", i > 0 ? "," : "",
                                     (unsigned long long)t.dims[i]);
        }
        used += (size_t)snprintf(header + used, HEADER - used, "],\"data_offsets\":[%zu,%zu]}", at,
                                 at + bytes);
        at += bytes;
        assert_true(used < HEADER - 1024 && at < DATA - (4 << 20));
    }
    header[used++] = '}';
    while (used % 8 != 0) { /* aligns the data */
        header[used++] = ' ';
    }
    uint64_t length = used - 8;
    for (int i = 0; i < 8; i++) {
        header[i] = (char)(length >> (8 * i) & 0xFF);
    }
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(header, 1, used, f), used);
    assert_int_equal(fwrite(data, 1, at, f), at);
    assert_int_equal(fclose(f), 0);
    free(header);
    free(data);
}

const char *lft_golden_folder(const char *name)
{
    const char *path = lft_temp(name);
    if (mkdir(path, 0700) != 0) {
        return path; /* exists already */
    }
    size_t size = 0;
    char file[PATH_BYTES];
    char *text = golden_file(name, "config.json", &size);
    join(file, path, "config.json");
    write_file(file, text, size);
    free(text);
    text = golden_file(name, "tensors.txt", NULL);
    join(file, path, "model.safetensors");
    write_safetensors(file, text);
    free(text);
    return path;
}

const char *lft_golden_gguf(const char *name, const char *type)
{
    char file[128];
    snprintf(file, sizeof file, "%s-%s.gguf", name, type);
    const char *path = lft_temp(file);
    if (access(path, F_OK) != 0) {
        lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
        lfm2_convert_options o;
        lfm2_convert_options_init(&o, sizeof o);
        o.type = type;
        LFT_OK(lfm2_quantize(runtime, lft_golden_folder(name), path, &o));
        lfm2_runtime_free(runtime);
    }
    return path;
}

void lft_golden_read(const char *name, lft_golden *out)
{
    *out = (lft_golden){0};
    size_t size = 0;
    char *text = golden_file(name, "ids.txt", &size);
    out->ids = calloc(size, sizeof *out->ids);
    assert_non_null(out->ids);
    for (char *p = strtok(text, " \n"); p != NULL; p = strtok(NULL, " \n")) {
        out->ids[out->n_ids++] = (int32_t)strtol(p, NULL, 10);
    }
    free(text);
    void *logits = golden_file(name, "logits.f32", &size);
    out->logits = logits;
    out->n_vocab = size / sizeof(float) / out->n_ids;
    assert_int_equal(size, out->n_vocab * out->n_ids * sizeof(float));
}

void lft_golden_free(lft_golden *golden)
{
    free(golden->ids);
    free(golden->logits);
    *golden = (lft_golden){0};
}

/* ---- Handles ---- */

static _Thread_local char marked_error[1024];

void lft_mark_error(void)
{
    snprintf(marked_error, sizeof marked_error, "%s", lfm2_last_error());
}

void lft_expect(int32_t status, int32_t expected, const char *what)
{
    if (status != expected) {
        fail_msg("%s: %s, expected %s; last error: %s (%s)", what, lfm2_status_name(status),
                 lfm2_status_name(expected), lfm2_last_error(), lfm2_last_error_code());
    }
    if (status == LFM2_OK && strcmp(marked_error, lfm2_last_error()) != 0) {
        fail_msg("%s: a success that changed the last error from '%s' to '%s'", what, marked_error,
                 lfm2_last_error());
    }
}

lfm2_runtime *lft_runtime(int32_t n_threads, int32_t kernels, uint32_t disable)
{
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = n_threads;
    o.kernels = kernels;
    o.cpu_disable = disable;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    return runtime;
}

uint32_t lft_kernel(const lfm2_runtime *runtime)
{
    lfm2_kernel_info k = {.size = sizeof k};
    uint32_t index = 0;
    do {
        LFT_OK(lfm2_kernel_get(runtime, index++, &k));
    } while (k.available == 0);
    return index - 1;
}

const char *lft_tiny(const char *type)
{
    char name[64];
    snprintf(name, sizeof name, "tiny-%s.gguf", type);
    const char *path = lft_temp(name);
    if (access(path, F_OK) != 0) {
        lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
        lfm2_convert_options o;
        lfm2_convert_options_init(&o, sizeof o);
        o.type = type;
        LFT_OK(lfm2_synthesize(runtime, "tiny", 1, path, &o));
        lfm2_runtime_free(runtime);
    }
    return path;
}

lfm2_model *lft_load(lfm2_runtime *runtime, const char *path)
{
    lfm2_model *model = NULL;
    LFT_OK(lfm2_model_load(runtime, path, NULL, &model));
    return model;
}

static lfm2_session *open_session(lfm2_model *model, uint32_t n_ctx, uint32_t n_chunk,
                                  int32_t kv_type, uint32_t n_reserve)
{
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    o.n_ctx = n_ctx;
    o.n_chunk = n_chunk;
    o.kv_type = kv_type;
    o.n_reserve = n_reserve;
    lfm2_session *session = NULL;
    LFT_OK(lfm2_session_create(model, &o, &session));
    return session;
}

lfm2_session *lft_session(lfm2_model *model, uint32_t n_ctx, uint32_t n_chunk, int32_t kv_type)
{
    return open_session(model, n_ctx, n_chunk, kv_type, 0);
}

lfm2_session *lft_reserved(lfm2_model *model, uint32_t n_ctx, uint32_t n_chunk, int32_t kv_type)
{
    return open_session(model, n_ctx, n_chunk, kv_type, n_ctx);
}

uint32_t lft_vocab(const lfm2_model *model)
{
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(model, &info));
    return info.n_vocab;
}

lfm2_model *lft_open(const char *path, int32_t n_threads, int32_t kernels, uint32_t disable)
{
    lfm2_runtime *runtime = lft_runtime(n_threads, kernels, disable);
    lfm2_model *model = lft_load(runtime, path);
    lfm2_runtime_free(runtime);
    return model;
}

int32_t *lft_ids(size_t n, uint32_t n_vocab, uint64_t seed)
{
    int32_t *ids = calloc(n, sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < n; i++) {
        ids[i] = (int32_t)(lft_random(&seed) % n_vocab);
    }
    return ids;
}

/* ---- Numbers ---- */

uint64_t lft_random(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15u;
    return mix(*state);
}

double lft_unit(uint64_t *state)
{
    return (double)(lft_random(state) >> 11) * 0x1.0p-53;
}

void lft_log_softmax(const float *logits, size_t n, double *out)
{
    double max = -HUGE_VAL;
    for (size_t i = 0; i < n; i++) {
        max = fmax(max, (double)logits[i]);
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += exp((double)logits[i] - max);
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = (double)logits[i] - max - log(sum);
    }
}

double lft_log_distance(const float *a, const float *b, size_t n_rows, size_t n_vocab)
{
    double *x = calloc(2 * n_vocab, sizeof *x);
    assert_non_null(x);
    double most = 0;
    for (size_t r = 0; r < n_rows; r++) {
        lft_log_softmax(a + r * n_vocab, n_vocab, x);
        lft_log_softmax(b + r * n_vocab, n_vocab, x + n_vocab);
        for (size_t i = 0; i < n_vocab; i++) {
            double d = fabs(x[i] - x[n_vocab + i]);
            most = d <= most ? most : isnan(d) ? HUGE_VAL : d;
        }
    }
    free(x);
    return most;
}

/* ---- An allocator that counts and fails ---- */

/* Stored before a block, to check how it is freed. */
typedef struct block_head {
    void *base;
    size_t bytes, align;
    uint64_t mark;
} block_head;

static const uint64_t LIVE = 0x6c6976652d6d656du;

void *lft_memory_alloc(void *memory, size_t bytes, size_t align)
{
    lft_memory *m = memory;
    long long call = atomic_fetch_add(&m->calls, 1) + 1;
    long long fail_at = atomic_load(&m->fail_at);
    if (fail_at > 0 && (call == fail_at || (call > fail_at && atomic_load(&m->fail_on)))) {
        return NULL;
    }
    long long limit = atomic_load(&m->limit);
    if (limit > 0 && atomic_load(&m->live_bytes) + (long long)bytes > limit) {
        return NULL;
    }
    if (align == 0 || (align & (align - 1)) != 0 || align > 4096) {
        atomic_store(&m->broken, true);
        return NULL;
    }
    /* Exactly this size, so that the address sanitizer detects an access one byte past the end. */
    size_t front = (sizeof(block_head) + align - 1) / align * align;
    if (bytes > SIZE_MAX - front) {
        return NULL;
    }
    void *base = NULL;
    if (posix_memalign(&base, align < sizeof(void *) ? sizeof(void *) : align, front + bytes) !=
        0) {
        return NULL;
    }
    char *block = (char *)base + front;
    block_head head = {base, bytes, align, LIVE};
    memcpy(block - sizeof head, &head, sizeof head);
    memset(block, 0xFF, bytes); /* NaNs: no code may rely on cleared memory */
    atomic_fetch_add(&m->live_blocks, 1);
    atomic_fetch_add(&m->live_bytes, (long long)bytes);
    return block;
}

void lft_memory_free(void *memory, void *ptr, size_t bytes, size_t align)
{
    lft_memory *m = memory;
    if (ptr == NULL) {
        return;
    }
    block_head head;
    memcpy(&head, (char *)ptr - sizeof head, sizeof head);
    if (head.mark != LIVE || head.bytes != bytes || head.align != align) {
        atomic_store(&m->broken, true);
    }
    atomic_fetch_sub(&m->live_blocks, 1);
    atomic_fetch_sub(&m->live_bytes, (long long)head.bytes);
    void *base = head.base;
    head.mark = 0;
    memcpy((char *)ptr - sizeof head, &head, sizeof head);
    free(base);
}
