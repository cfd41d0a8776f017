/* SPDX-License-Identifier: Apache-2.0 */
/* Reads fields of a request and replies with an error that names the first one that is wrong. */
#include "serve/fields.h"

#include "serve/reply.h"

#include "lfm2.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Values of a request, which take 64 bytes each until its response is complete. */
enum { MAX_VALUES = 1 << 19 };

static bool has_failed(const fields *f)
{
    for (; f != NULL; f = f->parent) {
        if (f->failed) {
            return true;
        }
    }
    return false;
}

static void set_failed(fields *f)
{
    for (; f != NULL; f = f->parent) {
        f->failed = true;
    }
}

const char *field_path(fields *f, const char *name)
{
    size_t n_path = strlen(f->path), n_name = strlen(name);
    if (n_path == 0) {
        return name;
    }
    if (n_name == 0) {
        return f->path;
    }
    void *memory;
    if (lf_arena_new(f->x->arena, n_path + n_name + 2, 1, "the path of a field", &memory) !=
        LFM2_OK) {
        return name;
    }
    char *out = memory;
    snprintf(out, n_path + n_name + 2, "%s.%s", f->path, name);
    return out;
}

const char *field_kind(const lf_json *value)
{
    static const char *const kinds[] = {
        [LF_JSON_NULL] = "null",       [LF_JSON_FALSE] = "a boolean", [LF_JSON_TRUE] = "a boolean",
        [LF_JSON_NUMBER] = "a number", [LF_JSON_STRING] = "a string", [LF_JSON_ARRAY] = "an array",
        [LF_JSON_OBJECT] = "an object"};
    return value == NULL ? "nothing" : kinds[value->kind];
}

void field_fail(fields *f, const char *name, const char *format, ...)
{
    if (has_failed(f)) {
        return;
    }
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const char *path = field_path(f, name);
    set_failed(f);
    if (path[0] == '\0') {
        reply_bad_field(f->x, NULL, "the request %s", message);
    } else {
        reply_bad_field(f->x, path, "%s %s", path, message);
    }
}

void field_fail_memory(fields *f)
{
    if (!has_failed(f)) {
        set_failed(f);
        reply_failure_text(f->x, LFM2_E_MEMORY, NULL, "", "out of memory");
    }
}

bool fields_open(fields *f, exchange *x)
{
    *f = (fields){.x = x, .path = ""};
    int32_t status = lf_json_parse_within(x->arena, "the request", LFM2_E_TEXT, MAX_VALUES, x->body,
                                          x->body_len, &f->object);
    if (status == LFM2_E_MEMORY) {
        field_fail_memory(f);
        return false;
    }
    if (status != LFM2_OK) {
        f->failed = true;
        reply_error(x, 400, "invalid_request_error", NULL, "invalid_json", "%s", lf_fail_text());
        return false;
    }
    if (f->object->kind != LF_JSON_OBJECT) {
        field_fail(f, "", "must be an object, not %s", field_kind(f->object));
        return false;
    }
    return true;
}

const lf_json *field(fields *f, const char *name)
{
    if (has_failed(f)) {
        return NULL;
    }
    const lf_json *value = lf_json_get(f->object, name);
    return value != NULL && value->kind == LF_JSON_NULL ? NULL : value;
}

/* The field if it has this kind; NULL if it is absent, or an error. */
static const lf_json *field_of_kind(fields *f, const char *name, lf_json_kind kind,
                                    const char *wanted)
{
    const lf_json *value = field(f, name);
    if (value != NULL && value->kind != kind) {
        field_fail(f, name, "must be %s, not %s", wanted, field_kind(value));
        return NULL;
    }
    return value;
}

void field_bool(fields *f, const char *name, bool *out)
{
    const lf_json *value = field(f, name);
    if (value == NULL) {
        return;
    }
    if (value->kind != LF_JSON_TRUE && value->kind != LF_JSON_FALSE) {
        field_fail(f, name, "must be true or false, not %s", field_kind(value));
        return;
    }
    *out = value->kind == LF_JSON_TRUE;
}

void field_i64(fields *f, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const lf_json *value = field_of_kind(f, name, LF_JSON_NUMBER, "an integer");
    if (value == NULL) {
        return;
    }
    int64_t number;
    if (!lf_json_i64(value, &number)) {
        field_fail(f, name, "must be an integer from %lld to %lld", (long long)min, (long long)max);
        return;
    }
    if (number < min || number > max) {
        field_fail(f, name, "must be from %lld to %lld, not %lld", (long long)min, (long long)max,
                   (long long)number);
        return;
    }
    *out = number;
}

