/* SPDX-License-Identifier: Apache-2.0 */
/* Builds and reads vocabularies for the text tests. */
#include "support/text_vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
    if (p == NULL) {
        fprintf(stderr, "out of memory in a test\n");
        exit(1);
    }
    return p;
}

static char *keep(text_vocab *v, const char *text, size_t len)
{
    char *copy = must(malloc(len + 1));
    if (len > 0) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    v->blocks = must(realloc(v->blocks, (v->n_blocks + 1) * sizeof *v->blocks));
    v->blocks[v->n_blocks++] = copy;
    return copy;
}

int32_t text_vocab_add(text_vocab *v, const char *text, size_t len, int32_t kind)
{
    uint32_t id = v->data.n_tokens++;
    v->tokens = must(realloc(v->tokens, v->data.n_tokens * sizeof *v->tokens));
    v->tokens[id] = (lf_vocab_token){keep(v, text, len), (uint32_t)len, kind};
    v->data.tokens = v->tokens;
    return (int32_t)id;
}

int32_t text_vocab_add_string(text_vocab *v, const char *text, int32_t kind)
{
    return text_vocab_add(v, text, strlen(text), kind);
}

static void add_merge(text_vocab *v, const char *left, size_t left_len, const char *right,
                      size_t right_len)
{
    uint32_t rank = v->data.n_merges++;
    v->merges = must(realloc(v->merges, v->data.n_merges * sizeof *v->merges));
    v->merges[rank] = (lf_vocab_merge){keep(v, left, left_len), keep(v, right, right_len),
                                       (uint32_t)left_len, (uint32_t)right_len};
    v->data.merges = v->merges;
}

int32_t text_vocab_merge(text_vocab *v, const char *left, const char *right)
{
    size_t left_len = strlen(left);
    size_t right_len = strlen(right);
    for (uint32_t i = 0; i < v->data.n_merges; i++) {
        if (strcmp(v->merges[i].left, left) == 0 && strcmp(v->merges[i].right, right) == 0) {
            return -1;
        }
    }
    add_merge(v, left, left_len, right, right_len);
    char *both = must(malloc(left_len + right_len + 1));
    memcpy(both, left, left_len);
    memcpy(both + left_len, right, right_len + 1);
    int32_t id = -1;
    for (uint32_t i = 0; i < v->data.n_tokens && id < 0; i++) {
        id = strcmp(v->tokens[i].text, both) == 0 ? (int32_t)i : -1;
    }
    id = id < 0 ? text_vocab_add_string(v, both, LFM2_TOKEN_NORMAL) : id;
    free(both);
    return id;
}

void text_vocab_init(text_vocab *v)
{
    *v = (text_vocab){0};
    v->data.bos_id = v->data.eos_id = v->data.pad_id = -1;
    v->data.name = "test vocabulary";
    unsigned spare = 0x100;
    for (unsigned b = 0; b < 256; b++) {
        bool itself = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        unsigned c = itself ? b : spare++;
        char text[2] = {(char)c, 0};
        size_t len = 1;
        if (c >= 0x80) {
            text[0] = (char)(0xC0 | c >> 6);
            text[1] = (char)(0x80 | (c & 0x3F));
            len = 2;
        }
        text_vocab_add(v, text, len, LFM2_TOKEN_NORMAL);
    }
}

void text_vocab_init_small(text_vocab *v)
{
    static const char *const control[] = {"<|pad|>",
                                          "<|startoftext|>",
                                          "<|endoftext|>",
                                          "<|im_start|>",
                                          "<|im_end|>",
                                          "<|tool_list_start|>",
                                          "<|tool_list_end|>",
                                          "<|tool_call_start|>",
                                          "<|tool_call_end|>",
                                          "<|tool_response_start|>",
                                          "<|tool_response_end|>"};
    static const char *const merges[][2] = {{"h", "e"},
                                            {"l", "l"},
                                            {"he", "ll"},
                                            {"hell", "o"},
                                            {"\xC4\xA0", "t"},
                                            {"a", "a"},
                                            {"aa", "aa"},
                                            {"aaaa", "aaaa"},
                                            {"1", "2"},
                                            {"\xC3\xA2", "\xC4\xA2"},
                                            {"\xC4\x8A", "\xC4\x8A"},
                                            {"p", "y"},
                                            {"t", "h"},
                                            {"\xC4\xA0", "\xC4\xA0"},
                                            {"i", "m"},
                                            {"<", "|"}};
    text_vocab_init(v);
    for (size_t i = 0; i < sizeof control / sizeof *control; i++) {
        text_vocab_add_string(v, control[i], LFM2_TOKEN_CONTROL);
    }
    v->data.pad_id = 256;
    v->data.bos_id = 257;
    v->data.eos_id = 260;
    v->data.add_bos = true;
    text_vocab_add_string(v, "python", LFM2_TOKEN_USER);
    text_vocab_add_string(v, "[PAD268]", LFM2_TOKEN_UNUSED);
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        text_vocab_merge(v, merges[i][0], merges[i][1]);
    }
    text_vocab_add_string(v, "\xC4\xA0world", LFM2_TOKEN_NORMAL); /* no merges lead to it */
}

void text_vocab_free(text_vocab *v)
{
    for (size_t i = 0; i < v->n_blocks; i++) {
        free(v->blocks[i]);
    }
    free(v->blocks);
    free(v->tokens);
    free(v->merges);
    *v = (text_vocab){0};
}

uint8_t *text_golden_read(const char *name, size_t *size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/golden/text/%s", LFM2_TEST_DATA, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fprintf(stderr, "cannot open %s\n", path);
        return NULL;
    }
    uint8_t *data = NULL;
    size_t used = 0;
    size_t got = 0;
    do {
        data = must(realloc(data, used + 65536 + 1));
        got = fread(data + used, 1, 65536, f);
        used += got;
    } while (got > 0);
    fclose(f);
    data[used] = 0;
    *size = used;
    return data;
}

static uint32_t le(const uint8_t *p, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (uint32_t)p[i] << (8 * i);
    }
    return value;
}

bool text_vocab_load(text_vocab *v)
{
    *v = (text_vocab){0};
    size_t size = 0;
    uint8_t *file = text_golden_read("vocab.bin", &size);
    if (file == NULL) {
        return false;
    }
    uint32_t n_tokens = le(file, 4);
    uint32_t n_merges = le(file + 4, 4);
    const uint8_t *p = file + 8;
    for (uint32_t i = 0; i < n_tokens; i++) {
        size_t len = le(p + 1, 2);
        text_vocab_add(v, (const char *)p + 3, len, p[0]);
        p += 3 + len;
    }
    for (uint32_t i = 0; i < n_merges; i++, p += 4) {
        const lf_vocab_token *left = &v->tokens[le(p, 2)];
        const lf_vocab_token *right = &v->tokens[le(p + 2, 2)];
        add_merge(v, left->text, left->len, right->text, right->len);
    }
    bool whole = p == file + size;
    free(file);
    v->data.name = "vocab.bin";
    v->data.pad_id = 0;
    v->data.bos_id = 1;
    v->data.eos_id = 7;
    v->data.add_bos = true;
    return whole;
}

uint64_t text_hash_ids(const int32_t *ids, size_t n)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) {
        for (int shift = 0; shift < 32; shift += 8) {
            h = (h ^ ((uint32_t)ids[i] >> shift & 0xFF)) * 0x100000001B3u;
        }
    }
    return h;
}
