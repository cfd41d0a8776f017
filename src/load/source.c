/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing of a source, its name index, and the checks common to all containers. */
#include "load/gguf.h"

#include "load/bind.h"
#include "load/generation.h"
#include "load/hf.h"

#include "common/os.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Tensors ---- */

lf_place lf_tensor_place(const lf_tensor *tensor, uint64_t e)
{
    if (tensor->places != NULL) {
        return tensor->places[e];
    }
    /* the experts of a contiguous tensor follow each other without gaps */
    uint64_t expert_bytes = tensor->bytes / (tensor->ne[2] * tensor->ne[3]);
    return (lf_place){tensor->part, tensor->offset + e * expert_bytes};
}

const uint8_t *lf_tensor_expert(const lf_source *source, const lf_tensor *tensor, uint64_t e)
{
    lf_place place = lf_tensor_place(tensor, e);
    const uint8_t *data = source->files[place.part].data;
    return data != NULL ? data + place.offset : NULL;
}

int32_t lf_tensor_read(const lf_source *source, const lf_tensor *tensor, uint64_t e, uint64_t begin,
                       void *buffer, size_t n)
{
    lf_place place = lf_tensor_place(tensor, e);
    int32_t status = lf_file_read(&source->files[place.part], place.offset + begin, buffer, n);
    if (status != LFM2_OK) {
        char name[LF_SHOWN_NAME];
        return lf_fail_prefix(status, "tensor '%s': ", lf_tensor_shown(source, tensor->name, name));
    }
    return LFM2_OK;
}

bool lf_tensor_bytes(const lf_tensor *tensor, uint64_t *out)
{
    const lf_type_info *type = lf_type_get((uint32_t)tensor->type);
    if (type == NULL || tensor->ne[0] % type->block != 0) {
        return false;
    }
    uint64_t bytes = 0;
    if (!lf_mul_u64(tensor->ne[0] / type->block, type->block_bytes, &bytes)) {
        return false;
    }
    for (uint32_t d = 1; d < LF_MAX_DIMS; d++) {
        if (!lf_mul_u64(bytes, tensor->ne[d], &bytes)) {
            return false;
        }
    }
    *out = bytes;
    return true;
}

bool lf_tensor_name_ok(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            return false;
        }
    }
    return len > 0;
}

int32_t lf_find_overlap(const lf_alloc *alloc, const lf_range *ranges, uint32_t n, uint32_t *found,
                        uint32_t *other)
{
    void *memory = NULL;
    LF_TRY(lf_new(alloc, n, 2 * sizeof(lf_index_entry), "tensor ranges", &memory));
    lf_index_entry *order = memory;
    for (uint32_t i = 0; i < n; i++) {
        order[i] = (lf_index_entry){.key = ranges[i].begin, .id = i};
    }
    lf_index_sort(order, order + n, n);
    *found = UINT32_MAX;
    for (uint32_t i = 1; i < n && *found == UINT32_MAX; i++) {
        if (order[i].key < ranges[order[i - 1].id].end) {
            *found = order[i].id;
            *other = order[i - 1].id;
        }
    }
    lf_free(alloc, memory, n, 2 * sizeof(lf_index_entry));
    return LFM2_OK;
}

/* ---- Index ---- */

int32_t lf_source_index(lf_source *source)
{
    LF_TRY(lf_index_new(&source->arena, source->n_tensors, &source->index));
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const char *name = source->tensors[i].name;
        source->index.entries[i] =
            (lf_index_entry){.text = name, .len = (uint32_t)strlen(name), .id = i};
    }
    const lf_index_entry *duplicate = NULL;
    LF_TRY(lf_index_build(&source->alloc, &source->index, &duplicate));
    if (duplicate != NULL) {
        char buffer[LF_SHOWN_NAME];
        const lf_tensor *t = &source->tensors[duplicate->id];
        return lf_fail(LFM2_E_FORMAT, "source.duplicate",
                       "%s: tensor '%s' appears twice in the model", source->files[t->part].path,
                       lf_tensor_shown(source, t->name, buffer));
    }
    return LFM2_OK;
}

const lf_tensor *lf_source_find(const lf_source *source, const char *name)
{
    const lf_index_entry *e = lf_index_find(&source->index, name, strlen(name));
    return e != NULL ? &source->tensors[e->id] : NULL;
}

/* ---- Opening ---- */

/* Sets file_type to the type with the most bytes among matrices. */
static void set_file_type(lf_source *source)
{
    enum { TYPES = 64 };
    uint64_t bytes[TYPES] = {0};
    uint32_t best = 0;
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const lf_tensor *t = &source->tensors[i];
        uint32_t type = (uint32_t)t->type;
        if (t->n_dims >= 2 && type < TYPES) {
            bytes[type] += t->bytes; /* no overflow: tensors do not overlap */
            best = bytes[type] > bytes[best] ? type : best;
        }
    }
    const lf_type_info *type = lf_type_get(best);
    source->file_type = type != NULL ? type->name : "";
}

