/* SPDX-License-Identifier: Apache-2.0 */
/* Loading of a Hugging Face folder: its files, the index of shards, metadata as text. */
#include "load/advice.h"
#include "load/generation.h"
#include "load/hf.h"

#include "common/os.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Limits of a JSON file. Its bytes are checked before it is read. Reading takes up to twice its
 * bytes and 64 bytes for each value. */
typedef struct limits {
    uint64_t bytes;
    uint32_t values;
} limits;

static const limits config_limits = {1 << 20, 1 << 16};     /* real: 4 KB, 100 values */
static const limits tokenizer_limits = {48 << 20, 3 << 19}; /* 5 to 20 MB, 250,000 to 600,000 */
static const limits settings_limits = {8 << 20, 1 << 17};   /* 100 KB, 5,000 */
static const limits index_limits = {8 << 20, 1 << 17};      /* up to 1 MB, 8,000 */

/* State of one load. */
typedef struct loader {
    lf_source *source;
    lf_arena scratch;
    const char **shards; /* file names in the folder */
    uint32_t n_shards;
    const lf_json *weight_map; /* of the index; NULL without an index */
    const char *index_path;
    lf_st_tensor *raw;
    uint32_t n_raw;
} loader;

/* ---- Files ---- */

/* Reads a file of the folder; *path receives its path. *out is NULL if it does not exist. */
static int32_t read_json(loader *l, const char *name, const limits *limit, const char **path,
                         const lf_json **out)
{
    bool has = false;
    *out = NULL;
    LF_TRY(lf_folder_has(l->source, name, &has, path));
    if (!has) {
        return LFM2_OK;
    }
    char *text = NULL;
    size_t len = 0;
    LF_TRY(lf_folder_read(l->source, *path, limit->bytes, &text, &len));
    int32_t status = LFM2_OK;
    bool object = len > 0 && text[0] == '{';
    const char *advice = object ? NULL : lf_advice_start((const uint8_t *)text, len);
    if (advice != NULL) {
        status = lf_fail(LFM2_E_FORMAT, "hf.not_json", "%s: not a JSON file: %s", *path, advice);
    } else {
        status =
            lf_json_parse_within(&l->scratch, *path, LFM2_E_FORMAT, limit->values, text, len, out);
    }
    lf_free(&l->source->alloc, text, len, 1);
    return status;
}

/* ---- Shards ---- */

static int32_t fail_index(const loader *l, const lf_json *at, const char *message)
{
    lf_shown shown;
    return lf_fail(LFM2_E_FORMAT, "hf.index", "%s: tensor '%s': offset %llu: %s", l->index_path,
                   lf_show(&shown, at->key, at->key_len), (unsigned long long)at->offset, message);
}

/* Whether a value is a plain name of a .safetensors file, without folders. */
static bool shard_name_ok(const lf_json *v)
{
    static const char ending[] = ".safetensors";
    size_t n = sizeof ending - 1;
    return v->kind == LF_JSON_STRING && lf_tensor_name_ok(v->text, v->len) &&
           memchr(v->text, '/', v->len) == NULL && memchr(v->text, '\\', v->len) == NULL &&
           v->text[0] != '.' && v->len > n && v->len < 256 &&
           memcmp(v->text + v->len - n, ending, n) == 0;
}

static void sort_names(const char **names, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) { /* at most LF_MAX_PARTS, nearly always sorted already */
        const char *moved = names[i];
        uint32_t j = i;
        for (; j > 0 && strcmp(moved, names[j - 1]) < 0; j--) {
            names[j] = names[j - 1];
        }
        names[j] = moved;
    }
}

