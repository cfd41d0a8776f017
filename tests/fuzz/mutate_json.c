/* SPDX-License-Identifier: Apache-2.0 */
/* Changes values of JSON texts and of the JSON headers of safetensors files. */
#include "fuzz/mutate.h"
#include "support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 8192, MAX_DEPTH = 200, NO_VALUE = -1, LONG = 70000 };

/* A value of the text, [begin, end); a member of an object begins with its key at `key`. */
typedef struct value {
    size_t key, key_end, begin, end;
    int parent, first, next, count;
} value;

typedef struct document {
    const char *text;
    size_t size, at;
    int n;
    value values[MAX_VALUES];
} document;

/* ---- Reading: does not check strings and numbers ---- */

static void skip_space(document *d)
{
    while (d->at < d->size && strchr(" \t\r\n", d->text[d->at]) != NULL && d->text[d->at] != 0) {
        d->at++;
    }
}

static bool skip_string(document *d)
{
    if (d->at >= d->size || d->text[d->at] != '"') {
        return false;
    }
    for (d->at++; d->at < d->size && d->text[d->at] != '"'; d->at++) {
        d->at += d->text[d->at] == '\\';
    }
    return ++d->at <= d->size;
}

static bool skip_word(document *d)
{
    size_t begin = d->at;
    while (d->at < d->size && d->text[d->at] != 0 &&
           strchr(",:[]{} \t\r\n", d->text[d->at]) == NULL) {
        d->at++;
    }
    return d->at > begin;
}

static int add_value(document *d, int parent, int *last)
{
    if (d->n == MAX_VALUES) {
        return NO_VALUE;
    }
    int i = d->n++;
    d->values[i] = (value){
        .begin = d->at, .key = d->at, .parent = parent, .first = NO_VALUE, .next = NO_VALUE};
    if (parent != NO_VALUE) {
        d->values[parent].count++;
        if (*last == NO_VALUE) {
            d->values[parent].first = i;
        } else {
            d->values[*last].next = i;
        }
    }
    *last = i;
    return i;
}

static bool read_value(document *d, int parent, int *last, int depth, bool member)
{
    skip_space(d);
    int i = add_value(d, parent, last);
    if (i == NO_VALUE || depth == MAX_DEPTH) {
        return false;
    }
    if (member) {
        if (!skip_string(d)) {
            return false;
        }
        d->values[i].key_end = d->at;
        skip_space(d);
        if (d->at == d->size || d->text[d->at++] != ':') {
            return false;
        }
        skip_space(d);
        d->values[i].begin = d->at;
    }
    char c = d->at < d->size ? d->text[d->at] : 0;
    bool ok = true;
    if (c == '{' || c == '[') {
        char close = c == '{' ? '}' : ']';
        int child = NO_VALUE;
        d->at++;
        skip_space(d);
        while (ok && d->at < d->size && d->text[d->at] != close) {
            ok = read_value(d, i, &child, depth + 1, c == '{');
            skip_space(d);
            if (ok && d->at < d->size && d->text[d->at] == ',') {
                d->at++;
                skip_space(d);
            } else {
                ok = ok && d->at < d->size && d->text[d->at] == close;
            }
        }
        ok = ok && d->at++ < d->size;
    } else {
        ok = c == '"' ? skip_string(d) : skip_word(d);
    }
    d->values[i].end = d->at;
    return ok;
}

/* ---- Choice ---- */

/* Descends from the root and stops at a random depth, so that long lists do not dominate. */
static int choose(const document *d, uint64_t *random)
{
    int i = 0;
    while (d->values[i].count > 0 && (i == 0 || !fuzz_one_in(random, 4))) {
        int n = (int)random_below(random, (uint32_t)d->values[i].count);
        for (i = d->values[i].first; n > 0; n--) {
            i = d->values[i].next;
        }
    }
    return i;
}

/* ---- Changes: each replaces a range of the text ---- */

typedef struct change {
    size_t begin, end;
    char *text; /* LONG bytes */
    size_t size;
} change;

static void put_text(change *c, const char *text, size_t size)
{
    if (size <= LONG - c->size) {
        memcpy(c->text + c->size, text, size);
        c->size += size;
    }
}

static void put_string(change *c, const char *text)
{
    put_text(c, text, strlen(text));
}

