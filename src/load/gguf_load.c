/* SPDX-License-Identifier: Apache-2.0 */
/* Loading of GGUF files into a source: the parts of a split model, metadata as text, and the
 * hyperparameters that depend on tensors. */
#include "load/advice.h"
#include "load/generation.h"

#include <stdio.h>
#include <string.h>

/* "-00001-of-00003.gguf" */
enum { TAIL = 20, NUMBER_AT = 1, COUNT_AT = 10, DIGITS = 5 };

static bool five_digits(const char *p, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        v = v * 10 + (uint32_t)(p[i] - '0');
    }
    *out = v;
    return true;
}

/* Number (from 1) and count in the name of a part. */
static bool split_name(const char *path, uint32_t *number, uint32_t *count)
{
    size_t n = strlen(path);
    if (n <= TAIL) {
        return false;
    }
    const char *tail = path + n - TAIL;
    return tail[0] == '-' && five_digits(tail + NUMBER_AT, number) &&
           memcmp(tail + NUMBER_AT + DIGITS, "-of-", 4) == 0 &&
           five_digits(tail + COUNT_AT, count) && lf_ends_with(tail, TAIL, ".gguf");
}

/* The path of part `number` (from 1), made from the path of the first file. The caller frees it;
 * its size is strlen + 1. */
static int32_t part_path(const lf_source *source, uint32_t number, char **out)
{
    const char *first = source->files[0].path;
    size_t n = strlen(first) + 1;
    char digits[DIGITS + 1];
    void *p = NULL;
    LF_TRY(lf_new(&source->alloc, n, 1, "path", &p));
    memcpy(p, first, n);
    snprintf(digits, sizeof digits, "%05u", number % 100000);
    memcpy((char *)p + n - 1 - TAIL + NUMBER_AT, digits, DIGITS);
    *out = p;
    return LFM2_OK;
}

/* split.no and split.count of a file; *count is 0 if the file is not split. */
static int32_t read_split(const lf_gguf *g, uint32_t *number, uint32_t *count)
{
    bool found = false;
    *count = 0;
    LF_TRY(lf_gguf_get_u32(g, "split.count", count, &found));
    if (*count <= 1) {
        *count = 0;
        return LFM2_OK;
    }
    LF_TRY(lf_gguf_get_u32(g, "split.no", number, NULL));
    if (*number >= *count) {
        return lf_fail(LFM2_E_FORMAT, "gguf.split",
                       "%s: key 'split.no': the value is %u; it must be below 'split.count', %u",
                       g->file->path, *number, *count);
    }
    return LFM2_OK;
}

/* Checks that the opened file is the first part and that its name gives the names of the others. */
static int32_t check_first(const lf_source *source, uint32_t number, uint32_t count)
{
    const char *path = source->files[0].path;
    uint32_t named = 0;
    uint32_t named_count = 0;
    if (source->origin.kind != LF_FROM_PATH) {
        return lf_fail(
            LFM2_E_UNSUPPORTED, "gguf.split.origin",
            "%s: this is part %u of %u; a split model can only be loaded from the path of its "
            "first part",
            path, number + 1, count);
    }
    if (count > LF_MAX_PARTS) {
        return lf_fail(LFM2_E_UNSUPPORTED, "gguf.split",
                       "%s: key 'split.count': the model has %u parts; at most %d are supported",
                       path, count, LF_MAX_PARTS);
    }
    if (!split_name(path, &named, &named_count)) {
        return lf_fail(
            LFM2_E_UNSUPPORTED, "gguf.split.name",
            "%s: this is part %u of %u; its name must end with '-%05u-of-%05u.gguf', so that "
            "the other parts can be found",
            path, number + 1, count, number + 1, count);
    }
    if (named != number + 1 || named_count != count) {
        return lf_fail(
            LFM2_E_FORMAT, "gguf.split.name",
            "%s: this is part %u of %u according to 'split.no' and 'split.count', but part "
            "%u of %u according to its name",
            path, number + 1, count, named, named_count);
    }
    if (number == 0) {
        return LFM2_OK;
    }
    char *first = NULL;
    LF_TRY(part_path(source, 1, &first));
    int32_t status = lf_fail(LFM2_E_ARGUMENT, "gguf.split.first",
                             "%s: this is part %u of %u; open the first part instead: %s", path,
                             number + 1, count, first);
    lf_free(&source->alloc, first, strlen(first) + 1, 1);
    return status;
}