/* The distinct file names of weight_map, sorted. */
static int32_t list_shards(loader *l)
{
    lf_index names;
    LF_TRY(lf_index_new(&l->scratch, l->weight_map->count, &names));
    uint32_t n = 0;
    for (const lf_json *v = l->weight_map->child; v != NULL; v = v->next) {
        if (!shard_name_ok(v)) {
            return fail_index(
                l, v, "the value must be the plain name of a .safetensors file in the same folder");
        }
        names.entries[n] = (lf_index_entry){.text = v->text, .len = (uint32_t)v->len, .id = n};
        n++;
    }
    const lf_index_entry *same = NULL;
    LF_TRY(lf_index_build(&l->source->alloc, &names, &same));
    void *memory = NULL;
    LF_TRY(lf_arena_new(&l->scratch, LF_MAX_PARTS, sizeof *l->shards, "parts", &memory));
    l->shards = memory;
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(names.entries[i].text, names.entries[i - 1].text) == 0) {
            continue;
        }
        if (l->n_shards == LF_MAX_PARTS) {
            return lf_fail(LFM2_E_UNSUPPORTED, "hf.index",
                           "%s: 'weight_map' names more than %d files, the limit", l->index_path,
                           LF_MAX_PARTS);
        }
        l->shards[l->n_shards++] = names.entries[i].text;
    }
    sort_names(l->shards, l->n_shards);
    return LFM2_OK;
}

/* A folder without config.json or without weights still serves its tokenizer. */
static int32_t find_missing(loader *l, bool has_config)
{
    bool tokenizer = false;
    bool safetensors = false;
    LF_TRY(lf_folder_has(l->source, "tokenizer.json", &tokenizer, NULL));
    LF_TRY(lf_folder_has_safetensors(l->source, &safetensors));
    if (tokenizer && !has_config) {
        l->source->missing = "config.json";
    } else if (tokenizer && !safetensors) {
        l->source->missing = "model.safetensors";
    }
    return LFM2_OK;
}

/* The single file if it exists, as in transformers; otherwise the files of the index. */
static int32_t find_shards(loader *l)
{
    static const char *const single[] = {"model.safetensors"};
    bool has = false;
    LF_TRY(lf_folder_has(l->source, single[0], &has, NULL));
    if (has) {
        void *memory = NULL;
        LF_TRY(lf_arena_new(&l->scratch, 1, sizeof *l->shards, "parts", &memory));
        l->shards = memory;
        l->shards[0] = single[0];
        l->n_shards = 1;
        return LFM2_OK;
    }
    const lf_json *root = NULL;
    LF_TRY(read_json(l, "model.safetensors.index.json", &index_limits, &l->index_path, &root));
    if (root == NULL) {
        const char *advice = l->source->weights_advice;
        return lf_fail(
            LFM2_E_FORMAT, "hf.weights",
            "%s: the folder has neither model.safetensors nor model.safetensors.index.json; %s",
            l->source->path, advice != NULL ? advice : "one of them is required");
    }
    l->weight_map = lf_json_get(root, "weight_map");
    if (l->weight_map == NULL || l->weight_map->kind != LF_JSON_OBJECT) {
        return lf_fail(LFM2_E_FORMAT, "hf.index",
                       "%s: key 'weight_map' is missing or not an object; it must map each tensor "
                       "to its file",
                       l->index_path);
    }
    return list_shards(l);
}

typedef struct shard_tensors {
    lf_st_tensor *tensors;
    uint32_t count;
} shard_tensors;

/* Opens every shard and joins their tensors in one list. */
static int32_t open_shards(loader *l)
{
    lf_source *s = l->source;
    void *memory = NULL;
    LF_TRY(lf_arena_new(&s->arena, l->n_shards, sizeof(lf_file), "files", &memory));
    s->files = memory;
    LF_TRY(lf_arena_new(&l->scratch, l->n_shards, sizeof(shard_tensors), "parts", &memory));
    shard_tensors *parts = memory;
    uint64_t total = 0;
    for (uint32_t i = 0; i < l->n_shards; i++) {
        const char *path = NULL;
        LF_TRY(lf_folder_join(l->source, l->shards[i], &path));
        lf_origin origin = s->origin;
        origin.path = path;
        int32_t status = lf_file_open_from(&s->alloc, &origin, &s->files[i]);
        if (status != LFM2_OK) {
            return lf_fail_prefix(status, "part %u of %u: ", i + 1, l->n_shards);
        }
        s->n_files = i + 1;
        LF_TRY(
            lf_safetensors_parse(&l->scratch, &s->files[i], i, &parts[i].tensors, &parts[i].count));
        total += parts[i].count;
        if (total > LF_MAX_TENSORS) {
            return lf_fail(LFM2_E_UNSUPPORTED, "hf.tensors",
                           "%s: with this file the model has more than %d tensors, the limit", path,
                           LF_MAX_TENSORS);
        }
    }
    LF_TRY(lf_arena_new(&l->scratch, (size_t)total, sizeof *l->raw, "tensors", &memory));
    l->raw = memory;
    for (uint32_t i = 0; i < l->n_shards; i++) {
        memcpy(l->raw + l->n_raw, parts[i].tensors, parts[i].count * sizeof *l->raw);
        l->n_raw += parts[i].count;
    }
    return LFM2_OK;
}

