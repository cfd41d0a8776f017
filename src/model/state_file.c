/* SPDX-License-Identifier: Apache-2.0 */
/* Implements writing states to session files and reading them. */
#include "model/state_file.h"

#include <string.h>
#include <xxhash.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "session files are little-endian, as are keys and values in memory"
#endif

enum { VERSION = 1, SUM_BYTES = 8 };
static const char MAGIC[8] = "LFM2SESS";

enum { HAS_LOGITS = 1 }; /* flags of the header */

/* The first bytes of a file. */
typedef struct file_header {
    char magic[8];
    uint32_t version;
    uint32_t flags;
    uint64_t file_bytes;       /* of the whole file */
    uint64_t weights, kernels; /* lf_identity */
    uint64_t page_bytes, conv_floats;
    uint32_t n_vocab;
    uint32_t kv_type;
    uint32_t length;
    int32_t pending;
    uint64_t reserved[6];
    uint64_t sum; /* XXH3 of the fields above */
} file_header;

_Static_assert(sizeof(file_header) == 128, "the header has no padding");

/* The order of the sections. The number of a section is part of its checksum. */
enum { SECTION_IDS, SECTION_CONV, SECTION_LOGITS, SECTION_PAGES };

static uint64_t section_sum(uint64_t seed, uint32_t section, const void *data, size_t bytes)
{
    return XXH3_64bits_withSeed(data, bytes, seed + section);
}

static uint64_t page_bytes_of(const lfm2_model *model, lf_kv_type type)
{
    return (uint64_t)model->kv_page_blocks *
           lf_kv_block_bytes(type, model->source->hparams.head_dim);
}

/* Fits in 64 bits whatever the length is: a page has fewer than 2^36 bytes. */
static uint64_t file_bytes_of(const lfm2_model *model, lf_kv_type type, uint32_t length,
                              bool has_logits)
{
    uint64_t bytes = sizeof(file_header);
    if (length > 0) {
        bytes += (uint64_t)length * sizeof(int32_t) + SUM_BYTES;
        bytes += (uint64_t)lf_state_conv_floats(model) * sizeof(float) + SUM_BYTES;
        bytes += lf_pages_for(length) * (page_bytes_of(model, type) + SUM_BYTES);
    }
    if (has_logits) {
        bytes += (uint64_t)model->source->hparams.n_vocab * sizeof(float) + SUM_BYTES;
    }
    return bytes;
}

uint64_t lf_state_file_bytes(const lfm2_model *model, const lf_state_content *content)
{
    return file_bytes_of(model, content->state->kv_type, content->state->length,
                         content->logits != NULL);
}

/* ---- Writing ---- */

static int32_t write_section(lf_writer *writer, uint64_t seed, uint32_t section, const void *data,
                             size_t bytes)
{
    uint64_t sum = section_sum(seed, section, data, bytes);
    LF_TRY(lf_writer_write(writer, data, bytes));
    return lf_writer_write(writer, &sum, sizeof sum);
}

/* Clears the positions of a KV block of keys from `used` on. `block` has the layout of kernels.h.
 */
static void clear_keys(uint8_t *block, lf_kv_type type, size_t head_dim, size_t used)
{
    size_t value = type == LF_KV_F32 ? 4 : 2; /* LF_KV_Q8: a pair of int8 */
    size_t rows = head_dim;
    if (type == LF_KV_Q8) {
        memset(block + used * sizeof(float), 0, (LF_ATTN_BLOCK - used) * sizeof(float));
        block += LF_KV_SCALES;
        rows = head_dim / 2;
    }
    for (size_t i = 0; i < rows; i++) {
        memset(block + (i * LF_ATTN_BLOCK + used) * value, 0, (LF_ATTN_BLOCK - used) * value);
    }
}

/* The same for a KV block of values. */
static void clear_values(uint8_t *block, lf_kv_type type, size_t head_dim, size_t used)
{
    if (type != LF_KV_Q8) {
        size_t row = head_dim * (type == LF_KV_F32 ? 4 : 2);
        memset(block + used * row, 0, (LF_ATTN_BLOCK - used) * row);
        return;
    }
    memset(block + used * sizeof(float), 0, (LF_ATTN_BLOCK - used) * sizeof(float));
    block += LF_KV_SCALES;
    if (used % 2 != 0) { /* the other half of the last pair of positions */
        for (size_t i = 0; i < head_dim; i++) {
            block[((used / 2) * head_dim + i) * 2 + 1] = 0;
        }
    }
    size_t begin = (used + 1) / 2 * head_dim * 2;
    memset(block + begin, 0, LF_ATTN_BLOCK * head_dim - begin);
}