/* What remains of a part after its header has been freed. */
typedef struct part {
    const lf_tensor *tensors; /* in the arena */
    uint32_t n_tensors;
    bool has_total;
    uint32_t total; /* split.tensors.count */
} part;

static int32_t read_part(const lf_gguf *g, part *out)
{
    *out = (part){.tensors = g->tensors, .n_tensors = g->n_tensors};
    return lf_gguf_get_u32(g, "split.tensors.count", &out->total, &out->has_total);
}

/* Checks that a parsed file is part i (from 0) of count. */
static int32_t check_part(const lf_gguf *g, uint32_t i, uint32_t count)
{
    uint32_t number = 0;
    uint32_t stored_count = 0;
    LF_TRY(read_split(g, &number, &stored_count));
    if (number != i || stored_count != count) {
        return lf_fail(LFM2_E_FORMAT, "gguf.split",
                       "%s: this file must be part %u of %u, but it is part %u of %u according to "
                       "'split.no' and 'split.count'",
                       g->file->path, i + 1, count, number + 1, stored_count);
    }
    return LFM2_OK;
}

/* Opens part i into source->files[i] and reads it. Frees its header at once, because the headers of
 * all parts together may be large. */
static int32_t open_part(lf_source *source, uint32_t i, uint32_t count, part *out)
{
    char *path = NULL;
    LF_TRY(part_path(source, i + 1, &path));
    lf_origin origin = source->origin;
    origin.path = path;
    int32_t status = lf_file_open_from(&source->alloc, &origin, &source->files[i]);
    lf_free(&source->alloc, path, strlen(path) + 1, 1);
    if (status != LFM2_OK) {
        return lf_fail_prefix(status, "part %u of %u: ", i + 1, count);
    }
    source->n_files = i + 1;
    lf_gguf g;
    LF_TRY(lf_gguf_parse(&source->arena, &source->files[i], i, &g));
    status = check_part(&g, i, count);
    if (status == LFM2_OK) {
        status = read_part(&g, out);
    }
    lf_gguf_close(&g);
    return status;
}

static int32_t check_total(const lf_source *source, const part *parts, uint32_t i, uint64_t total)
{
    if (parts[i].has_total && parts[i].total != total) {
        return lf_fail(
            LFM2_E_FORMAT, "gguf.split",
            "%s: key 'split.tensors.count': the value is %u, but all parts together have %llu "
            "tensors",
            source->files[i].path, parts[i].total, (unsigned long long)total);
    }
    return LFM2_OK;
}

/* Opens the other parts and joins the tensors of all parts in one list. */
static int32_t join_parts(lf_source *source, const lf_gguf *g, uint32_t count)
{
    void *memory = NULL;
    LF_TRY(lf_new_zero(&source->alloc, count, sizeof(part), "parts", &memory));
    part *parts = memory;
    uint64_t total = g->n_tensors;
    int32_t status = LFM2_OK;
    LF_TRY_DONE(read_part(g, &parts[0]));
    for (uint32_t i = 1; i < count; i++) {
        LF_TRY_DONE(open_part(source, i, count, &parts[i]));
        total += parts[i].n_tensors;
        if (total > LF_GGUF_MAX_TENSORS) {
            status = lf_fail(LFM2_E_FORMAT, "gguf.tensor.count",
                             "%s: with this part the model has more than %d tensors, the limit",
                             source->files[i].path, LF_GGUF_MAX_TENSORS);
            goto done;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        LF_TRY_DONE(check_total(source, parts, i, total));
    }
    void *p = NULL;
    LF_TRY_DONE(lf_arena_new(&source->arena, (size_t)total, sizeof(lf_tensor), "tensors", &p));
    lf_tensor *tensors = p;
    source->tensors = tensors;
    source->n_tensors = (uint32_t)total;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(tensors, parts[i].tensors, parts[i].n_tensors * sizeof *tensors);
        tensors += parts[i].n_tensors;
    }
done:
    lf_free(&source->alloc, memory, count, sizeof(part));
    return status;
}