void field_u32(fields *f, const char *name, uint32_t min, uint32_t max, uint32_t *out)
{
    int64_t number = *out;
    field_i64(f, name, min, max, &number);
    *out = (uint32_t)number;
}

void field_float(fields *f, const char *name, double min, double max, float *out)
{
    const lf_json *value = field_of_kind(f, name, LF_JSON_NUMBER, "a number");
    if (value == NULL) {
        return;
    }
    double number;
    if (!lf_json_double(value, &number) || number < min || number > max) {
        field_fail(f, name, "must be a number from %g to %g", min, max);
        return;
    }
    *out = (float)number;
}

void field_string(fields *f, const char *name, const char **out, size_t *len)
{
    const lf_json *value = field_of_kind(f, name, LF_JSON_STRING, "a string");
    if (value == NULL) {
        return;
    }
    if (len == NULL && strlen(value->text) != value->len) {
        field_fail(f, name, "must not contain the character U+0000");
        return;
    }
    *out = value->text;
    if (len != NULL) {
        *len = value->len;
    }
}

void field_choice(fields *f, const char *name, const char *const *names, int *out)
{
    const lf_json *value = field_of_kind(f, name, LF_JSON_STRING, "a string");
    if (value == NULL) {
        return;
    }
    char list[512] = "";
    size_t n = 0;
    for (int i = 0; names[i] != NULL; i++) {
        if (lf_json_is_string(value, names[i])) {
            *out = i;
            return;
        }
        const char *divider = i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ";
        int more = snprintf(list + n, sizeof list - n, "%s\"%s\"", divider, names[i]);
        n += more > 0 && (size_t)more < sizeof list - n ? (size_t)more : 0;
    }
    field_fail(f, name, "must be %s", list);
}

void field_strings(fields *f, const char *name, uint32_t max, const char ***out, uint32_t *n)
{
    const lf_json *value = field(f, name);
    if (value == NULL) {
        return;
    }
    bool one = value->kind == LF_JSON_STRING;
    if (!one && value->kind != LF_JSON_ARRAY) {
        field_fail(f, name, "must be a string or an array of strings, not %s", field_kind(value));
        return;
    }
    uint32_t count = one ? 1 : value->count;
    if (count > max) {
        field_fail(f, name, "must have at most %u elements, not %u", max, count);
        return;
    }
    void *memory;
    if (lf_arena_new(f->x->arena, count, sizeof **out, "strings", &memory) != LFM2_OK) {
        field_fail_memory(f);
        return;
    }
    const char **strings = memory;
    uint32_t i = 0;
    for (const lf_json *s = one ? value : value->child; i < count; s = s->next, i++) {
        if (s->kind != LF_JSON_STRING) {
            field_fail(f, name, "must be an array of strings, but has %s", field_kind(s));
            return;
        }
        if (strlen(s->text) != s->len) {
            field_fail(f, name, "must not contain the character U+0000");
            return;
        }
        strings[i] = s->text;
    }
    *out = strings;
    *n = count;
}

const lf_json *field_array(fields *f, const char *name)
{
    return field_of_kind(f, name, LF_JSON_ARRAY, "an array");
}

bool field_object(fields *f, const char *name, fields *out)
{
    const lf_json *value = field_of_kind(f, name, LF_JSON_OBJECT, "an object");
    if (value == NULL) {
        return false;
    }
    *out = (fields){.x = f->x, .object = value, .path = field_path(f, name), .parent = f};
    return true;
}

bool field_element(fields *f, const char *name, uint32_t index, const lf_json *element, fields *out)
{
    if (has_failed(f)) {
        return false;
    }
    const char *array = field_path(f, name);
    void *memory;
    size_t size = strlen(array) + 16;
    if (lf_arena_new(f->x->arena, size, 1, "the path of an element", &memory) != LFM2_OK) {
        field_fail_memory(f);
        return false;
    }
    char *path = memory;
    snprintf(path, size, "%s[%u]", array, index);
    *out = (fields){.x = f->x, .object = element, .path = path, .parent = f};
    if (element->kind != LF_JSON_OBJECT) {
        field_fail(out, "", "must be an object, not %s", field_kind(element));
        return false;
    }
    return true;
}
