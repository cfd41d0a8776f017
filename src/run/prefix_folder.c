/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the files of a prefix cache's folder. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "run/prefix_folder.h"

#include "common/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char ending[] = ".lfm2kv";

/* ---- Names ---- */

static bool parse_hex(const char *text, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    *out = 0;
    for (int i = 0; i < 16; i++) {
        const char *digit = text[i] == 0 ? NULL : strchr(digits, text[i]);
        if (digit == NULL) {
            return false;
        }
        *out = *out << 4 | (uint64_t)(digit - digits);
    }
    return true;
}

/* Parses the beginning of a name; *rest receives what follows. */
static bool parse_begin(const char *text, lf_disk_name *out, const char **rest)
{
    if (!parse_hex(text, &out->key) || text[16] != '-' || !parse_hex(text + 17, &out->hash)) {
        return false;
    }
    text += 33;
    out->scope = 0;
    if (*text == '-') {
        if (!parse_hex(text + 1, &out->scope) || out->scope == 0) {
            return false;
        }
        text += 17;
    }
    if (strncmp(text, ending, sizeof ending - 1) != 0) {
        return false;
    }
    *rest = text + sizeof ending - 1;
    return true;
}

bool lf_folder_parse(const char *text, lf_disk_name *out)
{
    const char *rest = NULL;
    return parse_begin(text, out, &rest) && *rest == 0;
}

void lf_folder_path(const char *folder, const lf_disk_name *name, char path[LF_FOLDER_PATH])
{
    char scope[20] = "";
    if (name->scope != 0) {
        snprintf(scope, sizeof scope, "-%016llx", (unsigned long long)name->scope);
    }
    snprintf(path, LF_FOLDER_PATH, "%s/%016llx-%016llx%s%s", folder, (unsigned long long)name->key,
             (unsigned long long)name->hash, scope, ending);
}

/* ---- The folder ---- */

int32_t lf_folder_prepare(const char *folder, char path[LF_FOLDER_PATH])
{
    struct stat st;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return lf_fail_errno(errno, "cache.folder", folder, "cannot be created");
    }
    if (realpath(folder, path) == NULL || stat(path, &st) != 0) {
        return lf_fail_errno(errno, "cache.folder", folder, "cannot be used");
    }
    if (!S_ISDIR(st.st_mode)) {
        return lf_fail(LFM2_E_ARGUMENT, "cache.folder", "%s: is not a folder", folder);
    }
    if (strlen(path) + 2 * LF_FOLDER_NAME > LF_FOLDER_PATH) {
        return lf_fail(LFM2_E_ARGUMENT, "cache.folder", "%s: the path is too long", folder);
    }
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return lf_fail(LFM2_E_ARGUMENT, "cache.folder_mode",
                       "%s: other users may write to this folder (owner %ld, mode %03o); it must "
                       "belong to this user, with a mode such as 700",
                       folder, (long)st.st_uid, (unsigned)st.st_mode & 0777);
    }
    return LFM2_OK;
}

static uint64_t ns_of(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The clock of file times. */
static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ns_of(now);
}

uint64_t lf_folder_changed_ns(const char *folder)
{
    enum { RECENT_NS = 100000000 }; /* file times have steps of up to 10 ms */
    struct stat st;
    if (stat(folder, &st) != 0) {
        return 0;
    }
    uint64_t changed = ns_of(st.st_mtim);
    uint64_t now = now_ns();
    return now > changed && now - changed > RECENT_NS ? changed : 0;
}

void lf_folder_touch(const char *path)
{
    utimensat(AT_FDCWD, path, NULL, 0); /* the file may be gone */
}

/* ---- Size ---- */

enum { OLDEST = 64 };

typedef struct old_file {
    lf_disk_name name;
    uint64_t used_ns, bytes;
} old_file;

typedef struct census {
    const char *folder;
    lf_folder_size *size;
    old_file oldest[OLDEST]; /* the oldest one first */
    size_t n_oldest;
} census;

static void note_old(census *c, const old_file *file)
{
    size_t at = c->n_oldest;
    while (at > 0 && c->oldest[at - 1].used_ns > file->used_ns) {
        at--;
    }
    if (at == OLDEST) {
        return;
    }
    c->n_oldest += c->n_oldest < OLDEST;
    memmove(&c->oldest[at + 1], &c->oldest[at], (c->n_oldest - 1 - at) * sizeof *file);
    c->oldest[at] = *file;
}

static int32_t count_file(void *user, const char *text)
{
    enum { ABANDONED_S = 600 };
    census *c = user;
    old_file file;
    const char *rest = NULL;
    struct stat st;
    char path[LF_FOLDER_PATH];
    if (!parse_begin(text, &file.name, &rest) || strlen(text) > LF_FOLDER_NAME + 32) {
        return LFM2_OK;
    }
    snprintf(path, sizeof path, "%s/%s", c->folder, text);
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return LFM2_OK;
    }
    file.used_ns = ns_of(st.st_mtim);
    file.bytes = (uint64_t)st.st_size;
    bool is_temporary = strncmp(rest, ".tmp-", 5) == 0;
    if (is_temporary && file.used_ns + ABANDONED_S * 1000000000ULL < now_ns()) {
        unlink(path);
        return LFM2_OK;
    }
    if (is_temporary || *rest == 0) {
        c->size->bytes += file.bytes;
    }
    if (*rest == 0) {
        c->size->n_files++;
        note_old(c, &file);
    }
    return LFM2_OK;
}

int32_t lf_folder_shrink(const char *folder, uint64_t most, lf_folder_size *out)
{
    out->n_deleted = 0;
    for (size_t deleted = 1; deleted > 0;) {
        census c = {.folder = folder, .size = out};
        out->bytes = 0;
        out->n_files = 0;
        LF_TRY(lf_os_list(folder, LF_FOLDER_MOST_FILES, count_file, &c));
        deleted = 0;
        for (size_t i = 0; i < c.n_oldest && out->bytes > most; i++) {
            char path[LF_FOLDER_PATH];
            lf_folder_path(folder, &c.oldest[i].name, path);
            deleted += unlink(path) == 0; /* else another process was faster */
            out->bytes -= c.oldest[i].bytes;
            out->n_files--;
        }
        out->n_deleted += deleted;
        if (out->bytes <= most) {
            break;
        }
    }
    return LFM2_OK;
}
