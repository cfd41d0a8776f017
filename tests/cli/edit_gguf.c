/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a GGUF file with changed metadata.
 *
 *     edit_gguf IN OUT [KEY=FILE | ID:KIND=TEXT]...
 *
 * KEY=FILE sets a string to the content of FILE, ID:KIND=TEXT sets the text and the kind
 * (tokenizer.ggml.token_type) of a token. */
#include "fuzz/gguf_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gguf_tree tree;

static void fail(const char *what)
{
    fprintf(stderr, "edit_gguf: %s\n", what);
    exit(1);
}

/* Memory that stays in use until the program ends: the tree points into it. */
static uint8_t *allocate(size_t size)
{
    static void **last;
    void **block = malloc(sizeof(void *) + size);
    if (block == NULL) {
        fail("out of memory");
    }
    *block = last;
    last = block;
    return (uint8_t *)(block + 1);
}

static gt_bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fail(path);
    }
    size_t size = (size_t)ftell(file);
    uint8_t *data = allocate(size);
    rewind(file);
    if (fread(data, 1, size, file) != size) {
        fail(path);
    }
    fclose(file);
    return (gt_bytes){data, size};
}

static gt_key *find_key(const char *name)
{
    for (uint32_t i = 0; i < tree.n_keys; i++) {
        const gt_bytes *key = &tree.keys[i].name;
        if (key->size == strlen(name) && memcmp(key->data, name, key->size) == 0) {
            return &tree.keys[i];
        }
    }
    return NULL;
}

static void set_string(const char *name, gt_bytes value)
{
    gt_key *key = find_key(name);
    if (key == NULL && tree.n_keys == GT_MAX_KEYS) {
        fail("too many keys");
    }
    if (key == NULL) {
        key = &tree.keys[tree.n_keys++];
        tree.said_keys++;
        key->name = (gt_bytes){(const uint8_t *)name, strlen(name)};
    }
    key->type = key->item = GT_STRING;
    key->count = 1;
    key->value = value;
}

static uint64_t length_at(const uint8_t *at)
{
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--) {
        n = n << 8 | at[i];
    }
    return n;
}

static void set_token(uint32_t id, int32_t kind, const char *text)
{
    gt_key *tokens = find_key("tokenizer.ggml.tokens");
    gt_key *kinds = find_key("tokenizer.ggml.token_type");
    if (tokens == NULL || kinds == NULL || id >= tokens->count) {
        fail("no such token");
    }
    size_t at = 0;
    for (uint32_t i = 0; i < id; i++) {
        at += 8 + (size_t)length_at(tokens->value.data + at);
    }
    size_t old = (size_t)length_at(tokens->value.data + at);
    size_t len = strlen(text);
    uint8_t *copy = allocate(tokens->value.size + len);
    uint8_t *values = allocate(kinds->value.size);
    memcpy(copy, tokens->value.data, at);
    for (int i = 0; i < 8; i++) {
        copy[at + (size_t)i] = (uint8_t)((uint64_t)len >> (8 * i));
    }
    memcpy(copy + at + 8, text, len);
    memcpy(copy + at + 8 + len, tokens->value.data + at + 8 + old,
           tokens->value.size - at - 8 - old);
    tokens->value = (gt_bytes){copy, tokens->value.size - old + len};
    memcpy(values, kinds->value.data, kinds->value.size);
    memset(values + 4 * (size_t)id, 0, 4);
    values[4 * (size_t)id] = (uint8_t)kind;
    kinds->value.data = values;
}

static void edit(char *change)
{
    char *value = strchr(change, '=');
    char *colon = strchr(change, ':');
    if (value == NULL) {
        fail(change);
    }
    *value++ = 0;
    if (colon != NULL && colon < value) {
        set_token((uint32_t)strtoul(change, NULL, 10), (int32_t)strtol(colon + 1, NULL, 10), value);
    } else {
        set_string(change, read_file(value));
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fail("usage: edit_gguf IN OUT [KEY=FILE | ID:KIND=TEXT]...");
    }
    gt_bytes in = read_file(argv[1]);
    if (!gt_read(&tree, in.data, in.size)) {
        fail(argv[1]);
    }
    for (int i = 3; i < argc; i++) {
        edit(argv[i]);
    }
    size_t capacity = in.size + (4 << 20);
    uint8_t *out = allocate(capacity);
    size_t size = gt_write(&tree, out, capacity);
    FILE *file = fopen(argv[2], "wb");
    if (size == 0 || file == NULL || fwrite(out, 1, size, file) != size || fclose(file) != 0) {
        fail(argv[2]);
    }
    return 0;
}
