/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the folder of a prefix cache: the index of its files, reading them, saving sessions.
 */
#include "run/prefix_disk.h"

#include "common/os.h"
#include "model/state_file.h"

#include <string.h>
#include <unistd.h>

/* What is known of a file. */
typedef struct lf_disk_entry {
    struct lf_disk_entry *next;
    lf_disk_name name;
    uint64_t listing; /* the last one that had it */
    uint32_t length;  /* tokens */
    uint32_t n_pages; /* full ones, at least 1 */
    uint64_t pages[]; /* hashes of the ids up to the end of each full page */
} lf_disk_entry;

/* ---- Hashes ---- */

/* What all hashes of a kind of session begin with. */
static uint64_t hash_kind(uint64_t key, uint64_t scope)
{
    const int32_t parts[] = {(int32_t)(scope & 0x7fffffff), (int32_t)(scope >> 31 & 0x7fffffff),
                             (int32_t)(scope >> 62)};
    return scope == 0 ? key : lf_ids_hash(key, parts, 3);
}

/* hashes[i] receives the hash of the ids up to the end of page i, for full pages. Returns the hash
 * of all ids. `hash` is that of the kind. */
static uint64_t hash_pages(uint64_t hash, const int32_t *ids, uint32_t n, uint64_t *hashes)
{
    for (uint32_t i = 0; i < n / LF_ATTN_BLOCK; i++) {
        hash = lf_ids_hash(hash, ids + (size_t)i * LF_ATTN_BLOCK, LF_ATTN_BLOCK);
        hashes[i] = hash;
    }
    return lf_ids_hash(hash, ids + n / LF_ATTN_BLOCK * LF_ATTN_BLOCK, n % LF_ATTN_BLOCK);
}

/* Tokens with their hashes. */
typedef struct sequence {
    uint64_t key, scope;
    const int32_t *ids;
    uint32_t n;
    uint32_t n_pages;
    uint64_t *pages;
    uint64_t hash;
} sequence;

static int32_t hash_sequence(const lf_prefix_disk *disk, const lf_state *state, const int32_t *ids,
                             uint32_t n, sequence *out)
{
    *out = (sequence){.key = disk->keys[state->kv_type],
                      .scope = state->scope,
                      .ids = ids,
                      .n = n,
                      .n_pages = n / LF_ATTN_BLOCK};
    void *p = NULL;
    LF_TRY(lf_new(&disk->model->runtime->alloc, out->n_pages, sizeof *out->pages, "hashes", &p));
    out->pages = p;
    out->hash = hash_pages(hash_kind(out->key, out->scope), ids, n, out->pages);
    return LFM2_OK;
}

static void free_sequence(const lf_prefix_disk *disk, sequence *s)
{
    lf_free(&disk->model->runtime->alloc, s->pages, s->n_pages, sizeof *s->pages);
}

/* Whether they have the same model, KV type and scope. */
static bool is_kind(const sequence *s, const lf_disk_entry *entry)
{
    return entry->name.key == s->key && entry->name.scope == s->scope;
}

/* Full pages that both begin with. */
static uint32_t common_pages(const sequence *s, const lf_disk_entry *entry)
{
    uint32_t low = 0;
    uint32_t high = s->n_pages < entry->n_pages ? s->n_pages : entry->n_pages;
    while (low < high) { /* equal hashes: all pages before them are equal, too */
        uint32_t middle = (low + high) / 2;
        if (s->pages[middle] == entry->pages[middle]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whether the sequence begins with all tokens of the entry. */
static bool begins_with(const sequence *s, const lf_disk_entry *entry)
{
    if (entry->length > s->n || common_pages(s, entry) < entry->n_pages) {
        return false;
    }
    uint32_t first = entry->n_pages * LF_ATTN_BLOCK;
    uint64_t hash = entry->pages[entry->n_pages - 1];
    return lf_ids_hash(hash, s->ids + first, entry->length - first) == entry->name.hash;
}

/* ---- Create, free ---- */

static size_t entry_bytes(uint32_t n_pages)
{
    return sizeof(lf_disk_entry) + n_pages * sizeof(uint64_t);
}

int32_t lf_prefix_disk_create(lfm2_model *model, const char *folder, uint64_t budget,
                              lf_prefix_disk **out)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    char path[LF_FOLDER_PATH];
    void *p = NULL;
    LF_TRY(lf_folder_prepare(folder, path));
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_prefix_disk), "prefix cache", &p));
    lf_prefix_disk *disk = p;
    disk->model = model;
    for (int32_t type = 0; type < LF_KV_COUNT; type++) {
        const int32_t ids[] = {type};
        disk->keys[type] =
            lf_ids_hash(model->identity.weights ^ model->identity.kernels * 31, ids, 1);
    }
    disk->folder_bytes = strlen(path) + 1;
    int32_t status = lf_new(alloc, disk->folder_bytes, 1, "path", &p);
    if (status == LFM2_OK) {
        disk->folder = p;
        memcpy(disk->folder, path, disk->folder_bytes);
        status = lf_prefix_disk_set_budget(disk, budget);
    }
    if (status != LFM2_OK) {
        lf_prefix_disk_free(disk);
        return status;
    }
    *out = disk;
    return LFM2_OK;
}