/* `n` times `open`, then `n` times `close`. */
static void put_nested(change *c, const char *open, const char *close, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        put_string(c, open);
    }
    put_string(c, "1");
    for (uint32_t i = 0; i < n; i++) {
        put_string(c, close);
    }
}

/* Values that readers may not expect. */
static const char *const odd_values[] = {"null",
                                         "true",
                                         "false",
                                         "0",
                                         "1",
                                         "-1",
                                         "-0",
                                         "0.5",
                                         "1e999",
                                         "-1e999",
                                         "1e-999",
                                         "3.0",
                                         "4294967295",
                                         "4294967296",
                                         "2147483648",
                                         "9223372036854775808",
                                         "18446744073709551615",
                                         "18446744073709551616",
                                         "1000000000000000000000000000000",
                                         "16777216",
                                         "65536",
                                         "1024",
                                         "01",
                                         "1.",
                                         ".5",
                                         "+1",
                                         "NaN",
                                         "Infinity",
                                         "\"\"",
                                         "\"a\"",
                                         "\"\\u0000\"",
                                         "\"\\ud800\"",
                                         "\"\\udc00\\ud800\"",
                                         "\"\\ud83d\\ude00\"",
                                         "\"\\uFFFF\"",
                                         "\"\xC4\xA0\"",
                                         "\"\xFF\"",
                                         "\"F32\"",
                                         "\"F16\"",
                                         "\"BF16\"",
                                         "\"conv\"",
                                         "\"full_attention\"",
                                         "\"lfm2\"",
                                         "\"lfm2_moe\"",
                                         "\"1\"",
                                         "[]",
                                         "{}",
                                         "[0]",
                                         "[1,2]",
                                         "[[]]",
                                         "{\"a\":1}",
                                         "{\"a\":1,\"a\":2}",
                                         "[0,0,0,0,0,0,0,0,0]",
                                         "\"%s\"",
                                         "\"../x.safetensors\""};

static void put_value(change *c, uint64_t *random)
{
    const char *open = NULL;
    char text[32];
    switch (random_below(random, 8)) {
    case 0:
        snprintf(text, sizeof text, "%lld",
                 (long long)fuzz_integer(random, random_below(random, 64)));
        put_string(c, text);
        return;
    case 1:
        open = fuzz_one_in(random, 2) ? "[" : "[1,";
        put_nested(c, open, "]", random_below(random, 600));
        return;
    case 2:
        put_nested(c, "{\"a\":", "}", random_below(random, 600));
        return;
    case 3:
        put_string(c, "\"");
        for (uint32_t n = fuzz_one_in(random, 8) ? 66000 : random_below(random, 600); n > 0; n--) {
            put_string(c, "a");
        }
        put_string(c, "\"");
        return;
    default:
        put_string(c, odd_values[random_below(random, sizeof odd_values / sizeof odd_values[0])]);
    }
}

/* A number near the present one, or the text changed byte by byte. */
static void put_near(const document *d, const value *v, change *c, uint64_t *random)
{
    char text[40];
    size_t n = v->end - v->begin;
    if (n > 0 && n < 21 && strchr("-0123456789", d->text[v->begin]) != NULL) {
        memcpy(text, d->text + v->begin, n);
        text[n] = 0;
        long long number = strtoll(text, NULL, 10);
        snprintf(text, sizeof text, "%lld", (long long)fuzz_integer(random, (uint64_t)number));
        put_string(c, text);
    } else if (n < LONG / 2) {
        put_text(c, d->text + v->begin, n);
        /* mostly between the quotes of a string */
        size_t quote = n > 2 && d->text[v->begin] == '"' && !fuzz_one_in(random, 8) ? 1 : 0;
        uint8_t *p = (uint8_t *)c->text + quote;
        size_t changed = LLVMFuzzerMutate(p, n - 2 * quote, LONG / 2);
        if (quote > 0) {
            p[changed++] = '"';
        }
        c->size = changed + quote;
    }
}

