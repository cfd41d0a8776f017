/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the JSON reader: one pass with an explicit stack, values in the caller's arena.
 * json_number.c converts numbers, json_write.c writes. */
#include "common/json.h"

#include "common/index.h"
#include "common/hex.h"
#include "common/utf8.h"

#include <string.h>

typedef struct frame {
    lf_json *node;
    lf_json *last; /* its last child so far */
} frame;

typedef struct parser {
    lf_arena *arena;
    const char *name;
    int32_t status;
    const char *text;
    size_t len;
    size_t pos;
    uint32_t values, max_values;
    uint32_t depth;
    frame stack[LF_JSON_MAX_DEPTH];
} parser;

static int32_t fail_at(const parser *p, size_t offset, const char *code, const char *message)
{
    return lf_fail(p->status, code, "%s: offset %zu: %s", p->name, offset, message);
}

static int32_t fail(const parser *p, const char *code, const char *message)
{
    if (p->pos >= p->len) {
        return lf_fail(p->status, "json.truncated", "%s: offset %zu: the text ends inside a value",
                       p->name, p->len);
    }
    return fail_at(p, p->pos, code, message);
}

/* Next byte, or -1 at the end. */
static int peek(const parser *p)
{
    return p->pos < p->len ? (uint8_t)p->text[p->pos] : -1;
}

static void skip_space(parser *p)
{
    while (p->pos < p->len) {
        char c = p->text[p->pos];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return;
        }
        p->pos++;
    }
}

/* ---- Strings ---- */

/* Reads from the 'u' of an escape that starts at offset `start`. */
static int32_t read_unicode(parser *p, size_t start, char **out)
{
    uint32_t c = 0;
    if (p->len - p->pos < 5 || !lf_hex_read(p->text + p->pos + 1, 4, &c)) {
        return fail_at(p, start, "json.escape", "\\u needs four hexadecimal digits");
    }
    p->pos += 5;
    if (c >= 0xDC00 && c <= 0xDFFF) {
        return fail_at(p, start, "json.surrogate",
                       "a low surrogate without a high surrogate before it");
    }
    if (c >= 0xD800 && c <= 0xDBFF) {
        uint32_t low = 0;
        if (p->len - p->pos < 6 || p->text[p->pos] != '\\' || p->text[p->pos + 1] != 'u' ||
            !lf_hex_read(p->text + p->pos + 2, 4, &low) || low < 0xDC00 || low > 0xDFFF) {
            return fail_at(p, start, "json.surrogate",
                           "a high surrogate without a low surrogate after it");
        }
        p->pos += 6;
        c = 0x10000 + ((c & 0x3FF) << 10) + (low & 0x3FF);
    }
    *out += lf_utf8_encode(c, *out);
    return LFM2_OK;
}

/* Reads from the backslash. */
static int32_t read_escape(parser *p, char **out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    size_t start = p->pos++;
    int c = peek(p);
    if (c < 0) {
        return fail(p, "json.truncated", "");
    }
    if (c == 'u') {
        return read_unicode(p, start, out);
    }
    const char *found = c == 0 ? NULL : strchr(from, c);
    if (found == NULL) {
        return fail_at(p, start, "json.escape", "unknown escape sequence");
    }
    *(*out)++ = to[found - from];
    p->pos++;
    return LFM2_OK;
}

/* Finds the closing quote of a string; its content starts at pos. */
static int32_t find_quote(const parser *p, size_t *end)
{
    size_t i = p->pos;
    while (i < p->len && p->text[i] != '"') {
        i += p->text[i] == '\\' ? 2 : 1;
    }
    if (i >= p->len) {
        return lf_fail(p->status, "json.truncated",
                       "%s: offset %zu: a string without a closing quote", p->name, p->pos - 1);
    }
    *end = i;
    return LFM2_OK;
}

/* Reads from the opening quote. Unescaping never lengthens a string. */
static int32_t read_string(parser *p, const char **out, size_t *len)
{
    p->pos++;
    size_t end = 0;
    LF_TRY(find_quote(p, &end));
    void *memory = NULL;
    LF_TRY(lf_arena_new(p->arena, end - p->pos + 1, 1, "JSON string", &memory));
    char *w = memory;
    while (p->pos < end) {
        uint8_t c = (uint8_t)p->text[p->pos];
        if (c == '\\') {
            LF_TRY(read_escape(p, &w));
        } else if (c < 0x20) {
            return fail(p, "json.control", "a control character inside a string");
        } else if (c < 0x80) {
            *w++ = (char)c;
            p->pos++;
        } else {
            size_t n = lf_utf8_char(p->text + p->pos, p->len - p->pos);
            if (n == 0) {
                return fail(p, "json.utf8", "bytes that are not UTF-8");
            }
            memcpy(w, p->text + p->pos, n);
            w += n;
            p->pos += n;
        }
    }
    *w = '\0';
    *out = memory;
    *len = (size_t)(w - (char *)memory);
    p->pos++;
    return LFM2_OK;
}