void lf_prefix_disk_free(lf_prefix_disk *disk)
{
    if (disk == NULL) {
        return;
    }
    const lf_alloc *alloc = &disk->model->runtime->alloc;
    for (int i = 0; i < LF_DISK_BUCKETS; i++) {
        for (lf_disk_entry *e = disk->entries[i]; e != NULL;) {
            lf_disk_entry *next = e->next;
            lf_free(alloc, e, entry_bytes(e->n_pages), 1);
            e = next;
        }
    }
    lf_free(alloc, disk->folder, disk->folder_bytes, 1);
    lf_free(alloc, disk, 1, sizeof *disk);
}

/* ---- The index; the caller has the lock ---- */

static lf_disk_entry **find_entry(lf_prefix_disk *disk, const lf_disk_name *name)
{
    lf_disk_entry **at = &disk->entries[name->hash % LF_DISK_BUCKETS];
    while (*at != NULL && ((*at)->name.hash != name->hash || (*at)->name.key != name->key)) {
        at = &(*at)->next;
    }
    return at;
}

static void drop_entry(lf_prefix_disk *disk, lf_disk_entry **at)
{
    lf_disk_entry *entry = *at;
    *at = entry->next;
    lf_free(&disk->model->runtime->alloc, entry, entry_bytes(entry->n_pages), 1);
}

/* Calls `visit` for each entry until it returns true; its `at` is then returned, else NULL. */
static lf_disk_entry **walk(lf_prefix_disk *disk, bool (*visit)(void *ctx, lf_disk_entry *entry),
                            void *ctx)
{
    for (int i = 0; i < LF_DISK_BUCKETS; i++) {
        for (lf_disk_entry **at = &disk->entries[i]; *at != NULL; at = &(*at)->next) {
            if (visit(ctx, *at)) {
                return at;
            }
        }
    }
    return NULL;
}

/* ---- Files ---- */

/* Deletes a file that cannot be used. The next listing removes its entry. */
static void delete_bad(lf_prefix_disk *disk, const lf_disk_name *name)
{
    char path[LF_FOLDER_PATH];
    lf_folder_path(disk->folder, name, path);
    unlink(path);
    atomic_fetch_add(&disk->n_bad, 1);
}

/* A file that is open for reading, with its ids. */
typedef struct open_file {
    lf_file file;
    lf_input input;
    lf_state_header header;
    int32_t *ids; /* [header.length] */
} open_file;

static void close_saved(const lf_prefix_disk *disk, open_file *f)
{
    lf_free(&disk->model->runtime->alloc, f->ids, f->header.length, sizeof *f->ids);
    lf_file_close(&f->file);
}

/* Whether the ids are those of the name. */
static bool is_named(const lf_prefix_disk *disk, const lf_disk_name *name, const open_file *f,
                     uint64_t *hashes)
{
    return disk->keys[f->header.kv_type] == name->key &&
           hash_pages(hash_kind(name->key, name->scope), f->ids, f->header.length, hashes) ==
               name->hash;
}

