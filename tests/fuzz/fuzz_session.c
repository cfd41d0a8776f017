/* SPDX-License-Identifier: Apache-2.0 */
/* Saved sessions of one small model. An input describes changes of a valid one: a byte of flags,
 * then records of a byte that names the section, an offset in it (16 bits), a length (8 bits) and
 * that number of bytes. Or, with RAW, the rest of the input is the file. If the checksums are
 * corrected, damaged keys and values are restored: the session must then compute the same bits,
 * however its tokens are divided into calls. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "support/models.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    BASE = 3,
    REPAIR_HEADER = 4,
    REPAIR_SECTIONS = 8,
    CUT = 16,
    EXTEND = 32,
    FD = 64,
    RAW = 128
};
/* The layout of src/model/state_file.c. */
enum { HEADER = 128, HEADER_SUM = 120, SUM = 8, N_BASES = 4, N_SECTIONS = 4 };

/* A valid saved session. */
typedef struct base {
    uint8_t *at;
    size_t size;
    size_t begins[N_SECTIONS], sizes[N_SECTIONS]; /* without the checksums; size 0: missing */
} base;

static struct {
    lfm2_runtime *runtime;
    lfm2_model *model;
    const char *path;
    base bases[N_BASES];
} fixed;

static void add_section(base *b, size_t *at, int i, size_t bytes)
{
    b->begins[i] = *at;
    b->sizes[i] = bytes;
    *at += bytes == 0 ? 0 : bytes + SUM;
}

/* Saves a session of n tokens, and finds its sections. */
static void make_base(base *b, int32_t kv, uint32_t n, uint32_t flags)
{
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    o.kv_type = kv;
    lfm2_session *session = NULL;
    fuzz_must(lfm2_session_create(fixed.model, &o, &session) == LFM2_OK);
    int32_t ids[64];
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = (int32_t)(i * 7 % 200);
    }
    fuzz_must(n == 0 || lfm2_session_prefill(session, ids, n) == LFM2_OK);
    fuzz_must(lfm2_session_save_memory(session, flags, NULL, 0, &b->size) == LFM2_E_BUFFER);
    b->at = malloc(b->size);
    fuzz_must(b->at != NULL);
    fuzz_must(lfm2_session_save_memory(session, flags, b->at, b->size, &b->size) == LFM2_OK);
    lfm2_session_free(session);
    lfm2_memory memory = {.size = sizeof memory};
    lfm2_model_info info = {.size = sizeof info};
    fuzz_must(lfm2_estimate_memory(fixed.model, &o, &memory) == LFM2_OK);
    fuzz_must(lfm2_model_get_info(fixed.model, &info) == LFM2_OK);
    size_t at = HEADER;
    bool has_logits = n > 0 && (flags & LFM2_SAVE_NO_LOGITS) == 0;
    add_section(b, &at, 0, n * sizeof(int32_t));
    add_section(b, &at, 1, n == 0 ? 0 : (size_t)fuzz_get(b->at + 48, 8) * sizeof(float));
    add_section(b, &at, 2, has_logits ? info.n_vocab * sizeof(float) : 0);
    add_section(b, &at, 3, n == 0 ? 0 : (size_t)memory.kv_page);
    fuzz_must(at == b->size); /* checks the layout */
}

static void set_up(void)
{
    fixed.runtime = fuzz_runtime(LFM2_KERNELS_SCALAR);
    fixed.path = fuzz_file("session");
    fuzz_must(lfm2_model_load(fixed.runtime, LFM2_TEST_DATA "/fuzz/corpus/model/lfm2", NULL,
                              &fixed.model) == LFM2_OK);
    make_base(&fixed.bases[0], LFM2_KV_F16, 5, 0);
    make_base(&fixed.bases[1], LFM2_KV_F32, 60, 0);
    make_base(&fixed.bases[2], LFM2_KV_Q8, 33, LFM2_SAVE_NO_LOGITS);
    make_base(&fixed.bases[3], LFM2_KV_F16, 0, 0);
}

/* Applies the records. Section 4 is the header, 5 the checksums of the sections. */
static void apply(const base *b, uint8_t *file, const uint8_t *data, size_t size)
{
    for (size_t at = 0; size - at >= 4;) {
        uint32_t section = data[at] % 6;
        size_t begin = section < N_SECTIONS ? b->begins[section] : 0;
        size_t bytes = section < N_SECTIONS ? b->sizes[section] : HEADER;
        if (section == 5) {
            uint32_t of = data[at] / 6 % N_SECTIONS;
            begin = b->begins[of] + b->sizes[of];
            bytes = b->sizes[of] == 0 ? 0 : SUM;
        }
        size_t offset = (size_t)fuzz_get(data + at + 1, 2);
        size_t length = data[at + 3];
        at += 4;
        length = length < size - at ? length : size - at;
        if (bytes > 0) {
            offset %= bytes;
            memcpy(file + begin + offset, data + at,
                   length < bytes - offset ? length : bytes - offset);
        }
        at += length;
    }
}