/* ---- Scalars ---- */

static size_t skip_digits(parser *p)
{
    size_t start = p->pos;
    while (peek(p) >= '0' && peek(p) <= '9') {
        p->pos++;
    }
    return p->pos - start;
}

static int32_t read_number(parser *p, lf_json *node)
{
    size_t start = p->pos;
    if (peek(p) == '-') {
        p->pos++;
    }
    bool zero = peek(p) == '0';
    size_t digits = skip_digits(p);
    if (digits == 0) {
        return fail(p, "json.number", "expected a digit of a number");
    }
    if (zero && digits > 1) {
        return fail_at(p, start, "json.number", "a number with a leading zero");
    }
    if (peek(p) == '.') {
        p->pos++;
        if (skip_digits(p) == 0) {
            return fail(p, "json.number", "expected a digit after the decimal point");
        }
    }
    if (peek(p) == 'e' || peek(p) == 'E') {
        p->pos++;
        if (peek(p) == '+' || peek(p) == '-') {
            p->pos++;
        }
        if (skip_digits(p) == 0) {
            return fail(p, "json.number", "expected a digit in the exponent");
        }
    }
    node->kind = LF_JSON_NUMBER;
    node->len = p->pos - start;
    return lf_arena_string(p->arena, p->text + start, node->len, &node->text);
}

static int32_t read_word(parser *p, lf_json *node, const char *word, lf_json_kind kind)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < n; i++) {
        if (peek(p) != (uint8_t)word[i]) {
            return fail(p, "json.syntax", "expected a value");
        }
        p->pos++;
    }
    node->kind = kind;
    return LFM2_OK;
}

/* Whether the text goes on with a float that is not finite, as Python writes it. */
static bool is_not_finite(const parser *p)
{
    static const char *const names[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i]);
        if (p->len - p->pos >= n && memcmp(p->text + p->pos, names[i], n) == 0) {
            return true;
        }
    }
    return false;
}

static int32_t read_scalar(parser *p, lf_json *node)
{
    switch (peek(p)) {
    case '"':
        node->kind = LF_JSON_STRING;
        return read_string(p, &node->text, &node->len);
    case 't':
        return read_word(p, node, "true", LF_JSON_TRUE);
    case 'f':
        return read_word(p, node, "false", LF_JSON_FALSE);
    case 'n':
        return read_word(p, node, "null", LF_JSON_NULL);
    default:
        break;
    }
    if (is_not_finite(p)) {
        return fail(p, "json.number",
                    "NaN and Infinity are not JSON, although Python's json module writes them; "
                    "replace the value by null or a finite number");
    }
    if (peek(p) == '-' || (peek(p) >= '0' && peek(p) <= '9')) {
        return read_number(p, node);
    }
    return fail(p, "json.syntax", "expected a value");
}

/* ---- Objects and arrays ---- */

static int32_t fail_duplicate(const parser *p, const char *key, size_t len, uint64_t offset)
{
    lf_shown shown;
    return lf_fail(p->status, "json.duplicate", "%s: offset %llu: duplicate key '%s'", p->name,
                   (unsigned long long)offset, lf_show(&shown, key, len));
}

static int32_t check_many_keys(const parser *p, const lf_json *object)
{
    void *memory = NULL;
    LF_TRY(lf_new(p->arena->alloc, object->count, sizeof(lf_index_entry), "JSON keys", &memory));
    lf_index index = {.entries = memory, .count = object->count};
    uint32_t n = 0;
    int32_t status = LFM2_OK;
    for (const lf_json *c = object->child; c != NULL; c = c->next) {
        if (c->key_len > UINT32_MAX) {
            status = fail_at(p, (size_t)c->offset, "json.too_large", "a key of more than 4 GiB");
            goto done;
        }
        index.entries[n] = (lf_index_entry){.text = c->key, .len = (uint32_t)c->key_len, .id = n};
        n++;
    }
    const lf_index_entry *duplicate = NULL;
    LF_TRY_DONE(lf_index_build(p->arena->alloc, &index, &duplicate));
    if (duplicate != NULL) {
        const lf_json *c = object->child;
        for (uint32_t i = 0; i < duplicate->id; i++) {
            c = c->next;
        }
        status = fail_duplicate(p, duplicate->text, duplicate->len, c->offset);
    }
done:
    lf_free(p->arena->alloc, memory, object->count, sizeof(lf_index_entry));
    return status;
}

static int32_t check_keys(const parser *p, const lf_json *object)
{
    enum { FEW = 8 };
    if (object->count > FEW) {
        return check_many_keys(p, object);
    }
    for (const lf_json *c = object->child; c != NULL; c = c->next) {
        for (const lf_json *d = object->child; d != c; d = d->next) {
            if (d->key_len == c->key_len && memcmp(d->key, c->key, c->key_len) == 0) {
                return fail_duplicate(p, c->key, c->key_len, c->offset);
            }
        }
    }
    return LFM2_OK;
}