/* Opens a file and reads its ids. Errors: those of the calls; FORMAT, UNSUPPORTED: it is bad. */
static int32_t open_saved(const lf_prefix_disk *disk, const lf_disk_name *name,
                          char path[LF_FOLDER_PATH], open_file *f)
{
    const lf_alloc *alloc = &disk->model->runtime->alloc;
    *f = (open_file){.ids = NULL};
    lf_folder_path(disk->folder, name, path);
    const lf_origin origin = {.kind = LF_FROM_PATH, .copy = true, .path = path};
    LF_TRY(lf_file_open_from(alloc, &origin, &f->file));
    lf_input_of_file(&f->file, &f->input);
    int32_t status = lf_state_read_header(disk->model, &f->input, &f->header);
    void *ids = NULL;
    if (status == LFM2_OK && f->header.length < LF_ATTN_BLOCK) {
        status = lf_fail(LFM2_E_FORMAT, "cache.length", "%s: has too few tokens", path);
    }
    if (status == LFM2_OK) {
        status = lf_new(alloc, f->header.length, sizeof *f->ids, "token ids", &ids);
    }
    f->ids = ids;
    if (status == LFM2_OK) {
        status = lf_state_read_ids(disk->model, &f->input, &f->header, f->ids);
    }
    if (status != LFM2_OK) {
        close_saved(disk, f);
    }
    return status;
}

static bool is_bad(int32_t status)
{
    return status == LFM2_E_FORMAT || status == LFM2_E_UNSUPPORTED;
}

/* Makes the entry of a file. *out stays NULL if the file cannot be used. Errors: MEMORY. */
static int32_t read_entry(lf_prefix_disk *disk, const lf_disk_name *name, lf_disk_entry **out)
{
    open_file f;
    char path[LF_FOLDER_PATH];
    int32_t status = open_saved(disk, name, path, &f);
    if (status == LFM2_OK) {
        uint32_t n_pages = f.header.length / LF_ATTN_BLOCK;
        void *p = NULL;
        status = lf_new(&disk->model->runtime->alloc, entry_bytes(n_pages), 1, "prefix cache", &p);
        if (status == LFM2_OK) {
            lf_disk_entry *entry = p;
            *entry = (lf_disk_entry){.name = *name, .length = f.header.length, .n_pages = n_pages};
            *out = entry;
            if (!is_named(disk, name, &f, entry->pages)) {
                lf_free(&disk->model->runtime->alloc, p, entry_bytes(n_pages), 1);
                *out = NULL;
                status = LFM2_E_FORMAT;
            }
        }
        close_saved(disk, &f);
    }
    if (is_bad(status)) {
        delete_bad(disk, name);
    }
    return status == LFM2_E_MEMORY ? status : LFM2_OK;
}

/* ---- Listing the folder ---- */

typedef struct listing {
    lf_prefix_disk *disk;
    uint64_t number;
} listing;

static bool is_ours(const lf_prefix_disk *disk, uint64_t key)
{
    bool ours = false;
    for (int i = 0; i < LF_KV_COUNT; i++) {
        ours = ours || disk->keys[i] == key;
    }
    return ours;
}

/* Notes that a listing has a file. False: the index does not have it. */
static bool mark_entry(lf_prefix_disk *disk, const lf_disk_name *name, uint64_t number)
{
    bool known = true;
    if (lf_lock_take(&disk->lock)) {
        lf_disk_entry *entry = *find_entry(disk, name);
        known = entry != NULL;
        if (known && entry->listing < number) {
            entry->listing = number;
        }
        lf_lock_give(&disk->lock);
    }
    return known;
}

/* Adds an entry, which the index takes over, unless it has it. */
static void add_entry(lf_prefix_disk *disk, lf_disk_entry *entry)
{
    bool added = false;
    if (lf_lock_take(&disk->lock)) {
        lf_disk_entry **at = find_entry(disk, &entry->name);
        added = *at == NULL;
        entry->listing = disk->listing;
        if (added) {
            *at = entry;
            entry->next = NULL;
        }
        lf_lock_give(&disk->lock);
    }
    if (!added) {
        lf_free(&disk->model->runtime->alloc, entry, entry_bytes(entry->n_pages), 1);
    }
}

static int32_t list_file(void *user, const char *text)
{
    listing *l = user;
    lf_disk_name name;
    lf_disk_entry *entry = NULL;
    if (!lf_folder_parse(text, &name) || !is_ours(l->disk, name.key) ||
        mark_entry(l->disk, &name, l->number)) {
        return LFM2_OK;
    }
    LF_TRY(read_entry(l->disk, &name, &entry));
    if (entry != NULL) {
        add_entry(l->disk, entry);
    }
    return LFM2_OK;
}

static bool is_gone(void *ctx, lf_disk_entry *entry)
{
    const listing *l = ctx;
    return entry->listing < l->number;
}