/* Checks that no tensor appears twice and that every tensor of the index is in its file. */
static int32_t check_shards(loader *l)
{
    lf_index names;
    LF_TRY(lf_index_new(&l->scratch, l->n_raw, &names));
    for (uint32_t i = 0; i < l->n_raw; i++) {
        const char *name = l->raw[i].name;
        names.entries[i] = (lf_index_entry){.text = name, .len = (uint32_t)strlen(name), .id = i};
    }
    const lf_index_entry *duplicate = NULL;
    LF_TRY(lf_index_build(&l->source->alloc, &names, &duplicate));
    if (duplicate != NULL) {
        return lf_fail(LFM2_E_FORMAT, "source.duplicate",
                       "%s: tensor '%s' is also in another file of the folder",
                       l->source->files[l->raw[duplicate->id].part].path, duplicate->text);
    }
    for (const lf_json *v = l->weight_map != NULL ? l->weight_map->child : NULL; v != NULL;
         v = v->next) {
        const lf_index_entry *e = lf_index_find(&names, v->key, v->key_len);
        if (e == NULL || strcmp(l->shards[l->raw[e->id].part], v->text) != 0) {
            lf_shown shown;
            return lf_fail(LFM2_E_FORMAT, "hf.index",
                           "%s: tensor '%s' is not in '%s', where the index places it",
                           l->index_path, lf_show(&shown, v->key, v->key_len), v->text);
        }
    }
    return LFM2_OK;
}

/* ---- Metadata ---- */

static int32_t meta_text(lf_arena *arena, const lf_json *v, const char **out)
{
    char text[LF_META_CUT + 4];
    switch (v->kind) {
    case LF_JSON_OBJECT:
        snprintf(text, sizeof text, "{%u members}", v->count);
        break;
    case LF_JSON_ARRAY:
        snprintf(text, sizeof text, "[%u values]", v->count);
        break;
    case LF_JSON_STRING:
    case LF_JSON_NUMBER:
        lf_printable(text, LF_META_CUT, v->text, v->len);
        break;
    case LF_JSON_TRUE:
        snprintf(text, sizeof text, "true");
        break;
    case LF_JSON_FALSE:
        snprintf(text, sizeof text, "false");
        break;
    case LF_JSON_NULL:
        snprintf(text, sizeof text, "null");
        break;
    }
    return lf_arena_string(arena, text, strlen(text), out);
}

static int32_t read_meta(lf_source *source, const lf_json *config)
{
    void *memory = NULL;
    LF_TRY(lf_arena_new(&source->arena, config->count, sizeof(lf_meta), "metadata", &memory));
    lf_meta *meta = memory;
    uint32_t n = 0;
    for (const lf_json *v = config->child; v != NULL; v = v->next, n++) {
        char key[LF_META_CUT + 4];
        lf_printable(key, LF_META_CUT, v->key, v->key_len);
        LF_TRY(lf_arena_string(&source->arena, key, strlen(key), &meta[n].key));
        LF_TRY(meta_text(&source->arena, v, &meta[n].value));
    }
    source->meta = meta;
    source->n_meta = n;
    return LFM2_OK;
}

/* The model's name is the last component of the path. */
static int32_t read_name(lf_source *source)
{
    const char *path = source->path;
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    char name[LF_META_CUT + 4];
    lf_printable(name, LF_META_CUT, path + begin, end - begin);
    return lf_arena_string(&source->arena, name, strlen(name), &source->name);
}

/* ---- Text ---- */

static int32_t read_generation(loader *l, lf_config_json *config)
{
    const char *path = NULL;
    const lf_json *root = NULL;
    LF_TRY(read_json(l, "generation_config.json", &config_limits, &path, &root));
    return root != NULL ? lf_generation_from_json(l->source, root, path, config) : LFM2_OK;
}