/* Creates the node of the next value and appends it to the innermost container. In an object it
 * first reads the key and the colon. */
static int32_t open_value(parser *p, lf_json **out)
{
    if (p->values++ >= p->max_values) {
        return lf_fail(p->status, "json.too_large",
                       "%s: offset %zu: more than %u values in a document", p->name, p->pos,
                       p->max_values);
    }
    void *memory = NULL;
    LF_TRY(lf_arena_new(p->arena, 1, sizeof(lf_json), "JSON value", &memory));
    lf_json *node = memory;
    *node = (lf_json){.kind = LF_JSON_NULL};
    frame *top = p->depth > 0 ? &p->stack[p->depth - 1] : NULL;
    if (top != NULL && top->node->kind == LF_JSON_OBJECT) {
        skip_space(p);
        if (peek(p) != '"') {
            return fail(p, "json.syntax", "expected a key");
        }
        LF_TRY(read_string(p, &node->key, &node->key_len));
        skip_space(p);
        if (peek(p) != ':') {
            return fail(p, "json.syntax", "expected ':' after a key");
        }
        p->pos++;
    }
    skip_space(p);
    node->offset = p->pos;
    if (top != NULL) {
        if (top->last != NULL) {
            top->last->next = node;
        } else {
            top->node->child = node;
        }
        top->last = node;
        top->node->count++;
    }
    *out = node;
    return LFM2_OK;
}

/* Reads what follows a value: closes the containers that end. *more: another value follows. */
static int32_t close_values(parser *p, bool *more)
{
    while (p->depth > 0) {
        frame *top = &p->stack[p->depth - 1];
        bool object = top->node->kind == LF_JSON_OBJECT;
        skip_space(p);
        int c = peek(p);
        if (c == ',' && top->last != NULL) {
            p->pos++;
            *more = true;
            return LFM2_OK;
        }
        if (c != (object ? '}' : ']')) {
            return fail(p, "json.syntax", object ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        p->pos++;
        if (object) {
            LF_TRY(check_keys(p, top->node));
        }
        p->depth--;
    }
    *more = false;
    return LFM2_OK;
}

static int32_t read_value(parser *p, lf_json **out, bool *more)
{
    lf_json *node = NULL;
    LF_TRY(open_value(p, &node));
    *out = node;
    int c = peek(p);
    if (c != '{' && c != '[') {
        LF_TRY(read_scalar(p, node));
        return close_values(p, more);
    }
    if (p->depth == LF_JSON_MAX_DEPTH) {
        return lf_fail(p->status, "json.depth", "%s: offset %zu: nested deeper than %d levels",
                       p->name, p->pos, LF_JSON_MAX_DEPTH);
    }
    node->kind = c == '{' ? LF_JSON_OBJECT : LF_JSON_ARRAY;
    p->stack[p->depth++] = (frame){.node = node};
    p->pos++;
    skip_space(p);
    if (peek(p) == (c == '{' ? '}' : ']')) {
        return close_values(p, more);
    }
    *more = true;
    return LFM2_OK;
}

int32_t lf_json_parse(lf_arena *arena, const char *name, int32_t status, const char *text,
                      size_t len, const lf_json **out)
{
    return lf_json_parse_within(arena, name, status, LF_JSON_MAX_VALUES, text, len, out);
}

int32_t lf_json_parse_within(lf_arena *arena, const char *name, int32_t status, uint32_t max_values,
                             const char *text, size_t len, const lf_json **out)
{
    parser p = {.arena = arena,
                .name = name,
                .status = status,
                .text = text,
                .len = len,
                .max_values = max_values};
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        return fail(&p, "json.bom", "a byte order mark is not allowed");
    }
    lf_json *root = NULL;
    bool more = false;
    LF_TRY(read_value(&p, &root, &more));
    while (more) {
        lf_json *node = NULL;
        LF_TRY(read_value(&p, &node, &more));
    }
    skip_space(&p);
    if (p.pos != len) {
        return fail(&p, "json.trailing", "text after the end of the JSON value");
    }
    *out = root;
    return LFM2_OK;
}

/* ---- Access ---- */

bool lf_json_key_is(const lf_json *member, const char *key)
{
    return member->key_len == strlen(key) && memcmp(member->key, key, member->key_len) == 0;
}

const lf_json *lf_json_get(const lf_json *object, const char *key)
{
    if (object == NULL || object->kind != LF_JSON_OBJECT) {
        return NULL;
    }
    for (const lf_json *c = object->child; c != NULL; c = c->next) {
        if (lf_json_key_is(c, key)) {
            return c;
        }
    }
    return NULL;
}

bool lf_json_is_string(const lf_json *value, const char *text)
{
    return value != NULL && value->kind == LF_JSON_STRING && value->len == strlen(text) &&
           memcmp(value->text, text, value->len) == 0;
}