/* Clears the positions of a page from `used` on: they may hold tokens that were removed, or memory
 * that was never written. */
static void clear_unused(const lfm2_model *model, lf_kv_type type, uint8_t *page, size_t used)
{
    const lf_hparams *h = &model->source->hparams;
    size_t block_bytes = lf_kv_block_bytes(type, h->head_dim);
    for (uint32_t i = 0; i < h->n_layer; i++) {
        const lf_layer *layer = &model->layers[i];
        uint8_t *keys = page + layer->kv_block * block_bytes;
        uint8_t *values = keys + layer->n_head_kv * block_bytes;
        for (uint32_t head = 0; head < layer->n_head_kv; head++) {
            clear_keys(keys + head * block_bytes, type, h->head_dim, used);
            clear_values(values + head * block_bytes, type, h->head_dim, used);
        }
    }
}

static int32_t write_last_page(const lfm2_model *model, const lf_state *state, uint64_t seed,
                               lf_writer *writer)
{
    uint32_t last = state->length / LF_ATTN_BLOCK;
    const lf_alloc *alloc = &model->runtime->alloc;
    void *copy = NULL;
    LF_TRY(lf_new(alloc, state->page_bytes, 1, "last page", &copy));
    memcpy(copy, state->pages[last]->data, state->page_bytes);
    clear_unused(model, state->kv_type, copy, state->length % LF_ATTN_BLOCK);
    int32_t status = write_section(writer, seed, SECTION_PAGES + last, copy, state->page_bytes);
    lf_free(alloc, copy, state->page_bytes, 1);
    return status;
}

static int32_t write_ids(const lfm2_model *model, const lf_state *state, uint64_t seed,
                         lf_writer *writer)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    void *ids = NULL;
    LF_TRY(lf_new(alloc, state->length, sizeof(int32_t), "token ids", &ids));
    lf_state_ids(state, 0, state->length, ids);
    int32_t status = write_section(writer, seed, SECTION_IDS, ids, state->length * sizeof(int32_t));
    lf_free(alloc, ids, state->length, sizeof(int32_t));
    return status;
}

int32_t lf_state_write(const lfm2_model *model, const lf_state_content *content, lf_writer *writer)
{
    const lf_state *state = content->state;
    size_t n_vocab = model->source->hparams.n_vocab;
    file_header h = {.version = VERSION,
                     .flags = content->logits != NULL ? HAS_LOGITS : 0,
                     .file_bytes = lf_state_file_bytes(model, content),
                     .weights = model->identity.weights,
                     .kernels = model->identity.kernels,
                     .page_bytes = state->page_bytes,
                     .conv_floats = lf_state_conv_floats(model),
                     .n_vocab = (uint32_t)n_vocab,
                     .kv_type = (uint32_t)state->kv_type,
                     .length = state->length,
                     .pending = content->pending};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.sum = XXH3_64bits(&h, offsetof(file_header, sum));
    LF_TRY(lf_writer_write(writer, &h, sizeof h));
    if (state->length > 0) {
        LF_TRY(write_ids(model, state, h.sum, writer));
        LF_TRY(write_section(writer, h.sum, SECTION_CONV, state->conv->at,
                             state->conv->n * sizeof(float)));
    }
    if (content->logits != NULL) {
        LF_TRY(
            write_section(writer, h.sum, SECTION_LOGITS, content->logits, n_vocab * sizeof(float)));
    }
    for (uint32_t i = 0; i < state->length / LF_ATTN_BLOCK; i++) {
        LF_TRY(write_section(writer, h.sum, SECTION_PAGES + i, state->pages[i]->data,
                             state->page_bytes));
    }
    return state->length % LF_ATTN_BLOCK == 0 ? LFM2_OK
                                              : write_last_page(model, state, h.sum, writer);
}

/* ---- Reading ---- */