/* Allocates source->files for all parts at once: pointers to its entries must stay valid. */
static int32_t reserve_files(lf_source *source, uint32_t count)
{
    void *memory = NULL;
    LF_TRY(lf_arena_new(&source->arena, count, sizeof(lf_file), "parts", &memory));
    lf_file *files = memory;
    memset(files, 0, count * sizeof *files);
    files[0] = source->files[0];
    source->files = files;
    return LFM2_OK;
}

static int32_t read_meta(lf_source *source, const lf_gguf *g)
{
    void *memory = NULL;
    LF_TRY(lf_arena_new(&source->arena, g->n_values, sizeof(lf_meta), "metadata", &memory));
    lf_meta *meta = memory;
    for (uint32_t i = 0; i < g->n_values; i++) {
        char key[LF_META_CUT + 4];
        lf_printable(key, LF_META_CUT, g->values[i].key, g->values[i].key_len);
        LF_TRY(lf_arena_string(&source->arena, key, strlen(key), &meta[i].key));
        LF_TRY(lf_gguf_text(&source->arena, &g->values[i], &meta[i].value));
    }
    source->meta = meta;
    source->n_meta = g->n_values;
    return LFM2_OK;
}

static int32_t read_name(lf_source *source, const lf_gguf *g)
{
    const char *text = "";
    size_t len = 0;
    bool found = false;
    LF_TRY(lf_gguf_get_string(g, "general.name", &text, &len, &found));
    char name[LF_META_CUT + 4];
    lf_printable(name, LF_META_CUT, text, len);
    return lf_arena_string(&source->arena, name, strlen(name), &source->name);
}

/* The hyperparameters that depend on the tensors. */
static int32_t read_from_tensors(lf_source *source, const lf_gguf *g)
{
    lf_hparams *h = &source->hparams;
    const lf_tensor *embed = lf_source_find(source, "token_embd.weight");
    if (embed == NULL) {
        return lf_fail(LFM2_E_FORMAT, "bind.missing",
                       "%s: tensor 'token_embd.weight' is missing; every model requires it",
                       source->path);
    }
    h->n_vocab = embed->ne[1] <= UINT32_MAX ? (uint32_t)embed->ne[1] : UINT32_MAX;
    h->tied = lf_source_find(source, "output.weight") == NULL;
    for (uint32_t l = h->n_dense; l < h->n_layer && !h->expert_bias; l++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.exp_probs_b.bias", l);
        h->expert_bias = lf_source_find(source, name) != NULL;
    }
    char key[64];
    snprintf(key, sizeof key, "%s.vocab_size", h->arch == LF_ARCH_LFM2 ? "lfm2" : "lfm2moe");
    uint32_t stated = h->n_vocab;
    bool found = false;
    LF_TRY(lf_gguf_get_u32(g, key, &stated, &found));
    if (stated != h->n_vocab) {
        return lf_fail(LFM2_E_FORMAT, "gguf.vocab.count",
                       "%s: key '%s': the value is %u, but tensor 'token_embd.weight' has %u rows",
                       source->path, key, stated, h->n_vocab);
    }
    return LFM2_OK;
}

int32_t lf_gguf_load(lf_source *source)
{
    void *memory = NULL;
    uint32_t number = 0;
    uint32_t count = 0;
    LF_TRY(lf_arena_new(&source->arena, 1, sizeof(lf_gguf), "GGUF header", &memory));
    lf_gguf *g = memory;
    LF_TRY(lf_gguf_parse(&source->arena, &source->files[0], 0, g));
    source->gguf = g;
    LF_TRY(read_split(g, &number, &count));
    if (count > 1) {
        LF_TRY(check_first(source, number, count));
        LF_TRY(reserve_files(source, count));
        g->file = &source->files[0];
        LF_TRY(join_parts(source, g, count));
    } else {
        source->tensors = g->tensors;
        source->n_tensors = g->n_tensors;
    }
    LF_TRY(lf_config_from_gguf(g, &source->hparams));
    LF_TRY(lf_source_index(source));
    LF_TRY(read_from_tensors(source, g));
    LF_TRY(lf_hparams_check(&source->hparams, source->path));
    LF_TRY(read_meta(source, g));
    LF_TRY(read_name(source, g));
    LF_TRY(lf_generation_from_gguf(source, g));
    return lf_gguf_vocab(source, g);
}