/* The range of the value with its key and one comma, so that the remainder is a list. */
static void take_member(const document *d, const value *v, change *c)
{
    c->begin = v->key;
    c->end = v->end;
    size_t at = v->end;
    while (at < d->size && strchr(" \t\r\n", d->text[at]) != NULL) {
        at++;
    }
    if (v->next != NO_VALUE && at < d->size && d->text[at] == ',') {
        c->end = at + 1;
        return;
    }
    at = v->key;
    while (at > 0 && d->text[at - 1] != ',' && strchr(" \t\r\n", d->text[at - 1]) != NULL) {
        at--;
    }
    if (at > 0 && d->text[at - 1] == ',') {
        c->begin = at - 1;
    }
}

static void make_change(const document *d, change *c, uint64_t *random)
{
    const value *v = &d->values[choose(d, random)];
    const value *other = &d->values[choose(d, random)];
    c->begin = v->begin;
    c->end = v->end;
    switch (random_below(random, 12)) {
    case 0:
        take_member(d, v, c);
        return;
    case 1: { /* a copy; of a member mostly with another key */
        bool renamed = v->key_end > v->key && !fuzz_one_in(random, 8);
        size_t begin = renamed ? v->begin : v->key;
        c->begin = v->end;
        put_string(c, renamed ? ",\"a\":" : ",");
        put_text(c, d->text + begin, v->end - begin);
        return;
    }
    case 2: /* another value */
    case 3:
        put_text(c, d->text + other->begin, other->end - other->begin);
        return;
    case 4: /* replaced by another member */
        c->begin = v->key;
        put_text(c, d->text + other->key, other->end - other->key);
        return;
    case 5: /* another key */
        c->begin = v->key;
        c->end = v->key_end > v->key ? v->key_end : v->key;
        put_text(c, d->text + other->key,
                 other->key_end > other->key ? other->key_end - other->key : 0);
        return;
    case 6: /* wrapped */
        put_string(c, fuzz_one_in(random, 2) ? "[" : "{\"a\":");
        put_text(c, d->text + v->begin, v->end - v->begin);
        put_string(c, c->text[0] == '[' ? "]" : "}");
        return;
    case 7:
    case 8:
        put_value(c, random);
        return;
    default:
        put_near(d, v, c, random);
    }
}

size_t fuzz_mutate_json(uint64_t *random, uint8_t *data, size_t size, size_t max_size)
{
    static document d;
    static char buffer[LONG];
    int last = NO_VALUE;
    d.text = (const char *)data;
    d.size = size;
    d.at = 0;
    d.n = 0;
    if (fuzz_one_in(random, 32) || !read_value(&d, NO_VALUE, &last, 0, false)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    change c = {.text = buffer};
    make_change(&d, &c, random);
    size_t rest = size - c.end;
    if (c.begin + c.size + rest > max_size) {
        return size;
    }
    memmove(data + c.begin + c.size, data + c.end, rest);
    memcpy(data + c.begin, c.text, c.size);
    return c.begin + c.size + rest;
}

/* Changes the header as JSON, with its length, or the data. */
size_t fuzz_mutate_safetensors(uint64_t *random, uint8_t *data, size_t size, size_t max_size)
{
    uint64_t header = size >= 8 ? fuzz_get(data, 8) : UINT64_MAX;
    if (size < 8 || header > size - 8 || fuzz_one_in(random, 16)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    size_t rest = size - 8 - (size_t)header;
    uint8_t *behind = malloc(rest + 1);
    uint8_t *text = malloc(max_size);
    if (behind == NULL || text == NULL) {
        free(behind);
        free(text);
        return size;
    }
    memcpy(behind, data + 8 + header, rest);
    memcpy(text, data + 8, (size_t)header);
    size_t n = (size_t)header;
    while (n > 0 && text[n - 1] == ' ') { /* the padding */
        n--;
    }
    if (rest > 0 && fuzz_one_in(random, 8)) {
        rest = LLVMFuzzerMutate(behind, rest, rest);
    } else {
        n = fuzz_mutate_json(random, text, n, max_size - 8);
    }
    while (n % 8 != 0 && n < max_size) {
        text[n++] = ' ';
    }
    if (n <= max_size - 8 && rest <= max_size - 8 - n) {
        fuzz_put(data, n, 8);
        memcpy(data + 8, text, n);
        memcpy(data + 8 + n, behind, rest);
        size = 8 + n + rest;
    }
    free(behind);
    free(text);
    return size;
}