static int32_t check_names_and_shapes(const lf_source *source)
{
    void *weights = NULL;
    LF_TRY(lf_new(&source->alloc, 1, sizeof(lf_weights), "weights", &weights));
    int32_t status = lf_bind(source, weights);
    lf_free(&source->alloc, weights, 1, sizeof(lf_weights));
    return status;
}

static int32_t open_gguf(lf_source *source)
{
    void *memory = NULL;
    LF_TRY(lf_arena_new(&source->arena, 1, sizeof(lf_file), "files", &memory));
    LF_TRY(lf_file_open_from(&source->alloc, &source->origin, memory));
    source->files = memory;
    source->n_files = 1;
    return lf_gguf_load(source);
}

int32_t lf_source_finish(lf_source *source)
{
    set_file_type(source);
    return check_names_and_shapes(source);
}

static int32_t open_origin(lf_source *source)
{
    char name[LF_FILE_NAME];
    const char *path = lf_origin_name(&source->origin, name);
    LF_TRY(lf_arena_string(&source->arena, path, strlen(path), &source->path));
    path = source->path;
    source->hf_prefix = "model.";
    source->vocab = (lf_vocab_data){.bos_id = -1, .eos_id = -1, .pad_id = -1, .name = path};
    if (source->origin.kind == LF_FROM_PATH) {
        struct stat st;
        if (stat(path, &st) != 0) {
            return lf_fail_errno(errno, "io.open", path, "cannot be opened");
        }
        bool gguf = false;
        if (S_ISDIR(st.st_mode)) {
            LF_TRY(lf_folder_find_gguf(source, &gguf));
            source->hugging_face = !gguf;
        }
    }
    LF_TRY(source->hugging_face ? lf_hf_load(source) : open_gguf(source));
    if (source->missing == NULL) {
        LF_TRY(lf_source_finish(source));
    }
    LF_TRY(lf_generation_finish(source));
    lf_log_write(source->log, LFM2_LOG_INFO, "%s: %u tensors in %u file%s, mostly %s; %u tokens",
                 path, source->n_tensors, source->n_files, source->n_files == 1 ? "" : "s",
                 source->file_type != NULL ? source->file_type : "no weights",
                 source->vocab.n_tokens);
    return LFM2_OK;
}

int32_t lf_source_open(const lf_alloc *alloc, const lf_log *log, const char *path, lf_source **out)
{
    return lf_source_open_from(alloc, log, &(lf_origin){.kind = LF_FROM_PATH, .path = path}, out);
}

int32_t lf_source_open_from(const lf_alloc *alloc, const lf_log *log, const lf_origin *origin,
                            lf_source **out)
{
    void *memory = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_source), "model source", &memory));
    lf_source *source = memory;
    source->alloc = *alloc;
    source->origin = *origin;
    lf_arena_init(&source->arena, &source->alloc);
    source->log = log;
    int32_t status = open_origin(source);
    source->log = NULL;
    if (status != LFM2_OK) {
        lf_source_close(source);
        return status;
    }
    *out = source;
    return LFM2_OK;
}

static void drop_header(lf_source *source)
{
    if (source->gguf != NULL) {
        lf_gguf_close(source->gguf);
        source->gguf = NULL;
        source->vocab.tokens = NULL;
        source->vocab.merges = NULL;
    }
}

int32_t lf_source_need_weights(const lf_source *source)
{
    if (source->missing != NULL) {
        const char *advice = source->weights_advice;
        return lf_fail(LFM2_E_FORMAT, "hf.weights", "%s: the folder has no %s; %s", source->path,
                       source->missing, advice != NULL ? advice : "only its tokenizer can be used");
    }
    return LFM2_OK;
}

void lf_source_release(lf_source *source)
{
    drop_header(source);
    for (uint32_t i = 0; i < source->n_files; i++) {
        lf_file_release(&source->files[i]);
    }
}

void lf_source_close(lf_source *source)
{
    if (source == NULL) {
        return;
    }
    drop_header(source);
    for (uint32_t i = 0; i < source->n_files; i++) {
        lf_file_close(&source->files[i]);
    }
    lf_arena_free(&source->arena);
    lf_alloc alloc = source->alloc;
    lf_free(&alloc, source, 1, sizeof *source);
}

int32_t lf_source_refuse_overwrite(const lf_source *source, const char *path)
{
    struct stat out;
    if (stat(path, &out) != 0) {
        return LFM2_OK; /* a new file; creating it reports other errors */
    }
    for (uint32_t i = 0; i < source->n_files; i++) {
        const lf_file *file = &source->files[i];
        struct stat in;
        bool opened = file->inode == (uint64_t)out.st_ino && file->device == (uint64_t)out.st_dev;
        bool named = source->origin.kind == LF_FROM_PATH && stat(file->path, &in) == 0 &&
                     in.st_dev == out.st_dev && in.st_ino == out.st_ino;
        if (opened || named) { /* both: the file may have been replaced after it was opened */
            return lf_fail(
                LFM2_E_ARGUMENT, "source.same_file",
                "%s: the output would overwrite a file of the input model; write to another file",
                path);
        }
    }
    return LFM2_OK;
}
