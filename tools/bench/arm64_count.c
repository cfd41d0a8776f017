/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of qemu that counts the instructions that a program executes, by function; for
 * tools/bench/arm64-count.sh. Functions without a symbol, such as those of shared libraries, are
 * counted together. `-plugin FILE.so,out=COUNTS` writes a line "instructions function" each. */
#include <qemu-plugin.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum { BUCKETS = 4096 };

typedef struct function {
    struct function *next;
    qemu_plugin_u64 count;
    char name[];
} function;

static function *buckets[BUCKETS];
static const char *out_path = "counts";

static function *find(const char *name)
{
    size_t hash = 5381;
    for (const char *at = name; *at != 0; at++) {
        hash = hash * 33 + (unsigned char)*at;
    }
    function **bucket = &buckets[hash % BUCKETS];
    for (function *f = *bucket; f != NULL; f = f->next) {
        if (strcmp(f->name, name) == 0) {
            return f;
        }
    }
    function *f = malloc(sizeof *f + strlen(name) + 1);
    if (f == NULL) {
        exit(1);
    }
    f->count = qemu_plugin_scoreboard_u64(qemu_plugin_scoreboard_new(sizeof(uint64_t)));
    strcpy(f->name, name);
    f->next = *bucket;
    *bucket = f;
    return f;
}

/* qemu calls this with a lock held. */
static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    const char *name = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(block, 0));
    function *f = find(name != NULL && name[0] != 0 ? name : "no-symbol");
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(block, QEMU_PLUGIN_INLINE_ADD_U64, f->count,
                                                      qemu_plugin_tb_n_insns(block));
}

static void write_counts(qemu_plugin_id_t id, void *user)
{
    (void)id;
    (void)user;
    FILE *file = fopen(out_path, "w");
    if (file == NULL) {
        perror(out_path);
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const function *f = buckets[i]; f != NULL; f = f->next) {
            fprintf(file, "%llu %s\n", (unsigned long long)qemu_plugin_u64_sum(f->count), f->name);
        }
    }
    fclose(file);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            out_path = strdup(argv[i] + 4);
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, write_counts, NULL);
    return 0;
}