/* The ids of a folder without tokenizer.json. */
static int32_t use_config_ids(lf_source *source, const lf_config_json *config)
{
    lf_vocab_data *vocab = &source->vocab;
    vocab->bos_id = config->bos_id;
    vocab->eos_id = config->ends.n > 0 ? config->ends.ids[0] : -1;
    vocab->pad_id = config->pad_id;
    const struct {
        const char *file, *key;
        int32_t id;
    } ids[] = {{"config.json", "bos_token_id", vocab->bos_id},
               {config->ends_file, "eos_token_id", vocab->eos_id},
               {"config.json", "pad_token_id", vocab->pad_id}};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (ids[i].id >= 0 && (uint32_t)ids[i].id >= source->hparams.n_vocab) {
            return lf_fail(LFM2_E_FORMAT, "tokenizer.named",
                           "%s: %s: key '%s': the value is %d; allowed: 0 to %u, the last row of "
                           "the embedding",
                           source->path, ids[i].file, ids[i].key, ids[i].id,
                           source->hparams.n_vocab - 1);
        }
    }
    return LFM2_OK;
}

static int32_t read_vocab(loader *l, lf_config_json *config)
{
    lf_vocab_data *vocab = &l->source->vocab;
    const char *settings_path = NULL;
    const lf_json *root = NULL;
    const lf_json *settings = NULL;
    LF_TRY(read_generation(l, config));
    LF_TRY(read_json(l, "tokenizer.json", &tokenizer_limits, &vocab->name, &root));
    if (root == NULL) {
        return use_config_ids(l->source, config);
    }
    LF_TRY(read_json(l, "tokenizer_config.json", &settings_limits, &settings_path, &settings));
    LF_TRY(lf_templates_from_folder(l->source));
    LF_TRY(lf_templates_from_json(l->source, settings));
    return lf_tokenizer_from_json(l->source, root, vocab->name, settings, settings_path, config);
}

/* Checks vocab_size against the embedding before the vocabulary is allocated. */
static int32_t check_rows(const lf_source *source, const char *config_path)
{
    const lf_tensor *embed = lf_source_find(source, "token_embd.weight");
    uint32_t stated = source->hparams.n_vocab;
    if (embed == NULL) {
        return lf_fail(LFM2_E_FORMAT, "bind.missing",
                       "%s: tensor '%sembed_tokens.weight' is missing; every model requires it",
                       source->path, source->hf_prefix);
    }
    if (embed->ne[1] != stated) {
        return lf_fail(LFM2_E_FORMAT, "hf.vocab.count",
                       "%s: key 'vocab_size': the value is %u, but tensor '%sembed_tokens.weight' "
                       "has %llu rows",
                       config_path, stated, source->hf_prefix, (unsigned long long)embed->ne[1]);
    }
    return LFM2_OK;
}

static int32_t load(loader *l)
{
    lf_source *s = l->source;
    const char *config_path = NULL;
    const lf_json *root = NULL;
    LF_TRY(read_json(l, "config.json", &config_limits, &config_path, &root));
    LF_TRY(find_missing(l, root != NULL));
    LF_TRY(read_name(s));
    lf_config_json config = {.bos_id = -1, .pad_id = -1};
    if (root == NULL && s->missing != NULL) {
        return read_vocab(l, &config);
    }
    if (root == NULL) {
        return lf_fail_errno(ENOENT, "io.open", config_path, "cannot be opened");
    }
    LF_TRY(lf_config_from_json(root, config_path, &config));
    LF_TRY(lf_hparams_check(&config.hparams, config_path));
    s->hparams = config.hparams;
    LF_TRY(read_meta(s, root));
    if (s->missing != NULL) {
        return read_vocab(l, &config);
    }
    LF_TRY(find_shards(l));
    LF_TRY(open_shards(l));
    LF_TRY(check_shards(l));
    LF_TRY(lf_hf_translate(s, l->raw, l->n_raw, config.vision));
    LF_TRY(lf_source_index(s));
    LF_TRY(check_rows(s, config_path));
    return read_vocab(l, &config);
}

int32_t lf_hf_load(lf_source *source)
{
    loader l = {.source = source};
    lf_arena_init(&l.scratch, &source->alloc);
    int32_t status = load(&l);
    lf_arena_free(&l.scratch);
    return status;
}