static void repair(const base *b, uint8_t *file, uint32_t flags)
{
    if ((flags & REPAIR_HEADER) != 0) {
        fuzz_put(file + HEADER_SUM, XXH3_64bits(file, HEADER_SUM), SUM);
    }
    uint64_t seed = fuzz_get(file + HEADER_SUM, SUM);
    for (uint32_t i = 0; (flags & REPAIR_SECTIONS) != 0 && i < N_SECTIONS; i++) {
        if (b->sizes[i] > 0) {
            const uint8_t *begin = file + b->begins[i];
            fuzz_put(file + b->begins[i] + b->sizes[i],
                     XXH3_64bits_withSeed(begin, b->sizes[i], seed + i), SUM);
        }
    }
}

static int32_t restore(const uint8_t *file, size_t size, uint32_t flags, uint32_t n_chunk,
                       lfm2_session **out)
{
    lfm2_restore_options o;
    lfm2_restore_options_init(&o, sizeof o);
    o.n_chunk = n_chunk;
    if ((flags & FD) == 0) {
        return lfm2_session_restore_memory(fixed.model, file, size, &o, out);
    }
    fuzz_write(fixed.path, file, size);
    int fd = open(fixed.path, O_RDONLY | O_CLOEXEC);
    fuzz_must(fd >= 0);
    int32_t status = lfm2_session_restore_fd(fixed.model, fd, &o, out);
    close(fd);
    return status;
}

/* Both sessions hold the same tokens; they compute the same from there. */
static void use(lfm2_session *a, lfm2_session *b)
{
    enum { MOST = 3 };
    lfm2_model_info info = {.size = sizeof info};
    fuzz_must(lfm2_model_get_info(fixed.model, &info) == LFM2_OK);
    uint32_t length = lfm2_session_length(a);
    fuzz_must(length == lfm2_session_length(b) && length <= info.n_ctx_train);
    int32_t held[64];
    fuzz_must(length <= 64 && lfm2_session_tokens(a, 0, length, held) == LFM2_OK);
    for (uint32_t i = 0; i < length; i++) {
        fuzz_must(held[i] >= 0 && (uint32_t)held[i] < info.n_vocab);
    }
    uint32_t n = info.n_ctx_train - length < MOST ? info.n_ctx_train - length : MOST;
    const int32_t ids[MOST] = {1, 2, 3};
    const float *logits[2] = {NULL, NULL};
    fuzz_must(n == 0 || lfm2_session_prefill(a, ids, n) == LFM2_OK);
    for (uint32_t i = 0; i < n; i++) {
        fuzz_must(lfm2_session_decode(b, ids[i]) == LFM2_OK);
    }
    int32_t status = lfm2_session_logits(a, &logits[0], NULL);
    fuzz_must(status == lfm2_session_logits(b, &logits[1], NULL));
    fuzz_must(status == LFM2_OK ? fuzz_same(logits[0], logits[1], info.n_vocab)
                                : n == 0 && status == LFM2_E_STATE);
    if (length > 1) {
        fuzz_must(lfm2_session_rewind(a, length - 1) == LFM2_OK);
    }
}

/* What is restored from an unchanged file is saved as the same bytes. */
static void check_saved(const lfm2_session *session, const uint8_t *file, size_t size)
{
    uint8_t *again = malloc(size);
    size_t n = 0;
    fuzz_must(again != NULL);
    fuzz_must(lfm2_session_save_memory(session, 0, again, size, &n) == LFM2_OK && n == size);
    fuzz_must(memcmp(again, file, size) == 0);
    free(again);
}

static void run(const base *b, const uint8_t *file, size_t size, uint32_t flags)
{
    static const char *const syntax[] = {"session_file.magic", "session_file.truncated", NULL};
    lfm2_session *sessions[2] = {NULL, NULL};
    bool same = size == b->size && memcmp(file, b->at, size) == 0;
    int32_t status = restore(file, size, flags, 0, &sessions[0]);
    fuzz_count(status, syntax);
    if (status != LFM2_OK) {
        fuzz_must(!same && sessions[0] == NULL);
        fuzz_must(status == LFM2_E_FORMAT || status == LFM2_E_UNSUPPORTED ||
                  (status == LFM2_E_LIMIT && (flags & REPAIR_HEADER) != 0));
        return;
    }
    bool longer = (flags & (FD | EXTEND)) == (FD | EXTEND);
    fuzz_must(same || longer || (flags & (REPAIR_HEADER | REPAIR_SECTIONS | RAW)) != 0);
    if (same) {
        check_saved(sessions[0], file, size);
    }
    fuzz_must(restore(file, size, flags, 1, &sessions[1]) == LFM2_OK);
    use(sessions[0], sessions[1]);
    lfm2_session_free(sessions[0]);
    lfm2_session_free(sessions[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fixed.runtime == NULL) {
        set_up();
    }
    if (size == 0) {
        return 0;
    }
    uint32_t flags = data[0];
    const base *b = &fixed.bases[flags & BASE];
    size_t most = b->size > size ? b->size : size;
    uint8_t *file = calloc(1, most + 1);
    fuzz_must(file != NULL);
    size_t file_size = b->size + ((flags & EXTEND) != 0 ? 1 : 0);
    if ((flags & RAW) != 0) {
        file_size = size - 1;
        memcpy(file, data + 1, file_size);
    } else {
        memcpy(file, b->at, b->size);
        apply(b, file, data + 1, size - 1);
        repair(b, file, flags);
        file_size = (flags & CUT) != 0 ? size * 7919 % b->size : file_size;
    }
    fuzz_memory_begin(most);
    run(b, file, file_size, flags);
    fuzz_memory_end();
    free(file);
    return 0;
}