/* Brings the index up to date. The folder is listed only if it has changed. Errors: MEMORY. */
static int32_t refresh(lf_prefix_disk *disk)
{
    uint64_t changed = lf_folder_changed_ns(disk->folder);
    listing l = {.disk = disk};
    if (!lf_lock_take(&disk->lock)) {
        return LFM2_OK;
    }
    bool same = changed != 0 && changed == disk->changed_ns;
    l.number = same ? disk->listing : ++disk->listing;
    lf_lock_give(&disk->lock);
    if (same) {
        return LFM2_OK;
    }
    int32_t status = lf_os_list(disk->folder, LF_FOLDER_MOST_FILES, list_file, &l);
    if (status == LFM2_OK && lf_lock_take(&disk->lock)) {
        lf_disk_entry **at = NULL;
        while ((at = walk(disk, is_gone, &l)) != NULL) {
            drop_entry(disk, at);
        }
        disk->changed_ns = changed;
        lf_lock_give(&disk->lock);
    }
    return status == LFM2_E_MEMORY ? status : LFM2_OK;
}

/* ---- Reading ---- */

typedef struct candidate {
    const sequence *s;
    lf_disk_name name;
    uint32_t length; /* tokens that the file has at least */
} candidate;

/* Chooses the entry with the most tokens of the sequence. */
static bool compare_entry(void *ctx, lf_disk_entry *entry)
{
    candidate *c = ctx;
    if (!is_kind(c->s, entry)) {
        return false;
    }
    uint32_t length =
        begins_with(c->s, entry) ? entry->length : common_pages(c->s, entry) * LF_ATTN_BLOCK;
    if (length > c->length) {
        c->length = length;
        c->name = entry->name;
    }
    return false;
}

/* Reads the tokens that the file and the sequence begin with. */
static int32_t read_common(lf_prefix_disk *disk, lfm2_session *session, const sequence *s,
                           open_file *f, lf_disk_hit *hit)
{
    uint32_t most = f->header.length < s->n ? f->header.length : s->n;
    uint32_t n = 0;
    while (n < most && f->ids[n] == s->ids[n]) {
        n++;
    }
    bool whole = n == s->n && n == f->header.length && f->header.has_logits;
    n = n == s->n && !whole ? n - 1 : n;
    if (n == 0) {
        return LFM2_OK;
    }
    lfm2_model *model = disk->model;
    if (whole) {
        LF_TRY(lf_floats_new(&model->runtime->alloc, model->source->hparams.n_vocab, "logits",
                             &hit->logits));
    }
    LF_TRY(lf_state_read_tokens(model, &f->input, &f->header, f->ids, n, &session->state,
                                whole ? hit->logits->at : NULL));
    hit->warm_up = n < f->header.length;
    hit->length = n;
    return LFM2_OK;
}

static int32_t read_file(lf_prefix_disk *disk, lfm2_session *session, const sequence *s,
                         const lf_disk_name *name, lf_disk_hit *hit)
{
    open_file f;
    char path[LF_FOLDER_PATH];
    int32_t status = open_saved(disk, name, path, &f);
    if (status == LFM2_OK) {
        status = read_common(disk, session, s, &f, hit);
        close_saved(disk, &f);
    }
    if (status != LFM2_OK) {
        lf_floats_release(&disk->model->runtime->alloc, hit->logits);
        *hit = (lf_disk_hit){0};
        lf_state_reset(disk->model, &session->state);
        if (is_bad(status)) {
            delete_bad(disk, name);
        }
        return status;
    }
    lf_folder_touch(path);
    atomic_fetch_add(&disk->n_hits, 1);
    return LFM2_OK;
}

int32_t lf_prefix_disk_read(lf_prefix_disk *disk, lfm2_session *session, const int32_t *ids,
                            uint32_t n, uint32_t least, lf_disk_hit *hit)
{
    *hit = (lf_disk_hit){0};
    sequence s;
    lf_failure before;
    lf_fail_save(&before);
    LF_TRY(refresh(disk));
    LF_TRY(hash_sequence(disk, &session->state, ids, n, &s));
    candidate c = {.s = &s, .length = least};
    if (lf_lock_take(&disk->lock)) {
        walk(disk, compare_entry, &c);
        lf_lock_give(&disk->lock);
    }
    int32_t status = c.length == least ? LFM2_OK : read_file(disk, session, &s, &c.name, hit);
    free_sequence(disk, &s);
    if (status == LFM2_E_MEMORY) {
        return status;
    }
    lf_fail_restore(&before);
    return LFM2_OK;
}

