/* SPDX-License-Identifier: Apache-2.0 */
/* Folders that hold GGUF files instead of a Hugging Face checkpoint. */
#include "load/advice.h"

#include "common/os.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Entries that are looked at; names that a message lists; bytes of a name. */
enum { MAX_ENTRIES = 1 << 16, MAX_NAMES = 8, NAME_BYTES = 256 };

/* The models of a folder: the first names in alphabetical order, and their number. */
typedef struct models {
    char *path; /* of an entry: the folder, a slash, and space for NAME_BYTES */
    size_t dir; /* bytes before the name */
    uint32_t n, n_projectors, n_later; /* n_later: parts of split models except the first */
    char names[MAX_NAMES][NAME_BYTES];
    char weights[NAME_BYTES]; /* a file with weights in another format, or "" */
} models;

/* Whether the name is that of a part other than the first, "...-00002-of-00003.gguf". */
static bool is_later_part(const char *name, size_t n)
{
    enum { TAIL = sizeof "-00002-of-00003.gguf" - 1, OF = 6 };
    if (n <= TAIL) {
        return false;
    }
    const char *tail = name + n - TAIL;
    return strncmp(tail + OF, "-of-", 4) == 0 && strspn(tail + 1, "0123456789") == OF - 1 &&
           strncmp(tail, "-00001", OF) != 0;
}