static int32_t read_exactly(lf_input *input, void *buffer, size_t n)
{
    size_t got = 0;
    uint64_t at = input->at;
    LF_TRY(lf_input_read(input, buffer, n, &got));
    return got == n ? LFM2_OK
                    : lf_fail(LFM2_E_FORMAT, "session_file.truncated",
                              "%s: offset 0x%llx: the session ends after %zu of %zu bytes",
                              input->name, (unsigned long long)at, got, n);
}

static int32_t read_section(lf_input *input, uint64_t seed, uint32_t section, void *data,
                            size_t bytes)
{
    uint64_t sum = 0;
    uint64_t at = input->at;
    LF_TRY(read_exactly(input, data, bytes));
    LF_TRY(read_exactly(input, &sum, sizeof sum));
    return sum == section_sum(seed, section, data, bytes)
               ? LFM2_OK
               : lf_fail(LFM2_E_FORMAT, "session_file.checksum",
                         "%s: offset 0x%llx: %zu bytes do not match their checksum: the session is "
                         "damaged",
                         input->name, (unsigned long long)at, bytes);
}

/* Magic, checksum and version. */
static int32_t check_bytes(const lf_input *input, const file_header *h)
{
    if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0) {
        return lf_fail(LFM2_E_FORMAT, "session_file.magic", "%s: is not a saved session",
                       input->name);
    }
    if (h->sum != XXH3_64bits(h, offsetof(file_header, sum))) {
        return lf_fail(LFM2_E_FORMAT, "session_file.header",
                       "%s: the header does not match its checksum: the session is damaged",
                       input->name);
    }
    if (h->version != VERSION) {
        return lf_fail(LFM2_E_UNSUPPORTED, "session_file.version",
                       "%s: has version %u of the format; this library reads version %d",
                       input->name, h->version, VERSION);
    }
    return LFM2_OK;
}

static int32_t check_model(const lfm2_model *model, const lf_input *input, const file_header *h)
{
    if (h->weights != model->identity.weights) {
        return lf_fail(LFM2_E_UNSUPPORTED, "session_file.model",
                       "%s: was saved with another model than %s", input->name,
                       model->source->path);
    }
    if (h->kernels != model->identity.kernels) {
        return lf_fail(LFM2_E_UNSUPPORTED, "session_file.kernels",
                       "%s: was computed with other kernels, whose results differ in some bits "
                       "(lfm2_runtime_options.kernels)",
                       input->name);
    }
    return LFM2_OK;
}

/* What a header with a correct checksum must agree with. */
static bool is_consistent(const lfm2_model *model, const file_header *h)
{
    const lf_hparams *p = &model->source->hparams;
    bool has_logits = (h->flags & HAS_LOGITS) != 0;
    uint64_t reserved = 0;
    for (size_t i = 0; i < sizeof h->reserved / sizeof h->reserved[0]; i++) {
        reserved |= h->reserved[i];
    }
    return h->kv_type < LF_KV_COUNT && (h->flags & ~(uint32_t)HAS_LOGITS) == 0 && reserved == 0 &&
           h->n_vocab == p->n_vocab && h->conv_floats == lf_state_conv_floats(model) &&
           h->page_bytes == page_bytes_of(model, (lf_kv_type)h->kv_type) && h->pending >= -1 &&
           h->pending < (int64_t)p->n_vocab &&
           (h->length > 0 || (!has_logits && h->pending == -1)) &&
           h->file_bytes == file_bytes_of(model, (lf_kv_type)h->kv_type, h->length, has_logits);
}

int32_t lf_state_read_header(const lfm2_model *model, lf_input *input, lf_state_header *out)
{
    file_header h;
    uint64_t left = input->left;
    LF_TRY(read_exactly(input, &h, sizeof h));
    LF_TRY(check_bytes(input, &h));
    LF_TRY(check_model(model, input, &h));
    if (!is_consistent(model, &h)) {
        return lf_fail(LFM2_E_FORMAT, "session_file.header",
                       "%s: the fields of the header contradict each other or the model",
                       input->name);
    }
    bool is_shorter = left < h.file_bytes;
    if (is_shorter || (left > h.file_bytes && input->file != NULL)) {
        return lf_fail(LFM2_E_FORMAT, is_shorter ? "session_file.truncated" : "session_file.size",
                       "%s: has %llu bytes; the session has %llu", input->name,
                       (unsigned long long)left, (unsigned long long)h.file_bytes);
    }
    *out = (lf_state_header){.kv_type = (lf_kv_type)h.kv_type,
                             .length = h.length,
                             .pending = h.pending,
                             .has_logits = (h.flags & HAS_LOGITS) != 0,
                             .seed = h.sum};
    return LFM2_OK;
}