/* ---- Saving ---- */

/* Whether a file has all tokens of the sequence, as far as the hashes say. */
static bool has_all(void *ctx, lf_disk_entry *entry)
{
    const sequence *s = ctx;
    if (!is_kind(s, entry)) {
        return false;
    }
    return entry->name.hash == s->hash || (s->n % LF_ATTN_BLOCK == 0 && entry->length > s->n &&
                                           common_pages(s, entry) == s->n_pages);
}

static bool is_beginning(void *ctx, lf_disk_entry *entry)
{
    const sequence *s = ctx;
    return is_kind(s, entry) && entry->length < s->n && begins_with(s, entry);
}

/* Deletes the files whose tokens the sequence begins with. */
static void delete_beginnings(lf_prefix_disk *disk, sequence *s)
{
    bool more = true;
    while (more && lf_lock_take(&disk->lock)) {
        lf_disk_entry **at = walk(disk, is_beginning, s);
        more = at != NULL;
        char path[LF_FOLDER_PATH];
        if (more) {
            lf_folder_path(disk->folder, &(*at)->name, path);
            drop_entry(disk, at);
        }
        lf_lock_give(&disk->lock);
        if (more) {
            unlink(path);
        }
    }
}

static int32_t write_file(lf_prefix_disk *disk, const lfm2_session *session, sequence *s)
{
    const lf_disk_name name = {s->key, s->hash, s->scope};
    const lf_alloc *alloc = &disk->model->runtime->alloc;
    const lf_state_content content = {.state = &session->state,
                                      .logits = session->has_logits ? session->logits->at : NULL,
                                      .pending = -1};
    if (lf_state_file_bytes(disk->model, &content) > atomic_load(&disk->budget)) {
        return LFM2_OK;
    }
    char path[LF_FOLDER_PATH];
    lf_folder_path(disk->folder, &name, path);
    lf_writer *writer = NULL;
    LF_TRY(lf_writer_create(alloc, path, LF_WRITER_PRIVATE | LF_WRITER_NO_SYNC, &writer));
    int32_t status = lf_state_write(disk->model, &content, writer);
    status = status == LFM2_OK ? lf_writer_commit(writer) : status;
    lf_writer_free(writer);
    LF_TRY(status);
    delete_beginnings(disk, s);
    return lf_prefix_disk_set_budget(disk, atomic_load(&disk->budget));
}

static int32_t save(lf_prefix_disk *disk, const lfm2_session *session, const int32_t *ids)
{
    sequence s;
    LF_TRY(hash_sequence(disk, &session->state, ids, session->state.length, &s));
    bool known = true; /* if the lock is lost, nothing is saved */
    char path[LF_FOLDER_PATH];
    path[0] = 0;
    if (lf_lock_take(&disk->lock)) {
        lf_disk_entry **at = walk(disk, has_all, &s);
        known = at != NULL;
        if (known) {
            lf_folder_path(disk->folder, &(*at)->name, path);
        }
        lf_lock_give(&disk->lock);
    }
    int32_t status = LFM2_OK;
    if (known) {
        lf_folder_touch(path);
    } else {
        status = write_file(disk, session, &s);
    }
    free_sequence(disk, &s);
    return status;
}

int32_t lf_prefix_disk_save(lf_prefix_disk *disk, const lfm2_session *session)
{
    uint32_t n = session->state.length;
    const lf_alloc *alloc = &disk->model->runtime->alloc;
    if (n < LF_ATTN_BLOCK) {
        return LFM2_OK;
    }
    lf_failure before;
    lf_fail_save(&before);
    LF_TRY(refresh(disk));
    lf_fail_restore(&before);
    void *ids = NULL;
    LF_TRY(lf_new(alloc, n, sizeof(int32_t), "token ids", &ids));
    lf_state_ids(&session->state, 0, n, ids);
    int32_t status = save(disk, session, ids);
    lf_free(alloc, ids, n, sizeof(int32_t));
    return status;
}

int32_t lf_prefix_disk_set_budget(lf_prefix_disk *disk, uint64_t budget)
{
    lf_folder_size size;
    atomic_store(&disk->budget, budget);
    LF_TRY(lf_folder_shrink(disk->folder, budget, &size));
    atomic_store(&disk->bytes, size.bytes);
    atomic_store(&disk->n_files, size.n_files);
    atomic_fetch_add(&disk->n_evicted, size.n_deleted);
    return LFM2_OK;
}