static bool is_folder(models *m, const char *name, size_t n)
{
    struct stat st;
    memcpy(m->path + m->dir, name, n + 1);
    return stat(m->path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void insert_model(models *m, const char *name, size_t n)
{
    uint32_t kept = m->n < MAX_NAMES ? m->n : MAX_NAMES;
    uint32_t at = kept;
    while (at > 0 && strcmp(name, m->names[at - 1]) < 0) {
        at--;
    }
    if (at < MAX_NAMES) {
        uint32_t moved = (kept < MAX_NAMES ? kept : MAX_NAMES - 1) - at;
        memmove(m->names[at + 1 < MAX_NAMES ? at + 1 : at], m->names[at], moved * NAME_BYTES);
        memcpy(m->names[at], name, n + 1);
    }
    m->n++;
}

static int32_t visit(void *user, const char *name)
{
    models *m = user;
    size_t n = strlen(name);
    bool gguf = lf_ends_with(name, n, ".gguf");
    bool other = !gguf && lf_advice_weights(name, n) != NULL;
    if (name[0] == '.' || n >= NAME_BYTES || !(gguf || other) || is_folder(m, name, n)) {
        return LFM2_OK;
    }
    if (other) { /* the first in alphabetical order, as the order of a folder may change */
        if (m->weights[0] == '\0' || strcmp(name, m->weights) < 0) {
            memcpy(m->weights, name, n + 1);
        }
    } else if (is_later_part(name, n)) {
        m->n_later++;
    } else if (lf_contains(name, n, "mmproj")) {
        m->n_projectors++;
    } else {
        insert_model(m, name, n);
    }
    return LFM2_OK;
}

static int32_t fail_several(const lf_source *source, const models *m)
{
    char list[MAX_NAMES * (LF_SHOWN + 8)];
    size_t n = 0;
    for (uint32_t i = 0; i < m->n && i < MAX_NAMES; i++) {
        lf_shown shown;
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i > 0 ? ", " : "",
                              lf_show(&shown, m->names[i], strlen(m->names[i])));
    }
    return lf_fail(LFM2_E_ARGUMENT, "folder.several",
                   "%s: the folder has %u GGUF models; give the path of one of them: %s%s",
                   source->path, m->n, list, m->n > MAX_NAMES ? ", ..." : "");
}

int32_t lf_folder_join(lf_source *source, const char *name, const char **out)
{
    size_t dir = strlen(source->path);
    size_t n = dir + strlen(name) + 2;
    void *p = NULL;
    LF_TRY(lf_arena_new(&source->arena, n, 1, "path", &p));
    snprintf(p, n, "%s%s%s", source->path, dir > 0 && source->path[dir - 1] == '/' ? "" : "/",
             name);
    *out = p;
    return LFM2_OK;
}

int32_t lf_folder_has(lf_source *source, const char *name, bool *has, const char **path)
{
    const char *joined = NULL;
    struct stat st;
    LF_TRY(lf_folder_join(source, name, &joined));
    *has = stat(joined, &st) == 0;
    if (path != NULL) {
        *path = joined;
    }
    return LFM2_OK;
}

int32_t lf_folder_read(lf_source *source, const char *path, uint64_t limit, char **text,
                       size_t *len)
{
    const lf_origin origin = {.kind = LF_FROM_PATH, .path = path, .copy = true};
    const lf_alloc *alloc = &source->alloc;
    lf_file file;
    void *memory = NULL;
    LF_TRY(lf_file_open_from(alloc, &origin, &file));
    size_t n = (size_t)file.size;
    int32_t status = LFM2_OK;
    if (file.size > limit) {
        status = lf_fail(LFM2_E_FORMAT, "hf.file_size",
                         "%s: the file has %llu bytes; at most %llu are allowed", path,
                         (unsigned long long)file.size, (unsigned long long)limit);
        goto done;
    }
    LF_TRY_DONE(lf_new(alloc, n, 1, "file", &memory));
    LF_TRY_DONE(lf_file_read(&file, 0, memory, n));
    *text = memory;
    *len = n;
    memory = NULL;
done:
    lf_free(alloc, memory, n, 1);
    lf_file_close(&file);
    return status;
}

int32_t lf_folder_has_safetensors(lf_source *source, bool *has)
{
    LF_TRY(lf_folder_has(source, "model.safetensors", has, NULL));
    return *has ? LFM2_OK : lf_folder_has(source, "model.safetensors.index.json", has, NULL);
}

/* Lists the folder. */
static int32_t find_models(lf_source *source, models *m)
{
    size_t dir = strlen(source->path);
    void *p = NULL;
    LF_TRY(lf_arena_new(&source->arena, dir + 1 + NAME_BYTES, 1, "path", &p));
    *m = (models){.path = p, .dir = dir + 1};
    memcpy(m->path, source->path, dir);
    m->path[dir] = '/';
    return lf_os_list(source->path, MAX_ENTRIES, visit, m);
}

/* Sets source->weights_advice. */
static int32_t note_weights(lf_source *source, const models *m)
{
    char text[512];
    lf_shown shown;
    size_t n = strlen(m->weights);
    snprintf(text, sizeof text, "'%s' has %s", lf_show(&shown, m->weights, n),
             lf_advice_weights(m->weights, n));
    return lf_arena_string(&source->arena, text, strlen(text), &source->weights_advice);
}

/* Refuses a folder without a model by what it has instead. */
static int32_t refuse_no_model(const lf_source *source, const models *m)
{
    if (m->n_later > 0) {
        return lf_fail(LFM2_E_FORMAT, "folder.part",
                       "%s: the folder has later parts of a split GGUF model, but not the first "
                       "part (...-00001-of-...gguf); add it",
                       source->path);
    }
    if (m->n_projectors > 0) {
        return lf_fail(LFM2_E_FORMAT, "folder.projector",
                       "%s: the folder has only the projector (mmproj) of a vision or audio "
                       "model; add the GGUF file of its text model",
                       source->path);
    }
    if (source->weights_advice != NULL) {
        return lf_fail(LFM2_E_FORMAT, "folder.weights", "%s: %s", source->path,
                       source->weights_advice);
    }
    return LFM2_OK;
}

int32_t lf_folder_find_gguf(lf_source *source, bool *found)
{
    bool config = false;
    bool tokenizer = false;
    bool safetensors = false;
    bool adapter = false;
    models m;
    *found = false;
    LF_TRY(lf_folder_has(source, "config.json", &config, NULL));
    LF_TRY(lf_folder_has(source, "tokenizer.json", &tokenizer, NULL));
    LF_TRY(lf_folder_has_safetensors(source, &safetensors));
    if (safetensors && (config || tokenizer)) {
        return LFM2_OK;
    }
    LF_TRY(lf_folder_has(source, "adapter_config.json", &adapter, NULL));
    if (adapter) {
        return lf_fail(LFM2_E_UNSUPPORTED, "folder.adapter",
                       "%s: the folder has an adapter (LoRA), not a model; merge it into its model "
                       "and load the result",
                       source->path);
    }
    LF_TRY(find_models(source, &m));
    if (m.n > 1) {
        return fail_several(source, &m);
    }
    if (m.n == 1) {
        LF_TRY(lf_folder_join(source, m.names[0], &source->path));
        source->origin.path = source->path;
        source->vocab.name = source->path;
        *found = true;
        return LFM2_OK;
    }
    if (!safetensors && m.weights[0] != '\0') {
        LF_TRY(note_weights(source, &m));
    }
    return config || tokenizer ? LFM2_OK : refuse_no_model(source, &m);
}