int32_t lf_state_read_ids(const lfm2_model *model, lf_input *input, const lf_state_header *header,
                          int32_t *ids)
{
    uint32_t n_vocab = model->source->hparams.n_vocab;
    LF_TRY(read_section(input, header->seed, SECTION_IDS, ids, header->length * sizeof *ids));
    for (uint32_t i = 0; i < header->length; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab) {
            return lf_fail(LFM2_E_FORMAT, "session_file.token",
                           "%s: token %u has id %d; allowed: 0 to %u", input->name, i, ids[i],
                           n_vocab - 1);
        }
    }
    return LFM2_OK;
}

/* Reads the pages of the first `length` tokens. If it is unknown how many bytes follow, memory is
 * taken in steps of some MiB. */
static int32_t read_pages(lfm2_model *model, lf_input *input, const lf_state_header *header,
                          const int32_t *ids, uint32_t length, lf_state *state)
{
    enum { STEP_BYTES = 8 << 20 };
    uint32_t n = lf_pages_for(length);
    size_t step = state->page_bytes == 0 ? n : STEP_BYTES / state->page_bytes;
    step = input->left != UINT64_MAX ? n : step == 0 ? 1 : step;
    for (uint32_t i = 0; i < n; i++) {
        if (i >= state->n_pages) {
            LF_TRY(lf_state_take_pages(model, state, n - i < step ? n : i + (uint32_t)step));
        }
        lf_kv_page *page = state->pages[i];
        LF_TRY(read_section(input, header->seed, SECTION_PAGES + i, page->data, state->page_bytes));
        uint32_t first = i * LF_ATTN_BLOCK;
        uint32_t here = length - first;
        here = here < LF_ATTN_BLOCK ? here : LF_ATTN_BLOCK;
        memcpy(page->ids, ids + first, here * sizeof *ids);
        state->length += here;
    }
    return LFM2_OK;
}

int32_t lf_state_read(lfm2_model *model, lf_input *input, const lf_state_header *header,
                      lf_state *state, float *logits)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    if (header->length == 0) {
        return LFM2_OK;
    }
    void *ids = NULL;
    LF_TRY(lf_new(alloc, header->length, sizeof(int32_t), "token ids", &ids));
    int32_t status = lf_state_read_ids(model, input, header, ids);
    if (status == LFM2_OK) {
        status = lf_state_read_tokens(model, input, header, ids, header->length, state, logits);
    }
    lf_free(alloc, ids, header->length, sizeof(int32_t));
    return status;
}

int32_t lf_state_read_tokens(lfm2_model *model, lf_input *input, const lf_state_header *header,
                             const int32_t *ids, uint32_t n, lf_state *state, float *logits)
{
    size_t conv_floats = lf_state_conv_floats(model);
    size_t n_vocab = model->source->hparams.n_vocab;
    if (n < header->length) {
        lf_input_skip(input, conv_floats * sizeof(float) + SUM_BYTES);
    } else {
        if (state->conv == NULL) {
            LF_TRY(lf_floats_new(&model->runtime->alloc, conv_floats, "convolution state",
                                 &state->conv));
        }
        LF_TRY(read_section(input, header->seed, SECTION_CONV, state->conv->at,
                            conv_floats * sizeof(float)));
    }
    if (header->has_logits && logits == NULL) {
        lf_input_skip(input, n_vocab * sizeof(float) + SUM_BYTES);
    } else if (header->has_logits) {
        LF_TRY(read_section(input, header->seed, SECTION_LOGITS, logits, n_vocab * sizeof(float)));
    }
    return read_pages(model, input, header, ids, n, state);
}

uint64_t lf_ids_hash(uint64_t seed, const int32_t *ids, uint32_t n)
{
    return XXH3_64bits_withSeed(ids, n * sizeof *ids, seed);
}
